"""The database of `ulak serve`: a server that is there, or the embedded one, kept alive.

In: settings. Out: a DSN, and the pool of one process. Whether database and secret belong together is looked at before
anything else.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Final

import structlog

from ulak.admin.vault import unlock
from ulak.base.config import Config
from ulak.base.db import UNREACHABLE, Database
from ulak.base.embedded import Embedded

WATCH_SECONDS: Final = 0.5

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


async def unlocked(config: Config, dsn: str) -> None:
    """End here, with a sentence, where the database and our secret do not belong together."""
    db = await Database.open(dsn, connections_max=1)
    try:
        await unlock(db, config)
    finally:
        await db.close()


async def _watch(embedded: Embedded) -> None:
    """Start the embedded server again whenever it has died."""
    while True:
        await asyncio.sleep(WATCH_SECONDS)
        try:
            if await embedded.ensure():
                _log.error("database_restarted")
        except Exception:  # noqa: BLE001 - trying again is all there is to do
            _log.exception("database_not_restarted")


@asynccontextmanager
async def opened(config: Config, dsn: str) -> AsyncIterator[Database]:
    """The pool, patient with a server that is still coming up."""
    while True:
        try:
            db = await Database.open(dsn, connections_max=config.database_connections_max)
            break
        except UNREACHABLE as error:
            _log.warning("database_unreachable", error=type(error).__name__)
            await asyncio.sleep(WATCH_SECONDS)
    try:
        await _unlock_patiently(db, config)
        yield db
    finally:
        with suppress(TimeoutError, *UNREACHABLE):
            async with asyncio.timeout(5):
                await db.close()


async def _unlock_patiently(db: Database, config: Config) -> None:
    while True:
        try:
            return await unlock(db, config)
        except UNREACHABLE as error:
            _log.warning("database_unreachable", error=type(error).__name__)
            await asyncio.sleep(WATCH_SECONDS)
