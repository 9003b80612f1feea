"""A link in this process, between a real database and a simulated carrier on a real socket."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import pytest

from smpp.pdu import DataSm, SubmitSm
from smpp.simulator import Simulator, SimulatorOptions
from tests.flow.conftest import World, inhabited
from ulak.base.config import Config
from ulak.base.db import Database
from ulak.edge.carrier.trunk import Trunk
from ulak.rules.status import Status
from ulak.rules.tenancy import Context
from ulak.store import carriers

SECONDS = 20


@dataclass
class Bench:
    """A world whose carrier is really there."""

    world: World
    db: Database

    @asynccontextmanager
    async def carrier(
        self, options: SimulatorOptions | None = None, config: Config | None = None, **settings: Any
    ) -> AsyncIterator[Simulator]:
        """The world's carrier with these settings, and a link to it."""
        simulator = Simulator(options or SimulatorOptions(delay_ms=1, keep=True))
        port = await simulator.start()
        async with self.db.transaction() as tx:
            names = {"port": port} | settings
            places = ", ".join(f"{name} = ${n}" for n, name in enumerate(names, start=2))
            await tx.execute(
                f"UPDATE carriers SET {places} WHERE id = $1", self.world.carrier, *names.values()
            )
            [row] = [one for one in await carriers.all(tx) if one.id == self.world.carrier]
        self.world.directory.forget()
        link = Trunk(self.db, row, config or Config(reconnect_seconds_max=1.0))
        running = asyncio.create_task(link.run())
        try:
            yield simulator
        finally:
            link.stop()
            try:
                await asyncio.wait_for(running, SECONDS)
            finally:
                await simulator.stop()

    async def ended(self, who: Context, sending: UUID) -> list[Status]:
        """How the messages ended, once all have."""
        async with asyncio.timeout(SECONDS):
            while (await self.world.sending(who, sending)).completed_at is None:
                await asyncio.sleep(0.01)
        return await self.world.statuses(who, sending)


@pytest.fixture
async def bench(db: Database) -> AsyncIterator[Bench]:
    async with inhabited(db) as world:
        yield Bench(world, db)


def submits(simulator: Simulator) -> list[SubmitSm]:
    """What the carrier took."""
    taken: list[SubmitSm | DataSm] = [received.pdu for received in simulator.received]
    return [pdu for pdu in taken if isinstance(pdu, SubmitSm)]
