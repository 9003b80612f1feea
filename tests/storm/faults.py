"""What goes wrong: each fault by its name, what it does to the world, and how many messages it may send twice.

A fault that takes a while is awaited in a task of its own, so that the next may begin meanwhile. What may go out twice
is what was in flight: a window for each link that lost its connection, its process or its leases. Nothing else may,
and a service that chose `--unsure refund` has nothing twice whatever happens.
"""

import asyncio
import os
import random
import signal
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from smpp.pdu import Status
from smpp.profiles import PROFILES
from tests.harness.waiting import await_true
from tests.storm.carrier import ORDINARY
from tests.storm.proxy import Proxy
from tests.storm.world import LEASE_SECONDS, WINDOW, World

FILL_PIECE_BYTES: Final = 1 << 20
JUMPS_SECONDS: Final = (-7200, -3600, -60, -5, 5, 60, 3600, 7200)
MOODS: Final = {
    "throttling": replace(ORDINARY, throttle=20),
    "dropping": replace(ORDINARY, drop_every=60),
    "garbage": replace(ORDINARY, garbage_every=60),
    "errors": replace(ORDINARY, refused=20.0, busy=40.0),
    "closed": replace(ORDINARY, answer=Status.RSYSERR),
    "queue full": replace(ORDINARY, answer=Status.RMSGQFUL),
    "unbound": replace(ORDINARY, answer=Status.RINVBNDSTS),
    "polite": replace(PROFILES["polite"], hex_ids=True),
}

Doing = Callable[[World, float], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Fault:
    """`do(world, strength)` makes it happen, and unhappen where it ends; `links` lose a window each (None: all).

    `weight`: how often among the others. `possible`: whether it can be done in this world.
    """

    do: Doing
    weight: int = 2
    links: int | None = 0
    possible: Callable[[World], bool] = lambda _: True


# processes


async def kill_api(here: World, strength: float) -> None:
    """SIGKILL to one of the processes that answer HTTP."""
    await _kill(here, "api")


async def kill_carriers(here: World, strength: float) -> None:
    """SIGKILL to one that only keeps links."""
    await _kill(here, "carriers")


async def kill_courier(here: World, strength: float) -> None:
    """SIGKILL to the one that keeps links and the courier."""
    await _kill(here, "carriers,courier")


async def _kill(here: World, roles: str) -> None:
    async with asyncio.timeout(20):  # it may have been killed just now, and come again
        while (pid := here.worker(roles)) is None:
            await asyncio.sleep(0.05)
    with suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)


async def kill_keeper(here: World, strength: float) -> None:
    """SIGKILL to `ulak serve` alone; its children notice, and somebody starts it again."""
    with suppress(ProcessLookupError):
        os.kill(here.ulak.pid, signal.SIGKILL)
    await asyncio.sleep(strength)
    await here.serve_again()


async def kill_everything(here: World, strength: float) -> None:
    """SIGKILL to `ulak serve` and all its processes at the same moment."""
    await here.serve_again()


async def stop_process(here: World, strength: float) -> None:
    """SIGSTOP to one process until its leases are somebody else's; then it goes on as if nothing had been."""
    async with asyncio.timeout(20):
        while not (workers := here.workers()):
            await asyncio.sleep(0.05)
    pid = sorted(workers)[int(strength * len(workers))]
    with suppress(ProcessLookupError):
        os.kill(pid, signal.SIGSTOP)
        await asyncio.sleep(LEASE_SECONDS * (0.5 + 1.5 * strength))
        os.kill(pid, signal.SIGCONT)


# the database


async def kill_database(here: World, strength: float) -> None:
    """SIGKILL to PostgreSQL's postmaster."""
    with suppress(OSError, ValueError, IndexError):
        os.kill(here.ulak.postgres_pid, signal.SIGKILL)


async def kill_backend(here: World, strength: float) -> None:
    """SIGKILL to one of PostgreSQL's backends: it restarts itself, and all transactions are lost."""
    with suppress(OSError, ValueError, IndexError):
        postmaster = here.ulak.postgres_pid
        backends = _backends(postmaster)
        os.kill(backends[int(strength * len(backends))], signal.SIGKILL)


def _backends(postmaster: int) -> list[int]:
    children = Path(f"/proc/{postmaster}/task/{postmaster}/children").read_text().split()
    titles = {int(pid): Path(f"/proc/{pid}/cmdline").read_bytes() for pid in children}
    return sorted(pid for pid, title in titles.items() if b" ulak " in title)


async def cut_database(here: World, strength: float) -> None:
    """Reset every connection to the database."""
    assert here.database
    here.database.cut()


async def hold_database(here: World, strength: float) -> None:
    """Nothing comes through to the database, or from it; half the time the connections are reset at the end."""
    assert here.database
    await _hold(here.database, 3 * strength, cut=strength > 0.5)


async def slow_database(here: World, strength: float) -> None:
    """Every piece to and from the database is late."""
    assert here.database
    await _slow(here.database, 0.15 * strength)


async def fill_disk(here: World, strength: float) -> None:
    """No space left where the database lives; after a while there is."""
    ballast = here.data_dir / "ballast"
    try:
        await asyncio.to_thread(_fill, ballast)
        await asyncio.sleep(0.5 + 2.5 * strength)
    finally:
        ballast.unlink(missing_ok=True)


def _fill(ballast: Path) -> None:
    with suppress(OSError), ballast.open("ab", buffering=0) as file:
        while file.write(bytes(FILL_PIECE_BYTES)) == FILL_PIECE_BYTES:
            pass
        while file.write(bytes(4096)):
            pass


# connections


async def cut_carrier(here: World, strength: float) -> None:
    """Reset the connections to one carrier."""
    _way(here, strength).cut()


async def hold_carrier(here: World, strength: float) -> None:
    """Nothing comes through to one carrier, or from it."""
    await _hold(_way(here, strength), 6 * strength, cut=False)


async def restart_carrier(here: World, strength: float) -> None:
    """A carrier is gone, refuses connections, and comes back."""
    way = _way(here, strength)
    way.away = True
    way.cut()
    await asyncio.sleep(0.5 + 4 * strength)
    way.away = False


async def cut_api(here: World, strength: float) -> None:
    """Reset every connection of customers."""
    here.api.cut()


async def hold_api(here: World, strength: float) -> None:
    """Customers and the API do not hear each other; half the time their connections are reset at the end."""
    await _hold(here.api, 2 * strength, cut=strength > 0.5)


async def _hold(proxy: Proxy, seconds: float, *, cut: bool) -> None:
    proxy.hold()
    await asyncio.sleep(seconds)
    if cut:
        proxy.cut()
    proxy.release()


async def _slow(proxy: Proxy, seconds: float) -> None:
    proxy.delay_seconds = seconds
    await asyncio.sleep(2)
    proxy.delay_seconds = 0


def _way(here: World, strength: float) -> Proxy:
    return here.ways["first" if strength < 0.7 else "second"]


# what others do


async def change_mood(here: World, strength: float) -> None:
    """A carrier throttles, drops connections, sends garbage or errors, for a while."""
    carrier = here.carriers["first" if strength < 0.7 else "second"]
    carrier.behave(MOODS[random.Random(strength).choice(list(MOODS))])
    await asyncio.sleep(1 + 2 * strength)
    carrier.behave(ORDINARY)


async def walk_away(here: World, strength: float) -> None:
    """Many customers leave at the same time, in the middle of their requests and of the answers."""
    await asyncio.gather(*(one.walk_away() for one in here.customers for _ in range(5)))


async def jump_clock(here: World, strength: float) -> None:
    """The time in all of Ulak's processes is another one; the next jump leads back."""
    ahead = here.clock.ahead
    here.clock.jump(-ahead if ahead else JUMPS_SECONDS[int(strength * len(JUMPS_SECONDS))])


def repeats(fault: Fault, here: World) -> int:
    """How many messages this may send twice."""
    return WINDOW * (here.n_links if fault.links is None else fault.links)


async def all_there(here: World) -> None:
    """Wait until every process runs again."""
    expected = 2 * len(here.services) - 2
    await asyncio.to_thread(await_true, lambda: len(here.workers()) == expected, "all processes", 60)


FAULTS: Final[dict[str, Fault]] = {
    "kill an API process": Fault(kill_api, weight=3),
    "kill a carriers process": Fault(kill_carriers, weight=4, links=2),
    "kill the courier's process": Fault(kill_courier, weight=3, links=2),
    "kill the keeper": Fault(kill_keeper, links=None),
    "kill everything at once": Fault(kill_everything, links=None),
    "stop a process, then let it go on": Fault(stop_process, weight=3, links=2),
    "kill PostgreSQL": Fault(kill_database, weight=3, links=None),
    "kill a backend of PostgreSQL": Fault(kill_backend, links=None),
    "cut connections to PostgreSQL": Fault(
        cut_database, weight=3, possible=lambda here: here.database is not None
    ),
    "stall connections to PostgreSQL": Fault(
        hold_database, links=None, possible=lambda here: here.database is not None
    ),
    "slow connections to PostgreSQL": Fault(
        slow_database, links=None, possible=lambda here: here.database is not None
    ),
    "fill the disk": Fault(fill_disk, links=None, possible=lambda here: here.small_disk),
    "cut connections to a carrier": Fault(cut_carrier, weight=3, links=2),
    "stall connections to a carrier": Fault(hold_carrier, links=2),
    "restart a carrier": Fault(restart_carrier, links=2),
    "change a carrier's mood": Fault(change_mood, weight=3),
    "cut customers' connections": Fault(cut_api),
    "stall customers' connections": Fault(hold_api),
    "customers walk away": Fault(walk_away),
    "jump the clock": Fault(jump_clock, weight=3, possible=lambda here: here.clock.available),
}
#: Of these only one at a time can be.
EXCLUSIVE: Final = frozenset({"kill the keeper", "kill everything at once"})
