"""The courier's loops: what they take up by themselves once they run."""

import asyncio
from contextlib import suppress
from datetime import timedelta

from tests.flow.conftest import World, world
from tests.flow.test_searchable import customer
from tests.store.test_hours import add
from tests.store.test_listing import new
from ulak.base.config import Config
from ulak.edge import courier
from ulak.flow.accept import now

__all__ = ["world"]  # the fixture


async def test_it_gathers_texts_and_sums_of_long_ago_as_soon_as_it_runs(world: World) -> None:
    who = await customer(world)
    await add(world.db, new(who.tenant_id, now() - timedelta(days=100), "api", "x"))

    running = asyncio.create_task(courier.run(world.db, Config()))
    try:
        async with asyncio.timeout(30):
            while not (await world.count("hours") and await world.count("search_blocks")):
                await asyncio.sleep(0.01)
    finally:
        running.cancel()
        with suppress(asyncio.CancelledError):
            await running
