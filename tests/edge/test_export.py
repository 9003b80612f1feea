"""An export as a stream of bytes: whole records, in chunks whose size does not depend on how many there are."""

from contextlib import aclosing

import pytest

from tests.flow.conftest import inhabited
from ulak.admin.accounts import create_user
from ulak.admin.export import PIECE_MESSAGES_MAX, Wanted, open_
from ulak.base.db import Database
from ulak.edge.export import Chunk, chunks
from ulak.rules.actor import Actor
from ulak.rules.csv import Dialect
from ulak.rules.tenancy import Context

RECORD_BYTES_MAX = 4 * 160 + 300
"""160 characters of four bytes, and the other fields."""


async def exported(db: Database, of: int) -> list[Chunk]:
    """The chunks of an export of so many messages with the largest texts there are."""
    user = await create_user(db, Actor("test"), "mark", "mark@example.com", None)
    async with inhabited(db) as world:
        who = Context(user.id)
        await world.fund(who, 10**12)
        await world.send(who, await world.service(), to=of, text="👩" * 160)
        export = await open_(db, "mark", None, Wanted())
        async with aclosing(chunks(export, Dialect())) as its:
            return [chunk async for chunk in its]


@pytest.mark.slow
async def test_chunks_are_bounded_however_many_messages_there_are(db: Database) -> None:
    n = 3 * PIECE_MESSAGES_MAX + 1

    header, *its = await exported(db, n)

    assert (header.rows, header.data.count(b"\r\n")) == (0, 1)
    assert [chunk.rows for chunk in its] == [PIECE_MESSAGES_MAX] * 3 + [1]
    for chunk in its:
        assert len(chunk.data) <= PIECE_MESSAGES_MAX * RECORD_BYTES_MAX
        assert chunk.data.count(b"\r\n") == chunk.rows
        assert chunk.data.endswith(b"\r\n")


async def test_whoever_stops_reading_leaves_nothing_open(db: Database) -> None:
    user = await create_user(db, Actor("test"), "mark", "mark@example.com", None)
    async with inhabited(db) as world:
        who = Context(user.id)
        await world.fund(who, 10**12)
        await world.send(who, await world.service(), to=10)
        export = await open_(db, "mark", None, Wanted())

        async with aclosing(chunks(export, Dialect())) as its:
            await anext(its)
            await anext(its)

        async with db.reading() as tx:
            active = await tx.fetchval(
                "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() "
                "AND state <> 'idle' AND pid <> pg_backend_pid()"
            )
    assert active == 0
