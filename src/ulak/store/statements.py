"""Statements: the entries of one credit with what it held after each, newest or oldest first, however many there are.

Owns no table: reads `transfers` and the balance (`store.credits`), and the closings (`store.closings`). An entry is one
transfer, seen from the credit: what came in is above 0, what went out below. Entries are told apart and ordered by
their id. Newest first, the balance is counted down from what the credit holds now, or held at the end of a closed
stretch; oldest first it is counted up from where a stretch began. So a page is exact wherever it lies and whatever it
leaves out, and what is read for it is near it. Several statements make one page, so they need to see one moment
(`Database.moment`). Changes nothing.
"""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, Literal, NamedTuple, get_args
from uuid import UUID

from ulak.base.db import Tx
from ulak.store import closings, credits

Kind = Literal["topup", "correction", "handout", "charge", "refund"]
KINDS: Final[tuple[Kind, ...]] = get_args(Kind)
ID_MAX: Final = 2**63 - 1


@dataclass(frozen=True, slots=True)
class Which:
    """Which entries of which credit (tenant, owner); None lets everything through. Both dates are inclusive."""

    account: tuple[UUID, UUID]
    starts: datetime | None = None
    ends: datetime | None = None
    kinds: frozenset[Kind] | None = None

    @property
    def _filter(self) -> tuple[list[str] | None, tuple[datetime | None, datetime | None]]:
        return None if self.kinds is None else sorted(self.kinds), (self.starts, self.ends)


class Entry(NamedTuple):
    """A movement of a credit: `amount` with its sign, `balance` after it, both in micro-units.

    `other` is the account on the other side: a credit of the tenant, or one of its counter-accounts.
    """

    id: int
    at: datetime
    kind: Kind
    amount: int
    balance: int
    other: UUID
    sending_id: UUID | None
    position: int | None
    actor: str | None
    note: str | None


class Known(NamedTuple):
    """That a credit held `balance` after the entry `id`."""

    id: int
    balance: int


_MOVED: Final = """
SELECT id, created_at, kind, CASE WHEN credit = $2 THEN amount ELSE -amount END AS amount,
       CASE WHEN credit = $2 THEN debit ELSE credit END AS other, sending_id, position, actor, note
  FROM transfers
 WHERE tenant_id = $1 AND id > $3 AND id <= $4 AND (debit = $2 OR credit = $2)"""
_SHOWN: Final = "id, created_at, kind, amount, balance, other, sending_id, position, actor, note"
_WANTED: Final = """
       ($7::text[] IS NULL OR kind = ANY($7))
   AND ($8::timestamptz IS NULL OR created_at >= $8)
   AND ($9::timestamptz IS NULL OR created_at <= $9)"""
DOWN: Final = f"""
SELECT {_SHOWN}
  FROM (SELECT *, $5 - coalesce(sum(amount) OVER (ORDER BY id DESC
                                ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING), 0)::bigint AS balance
          FROM ({_MOVED}) m) e
 WHERE id < $6 AND {_WANTED}
 ORDER BY id DESC LIMIT $10"""
UP: Final = f"""
SELECT {_SHOWN}
  FROM (SELECT *, $5 + (sum(amount) OVER (ORDER BY id ROWS UNBOUNDED PRECEDING))::bigint AS balance
          FROM ({_MOVED}) m) e
 WHERE id > $6 AND {_WANTED}
 ORDER BY id LIMIT $10"""


async def older(tx: Tx, which: Which, than: int | None, rows_max: int) -> list[Entry]:
    """The newest entries, or the newest of those older than the one of an id; newest first."""
    kinds, dates = which._filter
    before = ID_MAX if than is None else than
    closed_to = await closings.closed_to(tx, which.account[0])
    found: list[Entry] = []
    if before > closed_to + 1:
        balance = await credits.balance(tx, *which.account)
        found = await _read(tx, DOWN, which, (closed_to, ID_MAX, balance), before, rows_max)
    bound = min(before - 1, closed_to)
    while len(found) < rows_max and (
        stretch := await closings.before(tx, which.account, kinds, dates, bound)
    ):
        piece = stretch.after_id, stretch.last_id, stretch.closing
        found += await _read(tx, DOWN, which, piece, before, rows_max - len(found))
        bound = stretch.after_id
    return found


async def newer(
    tx: Tx, which: Which, than: int, rows_max: int, *, last: int = ID_MAX, known: Known | None = None
) -> list[Entry]:
    """The oldest of the entries newer than the one of an id, up to another one; oldest first.

    Whoever knows what the credit held after an entry not newer than that one says so, and saves reading up to there.
    """
    kinds, dates = which._filter
    closed_to = await closings.closed_to(tx, which.account[0])
    found: list[Entry] = []
    bound = than
    while len(found) < rows_max and bound < min(last, closed_to):
        stretch = await closings.behind(tx, which.account, kinds, dates, bound)
        if stretch is None:
            break
        piece = _from(known, stretch.after_id, min(stretch.last_id, last), stretch.opening)
        found += await _read(tx, UP, which, piece, than, rows_max - len(found))
        bound = stretch.last_id
    if len(found) < rows_max and last > closed_to:
        piece = _from(known, closed_to, last, await closings.last(tx, which.account))
        found += await _read(tx, UP, which, piece, than, rows_max - len(found))
    return found


def _from(known: Known | None, after_id: int, last_id: int, opening: int) -> tuple[int, int, int]:
    """A piece of the ledger and what the credit held before it, from what is known on where that lies within."""
    if known and known.id > after_id:
        return known.id, last_id, known.balance
    return after_id, last_id, opening


async def _read(
    tx: Tx, statement: str, which: Which, piece: tuple[int, int, int], than: int, rows_max: int
) -> list[Entry]:
    kinds, dates = which._filter
    rows = await tx.fetch(statement, *which.account, *piece, than, kinds, *dates, rows_max)
    return list(map(Entry._make, rows))


SENT: Final = """
SELECT s.id, s.text, coalesce(v.name, '')
  FROM sendings s LEFT JOIN services v ON v.id = s.service_id
 WHERE s.tenant_id = $1 AND s.id = ANY($2::uuid[])"""


async def sent(tx: Tx, tenant_id: UUID, sendings: Collection[UUID]) -> dict[UUID, tuple[str, str]]:
    """What these sendings of a tenant said (the first message of each), and with which service."""
    rows: list[Any] = await tx.fetch(SENT, tenant_id, list(sendings))
    return {id_: (text, service) for id_, text, service in rows}


NAMES: Final = "SELECT id, username FROM users WHERE id = ANY($1::uuid[])"


async def names(tx: Tx, users: Collection[UUID]) -> dict[UUID, str]:
    """How these users are called."""
    return {row["id"]: row["username"] for row in await tx.fetch(NAMES, list(users))}
