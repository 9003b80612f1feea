"""What PostgreSQL did meanwhile: each statement's time, calls and WAL, by pg_stat_statements; plans, by auto_explain.

In: the rig's data directory; the superuser looks, over the server's own socket. Out: `Work` done between `begin` and
`end`, and, once `explain` is on, the plans of statements that took long. BEGIN and COMMIT are counted too, since each
is a round trip; what a commit waits for is not in their time (`bench.waits`).
"""

import re
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

import asyncpg

from ulak.base.embedded.place import PORT, Place
from ulak.base.embedded.settings import ROLE, SUPERUSER

_SEEN: Final = """
SELECT query, calls, rows, total_exec_time AS milliseconds, wal_bytes::float8 AS wal_bytes,
       wal_records, wal_fpi AS wal_images, shared_blks_hit + shared_blks_read AS blocks
  FROM pg_stat_statements
 WHERE userid = $1::text::regrole
 ORDER BY total_exec_time DESC"""
_WAL: Final = "SELECT pg_wal_lsn_diff(pg_current_wal_insert_lsn(), '0/0')::float8"
_END_SESSIONS: Final = "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE usename = $1"
_ENTRY: Final = re.compile(
    r"^\S+ \S+ \S+ \[\d+\] LOG:  duration: ([\d.]+) ms  plan:\n((?:\t.*\n)+)", re.MULTILINE
)
_QUERY: Final = re.compile(r"Query Text: (.*?)\n\t(?=\S[^\n]*\(cost=)", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Statement:
    """One statement, whatever its values: `blocks` of the cache it looked at, WAL with `images` of whole pages."""

    query: str
    calls: int
    rows: int
    milliseconds: float
    wal_bytes: float
    wal_records: int
    wal_images: int
    blocks: int


@dataclass(frozen=True, slots=True)
class Work:
    """All statements of Ulak's between two moments, the longest first, and the WAL of everybody."""

    statements: list[Statement]
    wal_bytes: float

    def as_json(self) -> dict[str, Any]:
        """For programs."""
        return {"walBytes": self.wal_bytes, "statements": [asdict(one) for one in self.statements]}


@dataclass(frozen=True, slots=True)
class Planned:
    """A statement that took long: how often, how long together, and the plan of the longest."""

    query: str
    times: int
    milliseconds: float
    longest: float
    plan: str


@asynccontextmanager
async def superuser(home: Path) -> AsyncIterator["asyncpg.Connection[asyncpg.Record]"]:
    """A session of the superuser's, in Ulak's database."""
    sockets = Place.of(home / "data").sockets
    connection = await asyncpg.connect(host=str(sockets), port=PORT, user=SUPERUSER, database=ROLE)
    try:
        yield connection
    finally:
        await connection.close()


async def _set(connection: "asyncpg.Connection[asyncpg.Record]", **settings: str) -> None:
    for name, value in settings.items():
        await connection.execute(f"ALTER SYSTEM SET {name.replace('__', '.')} = '{value}'")
    await connection.execute("SELECT pg_reload_conf()")


async def count_all(home: Path) -> None:
    """Count BEGIN and COMMIT from now on, for as long as the installation lives."""
    async with superuser(home) as connection:
        await _set(connection, pg_stat_statements__track_utility="on")


async def begin(home: Path) -> float:
    """Count anew; returns how much WAL there was."""
    async with superuser(home) as connection:
        await connection.execute("SELECT pg_stat_statements_reset()")
        return float(await connection.fetchval(_WAL))


async def end(home: Path, wal_before: float) -> Work:
    """What was done since."""
    async with superuser(home) as connection:
        wal = float(await connection.fetchval(_WAL)) - wal_before
        rows = await connection.fetch(_SEEN, ROLE)
        return Work([Statement(**row) for row in rows], wal)


# plans


async def explain(home: Path, milliseconds: float) -> int:
    """Write the plan of everything that takes longer into the log; ends Ulak's sessions, since only new ones do so.

    Returns how long the log is by now.
    """
    async with superuser(home) as connection:
        await connection.execute("LOAD 'auto_explain'")  # without it nobody knows its settings
        await _set(
            connection,
            session_preload_libraries="auto_explain",
            auto_explain__log_min_duration=f"{milliseconds}ms",
            auto_explain__log_analyze="on",
            auto_explain__log_buffers="on",
            auto_explain__log_wal="on",
            auto_explain__log_parameter_max_length="0",
        )
        await connection.fetchval(_END_SESSIONS, ROLE)
        return sum(file.stat().st_size for file in _logs(home))


async def sessions(home: Path) -> int:
    """How many sessions Ulak has."""
    async with superuser(home) as connection:
        return int(
            await connection.fetchval("SELECT count(*) FROM pg_stat_activity WHERE usename = $1", ROLE)
        )


def plans(home: Path, since: int) -> list[Planned]:
    """What was written into the log since it was so long, those that took the most time together first."""
    text = b"".join(file.read_bytes() for file in _logs(home))[since:].decode(errors="replace")
    return planned(text)


def _logs(home: Path) -> Iterable[Path]:
    return sorted((home / "data/postgres/log").glob("*.log"))


def planned(log: str) -> list[Planned]:
    """The plans in a log, gathered by statement."""
    found: dict[str, list[tuple[float, str]]] = {}
    for milliseconds, body in _ENTRY.findall(log):
        query = _QUERY.search(body)
        text, plan = (query[1], body[query.end() :]) if query else (body, "")
        found.setdefault(shortened(text), []).append((float(milliseconds), plan.replace("\n\t", "\n")))
    gathered = [
        Planned(query, len(those), sum(ms for ms, _ in those), *max(those, key=lambda one: one[0]))
        for query, those in found.items()
    ]
    return sorted(gathered, key=lambda one: -one.milliseconds)


def shortened(query: str, length: int = 100) -> str:
    """A statement's beginning, on one line."""
    return " ".join(query.split())[:length]
