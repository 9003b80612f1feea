"""One storm: the world is made, customers begin, faults come as the weather says; then it is quiet, and laws are asked.

In: a seed, how many faults, how long at most. Out: a `Result`: how often each fault happened, what customers were
answered, the laws with what they looked at and what broke them.
"""

import asyncio
import contextlib
import shutil
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import httpx

from tests.storm import faults, laws
from tests.storm.customers import pages
from tests.storm.faults import EXCLUSIVE, FAULTS
from tests.storm.laws import Law, Watch
from tests.storm.weather import Gust, forecast
from tests.storm.world import World, world

QUIET_SECONDS: Final = 60
FAULT_SECONDS: Final = 150
TOGETHER_MAX: Final = 3
#: What holds up the end, for whoever looks into it.
STUCK: Final = """
SELECT m.status, m.sending_id, m.position, m.recipient, b.id AS run, b.lease, b.leased_until - now() AS leased_for,
       (SELECT string_agg(concat_ws(' ', u.carrier_id, u.ref, u.part, r.result, r.raw), '; ') FROM submits u
          LEFT JOIN receipts r ON r.carrier_id = u.carrier_id AND r.ref = u.ref
         WHERE u.tenant_id = m.tenant_id AND u.sending_id = m.sending_id AND u.position = m.position) AS submits
  FROM messages m
  LEFT JOIN batches b ON b.tenant_id = m.tenant_id AND b.sending_id = m.sending_id
   AND m.position >= b.first_position AND m.position < b.end_position
 WHERE m.status IN ('pending', 'waiting') LIMIT 20"""


@dataclass
class Result:
    """What came of it."""

    seed: int
    kept: bool
    happened: Counter[str] = field(default_factory=Counter)
    left_out: list[str] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)
    stuck: list[str] = field(default_factory=list)
    answers: Counter[str] = field(default_factory=Counter)
    figures: dict[str, int] = field(default_factory=dict)
    laws: list[Law] = field(default_factory=list)
    seconds: float = 0.0
    log: str = ""

    @property
    def broken(self) -> list[Law]:
        """Laws that did not hold."""
        return [law for law in self.laws if law.broken]


async def storm(
    seed: int,
    n: int,
    *,
    kept: bool = False,
    seconds_max: float = 3600,
    small_disk: bool = True,
    tell: Callable[[int, str], None] = lambda *_: None,
    keep: Path | None = None,
) -> Result:
    """Run one; `tell(how many faults so far, what happens now)` is called on the way; the log is copied to `keep`."""
    started = time.monotonic()
    result = Result(seed, kept)
    async with world(seed, kept=kept, small_disk=small_disk) as here:
        result.left_out = [name for name, fault in FAULTS.items() if not fault.possible(here)]
        weights = {name: fault.weight for name, fault in FAULTS.items() if name not in result.left_out}
        watch = Watch(here)
        async with _meanwhile(here, watch):
            await _blow(here, forecast(seed, n, weights), result, started + seconds_max, tell)
            tell(n, "calm")
            await here.calm()
            await faults.all_there(here)
        await _quiet(here, tell)
        everything = await asyncio.to_thread(laws.kept, here)
        result.laws = [*await asyncio.to_thread(laws.judge, here, everything), watch.law()]
        _sum_up(here, result, everything)
        if keep:
            shutil.copy(here.ulak.log_path, keep)
    result.seconds = time.monotonic() - started
    return result


@contextlib.asynccontextmanager
async def _meanwhile(here: World, watch: Watch) -> AsyncIterator[None]:
    """Customers send and somebody watches the books as long as this lasts."""
    tasks = [asyncio.create_task(one.run()) for one in here.customers]
    watching = asyncio.create_task(watch.run())
    try:
        yield
        for one in here.customers:
            one.leave.set()
        await asyncio.gather(*tasks)
    finally:
        for task in (*tasks, watching):
            task.cancel()
        await asyncio.gather(*tasks, watching, return_exceptions=True)


async def _blow(
    here: World, gusts: list[Gust], result: Result, until: float, tell: Callable[[int, str], None]
) -> None:
    """Fault after fault; one that takes a while goes on while others come."""
    going: dict[asyncio.Task[None], str] = {}
    for gust in gusts:
        if time.monotonic() > until:
            break
        await asyncio.sleep(gust.gap_seconds)
        while going and (len(going) >= TOGETHER_MAX or gust.kind in going.values() or _excludes(gust, going)):
            await asyncio.wait(going, return_when=asyncio.FIRST_COMPLETED)
            _collect(going, result)
        tell(result.happened.total(), gust.kind)
        fault = FAULTS[gust.kind]
        here.may_repeat += faults.repeats(fault, here)
        result.happened[gust.kind] += 1
        going[asyncio.create_task(_bounded(fault.do(here, gust.strength)))] = gust.kind
    if going:
        await asyncio.wait(going)
    _collect(going, result)


def _excludes(gust: Gust, going: dict[asyncio.Task[None], str]) -> bool:
    return gust.kind in EXCLUSIVE and bool(EXCLUSIVE & set(going.values()))


async def _bounded(doing: Any) -> None:
    async with asyncio.timeout(FAULT_SECONDS):
        await doing


def _collect(going: dict[asyncio.Task[None], str], result: Result) -> None:
    for task in [task for task in going if task.done()]:
        kind = going.pop(task)
        if error := task.exception():
            result.happened[kind] -= 1
            result.failed.append(f"{kind}: {type(error).__name__}: {error}")


async def _quiet(here: World, tell: Callable[[int, str], None]) -> None:
    """Wait until every sending is completed."""
    until = time.monotonic() + QUIET_SECONDS
    while (left := await asyncio.to_thread(_open, here)) and time.monotonic() < until:
        tell(-1, f"{left} sendings are not completed yet")
        await asyncio.sleep(1)
    if left:
        async with here.looking() as tx:
            here.stuck = [str(dict(row)) for row in await tx.fetch(STUCK)]


def _open(here: World) -> int:
    """How many sendings are not completed."""
    n = 0
    for user in here.users:
        headers = {"x-api-key": user.key}
        with (
            contextlib.suppress(httpx.HTTPError, KeyError),
            httpx.Client(
                base_url=f"{here.ulak.url}/v1", headers=headers, timeout=30, trust_env=False
            ) as client,
        ):
            n += sum(not item["completed"] for item in pages(client))
    return n


def _sum_up(here: World, result: Result, everything: dict[str, laws.Kept]) -> None:
    carriers = here.carriers.values()
    result.answers = here.ledger.answers
    result.stuck = here.stuck
    result.figures = {
        "requests": sum(asked.tries for asked in here.ledger.asked),
        "sendings": len(everything),
        "messages": sum(len(its.messages) for its in everything.values()),
        "submits": sum(carrier.counters.submits for carrier in carriers),
        "answered by an earlier twin": here.ledger.replays,
        "connections carriers dropped": sum(carrier.counters.dropped for carrier in carriers),
        "receipts still owed": sum(carrier.outstanding for carrier in carriers),
        "messages that may have gone twice": here.may_repeat,
        "binds": sum(carrier.counters.binds for carrier in carriers),
    }
    result.log = here.ulak.log
