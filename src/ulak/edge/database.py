"""The database of `ulak serve`: a server that is there, or the embedded one, kept alive; and waiting for either.

In: settings. Out: a DSN, and the pool of one process. Whether database and secret belong together is looked at before
anything else. A database that is away, going away, coming up or full is waited for until somebody asks us to stop:
machines start in any order. What waiting does not cure (a password, a name, an address that is none) is said at once.
"""

import asyncio
import ssl
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from typing import Any, Final, TypeVar
from urllib.parse import parse_qs, urlsplit

import asyncpg
import structlog

from ulak.admin.vault import unlock
from ulak.base.config import Config
from ulak.base.db import COLLISION, UNREACHABLE, Database
from ulak.base.embedded import Embedded, PassingError
from ulak.base.migrate import migrate
from ulak.rules.refusal import Code, Refused

WATCH_SECONDS: Final = 0.5
RETRY_SECONDS: Final = 0.5
REMIND_SECONDS: Final = 30.0
GREET_SECONDS: Final = 10.0
CLOSE_SECONDS: Final = 5.0

#: What waiting may cure.
AWAY: Final[tuple[type[Exception], ...]] = (*UNREACHABLE, *COLLISION, PassingError)

#: Errors that look like a server that is away, and will be the same tomorrow: a DSN that is none, a socket that is not
#: for us, a certificate that is somebody else's.
HOPELESS: Final[tuple[type[Exception], ...]] = (
    asyncpg.exceptions.ClientConfigurationError,
    PermissionError,
    ssl.SSLCertVerificationError,
)

#: The same, as plainly.
REFUSES_US: Final[tuple[type[Exception], ...]] = (
    ValueError,
    OverflowError,
    asyncpg.InvalidAuthorizationSpecificationError,
    asyncpg.InvalidCatalogNameError,
)

T = TypeVar("T")

_log = structlog.get_logger(__name__)


@asynccontextmanager
async def database_server(config: Config) -> AsyncIterator[str]:
    """The DSN of the database: a server that is there, or the embedded one, kept alive in the meantime."""
    if config.database_url:
        yield config.database_url
        return
    embedded = await Embedded.use(config.data_dir)
    watching = asyncio.create_task(_watch(embedded), name="watch-database")
    try:
        yield embedded.dsn
    finally:
        watching.cancel()
        with suppress(asyncio.CancelledError):
            await watching
        await embedded.release()


async def _watch(embedded: Embedded) -> None:
    """Start the embedded server again whenever it has died."""
    while True:
        await asyncio.sleep(WATCH_SECONDS)
        try:
            if await embedded.ensure():
                _log.error("database_restarted")
        except Exception:  # noqa: BLE001 - trying again is all there is to do
            _log.exception("database_not_restarted")


# waiting for it


@asynccontextmanager
async def prepared(config: Config, stop: asyncio.Event) -> AsyncIterator[str | None]:
    """The DSN of a database that answers, has today's schema and belongs to our secret; however long that takes.

    None when `stop` is set first. What waiting does not cure is raised, as `Refused`, `ConfigError`, `EmbeddedError`
    or what the server said.
    """
    async with AsyncExitStack() as stack:
        yield await unless(stop, _prepare(config, stack))


async def _prepare(config: Config, stack: AsyncExitStack) -> str:
    where = config.database_url and address(config.database_url)
    where = where or str(config.data_dir)
    dsn = await patiently(lambda: stack.enter_async_context(database_server(config)), where)
    if config.database_url:
        await patiently(lambda: _greet(dsn), where)
    await patiently(lambda: migrate(dsn), where)
    await patiently(lambda: _look_whose_it_is(config, dsn), where)
    return dsn


async def _greet(dsn: str) -> None:
    """Connect once, so that a DSN that is none and a server that refuses us are told from one that is away."""
    try:
        connection = await asyncpg.connect(dsn, timeout=GREET_SECONDS)
    except (*HOPELESS, *REFUSES_US) as error:
        raise unusable(dsn, error) from error
    await connection.close(timeout=CLOSE_SECONDS)


async def _look_whose_it_is(config: Config, dsn: str) -> None:
    """End here, with a sentence, where the database and our secret do not belong together."""
    async with _closed(await Database.open(dsn, connections_max=1)) as db:
        await unlock(db, config)


@asynccontextmanager
async def opened(config: Config, dsn: str, stop: asyncio.Event) -> AsyncIterator[Database | None]:
    """The pool of one process, patient with a server that is still coming up; None when `stop` is set first."""
    async with AsyncExitStack() as stack:
        yield await unless(stop, patiently(lambda: _open(config, dsn, stack), address(dsn)))


async def _open(config: Config, dsn: str, stack: AsyncExitStack) -> Database:
    async with AsyncExitStack() as ours:
        pool = await Database.open(dsn, connections_max=config.database_connections_max)
        db = await ours.enter_async_context(_closed(pool))
        await unlock(db, config)
        stack.push_async_exit(ours.pop_all())
        return db


@asynccontextmanager
async def _closed(db: Database) -> AsyncIterator[Database]:
    """Close it at the end, without waiting long for a server that is silent."""
    try:
        yield db
    finally:
        with suppress(TimeoutError, *UNREACHABLE):
            async with asyncio.timeout(CLOSE_SECONDS):
                await db.close()


async def patiently(work: Callable[[], Awaitable[T]], where: str) -> T:
    """Do something with the database at `where`, again and again until it is there.

    Why it is waited for is said at once, whenever the reason changes, and every `REMIND_SECONDS`.
    """
    said, at, began = "", 0.0, time.monotonic()
    while True:
        try:
            done = await work()
            break
        except AWAY as error:
            if isinstance(error, HOPELESS):
                raise
            now = time.monotonic()
            if reason(error) != said or now - at > REMIND_SECONDS:
                said, at = reason(error), now
                _log.warning("waiting_for_database", database=where, reason=said, seconds=round(now - began))
        await asyncio.sleep(RETRY_SECONDS)
    if said:
        _log.info("database_is_there", database=where, seconds=round(time.monotonic() - began))
    return done


async def unless(stop: asyncio.Event, work: Coroutine[Any, Any, T]) -> T | None:
    """What comes of `work`; None when `stop` is set first, and `work` is cancelled."""
    doing, stopped = asyncio.create_task(work), asyncio.create_task(stop.wait())
    try:
        await asyncio.wait({doing, stopped}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        stopped.cancel()
        doing.cancel()
    await asyncio.wait({doing})
    return None if doing.cancelled() else doing.result()


# in words


def unusable(dsn: str, error: Exception) -> Refused:
    """An error of the database behind a DSN, as a sentence that says what to do."""
    where = f" at {address(dsn)}" if address(dsn) else ""
    return Refused(
        Code.UNAVAILABLE, f"The database{where} cannot be used: {reason(error)}. Look at ULAK_DATABASE_URL."
    )


def address(dsn: str) -> str:
    """Where a DSN leads, for people: hosts with their ports, or a socket's directory; never a password."""
    try:
        parts = urlsplit(dsn)
        return parts.netloc.rpartition("@")[2] or parse_qs(parts.query).get("host", [""])[0]
    except ValueError:
        return ""


def reason(error: Exception) -> str:
    """An error's own words on one line, or its name where it has none."""
    return " ".join(str(error).split()) or type(error).__name__
