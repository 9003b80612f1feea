"""Schema migrations: numbered SQL files, applied once, in order, by whoever comes first.

Any number of processes may call `migrate` at once; an advisory lock lets one work and the others find nothing
left to do. Each file runs in a transaction of its own together with the row that remembers it, so a crash in
the middle leaves the schema as it was before that file. The version before may go on serving meanwhile: a file that has
to wait for somebody's lock gives way after a moment and tries again, because whoever comes behind a waiting ALTER TABLE
waits with it.
"""

import asyncio
from contextlib import suppress
from importlib import resources
from typing import Final

import asyncpg

from ulak.base.db import Tx

LOCK_KEY: Final = 0x756C616B  # 'ulak', the advisory lock of migrations

LOCK_SECONDS: Final = 2
TRIES_MAX: Final = 60
CLOSE_SECONDS: Final = 2

_REMEMBER: Final = """
CREATE TABLE IF NOT EXISTS schema_migrations (
    name       text PRIMARY KEY,
    applied_at timestamptz NOT NULL DEFAULT now()
)"""


def _files() -> list[tuple[str, str]]:
    """Every migration as (name, SQL), in order."""
    folder = resources.files("ulak.base").joinpath("migrations")
    names = sorted(entry.name for entry in folder.iterdir() if entry.name.endswith(".sql"))
    return [(name.removesuffix(".sql"), folder.joinpath(name).read_text("utf-8")) for name in names]


async def migrate(dsn: str) -> list[str]:
    """Bring the schema up to date; returns the names of the migrations that were applied now."""
    connection = await asyncpg.connect(dsn, timeout=10)
    try:
        await connection.execute("SELECT pg_advisory_lock($1)", LOCK_KEY)
        await connection.execute(_REMEMBER)
        missing = await pending(connection)
        sql = dict(_files())
        await connection.execute(f"SET lock_timeout = '{LOCK_SECONDS}s'")
        for name in missing:
            await _apply(connection, name, sql[name])
        return missing
    finally:
        with suppress(TimeoutError):  # of a server that is silent: whoever is asked to stop waits for none
            await connection.close(timeout=CLOSE_SECONDS)


async def _apply(connection: "asyncpg.Connection[asyncpg.Record]", name: str, sql: str) -> None:
    """Apply one file, as soon as nobody stands in its way."""
    for left in reversed(range(TRIES_MAX)):
        try:
            async with connection.transaction():
                await connection.execute(sql)
                await connection.execute("INSERT INTO schema_migrations (name) VALUES ($1)", name)
            return
        except asyncpg.LockNotAvailableError:
            if not left:
                raise
            await asyncio.sleep(LOCK_SECONDS / 2)


async def pending(tx: Tx) -> list[str]:
    """The names of migrations this database does not have yet."""
    if await tx.fetchval("SELECT to_regclass('schema_migrations')") is None:
        return [name for name, _ in _files()]
    done = {row["name"] for row in await tx.fetch("SELECT name FROM schema_migrations")}
    return [name for name, _ in _files() if name not in done]
