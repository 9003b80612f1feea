"""The pulse: what happens each moment in all processes, in slots of time. Owns the table `pulse`.

A slot's counts are added to while it lasts and for a moment after; nothing here outlives a crash of the database, and
nothing that is kept or paid for is ever made from it.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Final, NamedTuple

from ulak.base.db import Tx

#: How long a slot is.
SLOT_SECONDS: Final = 10

Key = tuple[str, int, str]
"""What is counted, about which carrier (0: none), and which kind of it ('': there is only one)."""

#: The slot that an instant lies in, by the database's clock, which is the same for every process.
_SLOT: Final = f"date_bin(interval '{SLOT_SECONDS} seconds', now(), timestamptz '2000-01-01 00:00:00Z')"

# In one order everywhere, so that two processes never wait for each other.
ADD: Final = f"""
INSERT INTO pulse AS p (what, starts, carrier_id, label, n)
SELECT a.what, {_SLOT}, a.carrier_id, a.label, a.n
  FROM unnest($1::text[], $2::int[], $3::text[], $4::bigint[]) a(what, carrier_id, label, n)
 ORDER BY a.what, a.carrier_id, a.label
    ON CONFLICT (what, starts, carrier_id, label) DO UPDATE SET n = p.n + excluded.n"""


async def add(tx: Tx, counts: Mapping[Key, int]) -> None:
    """Add what was counted to the slot of now."""
    whats, carriers, labels = zip(*counts, strict=True)
    await tx.execute(ADD, whats, carriers, labels, list(counts.values()))


class Point(NamedTuple):
    """How much of a label there was in a step; steps count from 0."""

    label: str
    step: int
    n: int


SERIES: Final = """
SELECT label, (extract(epoch FROM starts - $2)::bigint / $4)::int AS step, sum(n)::bigint AS n
  FROM pulse
 WHERE what = $1 AND starts >= $2 AND starts < $3 AND ($5::int IS NULL OR carrier_id = $5)
 GROUP BY 1, 2 ORDER BY 1, 2"""


async def series(
    tx: Tx, what: str, since: datetime, until: datetime, step_seconds: int, carrier_id: int | None
) -> list[Point]:
    """What was counted in slots that begin from `since` up to `until`, by label and step; steps without any are
    missing. `carrier_id` None: whatever carrier it is about."""
    rows = await tx.fetch(SERIES, what, since, until, step_seconds, carrier_id)
    return [Point(*row) for row in rows]


class Total(NamedTuple):
    """How much of something there was: since a first moment, since a second, and in the whole slots from a third on."""

    what: str
    carrier_id: int
    label: str
    n: int
    recent: int
    current: int


TOTALS: Final = f"""
SELECT what, carrier_id, label, sum(n)::bigint AS n,
       coalesce(sum(n) FILTER (WHERE starts >= $3), 0)::bigint AS recent,
       coalesce(sum(n) FILTER (WHERE starts >= {_SLOT} - $4 * interval '{SLOT_SECONDS} seconds'
                                 AND starts < {_SLOT}), 0)::bigint AS current
  FROM pulse WHERE what = ANY($1::text[]) AND starts >= $2
 GROUP BY what, carrier_id, label"""


async def totals(
    tx: Tx, whats: Sequence[str], since: datetime, recently: datetime, current_slots: int
) -> list[Total]:
    """Sums of several things since then, and recently, and in the last whole slots, so many."""
    rows = await tx.fetch(TOTALS, whats, since, recently, current_slots)
    return [Total(*row) for row in rows]


NEWEST: Final = "SELECT starts FROM pulse WHERE what = $1 ORDER BY starts DESC LIMIT 1"


async def newest(tx: Tx, what: str) -> datetime | None:
    """The slot in which something was counted last."""
    at: datetime | None = await tx.fetchval(NEWEST, what)
    return at


LATEST: Final = "SELECT label, max(starts) AS starts FROM pulse WHERE what = $1 GROUP BY label"


async def latest(tx: Tx, what: str) -> dict[str, datetime]:
    """The slot in which each kind of a thing was counted last."""
    return {row["label"]: row["starts"] for row in await tx.fetch(LATEST, what)}


# Each thing's old slots are a range of the primary key.
FORGET: Final = """
WITH RECURSIVE whats AS (
    (SELECT what FROM pulse ORDER BY what LIMIT 1)
     UNION ALL
    SELECT (SELECT p.what FROM pulse p WHERE p.what > w.what ORDER BY p.what LIMIT 1) FROM whats w
     WHERE w.what IS NOT NULL)
DELETE FROM pulse WHERE what = ANY (ARRAY (SELECT what FROM whats WHERE what IS NOT NULL)) AND starts < $1"""


async def forget_old(tx: Tx, before: datetime) -> None:
    """Delete the slots that began before."""
    await tx.execute(FORGET, before)
