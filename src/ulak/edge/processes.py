"""The processes of `ulak serve`: which there are, and what runs in each.

Roles are grouped into processes: the API by itself, the carriers' links with the courier. With one group the
roles run right here; with more this process is the keeper of the others (`keeper`). Where it listens is `sockets`'s,
which database it is `database`'s.
"""

import asyncio
import signal
import socket
import sys
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from importlib.metadata import version
from typing import Any, Final

import structlog

from ulak.base import traces
from ulak.base.config import Config
from ulak.base.db import Database
from ulak.base.secrets import source
from ulak.edge import front, keeper, sockets
from ulak.edge.database import opened, prepared
from ulak.edge.keeper import Inherited
from ulak.edge.siblings import Siblings
from ulak.edge.sockets import Sockets
from ulak.flow import pulse, traced

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class _Held:
    """What a process holds together with others: sockets, its siblings, the memory of limits."""

    sockets: Sockets
    siblings: Siblings
    limits_fd: int = -1


async def serve(
    config: Config, roles: Sequence[str], inherited: Inherited, ready: Callable[[str], None]
) -> None:
    """Serve until SIGTERM or SIGINT, which also end the waiting for a database. `ready` is called once with the
    address when everything answers."""
    stop = _stop_signal()
    if inherited.keeper_fd is not None:
        me = Siblings(inherited.name, inherited.place)
        keeper.follow(inherited.keeper_fd, stop, me, at_once="api" in roles)
        assert config.database_url
        return await _run(config, config.database_url, roles, _inherited(inherited, me), stop)
    traces.check(config.otlp_endpoint)
    async with prepared(config, stop) as dsn:
        if dsn is None:
            return None
        _warn_of_a_file(config)
        held = await sockets.opened(config, roles)
        groups = _groups(config, roles)
        _announce(config, groups, held.any)
        telling = asyncio.create_task(front.tell(held.any, ready, stop))
        try:
            if len(groups) == 1:
                [(name, its)] = groups.items()
                await _run(config, dsn, its, _Held(held, Siblings(name)), stop)
            else:
                await keeper.keep(config, dsn, groups, held, stop)
        finally:
            telling.cancel()
            held.close()


def _groups(config: Config, roles: Sequence[str]) -> dict[str, list[str]]:
    """Which roles run together, by the names of their processes (api-1, api-2, carriers-1): the API by itself, the
    courier beside the first links, once."""
    groups = [["api"]] * config.api_processes + [["carriers", "courier"]]
    groups += [["carriers"]] * (config.carrier_processes - 1)
    chosen = [[role for role in group if role in roles] for group in groups]
    chosen = [group for group in chosen if group]
    firsts = [group[0] for group in chosen]
    names = [f"{first}-{firsts[: n + 1].count(first)}" for n, first in enumerate(firsts)]
    return dict(zip(names, chosen, strict=True))


def _announce(config: Config, groups: Mapping[str, Sequence[str]], listener: socket.socket | None) -> None:
    """Say, before anything else, what is about to run."""
    _log.info(
        "serving",
        version=version("ulak"),
        python=sys.version.split()[0],
        database="a server" if config.database_url else "embedded",
        url=sockets.address_of(listener) if listener else None,
        processes={name: ",".join(roles) for name, roles in groups.items()},
        traces=bool(config.otlp_endpoint),
        trusted_proxies=config.trusted_proxies or "none",
    )


def _warn_of_a_file(config: Config) -> None:
    """Where the database is a server's, others need the secret too, and a file of one process is easily lost."""
    if config.database_url and not config.secret_keys:
        _log.warning(
            "secret_in_a_file",
            path=source(config),
            says="Without this file nobody gets into the database, and whoever copies this disk has it. "
            "Set ULAK_SECRET_KEYS to what stands in it, the same for every process on every machine.",
        )


def _inherited(its: Inherited, siblings: Siblings) -> _Held:
    held = sockets.inherited(its.listen_fd, its.watch_fd)
    return _Held(held, siblings, -1 if its.limits_fd is None else its.limits_fd)


def _stop_signal() -> asyncio.Event:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    return stop


# roles in this process


async def _run(config: Config, dsn: str, roles: Sequence[str], held: _Held, stop: asyncio.Event) -> None:
    """Run roles right here until `stop`; an error in one ends them all."""
    structlog.contextvars.bind_contextvars(process=held.siblings.name)
    async with _watched(config, held.siblings), opened(config, dsn, stop) as db:
        if db is None:
            return
        works = {role: _ROLES[role](config, db, held, stop) for role in roles}
        if held.sockets.watch:
            works["watched"] = _answer(config, db, held.sockets.watch, held, stop, api=False)
        tasks = [asyncio.create_task(work, name=name) for name, work in works.items()]
        tasks.append(asyncio.create_task(pulse.keep_telling(db), name="pulse"))
        stopped = asyncio.create_task(stop.wait())
        done, _ = await asyncio.wait({*tasks, stopped}, return_when=asyncio.FIRST_COMPLETED)
        for task in (*tasks, stopped):
            if task.get_name() not in ("api", "watched"):  # which first answer what they have begun
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
