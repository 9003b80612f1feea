"""Messages: one text to one number each, and the only statements that move them on.

Owns the table `messages`. A message is named by (tenant, sending, position). Its status moves only forward,
because every UPDATE here asks for the status it moves from: `take` from pending, `end` from pending or waiting.
Whoever comes second finds nothing to move and is told so.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final, NamedTuple
from uuid import UUID

from ulak.base.db import Tx, Write
from ulak.rules import ids
from ulak.rules.status import Status


class Key(NamedTuple):
    """Which message."""

    tenant_id: UUID
    sending_id: UUID
    position: int


class NewMessage(NamedTuple):
    """A message as it is accepted; `text` only where the sending's messages differ."""

    tenant_id: UUID
    sending_id: UUID
    position: int
    recipient: int
    price: int
    text: str | None
    search_text: str | None


COPIED: Final = NewMessage._fields

ADD: Final = """
INSERT INTO messages (tenant_id, sending_id, position, recipient, price, text, search_text)
SELECT * FROM unnest($1::uuid[], $2::uuid[], $3::int[], $4::bigint[], $5::bigint[], $6::text[], $7::text[])
       m(tenant_id, sending_id, position, recipient, price, text, search_text)"""


def to_add(new: Iterable[NewMessage]) -> Write:
    """Write a handful of pending messages."""
    return Write(ADD, tuple(list(column) for column in zip(*new, strict=True)))


async def copy(tx: Tx, new: Iterable[NewMessage]) -> None:
    """Write a great many pending messages."""
    await tx.copy_records_to_table("messages", columns=COPIED, records=new)


class Due(NamedTuple):
    """A pending message of a leased run, with what a carrier needs of it."""

    run: int
    position: int
    recipient: int
    text: str
    attempts: int


DUE: Final = """
WITH r AS MATERIALIZED (
    SELECT r.id, r.tenant_id, r.sending_id, r.first_position, r.end_position, r.positions::int[] AS positions, s.text
      FROM unnest($2::bigint[], $3::uuid[], $4::uuid[], $5::int[], $6::int[], $7::text[])
           r(id, tenant_id, sending_id, first_position, end_position, positions)
      JOIN sendings s ON s.tenant_id = r.tenant_id AND s.id = r.sending_id)
SELECT r.id AS run, m.position, m.recipient, coalesce(m.text, r.text) AS text, m.attempts
  FROM r
  JOIN messages m ON m.tenant_id = r.tenant_id AND m.sending_id = r.sending_id
   AND m.position >= r.first_position AND m.position < r.end_position
 WHERE m.status = 'pending'
   AND (m.routed_to IS NULL OR m.routed_to = $1)
   AND (r.positions IS NULL OR m.position = ANY(r.positions))
 ORDER BY r.id, m.position"""


Stretch = tuple[int, UUID, UUID, int, int, str | None]
"""A run's (id, tenant, sending, first, end, positions); the last as PostgreSQL writes arrays, None for all."""


async def due(tx: Tx, carrier_id: int, runs: Sequence[Stretch]) -> list[Due]:
    """What is still pending in each run and to go over this carrier, ordered by run and position."""
    columns = (list(column) for column in zip(*runs, strict=True))
    return [Due(*row) for row in await tx.fetch(DUE, carrier_id, *columns)]


class Taken(NamedTuple):
    """A message a carrier has taken in so many parts (`parts_left`: a bit for each)."""

    tenant_id: UUID
    sending_id: UUID
    position: int
    parts_left: int


TAKE: Final = """
WITH taken AS (
    UPDATE messages m SET status = 'waiting', carrier_id = $5, parts_left = t.parts_left
      FROM unnest($1::uuid[], $2::uuid[], $3::int[], $4::int[]) t(tenant_id, sending_id, position, parts_left)
     WHERE m.tenant_id = t.tenant_id AND m.sending_id = t.sending_id AND m.position = t.position
       AND m.status = 'pending'
 RETURNING m.tenant_id, m.sending_id)
SELECT tenant_id, sending_id, count(*)::int AS n FROM taken GROUP BY tenant_id, sending_id"""


async def take(tx: Tx, taken: Sequence[Taken], carrier_id: int) -> list[tuple[UUID, UUID, int]]:
    """Move messages from pending to waiting; returns (tenant, sending, how many moved)."""
    columns = (list(column) for column in zip(*taken, strict=True))
    return [tuple(row) for row in await tx.fetch(TAKE, *columns, carrier_id)]


class End(NamedTuple):
    """How a message, or the parts of it in `parts`, ended.

    `sent` ends the message when no part is left, every other status at once. `refund` is True where the money
    goes back whatever the sending says of this status (unless it never refunds), False where the sending decides.
    """

    tenant_id: UUID
    sending_id: UUID
    position: int
    parts: int
    status: Status
    network: str | None = None
    refund: bool = False

    @property
    def key(self) -> Key:
        """Which message."""
        return Key(self.tenant_id, self.sending_id, self.position)


#: Every part there can be.
ALL_PARTS: Final = 0x7FFFFFFF


class Ended(NamedTuple):
    """Messages of one sending that ended alike; `positions` and `prices` are those of the refunded.

    `carrier_id` is the carrier that took them, None where none did.
    """

    tenant_id: UUID
    sending_id: UUID
    owner_id: UUID
    status: Status
    carrier_id: int | None
    n: int
    positions: list[int]
    prices: list[int]

    @property
    def was_waiting(self) -> bool:
        """Whether a carrier had taken them."""
        return self.carrier_id is not None


END: Final = """
WITH e AS MATERIALIZED (
    SELECT e.*, s.owner_id, s.refund_not_sent, s.refund_no_signal
      FROM unnest($1::uuid[], $2::uuid[], $3::int[], $4::int[], $5::text[], $6::text[], $7::bool[])
           e(tenant_id, sending_id, position, parts, status, network, refund)
      JOIN sendings s ON s.tenant_id = e.tenant_id AND s.id = e.sending_id),
ended AS (
    UPDATE messages m
       SET parts_left = m.parts_left & ~e.parts,
           status = CASE WHEN e.status <> 'sent' OR m.parts_left & ~e.parts = 0 THEN e.status::message_status
                         ELSE m.status END,
           ended_at = CASE WHEN e.status <> 'sent' OR m.parts_left & ~e.parts = 0 THEN $8::timestamptz END,
           network = coalesce(e.network, m.network),
           refunded = m.price > 0 AND (e.status = 'not_sent' AND e.refund_not_sent
                                       OR e.status = 'no_signal' AND e.refund_no_signal
                                       OR e.refund AND (e.refund_not_sent OR e.refund_no_signal))
      FROM e
     WHERE m.tenant_id = e.tenant_id AND m.sending_id = e.sending_id AND m.position = e.position
       AND m.status IN ('pending', 'waiting')
 RETURNING m.tenant_id, m.sending_id, e.owner_id, m.position, m.status, m.carrier_id, m.refunded, m.price)
SELECT tenant_id, sending_id, owner_id, status::text AS status, carrier_id,
       count(*)::int AS n,
       coalesce(array_agg(position) FILTER (WHERE refunded), '{}') AS positions,
       coalesce(array_agg(price) FILTER (WHERE refunded), '{}') AS prices
  FROM ended
 GROUP BY tenant_id, sending_id, owner_id, status, carrier_id"""


async def end(tx: Tx, ends: Sequence[End], at: datetime) -> list[Ended]:
    """End messages that are still open; those that wait on for other parts come back as `waiting`.

    Each message may stand in `ends` once. One that had ended before is left as it is and not counted.
    """
    columns = (list(column) for column in zip(*ends, strict=True))
    return [
        Ended(tenant, sending, owner, Status(status), carrier_id, n, positions, prices)
        for tenant, sending, owner, status, carrier_id, n, positions, prices in await tx.fetch(
            END, *columns, at
        )
    ]


ENDED_BEFORE: Final = """
SELECT m.tenant_id, m.sending_id, m.position
  FROM unnest($1::uuid[], $2::uuid[], $3::int[]) k(tenant_id, sending_id, position)
  JOIN messages m ON m.tenant_id = k.tenant_id AND m.sending_id = k.sending_id AND m.position = k.position
 WHERE m.ended_at <> $4"""


async def ended_before(tx: Tx, keys: Sequence[Key], at: datetime) -> set[Key]:
    """Which of these messages have ended, other than just now at `at`."""
    columns = (list(column) for column in zip(*keys, strict=True))
    return {Key(*row) for row in await tx.fetch(ENDED_BEFORE, *columns, at)}


ROUTE: Final = """
UPDATE messages m SET routed_to = k.carrier_id
  FROM unnest($1::uuid[], $2::uuid[], $3::int[], $4::int[]) k(tenant_id, sending_id, position, carrier_id)
 WHERE m.tenant_id = k.tenant_id AND m.sending_id = k.sending_id AND m.position = k.position
   AND m.status = 'pending'"""


async def route(tx: Tx, routes: Sequence[tuple[Key, int]]) -> None:
    """Say over which carrier, by its id, each of these pending messages goes from now on, and over no other."""
    columns = zip(*((*key, carrier_id) for key, carrier_id in routes), strict=True)
    await tx.execute(ROUTE, *map(list, columns))


OPEN_OF_SENDING: Final = """
SELECT position, status::text FROM messages
 WHERE tenant_id = $1 AND sending_id = $2 AND position >= $3 AND position < $4
   AND status IN ('pending', 'waiting')
 ORDER BY position LIMIT $5"""


async def still_open(
    tx: Tx, tenant_id: UUID, sending_id: UUID, first: int = 0, end: int = ids.POSITION_MAX, *, rows_max: int
) -> list[tuple[int, Status]]:
    """Position and status of what has not ended, in the positions [first, end) of a sending."""
    rows = await tx.fetch(OPEN_OF_SENDING, tenant_id, sending_id, first, end, rows_max)
    return [(position, Status(status)) for position, status in rows]


COUNT_ATTEMPT: Final = """
UPDATE messages m SET attempts = m.attempts + 1
  FROM unnest($1::uuid[], $2::uuid[], $3::int[]) k(tenant_id, sending_id, position)
 WHERE m.tenant_id = k.tenant_id AND m.sending_id = k.sending_id AND m.position = k.position
   AND m.status = 'pending'"""


async def count_attempt(tx: Tx, keys: Sequence[Key]) -> None:
    """Write down that these pending messages went out and no answer came."""
    await tx.execute(COUNT_ATTEMPT, *(list(column) for column in zip(*keys, strict=True)))


@dataclass(frozen=True, slots=True)
class Detail:
    """A message with what its sending says of it; money in micro-units."""

    recipient: int
    text: str
    status: Status
    network: str | None
    price: int
    refunded: bool
    ended_at: datetime | None
    user_id: UUID
    service_id: UUID
    sender: str | None
    source: str
    created_at: datetime
    expires_at: datetime


DETAIL: Final = """
SELECT m.recipient, coalesce(m.text, s.text) AS text, m.status::text AS status, m.network, m.price, m.refunded,
       m.ended_at, s.user_id, s.service_id, s.sender, s.source, s.created_at, s.expires_at
  FROM messages m JOIN sendings s ON s.tenant_id = m.tenant_id AND s.id = m.sending_id
 WHERE m.tenant_id = $1 AND m.sending_id = $2 AND m.position = $3"""


async def detail(tx: Tx, key: Key) -> Detail | None:
    """One message, for whoever looks closely."""
    row = await tx.fetchrow(DETAIL, *key)
    return Detail(**{**row, "status": Status(row["status"])}) if row else None
