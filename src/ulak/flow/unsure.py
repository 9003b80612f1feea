"""The unsure: messages that may have gone out, and nobody knows.

In: runs that somebody takes over, or gives back, after a link or a process died. Out: what is left to do in them.
Each service says what happens to the others: they go out again, which is written down, or they end paid back.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Final, NamedTuple

from ulak.base.db import Tx
from ulak.flow.settle import settle
from ulak.rules.status import Status
from ulak.store import incidents, messages, queue
from ulak.store.incidents import Incident
from ulak.store.messages import ALL_PARTS, Due, End, Key
from ulak.store.queue import Run

LAPSED: Final = "the process that had it in hand went away; it may have gone out"


class Work(NamedTuple):
    """A run with what is still pending in it."""

    run: Run
    due: list[Due]


class Unsure(NamedTuple):
    """A message that was in flight when its link died."""

    run: Run
    due: Due

    @property
    def key(self) -> Key:
        """Which message."""
        return key_of(self.run, self.due)


def key_of(run: Run, due: Due) -> Key:
    """Which message."""
    return Key(run.tenant_id, run.sending_id, due.position)


async def take_over(tx: Tx, carrier_id: int, runs: Sequence[Run], at: datetime) -> list[Work]:
    """What is to do in runs that were just locked; those with nothing left leave the queue.

    Messages that may have gone out before and must not go twice are ended here.
    """
    work = await _due(tx, carrier_id, runs)
    unsure = [Unsure(run, due) for run, its in work for due in its if due.position < _gone_to(run)]
    again = [Unsure(run, due) for run, its in work if run.lapsed and run.resend_unsure for due in its]
    if unsure or again:
        await write_down(tx, carrier_id, [*unsure, *again], LAPSED, at)
    if unsure:
        await settle(tx, [end_of(one.key) for one in unsure], at, carrier_id=carrier_id)
        work = [Work(run, [due for due in its if due.position >= _gone_to(run)]) for run, its in work]
    empty = [run.id for run, its in work if not its]
    if empty:
        await queue.finish(tx, empty)
    return [item for item in work if item.due]


async def _due(tx: Tx, carrier_id: int, runs: Sequence[Run]) -> list[Work]:
    work = {run.id: Work(run, []) for run in runs}
    for due in await messages.due(tx, carrier_id, [run.stretch for run in runs]):
        work[due.run].due.append(due)
    return list(work.values())


def _gone_to(run: Run) -> int:
    """Positions of the run before this one may have gone out and must not go again."""
    return run.first_position if run.resend_unsure else run.marked_to


async def write_down(tx: Tx, carrier_id: int, unsure: Iterable[Unsure], why: str, at: datetime) -> None:
    """Keep in the messages' history that they may have gone out."""
    found = [Incident(one.key, carrier_id, "unsure", reason=why) for one in unsure]
    if found:
        await incidents.add(tx, found, at)


def end_of(key: Key) -> End:
    """Nobody knows whether it went out, and it must not go again: it counts as not sent, and is paid back."""
    return End(*key, ALL_PARTS, Status.NOT_SENT, refund=True)
