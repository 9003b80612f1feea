"""Sendings: what a customer asked for in one request, with counters that say how it stands.

Owns the tables `sendings` (its messages are `store.messages`) and `tallies`, which count them by time for
`store.listing`. The counters move in the transaction that moves the messages, so a list never counts messages; CHECK
constraints hold their sum together.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Literal, NamedTuple
from uuid import UUID

from ulak.base.db import Tx, Write
from ulak.rules import ids
from ulak.rules.status import Status
from ulak.rules.stretches import Stretch

Source = Literal["api", "panel"]


class NewSending(NamedTuple):
    """A sending as it is accepted; money in micro-units. The fields stand in the order of the INSERT."""

    tenant_id: UUID
    id: UUID
    user_id: UUID
    owner_id: UUID
    service_id: UUID
    source: Source
    text: str
    search_text: str
    sender: str | None
    unit_price: int
    refund_not_sent: bool
    refund_no_signal: bool
    resend_unsure: bool
    n_valid: int
    n_invalid: int
    total_cost: int
    created_at: datetime
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class Sending:
    """A sending as it stands; money in micro-units."""

    id: UUID
    text: str
    created_at: datetime
    completed_at: datetime | None
    n_valid: int
    n_invalid: int
    n_pending: int
    n_waiting: int
    n_sent: int
    n_not_sent: int
    n_no_signal: int
    n_refunded: int
    total_cost: int
    total_refunded: int

    @property
    def n_failed(self) -> int:
        """Messages that ended without arriving."""
        return self.n_not_sent + self.n_no_signal

    def n_of(self, status: Status) -> int:
        """Messages in this status."""
        n: int = getattr(self, f"n_{status}")
        return n


ADD: Final = """
INSERT INTO sendings (tenant_id, id, user_id, owner_id, service_id, source, text, search_text, sender,
                      unit_price, refund_not_sent, refund_no_signal, resend_unsure, n_valid, n_invalid, total_cost,
                      created_at, expires_at, n_pending)
SELECT s.*, s.n_valid
  FROM unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::uuid[], $5::uuid[], $6::text[], $7::text[],
              $8::text[], $9::text[], $10::bigint[], $11::bool[], $12::bool[], $13::bool[], $14::int[], $15::int[],
              $16::bigint[], $17::timestamptz[], $18::timestamptz[])
       s(tenant_id, id, user_id, owner_id, service_id, source, text, search_text, sender,
         unit_price, refund_not_sent, refund_no_signal, resend_unsure, n_valid, n_invalid, total_cost,
         created_at, expires_at)"""


def to_add(new: Sequence[NewSending]) -> Write:
    """Write sendings whose messages are all pending; to be written with `to_tally` of the same."""
    return Write(ADD, tuple(list(column) for column in zip(*new, strict=True)))


TALLY: Final = """
INSERT INTO tallies AS t (tenant_id, minutes, starts, source, n)
SELECT a.tenant_id, a.minutes, a.starts, a.source, a.n
  FROM unnest($1::uuid[], $2::smallint[], $3::timestamptz[], $4::text[], $5::int[])
       a(tenant_id, minutes, starts, source, n)
    ON CONFLICT (tenant_id, minutes, starts, source) DO UPDATE SET n = t.n + excluded.n"""


def to_tally(new: Iterable[NewSending]) -> Write:
    """Count sendings in their minute and their day; holds their tenants' tallies until the transaction ends.

    Whoever counts at the same time waits in the same order, so that two never wait for each other.
    """
    counted: Counter[tuple[UUID, int, datetime, Source]] = Counter()
    for one in new:
        minute = one.created_at.replace(second=0, microsecond=0)
        counted[one.tenant_id, 1, minute, one.source] += 1
        counted[one.tenant_id, 1440, minute.replace(hour=0, minute=0), one.source] += 1
    columns = zip(*((*which, n) for which, n in sorted(counted.items())), strict=True)
    return Write(TALLY, tuple(map(list, columns)))


#: The columns of `Sending`.
COLUMNS: Final = """id, text, created_at, completed_at, n_valid, n_invalid, n_pending, n_waiting, n_sent,
       n_not_sent, n_no_signal, n_refunded, total_cost, total_refunded"""


@dataclass(frozen=True, slots=True)
class Part:
    """What a request pages through: a tenant's sendings of a stretch of time, of one source or of all."""

    tenant_id: UUID
    stretch: Stretch
    source: Source | None

    @property
    def sources(self) -> list[Source]:
        """Each source there is, or the one."""
        return ["api", "panel"] if self.source is None else [self.source]

    @property
    def key(self) -> tuple[UUID, UUID, UUID]:
        """The tenant, the first id and the one after the last."""
        return self.tenant_id, ids.first_id(self.stretch.first), ids.first_id(self.stretch.end)


FIND: Final = f"SELECT {COLUMNS} FROM sendings WHERE tenant_id = $1 AND id = $2"


async def find(tx: Tx, tenant_id: UUID, sending_id: UUID) -> Sending | None:
    """One sending of a tenant."""
    row = await tx.fetchrow(FIND, tenant_id, sending_id)
    return Sending(*row.values()) if row else None


class Move(NamedTuple):
    """How a sending's counters change; the order of the UPDATE's arrays."""

    tenant_id: UUID
    sending_id: UUID
    pending: int = 0
    waiting: int = 0
    sent: int = 0
    not_sent: int = 0
    no_signal: int = 0
    refunded: int = 0
    amount_refunded: int = 0

    def __add__(self, other: tuple[object, ...]) -> "Move":
        """Both changes of the same sending in one."""
        assert isinstance(other, Move)
        sums = (mine + its for mine, its in zip(self[2:], other[2:], strict=True))
        return Move(self.tenant_id, self.sending_id, *sums)


COUNT_ON: Final = """
UPDATE sendings s
   SET n_pending = s.n_pending + d.pending, n_waiting = s.n_waiting + d.waiting, n_sent = s.n_sent + d.sent,
       n_not_sent = s.n_not_sent + d.not_sent, n_no_signal = s.n_no_signal + d.no_signal,
       n_refunded = s.n_refunded + d.refunded, total_refunded = s.total_refunded + d.amount_refunded,
       completed_at = CASE WHEN s.n_pending + d.pending + s.n_waiting + d.waiting = 0 THEN $10::timestamptz END
  FROM unnest($1::uuid[], $2::uuid[], $3::int[], $4::int[], $5::int[], $6::int[], $7::int[], $8::int[], $9::bigint[])
       d(tenant_id, sending_id, pending, waiting, sent, not_sent, no_signal, refunded, amount_refunded)
 WHERE s.tenant_id = d.tenant_id AND s.id = d.sending_id"""


async def count_on(tx: Tx, moves: Iterable[Move], at: datetime) -> None:
    """Move the counters of many sendings; a sending with nothing left open is completed at `at`."""
    total: dict[tuple[UUID, UUID], Move] = {}
    for move in moves:
        key = move[:2]
        total[key] = total[key] + move if key in total else move
    if total:
        ordered = [total[key] for key in sorted(total)]
        await tx.execute(COUNT_ON, *(list(column) for column in zip(*ordered, strict=True)), at)
