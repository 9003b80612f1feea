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
from ulak.rules import ids, stretches
from ulak.rules.stretches import DAY, MINUTE, Counted, Stretch
from ulak.store.sendings import COLUMNS, Sending, Source

#: Pages that begin before this many rows are walked to; it takes less than finding out where they begin.
NEAR_MAX: Final = 500

SOURCES: Final[Mapping[Source | None, list[Source]]] = {
    None: ["api", "panel"],
    "api": ["api"],
    "panel": ["panel"],
}


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


@dataclass(frozen=True, slots=True)
class Part:
    """What a request pages through: a tenant's sendings of a stretch of time, of one source or of all."""

    tenant_id: UUID
    stretch: Stretch
    source: Source | None

    @property
    def key(self) -> tuple[UUID, UUID, UUID]:
        """The tenant, the first id and the one after the last."""
        return self.tenant_id, ids.first_id(self.stretch.first), ids.first_id(self.stretch.end)


# Written out for each source, because a partial index serves a condition only where the condition is a constant.
_ANY: Final = "FROM sendings WHERE tenant_id = $1 AND id >= $2 AND id < $3"
_OF: Final[Mapping[Source | None, str]] = {
    None: _ANY,
    "api": f"{_ANY} AND source = 'api'",
    "panel": f"{_ANY} AND source = 'panel'",
}
_NEWEST: Final = "ORDER BY id DESC OFFSET $4 LIMIT $5"


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


# Ids first, rows then: what is only walked over need not be read.
PAGE: Final = {
    source: f"""
SELECT {COLUMNS} FROM sendings
 WHERE tenant_id = $1 AND id = ANY(ARRAY(SELECT id {of} {_NEWEST})) ORDER BY id DESC"""
    for source, of in _OF.items()
}
COMPLETED_PAGE: Final = {
    source: f"SELECT {COLUMNS} {of} AND completed_at IS NOT NULL {_NEWEST}" for source, of in _OF.items()
}


async def _counted(
    tx: Tx, part: Part, offset: int, limit: int, *, completed: bool
) -> tuple[list[Sending], int]:
    """A page of all, or of the completed, by their tallies."""
    counted = await _tallies(tx, part)
    minutes = await _open_minutes(tx, part) if completed else {}
    counted = sorted(stretches.less(counted, minutes), reverse=True)
    total = sum(n for _, n in counted)
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
    (stretch, _), offset = found
    if stretch.end - stretch.first > MINUTE:
        its = await _tallies(tx, Part(part.tenant_id, stretch, part.source), by=MINUTE)
        minutes = {minute: n for minute, n in minutes.items() if stretch.first <= minute < stretch.end}
        found = stretches.seek(sorted(stretches.less(its, minutes), reverse=True), offset)
        assert found, "a day's tally is the sum of its minutes'"
        (stretch, _), offset = found
    return Part(part.tenant_id, Stretch(part.stretch.first, stretch.end), part.source), offset


TALLIES: Final = """
SELECT t.starts, t.minutes, sum(t.n)::bigint
  FROM unnest($2::smallint[], $3::timestamptz[], $4::timestamptz[]) r(minutes, starts, ends)
  JOIN tallies t ON t.tenant_id = $1 AND t.minutes = r.minutes AND t.starts >= r.starts AND t.starts < r.ends
 WHERE t.source = ANY($5::text[])
 GROUP BY t.starts, t.minutes"""
REST: Final = {source: f"SELECT count(*) {of}" for source, of in _OF.items()}


async def _tallies(tx: Tx, part: Part, *, by: int = DAY) -> list[Counted]:
    """How many there are in each day and each minute of a stretch, and at its edges; `by` a minute: in no day."""
    days, minutes, rests = stretches.cut(part.stretch)
    units = [(by // MINUTE, *day) for day in days] + [(1, *minute) for minute in minutes]
    counted = []
    if units:
        rows = await tx.fetch(
            TALLIES,
            part.tenant_id,
            [unit for unit, _, _ in units],
            [stretches.instant(first) for _, first, _ in units],
            [stretches.instant(end) for _, _, end in units],
            SOURCES[part.source],
        )
        for at, unit, n in rows:
            first = stretches.milliseconds(at)
            counted.append(Counted(Stretch(first, first + unit * MINUTE), n))
    for rest in rests:
        key = Part(part.tenant_id, rest, part.source).key
        counted.append(Counted(rest, await tx.fetchval(REST[part.source], *key)))
    return counted


OPEN_MINUTES: Final = {
    source: f"SELECT date_trunc('minute', created_at, 'UTC'), count(*) {of} AND completed_at IS NULL GROUP BY 1"
    for source, of in _OF.items()
}


async def _open_minutes(tx: Tx, part: Part) -> dict[int, int]:
    """How many are not completed, by the millisecond at which their minute begins."""
    return {stretches.milliseconds(at): n for at, n in await tx.fetch(OPEN_MINUTES[part.source], *part.key)}


_MATCHES: Final = f"""
{_ANY}
   AND ($4::bool IS NULL OR (completed_at IS NOT NULL) = $4)
   AND ($5::text IS NULL OR source = $5)
   AND strpos(search_text, $6) > 0"""
FOUND: Final = f"SELECT count(*) {_MATCHES}"
FOUND_PAGE: Final = f"SELECT {COLUMNS} {_MATCHES} ORDER BY id DESC OFFSET $7 LIMIT $8"


async def _found(tx: Tx, part: Part, which: Filter, offset: int, limit: int) -> tuple[list[Sending], int]:
    """A page of those whose text holds something."""
    values = *part.key, which.completed, which.source, which.search
    total = await tx.fetchval(FOUND, *values)
    if offset >= total:
        return [], total
    return [Sending(*row) for row in await tx.fetch(FOUND_PAGE, *values, offset, limit)], total
