"""Lists of sendings against a naive count of the same rows: any filter, any page, at every edge of minutes and days."""

import asyncio
import random
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import pytest

from tests.flow.conftest import World, world
from tests.pace import few_fast
from ulak.base.db import Database, write
from ulak.flow import searchable
from ulak.rules import ids, stretches
from ulak.rules.text import fold
from ulak.store import blocks, listing, sendings
from ulak.store.listing import Filter
from ulak.store.sendings import NewSending

__all__ = ["world"]  # the fixture

MIDNIGHT = datetime(2026, 3, 10, tzinfo=UTC)
MS = timedelta(milliseconds=1)
#: Where things go wrong if they do: around midnights and minutes, and many in one millisecond.
EDGES = [
    MIDNIGHT + timedelta(days=day, minutes=minute) + off * MS
    for day in (0, 1, 2, 9)
    for minute in (0, 1, 2, 1439)
    for off in (-1, 0, 1)
]
TEXTS = [
    "Kodunuz: 123456",
    "KAMPANYA %50 başladı",
    "Sayın İpek Işık, a_b",
    "aaa kısa a",
    "x",
    "\x01a\x02\n",
    "12312",
]


def new(tenant: UUID, at: datetime, source: sendings.Source, text: str) -> NewSending:
    return NewSending(
        tenant_id=tenant,
        id=ids.new_id(stretches.milliseconds(at)),
        user_id=tenant,
        owner_id=tenant,
        service_id=tenant,
        source=source,
        text=text,
        search_text=fold(text),
        sender=None,
        unit_price=1,
        refund_not_sent=True,
        refund_no_signal=True,
        resend_unsure=True,
        n_valid=1,
        n_invalid=0,
        total_cost=1,
        created_at=at,
        expires_at=at + timedelta(days=1),
    )


async def keep(db: Database, rows: Sequence[NewSending], completed: set[UUID]) -> None:
    for first in range(0, len(rows), 50):
        async with db.transaction() as tx:
            new = rows[first : first + 50]
            await write(tx, sendings.to_add(new), sendings.to_tally(new))
    moves = [sendings.Move(row.tenant_id, row.id, pending=-1, sent=1) for row in rows if row.id in completed]
    async with db.transaction() as tx:
        await sendings.count_on(tx, moves, MIDNIGHT + timedelta(days=30))


def naive(rows: Sequence[NewSending], completed: set[UUID], which: Filter) -> list[UUID]:
    found = [
        row
        for row in rows
        if (which.starts is None or row.created_at >= which.starts)
        and (which.ends is None or row.created_at <= which.ends)
        and which.completed in (None, row.id in completed)
        and which.search in row.search_text
        and which.source in (None, row.source)
    ]
    return [row.id for row in sorted(found, key=lambda row: (row.created_at, row.id), reverse=True)]


def some_filter(dice: random.Random) -> Filter:
    def edge() -> datetime | None:
        off = dice.choice([0, 0, 1, -1, 0.5, 30_000])
        return dice.choice([None, dice.choice(EDGES) + off * MS])

    return Filter(
        starts=edge(),
        ends=edge(),
        completed=dice.choice([None, True, False]),
        search=dice.choice(
            ["", "", "", "a", "aa", "123", "%5", "a_b", "ışık", "kampanya", "yok böyle", "\x01a", "\n"]
        ),
        source=dice.choice([None, "api", "panel"]),
    )


async def compare(
    db: Database, rows: Sequence[NewSending], completed: set[UUID], which: Filter, offset: int, limit: int
) -> None:
    tenant = rows[0].tenant_id
    async with db.moment() as tx:
        found, total = await listing.page(tx, tenant, which, offset=offset, limit=limit)
    expected = naive(rows, completed, which)
    assert total == len(expected), which
    assert [row.id for row in found] == expected[offset : offset + limit], (which, offset, limit)
    assert all((row.completed_at is not None) == (row.id in completed) for row in found)


@pytest.mark.parametrize("seed", few_fast(range(3), 1))
async def test_every_page_is_what_counting_by_hand_finds(
    db: Database, seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    dice = random.Random(seed)
    monkeypatch.setattr(listing, "NEAR_MAX", 3)  # so that the way by the tallies is taken
    tenant, other = uuid4(), uuid4()
    rows = [
        new(
            dice.choice([tenant, tenant, other]),
            dice.choice([dice.choice(EDGES), MIDNIGHT + dice.randrange(10 * stretches.DAY) * MS]),
            dice.choice(["api", "api", "panel"]),
            dice.choice(TEXTS),
        )
        for _ in range(400)
    ]
    completed = {row.id for row in rows if dice.random() < 0.7}
    await keep(db, rows, completed)
    own = [row for row in rows if row.tenant_id == tenant]
    late = [new(tenant, dice.choice(EDGES), "api", dice.choice(TEXTS)) for _ in range(10)]
    monkeypatch.setattr(searchable, "ROWS_MAX", 25)
    monkeypatch.setattr(
        blocks, "SIGNED_MIN", dice.choice([0, 20])
    )  # so that small blocks have signatures too

    for round_ in range(400):
        if (
            round_ % 40 == 0
        ):  # more and more is gathered, some of it in part; what comes late is found all the same
            day = MIDNIGHT + timedelta(days=dice.randrange(-1, 10))
            await searchable.gather_day(db, tenant, day, day + dice.choice([1, 0.5]) * timedelta(days=1))
            own.append(late.pop())
            await keep(db, own[-1:], completed)
        which = replace(some_filter(dice))
        which = replace(which, search=fold(which.search))
        limit = dice.choice([1, 2, 10, 1000])
        await compare(db, own, completed, which, limit * dice.randrange(0, 1 + len(own) // limit), limit)


@pytest.mark.parametrize("completed", [None, True, False])
@pytest.mark.parametrize("source", [None, "api", "panel"])
async def test_pages_in_a_row_are_the_whole_list(
    db: Database, completed: bool | None, source: sendings.Source | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(listing, "NEAR_MAX", 0)
    dice, tenant = random.Random(7), uuid4()
    rows = [new(tenant, dice.choice(EDGES), dice.choice(["api", "panel"]), "x") for _ in range(200)]
    done = {row.id for row in rows if dice.random() < 0.5}
    await keep(db, rows, done)
    which = Filter(completed=completed, source=source)

    seen = []
    for offset in range(0, 250, 10):
        async with db.moment() as tx:
            seen += [row.id for row in (await listing.page(tx, tenant, which, offset=offset, limit=10))[0]]

    assert seen == naive(rows, done, which)


@pytest.mark.parametrize("late", [False, True])
async def test_everything_gathered_is_found_in_blocks(db: Database, late: bool) -> None:
    """Blocks and days add up, also where one came late; what nobody could find in rows any more is found in blocks."""
    tenant = uuid4()
    rows = [new(tenant, at, "api", text) for at in EDGES for text in TEXTS[:2]]
    await keep(db, rows, set())
    days = {row.created_at.replace(hour=0, minute=0, second=0, microsecond=0) for row in rows}
    for _ in range(2):
        for day in days:
            while await searchable.gather_day(db, tenant, day, day + timedelta(days=1)):
                pass
        if late:
            rows += [new(tenant, MIDNIGHT + 5 * MS, "api", TEXTS[0])]
            await keep(db, rows[-1:], set())
    if late:
        await searchable.gather_day(db, tenant, MIDNIGHT, MIDNIGHT + timedelta(days=1))
    async with db.transaction() as tx:
        [blocks, held] = await tx.fetchrow("SELECT count(*), sum(cardinality(ids)) FROM search_blocks") or (
            0,
            0,
        )
        await tx.execute("UPDATE sendings SET search_text = ''")
    assert (held, blocks < len(rows)) == (len(rows), True)

    async with db.moment() as tx:
        _, total = await listing.page(tx, tenant, Filter(search="kodunuz"), offset=0, limit=10)

    assert total == sum(row.text == TEXTS[0] for row in rows)


async def test_a_page_past_the_end_is_empty(db: Database) -> None:
    row = new(uuid4(), MIDNIGHT, "api", "x")
    await keep(db, [row], set())

    for which in (Filter(), Filter(completed=True), Filter(completed=False), Filter(search="x")):
        await compare(db, [row], set(), which, 2**62, 10)


async def test_totals_are_exact_while_sendings_come_and_go(world: World) -> None:
    """At each moment the list says what counting would say, though others accept and complete all the time."""
    service = await world.service()
    who = await world.customer(1000 * 1_000_000)
    filters = [Filter(completed=completed) for completed in (None, True, False)]

    async def busy() -> None:
        for _ in range(8):
            await asyncio.gather(*(world.send(who, service) for _ in range(5)))
            await world.receive(await world.take(*(await world.lease())[:3]))

    working = asyncio.gather(busy(), busy())
    while not working.done():
        async with world.db.moment() as tx:
            for which in filters:
                rows, total = await listing.page(tx, who.tenant_id, which, offset=0, limit=1000)
                matching = await tx.fetchval(
                    "SELECT count(*) FROM sendings WHERE $1::bool IS NULL OR (completed_at IS NOT NULL) = $1",
                    which.completed,
                )
                assert (total, len(rows)) == (matching, matching)
        await asyncio.sleep(0)
    await working
    assert await world.count("sendings") == 80


async def test_an_accepted_sending_has_the_time_of_its_id(world: World) -> None:
    who = await world.customer()
    sending = await world.sending(who, await world.send(who, await world.service()))

    assert sending.id.int >> 80 == stretches.milliseconds(sending.created_at)
