"""A statement as CSV: the pieces of `admin.statement` as bytes, ready to be written or streamed.

In: a statement, the currency and a dialect. Out: chunks of bytes, the first of which is the header; oldest first.
Columns may be added at the end, but none goes and none moves; `actor` is a column only where the statement was opened
with operators' names. Knows nothing of files and HTTP.
"""

from collections.abc import AsyncGenerator, Iterator
from contextlib import aclosing
from typing import Final, NamedTuple

from ulak.admin.statement import Statement
from ulak.rules import csv, ids
from ulak.rules.csv import Dialect
from ulak.rules.moment import written
from ulak.store.statements import Entry

COLUMNS: Final = (*("createdAt", "kind", "amount", "balance", "currency", "sendingId", "messageId", "note"),)
ACTOR: Final = "actor"
"""The last column, for operators."""


class Chunk(NamedTuple):
    """Some bytes of the file, whole records always, and how many entries they are."""

    data: bytes
    rows: int


async def chunks(statement: Statement, currency: str, dialect: Dialect) -> AsyncGenerator[Chunk, None]:
    """The whole file, a few hundred kilobytes at a time. Close it when you do not read to the end."""
    yield Chunk(header(dialect, with_actors=statement.with_actors), 0)
    async with aclosing(statement.pieces()) as pieces:
        async for piece in pieces:
            records = _records(piece, currency, dialect, with_actors=statement.with_actors)
            yield Chunk("".join(records).encode(), len(piece))


def header(dialect: Dialect, *, with_actors: bool) -> bytes:
    """The first record: the columns' names."""
    names = (*COLUMNS, ACTOR) if with_actors else COLUMNS
    return ((csv.BOM if dialect.bom else "") + dialect.separator.join(names) + csv.END).encode()


def _records(entries: list[Entry], currency: str, dialect: Dialect, *, with_actors: bool) -> Iterator[str]:
    s, amount, word = dialect.separator, dialect.amount, dialect.word
    for entry in entries:
        actor = f"{s}{word(entry.actor or '')}" if with_actors else ""
        note = dialect.text(entry.note) if entry.note else ""
        yield (
            f"{written(entry.at)}{s}{entry.kind}{s}{amount(entry.amount)}{s}{amount(entry.balance)}{s}{currency}{s}"
            f"{entry.sending_id or ''}{s}{message_id(entry)}{s}{note}{actor}{csv.END}"
        )


def message_id(entry: Entry) -> str:
    """The id of the message that was refunded; empty for another entry."""
    if entry.sending_id is None or entry.position is None:
        return ""
    return str(ids.message_id(entry.sending_id, entry.position))
