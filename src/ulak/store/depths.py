"""Depths: how much waits in the queue for each carrier, and since when; at a bounded cost, however much that is.

Reads `batches`, which `store.queue` owns, and writes nothing.
"""

from collections.abc import Sequence
from typing import Final, NamedTuple
from uuid import UUID

import asyncpg

from ulak.base.db import Tx
from ulak.store.queue import BULK, SINGLE


class Depth(NamedTuple):
    """What waits for a carrier: runs, the messages in them, and the sending that has waited longest.

    `about` is True where runs and messages are an estimate.
    """

    carrier_id: int
    runs: int
    messages: int
    about: bool
    oldest: UUID | None


#: So many runs of each carrier are counted one by one, and so many pages are looked at where there are more.
COUNTED_MAX: Final = 10_000
SAMPLED_PAGES: Final = 2000
#: Of each priority; among bulk runs, which stand in turns, the oldest sending need not be the first.
HEAD_RUNS: Final = 100

DEPTHS: Final = f"""
SELECT c.id AS carrier_id, d.runs, d.messages, d.runs > $2 AS about, (
       SELECT h.sending_id
         FROM (VALUES ({SINGLE}), ({BULK})) p(priority)
        CROSS JOIN LATERAL (
              SELECT b.sending_id FROM batches b WHERE b.carrier_id = c.id AND b.priority = p.priority
               ORDER BY b.priority, b.turn, b.id LIMIT {HEAD_RUNS}) h
        ORDER BY h.sending_id LIMIT 1) AS oldest
  FROM unnest($1::int[]) c(id)
 CROSS JOIN LATERAL (
       SELECT count(*) AS runs, coalesce(sum(n), 0)::bigint AS messages
         FROM (SELECT coalesce(cardinality(b.positions), b.end_position - b.first_position) AS n
                 FROM batches b WHERE b.carrier_id = c.id ORDER BY b.carrier_id, b.priority, b.turn, b.id
                LIMIT $2 + 1) counted) d"""

# Pages chosen at random, so that it takes as long for ten million runs as for ten thousand.
SAMPLED: Final = """
SELECT carrier_id, count(*) AS runs,
       sum(coalesce(cardinality(positions), end_position - first_position))::bigint AS messages
  FROM batches TABLESAMPLE SYSTEM ($1) GROUP BY carrier_id"""
PAGES: Final = "SELECT greatest(1, pg_relation_size('batches') / current_setting('block_size')::bigint)"


async def read(tx: Tx, carriers: Sequence[int]) -> list[Depth]:
    """What waits for each of these carriers, what is being sent included; however much that is, it takes no longer than
    reading some ten thousand runs."""
    found = [Depth(*row) for row in await tx.fetch(DEPTHS, carriers, COUNTED_MAX)]
    if not any(one.about for one in found):
        return found
    percent = min(100.0, 100.0 * SAMPLED_PAGES / await tx.fetchval(PAGES))
    sampled = {row["carrier_id"]: row for row in await tx.fetch(SAMPLED, percent)}
    return [_extrapolated(one, sampled.get(one.carrier_id), percent) if one.about else one for one in found]


def _extrapolated(counted: Depth, sampled: asyncpg.Record | None, percent: float) -> Depth:
    """What a sample says of the whole, which is not less than what was counted."""
    if sampled is None:
        return counted
    runs, messages = (round(sampled[what] * 100 / percent) for what in ("runs", "messages"))
    return counted._replace(
        runs=max(counted.runs, runs), messages=max(counted.messages, messages), about=percent < 100
    )
