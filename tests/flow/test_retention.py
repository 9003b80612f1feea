"""Retention: what is erased, what stays, and that nothing that gathers texts brings one back."""

from datetime import datetime, timedelta

import pytest

from tests.flow.conftest import World
from tests.flow.test_searchable import customer
from ulak.admin import audit
from ulak.flow import retention, searchable, sweep
from ulak.flow.accept import Request, now
from ulak.rules.status import Status
from ulak.rules.stretches import EPOCH
from ulak.rules.tenancy import Context
from ulak.rules.text import ERASED
from ulak.store import listing
from ulak.store.listing import Filter

DAYS = 30
SECRET = "merhaba"
#: Everything that a text or a number of ours may stand in.
TELLING = (
    "sendings",
    "messages",
    "search_blocks",
    "drafts",
    "submits",
    "receipts",
    "incidents",
    "idempotency",
)
#: What is counted and paid: every column of it stays.
COUNTED = {
    "sendings": "s.id, s.n_valid, s.n_sent, s.n_not_sent, s.n_refunded, s.total_cost, s.total_refunded, s.created_at",
    "messages": "s.sending_id, s.position, s.status, s.price, s.refunded, s.ended_at, s.network, s.carrier_id",
    "transfers": "s.*",
    "credits": "s.*",
    "tallies": "s.*",
}


def later(days: float) -> datetime:
    return now() + timedelta(days=days)


async def erased(world: World, at: datetime, days: int = DAYS) -> None:
    """As the courier does it."""
    while await retention.erase(world.db, at, days=days):
        pass
    while await sweep.old_records(world.db, at, receipt_hours=96, history_days=days):
        pass


async def where_it_stands(world: World, what: str) -> set[str]:
    """The tables in which a text can be found, whatever the column."""
    found = set()
    async with world.db.reading() as tx:
        for table in TELLING:
            if await tx.fetchval(f"SELECT count(*) FROM {table} t WHERE t::text LIKE '%{what}%'"):
                found.add(table)
    return found


async def counted(world: World) -> dict[str, list[str]]:
    async with world.db.reading() as tx:
        return {
            table: sorted(row[0] for row in await tx.fetch(f"SELECT ({columns})::text FROM {table} s"))
            if "*" not in columns
            else sorted(row[0] for row in await tx.fetch(f"SELECT s::text FROM {table} s"))
            for table, columns in COUNTED.items()
        }


async def proved(world: World) -> None:
    assert [found for proof in [p async for p in audit.prove(world.db)] for found in proof.differences] == []


async def found(world: World, who: Context, search: str) -> int:
    async with world.db.moment() as tx:
        return (await listing.page(tx, who.tenant_id, Filter(search=search), offset=0, limit=10))[1]


async def ended(world: World, who: Context) -> None:
    """Somebody sent to three, with a text for all and with one for each; one failed and was refunded."""
    service = await world.service()
    await world.send(who, service, to=3, text=f"{SECRET} 1")
    each = Request(
        who, service, [f"90555000000{n}" for n in range(3)], [f"{SECRET} {n}" for n in range(3)], "api"
    )
    await world.accept(each)
    refs = await world.take(*await world.lease())
    await world.receive(refs[:-1])
    await world.receive(refs[-1:], Status.NOT_SENT)


async def test_texts_and_numbers_go_and_the_books_stay(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retention, "MESSAGES_MAX", 2)  # rounds end within sendings
    who = await customer(world)
    await ended(world, who)
    await searchable.gather(world.db, later(2), since=EPOCH)
    before = await counted(world)
    assert await found(world, who, SECRET) == 2

    await erased(world, later(DAYS - 0.5))
    assert "messages" in await where_it_stands(world, SECRET)
    await erased(world, later(DAYS + 1.01))

    for what in (SECRET, "905550000"):
        assert await where_it_stands(world, what) == set()
    assert await counted(world) == before
    await proved(world)
    await searchable.gather(world.db, later(DAYS + 2), since=EPOCH)
    await proved(world)
    assert await found(world, who, SECRET) == 0
    async with world.db.moment() as tx:
        rows, total = await listing.page(tx, who.tenant_id, Filter(), offset=0, limit=10)
    assert (total, {row.text for row in rows}) == (2, {ERASED})


async def test_what_goes_on_is_left_alone_and_so_is_what_came_after_it(world: World) -> None:
    who = await customer(world)
    await ended(world, who)
    service = await world.service()
    await world.send(who, service, text="still on its way")
    await world.send(who, service, text="after it")

    await erased(world, later(DAYS + 2))

    assert await where_it_stands(world, SECRET) == set()
    assert await where_it_stands(world, "still on its way") == {"sendings"}
    assert await where_it_stands(world, "after it") == {"sendings"}
    refs = await world.take(*await world.lease())
    await world.receive(refs)
    await erased(world, later(DAYS + 2))
    assert await where_it_stands(world, "still on its way") == set()
    assert await where_it_stands(world, "after it") == set()
    await proved(world)


async def test_for_ever_is_for_ever(world: World) -> None:
    who = await customer(world)
    await ended(world, who)

    assert not await retention.erase(world.db, later(10_000), days=0)
    assert await where_it_stands(world, SECRET) >= {"messages", "sendings"}


async def test_what_was_erased_is_not_looked_at_again(world: World) -> None:
    who = await customer(world)
    await ended(world, who)

    assert await retention.erase(world.db, later(DAYS + 2), days=DAYS)
    assert not await retention.erase(world.db, later(DAYS + 2), days=DAYS)
    await ended(world, who)
    assert await retention.erase(world.db, later(DAYS + 2), days=DAYS)
