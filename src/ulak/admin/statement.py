"""A statement: every movement of one credit, with what it held after each.

In: whose (by name, or by tenant and owner), and which entries. Out: a `Statement`, whose `page` is for people, newest
first, from one entry to the next in either direction, and whose `pieces` are all of it, oldest first, each exactly
once, however many there are. Changes nothing.

A customer never sees which operator moved something: `actor` is None unless whoever opens it asks for operators' names.

Between two pieces it holds neither a transaction nor a connection, so whoever reads slowly is in nobody's way. What is
written after `pieces` began is not in them.
"""

import asyncio
from collections.abc import AsyncGenerator, Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Final, NamedTuple
from uuid import UUID

from ulak.admin import lookup
from ulak.base.db import Database, Tx
from ulak.rules.refusal import Code, Refused, said
from ulak.store import closings, credits, statements
from ulak.store.statements import ID_MAX, KINDS, Entry, Kind, Known, Which

PAGE_ENTRIES_MAX: Final = 200
PIECE_ENTRIES_MAX: Final = 4000

SETTLE_SECONDS_MAX: Final = 2.0
"""How long `pieces` waits for transactions that ran when it began: one may be writing an entry between others."""

_SETTLE_SECONDS: Final = 0.02


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """Which entries; None lets everything through. Both dates are inclusive, on `at`."""

    starts: datetime | None = None
    ends: datetime | None = None
    kinds: frozenset[Kind] | None = None


class Line(NamedTuple):
    """An entry and what it was about.

    `text` (of the first message) and `service` where a sending was charged or a message refunded; `member` where
    credit was handed out to one or came back, and it is the pool's statement.
    """

    entry: Entry
    text: str | None
    service: str | None
    member: str | None


class Page(NamedTuple):
    """Some entries, newest first, and what the credit holds now.

    `older` and `newer` are what to ask `page` for next, as `older_than` and `newer_than`; None at that end.
    """

    lines: list[Line]
    balance: int
    older: int | None
    newer: int | None


@dataclass(frozen=True, slots=True)
class Statement:
    """What has been opened: whose, and which entries."""

    db: Database
    which: Which
    with_actors: bool

    async def page(
        self, *, older_than: int | None = None, newer_than: int | None = None, limit: int = 50
    ) -> Page:
        """The newest entries, or those beside an entry, which need not be there any more or match."""
        limit = min(max(limit, 1), PAGE_ENTRIES_MAX)
        upwards = newer_than is not None
        async with self.db.moment() as tx:
            if newer_than is not None:
                found = await statements.newer(tx, self.which, _id(newer_than), limit + 1)
            else:
                than = None if older_than is None else _id(older_than)
                found = await statements.older(tx, self.which, than, limit + 1)
            more, found = len(found) > limit, found[:limit]
            if upwards:
                found.reverse()
            lines = await self._lines(tx, found)
            balance = await credits.balance(tx, *self.which.account)
        first, last = (found[0].id, found[-1].id) if found else (None, None)
        if newer_than is not None:
            return Page(lines, balance, last or newer_than + 1, first if more else None)
        behind = first or (older_than or 0) - 1
        return Page(lines, balance, last if more else None, behind if older_than is not None else None)

    async def _lines(self, tx: Tx, found: list[Entry]) -> list[Line]:
        """The entries with what they were about, asked for all at once."""
        tenant_id, owner_id = self.which.account
        of_pool = tenant_id == owner_id
        ids = {entry.sending_id for entry in found if entry.sending_id}
        members = {entry.other for entry in found if entry.kind == "handout" and of_pool}
        sent = await statements.sent(tx, tenant_id, ids) if ids else {}
        names = await statements.names(tx, members) if members else {}
        lines = []
        for entry in self._seen(found):
            text, service = sent.get(entry.sending_id, (None, None)) if entry.sending_id else (None, None)
            lines.append(Line(entry, text, service, names.get(entry.other)))
        return lines

    def _seen(self, entries: Iterable[Entry]) -> list[Entry]:
        """As whoever opened the statement may see them."""
        return list(entries) if self.with_actors else [entry._replace(actor=None) for entry in entries]

    async def pieces(self) -> AsyncGenerator[list[Entry], None]:
        """All entries, oldest first, up to `PIECE_ENTRIES_MAX` at a time. Close it when you do not read to the end."""
        last = await self._last()
        known = Known(0, 0)
        while True:
            async with self.db.moment() as tx:
                found = await statements.newer(
                    tx, self.which, known.id, PIECE_ENTRIES_MAX, last=last, known=known
                )
            if found:
                yield self._seen(found)
            if len(found) < PIECE_ENTRIES_MAX:
                return
            known = Known(found[-1].id, found[-1].balance)

    async def _last(self) -> int:
        """The last entry that there is, with none below it still to come."""
        async with self.db.reading() as tx:
            horizon = await closings.horizon(tx)
        for _ in range(round(SETTLE_SECONDS_MAX / _SETTLE_SECONDS)):
            async with self.db.reading() as tx:
                if await closings.settled(tx, horizon):
                    break
            await asyncio.sleep(_SETTLE_SECONDS)
        return horizon.last_id


def _id(written: int) -> int:
    """An id as it may be asked for."""
    return min(max(written, 0), ID_MAX)


async def open_(
    db: Database, username: str | None, org: str | None, wanted: Wanted, *, with_actors: bool = False
) -> Statement:
    """The statement of a user's own credit, an organization's pool or, with both, a member's share.

    Refused with `not_known` when there is no such customer.
    """
    async with db.reading() as tx:
        customer = await lookup.customer(tx, username, org)
    return of(db, *customer.account, wanted, with_actors=with_actors)


def of(
    db: Database, tenant_id: UUID, owner_id: UUID, wanted: Wanted, *, with_actors: bool = False
) -> Statement:
    """The statement of a credit that somebody has already been found to be allowed to see."""
    return Statement(
        db, Which((tenant_id, owner_id), wanted.starts, wanted.ends, wanted.kinds), with_actors=with_actors
    )


def kinds_of(written: Iterable[str]) -> frozenset[Kind] | None:
    """Kinds of entries as people name them; None for none, which lets all through."""
    named = set(written)
    if unknown := sorted(named - set(KINDS)):
        raise Refused(
            Code.INVALID_VALUE,
            said("{kind!r} is no kind of entry; there are {known}.", kind=unknown[0], known=", ".join(KINDS)),
        )
    return frozenset(kind for kind in KINDS if kind in named) or None
