"""An export's messages: every one of the customer's once and in order, whatever the pieces, and nobody else's."""

from collections.abc import AsyncIterator
from contextlib import aclosing
from dataclasses import replace
from datetime import datetime, timedelta
from uuid import UUID, uuid4

import pytest

from tests.admin import BY, ORG
from tests.flow.conftest import World, inhabited
from ulak.admin import accounts, export, groups
from ulak.admin.export import Export, Wanted
from ulak.base.db import Database
from ulak.flow.accept import Request
from ulak.rules.refusal import Code, Refused
from ulak.rules.status import Status
from ulak.rules.tenancy import Context

EVERYTHING = Wanted()


@pytest.fixture
async def world(db: Database) -> AsyncIterator[World]:
    async with inhabited(db) as there_is:
        yield there_is


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pieces and pages so small that a handful of messages needs many."""
    monkeypatch.setattr(export, "PIECE_MESSAGES_MAX", 4)
    monkeypatch.setattr(export, "HEADS_MAX", 3)


async def user(world: World, name: str) -> Context:
    """A user with credit."""
    made = await accounts.create_user(world.db, BY, name, f"{name}@example.com", None)
    who = Context(made.id)
    await world.fund(who, 10**9)
    return who


async def member(world: World, who: Context, name: str) -> Context:
    """The same user as a member of the organization."""
    made = await groups.add_member(world.db, BY, ORG, name)
    there = Context(who.user_id, made.organization.id)
    await world.fund(there, 10**9)
    return there


Seen = tuple[UUID, int]


async def seen(
    world: World, wanted: Wanted = EVERYTHING, username: str | None = "mark", org: str | None = None
) -> list[Seen]:
    """(sending, position) of everything that is exported, in order."""
    return await read(await export.open_(world.db, username, org, wanted))


async def read(opened: Export) -> list[Seen]:
    """Everything of an open export; every piece is as small as it should be, and says how far it is."""
    found: list[Seen] = []
    looked_at = 0
    async for piece in opened.pieces():
        assert len(piece.rows) <= export.PIECE_MESSAGES_MAX
        assert looked_at < piece.looked_at <= looked_at + export.PIECE_MESSAGES_MAX
        looked_at = piece.looked_at
        for number, position, *_ in piece.rows:
            found.append((piece.stretches[number - 1].head.id, position))
    assert looked_at == await opened.count()
    return found


async def send_many(world: World, who: Context, sizes: list[int]) -> list[Seen]:
    """Sendings of these sizes; returns their messages as they should be exported."""
    service = await world.service()
    made = sorted([(await world.send(who, service, to=size), size) for size in sizes])
    return [(id_, position) for id_, size in made for position in range(size)]


@pytest.mark.usefixtures("small")
@pytest.mark.parametrize(
    "sizes",
    [[], [1], [4], [5], [8], [3, 1], [1] * 3, [1] * 4, [1] * 6, [1] * 7, [9, 1, 1, 4, 2, 13, 1, 1, 1, 1]],
    ids=str,
)
async def test_every_message_once_and_in_order_across_pieces_and_pages(
    world: World, sizes: list[int]
) -> None:
    expected = await send_many(world, await user(world, "mark"), sizes)

    assert await seen(world) == expected


@pytest.mark.usefixtures("small")
async def test_another_customers_messages_never(world: World) -> None:
    mark, lale = await user(world, "mark"), await user(world, "lale")
    await groups.create(world.db, BY, ORG)
    marks = await send_many(world, mark, [2, 5])
    lales = await send_many(world, lale, [3])
    marks_there = await send_many(world, await member(world, mark, "mark"), [1, 6])
    lales_there = await send_many(world, await member(world, lale, "lale"), [2])

    assert await seen(world) == marks
    assert await seen(world, username="lale") == lales
    assert await seen(world, username=None, org=ORG) == marks_there + lales_there
    assert await seen(world, org=ORG) == marks_there
    assert await seen(world, username="lale", org=ORG) == lales_there


@pytest.mark.usefixtures("small")
async def test_one_sending(world: World) -> None:
    mark, lale = await user(world, "mark"), await user(world, "lale")
    messages = await send_many(world, mark, [2, 9, 3])
    [(of_lale, _)] = await send_many(world, lale, [1])
    id_ = messages[5][0]

    assert await seen(world, Wanted(sending=str(id_))) == [one for one in messages if one[0] == id_]
    for unknown in (str(of_lale), str(uuid4()), "that one"):
        with pytest.raises(Refused, match="mark has no sending") as refusal:
            await seen(world, Wanted(sending=unknown))
        assert refusal.value.code == Code.NOT_KNOWN


async def redate(world: World, sending: UUID, at: datetime) -> None:
    """A sending accepted at another moment, up to the margin away from what its id says."""
    async with world.db.transaction() as tx:
        await tx.execute("UPDATE sendings SET created_at = $1 WHERE id = $2", at, sending)


@pytest.mark.usefixtures("small")
async def test_dates_are_inclusive_and_those_of_acceptance_not_of_the_id(world: World) -> None:
    messages = await send_many(world, await user(world, "mark"), [1] * 5)
    async with world.db.reading() as tx:
        at = await tx.fetchval("SELECT min(created_at) FROM sendings")
    for second, (sending, _) in enumerate(messages):
        await redate(world, sending, at + timedelta(seconds=10 * second - 20))
    first, last = at - timedelta(seconds=10), at + timedelta(seconds=10)
    ms = timedelta(milliseconds=1)

    assert await seen(world, Wanted(starts=first, ends=last)) == messages[1:4]
    assert await seen(world, Wanted(starts=first + ms, ends=last - ms)) == messages[2:3]
    assert await seen(world, Wanted(starts=first)) == messages[1:]
    assert await seen(world, Wanted(ends=last)) == messages[:4]
    assert await seen(world, Wanted(starts=last, ends=first)) == []
    assert (
        await seen(world, Wanted(starts=at - timedelta(days=9999), ends=at + timedelta(days=9999)))
        == messages
    )
    assert await seen(world, Wanted(ends=at - timedelta(days=1))) == []


@pytest.mark.usefixtures("small")
async def test_by_status_source_and_text(world: World) -> None:
    mark, service = await user(world, "mark"), await world.service()
    numbers = [f"90555000000{n}" for n in range(6)]
    plain = Request(mark, service, numbers, "Şişli'de İNDİRİM", "panel")
    own = replace(plain, texts=[f"Kod {n}" for n in range(6)], source="api")
    shared_id = (await world.accept(plain)).sending_id
    refs = await world.take(*await world.lease())
    await world.receive(refs[:2])
    await world.receive(refs[2:3], Status.NOT_SENT)
    own_id = (await world.accept(own)).sending_id

    def of(sending: UUID, *positions: int) -> list[Seen]:
        return [(sending, position) for position in positions]

    assert await seen(world, Wanted(status=Status.SENT)) == of(shared_id, 0, 1)
    assert await seen(world, Wanted(status=Status.NOT_SENT)) == of(shared_id, 2)
    assert await seen(world, Wanted(status=Status.PENDING)) == of(own_id, *range(6))
    assert await seen(world, Wanted(source="panel")) == of(shared_id, *range(6))
    assert await seen(world, Wanted(source="panel", status=Status.PENDING)) == []
    assert await seen(world, Wanted(text="indirim")) == of(shared_id, *range(6))
    assert await seen(world, Wanted(text="KOD 3")) == of(own_id, 3)
    assert await seen(world, Wanted(text="0000004")) == of(shared_id, 4) + of(own_id, 4)
    assert await seen(world, Wanted(text="%")) == []


@pytest.mark.usefixtures("small")
async def test_what_is_accepted_after_it_began_is_not_in_it(world: World) -> None:
    mark = await user(world, "mark")
    before = await send_many(world, mark, [5, 5])

    opened = await export.open_(world.db, "mark", None, EVERYTHING)
    await send_many(world, mark, [3])

    assert await read(opened) == before
    assert len(await seen(world)) == 13


@pytest.mark.usefixtures("small")
async def test_between_two_pieces_nothing_is_held(world: World) -> None:
    await send_many(world, await user(world, "mark"), [20])
    opened = await export.open_(world.db, "mark", None, EVERYTHING)

    async with aclosing(opened.pieces()) as pieces:
        await anext(pieces)
        async with world.db.reading() as tx:
            held = await tx.fetchval(
                "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() "
                "AND state LIKE 'idle in transaction%'"
            )

    assert held == 0


async def test_a_failure_of_the_database_reaches_whoever_reads(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    await send_many(world, await user(world, "mark"), [20])
    monkeypatch.setattr(
        "ulak.store.exports.ROWS",
        "SELECT 1/0, $1::uuid, $2::uuid[], $3::int[], $4::int[], $5::bool[], $6::text, $7::text",
    )

    with pytest.raises(Exception, match="division by zero"):
        await seen(world)


async def test_whose(world: World) -> None:
    await user(world, "mark")
    for username, org in [(None, None), ("nobody", None), (None, "Nobody"), ("mark", "Nobody")]:
        with pytest.raises(Refused):
            await export.open_(world.db, username, org, EVERYTHING)
