"""Searching the texts of a tenant's sendings: which hold something, and how many do.

Writes nothing. Texts are looked for in the blocks into which `store.blocks` gathers them (docs/decisions/0012), except
where a signature says that it is surely not in there. What is not gathered is looked for in `sendings` itself.
Whether a day's blocks are complete is never assumed: what they hold and what came after them must be as many as the
day's tally says, or the day is searched without them.
"""

import collections
from collections.abc import Sequence
from typing import Final, NamedTuple
from uuid import UUID

from ulak.base.db import Tx
from ulak.rules import ids, stretches
from ulak.rules.stretches import DAY, HOUR, Stretch
from ulak.store.blocks import END_OF_TEXT, STAND_IN, bits
from ulak.store.sendings import Part

#: What is shorter stands many times in a block: then it is quicker to take the block apart at its texts.
RARE_MIN: Final = 3


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
        bits(search),
    )
    return total, [row[0] for row in found_ids]


# Reading the texts is put off until the signature has been looked at; a condition beside it would not be.
def _holds(signature: str) -> str:
    return f"CASE WHEN b.signature & {signature} <> {signature} THEN false ELSE strpos(b.texts, $5) > 0 END"


FOUND: Final = f"""
SELECT id
  FROM (SELECT u.id
          FROM unnest($6::timestamptz[]) h(starts)
          JOIN search_blocks b ON b.tenant_id = $1 AND b.starts = h.starts
         CROSS JOIN LATERAL unnest(b.ids, string_to_array(b.texts, U&'\\0001')) u(id, text)
         WHERE b.source = ANY($4::text[]) AND {_holds("$12")}
           AND u.id >= $2 AND u.id < $3 AND strpos(u.text, $5) > 0
         UNION ALL
        SELECT s.id
          FROM unnest($7::uuid[], $8::uuid[]) r(first_id, end_id)
          JOIN sendings s ON s.tenant_id = $1 AND s.id >= r.first_id AND s.id < r.end_id
         WHERE s.source = ANY($4::text[]) AND strpos(s.search_text, $5) > 0) found
 WHERE id <> ALL($9::uuid[])
 ORDER BY id DESC OFFSET $10 LIMIT $11"""

# A block that lies whole within the range is cut either at what is looked for, and a text holds it as often as one ends
# behind it, or at the ends of texts: at $8, and the pieces that hold $9 are counted, from the $10th on. Only blocks of
# the hours in which the range begins and ends ($11) may not lie whole within.
IN_BLOCKS: Final = f"""
SELECT starts, sum(n)::bigint
  FROM (SELECT b.starts, count(*) AS n
          FROM unnest($6::timestamptz[], $7::timestamptz[]) r(starts, ends)
          JOIN search_blocks b ON b.tenant_id = $1 AND b.starts >= r.starts AND b.starts < r.ends
         CROSS JOIN LATERAL string_to_table(b.texts, $8) WITH ORDINALITY c(piece, nth)
         WHERE b.source = ANY($4::text[]) AND b.first_id >= $2 AND b.last_id < $3 AND {_holds("$12")}
           AND c.nth >= $10 AND strpos(c.piece, $9) > 0
         GROUP BY b.starts
         UNION ALL
        SELECT b.starts, count(*)
          FROM unnest($11::timestamptz[]) h(starts)
          JOIN search_blocks b ON b.tenant_id = $1 AND b.starts = h.starts
         CROSS JOIN LATERAL unnest(b.ids, string_to_array(b.texts, U&'\\0001')) u(id, text)
         WHERE b.source = ANY($4::text[]) AND NOT (b.first_id >= $2 AND b.last_id < $3)
           AND b.first_id < $3 AND b.last_id >= $2 AND {_holds("$12")}
           AND u.id >= $2 AND u.id < $3 AND strpos(u.text, $5) > 0
         GROUP BY b.starts) counted
 GROUP BY starts"""


async def _in_blocks(tx: Tx, part: Part, search: str, within: Sequence[Stretch]) -> list[tuple[int, int]]:
    """So many matches in each hour, by the millisecond it begins at, of the blocks in these stretches."""
    hours = [(its.first // HOUR * HOUR, its.end) for its in within]
    edges = {part.stretch.first // HOUR * HOUR, (part.stretch.end - 1) // HOUR * HOUR}
    edges = {edge for edge in edges if any(first <= edge < end for first, end in hours)}
    cut = (search, END_OF_TEXT, 2) if len(search) >= RARE_MIN else (END_OF_TEXT, search, 1)
    rows = await tx.fetch(
        IN_BLOCKS,
        *part.key,
        part.sources,
        search,
        [stretches.instant(first) for first, _ in hours],
        [stretches.instant(end) for _, end in hours],
        *cut,
        [stretches.instant(edge) for edge in edges],
        bits(search),
    )
    return [(stretches.milliseconds(at), n) for at, n in rows]


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

    def note(within: Stretch, hour: int, n: int, *, in_blocks: bool) -> None:
        stretch = Stretch(max(hour, within.first), min(hour + HOUR, within.end))
        found.append(Found(stretch, n, in_blocks))

    if places.blocks:
        for hour, n in await _in_blocks(tx, part, search, places.blocks):
            [within] = [its for its in places.blocks if its.first < hour + HOUR and hour < its.end]
            note(within, hour, n, in_blocks=True)
    for within in places.rows:
        key = Part(part.tenant_id, within, part.source).key
        for at, n in await tx.fetch(IN_ROWS, *key, part.sources, search):
            note(within, stretches.milliseconds(at), n, in_blocks=False)
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
