"""The door to PostgreSQL: a pool, and the one way to open a transaction.

In: a DSN. Out: connections, inside a transaction (`transaction`) or without one (`reading`). Knows nothing of
tables; SQL stands in `ulak.store`. Times come back as aware UTC datetimes, ids as `uuid.UUID`.
"""

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import lru_cache
from itertools import accumulate
from typing import Any, NamedTuple, TypeAlias

import asyncpg
from asyncpg.pool import PoolConnectionProxy

from ulak.base.secrets import Secrets

Tx: TypeAlias = "asyncpg.Connection[asyncpg.Record] | PoolConnectionProxy[asyncpg.Record]"

#: What asyncpg and the operating system raise when the database cannot be reached, is going away, or has no room left:
#: on its disk, in its memory, for another connection (class 53), or its operating system fails it (class 58).
UNREACHABLE: tuple[type[Exception], ...] = (
    OSError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,
    asyncpg.PostgresConnectionError,
    asyncpg.CannotConnectNowError,
    asyncpg.AdminShutdownError,
    asyncpg.CrashShutdownError,
    asyncpg.InsufficientResourcesError,
    asyncpg.PostgresSystemError,
    asyncpg.ReadOnlySQLTransactionError,
)

#: Two transactions stood in each other's way; neither did anything, and a second try will do.
COLLISION: tuple[type[Exception], ...] = (asyncpg.DeadlockDetectedError, asyncpg.SerializationError)

#: Every statement that somebody waits for is keyed, so the right plan never depends on statistics: through the index,
#: row by row. PostgreSQL is told so, because its statistics lag behind what just happened (a table was empty a second
#: ago; this sending is a thousand times as long as the others), and one wrong plan stops a carrier.
KEYED: dict[str, str] = {"enable_seqscan": "off", "enable_hashjoin": "off", "enable_mergejoin": "off"}


class Write(NamedTuple):
    """A statement that changes something, and its values: made by `store`, for several to go together (`write`)."""

    sql: str
    values: tuple[Any, ...]


async def write(tx: Tx, *writes: Write) -> list[int]:
    """Make changes that do not look at each other, in one round trip.

    Returns how many rows each of them returns: 0 for one that has nothing to say.
    """
    together = _together(tuple((one.sql, len(one.values)) for one in writes))
    row = await tx.fetchrow(together, *(value for one in writes for value in one.values))
    assert row
    return list(row)


@lru_cache(maxsize=256)
def _together(statements: tuple[tuple[str, int], ...]) -> str:
    """One statement of several, each with its number of values, that says how many rows each returned."""
    before = accumulate((n for _, n in statements), initial=0)
    parts = [
        f"w{k} AS ({_PLACE.sub(lambda place, n=n: f'${int(place[1]) + n}', sql)})"  # type: ignore[misc]
        for k, ((sql, _), n) in enumerate(zip(statements, before, strict=False))
    ]
    counts = [
        f"(SELECT count(*) FROM w{k})" if _SAYS.search(sql) else "0" for k, (sql, _) in enumerate(statements)
    ]
    return f"WITH {', '.join(parts)} SELECT {', '.join(counts)}"


_PLACE = re.compile(r"\$(\d+)")
_SAYS = re.compile(r"^\s*SELECT|\bRETURNING\b")


def deleted(command_tag: str) -> int:
    """How many rows a DELETE has deleted, by what the server answers to it."""
    return int(command_tag.removeprefix("DELETE "))


async def _leave_as_it_is(_: object) -> None:
    """What happens to a connection when it comes back to the pool: nothing, where asyncpg would ask the server to.

    Nobody here changes a session: settings are the transaction's (SET LOCAL), and whoever listens has a connection of
    its own.
    """


class Database:
    """A pool of connections. `await Database.open(dsn)`, later `await close()`."""

    def __init__(self, pool: "asyncpg.Pool[asyncpg.Record]", dsn: str) -> None:
        self._pool = pool
        self._secrets: Secrets | None = None
        self.dsn = dsn

    @property
    def secrets(self) -> Secrets:
        """What opens what is sealed in it; there once somebody has shown that it fits (`admin.vault`)."""
        if self._secrets is None:
            raise RuntimeError("the database was opened without the installation's secret")
        return self._secrets

    @secrets.setter
    def secrets(self, secrets: Secrets) -> None:
        self._secrets = secrets

    @classmethod
    async def open(cls, dsn: str, *, connections_max: int = 10, wait_seconds: float = 10.0) -> "Database":
        """Connect; raises one of `UNREACHABLE` when the server does not answer."""
        pool = await asyncpg.create_pool(
            dsn,
            min_size=1,
            max_size=connections_max,
            timeout=wait_seconds,
            command_timeout=120,
            max_inactive_connection_lifetime=0,
            reset=_leave_as_it_is,
            server_settings={"application_name": "ulak", "timezone": "UTC", "jit": "off"} | KEYED,
        )
        return cls(pool, dsn)

    @asynccontextmanager
    async def _lent(self) -> AsyncIterator[Tx]:
        """A connection for a transaction. One whose transaction was cancelled is ended, which rolls back: the cut may
        have fallen into its beginning or its end, and the pool would find it open, and tell of an error."""
        async with self._pool.acquire() as connection:
            try:
                yield connection
            except asyncio.CancelledError:
                connection.terminate()
                raise

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Tx]:
        """A connection inside a transaction: committed at the end, rolled back on any exception."""
        async with self._lent() as connection, connection.transaction():
            yield connection

    @asynccontextmanager
    async def moment(self) -> AsyncIterator[Tx]:
        """A connection that sees the database as it was at one moment, for a few keyed reads that must agree."""
        async with (
            self._lent() as connection,
            connection.transaction(isolation="repeatable_read", readonly=True),
        ):
            yield connection

    @asynccontextmanager
    async def snapshot(self) -> AsyncIterator[Tx]:
        """The same for reading all of the database in any way."""
        async with self.moment() as connection:
            await connection.execute("".join(f"SET LOCAL {name} = on;" for name in KEYED))
            yield connection

    @asynccontextmanager
    async def reading(self) -> AsyncIterator[Tx]:
        """A connection without a transaction, for reads of one statement each."""
        async with self._pool.acquire() as connection:
            yield connection

    async def connect(self) -> "asyncpg.Connection[asyncpg.Record]":
        """A connection outside the pool, for whoever keeps one to listen on. The caller closes it."""
        return await asyncpg.connect(self.dsn, timeout=10)

    async def close(self) -> None:
        """Give every connection back to the server."""
        await self._pool.close()
