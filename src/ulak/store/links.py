"""Links: how the connections to carriers stand, as the processes that keep them say. Owns `links` and `buckets`.

Nothing here outlives a crash of the database, and nothing has to: every process says it anew within seconds.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, Literal, NamedTuple
from uuid import UUID

from ulak.base.db import Tx

State = Literal["connecting", "bound", "refused", "unreachable", "lost"]

#: A connection of which nothing was heard for so long is over: its process is gone.
FRESH_SECONDS: Final = 10


class Report(NamedTuple):
    """How one connection stands, and since when; `throttled_since` while its carrier takes less than it could."""

    carrier_id: int
    number: int
    state: State
    reason: str | None
    since: datetime
    throttled_since: datetime | None


TELL: Final = """
INSERT INTO links (carrier_id, process, number, state, reason, since, throttled_since, seen_at)
SELECT r.carrier_id, $7, r.number, r.state, r.reason, r.since, r.throttled_since, now()
  FROM unnest($1::int[], $2::int[], $3::text[], $4::text[], $5::timestamptz[], $6::timestamptz[])
       r(carrier_id, number, state, reason, since, throttled_since)
    ON CONFLICT (carrier_id, process, number) DO UPDATE
   SET state = excluded.state, reason = excluded.reason, since = excluded.since,
       throttled_since = excluded.throttled_since, seen_at = excluded.seen_at"""


async def tell(tx: Tx, process: UUID, reports: Sequence[Report]) -> None:
    """Say how the connections of a process stand."""
    await tx.execute(TELL, *(list(column) for column in zip(*reports, strict=True)), process)


LEAVE: Final = "DELETE FROM links WHERE process = $1 AND carrier_id = ANY($2::int[])"


async def leave(tx: Tx, process: UUID, carriers: Sequence[int]) -> None:
    """A process keeps no connections to these carriers any more."""
    await tx.execute(LEAVE, process, carriers)


@dataclass(frozen=True, slots=True)
class Link:
    """How one connection stands; `fresh` is False when its process has said nothing of late."""

    carrier_id: int
    process: UUID
    number: int
    state: State
    reason: str | None
    since: datetime
    throttled_since: datetime | None
    seen_at: datetime
    fresh: bool


ALL: Final = f"""
SELECT carrier_id, process, number, state, reason, since, throttled_since, seen_at,
       seen_at > now() - interval '{FRESH_SECONDS} seconds' AS fresh
  FROM links ORDER BY carrier_id, number, process"""


async def all(tx: Tx) -> list[Link]:
    """Every connection that somebody spoke of, also those of processes that are gone."""
    return [Link(**row) for row in await tx.fetch(ALL)]


FORGET: Final = "DELETE FROM links WHERE seen_at < $1"


async def forget_old(tx: Tx, before: datetime) -> None:
    """Delete what processes said that have been gone for long."""
    await tx.execute(FORGET, before)


RESERVE: Final = """
INSERT INTO buckets AS b (carrier_id, next_at) VALUES ($1, clock_timestamp() + $2::interval)
    ON CONFLICT (carrier_id) DO UPDATE
   SET next_at = greatest(b.next_at, clock_timestamp() - $2::interval) + $2::interval
RETURNING next_at - $2::interval - clock_timestamp()"""


async def reserve(tx: Tx, carrier_id: int, seconds: float) -> float:
    """Take so many seconds of a carrier's time; returns in how many seconds they begin, not above 0 for now.

    They begin where the last ones ended, whoever took those; of time that nobody took as much as is asked for
    now is kept.
    """
    wait: timedelta = await tx.fetchval(RESERVE, carrier_id, timedelta(seconds=seconds))
    return wait.total_seconds()
