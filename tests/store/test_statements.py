"""Statements against a plain window function over the same ledger: any page, any filter, closed or not."""

import asyncio
import random
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import asyncpg
import pytest

from tests.pace import few_fast
from ulak.base.db import Database
from ulak.flow import closing
from ulak.store import closings, everyone, statements
from ulak.store.credits import FUNDING, SALES
from ulak.store.statements import KINDS, Entry, Kind, Known, Which

START = datetime(2026, 3, 10, tzinfo=UTC)
MS = timedelta(milliseconds=1)

WRITE = """
INSERT INTO transfers (tenant_id, kind, debit, credit, amount, sending_id, position, actor, note, created_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)"""
BALANCES = """
INSERT INTO credits (tenant_id, owner_id, balance)
SELECT tenant_id, owner_id, sum(amount) FROM (
       SELECT tenant_id, debit AS owner_id, -amount AS amount FROM transfers
        UNION ALL SELECT tenant_id, credit, amount FROM transfers) m
 WHERE owner_id <> ALL($1::uuid[]) GROUP BY 1, 2
    ON CONFLICT (tenant_id, owner_id) DO UPDATE SET balance = excluded.balance"""


class Ledger:
    """Several tenants' transfers, written in one order, some of them much rarer than others."""

    def __init__(self, db: Database, seed: int) -> None:
        self.db = db
        self.chance = random.Random(seed)
        self.pool = uuid4()
        self.user = uuid4()
        self.members = [uuid4(), uuid4(), uuid4()]
        self.accounts = [(self.user, self.user), (self.pool, self.pool)]
        self.accounts += [(self.pool, member) for member in self.members]
        self.at = START

    def _one(self) -> tuple[Any, ...]:
        """A transfer; times go back now and then."""
        chance = self.chance
        self.at += timedelta(milliseconds=chance.randrange(2000))
        at = self.at - timedelta(seconds=chance.choice((0, 0, 0, 5)))
        tenant, owner = chance.choices(self.accounts, weights=(20, 1, 20, 10, 1))[0]
        if tenant == owner == self.pool and chance.random() < 0.6:
            sides = chance.sample((self.pool, chance.choice(self.members)), 2)
            return tenant, "handout", *sides, chance.randrange(1, 9), None, None, "operator:ayse", None, at
        kind = chance.choices(KINDS, weights=(2, 1, 0, 20, 5))[0]
        amount = 1_000_000 if kind == "topup" else chance.randrange(1, 9)
        sides = {
            "topup": (FUNDING, owner),
            "correction": (owner, FUNDING),
            "charge": (owner, SALES),
            "refund": (SALES, owner),
        }[kind]
        sending = uuid4() if kind in ("charge", "refund") else None
        position = chance.randrange(9) if kind == "refund" else None
        return tenant, kind, *sides, amount, sending, position, None, chance.choice((None, "not'e")), at

    async def grow(self, n: int) -> None:
        """So many more, and the balances that go with them; each account begins with enough."""
        first = [
            (tenant, "topup", FUNDING, owner, 10**6, None, None, "x", None, self.at)
            for tenant, owner in self.accounts
        ]
        async with self.db.transaction() as tx:
            await tx.executemany(WRITE, first + [self._one() for _ in range(n)])
            await tx.execute(BALANCES, [FUNDING, SALES])

    async def close(self) -> None:
        """Close what there is."""
        async with self.db.reading() as tx:
            last = (await closings.horizon(tx)).last_id
        for tenant in (self.user, self.pool):
            await closing.close_tenant(self.db, tenant, last)

    async def plain(self, account: tuple[UUID, UUID]) -> list[Entry]:
        """Every entry, oldest first, said as simply as SQL can."""
        query = """
        SELECT id, created_at, kind, signed, (sum(signed) OVER (ORDER BY id))::bigint, other, sending_id, position,
               actor, note
          FROM (SELECT *, CASE WHEN credit = $2 THEN amount ELSE -amount END AS signed,
                       CASE WHEN credit = $2 THEN debit ELSE credit END AS other
                  FROM transfers WHERE tenant_id = $1 AND $2 IN (debit, credit)) t ORDER BY id"""
        async with self.db.reading() as tx:
            return [Entry(*row) for row in await tx.fetch(query, *account)]

    def filter(self, account: tuple[UUID, UUID], entries: Sequence[Entry]) -> Which:
        """Any filter; dates often at exactly the time of an entry, or a millisecond beside it."""
        chance = self.chance

        def date() -> datetime | None:
            if not entries or chance.random() < 0.5:
                return None
            return chance.choice(entries).at + chance.choice((-1, 0, 0, 1)) * MS

        kinds: frozenset[Kind] | None = frozenset(chance.sample(KINDS, chance.randrange(1, 4)))
        return Which(account, date(), date(), kinds if chance.random() < 0.6 else None)


def matching(entries: Sequence[Entry], which: Which) -> list[Entry]:
    return [
        entry
        for entry in entries
        if (which.kinds is None or entry.kind in which.kinds)
        and (which.starts is None or entry.at >= which.starts)
        and (which.ends is None or entry.at <= which.ends)
    ]


async def compare(ledger: Ledger) -> None:
    """Many pages of every account, in both directions."""
    for account in ledger.accounts:
        entries = await ledger.plain(account)
        for _ in range(12):
            which = ledger.filter(account, entries)
            right = matching(entries, which)
            than = ledger.chance.choice([0, 1, 2**63 - 1, *(one.id for one in entries)])
            known_at = ledger.chance.choice([one for one in entries if one.id <= than] or [None])
            known = Known(known_at.id, known_at.balance) if known_at else None
            last = ledger.chance.choice([2**63 - 1, *(one.id for one in entries)])
            n = ledger.chance.choice((1, 3, 20, 1000))
            async with ledger.db.moment() as tx:
                assert await statements.older(tx, which, None, n) == right[::-1][:n]
                older = await statements.older(tx, which, than, n)
                newer = await statements.newer(tx, which, than, n, last=last, known=known)
            assert older == [one for one in reversed(right) if one.id < than][:n]
            assert newer == [one for one in right if than < one.id <= last][:n]


@pytest.fixture
def short(monkeypatch: pytest.MonkeyPatch) -> None:
    """Stretches so short that a small ledger has many."""
    monkeypatch.setattr(closing, "STRETCH_ROWS", 7)


@pytest.mark.usefixtures("short")
@pytest.mark.parametrize("seed", few_fast(range(6), 1))
async def test_pages_are_those_of_a_plain_window_function(db: Database, seed: int) -> None:
    ledger = Ledger(db, seed)
    await compare(ledger)
    await ledger.grow(60)
    await compare(ledger)
    await ledger.close()
    await compare(ledger)
    await ledger.grow(150)
    await compare(ledger)
    await ledger.close()
    await ledger.grow(3)
    await compare(ledger)
    async with db.snapshot() as tx:
        assert (await everyone.prove(tx, "SELECT count(*) FROM closings", everyone.CLOSINGS, 10))[1] == []


@pytest.mark.usefixtures("short")
async def test_a_credit_that_is_not_there_has_no_entries(db: Database) -> None:
    ledger = Ledger(db, 1)
    await ledger.grow(40)
    await ledger.close()

    for account in ((uuid4(), uuid4()), (ledger.user, ledger.members[0]), (ledger.members[0], ledger.user)):
        async with db.moment() as tx:
            assert await statements.older(tx, Which(account), None, 10) == []
            assert await statements.newer(tx, Which(account), 0, 10) == []


@pytest.mark.usefixtures("short")
async def test_a_page_reads_what_is_near_it_and_nothing_else(db: Database) -> None:
    """However long the ledger is; counted by PostgreSQL, since seconds differ."""
    ledger = Ledger(db, 3)
    await ledger.grow(3000)
    while (await ledger.plain((ledger.user, ledger.user)))[-1].id - await closed_to(db, ledger.user) > 100:
        await ledger.close()
    entries = await ledger.plain((ledger.user, ledger.user))
    middle = entries[len(entries) // 2].id
    which = Which((ledger.user, ledger.user))

    async with db.moment() as tx:
        stretch = await closings.before(tx, which.account, None, (None, None), middle - 1)
        assert stretch
        values = (
            *which.account,
            stretch.after_id,
            stretch.last_id,
            stretch.closing,
            middle,
            None,
            None,
            None,
            5,
        )
        plan = await tx.fetch(f"EXPLAIN (ANALYZE, TIMING OFF) {statements.DOWN}", *values)

    assert max(read_rows(plan)) <= 7
    assert not [line for (line,) in plan if "Seq Scan" in line or "Sort" in line]


def read_rows(plan: Sequence[asyncpg.Record]) -> list[int]:
    """How many rows each step of a plan gave."""
    return [
        int(float(line.split("(actual rows=")[1].split()[0])) for (line,) in plan if "(actual rows=" in line
    ]


async def closed_to(db: Database, tenant_id: UUID) -> int:
    async with db.reading() as tx:
        return await closings.closed_to(tx, tenant_id)


@pytest.mark.usefixtures("short")
async def test_two_couriers_close_each_stretch_once(db: Database) -> None:
    ledger = Ledger(db, 4)
    await ledger.grow(400)

    await asyncio.gather(*(ledger.close() for _ in range(6)))

    await compare(ledger)
    async with db.snapshot() as tx:
        differing = await tx.fetch(
            "SELECT FROM closings GROUP BY tenant_id, owner_id, after_id HAVING count(*) > 1"
        )
    assert differing == []
