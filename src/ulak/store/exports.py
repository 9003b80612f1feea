"""Exports: a tenant's messages in their order, in pieces, however many there are.

Owns no table: reads `sendings` (`store.sendings`) and `messages` (`store.messages`) together, and the names of users
and services, in the order of their primary keys. Every statement looks at a bounded number of rows and begins where
the one before it ended, so that no transaction stays open and a million messages need no more memory than a thousand.
Sendings that do not match are looked at and left out, never skipped by the statement: a filter that lets little
through makes an export shorter, but no statement longer. Changes nothing.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, NamedTuple
from uuid import UUID

from ulak.base.db import Tx
from ulak.rules.status import Status


@dataclass(frozen=True, slots=True)
class Which:
    """Which messages of a tenant; None and the empty text let everything through.

    `after` and `last` are bounds of the sendings' ids, the first excluded, the last included. Dates are inclusive, on
    the sending's `created_at`. `search` is already folded (`rules.text.fold`), and looked for in text and number.
    """

    tenant_id: UUID
    after: UUID
    last: UUID
    user_id: UUID | None = None
    starts: datetime | None = None
    ends: datetime | None = None
    source: str | None = None
    status: Status | None = None
    search: str = ""


class Head(NamedTuple):
    """What the messages of a sending have in common. Where `wanted` is False it does not match and the rest is empty.

    `found` says whether its text holds what is searched for.
    """

    id: UUID
    wanted: bool
    n_messages: int
    created_at: datetime
    text: str
    found: bool
    source: str
    sender: str | None
    username: str
    service: str
    currency: str


_WANTED: Final = """
       ($4::uuid IS NULL OR user_id = $4)
   AND ($5::timestamptz IS NULL OR created_at >= $5)
   AND ($6::timestamptz IS NULL OR created_at <= $6)
   AND ($7::text IS NULL OR source = $7)"""

LAST: Final = """
SELECT id FROM sendings WHERE tenant_id = $1 AND id > $2 AND id <= $3 ORDER BY id DESC LIMIT 1"""


async def last(tx: Tx, which: Which) -> UUID | None:
    """The newest sending within the bounds, matching or not; None where there is none."""
    found: UUID | None = await tx.fetchval(LAST, which.tenant_id, which.after, which.last)
    return found


COUNT: Final = f"""
SELECT coalesce(sum(n_valid), 0)::bigint FROM sendings
 WHERE tenant_id = $1 AND id > $2 AND id <= $3 AND {_WANTED}"""


async def count(tx: Tx, which: Which) -> int:
    """How many messages an export will look at: those of all sendings that match."""
    n: int = await tx.fetchval(COUNT, *_values(which))
    return n


HEADS: Final = f"""
SELECT s.id, s.wanted, s.n_valid, s.created_at, CASE WHEN s.wanted THEN s.text ELSE '' END,
       $8::text = '' OR strpos(s.search_text, $8) > 0, s.source, s.sender,
       coalesce(u.username, ''), coalesce(v.name, ''), coalesce(v.currency, '')
  FROM (SELECT *, {_WANTED} AS wanted
          FROM sendings WHERE tenant_id = $1 AND id > $2 AND id <= $3 ORDER BY id LIMIT $9) s
  LEFT JOIN users u ON s.wanted AND u.id = s.user_id
  LEFT JOIN services v ON s.wanted AND v.id = s.service_id
 ORDER BY s.id"""


async def heads(tx: Tx, which: Which, rows_max: int) -> list[Head]:
    """The next sendings within the bounds, oldest first, those that do not match among them."""
    return list(map(Head._make, await tx.fetch(HEADS, *_values(which), which.search, rows_max)))


def _values(which: Which) -> tuple[object, ...]:
    bounds = which.tenant_id, which.after, which.last
    return *bounds, which.user_id, which.starts, which.ends, which.source


class Stretch(NamedTuple):
    """The positions [first, end) of a sending."""

    head: Head
    first: int
    end: int


class Row(NamedTuple):
    """A message; `number` counts the stretches from 1, `text` is None where it is the sending's."""

    number: int
    position: int
    recipient: int
    text: str | None
    status: str
    network: str | None
    price: int
    refunded: bool
    ended_at: datetime | None


ROWS: Final = """
SELECT r.number, m.position, m.recipient, m.text, m.status::text, m.network, m.price, m.refunded, m.ended_at
  FROM unnest($2::uuid[], $3::int[], $4::int[], $5::bool[])
       WITH ORDINALITY r(sending_id, first_position, end_position, found, number)
  JOIN messages m ON m.tenant_id = $1 AND m.sending_id = r.sending_id
   AND m.position >= r.first_position AND m.position < r.end_position
 WHERE ($6::text IS NULL OR m.status = $6::text::message_status)
   AND ($7::text = '' OR CASE WHEN m.search_text IS NULL THEN r.found ELSE strpos(m.search_text, $7) > 0 END
                      OR strpos(m.recipient::text, $7) > 0)
 ORDER BY r.number, m.position"""


async def rows(tx: Tx, which: Which, stretches: Sequence[Stretch]) -> Sequence[Row]:
    """The messages of these stretches that match, in order."""
    # a record unpacks like a Row, and a million Rows cost a second
    found: Sequence[Any] = await tx.fetch(
        ROWS,
        which.tenant_id,
        [one.head.id for one in stretches],
        [one.first for one in stretches],
        [one.end for one in stretches],
        [one.head.found for one in stretches],
        which.status,
        which.search,
    )
    return found
