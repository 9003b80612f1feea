"""A statement as people page through it: exact at every moment, nobody else's, and without operators' names."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from uuid import uuid4

import pytest

from tests.admin import BY, ORG, USD, found, rows
from tests.flow.conftest import World, inhabited
from ulak.admin import accounts, credit, groups, statement
from ulak.admin.statement import Line, Statement, Wanted
from ulak.base.db import Database
from ulak.flow import closing
from ulak.rules.refusal import Code, Refused
from ulak.rules.status import Status
from ulak.rules.tenancy import Context
from ulak.store import closings
from ulak.store.statements import Entry

EVERYTHING = Wanted()


@pytest.fixture
async def house(db: Database) -> Database:
    await found(db)
    return db


@pytest.fixture
async def world(db: Database) -> AsyncIterator[World]:
    async with inhabited(db) as there_is:
        yield there_is


async def opened(
    db: Database, username: str | None = "mark", org: str | None = None, wanted: Wanted = EVERYTHING
) -> Statement:
    return await statement.open_(db, username, org, wanted)


def told(lines: list[Line]) -> list[tuple[str, int, int]]:
    """(kind, amount, balance) of each."""
    return [(line.entry.kind, line.entry.amount, line.entry.balance) for line in lines]


async def whole(its: Statement) -> list[Entry]:
    return [entry async for piece in its.pieces() for entry in piece]


async def close(db: Database) -> None:
    """Close every ledger as far as it goes."""
    async with db.reading() as tx:
        last = (await closings.horizon(tx)).last_id
    while await closing.close(db, last):
        pass


async def test_what_operators_move_is_seen_from_each_side(house: Database) -> None:
    await credit.add(house, BY, 100, None, ORG, "invoice 17")
    await credit.transfer(house, BY, 60, ORG, "mark")
    await credit.take_back(house, BY, 15, ORG, "mark")
    await credit.take(house, BY, 5, "mark", ORG, "typed twice")
    await credit.add(house, BY, 7, "mark", None)

    pool = await (await opened(house, None, ORG)).page()
    share = await (await opened(house, "mark", ORG)).page()
    own = await (await opened(house, "mark")).page()

    assert told(pool.lines) == [("handout", 15, 55), ("handout", -60, 40), ("topup", 100, 100)]
    assert [line.member for line in pool.lines] == ["mark", "mark", None]
    assert told(share.lines) == [("correction", -5, 40), ("handout", -15, 45), ("handout", 60, 60)]
    assert [line.member for line in share.lines] == [None] * 3
    assert told(own.lines) == [("topup", 7, 7)]
    assert [page.balance for page in (pool, share, own)] == [55, 40, 7]
    assert pool.lines[-1].entry.note == "invoice 17"


async def test_an_operators_name_is_for_operators(house: Database) -> None:
    await credit.add(house, BY, 100, "mark", None, "invoice 17")

    its = await opened(house)
    theirs = await statement.open_(house, "mark", None, EVERYTHING, with_actors=True)

    assert [line.entry.actor for line in (await its.page()).lines] == [None]
    assert [entry.actor for entry in await whole(its)] == [None]
    assert [line.entry.actor for line in (await theirs.page()).lines] == [BY.name]
    assert [entry.actor for entry in await whole(theirs)] == [BY.name]


async def test_charges_and_refunds_say_what_they_were_for(world: World) -> None:
    user = await accounts.create_user(world.db, BY, "mark", "mark@example.com")
    who, service = Context(user.id), await world.service()
    await world.fund(who, 10 * USD)
    sending = await world.send(who, service, to=3, text="merhaba")
    await world.receive((await world.take(*await world.lease()))[1:2], Status.NOT_SENT)

    page = await (await opened(world.db)).page()

    assert told(page.lines) == [
        ("refund", USD, 8 * USD),
        ("charge", -3 * USD, 7 * USD),
        ("topup", 10 * USD, 10 * USD),
    ]
    assert [(line.entry.sending_id, line.entry.position) for line in page.lines] == [
        (sending, 1),
        (sending, None),
        (None, None),
    ]
    assert [line.text for line in page.lines] == ["merhaba", "merhaba", None]
    assert page.lines[0].service == page.lines[1].service == f"S{service}"


@pytest.mark.parametrize("closed", [False, True])
async def test_there_and_back_by_pages(
    house: Database, closed: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(closing, "STRETCH_ROWS", 4)
    for amount in range(1, 24):
        await credit.add(house, BY, amount, "mark", None)
    if closed:
        await close(house)
        assert await rows(house, "SELECT FROM closings")
    its = await opened(house)

    pages = [await its.page(limit=5)]
    while (older := pages[-1].older) is not None:
        pages.append(await its.page(older_than=older, limit=5))

    assert [len(page.lines) for page in pages] == [5, 5, 5, 5, 3]
    amounts = [line.entry.amount for page in pages for line in page.lines]
    assert amounts == list(range(23, 0, -1))
    assert pages[0].newer is None
    assert pages[0].balance == pages[0].lines[0].entry.balance == sum(amounts)
    back = await its.page(newer_than=pages[4].newer, limit=5)
    assert (back.lines, back.older) == (pages[3].lines, pages[3].older)
    back = await its.page(newer_than=pages[1].newer, limit=5)
    assert (back.lines, back.newer) == (pages[0].lines, None)


async def test_a_page_beside_the_end_is_empty_and_leads_back(house: Database) -> None:
    await credit.add(house, BY, 5, "mark", None)
    its = await opened(house)
    [line] = (await its.page()).lines

    below = await its.page(older_than=line.entry.id)
    above = await its.page(newer_than=line.entry.id)

    assert (below.lines, below.older) == ([], None)
    assert (await its.page(newer_than=below.newer)).lines == [line]
    assert (above.lines, above.newer) == ([], None)
    assert (await its.page(older_than=above.older)).lines == [line]
    for odd in (-1, 0, 2**63, 10**30, -(10**30)):
        assert len((await its.page(older_than=odd)).lines) + len((await its.page(newer_than=odd)).lines) == 1


async def test_nobody_elses(house: Database) -> None:
    await groups.create(house, BY, "Other")
    await groups.add_member(house, BY, "Other", "mark")
    for n, whose in enumerate(
        [("mark", None), ("lale", None), (None, ORG), ("mark", ORG), ("lale", ORG), ("mark", "Other")]
    ):
        await credit.add(house, BY, n + 1, *whose)

    for n, whose in enumerate(
        [("mark", None), ("lale", None), (None, ORG), ("mark", ORG), ("lale", ORG), ("mark", "Other")]
    ):
        its = await opened(house, *whose)
        assert told((await its.page()).lines) == [("topup", n + 1, n + 1)]
        assert len(await whole(its)) == 1
    assert (await (await opened(house, None, "Other")).page()).lines == []
    assert (await statement.of(house, uuid4(), uuid4(), EVERYTHING).page()).lines == []
    for nobody in (("nobody", None), (None, "Nobody"), ("lale", "Other"), (None, None)):
        with pytest.raises(Refused):
            await opened(house, *nobody)


async def test_by_kind_and_date(house: Database) -> None:
    await credit.add(house, BY, 100, "mark", None)
    await credit.take(house, BY, 30, "mark", None)
    await credit.add(house, BY, 1, "mark", None)
    [newest, middle, _] = [line.entry for line in (await (await opened(house)).page()).lines]
    ms = timedelta(milliseconds=1)

    async def seen(wanted: Wanted) -> list[int]:
        its = await opened(house, wanted=wanted)
        lines = (await its.page()).lines
        assert [line.entry for line in lines] == (await whole(its))[::-1]
        return [line.entry.balance for line in lines]

    assert await seen(Wanted(kinds=statement.kinds_of(["correction"]))) == [70]
    assert await seen(Wanted(kinds=statement.kinds_of(["topup", "refund"]))) == [71, 100]
    assert await seen(Wanted(starts=newest.at + ms)) == []
    assert 71 in await seen(Wanted(starts=newest.at))
    assert 70 in await seen(Wanted(starts=middle.at, ends=middle.at))
    with pytest.raises(Refused, match="'gift'") as refusal:
        statement.kinds_of(["topup", "gift"])
    assert refusal.value.code == Code.INVALID_VALUE


async def test_all_of_it_in_pieces_whatever_is_closed_meanwhile(
    house: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(statement, "PIECE_ENTRIES_MAX", 3)
    monkeypatch.setattr(closing, "STRETCH_ROWS", 4)
    for amount in range(1, 20):
        await credit.add(house, BY, amount, "mark", None)
        await credit.add(house, BY, amount, "lale", None)
    its, found = await opened(house), []

    async for piece in its.pieces():
        assert 0 < len(piece) <= 3
        found += piece
        if len(found) == 6:
            await close(house)
            await credit.add(house, BY, 1000, "mark", None)

    assert [entry.amount for entry in found] == list(range(1, 20))
    assert [entry.balance for entry in found] == [n * (n + 1) // 2 for n in range(1, 20)]


async def test_what_is_being_written_when_it_begins_is_waited_for(house: Database) -> None:
    """Its id is drawn, others with later ids are there already: without it their balances would be wrong."""
    await credit.add(house, BY, 10, "mark", None)
    its = await opened(house)
    async with house.transaction() as late:
        await late.execute(
            "INSERT INTO transfers (tenant_id, kind, debit, credit, amount) "
            "SELECT tenant_id, kind, debit, credit, 5 FROM transfers"
        )
        await credit.add(house, BY, 1, "mark", None)
        reading = asyncio.create_task(whole(its))
        await asyncio.sleep(0.1)
        await late.execute(
            "UPDATE credits SET balance = balance + 5 WHERE balance = 11"
        )  # what `move` does first

    assert [(entry.amount, entry.balance) for entry in await reading] == [(10, 10), (5, 15), (1, 16)]


async def test_it_is_exact_while_credit_comes_and_goes(
    house: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(closing, "STRETCH_ROWS", 5)
    await credit.add(house, BY, 1000, None, ORG)

    async def busy(who: str) -> None:
        for n in range(12):
            await credit.transfer(house, BY, 10 + n, ORG, who)
            await credit.take_back(house, BY, 3 + n, ORG, who)

    working = asyncio.gather(busy("mark"), busy("lale"), busy("mark"))
    while not working.done():
        for whose in ((None, ORG), ("mark", ORG)):
            page = await (await opened(house, *whose)).page(limit=200)
            running = 0
            for line in reversed(page.lines):
                running += line.entry.amount
                assert line.entry.balance == running
            assert page.balance == running
    await working
    await close(house)
    assert sum(entry.amount for entry in await whole(await opened(house, None, ORG))) == 1000 - 3 * 12 * 7
