"""The processes of `ulak serve`: which there are, and keeping them alive.

Roles are grouped into processes: the API by itself, the carriers' links with the courier. With one group the
roles run right here; with more this process is the keeper: it opens the listening socket, starts a process for
each group, starts it again when it dies, and looks after the embedded database. A child notices through a pipe
that its keeper is gone, however that died, and goes too.
"""

import asyncio
import os
import signal
import socket
import sys
import time
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

import structlog

from ulak.admin.vault import unlock
from ulak.base import traces
from ulak.base.config import Config
from ulak.base.db import UNREACHABLE, Database
from ulak.base.embedded import Embedded
from ulak.base.migrate import migrate
from ulak.base.secrets import source
from ulak.edge import limits, systemd
from ulak.edge.siblings import Siblings, make_place, remove_place
from ulak.edge.sockets import Sockets, address_of, opened
from ulak.edge.sockets import inherited as handed_on
from ulak.flow import pulse, traced

WATCH_SECONDS: Final = 0.5
RESTART_SECONDS_MAX: Final = 10.0
ORPHAN_SECONDS: Final = 5.0

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Inherited:
    """What a child has from its keeper: the API's socket and the one of the metrics, the pipe that ends with the
    keeper, the memory in which the limits of all are counted, what it is called and where it meets its siblings."""

    listen_fd: int | None = None
    watch_fd: int | None = None
    keeper_fd: int | None = None
    limits_fd: int | None = None
    name: str = ""
    place: Path | None = None


@dataclass(frozen=True, slots=True)
class _Held:
    """What a process holds together with others: sockets, its siblings, the memory of limits."""

    sockets: Sockets
    siblings: Siblings
    limits_fd: int = -1


async def serve(
    config: Config, roles: Sequence[str], inherited: Inherited, ready: Callable[[str], None]
) -> None:
    """Serve until SIGTERM or SIGINT. `ready` is called once with the address when everything answers."""
    stop = _stop_signal()
    if inherited.keeper_fd is not None:
        me = Siblings(inherited.name, inherited.place)
        _follow(inherited.keeper_fd, stop, me, at_once="api" in roles)
        assert config.database_url
        held = _Held(
            handed_on(inherited.listen_fd, inherited.watch_fd),
            me,
            -1 if inherited.limits_fd is None else inherited.limits_fd,
        )
        return await _run(config, config.database_url, roles, held, stop)
    traces.check(config.otlp_endpoint)
    async with database_server(config, stop) as dsn:
        await migrate(dsn)
        await _unlocked(config, dsn)
        _warn_of_a_file(config)
        sockets = await opened(config, roles)
        groups = _groups(config, roles)
        _announce(config, groups, sockets.any)
        telling = asyncio.create_task(_tell(sockets.any, ready, stop))
        try:
            if len(groups) == 1:
                await _run(config, dsn, groups[0], _Held(sockets, Siblings(_names(groups)[0])), stop)
            else:
                await _keep(config, dsn, groups, sockets, stop)
        finally:
            telling.cancel()
            sockets.close()


def _groups(config: Config, roles: Sequence[str]) -> list[list[str]]:
    """Which roles run together, a group for each process; the courier beside the first links, once."""
    groups = [["api"]] * config.api_processes + [["carriers", "courier"]]
    groups += [["carriers"]] * (config.carrier_processes - 1)
    chosen = [[role for role in group if role in roles] for group in groups]
    return [group for group in chosen if group]


def _names(groups: Sequence[Sequence[str]]) -> list[str]:
    """What the processes are called: api-1, api-2, carriers-1."""
    firsts = [roles[0] for roles in groups]
    return [f"{first}-{firsts[: n + 1].count(first)}" for n, first in enumerate(firsts)]


def _announce(config: Config, groups: Sequence[Sequence[str]], listener: socket.socket | None) -> None:
    """Say, before anything else, what is about to run."""
    _log.info(
        "serving",
        version=version("ulak"),
        python=sys.version.split()[0],
        database="a server" if config.database_url else "embedded",
        url=address_of(listener) if listener else None,
        processes={name: ",".join(roles) for name, roles in zip(_names(groups), groups, strict=True)},
        traces=bool(config.otlp_endpoint),
        trusted_proxies=config.trusted_proxies or "none",
    )


def _stop_signal() -> asyncio.Event:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    return stop


# the database


@asynccontextmanager
async def database_server(config: Config, stop: asyncio.Event | None = None) -> AsyncIterator[str]:
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


async def _unlocked(config: Config, dsn: str) -> None:
    """End here, with a sentence, where the database and our secret do not belong together."""
    db = await Database.open(dsn, connections_max=1)
    try:
        await unlock(db, config)
    finally:
        await db.close()


def _warn_of_a_file(config: Config) -> None:
    """Where the database is a server's, others need the secret too, and a file of one process is easily lost."""
    if config.database_url and not config.secret_keys:
        _log.warning(
            "secret_in_a_file",
            path=source(config),
            says="Without this file nobody gets into the database, and whoever copies this disk has it. "
            "Set ULAK_SECRET_KEYS to what stands in it, the same for every process on every machine.",
        )


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
async def _database(config: Config, dsn: str) -> AsyncIterator[Database]:
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


# roles in this process


async def _run(config: Config, dsn: str, roles: Sequence[str], held: _Held, stop: asyncio.Event) -> None:
    """Run roles right here until `stop`; an error in one ends them all."""
    structlog.contextvars.bind_contextvars(process=held.siblings.name)
    async with _watched(config, held.siblings), _database(config, dsn) as db:
        works = {role: _ROLES[role](config, db, held, stop) for role in roles}
        if held.sockets.watch:
            works["watched"] = _answer(config, db, held.sockets.watch, held, stop, api=False)
        tasks = [asyncio.create_task(work, name=name) for name, work in works.items()]
        tasks.append(asyncio.create_task(pulse.keep_telling(db), name="pulse"))
        stopped = asyncio.create_task(stop.wait())
        done, _ = await asyncio.wait({*tasks, stopped}, return_when=asyncio.FIRST_COMPLETED)
        for task in (*tasks, stopped):
            if task.get_name() not in (
                "api",
                "watched",
            ):  # which stop by themselves, after the requests they are answering
                task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for task in done - {stopped}:
            task.result()


@asynccontextmanager
async def _watched(config: Config, me: Siblings) -> AsyncIterator[None]:
    """Let siblings ask for this process's metrics, and send its traces where they are wanted."""
    traced.choose(config.trace_share)
    traces.start(config.otlp_endpoint, me.name)
    answering = asyncio.create_task(me.answer(), name="siblings")
    try:
        yield
    finally:
        answering.cancel()
        await asyncio.to_thread(traces.stop)


Role = Callable[[Config, Database, _Held, asyncio.Event], Coroutine[Any, Any, None]]

# A process loads only what its roles need: memory is per process.


async def _api(config: Config, db: Database, held: _Held, stop: asyncio.Event) -> None:
    assert held.sockets.api
    await _answer(config, db, held.sockets.api, held, stop, api=True)


async def _answer(
    config: Config, db: Database, listener: socket.socket, held: _Held, stop: asyncio.Event, *, api: bool
) -> None:
    from ulak.edge.server import serve_http

    await serve_http(config, db, listener, stop, held.siblings, limits_fd=held.limits_fd, api=api)


async def _carriers(config: Config, db: Database, *_: object) -> None:
    from ulak.edge.carrier.links import Links

    await Links(db, config).run()


async def _courier(config: Config, db: Database, *_: object) -> None:
    from ulak.edge import courier

    await courier.run(db, config)


_ROLES: Final[dict[str, Role]] = {"api": _api, "carriers": _carriers, "courier": _courier}
ROLES: Final = tuple(_ROLES)


# roles in processes of their own


async def _keep(
    config: Config,
    dsn: str,
    groups: Sequence[Sequence[str]],
    sockets: Sockets,
    stop: asyncio.Event,
) -> None:
    """Keep a process running for each group until `stop`, then see them out."""
    ours, theirs = os.pipe()  # nobody writes to it: it ends when we do
    place, limits_fd = make_place(), limits.shared()
    try:
        async with asyncio.TaskGroup() as group:
            group.create_task(_let_go(sockets, stop))
            for n, (name, roles) in enumerate(zip(_names(groups), groups, strict=True)):
                hears = sockets.api.fileno() if sockets.api and "api" in roles else None
                tells = sockets.watch.fileno() if sockets.watch and n == 0 else None
                inherited = Inherited(hears, tells, ours, limits_fd, name, place)
                group.create_task(_keep_one(config, dsn, roles, inherited, stop))
    finally:
        remove_place(place)
        for descriptor in (ours, theirs, limits_fd):
            os.close(descriptor)


async def _let_go(sockets: Sockets, stop: asyncio.Event) -> None:
    """At the end they are their users' alone: held open here, they would take in connections for nobody."""
    await stop.wait()
    sockets.close()


async def _keep_one(
    config: Config, dsn: str, roles: Sequence[str], inherited: Inherited, stop: asyncio.Event
) -> None:
    pause = 0.1
    while not stop.is_set():
        child = await _start(dsn, roles, inherited)
        started = time.monotonic()
        ended, stopped = asyncio.create_task(child.wait()), asyncio.create_task(stop.wait())
        await asyncio.wait({ended, stopped}, return_when=asyncio.FIRST_COMPLETED)
        stopped.cancel()
        if stop.is_set():
            await _see_out(child, config.notice_seconds + config.drain_seconds + config.stop_seconds + 5)
            return
        _log.error("process_died", name=inherited.name, roles=list(roles), code=child.returncode)
        pause = (
            0.1 if time.monotonic() - started > RESTART_SECONDS_MAX else min(pause * 2, RESTART_SECONDS_MAX)
        )
        with suppress(TimeoutError):
            async with asyncio.timeout(pause):
                await stop.wait()


async def _start(dsn: str, roles: Sequence[str], inherited: Inherited) -> asyncio.subprocess.Process:
    arguments = ["--only", ",".join(roles), "--keeper-fd", str(inherited.keeper_fd)]
    arguments += ["--name", inherited.name, "--place", str(inherited.place)]
    handed = [fd for fd in (inherited.keeper_fd, inherited.listen_fd, inherited.watch_fd) if fd is not None]
    if inherited.listen_fd is not None:
        arguments += ["--listen-fd", str(inherited.listen_fd)]
    if inherited.watch_fd is not None:
        arguments += ["--watch-fd", str(inherited.watch_fd)]
    if "api" in roles and inherited.limits_fd is not None:
        arguments += ["--limits-fd", str(inherited.limits_fd)]
        handed.append(inherited.limits_fd)
    return await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "ulak",
        "serve",
        *arguments,
        stdin=asyncio.subprocess.DEVNULL,
        pass_fds=handed,
        env={**os.environ, "ULAK_DATABASE_URL": dsn},
    )


async def _see_out(child: asyncio.subprocess.Process, seconds: float) -> None:
    """Ask a child to stop, and insist when it does not."""
    with suppress(ProcessLookupError):
        child.terminate()
    try:
        async with asyncio.timeout(seconds):
            await child.wait()
    except TimeoutError:
        with suppress(ProcessLookupError):
            child.kill()
        await child.wait()


def _follow(keeper_fd: int, stop: asyncio.Event, me: Siblings, *, at_once: bool) -> None:
    """Go when the keeper goes: at once where a port is held, else after taking leave of the carriers."""
    loop = asyncio.get_running_loop()

    def gone() -> None:
        loop.remove_reader(keeper_fd)
        if stop.is_set():
            return
        _log.error("keeper_gone")
        if me.place:
            remove_place(me.place)
        if at_once:
            os._exit(1)
        stop.set()
        loop.call_later(ORPHAN_SECONDS, os._exit, 1)

    loop.add_reader(keeper_fd, gone)


# when it is ready


async def _tell(listener: socket.socket | None, ready: Callable[[str], None], stop: asyncio.Event) -> None:
    """Say when everything answers, and when it is going to stop."""
    await _tell_when_ready(listener, ready)
    systemd.tell("READY=1")
    await stop.wait()
    systemd.tell("STOPPING=1")


async def _tell_when_ready(listener: socket.socket | None, ready: Callable[[str], None]) -> None:
    """Call `ready` once `/readyz` says so; where nobody can ask, at once."""
    if listener is None:
        ready("")
        return
    host, port = listener.getsockname()[:2]
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104 - asking, not binding
    while not await _answers_ready(host, port):
        await asyncio.sleep(0.05)
    ready(address_of(listener))


async def _answers_ready(host: str, port: int) -> bool:
    with suppress(OSError, TimeoutError):
        async with asyncio.timeout(5):
            reader, writer = await asyncio.open_connection(host, port)
            try:
                writer.write(b"GET /readyz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
                return b" 200 " in await reader.readline()
            finally:
                writer.close()
    return False
