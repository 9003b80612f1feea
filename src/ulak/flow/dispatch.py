"""Dispatching: handing a carrier's link its work, and writing down what the carrier answered.

Three steps that never overlap with the network: `lease` takes runs from the queue, the link (edge/carrier.py)
submits them, `record` writes answers and receipts together in one transaction. Only after `record` returns may
the link acknowledge the receipts. What was in flight when a link or a process died is unsure; each service says
what then happens: the message goes out again (a bounded number of times), or it ends refunded.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from types import MappingProxyType
from typing import Final, NamedTuple
from uuid import UUID

from ulak.base import metrics
from ulak.base.db import Database, Tx
from ulak.flow import receipt
from ulak.flow.settle import settle
from ulak.rules.status import Status
from ulak.store import messages, queue, receipts, sendings, submits
from ulak.store.messages import ALL_PARTS, Due, End, Key, Taken
from ulak.store.queue import Run
from ulak.store.receipts import Receipt

NOTHING: Final[Mapping[Key, End]] = MappingProxyType({})


class Work(NamedTuple):
    """A leased run with what is still pending in it."""

    run: Run
    due: list[Due]


class Took(NamedTuple):
    """A carrier took a message: its id for each of the parts."""

    key: Key
    refs: tuple[str, ...]


class Refusal(NamedTuple):
    """A carrier will never deliver a message, or its validity passed first; `refs` are parts it had taken."""

    key: Key
    refs: tuple[str, ...] = ()


@dataclass(slots=True)
class Outcomes:
    """What a link has learnt since it last wrote: gathered for some milliseconds, written at once.

    `parts` counts submits that were answered for good: until they are written, a crash sends them again.
    """

    parts: int = 0
    took: list[Took] = field(default_factory=list)
    refused: list[Refusal] = field(default_factory=list)
    receipts: list[Receipt] = field(default_factory=list)
    finished: list[int] = field(default_factory=list)

    def __len__(self) -> int:
        return len(self.took) + len(self.refused) + len(self.receipts)

    def __bool__(self) -> bool:
        return bool(self.took or self.refused or self.receipts or self.finished)


async def lease(
    db: Database,
    carrier_id: int,
    lease_id: UUID,
    at: datetime,
    *,
    room: int,
    rows_max: int,
    bulk: bool,
    seconds: float,
) -> list[Work]:
    """Take the next runs for a carrier: about `room` messages, single sends first and, without `bulk`, only.

    Messages of a run that may have gone out before and must not go twice are ended here; runs with nothing
    left to do leave the queue.
    """
    async with db.transaction() as tx:
        runs = await queue.lease(
            tx,
            carrier_id,
            lease_id,
            priority_max=queue.BULK if bulk else queue.SINGLE,
            room=room,
            rows_max=rows_max,
            seconds=seconds,
        )
        if not runs:
            return []
        work = await _due(tx, runs)
        unsure = [(item.run, due) for item in work for due in item.due if due.position < _gone_to(item.run)]
        if unsure:
            ends = [_unsure_end(Key(run.tenant_id, run.sending_id, due.position)) for run, due in unsure]
            await settle(tx, ends, at)
            work = [Work(run, [due for due in its if due.position >= _gone_to(run)]) for run, its in work]
        empty = [run.id for run, its in work if not its]
        if empty:
            await queue.finish(tx, empty)
    return [item for item in work if item.due]


def _gone_to(run: Run) -> int:
    """Positions of the run before this one may have gone out and must not go again."""
    return run.first_position if run.resend_unsure else run.marked_to


async def _due(tx: Tx, runs: Sequence[Run]) -> list[Work]:
    work = {run.id: Work(run, []) for run in runs}
    for due in await messages.due(
        tx, [(r.id, r.tenant_id, r.sending_id, r.first_position, r.end_position) for r in runs]
    ):
        work[due.run].due.append(due)
    return list(work.values())


async def renew(db: Database, runs: Sequence[int], lease_id: UUID, *, seconds: float) -> set[int]:
    """Hold on to leased runs; returns those that are still ours."""
    async with db.transaction() as tx:
        return await queue.renew(tx, runs, lease_id, seconds=seconds)


async def mark(db: Database, marks: Sequence[tuple[int, int]], lease_id: UUID) -> set[int]:
    """Commit, before they go out, up to which position messages of a run (id, position) may have gone out.

    Returns the runs that are still ours; only their messages may go.
    """
    async with db.transaction() as tx:
        return await queue.mark(tx, marks, lease_id)


async def record(db: Database, carrier_id: int, outcomes: Outcomes, at: datetime) -> None:
    """Write answers and receipts: statuses, counters, refunds, the carrier's ids, in one commit."""
    async with db.transaction() as tx:
        parted: Iterable[Took | Refusal] = (*outcomes.took, *outcomes.refused)
        new = [part for one in parted for part in _parts(one.key, one.refs)]
        if new:
            await submits.add(tx, carrier_id, new, at)
        moves = await _take(tx, carrier_id, outcomes.took)
        refused = {one.key: End(*one.key, ALL_PARTS, Status.NOT_SENT) for one in outcomes.refused}
        refs = [part.ref for part in new]
        await apply_receipts(tx, carrier_id, outcomes.receipts, refs, at, also=refused, moves=moves)
        if outcomes.finished:
            await queue.finish(tx, outcomes.finished)
    metrics.OUTCOMES_TOGETHER.observe(len(outcomes))


async def apply_receipts(
    tx: Tx,
    carrier_id: int,
    incoming: Sequence[Receipt],
    new_refs: Sequence[str],
    at: datetime,
    *,
    also: Mapping[Key, End] = NOTHING,
    moves: Sequence[sendings.Move] = (),
) -> None:
    """End what receipts say has ended, and what ends without one (`also`); count `moves` on the way.

    Receipts that came too late to end anything are kept as such.
    """
    matches = await receipt.match(tx, carrier_id, incoming, new_refs, at)
    ends = {**matches.ends, **also}
    late = matches.repeated
    if await settle(tx, list(ends.values()), at, also=moves) < len(ends):
        before = await messages.ended_before(tx, list(matches.ends), at) if matches.ends else set()
        late = [*late, *(one for key in before for one in matches.receipts[key])]
    if late:
        await receipts.add(tx, carrier_id, late, "late", at)
        metrics.RECEIPTS.labels(str(carrier_id), "late").inc(len(late))


async def _take(tx: Tx, carrier_id: int, took: Iterable[Took]) -> list[sendings.Move]:
    taken = [Taken(*one.key, (1 << len(one.refs)) - 1) for one in took]
    if not taken:
        return []
    moved = await messages.take(tx, taken, carrier_id)
    return [sendings.Move(tenant, sending, pending=-n, waiting=n) for tenant, sending, n in moved]


def _parts(key: Key, refs: tuple[str, ...]) -> list[submits.Submit]:
    """The parts a carrier gave an id; one without can never be spoken of in a receipt."""
    return [submits.Submit(ref, *key, part) for part, ref in enumerate(refs) if ref]


class Unsure(NamedTuple):
    """A message that was in flight when its link died."""

    run: Run
    due: Due

    @property
    def key(self) -> Key:
        """Which message."""
        return Key(self.run.tenant_id, self.run.sending_id, self.due.position)


async def give_back(
    db: Database,
    lease_id: UUID,
    runs: Sequence[tuple[int, int]],
    unsure: Sequence[Unsure],
    at: datetime,
    *,
    attempts_max: int,
) -> None:
    """Return leased runs (id, first position that certainly never went out) to the queue after a link died.

    Each unsure message has its attempt written down; one that must not go twice, or has gone out
    `attempts_max` times, ends here.
    """
    ended = [u.key for u in unsure if not u.run.resend_unsure or u.due.attempts + 1 >= attempts_max]
    again = [u.key for u in unsure if u.key not in set(ended)]
    async with db.transaction() as tx:
        if again:
            await messages.count_attempt(tx, again)
        await settle(tx, [_unsure_end(key) for key in ended], at)
        if runs:
            await queue.release(tx, runs, lease_id)


def _unsure_end(key: Key) -> End:
    """Nobody knows whether it went out, and it must not go again: it counts as not sent, and is paid back."""
    return End(*key, ALL_PARTS, Status.NOT_SENT, refund=True)
