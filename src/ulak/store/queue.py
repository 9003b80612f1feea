"""The queue: which messages wait for which carrier.

Owns the table `batches`. A row is a run of one sending's messages. A process leases rows for some seconds, in
the order priority, turn; it renews what it still works on and deletes what is answered whole. A lease that runs
out is anybody's again, so a process that dies delays its messages and loses none.

`turn` is virtual time: a sending's k-th run stands k turns behind its first, so that customers who send at the
same time are served in turns, however many messages each of them brings.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final, NamedTuple
from uuid import UUID

from ulak.base.db import Tx

#: Priorities: single sends go before bulk.
SINGLE: Final = 0
BULK: Final = 1

#: What one run of a bulk sending costs in turns.
RUN_TURN: Final = 1000


class NewRun(NamedTuple):
    """A run of positions [first, end) of a sending, to be queued."""

    carrier_id: int
    priority: int
    turn: int
    tenant_id: UUID
    sending_id: UUID
    first_position: int
    end_position: int
    expires_at: datetime


ADD: Final = """
INSERT INTO batches (carrier_id, priority, turn, tenant_id, sending_id, first_position, end_position, marked_to,
                     expires_at)
SELECT carrier_id, priority, turn, tenant_id, sending_id, first_position, end_position, first_position, expires_at
  FROM unnest($1::int[], $2::int[], $3::bigint[], $4::uuid[], $5::uuid[], $6::int[], $7::int[], $8::timestamptz[])
       r(carrier_id, priority, turn, tenant_id, sending_id, first_position, end_position, expires_at)"""


async def add(tx: Tx, runs: Sequence[NewRun]) -> None:
    """Queue runs."""
    await tx.execute(ADD, *(list(column) for column in zip(*runs, strict=True)))


class Run(NamedTuple):
    """A leased run. `marked_to`: positions before it may have gone out already."""

    id: int
    priority: int
    tenant_id: UUID
    sending_id: UUID
    first_position: int
    end_position: int
    marked_to: int
    expires_at: datetime
    sender: str | None
    resend_unsure: bool


LEASE: Final = """
WITH next AS (
    SELECT id, priority, turn, end_position - first_position AS n FROM batches
     WHERE carrier_id = $1 AND priority <= $2 AND (leased_until IS NULL OR leased_until < now())
     ORDER BY priority, turn, id LIMIT $3
       FOR UPDATE SKIP LOCKED),
fitting AS (
    SELECT id, sum(n) OVER (ORDER BY priority, turn, id) - n AS before FROM next),
leased AS (
    UPDATE batches b SET lease = $5, leased_until = now() + $6::interval
      FROM fitting f WHERE f.id = b.id AND f.before < $4
 RETURNING b.id, b.priority, b.turn, b.tenant_id, b.sending_id, b.first_position, b.end_position, b.marked_to,
           b.expires_at)
SELECT l.id, l.priority, l.tenant_id, l.sending_id, l.first_position, l.end_position, l.marked_to, l.expires_at,
       s.sender, s.resend_unsure
  FROM leased l JOIN sendings s ON s.tenant_id = l.tenant_id AND s.id = l.sending_id
 ORDER BY l.priority, l.turn, l.id"""


async def lease(
    tx: Tx, carrier_id: int, lease: UUID, *, priority_max: int, room: int, rows_max: int, seconds: float
) -> list[Run]:
    """Take the next runs for a carrier, as many as `room` messages ask for (at least one run)."""
    rows = await tx.fetch(LEASE, carrier_id, priority_max, rows_max, room, lease, timedelta(seconds=seconds))
    return [Run(*row) for row in rows]


RENEW: Final = """
UPDATE batches SET leased_until = now() + $3::interval WHERE id = ANY($1::bigint[]) AND lease = $2 RETURNING id"""


async def renew(tx: Tx, runs: Sequence[int], lease: UUID, *, seconds: float) -> set[int]:
    """Hold on to leased runs; returns those that are still ours."""
    return {row["id"] for row in await tx.fetch(RENEW, runs, lease, timedelta(seconds=seconds))}


MARK: Final = """
UPDATE batches b SET marked_to = m.marked_to FROM unnest($1::bigint[], $2::int[]) m(id, marked_to)
 WHERE b.id = m.id AND b.lease = $3 RETURNING b.id"""


async def mark(tx: Tx, marks: Sequence[tuple[int, int]], lease: UUID) -> set[int]:
    """Write down, before they go out, up to which position messages of a run may have gone out.

    Returns the runs that are still ours; only their messages may go.
    """
    columns = (list(column) for column in zip(*marks, strict=True))
    return {row["id"] for row in await tx.fetch(MARK, *columns, lease)}


RELEASE: Final = """
UPDATE batches b SET lease = NULL, leased_until = NULL, marked_to = r.marked_to
  FROM unnest($1::bigint[], $2::int[]) r(id, marked_to) WHERE b.id = r.id AND b.lease = $3"""


async def release(tx: Tx, runs: Sequence[tuple[int, int]], lease: UUID) -> None:
    """Give runs (id, marked_to) back to whoever comes next."""
    await tx.execute(RELEASE, *(list(column) for column in zip(*runs, strict=True)), lease)


FINISH: Final = "DELETE FROM batches WHERE id = ANY($1::bigint[])"


async def finish(tx: Tx, runs: Sequence[int]) -> None:
    """Take runs out of the queue: every message of theirs has its answer written down."""
    await tx.execute(FINISH, runs)


class Stale(NamedTuple):
    """A run whose validity passed in the queue."""

    id: int
    tenant_id: UUID
    sending_id: UUID
    first_position: int
    end_position: int


EXPIRED: Final = """
DELETE FROM batches WHERE id IN (
    SELECT id FROM batches
     WHERE expires_at <= $1 AND (leased_until IS NULL OR leased_until < now())
     ORDER BY id LIMIT $2 FOR UPDATE SKIP LOCKED)
RETURNING id, tenant_id, sending_id, first_position, end_position"""


async def take_expired(tx: Tx, at: datetime, rows_max: int) -> list[Stale]:
    """Take runs out of the queue whose validity has passed and that nobody is sending."""
    return [Stale(*row) for row in await tx.fetch(EXPIRED, at, rows_max)]
