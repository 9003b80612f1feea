"""The sums of days against a plain GROUP BY of the same rows: any zone, whatever is gathered, late, open, paid back."""

import random
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from uuid import UUID, uuid4
from zoneinfo import ZoneInfo

import pytest

from tests.pace import few_fast
from tests.store.test_listing import new
from ulak.base.db import Database, write
from ulak.flow import summarised
from ulak.store import hours, sendings
from ulak.store.hours import Sums
from ulak.store.sendings import Move, NewSending

MIDNIGHT = datetime(2026, 3, 7, tzinfo=UTC)  # the clocks of New York change on the 8th
DAY = timedelta(days=1)
HOUR = timedelta(hours=1)
MS = timedelta(milliseconds=1)
DAYS = 4
ZONES = ["UTC", "Europe/Istanbul", "Asia/Kolkata", "Asia/Kathmandu", "America/New_York", "Pacific/Chatham"]

PLAIN = """
SELECT count(*), coalesce(sum(n_valid), 0), coalesce(sum(n_sent), 0), coalesce(sum(n_not_sent), 0),
       coalesce(sum(n_no_signal), 0), coalesce(sum(n_refunded), 0), coalesce(sum(total_cost), 0),
       coalesce(sum(total_refunded), 0)
  FROM sendings WHERE tenant_id = $1 AND created_at >= $2 AND created_at < $3"""


async def add(db: Database, *rows: NewSending) -> None:
    async with db.transaction() as tx:
        await write(tx, sendings.to_add(rows), sendings.to_tally(rows))


async def end(db: Database, row: NewSending, **moved: int) -> None:
    """Some of a sending's messages end."""
    ended = sum(moved.get(name, 0) for name in ("sent", "not_sent", "no_signal"))
    async with db.transaction() as tx:
        await sendings.count_on(
            tx, [Move(row.tenant_id, row.id, pending=-ended, **moved)], row.created_at + DAY
        )


async def days(db: Database, tenant: UUID, starts: Sequence[datetime]) -> list[Sums]:
    async with db.moment() as tx:
        return await hours.days(tx, tenant, starts)


async def assert_right(db: Database, tenant: UUID, starts: Sequence[datetime]) -> None:
    """The sums are those that a plain GROUP BY finds."""
    async with db.snapshot() as tx:
        found = await hours.days(tx, tenant, starts)
        plain = [
            Sums(*(await tx.fetchrow(PLAIN, tenant, first, last) or ())) for first, last in pairwise(starts)
        ]
    assert found == plain


async def gather(db: Database, tenant: UUID, day: datetime = MIDNIGHT, until: datetime | None = None) -> int:
    return await summarised.gather_day(db, tenant, day, until or day + DAY)


async def kept(db: Database) -> list[tuple[datetime, int, int]]:
    """What is gathered: an hour, its sendings, how many of them go on."""
    async with db.reading() as tx:
        rows = await tx.fetch(
            "SELECT starts, n_sendings, cardinality(open_ids) FROM hours ORDER BY tenant_id, starts"
        )
    return [(row[0], row[1], row[2]) for row in rows]


def some(dice: random.Random, tenants: Sequence[UUID]) -> NewSending:
    """A sending around the edges of hours and quarters, or anywhere."""
    edge = MIDNIGHT + dice.randrange(DAYS * 96) * timedelta(minutes=15) + dice.choice([-1, 0, 1]) * MS
    at = dice.choice([edge, MIDNIGHT + dice.randrange(DAYS * 86_400_000) * MS])
    n = dice.choice([1, 1, 3, 10])
    return new(dice.choice(tenants), at, dice.choice(["api", "panel"]), "x")._replace(
        n_valid=n, total_cost=n * dice.choice([0, 7, 12_345])
    )


class Sent:
    """Sendings that go on: how many of their messages have not ended."""

    def __init__(self, dice: random.Random) -> None:
        self.dice = dice
        self.left: dict[NewSending, int] = {}

    async def add(self, db: Database, rows: Sequence[NewSending]) -> None:
        await add(db, *rows)
        self.left |= {row: row.n_valid for row in rows}

    async def end_some(self, db: Database, share: float) -> None:
        """A part of them goes on, in part or to its end."""
        for row in [row for row in self.left if self.dice.random() < share]:
            ended = self.dice.choice([self.left[row], self.dice.randint(1, self.left[row])])
            status = self.dice.choice(["sent", "sent", "not_sent", "no_signal"])
            refunded = 0 if status == "sent" else self.dice.randint(0, ended)
            amount = refunded * row.total_cost // row.n_valid
            await end(db, row, **{status: ended, "refunded": refunded, "amount_refunded": amount})
            self.left[row] -= ended
            if not self.left[row]:
                del self.left[row]


def starts_in(zone: str) -> list[datetime]:
    """Midnights of a zone."""
    first = datetime(2026, 3, 6, tzinfo=ZoneInfo(zone))
    return [first + timedelta(days=n) for n in range(DAYS + 3)]


@pytest.mark.parametrize("seed", few_fast(range(3), 1))
async def test_sums_are_what_counting_finds(db: Database, seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    dice = random.Random(seed)
    monkeypatch.setattr(hours, "OPEN_MAX", 3)  # so that some hours are left out
    tenant, other = uuid4(), uuid4()
    sent = Sent(dice)
    for _ in range(12):
        await sent.add(db, [some(dice, [tenant, tenant, tenant, other]) for _ in range(60)])
        for _ in range(2):
            await sent.end_some(db, 0.6)
            day = MIDNIGHT + dice.randrange(-1, DAYS) * DAY
            await gather(db, tenant, day, day + dice.choice([HOUR, 7.5 * HOUR, DAY]))
            for zone in ZONES:
                await assert_right(db, tenant, starts_in(zone))
            moments = sorted({some(dice, [tenant]).created_at for _ in range(6)})
            await assert_right(db, tenant, moments)
    assert await kept(db)


@pytest.mark.parametrize("zone", few_fast(ZONES, 3))
async def test_what_is_gathered_and_what_is_not_are_summed_alike(db: Database, zone: str) -> None:
    dice, tenant = random.Random(7), uuid4()
    sent = Sent(dice)
    await sent.add(db, [some(dice, [tenant]) for _ in range(300)])
    await sent.end_some(db, 0.8)
    before = await days(db, tenant, starts_in(zone))
    for n in range(-1, DAYS):
        await gather(db, tenant, MIDNIGHT + n * DAY)

    assert await days(db, tenant, starts_in(zone)) == before
    assert sum(its.n_sendings for its in before) == 300
    assert any(its.n_open for its in before)
    assert all(its.n_valid == its.n_sent + its.n_failed + its.n_open for its in before)


async def test_completed_sendings_of_gathered_hours_are_not_read_again(db: Database) -> None:
    tenant = uuid4()
    rows = [new(tenant, MIDNIGHT + n * HOUR, "api", "x") for n in range(24)]
    await add(db, *rows)
    for row in rows:
        await end(db, row, sent=1)
    assert await gather(db, tenant) == 24
    async with db.transaction() as tx:
        await tx.execute("DELETE FROM sendings")

    assert await days(db, tenant, [MIDNIGHT, MIDNIGHT + DAY]) == [Sums(24, 24, 24, 0, 0, 0, 24, 0)]


async def test_late_receipts_count_at_once_and_are_gathered_when_half_have_come(db: Database) -> None:
    tenant = uuid4()
    rows = [new(tenant, MIDNIGHT + n * MS, "api", "x") for n in range(9)]
    await add(db, *rows)
    await end(db, rows[8], sent=1)
    assert await gather(db, tenant) == 1
    assert await kept(db) == [(MIDNIGHT, 9, 8)]
    seen = []
    for n, row in enumerate(rows[:8]):
        moved = {"sent": 1} if n % 2 else {"not_sent": 1, "refunded": 1, "amount_refunded": 1}
        await end(db, row, **moved)
        await assert_right(db, tenant, [MIDNIGHT, MIDNIGHT + DAY])
        if await gather(db, tenant):
            seen.append(await kept(db))
        await assert_right(db, tenant, [MIDNIGHT, MIDNIGHT + DAY])

    assert seen == [[(MIDNIGHT, 9, n)] for n in (4, 2, 1, 0)]


async def test_one_that_comes_late_counts_at_once_and_its_hour_is_gathered_anew(db: Database) -> None:
    tenant = uuid4()
    row, late = (new(tenant, MIDNIGHT, "api", "x") for _ in range(2))
    for one in (row, late):
        await add(db, one)
        await end(db, one, sent=1)
        await assert_right(db, tenant, [MIDNIGHT, MIDNIGHT + DAY])
        assert await gather(db, tenant) == 1

    assert await kept(db) == [(MIDNIGHT, 2, 0)]
    await assert_right(db, tenant, [MIDNIGHT, MIDNIGHT + DAY])


async def test_an_hour_of_which_much_goes_on_is_left_out(
    db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hours, "OPEN_MAX", 1)
    tenant = uuid4()
    rows = [new(tenant, MIDNIGHT, "api", "x") for _ in range(2)]
    await add(db, *rows)
    async with db.transaction() as tx:
        assert not await hours.gather(tx, tenant, MIDNIGHT)
    assert await gather(db, tenant) == 0
    await end(db, rows[0], sent=1)

    assert await gather(db, tenant) == 1


async def test_an_hour_that_is_not_over_is_left_out(db: Database) -> None:
    tenant = uuid4()
    await add(db, *(new(tenant, MIDNIGHT + n * HOUR, "api", "x") for n in (-1, 0, 1, 2)))

    await gather(db, tenant, until=MIDNIGHT + 2 * HOUR - MS)

    assert [hour for hour, _, _ in await kept(db)] == [MIDNIGHT]


async def test_whoever_saw_less_changes_nothing(db: Database) -> None:
    """As a second courier whose transaction saw an earlier moment, but comes last."""
    tenant = uuid4()
    rows = [new(tenant, MIDNIGHT, "api", "x") for _ in range(2)]
    await add(db, *rows)
    await end(db, rows[0], sent=1)
    await gather(db, tenant)
    async with db.transaction() as tx:
        await tx.execute("DELETE FROM sendings WHERE id = $1", rows[0].id)
        assert not await hours.gather(tx, tenant, MIDNIGHT)

    assert await kept(db) == [(MIDNIGHT, 2, 1)]


async def test_of_nothing_the_sums_are_none(db: Database) -> None:
    assert await days(db, uuid4(), [MIDNIGHT, MIDNIGHT + DAY, MIDNIGHT + 2 * DAY]) == [Sums(), Sums()]
    async with db.transaction() as tx:
        assert not await hours.gather(tx, uuid4(), MIDNIGHT)
