"""Searching the texts of a tenant's sendings: which hold something, and how many do.

Owns `search_blocks` and `search_days`. A block holds the folded texts of many sendings, so that looking through all
of a tenant's millions reads few rows (docs/decisions/0012). `flow.searchable` gathers them in the background; what is
not gathered is looked for in `sendings` itself. Whether a day's blocks are complete is never assumed: what they hold
and what came after them must be as many as the day's tally says, or the day is searched without them.
"""

import collections
from collections.abc import Sequence
from datetime import datetime
from typing import Final, NamedTuple
from uuid import UUID

from ulak.base.db import Tx
from ulak.rules import ids, stretches
from ulak.rules.stretches import DAY, HOUR, Stretch
from ulak.store.sendings import Part

#: Ends each text in a block; where a text itself holds it, the block has the next character instead.
END_OF_TEXT: Final = "\x01"
STAND_IN: Final = "\x02"
#: As many bytes as leave room in a page for one text more.
BLOCK_BYTES_MAX: Final = 7200
_ID_BYTES: Final = 16


class Day(NamedTuple):
    """How far a day of a tenant is gathered."""

    n: int
    until: datetime


class Places(NamedTuple):
    """Where a stretch of time has to be searched."""

    blocks: list[Stretch]
    rows: list[Stretch]


class Found(NamedTuple):
    """So many matches in a stretch within an hour, and whether its blocks hold them."""

    stretch: Stretch
    n: int
    in_blocks: bool


async def page(
    tx: Tx, part: Part, search: str, without: Sequence[UUID], *, offset: int, limit: int
) -> tuple[int, list[UUID]]:
    """How many of a part hold `search`, and the ids of one page of them, newest first.

    `search` is folded and not empty. Those of `without` are matches as well, and are left out.
    """
    found = await _count(tx, part, search)
    left_out = collections.Counter(map(ids.milliseconds_of, without))
    newest_first = sorted(((*entry.stretch, entry.n) for entry in found), reverse=True)
    counted = stretches.less(newest_first, left_out)
    total = sum(n for _, _, n in counted)
    chosen, offset = stretches.window(counted, offset, limit)
    if not chosen:
        return total, []
    in_blocks = {entry.stretch for entry in found if entry.in_blocks}
    blocks = [stretch for stretch in chosen if stretch in in_blocks]
    rows = [stretch for stretch in chosen if stretch not in in_blocks]
    found_ids = await tx.fetch(
        FOUND,
        *part.key,
        part.sources,
        search,
        [stretches.instant(stretch.first // HOUR * HOUR) for stretch in blocks],
        [ids.first_id(stretch.first) for stretch in rows],
        [ids.first_id(stretch.end) for stretch in rows],
        without,
        offset,
        limit,
    )
    return total, [row[0] for row in found_ids]


FOUND: Final = """
SELECT id
  FROM (SELECT u.id
          FROM unnest($6::timestamptz[]) h(starts)
          JOIN search_blocks b ON b.tenant_id = $1 AND b.starts = h.starts
         CROSS JOIN LATERAL unnest(b.ids, string_to_array(b.texts, U&'\\0001')) u(id, text)
         WHERE b.source = ANY($4::text[]) AND strpos(b.texts, $5) > 0
           AND u.id >= $2 AND u.id < $3 AND strpos(u.text, $5) > 0
         UNION ALL
        SELECT s.id
          FROM unnest($7::uuid[], $8::uuid[]) r(first_id, end_id)
          JOIN sendings s ON s.tenant_id = $1 AND s.id >= r.first_id AND s.id < r.end_id
         WHERE s.source = ANY($4::text[]) AND strpos(s.search_text, $5) > 0) found
 WHERE id <> ALL($9::uuid[])
 ORDER BY id DESC OFFSET $10 LIMIT $11"""

# A block that lies whole within the range is cut at what is looked for: a text holds it as often as one ends behind it.
IN_BLOCKS: Final = """
SELECT starts, sum(n)::bigint
  FROM (SELECT b.starts, count(*) AS n
          FROM unnest($6::timestamptz[], $7::timestamptz[]) r(starts, ends)
          JOIN search_blocks b ON b.tenant_id = $1 AND b.starts >= r.starts AND b.starts < r.ends
         CROSS JOIN LATERAL string_to_table(b.texts, $5) WITH ORDINALITY c(piece, nth)
         WHERE b.source = ANY($4::text[]) AND b.first_id >= $2 AND b.last_id < $3 AND strpos(b.texts, $5) > 0
           AND c.nth > 1 AND strpos(c.piece, U&'\\0001') > 0
         GROUP BY b.starts
         UNION ALL
        SELECT b.starts, count(*)
          FROM unnest($6::timestamptz[], $7::timestamptz[]) r(starts, ends)
          JOIN search_blocks b ON b.tenant_id = $1 AND b.starts >= r.starts AND b.starts < r.ends
         CROSS JOIN LATERAL unnest(b.ids, string_to_array(b.texts, U&'\\0001')) u(id, text)
         WHERE b.source = ANY($4::text[]) AND NOT (b.first_id >= $2 AND b.last_id < $3)
           AND b.first_id < $3 AND b.last_id >= $2 AND strpos(b.texts, $5) > 0
           AND u.id >= $2 AND u.id < $3 AND strpos(u.text, $5) > 0
         GROUP BY b.starts) counted
 GROUP BY starts"""

IN_ROWS: Final = """
SELECT date_trunc('hour', s.created_at, 'UTC'), count(*)
  FROM sendings s
 WHERE s.tenant_id = $1 AND s.id >= $2 AND s.id < $3 AND s.source = ANY($4::text[]) AND strpos(s.search_text, $5) > 0
 GROUP BY 1"""


async def _count(tx: Tx, part: Part, search: str) -> list[Found]:
    """The matches of each hour, apart by where they were found."""
    odd = END_OF_TEXT in search or STAND_IN in search  # blocks cannot tell these
    places = Places([], [part.stretch]) if odd else await _places(tx, part)
    found: list[Found] = []

    def note(within: Stretch, at: datetime, n: int, *, in_blocks: bool) -> None:
        hour = stretches.milliseconds(at)
        stretch = Stretch(max(hour, within.first), min(hour + HOUR, within.end))
        found.append(Found(stretch, n, in_blocks))

    if places.blocks:
        starts = [stretches.instant(within.first // HOUR * HOUR) for within in places.blocks]
        ends = [stretches.instant(within.end) for within in places.blocks]
        rows = await tx.fetch(IN_BLOCKS, *part.key, part.sources, search, starts, ends)
        for at, n in rows:
            hour = stretches.milliseconds(at)
            [within] = [its for its in places.blocks if its.first < hour + HOUR and hour < its.end]
            note(within, at, n, in_blocks=True)
    for within in places.rows:
        key = Part(part.tenant_id, within, part.source).key
        for at, n in await tx.fetch(IN_ROWS, *key, part.sources, search):
            note(within, at, n, in_blocks=False)
    return found


DAYS: Final = """
SELECT t.starts, sum(t.n)::bigint, d.n, d.until
  FROM tallies t
  LEFT JOIN search_days d ON d.tenant_id = $1 AND d.starts = t.starts
 WHERE t.tenant_id = $1 AND t.minutes = 1440 AND t.starts >= $2 AND t.starts < $3
 GROUP BY t.starts, d.n, d.until
 ORDER BY t.starts"""

AFTER: Final = """
SELECT r.first_id, count(s.id)
  FROM unnest($2::uuid[], $3::uuid[]) r(first_id, end_id)
  JOIN sendings s ON s.tenant_id = $1 AND s.id >= r.first_id AND s.id < r.end_id
 GROUP BY r.first_id"""


async def _places(tx: Tx, part: Part) -> Places:
    """Which of a part is in blocks, proved by counting, and which has to be looked for in the rows."""
    first, end = part.stretch
    bounds = first // DAY * DAY, min(-(-end // DAY) * DAY, stretches.LAST)
    days = []
    for at, total, n, until in await tx.fetch(DAYS, part.tenant_id, *map(stretches.instant, bounds)):
        starts = stretches.milliseconds(at)
        days.append((Stretch(starts, starts + DAY), total, n or 0, until and stretches.milliseconds(until)))
    unfinished = [Stretch(until, day.end) for day, _, _, until in days if until and until < day.end]
    after = await _after(tx, part.tenant_id, unfinished)
    blocks: list[Stretch] = []
    rows: list[Stretch] = []
    for day, total, n, until in days:
        complete = until is not None and n + after.get(until, 0) == total
        _add(blocks, part.stretch, Stretch(day.first, until if complete else day.first))
        _add(rows, part.stretch, Stretch(until if complete else day.first, day.end))
    return Places(blocks, rows)


async def _after(tx: Tx, tenant_id: UUID, those: Sequence[Stretch]) -> dict[int, int]:
    """How many sendings there are in each of these stretches, by its beginning."""
    if not those:
        return {}
    firsts, ends = ([ids.first_id(ms) for ms in its] for its in zip(*those, strict=True))
    rows = await tx.fetch(AFTER, tenant_id, firsts, ends)
    return {ids.milliseconds_of(first): n for first, n in rows}


def _add(to: list[Stretch], whole: Stretch, stretch: Stretch) -> None:
    """What of a stretch lies in the whole, at the end of those before it; joined to the last where they touch."""
    first, end = max(whole.first, stretch.first), min(whole.end, stretch.end)
    if first >= end:
        return
    if to and to[-1].end == first:
        first = to.pop().first
    to.append(Stretch(first, end))


TAKE: Final = """
INSERT INTO search_days AS d (tenant_id, starts, n, until) VALUES ($1, $2, 0, $2)
    ON CONFLICT (tenant_id, starts) DO UPDATE SET n = d.n
RETURNING n, until"""


async def take(tx: Tx, tenant_id: UUID, day: datetime) -> Day:
    """How far a day is gathered; nobody else gathers it meanwhile."""
    row = await tx.fetchrow(TAKE, tenant_id, day)
    assert row, "an INSERT that does something on conflict returns its row"
    return Day(*row)


MISSING: Final = """
SELECT (SELECT sum(n) FROM tallies WHERE tenant_id = $1 AND minutes = 1440 AND starts = $2)::bigint
       - (SELECT count(*) FROM sendings WHERE tenant_id = $1 AND id >= $3 AND id < $4)"""


async def before(tx: Tx, tenant_id: UUID, day: datetime, until: datetime) -> int:
    """How many sendings of a day are older than a moment in it."""
    first, end = stretches.milliseconds(until), stretches.milliseconds(day) + DAY
    n: int | None = await tx.fetchval(MISSING, tenant_id, day, ids.first_id(first), ids.first_id(end))
    return n or 0


STRIDE: Final = (
    "SELECT id FROM sendings WHERE tenant_id = $1 AND id >= $2 AND id < $3 ORDER BY id OFFSET $4 LIMIT 1"
)
# In the order of the texts, so that what is looked for lies in few blocks of an hour, where it lies at all.
GATHER: Final = f"""
WITH cut AS (
    SELECT id, source, starts, text,
           sum(octet_length(text) + 1 + {_ID_BYTES}) OVER (PARTITION BY starts, source ORDER BY text COLLATE "C", id)
               / {BLOCK_BYTES_MAX} AS nth
      FROM (SELECT id, source, date_trunc('hour', created_at, 'UTC') AS starts,
                   replace(search_text, U&'\\0001', U&'\\0002') AS text
              FROM sendings WHERE tenant_id = $1 AND id >= $2 AND id < $3) s),
gathered AS (
    INSERT INTO search_blocks (tenant_id, starts, source, first_id, last_id, ids, texts)
    SELECT $1, starts, source, (array_agg(id ORDER BY id))[1], (array_agg(id ORDER BY id DESC))[1],
           array_agg(id ORDER BY text COLLATE "C", id),
           string_agg(text, U&'\\0001' ORDER BY text COLLATE "C", id) || U&'\\0001'
      FROM cut GROUP BY starts, source, nth
 RETURNING cardinality(ids) AS n)
UPDATE search_days d SET n = d.n + g.n, until = $5
  FROM (SELECT coalesce(sum(n), 0)::int AS n FROM gathered) g
 WHERE d.tenant_id = $1 AND d.starts = $4
RETURNING g.n"""


async def gather(
    tx: Tx, tenant_id: UUID, day: datetime, since: datetime, end: datetime, rows_max: int
) -> int:
    """Put a day's texts into blocks, from where that was left up to a moment, or some `rows_max` of them; how many."""
    first, last = ids.first_id(stretches.milliseconds(since)), ids.first_id(stretches.milliseconds(end))
    beyond: UUID | None = await tx.fetchval(STRIDE, tenant_id, first, last, rows_max)
    if beyond:  # all of a millisecond or none: it is where the next time begins
        end = stretches.instant(max(ids.milliseconds_of(beyond), stretches.milliseconds(since) + 1))
        last = ids.first_id(stretches.milliseconds(end))
    n: int = await tx.fetchval(GATHER, tenant_id, first, last, day, end)
    return n


FORGET_BLOCKS: Final = "DELETE FROM search_blocks WHERE tenant_id = $1 AND starts >= $2 AND starts < $3"
FORGET_DAY: Final = "UPDATE search_days SET n = 0, until = starts WHERE tenant_id = $1 AND starts = $2"


async def forget(tx: Tx, tenant_id: UUID, day: datetime) -> None:
    """Begin a day anew."""
    end = stretches.instant(stretches.milliseconds(day) + DAY)
    await tx.execute(FORGET_BLOCKS, tenant_id, day, end)
    await tx.execute(FORGET_DAY, tenant_id, day)
