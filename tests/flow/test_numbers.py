"""The index by number: full ranges are summarised, the others are read; nothing is ever missed, nobody waits."""

import asyncio
from uuid import UUID, uuid4

import pytest

from ulak.base.db import Database
from ulak.flow import numbers as numbering
from ulak.flow.numbers import DISTANCE_PAGES, Numbering
from ulak.rules import ids
from ulak.store import everyone, numbers

N = 40_000
FILL = """
INSERT INTO messages (tenant_id, sending_id, position, recipient, price)
SELECT $1, $2, k, 905000000000 + (k * 7919::bigint) % 5000, 1 FROM generate_series($3::int, $4::int - 1) k"""


async def fill(db: Database, sending: UUID, first: int, end: int) -> None:
    async with db.transaction() as tx:
        await tx.execute(FILL, sending, sending, first, end)


async def found(db: Database, number: int) -> int:
    async with db.reading() as tx:
        n: int = await tx.fetchval("SELECT count(*) FROM messages WHERE recipient = $1", number)
    return n


async def summarised(db: Database, ranges: int) -> int:
    """How many of the first ranges were not summarised until now."""
    async with db.transaction() as tx:
        n = await numbers.summarise(tx, 0, ranges)
    assert n is not None
    return n


async def test_what_is_full_is_summarised_and_everything_is_found(
    db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(numbering, "RANGES_MAX", 3)
    sending, its = ids.new_id(), Numbering(db)
    await fill(db, sending, 0, N // 2)
    rounds = 1
    while await its.some():
        rounds += 1
    await fill(db, sending, N // 2, N)  # some into the last ranges, which are not summarised yet
    async with db.reading() as tx:
        pages = await numbers.pages(tx)
    while await its.some():
        rounds += 1

    assert rounds > 3
    full = (pages - DISTANCE_PAGES) // numbers.PAGES_PER_RANGE
    assert full > 3
    assert await summarised(db, full) == 0
    assert await summarised(db, full + 1) == 1
    for number in (905000000000, 905000000001, 905000004999):
        assert await found(db, number) == N // 5000
    assert await found(db, 905000005000) == 0


async def test_the_index_is_used_whatever_the_statistics(db: Database) -> None:
    async with db.reading() as tx:
        plan = "\n".join(row[0] for row in await tx.fetch(f"EXPLAIN {everyone.TO_NUMBER}", 1, 100))

    assert "Bitmap Index Scan on messages_recipient" in plan
    assert "Seq Scan" not in plan


async def test_while_somebody_else_is_at_work_on_the_table_it_waits_for_the_next_round(db: Database) -> None:
    await fill(db, uuid4(), 0, N)
    its = Numbering(db)
    async with db.transaction() as tx:
        await tx.execute("LOCK TABLE messages IN SHARE UPDATE EXCLUSIVE MODE")
        async with asyncio.timeout(5):
            assert await its.some() is False

    assert await its.some() is False
    assert await summarised(db, 3) == 0


async def test_messages_are_accepted_while_it_is_at_work(db: Database) -> None:
    await fill(db, uuid4(), 0, N)
    async with db.transaction() as tx:
        assert await numbers.summarise(tx, 0, 3) == 3
        async with asyncio.timeout(5):
            await fill(db, uuid4(), 0, 10)


async def test_a_table_that_became_smaller_is_begun_anew(db: Database) -> None:
    its = Numbering(db)
    await fill(db, uuid4(), 0, N)
    await its.some()
    async with db.transaction() as tx:
        await tx.execute("TRUNCATE messages")
    assert await its.some() is False
    await fill(db, uuid4(), 0, N)
    await its.some()

    assert await summarised(db, 3) == 0
