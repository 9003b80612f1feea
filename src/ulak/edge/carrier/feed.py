"""The feed: what a link takes from the queue, how much of it at a time, and how it holds on to it.

It leases runs into the outbox as long as there is room, has it written down how far messages that must not go twice
may have gone, renews leases, and puts back what turns out to be more than a slow carrier takes.
"""

import asyncio
import time
from collections.abc import Callable
from contextlib import suppress
from itertools import count
from typing import Final
from uuid import uuid4

import structlog

from ulak.base.config import Config
from ulak.base.db import COLLISION, UNREACHABLE, Database
from ulak.edge.carrier.outbox import Outbox
from ulak.edge.carrier.pace import Pace
from ulak.edge.carrier.recorder import Recorder
from ulak.edge.carrier.share import Share
from ulak.flow import dispatch
from ulak.flow.accept import now
from ulak.store import queue
from ulak.store.carriers import Carrier

POLL_SECONDS: Final = 1.0
LEASE_ROWS_MAX: Final = 200
#: How many messages are leased ahead of the window.
AHEAD: Final = 2
#: Or ahead of the rate where that is less: what waits longer should wait in the queue, where others can have it.
SLOW_SECONDS: Final = 2.0
#: How far behind the last single send taken the next look begins: those accepted at the same time are committed in any
#: order. What is committed later still is found by the look at everything, which comes every `POLL_SECONDS`.
BEHIND_MS: Final = 250

_log = structlog.get_logger(__name__)


class Feed:
    """One for each link. While the link is bound, `run` and `hold_on` are tasks; `wake` it when there may be work."""

    def __init__(
        self,
        db: Database,
        carrier: Carrier,
        config: Config,
        outbox: Outbox,
        recorder: Recorder,
        *,
        pace: Pace,
        share: Share,
    ) -> None:
        self._db = db
        self._carrier = carrier
        self._config = config
        self._outbox = outbox
        self._recorder = recorder
        self._pace = pace
        self._share = share
        self.lease = uuid4()
        self._references = count()
        self._hungry = asyncio.Event()
        self._clock = asyncio.get_running_loop().time
        self._singles_from = 0
        self._looked_at_all = self._clock() - POLL_SECONDS
        self._held_until = 0.0

    def wake(self) -> None:
        """There may be work in the queue, or room for more of it."""
        self._hungry.set()

    @property
    def holds(self) -> bool:
        """Whether what is at hand is certainly still ours: a lease that has run out, because this process stood still
        or the database was away, may be somebody else's by now, who sends the same."""
        return time.monotonic() < self._held_until

    def look(self) -> None:
        """Something has gone out: wake where little is left."""
        ahead, slow = self._ahead()
        if self._outbox.lined_up < (ahead // 2 if slow else self._carrier.window_max):
            self._hungry.set()

    async def run(self, pump: Callable[[], None]) -> None:
        """Lease whenever there is room for more, at a notice or every so often; `pump` sends what there is."""
        while True:
            with suppress(TimeoutError):
                async with asyncio.timeout(POLL_SECONDS):
                    await self._hungry.wait()
            self._hungry.clear()
            try:
                await self._put_back()
                while await self._lease_more() or await self._mark_more():
                    pump()
                    await asyncio.sleep(0)
                pump()
            except (*UNREACHABLE, *COLLISION) as error:
                _log.warning("queue_unreachable", carrier=self._carrier.name, error=type(error).__name__)
                await asyncio.sleep(POLL_SECONDS)

    async def _lease_more(self) -> bool:
        ahead, slow = self._ahead()
        single = ahead - self._outbox.ready(queue.SINGLE)
        bulk = ahead - len(self._outbox)
        if slow and 2 * bulk < ahead:  # not a few at a time
            bulk = 0
        if single <= 0 or self._recorder.clogged:
            return False
        if self._outbox.runs and not self.holds:
            return False  # or our own runs, which the queue believes to be free, would come a second time
        asked = time.monotonic()
        work = await dispatch.lease(
            self._db,
            self._carrier.id,
            self.lease,
            now(),
            room=bulk if bulk > 0 else single,
            rows_max=min(LEASE_ROWS_MAX, max(bulk, single)),
            bulk=bulk > 0,
            seconds=self._config.lease_seconds,
            exactly=slow,
            singles_from=self._begin(),
        )
        turns = [run.turn for run, _ in work if run.priority == queue.SINGLE]
        self._singles_from = max([self._singles_from, *(turn - BEHIND_MS for turn in turns)])
        if not self._outbox.runs:  # else what is there already was leased before
            self._held_until = asked + self._config.lease_seconds
        self._outbox.add(work, lambda: next(self._references) & 0xFFFF)
        return bool(work)

    def _begin(self) -> int:
        """The turn at which the next look at single sends begins; now and then at the first there is."""
        if self._clock() - self._looked_at_all < POLL_SECONDS:
            return self._singles_from
        self._looked_at_all = self._clock()
        self._singles_from = 0
        return 0

    def _ahead(self) -> tuple[int, bool]:
        """How many messages to have at hand, and whether it is the rate that says so and not the window."""
        ahead, limit = AHEAD * self._carrier.window_max, self._share.limit
        rate = min(self._pace.rate or limit, limit or self._pace.rate)
        if not rate or rate * SLOW_SECONDS >= ahead:
            return ahead, False
        return max(1, int(rate * SLOW_SECONDS)), True

    async def _put_back(self) -> None:
        """Return what was leased before it was known how slow the carrier is."""
        ahead, slow = self._ahead()
        if not slow or len(self._outbox) <= 2 * ahead:
            return
        tails = self._outbox.set_aside(ahead)
        try:
            ours = await dispatch.put_back(self._db, self.lease, tails) if tails else set[int]()
        except (*UNREACHABLE, *COLLISION):
            self._outbox.take_back()
            raise
        self._outbox.give_away(tails, ours)

    async def _mark_more(self) -> bool:
        """Let messages that must not go twice go, a window at a time, after writing down that they may have."""
        room = self._carrier.window_max - self._outbox.lined_up
        items = self._outbox.to_mark(room) if 2 * room >= self._carrier.window_max else []
        if not items:
            return False
        marks = {item.run.id: item.due.position + 1 for item in items}  # positions rise within a run
        ours = await dispatch.mark(self._db, list(marks.items()), self.lease)
        self._outbox.marked(items, ours)
        return True

    async def hold_on(self) -> None:
        """Renew the leases of what is still at hand, for ever; forget what is somebody else's by now."""
        while True:
            await asyncio.sleep(self._config.lease_seconds / 3)
            runs = {run.id for run in self._outbox.runs}
            if not runs:
                continue
            asked, held = time.monotonic(), self.holds
            try:
                ours = await dispatch.renew(
                    self._db, list(runs), self.lease, seconds=self._config.lease_seconds
                )
            except (*UNREACHABLE, *COLLISION):
                continue
            gone = runs - ours - (runs - {run.id for run in self._outbox.runs})
            if gone:
                _log.warning("lease_lost", carrier=self._carrier.name, n=len(gone))
                self._outbox.drop(gone)
            self._held_until = asked + self._config.lease_seconds
            if not held:
                self.wake()
