"""A statement as a stream of bytes: whole records, in bounded chunks, without operators' names for customers."""

import csv
import io
from contextlib import aclosing
from uuid import UUID, uuid4

import pytest

from tests.flow.conftest import World, inhabited
from ulak.admin import credit
from ulak.admin.accounts import create_user
from ulak.admin.statement import PIECE_ENTRIES_MAX, Wanted, of, open_
from ulak.base.db import Database
from ulak.edge.statement import COLUMNS, Chunk, chunks
from ulak.rules import ids
from ulak.rules.actor import Actor
from ulak.rules.csv import Dialect
from ulak.rules.status import Status
from ulak.rules.tenancy import Context
from ulak.store import credits

AYSE = Actor("operator:ayse")
RECORD_BYTES_MAX = 4 * 500 + 300
"""500 characters of four bytes, and the other fields."""


async def read(db: Database, tenant: UUID, owner: UUID, *, with_actors: bool = False) -> list[Chunk]:
    its = of(db, tenant, owner, Wanted(), with_actors=with_actors)
    async with aclosing(chunks(its, "USD", Dialect())) as streamed:
        return [chunk async for chunk in streamed]


def records(its: list[Chunk]) -> list[dict[str, str]]:
    text = b"".join(chunk.data for chunk in its).decode()
    return list(csv.DictReader(io.StringIO(text, newline="")))


async def test_a_customers_file_names_no_operator_and_an_operators_does(db: Database) -> None:
    user = await create_user(db, AYSE, "mark", "mark@example.com", None)
    await credit.add(db, AYSE, 5, "mark", None, "invoice 17")

    theirs = await read(db, user.id, user.id)
    ours = await read(db, user.id, user.id, with_actors=True)

    assert b"ayse" not in b"".join(chunk.data for chunk in theirs)
    assert tuple(records(theirs)[0]) == COLUMNS
    assert records(theirs)[0]["note"] == "invoice 17"
    assert records(ours) == [{**records(theirs)[0], "actor": "operator:ayse"}]
    assert tuple(records(ours)[0]) == (*COLUMNS, "actor")


async def test_a_refund_names_its_message(db: Database) -> None:
    async with inhabited(db) as world:
        who, sending = await failed(world)
        refund = records(await read(db, who.tenant_id, who.owner_id))[-1]

    assert (refund["kind"], refund["amount"], refund["sendingId"]) == ("refund", "1.000000", str(sending))
    assert refund["messageId"] == str(ids.message_id(sending, 1))


async def failed(world: World) -> tuple[Context, UUID]:
    """Somebody whose second message of two was not delivered."""
    who = await world.customer()
    sending = await world.send(who, await world.service(), to=2)
    await world.receive((await world.take(*await world.lease()))[1:], Status.NOT_SENT)
    return who, sending


@pytest.mark.slow
async def test_chunks_are_bounded_however_many_entries_there_are(db: Database) -> None:
    who = uuid4()
    async with db.transaction() as tx:
        await credits.ensure(tx, who, who)
        await tx.execute(
            "INSERT INTO transfers (tenant_id, kind, debit, credit, amount, note) "
            "SELECT $1, 'topup', $2, $1, 1, repeat('👩', 500) FROM generate_series(1, $3::int)",
            who,
            credits.FUNDING,
            2 * PIECE_ENTRIES_MAX + 1,
        )

    header, *its = await read(db, who, who)

    assert (header.rows, header.data.count(b"\r\n")) == (0, 1)
    assert [chunk.rows for chunk in its] == [PIECE_ENTRIES_MAX] * 2 + [1]
    for chunk in its:
        assert len(chunk.data) <= PIECE_ENTRIES_MAX * RECORD_BYTES_MAX
        assert chunk.data.count(b"\r\n") == chunk.rows
    assert records([header, *its])[-1]["balance"] == f"0.{2 * PIECE_ENTRIES_MAX + 1:06d}"


async def test_whoever_stops_reading_leaves_nothing_open(db: Database) -> None:
    await create_user(db, AYSE, "mark", "mark@example.com", None)
    await credit.add(db, AYSE, 5, "mark", None)

    async with aclosing(chunks(await open_(db, "mark", None, Wanted()), "USD", Dialect())) as its:
        await anext(its)
        await anext(its)

    async with db.reading() as tx:
        active = await tx.fetchval(
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() "
            "AND state <> 'idle' AND pid <> pg_backend_pid()"
        )
    assert active == 0
