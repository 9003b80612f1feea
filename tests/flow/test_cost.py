"""What a message costs the database: statements and bytes of WAL, alike on every machine, as seconds are not.

A server of its own, so that nobody else writes; without full page images and autovacuum, whose times nobody chooses.
The bounds are what was measured (docs/performance.md) and a tenth: whoever raises one says why.
"""

import asyncio
import dataclasses
from collections.abc import AsyncIterator
from pathlib import Path
from uuid import uuid4

import asyncpg
import pytest

from tests.conftest import CARELESS, SECRETS
from tests.flow.conftest import World, inhabited
from ulak.base.db import Database
from ulak.base.embedded import embedded
from ulak.base.migrate import migrate
from ulak.flow.accept import Request

pytestmark = pytest.mark.slow

TOGETHER = 64
GROUPS = 10
BULK = 10_000
WRITTEN_TOGETHER = 500


@dataclasses.dataclass
class Meter:
    """Statements (BEGIN and COMMIT are none) and WAL since `start`."""

    connection: "asyncpg.Connection[asyncpg.Record]"
    calls: int = 0
    wal: int = 0

    async def start(self) -> None:
        """From here on."""
        self.calls, self.wal = await self._read()

    async def per(self, messages: int) -> tuple[float, float]:
        """(statements, bytes) for each of so many messages; and from here on again."""
        calls, wal = await self._read()
        cost = (calls - self.calls) / messages, (wal - self.wal) / messages
        await self.start()
        return cost

    async def _read(self) -> tuple[int, int]:
        row = await self.connection.fetchrow(
            "SELECT (SELECT coalesce(sum(calls), 0) FROM pg_stat_statements"
            "         WHERE query !~ 'pg_stat_statements')::bigint,"
            " pg_wal_lsn_diff(pg_current_wal_insert_lsn(), '0/0')::bigint"
        )
        assert row
        return row[0], row[1]


@pytest.fixture
async def alone(tmp_path: Path) -> AsyncIterator[tuple[World, Meter]]:
    """A world on a server that nobody else uses, and the meter at it."""
    async with embedded(tmp_path / "data", settings=CARELESS) as server:
        await migrate(server.dsn)
        db = await Database.open(server.dsn)
        db.secrets = SECRETS
        connection = await asyncpg.connect(server.dsn)
        try:
            async with inhabited(db) as world:
                yield world, Meter(connection)
        finally:
            await connection.close()
            await db.close()


def assert_cost(cost: tuple[float, float], statements: float, wal_bytes: float) -> None:
    """Not more than a tenth above these."""
    assert cost[0] <= statements * 1.1, "statements for each message"
    assert cost[1] <= wal_bytes * 1.1, "bytes of WAL for each message"


async def test_single_sends(alone: tuple[World, Meter]) -> None:
    world, meter = alone
    service = await world.service()
    customers = [await world.customer(1_000_000_000) for _ in range(4)]

    async def group() -> None:
        requests = [
            Request(customers[n % 4], service, [f"9055{n:08d}"], f"Your code is {n:06d}", "api", single=True)
            for n in range(TOGETHER)
        ]
        await asyncio.gather(*map(world.accept, requests))

    await group()  # what is remembered is read once
    await meter.start()
    for _ in range(GROUPS):
        await group()
    accepted = await meter.per(GROUPS * TOGETHER)
    refs = []
    for _ in range(GROUPS + 1):
        work = await world.lease(TOGETHER)
        refs.append(await world.take(*work))
    sent = await meter.per((GROUPS + 1) * TOGETHER)
    for some in refs:
        await world.receive(some)
    ended = await meter.per((GROUPS + 1) * TOGETHER)

    print("single sends, (statements, WAL bytes) each:", accepted, sent, ended)
    assert_cost(accepted, 1 / TOGETHER, 1503)
    assert_cost(sent, 6 / TOGETHER, 956)  # the lease, what is due, and what came of it
    assert_cost(ended, 4 / TOGETHER, 562)


async def test_a_bulk(alone: tuple[World, Meter]) -> None:
    world, meter = alone
    service, who = await world.service(), await world.customer(1_000_000_000_000)
    await world.send(who, service, to=2)
    await meter.start()
    await world.send(who, service, to=BULK)
    accepted = await meter.per(BULK)
    refs: list[str] = []
    while work := await world.lease(WRITTEN_TOGETHER, uuid4()):
        refs += await world.take(*work)
    sent = await meter.per(BULK)
    for first in range(0, len(refs), WRITTEN_TOGETHER):
        await world.receive(refs[first : first + WRITTEN_TOGETHER])
    ended = await meter.per(BULK)

    print("a bulk, (statements, WAL bytes) for each message:", accepted, sent, ended)
    assert_cost(accepted, 3 / BULK, 187)
    assert_cost(sent, 6 / WRITTEN_TOGETHER, 412)
    assert_cost(ended, 4.2 / WRITTEN_TOGETHER, 329)
