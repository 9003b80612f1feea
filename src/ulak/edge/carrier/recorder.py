"""What a link has learnt and not yet written: gathered for some milliseconds, then written in one commit.

Receipts are acknowledged to the carrier only after that commit; until then the carrier keeps them too. When the
database is away nothing is forgotten: the same outcomes are written when it is back, and `clogged` tells the link
to send no more in the meantime.
"""

import asyncio
from collections.abc import Callable
from typing import Final

import structlog

from ulak.base.db import COLLISION, UNREACHABLE, Database
from ulak.flow import dispatch
from ulak.flow.accept import now
from ulak.flow.dispatch import Outcomes
from ulak.store.receipts import Receipt

RETRY_SECONDS: Final = 0.25
TOGETHER_MAX: Final = 1000
CLOGGED_AT: Final = 5000

_log = structlog.get_logger(__name__)


class Recorder:
    """One for each carrier. `run` it in one task; `flush` waits until all that is known now is written."""

    def __init__(
        self,
        db: Database,
        carrier_id: int,
        *,
        gather_seconds: float,
        submits_max: int,
        written: Callable[[], None],
    ) -> None:
        """`submits_max` answers are written without waiting for more; `written` is called after each commit."""
        self._db = db
        self._carrier_id = carrier_id
        self._gather_seconds = gather_seconds
        self._submits_max = submits_max
        self._written = written
        self._in_writing = 0
        self._outcomes = Outcomes()
        self._acknowledgements: list[Callable[[], None]] = []
        self._something = asyncio.Event()
        self._hurry = asyncio.Event()
        self._idle = asyncio.Event()
        self._idle.set()

    def outcomes(self) -> Outcomes:
        """Where to put what was learnt; it will be written soon."""
        if not self._something.is_set():
            self._something.set()
            self._idle.clear()
        if len(self._outcomes) >= TOGETHER_MAX or self._outcomes.submits >= self._submits_max:
            self._hurry.set()
        return self._outcomes

    def receipts(self, receipts: list[Receipt], acknowledge: Callable[[], None]) -> None:
        """Receipts to be written, and what to do when they are."""
        self.outcomes().receipts.extend(receipts)
        self._acknowledgements.append(acknowledge)

    @property
    def unwritten(self) -> int:
        """Answered submits that would go out again if the process died now."""
        return self._in_writing + self._outcomes.submits

    @property
    def clogged(self) -> bool:
        """Whether more has been learnt than can be written for now."""
        return len(self._outcomes) >= CLOGGED_AT

    async def flush(self) -> None:
        """Wait until everything learnt before this call is written."""
        self._hurry.set()
        await self._idle.wait()

    async def run(self) -> None:
        """Write what comes, for ever."""
        while True:
            await self._something.wait()
            if not self._hurry.is_set():
                await self._gather()
            outcomes, self._outcomes = self._outcomes, Outcomes()
            acknowledgements, self._acknowledgements = self._acknowledgements, []
            self._in_writing = outcomes.submits
            self._something.clear()
            self._hurry.clear()
            await self._write(outcomes)
            self._in_writing = 0
            for acknowledge in acknowledgements:
                acknowledge()
            if not self._something.is_set():
                self._hurry.clear()
                self._idle.set()
            self._written()

    async def _gather(self) -> None:
        try:
            async with asyncio.timeout(self._gather_seconds):
                await self._hurry.wait()
        except TimeoutError:
            pass

    async def _write(self, outcomes: Outcomes) -> None:
        while True:
            try:
                return await dispatch.record(self._db, self._carrier_id, outcomes, now())
            except (*UNREACHABLE, *COLLISION) as error:
                _log.warning("outcomes_wait", error=type(error).__name__, n=len(outcomes))
                await asyncio.sleep(RETRY_SECONDS)
