"""The world of a storm: Ulak's processes, its database, two hostile carriers, and a proxy on every way between them.

    customers ⇄ proxy ⇄ API · links ⇄ proxy ⇄ carriers · all processes ⇄ proxy ⇄ PostgreSQL

The database is the embedded server on a small file system of its own (where that may be mounted), kept alive by the
world as `ulak serve` keeps its own, so that a proxy fits in between; with `kept` it is `ulak serve`'s own, and there
is no proxy on that way. Everything listens on this machine only, and is gone at the end.
"""

import asyncio
import os
import random
import signal
import subprocess
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import asyncpg

from tests.harness import Installation, User
from tests.harness.process import READY_SECONDS
from tests.storm.carrier import Carrier, hostile
from tests.storm.clock import Clock
from tests.storm.customers import Customer, Ledger
from tests.storm.proxy import Proxy
from ulak.base.config import Config
from ulak.base.embedded.place import Place
from ulak.edge.database import database_server

WINDOW: Final = 10
LEASE_SECONDS: Final = 2
DISK_BYTES: Final = 1 << 30
PROCESSES: Final = 2  # of the API, and of the carriers
CREDIT: Final = 1_000_000
POOR_CREDIT: Final = 40
SETTINGS: Final[dict[str, object]] = {
    "api_processes": PROCESSES,
    "carrier_processes": PROCESSES,
    "lease_seconds": LEASE_SECONDS,
    "response_seconds": 4,
    "enquire_seconds": 2,
    "reconnect_seconds_max": 1,
    "sweep_seconds": 1,
    "log_format": "json",
    "attempts_max": 1000,
}


@dataclass
class World:
    """What is there. `may_repeat` is how many messages the faults so far may have sent twice."""

    ulak: Installation
    clock: Clock
    chance: random.Random
    kept: bool
    dsn: str = ""
    api: Proxy = field(init=False)
    database: Proxy | None = None
    carriers: dict[str, Carrier] = field(default_factory=dict)
    ways: dict[str, Proxy] = field(default_factory=dict)
    services: dict[str, str] = field(default_factory=dict)
    users: list[User] = field(default_factory=list)
    customers: list[Customer] = field(default_factory=list)
    ledger: Ledger = field(default_factory=Ledger)
    may_repeat: int = 0
    small_disk: bool = False
    stuck: list[str] = field(default_factory=list)

    # what can be hit

    def workers(self) -> dict[int, str]:
        """The processes under `ulak serve` by their ids, and the roles of each."""
        found: dict[int, str] = {}
        try:
            keeper = self.ulak.pid
        except AssertionError:
            return found  # it is being started
        for pid in _children(keeper):
            with suppress(OSError, IndexError, ValueError):
                words = Path(f"/proc/{pid}/cmdline").read_bytes().decode().split("\0")
                found[pid] = words[words.index("--only") + 1]
        return found

    def worker(self, roles: str) -> int | None:
        """One process of these roles, if one runs."""
        found = [pid for pid, its in self.workers().items() if its == roles]
        return self.chance.choice(found) if found else None

    async def serve_again(self) -> None:
        """After its keeper was killed: start `ulak serve` again, once, as systemd would. It waits for its database."""
        await asyncio.to_thread(self.ulak.kill)
        await asyncio.to_thread(self.ulak.start)

    @property
    def data_dir(self) -> Path:
        """Where the database lives."""
        return self.ulak.home / "data"

    @property
    def n_links(self) -> int:
        """Connections to carriers, when all are up."""
        return PROCESSES * len(self.carriers)

    def port(self) -> int:
        """Where the API listens now."""
        try:
            return int(self.ulak.url.rpartition(":")[2])
        except AssertionError:
            raise ConnectionRefusedError from None  # it is being started

    async def calm(self) -> None:
        """Nothing is wrong any more."""
        for proxy in [self.api, *self.ways.values(), *([self.database] if self.database else [])]:
            proxy.release()
            proxy.away, proxy.delay_seconds = False, 0.0
        for pid in (self.ulak.pid, *self.workers()):
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGCONT)
        (self.data_dir / "ballast").unlink(missing_ok=True)

    @asynccontextmanager
    async def looking(self) -> AsyncIterator["asyncpg.Connection[asyncpg.Record]"]:
        """A connection to the database itself, past every proxy."""
        connection = await asyncpg.connect(self.dsn, timeout=5, command_timeout=30)
        try:
            yield connection
        finally:
            connection.terminate()


@asynccontextmanager
async def world(seed: int, *, kept: bool, small_disk: bool = True) -> AsyncIterator[World]:
    """Everything up, furnished and ready; all of it gone at the end."""
    async with AsyncExitStack() as stack:
        ulak = Installation(**SETTINGS)
        stack.callback(ulak.close)
        clock = Clock(ulak.home)
        ulak.environment |= clock.environment
        here = World(ulak, clock, random.Random(seed), kept)
        if small_disk:
            here.small_disk = _mount(here.data_dir)
            if here.small_disk:
                stack.callback(_unmount, here.data_dir)
                stack.callback(ulak.stop_postgres)
        if not kept:
            await _proxied(here, stack)
        await asyncio.to_thread(ulak.start)
        stack.push_async_callback(asyncio.to_thread, _down, ulak)
        await _connect(here, stack)
        await asyncio.to_thread(_furnish, here, seed)
        yield here
        await here.calm()


async def _proxied(here: World, stack: AsyncExitStack) -> None:
    """The database in our care, behind a proxy."""
    server = database_server(Config(data_dir=here.data_dir))
    here.dsn = await stack.enter_async_context(server)
    place = Place.of(here.data_dir)
    here.database = Proxy(lambda: place.sockets / ".s.PGSQL.5432")
    await here.database.start(here.ulak.home / ".s.PGSQL.5432")
    stack.push_async_callback(here.database.stop)
    here.ulak.environment["ULAK_DATABASE_URL"] = f"postgresql://ulak@/ulak?host={here.ulak.home}&port=5432"


async def _connect(here: World, stack: AsyncExitStack) -> None:
    """The proxies before the API and the carriers, and the carriers."""
    if here.kept:
        sockets = Place.of(here.data_dir).sockets
        here.dsn = f"postgresql://ulak@/ulak?host={sockets}&port=5432"
    here.api = Proxy(here.port)
    await here.api.start()
    stack.push_async_callback(here.api.stop)
    for n, name in enumerate(("first", "second")):
        carrier = here.carriers[name] = hostile(n)
        port = await carrier.start()
        stack.push_async_callback(carrier.stop)
        here.ways[name] = Proxy(lambda port=port: port)  # type: ignore[misc]
        await here.ways[name].start()
        stack.push_async_callback(here.ways[name].stop)


def _furnish(here: World, seed: int) -> None:
    """Carriers, services for each promise, and customers, one of whom has little."""
    ulak = here.ulak
    for name, way in here.ways.items():
        ulak.carrier(name, way.port, window=WINDOW, message_ids="hex_to_dec")
    here.services["again"] = ulak.service("again", "first", unsure="resend")
    here.services["once"] = ulak.service("once", "first", unsure="refund")
    made = ulak.cli(
        *("service", "create", "routed", "--price", 1, "--currency", "USD", "--carrier", "first"),
        *("--carrier", "second", "--fallback-seconds", 3),
    )
    here.services["routed"] = str(made["id"])
    url = f"http://127.0.0.1:{here.api.port}/v1"
    for n, name in enumerate(("mark", "lale", "ayse", "poor")):
        user = ulak.user(name)
        ulak.credit(POOR_CREDIT if name == "poor" else CREDIT, user=user)
        here.users.append(user)
        chance = random.Random(seed * 100 + n)
        here.customers.append(Customer(user, url, list(here.services.values()), here.ledger, chance))


def _down(ulak: Installation) -> None:
    """In good order, or whatever is left of it."""
    try:
        ulak.stop()
    except AssertionError:
        with suppress(AssertionError):
            ulak.kill()
        raise


def _mount(data_dir: Path) -> bool:
    """A small file system for the database, where we may; else the machine's disk, which is never filled."""
    data_dir.mkdir(exist_ok=True)
    options = f"size={DISK_BYTES},mode=0755"
    done = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", options, "storm", data_dir], capture_output=True, check=False
    )
    return done.returncode == 0


def _unmount(data_dir: Path) -> None:
    until = time.monotonic() + READY_SECONDS
    while subprocess.run(["umount", data_dir], capture_output=True, check=False).returncode:
        if time.monotonic() > until:
            subprocess.run(["umount", "--lazy", data_dir], check=False)
            return
        time.sleep(0.2)


def _children(pid: int) -> list[int]:
    with suppress(OSError):
        return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    return []
