"""Dispatching: handing a carrier's link its work, and writing down what the carrier answered.

Three steps that never overlap with the network: `lease` takes runs from the queue, the link (edge/carrier)
submits them, `record` writes answers and receipts together in one transaction. Only after `record` returns may
the link acknowledge the receipts. What was in flight when a link or a process died is unsure (`flow.unsure`); what
a carrier would not take goes to the next one (`flow.fallback`).
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from types import MappingProxyType
from typing import Final, NamedTuple
from uuid import UUID

from ulak.base import metrics
from ulak.base.db import Database, Tx, write
from ulak.flow import fallback, receipt, traced, unsure
from ulak.flow.fallback import TurnedAway
from ulak.flow.settle import settle
from ulak.flow.unsure import Unsure, Work
from ulak.rules.status import Status
from ulak.store import incidents, messages, queue, sendings, submits
from ulak.store.incidents import Incident
from ulak.store.messages import ALL_PARTS, End, Key, Taken
from ulak.store.queue import Run
from ulak.store.receipts import Receipt

NOTHING: Final[Mapping[Key, End]] = MappingProxyType({})


class Part(NamedTuple):
    """A part that a carrier took: its id in its normal form, as it was written where that differs, and when it went."""

    number: int
    ref: str
    answered_id: str | None
    submitted_at: datetime


class Took(NamedTuple):
    """A carrier took a message, in so many parts."""

    key: Key
    parts: tuple[Part, ...]


class Refusal(NamedTuple):
    """A message that no carrier will deliver, or whose validity passed first; `parts` were taken before."""

    key: Key
    parts: tuple[Part, ...] = ()


@dataclass(slots=True)
class Outcomes:
    """What a link has learnt since it last wrote: gathered for some milliseconds, written at once.

    `submits` counts those that were answered for good: until they are written, a crash sends them again.
    """

    submits: int = 0
    took: list[Took] = field(default_factory=list)
    refused: list[Refusal] = field(default_factory=list)
    turned_away: list[TurnedAway] = field(default_factory=list)
    receipts: list[Receipt] = field(default_factory=list)
    incidents: list[Incident] = field(default_factory=list)
    finished: list[int] = field(default_factory=list)

    def __len__(self) -> int:
        return len(self.took) + len(self.refused) + len(self.turned_away) + len(self.receipts)

    def __bool__(self) -> bool:
        return bool(len(self) or self.finished)


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
    exactly: bool = False,
    singles_from: int = 0,
) -> list[Work]:
    """Take the next runs for a carrier: about `room` messages, single sends first and, without `bulk`, only.

    With `exactly` not more than that: what is left of a run stays in the queue, for whoever can take it sooner.
    Single sends whose turn is before `singles_from` are left for a later look.

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
            singles_from=singles_from,
        )
        work = await unsure.take_over(tx, carrier_id, runs, at) if runs else []
        return [await _bite(tx, item, lease_id, room) for item in work] if exactly else work


async def _bite(tx: Tx, item: Work, lease_id: UUID, n: int) -> Work:
    """So many messages of a run that was just leased."""
    if len(item.due) <= n:
        return item
    head = await queue.split(tx, item.run, lease_id, item.due[n].position)
    assert head
    return Work(head, item.due[:n])


async def put_back(db: Database, lease_id: UUID, tails: Iterable[tuple[Run, int]]) -> set[int]:
    """Return what leased runs have from a position on, of which nothing has gone out, to the queue.

    Returns the runs that were still ours; of the others everything is somebody else's.
    """
    async with db.transaction() as tx:
        return {run.id for run, cut in tails if await queue.split(tx, run, lease_id, cut)}


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
        new = [part for one in parted for part in _submits(one.key, one.parts)]
        writes = [submits.to_add(carrier_id, new, at)] if new else []
        writes += [incidents.to_add(outcomes.incidents, at)] if outcomes.incidents else []
        writes += [queue.to_finish(outcomes.finished)] if outcomes.finished else []
        if writes:
            await write(tx, *writes)
        moves = await _take(tx, carrier_id, outcomes.took)
        ends = {one.key: End(*one.key, ALL_PARTS, Status.NOT_SENT) for one in outcomes.refused}
        if outcomes.turned_away:
            ends |= {
                end.key: end for end in await fallback.turn_away(tx, carrier_id, outcomes.turned_away, at)
            }
        refs = [part.ref for part in new]
        ended = await apply_receipts(tx, carrier_id, outcomes.receipts, refs, at, also=ends, moves=moves)
    traced.ended(ended, carrier_id, at)
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
) -> Iterable[End]:
    """End what receipts say has ended, and what ends without one (`also`); count `moves` on the way.

    Returns all of these ends, also of what had ended before.
    """
    matches = await receipt.match(tx, carrier_id, incoming, new_refs, at)
    ends = {**matches.ends, **also}
    n_ended = await settle(tx, list(ends.values()), at, also=moves, carrier_id=carrier_id)
    all_ended = n_ended == len(ends)
    keys = {key for _, key in matches.matched} if matches.progress or not all_ended else set()
    before = await messages.ended_before(tx, list(keys), at) if keys else set()
    await receipt.keep(tx, carrier_id, matches, before, at)
    return ends.values()


async def _take(tx: Tx, carrier_id: int, took: Iterable[Took]) -> list[sendings.Move]:
    taken = [Taken(*one.key, (1 << len(one.parts)) - 1) for one in took]
    if not taken:
        return []
    moved = await messages.take(tx, taken, carrier_id)
    return [sendings.Move(tenant, sending, pending=-n, waiting=n) for tenant, sending, n in moved]


def _submits(key: Key, parts: tuple[Part, ...]) -> list[submits.Submit]:
    """The parts a carrier took; one without an id can never be spoken of in a receipt."""
    return [
        submits.Submit(part.ref, *key, part.number, part.submitted_at, part.answered_id)
        for part in parts
        if part.ref
    ]


async def give_back(
    db: Database,
    carrier_id: int,
    lease_id: UUID,
    runs: Sequence[tuple[int, int]],
    lost: Sequence[Unsure],
    at: datetime,
    *,
    why: str,
    attempts_max: int,
) -> None:
    """Return leased runs (id, first position that certainly never went out) to the queue after a link died.

    Each unsure message has its attempt written down; one that must not go twice, or has gone out
    `attempts_max` times, ends here.
    """
    ended = [one.key for one in lost if not one.run.resend_unsure or one.due.attempts + 1 >= attempts_max]
    again = [one.key for one in lost if one.key not in set(ended)]
    async with db.transaction() as tx:
        await unsure.write_down(tx, carrier_id, lost, why, at)
        if again:
            await messages.count_attempt(tx, again)
        await settle(tx, [unsure.end_of(key) for key in ended], at, carrier_id=carrier_id)
        if runs:
            await queue.release(tx, runs, lease_id)
