"""A link by itself: what it does when there is nothing to do, and how soon it notices that there is."""

import asyncio

import pytest

from tests.edge.carrier.conftest import Bench
from ulak.rules.status import Status
from ulak.store import queue

pytestmark = pytest.mark.slow


async def test_an_idle_link_leaves_the_database_alone(bench: Bench, monkeypatch) -> None:  # type: ignore[no-untyped-def]
    asked = 0
    lease = queue.lease

    async def counted(*args: object, **options: object) -> list[queue.Run]:
        nonlocal asked
        asked += 1
        return await lease(*args, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(queue, "lease", counted)
    async with bench.carrier():
        who, service = await bench.world.customer(), await bench.world.service()
        sending = await bench.world.send(who, service, to=50)
        assert await bench.ended(who, sending) == [Status.SENT] * 50
        await asyncio.sleep(0.5)
        asked = 0
        await asyncio.sleep(2.5)

    assert asked <= 4  # once a second
