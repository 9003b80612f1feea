"""The queue: which messages wait for which carrier.

Owns the table `batches`. A row is a run of one sending's messages: every position of a stretch, or some of them
where neighbours go over other carriers. A process leases rows for some seconds, in
the order priority, turn; it renews what it still works on and deletes what is answered whole. A lease that runs
out is anybody's again, so a process that dies delays its messages and loses none.

`turn` is virtual time: a sending's k-th run stands k turns behind its first, so that customers who send at the
same time are served in turns, however many messages each of them brings.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final, NamedTuple
from uuid import UUID

from ulak.base.db import Tx, Write, write

#: Priorities: single sends go before bulk.
SINGLE: Final = 0
BULK: Final = 1

#: What one run of a bulk sending costs in turns.
RUN_TURN: Final = 1000


class NewRun(NamedTuple):
    """A run of a sending, to be queued: the positions [first, end), or only `positions` of them, which rise."""

    carrier_id: int
    priority: int
    turn: int
    tenant_id: UUID
    sending_id: UUID
    first_position: int
    end_position: int
    expires_at: datetime
    positions: list[int] | None = None


def new_run(
    positions: Sequence[int],
    *,
    carrier_id: int,
    priority: int,
    turn: int,
    tenant_id: UUID,
    sending_id: UUID,
    expires_at: datetime,
) -> NewRun:
    """A run of these positions, which rise; where they have no gaps only their ends are written."""
    first, end = positions[0], positions[-1] + 1
    gaps = end - first > len(positions)
    return NewRun(
        carrier_id,
        priority,
        turn,
        tenant_id,
        sending_id,
        first,
        end,
        expires_at,
        list(positions) if gaps else None,
    )


ADD: Final = """
INSERT INTO batches (carrier_id, priority, turn, tenant_id, sending_id, first_position, end_position, marked_to,
                     expires_at, positions)
SELECT carrier_id, priority, turn, tenant_id, sending_id, first_position, end_position, first_position, expires_at,
       positions::int[]
  FROM unnest($1::int[], $2::int[], $3::bigint[], $4::uuid[], $5::uuid[], $6::int[], $7::int[], $8::timestamptz[],
              $9::text[])
       r(carrier_id, priority, turn, tenant_id, sending_id, first_position, end_position, expires_at, positions)"""


def to_add(runs: Sequence[NewRun]) -> Write:
    """Queue runs."""
    *columns, positions = zip(*runs, strict=True)
    return Write(ADD, (*map(list, columns), list(map(written, positions))))


async def add(tx: Tx, runs: Sequence[NewRun]) -> None:
    """Queue runs, now."""
    await write(tx, to_add(runs))


def written(positions: Sequence[int] | None) -> str | None:
    """An array as PostgreSQL writes it: unnest takes arrays of arrays apart to their last element."""
    return None if positions is None else f"{{{','.join(map(str, positions))}}}"


class Run(NamedTuple):
    """A leased run. `marked_to`: positions before it may have gone out already.

    `lapsed`: whoever had it last went away without giving it back. `others`: its service has more than one carrier.
    """

    id: int
    priority: int
    turn: int
    tenant_id: UUID
    sending_id: UUID
    first_position: int
    end_position: int
    marked_to: int
    expires_at: datetime
    positions: list[int] | None
    sender: str | None
    service_id: UUID
    resend_unsure: bool
    lapsed: bool
    others: bool

    @property
    def stretch(self) -> tuple[int, UUID, UUID, int, int, str | None]:
        """Which messages it is about, as `messages.due` asks."""
        return (
            self.id,
            self.tenant_id,
            self.sending_id,
            self.first_position,
            self.end_position,
            written(self.positions),
        )


# The queue is drained again and again, so PostgreSQL believes it to be empty and would read all of it for every row
# that is joined to it. Its rows are therefore asked for by an array of ids, here and below.
LEASE: Final = """
WITH next AS MATERIALIZED (
    SELECT id, priority, turn, coalesce(cardinality(positions), end_position - first_position) AS n,
           lease IS NOT NULL AS lapsed
      FROM batches
     WHERE carrier_id = $1 AND (priority, turn) >= (0, $7) AND priority <= $2
       AND (leased_until IS NULL OR leased_until < now())
     ORDER BY priority, turn, id LIMIT $3
       FOR UPDATE SKIP LOCKED),
fitting AS (
    SELECT id, sum(n) OVER (ORDER BY priority, turn, id) - n AS before FROM next),
leased AS (
    UPDATE batches SET lease = $5, leased_until = now() + $6::interval
     WHERE id = ANY (ARRAY (SELECT id FROM fitting WHERE before < $4))
 RETURNING id, priority, turn, tenant_id, sending_id, first_position, end_position, marked_to, expires_at, positions)
SELECT l.id, l.priority, l.turn, l.tenant_id, l.sending_id, l.first_position, l.end_position, l.marked_to, l.expires_at,
       l.positions, s.sender, s.service_id, s.resend_unsure,
       l.id = ANY (ARRAY (SELECT id FROM next WHERE lapsed)) AS lapsed,
       (SELECT count(*) FROM routes r WHERE r.service_id = s.service_id) > 1 AS others
  FROM leased l JOIN sendings s ON s.tenant_id = l.tenant_id AND s.id = l.sending_id
 ORDER BY l.priority, l.turn, l.id"""


async def lease(
    tx: Tx,
    carrier_id: int,
    lease: UUID,
    *,
    priority_max: int,
    room: int,
    rows_max: int,
    seconds: float,
    singles_from: int = 0,
) -> list[Run]:
    """Take the next runs for a carrier, as many as `room` messages ask for (at least one run).

    Single sends whose turn is before `singles_from` are not looked at: whoever has just taken those up to a turn
    need not read again through what is left of them in the index.
    """
    held = timedelta(seconds=seconds)
    rows = await tx.fetch(LEASE, carrier_id, priority_max, rows_max, room, lease, held, singles_from)
    return [Run(*row) for row in rows]


WAITED_FOR: Final = """
SELECT c.id FROM unnest($1::int[]) c(id)
 WHERE EXISTS (SELECT FROM batches b
                WHERE b.carrier_id = c.id AND (b.leased_until IS NULL OR b.leased_until < now()))"""


async def waited_for(tx: Tx, carriers: Sequence[int]) -> set[int]:
    """For which of these carriers there are runs that nobody has in hand."""
    return {row["id"] for row in await tx.fetch(WAITED_FOR, carriers)}


WAITING: Final = """
SELECT b.id, b.priority, b.turn, b.tenant_id, b.sending_id, b.first_position, b.end_position, b.marked_to, b.expires_at,
       b.positions, s.sender, s.service_id, s.resend_unsure, b.lease IS NOT NULL AS lapsed, true AS others
  FROM batches b JOIN sendings s ON s.tenant_id = b.tenant_id AND s.id = b.sending_id
 WHERE b.carrier_id = $1 AND s.service_id = $2 AND s.created_at <= $3 AND b.id > $4
   AND (b.leased_until IS NULL OR b.leased_until < now())
 ORDER BY b.id LIMIT $5
   FOR UPDATE OF b SKIP LOCKED"""


async def waiting(
    tx: Tx, carrier_id: int, service_id: UUID, accepted_before: datetime, after: int, rows_max: int
) -> list[Run]:
    """Lock runs of a service that wait for a carrier and that nobody has in hand, in the order of their ids."""
    rows = await tx.fetch(WAITING, carrier_id, service_id, accepted_before, after, rows_max)
    return [Run(*row) for row in rows]


RENEW: Final = """
UPDATE batches SET leased_until = now() + $3::interval WHERE id = ANY($1::bigint[]) AND lease = $2 RETURNING id"""


async def renew(tx: Tx, runs: Sequence[int], lease: UUID, *, seconds: float) -> set[int]:
    """Hold on to leased runs; returns those that are still ours."""
    return {row["id"] for row in await tx.fetch(RENEW, runs, lease, timedelta(seconds=seconds))}


SPLIT: Final = """
WITH tail AS (
    INSERT INTO batches (carrier_id, priority, turn, tenant_id, sending_id, first_position, end_position, marked_to,
                         expires_at, positions)
    SELECT carrier_id, priority, turn, tenant_id, sending_id, $3, end_position, greatest(marked_to, $3), expires_at,
           $5::text::int[]
      FROM batches WHERE id = $1 AND lease = $2)
UPDATE batches SET end_position = $3, marked_to = least(marked_to, $3), positions = $4::text::int[]
 WHERE id = $1 AND lease = $2 RETURNING id"""


async def split(tx: Tx, run: Run, lease: UUID, cut: int) -> Run | None:
    """Put what a leased run has from position `cut` on back into the queue, in the same place.

    Returns the rest, which stays leased; None when the run is no longer ours.
    """
    head = tail = None
    if run.positions is not None:
        head = [position for position in run.positions if position < cut]
        tail = [position for position in run.positions if position >= cut]
    if await tx.fetchval(SPLIT, run.id, lease, cut, written(head), written(tail)) is None:
        return None
    return run._replace(end_position=cut, marked_to=min(run.marked_to, cut), positions=head)


MARK: Final = """
UPDATE batches b SET marked_to = m.marked_to FROM unnest($1::bigint[], $2::int[]) m(id, marked_to)
 WHERE b.id = m.id AND b.id = ANY($1) AND b.lease = $3 RETURNING b.id"""


async def mark(tx: Tx, marks: Sequence[tuple[int, int]], lease: UUID) -> set[int]:
    """Write down, before they go out, up to which position messages of a run may have gone out.

    Returns the runs that are still ours; only their messages may go.
    """
    columns = (list(column) for column in zip(*marks, strict=True))
    return {row["id"] for row in await tx.fetch(MARK, *columns, lease)}


RELEASE: Final = """
UPDATE batches b SET lease = NULL, leased_until = NULL, marked_to = r.marked_to
  FROM unnest($1::bigint[], $2::int[]) r(id, marked_to)
 WHERE b.id = r.id AND b.id = ANY($1) AND b.lease = $3"""


async def release(tx: Tx, runs: Sequence[tuple[int, int]], lease: UUID) -> None:
    """Give runs (id, marked_to) back to whoever comes next."""
    await tx.execute(RELEASE, *(list(column) for column in zip(*runs, strict=True)), lease)


LET_GO: Final = "UPDATE batches SET lease = NULL, leased_until = NULL WHERE id = ANY($1::bigint[])"


async def let_go(tx: Tx, runs: Sequence[int]) -> None:
    """Nobody has these runs in hand any more; the caller has locked them and looked after what was unsure."""
    await tx.execute(LET_GO, runs)


FINISH: Final = "DELETE FROM batches WHERE id = ANY($1::bigint[])"


def to_finish(runs: Sequence[int]) -> Write:
    """Take runs out of the queue: every message of theirs has its answer written down."""
    return Write(FINISH, (runs,))


async def finish(tx: Tx, runs: Sequence[int]) -> None:
    """The same, now."""
    await write(tx, to_finish(runs))


class Stale(NamedTuple):
    """A run whose validity passed in the queue."""

    id: int
    tenant_id: UUID
    sending_id: UUID
    first_position: int
    end_position: int
    positions: list[int] | None


EXPIRED: Final = """
DELETE FROM batches WHERE id = ANY (ARRAY (
    SELECT id FROM batches
     WHERE expires_at <= $1 AND (leased_until IS NULL OR leased_until < now())
     ORDER BY id LIMIT $2 FOR UPDATE SKIP LOCKED))
RETURNING id, tenant_id, sending_id, first_position, end_position, positions"""


async def take_expired(tx: Tx, at: datetime, rows_max: int) -> list[Stale]:
    """Take runs out of the queue whose validity has passed and that nobody is sending."""
    return [Stale(*row) for row in await tx.fetch(EXPIRED, at, rows_max)]
