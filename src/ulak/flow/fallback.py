"""Falling back: giving messages to the next carrier of their service's route.

A carrier that refuses a message for a reason that is not the number's has it taken away (`turn_away`), and what
waits for a carrier that is down, or throttles, for longer than the service is willing to wait goes elsewhere
(`relieve`). A carrier that has refused a message does not get it again. Every move is written down as an incident of
the message, in the transaction that makes it.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, NamedTuple
from uuid import UUID

from ulak.base.db import Database, Tx
from ulak.flow import unsure, ways
from ulak.flow.unsure import Work
from ulak.flow.ways import Ways
from ulak.rules.status import Status
from ulak.store import incidents, messages, notices, queue, services
from ulak.store.incidents import Incident
from ulak.store.messages import ALL_PARTS, Due, End, Key
from ulak.store.queue import NewRun, Run

RUNS_MAX: Final = 20


class TurnedAway(NamedTuple):
    """A message that a carrier has refused, with this status, for a reason that is not its number's."""

    run: Run
    due: Due
    status: int

    @property
    def key(self) -> Key:
        """Which message."""
        return unsure.key_of(self.run, self.due)


@dataclass(frozen=True, slots=True)
class _Moved:
    """Messages of a run that go over another carrier from now on."""

    run: Run
    carrier_id: int
    positions: list[int]

    def new_run(self) -> NewRun:
        """The same place in the queue, with another carrier."""
        return _run_for(self.run, self.carrier_id, sorted(self.positions))

    @property
    def messages(self) -> list[Key]:
        """Which messages."""
        return [Key(self.run.tenant_id, self.run.sending_id, position) for position in self.positions]


def _run_for(run: Run, carrier_id: int, positions: Sequence[int]) -> NewRun:
    return queue.new_run(
        positions,
        carrier_id=carrier_id,
        priority=run.priority,
        turn=run.turn,
        tenant_id=run.tenant_id,
        sending_id=run.sending_id,
        expires_at=run.expires_at,
    )


async def turn_away(tx: Tx, carrier_id: int, turned: Sequence[TurnedAway], at: datetime) -> list[End]:
    """Give what a carrier has refused to the next ones; returns how those end that have none left."""
    refusals = [Incident(one.key, carrier_id, "refused", one.status) for one in turned]
    await incidents.add(tx, refusals, at)
    refused_by = await incidents.refused_by(tx, [one.key for one in turned])
    now = await ways.read(tx, at)
    patience = ways.patience(await services.all(tx))
    moved: dict[tuple[int, int], _Moved] = {}
    ends = []
    for one in turned:
        run = one.run
        avoided = now.avoided(patience[run.service_id])
        next_ = now.next(run.service_id, run.sender, one.due.recipient, refused_by[one.key], avoided)
        if next_ is None:
            ends.append(End(*one.key, ALL_PARTS, Status.NOT_SENT))
        else:
            its = moved.setdefault((run.id, next_), _Moved(run, next_, []))
            its.positions.append(one.due.position)
    await _move(tx, carrier_id, moved.values(), "it was refused", at)
    return ends


async def _move(tx: Tx, carrier_id: int, moved: Iterable[_Moved], reason: str, at: datetime) -> None:
    """Queue messages for other carriers, and write down why."""
    moved = list(moved)
    if not moved:
        return
    to = [(key, its.carrier_id) for its in moved for key in its.messages]
    await messages.route(tx, to)
    await incidents.add(
        tx, [Incident(key, carrier_id, "moved", moved_to=next_, reason=reason) for key, next_ in to], at
    )
    await queue.add(tx, [its.new_run() for its in moved])
    await notices.work_waits(tx, (its.carrier_id for its in moved))


async def relieve(db: Database, at: datetime) -> None:
    """Move what has waited too long for a carrier that is down, or throttles."""
    async with db.reading() as tx:
        now = await ways.read(tx, at)
        in_trouble = [*now.down, *now.throttling]
        waited_for = await queue.waited_for(tx, in_trouble) if in_trouble else set()
        if not waited_for:
            return
        patience = ways.patience(await services.all(tx))
    for service_id, seconds in patience.items():
        before = at - timedelta(seconds=seconds)
        down = now.avoided(seconds)
        throttling = frozenset(carrier for carrier, since in now.throttling.items() if since <= before)
        for carrier_id in sorted(
            (down | throttling) & waited_for
        ):  # also one that is not in the route any more
            if not any(hop.carrier_id != carrier_id for hop in now.routes.get(service_id, ())):
                continue
            accepted_before = at if carrier_id in down else before
            relief = _Relief(now, service_id, carrier_id, accepted_before, down | throttling)
            after: int | None = 0
            while after is not None:
                async with db.transaction() as tx:
                    after = await relief.some(tx, after)


@dataclass(frozen=True, slots=True)
class _Relief:
    """Moving one service's messages away from one carrier, as far as others are there for them."""

    now: Ways
    service_id: UUID
    carrier_id: int
    accepted_before: datetime
    avoided: frozenset[int]

    async def some(self, tx: Tx, after: int) -> int | None:
        """Move what can be moved in the next runs after this id; returns the last one's id, None after the last."""
        at = self.now.at
        runs = await queue.waiting(
            tx, self.carrier_id, self.service_id, self.accepted_before, after, RUNS_MAX
        )
        if not runs:
            return None
        work = await unsure.take_over(tx, self.carrier_id, runs, at)
        await queue.let_go(tx, [run.id for run in runs if run.lapsed])
        keys = [unsure.key_of(run, due) for run, its in work for due in its]
        refused_by = await incidents.refused_by(tx, keys) if keys else {}
        moved: list[_Moved] = []
        for item in work:
            going, staying = self._sorted(item, refused_by)
            if going:
                await queue.finish(tx, [item.run.id])
                moved += going
                if staying:
                    await queue.add(tx, [_run_for(item.run, self.carrier_id, staying)])
        await _move(tx, self.carrier_id, moved, _why(self.now, self.carrier_id), at)
        return runs[-1].id

    def _sorted(self, item: Work, refused_by: dict[Key, set[int]]) -> tuple[list[_Moved], list[int]]:
        """Which messages of a run go elsewhere, and the positions of those that have to stay."""
        run, moved, staying = item.run, dict[int, _Moved](), list[int]()
        for due in item.due:
            not_over = refused_by.get(unsure.key_of(run, due), set()) | {self.carrier_id}
            next_ = self.now.next(self.service_id, run.sender, due.recipient, not_over, self.avoided)
            if next_ is None or next_ in self.avoided:
                staying.append(due.position)
            else:
                moved.setdefault(next_, _Moved(run, next_, [])).positions.append(due.position)
        return list(moved.values()), staying


def _why(now: Ways, carrier_id: int) -> str:
    if carrier_id in now.down:
        since = now.down[carrier_id]
        return (
            "it is paused" if since == ways.ALWAYS else f"it has been down since {since:%Y-%m-%d %H:%M:%S}Z"
        )
    return f"it has been throttling since {now.throttling[carrier_id]:%Y-%m-%d %H:%M:%S}Z"
