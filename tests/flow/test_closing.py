"""Closing the ledger: at a distance, and never over a transfer that may still turn up."""

import asyncio
from datetime import timedelta
from uuid import UUID, uuid4

import pytest

from tests.flow.conftest import USD, World
from ulak.admin import audit
from ulak.base.db import Database
from ulak.flow import closing
from ulak.flow.accept import now
from ulak.flow.closing import DISTANCE, Closing
from ulak.rules.tenancy import Context
from ulak.store import closings, everyone, users

ROWS = 5


@pytest.fixture(autouse=True)
def short(monkeypatch: pytest.MonkeyPatch) -> None:
    """Stretches of a few transfers."""
    monkeypatch.setattr(closing, "STRETCH_ROWS", ROWS)


async def customer(world: World) -> Context:
    """A user with credit, as the courier finds them."""
    who = Context(uuid4())
    async with world.db.transaction() as tx:
        await users.add(tx, who.user_id, f"u{who.user_id}", "u@example.com", None)
    await world.fund(who, 10**6 * USD)
    return who


async def closed_to(db: Database, tenant_id: UUID) -> int:
    async with db.reading() as tx:
        return await closings.closed_to(tx, tenant_id)


async def assert_clean(db: Database) -> None:
    assert [one for proof in [p async for p in audit.prove(db)] for one in proof.differences] == []


async def send(world: World, who: Context, n: int) -> None:
    service = await world.service()
    for _ in range(n):
        await world.send(who, service)


async def test_what_was_there_a_minute_ago_is_closed_and_no_more(world: World) -> None:
    who, at = await customer(world), now()
    ledgers = Closing(world.db)
    await send(world, who, 12)
    await ledgers.round(at)
    await send(world, who, 40)

    await ledgers.round(at + DISTANCE - timedelta(milliseconds=1))
    assert await closed_to(world.db, who.tenant_id) == 0

    for _ in range(500):  # whoever else writes on this server at this moment is waited for
        while await ledgers.round(at + DISTANCE):
            pass
        if await closed_to(world.db, who.tenant_id):
            break
        await asyncio.sleep(0.01)
    assert await world.count("transfers") == 53
    assert await world.count("transfers", f"id <= {await closed_to(world.db, who.tenant_id)}") == 2 * ROWS
    await assert_clean(world.db)


async def test_a_transfer_that_commits_late_is_waited_for(world: World) -> None:
    who, at = await customer(world), now()
    other = await customer(world)
    ledgers = Closing(world.db)
    service = await world.service()
    async with world.db.transaction() as late:
        await late.execute(
            "INSERT INTO transfers (tenant_id, kind, debit, credit, amount) "
            "SELECT tenant_id, 'topup', debit, credit, 1 FROM transfers WHERE tenant_id = $1",
            who.tenant_id,
        )
        await late.execute("UPDATE credits SET balance = balance + 1 WHERE tenant_id = $1", who.tenant_id)
        for _ in range(12):
            await world.send(other, service)
        await ledgers.round(at)
        assert not await ledgers.round(at + 10 * DISTANCE)
        assert await world.count("closings") == 0
    await send(world, who, 12)

    tenants = who.tenant_id, other.tenant_id
    for n in range(20, 520):  # whoever else writes on this server at this moment is waited for as well
        while await ledgers.round(at + n * DISTANCE):
            pass
        if all([await closed_to(world.db, tenant) > 0 for tenant in tenants]):
            break
        await asyncio.sleep(0.01)

    assert [await closed_to(world.db, tenant) > 0 for tenant in tenants] == [True, True]
    await assert_clean(world.db)


async def test_only_whole_stretches_are_closed_and_a_full_load_asks_for_more(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(closing, "STRETCHES_MAX", 2)
    who = await customer(world)
    await send(world, who, 5 * ROWS + 3)
    async with world.db.reading() as tx:
        last = (await closings.horizon(tx)).last_id

    rounds = [await closing.close(world.db, last) for _ in range(4)]

    assert rounds == [True, True, False, False]
    assert await world.count("closings") == 5
    await assert_clean(world.db)


async def test_thrown_away_they_are_written_anew(world: World) -> None:
    who = await customer(world)
    await send(world, who, 3 * ROWS)
    async with world.db.reading() as tx:
        last = (await closings.horizon(tx)).last_id
    await closing.close(world.db, last)
    async with world.db.reading() as tx:
        before = await tx.fetch("TABLE closings")
    async with world.db.transaction() as tx:
        await tx.execute("TRUNCATE closings, closed")

    await closing.close(world.db, last)

    async with world.db.reading() as tx:
        assert await tx.fetch("TABLE closings") == before


@pytest.mark.parametrize(
    ("statement", "what"),
    [
        ("UPDATE closings SET closing = closing + 1", "closing"),
        ("UPDATE closings SET opening = opening + 1, closing = closing + 1", "closing"),
        ("UPDATE closings SET n = n + 1", "closing"),
        ("DELETE FROM closings WHERE last_id = (SELECT max(last_id) FROM closings)", "closed"),
        ("DELETE FROM closings WHERE last_id = (SELECT min(last_id) FROM closings)", "closing"),
        ("DELETE FROM closed", "closed"),
        ("UPDATE closed SET last_id = last_id + 1", "closed"),
    ],
)
async def test_closings_that_are_not_the_ledgers_are_found(world: World, statement: str, what: str) -> None:
    who = await customer(world)
    await send(world, who, 3 * ROWS)
    async with world.db.reading() as tx:
        last = (await closings.horizon(tx)).last_id
    await closing.close(world.db, last)
    await assert_clean(world.db)
    async with world.db.transaction() as tx:
        await tx.execute(statement)

    async with world.db.snapshot() as tx:
        _, found = await everyone.prove(tx, "SELECT 1", everyone.CLOSINGS, 10)

    assert what in {one.what for one in found}
