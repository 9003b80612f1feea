"""What a tenant's sendings come to, by the hour: gathered, and read as the sums of days.

Owns the table `hours`; reads `sendings` and `tallies`. A completed sending never changes, so what the completed ones of
an hour come to is summed once, in the background (`flow.summarised`), and the few that went on are remembered beside
it and read where they are. A sending that became visible after its hour was gathered is missed by the count of its day,
which its own transaction wrote (`sendings.to_tally`): such an hour, and each that is not gathered, is summed from its
sendings. So the sums are exact at any moment, and hours may be thrown away and gathered anew.

Days are whatever lies between the moments asked for. Where one begins within an hour of UTC, as in India, that hour is
summed from its sendings on both sides.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime
from itertools import pairwise
from typing import Final, NamedTuple
from uuid import UUID

from ulak.base.db import Tx
from ulak.rules import ids, stretches
from ulak.rules.stretches import DAY, HOUR, Stretch

#: An hour of which more go on is not gathered yet.
OPEN_MAX: Final = 1000

#: What is summed: the columns of `hours`, as `sendings` calls them too.
SUMMED: Final = (
    "n_valid",
    "n_sent",
    "n_not_sent",
    "n_no_signal",
    "n_refunded",
    "total_cost",
    "total_refunded",
)
_COLUMNS: Final = ", ".join(SUMMED)


class Sums(NamedTuple):
    """What some sendings come to: messages, and money in micro-units. The fields stand in the order of the columns."""

    n_sendings: int = 0
    n_valid: int = 0
    n_sent: int = 0
    n_not_sent: int = 0
    n_no_signal: int = 0
    n_refunded: int = 0
    total_cost: int = 0
    total_refunded: int = 0

    @property
    def n_failed(self) -> int:
        """Messages that ended without arriving."""
        return self.n_not_sent + self.n_no_signal

    @property
    def n_open(self) -> int:
        """Messages that have not ended."""
        return self.n_valid - self.n_sent - self.n_failed


# An hour with something open is looked at again when half of that has ended, so that nobody counts an hour for each of
# its receipts.
DUE: Final = """
SELECT h.starts
  FROM unnest($2::timestamptz[], $3::uuid[], $4::uuid[]) h(starts, first_id, end_id)
 CROSS JOIN LATERAL (
       SELECT sum(t.n) AS n FROM tallies t
        WHERE t.tenant_id = $1 AND t.minutes = 1 AND t.starts >= h.starts AND t.starts < h.starts + interval '1 hour') t
  LEFT JOIN hours g ON g.tenant_id = $1 AND g.starts = h.starts
 CROSS JOIN LATERAL (
       SELECT count(*) AS n
         FROM (SELECT FROM sendings s
                WHERE s.tenant_id = $1 AND s.id >= h.first_id AND s.id < h.end_id AND s.completed_at IS NULL
                LIMIT $5 + 1) going_on) o
 WHERE t.n > 0 AND o.n <= $5
   AND (g.n_sendings IS DISTINCT FROM t.n OR g.open_ids <> '{}' AND o.n <= cardinality(g.open_ids) / 2)
 ORDER BY h.starts DESC"""


async def due(tx: Tx, tenant_id: UUID, day: datetime, until: datetime) -> list[datetime]:
    """The hours of a day (of UTC) that are to be gathered, newest first: over by `until`, and not gathered, or not as
    they are now."""
    first = stretches.milliseconds(day)
    end = min(first + DAY, stretches.milliseconds(until) // HOUR * HOUR)
    starts = range(first, end, HOUR)
    firsts, ends = ([ids.first_id(ms + its) for ms in starts] for its in (0, HOUR))
    rows = await tx.fetch(DUE, tenant_id, [stretches.instant(ms) for ms in starts], firsts, ends, OPEN_MAX)
    return [row[0] for row in rows]


# Whoever saw more wins, whichever of two couriers comes last: sendings only come, and are only completed.
GATHER: Final = f"""
INSERT INTO hours AS h (tenant_id, starts, n_sendings, open_ids, {_COLUMNS})
SELECT $1, $2, count(*), coalesce(array_agg(id) FILTER (WHERE completed_at IS NULL), '{{}}'),
       {", ".join(f"coalesce(sum({name}) FILTER (WHERE completed_at IS NOT NULL), 0)" for name in SUMMED)}
  FROM sendings WHERE tenant_id = $1 AND id >= $3 AND id < $4
HAVING count(*) > 0 AND count(*) FILTER (WHERE completed_at IS NULL) <= $5
    ON CONFLICT (tenant_id, starts) DO UPDATE
   SET n_sendings = excluded.n_sendings, open_ids = excluded.open_ids,
       {", ".join(f"{name} = excluded.{name}" for name in SUMMED)}
 WHERE (h.n_sendings, -cardinality(h.open_ids)) < (excluded.n_sendings, -cardinality(excluded.open_ids))
RETURNING n_sendings"""


async def gather(tx: Tx, tenant_id: UUID, hour: datetime) -> bool:
    """Sum up an hour; says whether anything is known now that was not."""
    first = stretches.milliseconds(hour)
    its = ids.first_id(first), ids.first_id(first + HOUR)
    return await tx.fetchval(GATHER, tenant_id, hour, *its, OPEN_MAX) is not None


async def days(tx: Tx, tenant_id: UUID, starts: Sequence[datetime]) -> list[Sums]:
    """What a tenant's sendings of each day come to, in a moment (`Database.moment`): `starts` are the moments at which
    the days begin, ascending, and the one at which the last of them ends."""
    bounds = [stretches.between(at, None).first for at in starts]
    gathered, live = await _gathered(tx, tenant_id, Stretch(bounds[0], bounds[-1]))
    summed: list[list[tuple[int, ...]]] = [[] for _ in bounds[1:]]
    pieces: list[tuple[int, UUID, UUID]] = []
    for nth, day in enumerate(map(Stretch._make, pairwise(bounds))):
        whole, rests = stretches.in_hours(day)
        pieces += [(nth, *_ids(rest)) for rest in rests]
        for hour in range(whole.first, whole.end, HOUR) if whole else ():
            if hour in live:
                pieces.append((nth, *_ids(Stretch(hour, hour + HOUR))))
            elif hour in gathered:
                sums, open_ids = gathered[hour]
                summed[nth].append(sums)
                pieces += [(nth, one, UUID(int=one.int + 1)) for one in open_ids]
    for nth, *its in await _sum(tx, tenant_id, pieces):
        summed[nth].append(tuple(its))
    return [Sums(*map(sum, zip(*of_day, strict=True))) for of_day in summed]


def _ids(stretch: Stretch) -> tuple[UUID, UUID]:
    return ids.first_id(stretch.first), ids.first_id(stretch.end)


GATHERED: Final = f"""
SELECT (extract(epoch FROM starts) * 1000)::bigint, open_ids, n_sendings - cardinality(open_ids), {_COLUMNS}
  FROM hours WHERE tenant_id = $1 AND starts >= $2 AND starts < $3"""
TALLIED_DAYS: Final = """
SELECT (extract(epoch FROM starts) * 1000)::bigint, sum(n)::bigint
  FROM tallies WHERE tenant_id = $1 AND minutes = 1440 AND starts >= $2 AND starts < $3
 GROUP BY starts"""
TALLIED_HOURS: Final = """
SELECT (extract(epoch FROM date_trunc('hour', t.starts, 'UTC')) * 1000)::bigint, sum(t.n)::bigint
  FROM unnest($2::timestamptz[]) d(starts)
  JOIN tallies t
    ON t.tenant_id = $1 AND t.minutes = 1 AND t.starts >= d.starts AND t.starts < d.starts + interval '1 day'
 GROUP BY 1"""

_Hours = dict[int, tuple[tuple[int, ...], list[UUID]]]


async def _gathered(tx: Tx, tenant_id: UUID, whole: Stretch) -> tuple[_Hours, set[int]]:
    """The gathered hours, by the millisecond they begin at, with their sums and what was open; and those of which there
    are other sendings too. Of whole days of UTC, because those are counted."""
    bounds = stretches.instant(whole.first // DAY * DAY), stretches.instant(-(-whole.end // DAY) * DAY)
    gathered: _Hours = {}
    held: dict[int, int] = {}
    for hour, open_ids, *sums in await tx.fetch(GATHERED, tenant_id, *bounds):
        gathered[hour] = tuple(sums), open_ids
        held[hour] = sums[0] + len(open_ids)
    in_day: dict[int, int] = {}  # sendings only come, so a day that has them all has them in every hour
    for hour, n in held.items():
        in_day[hour // DAY * DAY] = in_day.get(hour // DAY * DAY, 0) + n
    tallied = await tx.fetch(TALLIED_DAYS, tenant_id, *bounds)
    lacking = [stretches.instant(day) for day, n in tallied if n != in_day.get(day)]
    counted = await tx.fetch(TALLIED_HOURS, tenant_id, lacking) if lacking else []
    return gathered, {hour for hour, n in counted if n != held.get(hour)}


SUM: Final = f"""
SELECT p.nth, sum(s.n)::bigint, {", ".join(f"sum(s.{name})::bigint" for name in SUMMED)}
  FROM unnest($2::int[], $3::uuid[], $4::uuid[]) p(nth, first_id, end_id)
 CROSS JOIN LATERAL (
       SELECT count(*) AS n, {", ".join(f"sum({name}) AS {name}" for name in SUMMED)}
         FROM sendings WHERE tenant_id = $1 AND id >= p.first_id AND id < p.end_id
       HAVING count(*) > 0) s
 GROUP BY p.nth"""


async def _sum(tx: Tx, tenant_id: UUID, pieces: Sequence[tuple[int, UUID, UUID]]) -> Sequence[Iterable[int]]:
    """Sendings between ids, summed where they are, by the number that is given to each piece."""
    return await tx.fetch(SUM, tenant_id, *map(list, zip(*pieces, strict=True))) if pieces else []
