"""Lists of a tenant's sendings: any page and the exact total, however many there are.

Reads `sendings` and `tallies`, writes nothing. A sending's id begins with the millisecond of its `created_at`, so the
primary key is the order of the list and dates are ranges of ids. What lies in a range is counted by its tallies of
whole days, and of whole minutes beside them; only within a minute are rows looked at. A deep page is found the same
way: its day, its minute, and then a short walk. What is not completed is few: counted as it is, and taken off where
only the completed are asked for. Several statements make one page, so they need to see one moment (`Database.moment`).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

from ulak.base.db import Tx
from ulak.rules import stretches
from ulak.rules.stretches import DAY, MINUTE, Counted, Stretch
from ulak.store import search
from ulak.store.sendings import COLUMNS, Part, Sending, Source

#: Pages that begin before this many rows are walked to; it takes less than finding out where they begin.
NEAR_MAX: Final = 500


@dataclass(frozen=True, slots=True)
class Filter:
    """Which sendings of a tenant; None and the empty text let everything through.

    `search` is already folded (`rules.text.fold`); both dates are inclusive.
    """

    starts: datetime | None = None
    ends: datetime | None = None
    completed: bool | None = None
    search: str = ""
    source: Source | None = None


# Written out for each source, because a partial index serves a condition only where the condition is a constant. And
# said by those that the partial indexes name, because then rows that are only walked over need not be read.
_ANY: Final = "FROM sendings s WHERE s.tenant_id = $1 AND s.id >= $2 AND s.id < $3"
_NO_SUCH: Final = "NOT EXISTS (SELECT FROM sendings o WHERE o.tenant_id = $1 AND o.id = s.id AND o"
_OF: Final[Mapping[Source | None, str]] = {
    None: _ANY,
    "api": f"{_ANY} AND {_NO_SUCH}.source = 'panel')",
    "panel": f"{_ANY} AND s.source = 'panel'",
}
_NEWEST: Final = "ORDER BY s.id DESC OFFSET $4 LIMIT $5"


async def page(
    tx: Tx, tenant_id: UUID, which: Filter, *, offset: int, limit: int
) -> tuple[list[Sending], int]:
    """One page of a tenant's sendings, newest first, and how many there are in all."""
    part = Part(tenant_id, stretches.between(which.starts, which.ends), which.source)
    if which.search:
        return await _found(tx, part, which, offset, limit)
    if which.completed is False:
        return await _open(tx, part, offset, limit)
    return await _counted(tx, part, offset, limit, completed=which.completed is True)


OPEN: Final = {source: f"SELECT count(*) {of} AND completed_at IS NULL" for source, of in _OF.items()}
OPEN_PAGE: Final = {
    source: f"SELECT {COLUMNS} {of} AND completed_at IS NULL {_NEWEST}" for source, of in _OF.items()
}


async def _open(tx: Tx, part: Part, offset: int, limit: int) -> tuple[list[Sending], int]:
    """A page of those with something pending or waiting."""
    total = await tx.fetchval(OPEN[part.source], *part.key)
    if offset >= total:
        return [], total
    rows = await tx.fetch(OPEN_PAGE[part.source], *part.key, offset, limit)
    return [Sending(*row) for row in rows], total


async def recount_open(tx: Tx, tenant_id: UUID) -> int:
    """How many of a tenant are not completed.

    Asked for now and then even if nobody wants to know: an index still names what is completed until somebody comes
    across it (vacuum seldom does), so that the first one after a busy hour would have to read all that ended in it.
    """
    n: int = await tx.fetchval(OPEN[None], *Part(tenant_id, stretches.between(None, None), None).key)
    return n


# Ids first, rows then.
_PAGE: Final = (
    "SELECT {columns} FROM sendings WHERE tenant_id = $1 AND id = ANY(ARRAY({ids})) ORDER BY id DESC"
)
PAGE: Final = {
    source: _PAGE.format(columns=COLUMNS, ids=f"SELECT s.id {of} {_NEWEST}") for source, of in _OF.items()
}
COMPLETED_PAGE: Final = {
    source: _PAGE.format(
        columns=COLUMNS, ids=f"SELECT s.id {of} AND {_NO_SUCH}.completed_at IS NULL) {_NEWEST}"
    )
    for source, of in _OF.items()
}


async def _counted(
    tx: Tx, part: Part, offset: int, limit: int, *, completed: bool
) -> tuple[list[Sending], int]:
    """A page of all, or of the completed, by their tallies."""
    counted = await _tallies(tx, part)
    minutes = await _open_minutes(tx, part) if completed else {}
    counted = stretches.less(counted, minutes)
    total = sum(n for _, _, n in counted)
    if offset >= total:
        return [], total
    if completed or part.source or offset > NEAR_MAX:
        part, offset = await _where(tx, part, counted, minutes, offset)
    statement = COMPLETED_PAGE if completed else PAGE
    rows = await tx.fetch(statement[part.source], *part.key, offset, limit)
    return [Sending(*row) for row in rows], total


async def _where(
    tx: Tx, part: Part, counted: Sequence[Counted], minutes: dict[int, int], offset: int
) -> tuple[Part, int]:
    """What is left to page through from the minute on in which a page begins, and how much of it stands before."""
    found = stretches.seek(counted, offset)
    assert found, "the offset lies before the total"
    (first, end, _), offset = found
    if end - first > MINUTE:
        its = await _tallies(tx, Part(part.tenant_id, Stretch(first, end), part.source), by=MINUTE)
        its = stretches.less(its, {ms: n for ms, n in minutes.items() if first <= ms < end})
        found = stretches.seek(its, offset)
        assert found, "a day's tally is the sum of its minutes'"
        (_, end, _), offset = found
    return Part(part.tenant_id, Stretch(part.stretch.first, end), part.source), offset


# In milliseconds, as `rules.stretches` has them: a day has 1440 rows, and making times of them takes longer than
# reading them.
TALLIES: Final = """
SELECT first, first + minutes * 60000, n
  FROM (SELECT (extract(epoch FROM t.starts) * 1000)::bigint AS first, t.minutes, sum(t.n)::bigint AS n
          FROM unnest($2::smallint[], $3::timestamptz[], $4::timestamptz[]) r(minutes, starts, ends)
          JOIN tallies t ON t.tenant_id = $1 AND t.minutes = r.minutes AND t.starts >= r.starts AND t.starts < r.ends
         WHERE t.source = ANY($5::text[])
         GROUP BY t.starts, t.minutes) counted
 ORDER BY first DESC"""
REST: Final = {source: f"SELECT count(*) {of}" for source, of in _OF.items()}


async def _tallies(tx: Tx, part: Part, *, by: int = DAY) -> list[Counted]:
    """How many there are in each day and minute of a stretch, and at its edges, newest first; `by` a minute: in no
    day."""
    days, minutes, rests = stretches.cut(part.stretch)
    units = [(by // MINUTE, *day) for day in days] + [(1, *minute) for minute in minutes]
    counted: list[Counted] = []
    if units:
        lengths, firsts, ends = zip(*units, strict=True)
        bounds = ([stretches.instant(ms) for ms in its] for its in (firsts, ends))
        rows = await tx.fetch(TALLIES, part.tenant_id, lengths, *bounds, part.sources)
        counted = [(first, end, n) for first, end, n in rows]
    for rest in rests:
        key = Part(part.tenant_id, rest, part.source).key
        counted.append((*rest, await tx.fetchval(REST[part.source], *key)))
    return sorted(counted, reverse=True) if rests else counted


OPEN_MINUTES: Final = {
    source: f"SELECT date_trunc('minute', created_at, 'UTC'), count(*) {of} AND completed_at IS NULL GROUP BY 1"
    for source, of in _OF.items()
}


async def _open_minutes(tx: Tx, part: Part) -> dict[int, int]:
    """How many are not completed, by the millisecond at which their minute begins."""
    return {stretches.milliseconds(at): n for at, n in await tx.fetch(OPEN_MINUTES[part.source], *part.key)}


OPEN_FOUND: Final = {
    source: f"SELECT id {of} AND completed_at IS NULL AND strpos(search_text, $4) > 0 ORDER BY id DESC"
    for source, of in _OF.items()
}
ROWS: Final = f"SELECT {COLUMNS} FROM sendings WHERE tenant_id = $1 AND id = ANY($2::uuid[]) ORDER BY id DESC"


async def _found(tx: Tx, part: Part, which: Filter, offset: int, limit: int) -> tuple[list[Sending], int]:
    """A page of those whose text holds something: the open ones one by one, the others by `store.search`."""
    open_ids = []
    if which.completed is not None:
        open_ids = [row[0] for row in await tx.fetch(OPEN_FOUND[part.source], *part.key, which.search)]
    if which.completed is False:
        total, page = len(open_ids), open_ids[offset : offset + limit]
    else:
        total, page = await search.page(tx, part, which.search, open_ids, offset=offset, limit=limit)
    rows = await tx.fetch(ROWS, part.tenant_id, page) if page else []
    return [Sending(*row) for row in rows], total
