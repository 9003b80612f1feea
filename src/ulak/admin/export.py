"""An export: all messages of a customer, or some of them, in one long list, piece by piece.

In: whose, and which. Out: an `Export`, whose `pieces` are the messages in the order of finance: the oldest sending
first, its messages in the order of the request, each exactly once. Nothing accepted after the export began is in it;
each message stands in it as it stood when its piece was read. Changes nothing.

Between two pieces it holds neither a transaction nor a connection, so whoever reads slowly is in nobody's way. A
piece has up to `PIECE_MESSAGES_MAX` messages, so memory does not grow with their number. The next piece is asked for
before the last is handed over: PostgreSQL reads while the caller writes.
"""

import asyncio
from collections.abc import AsyncGenerator, Iterable, Iterator, Sequence
from contextlib import aclosing
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Final, NamedTuple, TypeVar
from uuid import UUID

from ulak.admin import lookup
from ulak.base.db import Database
from ulak.rules import ids
from ulak.rules.refusal import Code, Refused, said
from ulak.rules.status import Status
from ulak.rules.stretches import between
from ulak.rules.text import clean, fold
from ulak.store import exports
from ulak.store.exports import Head, Row, Stretch, Which

PIECE_MESSAGES_MAX: Final = 4000
HEADS_MAX: Final = 4000
"""Sendings looked at by one statement."""

ID_MARGIN: Final = timedelta(minutes=1)
"""By how much the time in a sending's id may differ from its `created_at`; the times themselves are compared too."""

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """Which messages; None and the empty text let everything through. Both dates are inclusive, on `createdAt`."""

    sending: str | None = None
    starts: datetime | None = None
    ends: datetime | None = None
    status: Status | None = None
    source: str | None = None
    text: str = ""

    def told(self) -> dict[str, Any]:
        """What was asked for, as the audit log says it: that there was a text to look for, never which."""
        its = {
            "sending": self.sending,
            "starts": self.starts and self.starts.isoformat(),
            "ends": self.ends and self.ends.isoformat(),
            "status": self.status and self.status.value,
            "source": self.source,
            "by_text": bool(self.text) or None,
        }
        return {name: value for name, value in its.items() if value is not None}


class Piece(NamedTuple):
    """The next messages, with the stretches of sendings they are from (`Row.number` counts them from 1).

    `looked_at` is how many messages there were to look at so far, in this piece and those before it.
    """

    stretches: list[Stretch]
    rows: Sequence[Row]
    looked_at: int


@dataclass(frozen=True, slots=True)
class Export:
    """What is going to be exported: fixed when it is opened."""

    db: Database
    which: Which
    whose: str

    async def count(self) -> int:
        """What `looked_at` will be at the end."""
        async with self.db.reading() as tx:
            return await exports.count(tx, self.which)

    async def pieces(self) -> AsyncGenerator[Piece, None]:
        """The messages; an empty piece is possible. Close it when you do not read to the end."""
        looked_at = 0
        async with aclosing(_ahead(self._read())) as read:
            async for stretches, rows in read:
                looked_at += sum(one.end - one.first for one in stretches)
                yield Piece(stretches, rows, looked_at)

    async def _read(self) -> AsyncGenerator[tuple[list[Stretch], Sequence[Row]], None]:
        which: Which | None = self.which
        while which:
            async with self.db.reading() as tx:
                heads = await exports.heads(tx, which, HEADS_MAX)
            for stretches in _portions(heads):
                async with self.db.reading() as tx:
                    rows = await exports.rows(tx, which, stretches)
                yield stretches, rows
            which = replace(which, after=heads[-1].id) if len(heads) == HEADS_MAX else None


def _portions(heads: Iterable[Head]) -> Iterator[list[Stretch]]:
    """All positions of all sendings that are wanted, so many at a time as make a piece."""
    portion: list[Stretch] = []
    room = PIECE_MESSAGES_MAX
    for head in heads:
        first, end = 0, head.n_messages if head.wanted else 0
        while first < end:
            until = min(end, first + room)
            portion.append(Stretch(head, first, until))
            room -= until - first
            first = until
            if room == 0:
                yield portion
                portion, room = [], PIECE_MESSAGES_MAX
    if portion:
        yield portion


async def _ahead(source: AsyncGenerator[T, None]) -> AsyncGenerator[T, None]:
    """The same, with the next one already asked for while the last is being used."""
    coming = asyncio.ensure_future(anext(source, None))
    try:
        while (here := await coming) is not None:
            coming = asyncio.ensure_future(anext(source, None))
            await asyncio.sleep(0)  # so that it is on its way before the caller keeps the loop busy
            yield here
    finally:
        coming.cancel()
        await asyncio.gather(coming, return_exceptions=True)
        await source.aclose()


async def open_(db: Database, username: str | None, org: str | None, wanted: Wanted) -> Export:
    """The export of whoever is named; with both, of what this member sent for the organization.

    Refused with `not_known` when there is no such customer or sending.
    """
    if not _can_be_looked_for(wanted.text):
        raise Refused(Code.INVALID_VALUE, "The text to look for is not UTF-8, or holds a NUL.")
    async with db.reading() as tx:
        customer = await lookup.customer(tx, username, org)
        which = _which(customer, wanted)
        if wanted.sending is not None and not await exports.count(
            tx, replace(which, starts=None, ends=None, source=None)
        ):
            raise _no_sending(str(customer), wanted.sending)
        # what is accepted from now on is not in it, whatever the clocks of the machines that accept
        return Export(db, replace(which, last=await exports.last(tx, which) or which.after), str(customer))


def _can_be_looked_for(text: str) -> bool:
    """Whether a message could hold it; PostgreSQL takes no other either."""
    return "\0" not in text and not any("\ud800" <= character <= "\udfff" for character in text)


def _which(customer: lookup.Customer, wanted: Wanted) -> Which:
    tenant_id, owner_id = customer.account
    if wanted.sending is not None:
        first = last = _sending_id(str(customer), wanted.sending)
    else:
        first, last = _span(wanted)
    return Which(
        tenant_id=tenant_id,
        after=UUID(int=max(first.int - 1, 0)),  # no id is 0
        last=last,
        user_id=owner_id if customer.user and customer.organization else None,
        starts=wanted.starts,
        ends=wanted.ends,
        source=wanted.source,
        status=wanted.status,
        search=fold(clean(wanted.text)),
    )


def _span(wanted: Wanted) -> tuple[UUID, UUID]:
    """Between which ids, both included, those of the sendings are."""
    margin = ID_MARGIN // timedelta(milliseconds=1)
    first, end = between(wanted.starts, wanted.ends)
    return ids.first_id(max(0, first - margin)), ids.first_id(end + margin)


def _sending_id(whose: str, written: str) -> UUID:
    try:
        return UUID(written)
    except ValueError:
        raise _no_sending(whose, written) from None


def _no_sending(whose: str, written: str) -> Refused:
    return Refused(
        Code.NOT_KNOWN,
        said(
            "{whose} has no sending {written!r}; their ids stand in the list of sendings and in every export.",
            whose=whose,
            written=written,
        ),
    )
