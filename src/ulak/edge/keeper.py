"""The keeper: `ulak serve` where its roles run in processes of their own.

It starts a process for each group of roles with what they share (the listening sockets, the memory of limits, a place
to meet), starts it again when it dies, and sees all of them out. A child notices through a pipe that its keeper is
gone, however that died, and goes too.
"""

import asyncio
import os
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import structlog

from ulak.base.config import Config
from ulak.edge import limits
from ulak.edge.siblings import Siblings, make_place, remove_place
from ulak.edge.sockets import Sockets

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


async def keep(
    config: Config,
    dsn: str,
    groups: Mapping[str, Sequence[str]],
    sockets: Sockets,
    stop: asyncio.Event,
) -> None:
    """Keep a process running for each group until `stop`, then see them out."""
    ours, theirs = os.pipe()  # nobody writes to it: it ends when we do
    place, limits_fd = make_place(), limits.shared()
    try:
        async with asyncio.TaskGroup() as group:
            group.create_task(_let_go(sockets, stop))
            for n, (name, roles) in enumerate(groups.items()):
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


def follow(keeper_fd: int, stop: asyncio.Event, me: Siblings, *, at_once: bool) -> None:
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
