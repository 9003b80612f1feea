"""An export as CSV: the pieces of `admin.export` as bytes, ready to be written or streamed.

In: an export and a dialect. Out: chunks of bytes, the first of which is the header; the command line writes them to a
file, the panel will answer them. The fields have the API's names and forms. Columns may be added at the end, but none
goes and none moves. Knows nothing of files and HTTP.
"""

from collections.abc import AsyncGenerator, Iterator
from contextlib import aclosing
from functools import lru_cache
from typing import Final, NamedTuple

from ulak.admin.export import Export, Piece
from ulak.rules import csv, ids, moment
from ulak.rules.csv import Dialect
from ulak.rules.text import ERASED
from ulak.store.exports import Head

#: What people read stands first, the ids that programs join by last.
COLUMNS: Final = (
    *("createdAt", "to", "message", "status", "network", "price", "currency", "refunded", "endedAt"),
    *("service", "sender", "source", "username", "sendingId", "id"),
)

WORDS_MAX: Final = 1024
"""Different networks, and different prices, that are kept ready in their written form."""


class Chunk(NamedTuple):
    """Some bytes of the file, whole records always; `rows` are the messages in it, `looked_at` as in a `Piece`."""

    data: bytes
    rows: int
    looked_at: int


async def chunks(export: Export, dialect: Dialect) -> AsyncGenerator[Chunk, None]:
    """The whole file, a few hundred kilobytes at a time. Close it when you do not read to the end."""
    yield Chunk(header(dialect), 0, 0)
    records = Records(dialect)
    async with aclosing(export.pieces()) as pieces:
        async for piece in pieces:
            data = "".join(records.of(piece)).encode()
            yield Chunk(data, len(piece.rows), piece.looked_at)


def header(dialect: Dialect) -> bytes:
    """The first record: the columns' names."""
    return ((csv.BOM if dialect.bom else "") + dialect.separator.join(COLUMNS) + csv.END).encode()


class Records:
    """Writes records in a dialect. A million of them are written here, so what repeats is written once."""

    def __init__(self, dialect: Dialect) -> None:
        self._dialect = dialect
        self._separator = s = dialect.separator
        word = dialect.word

        @lru_cache(WORDS_MAX)
        def price(micros: int) -> str:
            return f"{dialect.amount(micros)}{s}"

        @lru_cache(WORDS_MAX)
        def state(status: str, network: str | None) -> str:
            return f"{status}{s}{word(network or 'unknown')}{s}"

        @lru_cache(WORDS_MAX)
        def whose(service: str, sender: str | None, source: str, username: str) -> str:
            return f"{s}{word(service)}{s}{word(sender or '')}{s}{source}{s}{word(username)}{s}"

        self._price, self._state, self._whose = price, state, whose

    def of(self, piece: Piece) -> Iterator[str]:
        """The records of a piece."""
        s, written, price, state = self._separator, self._dialect.text, self._price, self._state
        stretch, last_end, end = 0, None, ""
        for number, position, to, text, status, network, micros, refunded, ended_at in piece.rows:
            if number != stretch:
                stretch = number
                head = piece.stretches[number - 1].head
                created, shared, money_back, before_id, own = self._shared(head)
            if ended_at != last_end:  # many end together
                last_end, end = ended_at, moment.written(ended_at) if ended_at else ""
            message = shared if text is None else written(text)
            yield (
                f"{created}{to or ERASED}{s}{message}{s}{state(status, network)}{price(micros)}{money_back[refunded]}"
                f"{end}{before_id}{own ^ position + 1:05x}{csv.END}"
            )

    def _shared(self, head: Head) -> tuple[str, str, tuple[str, str], str, int]:
        """What the records of a sending have in common: the fields before the number, the text, currency and
        `refunded` for either case, the fields after the end and what of the id is the sending's, and its rest."""
        s = self._separator
        stem, own = ids.stem(head.id)
        return (
            f"{moment.written(head.created_at)}{s}",
            self._dialect.text(head.text),
            (f"{head.currency}{s}false{s}", f"{head.currency}{s}true{s}"),
            f"{self._whose(head.service, head.sender, head.source, head.username)}{head.id}{s}{stem}",
            own,
        )
