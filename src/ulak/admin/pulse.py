"""How the installation does: what happens over time, what each carrier does at the moment, and whether all is well.

In: the pulse that every process tells (`flow.pulse`), how connections stand, the queue, the database itself. Out:
numbers for an operator to look at. Changes nothing, and costs as much however much is in the queue.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Final

from ulak.admin import carriers
from ulak.admin.carriers import Standing
from ulak.base.db import UNREACHABLE, Database, Tx
from ulak.base.migrate import pending
from ulak.flow.pulse import What
from ulak.flow.receipt import PROGRESS
from ulak.rules import ids, stretches
from ulak.rules.refusal import Code, Refused, said
from ulak.store import depths, installation, links, pulse
from ulak.store.depths import Depth
from ulak.store.installation import Server
from ulak.store.links import Link
from ulak.store.pulse import SLOT_SECONDS, Total

POINTS_MAX: Final = 2000
HOUR: Final = timedelta(hours=1)
RECENT: Final = timedelta(minutes=5)
#: How many of the last whole slots say how fast it goes now.
CURRENT_SLOTS: Final = 3
TAKEN: Final = "0x00"

_OF_CARRIERS: Final = (
    *(What.GONE, What.GONE_MS, What.SUBMITS, What.ANSWERS, What.ANSWER_MS, What.UNSURE, What.RECEIPTS),
    *(What.UNMATCHED, What.CLAIMED, What.ENDED, What.REFUNDS),
)


# over time


@dataclass(frozen=True, slots=True)
class Series:
    """Something that was counted, in steps of so many seconds from `starts` on; the last one is not over yet.

    `lines` has a list of as many numbers for each label there was; `total` adds them up.
    """

    what: What
    starts: datetime
    step_seconds: int
    lines: dict[str, list[int]]
    total: list[int]

    @property
    def times(self) -> list[datetime]:
        """When each step begins."""
        step = timedelta(seconds=self.step_seconds)
        return [self.starts + k * step for k in range(len(self.total))]


async def series(
    db: Database,
    what: What,
    *,
    carrier_id: int | None = None,
    since: datetime,
    step_seconds: int = SLOT_SECONDS,
) -> Series:
    """What was counted from the step in which `since` lies up to now, with 0 where there was nothing.

    `carrier_id` None: at all carriers. Steps are whole slots long; refused where they would be too many to draw.
    """
    if step_seconds < SLOT_SECONDS or step_seconds % SLOT_SECONDS:
        raise Refused(
            Code.INVALID_VALUE, said("A step is a multiple of {slot} seconds long.", slot=SLOT_SECONDS)
        )
    now, step = datetime.now(UTC), timedelta(seconds=step_seconds)
    starts = since - (since - stretches.EPOCH) % step
    n = max(1, -((starts - now) // step))
    if n > POINTS_MAX:
        raise Refused(
            Code.INVALID_VALUE,
            said("That is {n} steps; at most {most} make a picture: make them longer.", n=n, most=POINTS_MAX),
        )
    async with db.reading() as tx:
        points = await pulse.series(tx, what, starts, starts + n * step, step_seconds, carrier_id)
    lines: dict[str, list[int]] = {}
    for point in points:
        lines.setdefault(point.label, [0] * n)[point.step] = point.n
    total = [sum(column) for column in zip(*lines.values(), strict=True)] if lines else [0] * n
    return Series(what, starts, step_seconds, lines, total)


# each carrier now


@dataclass(frozen=True, slots=True)
class Waiting:
    """What waits for a carrier, or for all: `messages`, an estimate where `about`; the oldest was accepted `since`."""

    messages: int
    about: bool
    since: datetime | None

    def seconds(self, at: datetime) -> float | None:
        """For how long the oldest has waited."""
        return None if self.since is None else max(0.0, (at - self.since).total_seconds())


@dataclass(frozen=True, slots=True)
class Activity:
    """A carrier: how each of its connections stands, and what happened at it.

    The two rates are of the last half minute. `answers` (by command_status, "0x00"), `receipts` (by status, or
    "progress"), `ended` (by status) and all other counts are of the last hour; the two times are means of the last
    five minutes in milliseconds, None when there was nothing: from acceptance until a message went out, and from there
    to the answer.
    """

    standing: Standing
    links: list[Link]
    throttled_since: datetime | None
    messages_per_second: float
    submits_per_second: float
    answers: dict[str, int]
    receipts: dict[str, int]
    ended: dict[str, int]
    unmatched: int
    refunds: int
    unsure: int
    wait_ms: float | None
    answer_ms: float | None
    waiting: Waiting

    @property
    def receipt_rate(self) -> float | None:
        """Final receipts for each part that was taken in the last hour; None when none was taken. It passes 1 for a
        while when receipts of earlier messages come all at once."""
        taken = self.answers.get(TAKEN, 0)
        final = sum(n for label, n in self.receipts.items() if label != PROGRESS)
        return final / taken if taken else None


async def carrier_activity(db: Database) -> list[Activity]:
    """Every carrier, and what happens at it."""
    standings = await carriers.listed(db)
    now = datetime.now(UTC)
    async with db.reading() as tx:
        fresh = [link for link in await links.all(tx) if link.fresh]
        totals = await pulse.totals(tx, _OF_CARRIERS, now - HOUR, now - RECENT, CURRENT_SLOTS)
        found = await depths.read(tx, [one.carrier.id for one in standings])
    waiting = {depth.carrier_id: _waiting([depth]) for depth in found}
    return [
        _activity(
            one,
            [link for link in fresh if link.carrier_id == one.carrier.id],
            [total for total in totals if total.carrier_id == one.carrier.id],
            waiting[one.carrier.id],
        )
        for one in standings
    ]


def _activity(standing: Standing, its_links: list[Link], totals: list[Total], waiting: Waiting) -> Activity:
    counted = _Counted(totals)
    return Activity(
        standing=standing,
        links=its_links,
        throttled_since=min(
            (link.throttled_since for link in its_links if link.throttled_since), default=None
        ),
        messages_per_second=counted.per_second(What.GONE),
        submits_per_second=counted.per_second(What.SUBMITS),
        answers=counted.by_label(What.ANSWERS),
        receipts=counted.by_label(What.RECEIPTS),
        ended=counted.by_label(What.ENDED),
        unmatched=max(0, counted.sum(What.UNMATCHED) - counted.sum(What.CLAIMED)),
        refunds=counted.sum(What.REFUNDS),
        unsure=counted.sum(What.UNSURE),
        wait_ms=counted.mean(What.GONE_MS, What.GONE),
        answer_ms=counted.mean(What.ANSWER_MS, What.ANSWERS),
        waiting=waiting,
    )


@dataclass(frozen=True, slots=True)
class _Counted:
    """What was counted at one carrier."""

    totals: list[Total]

    def _of(self, what: What) -> list[Total]:
        return [total for total in self.totals if total.what == what]

    def sum(self, what: What) -> int:
        return sum(total.n for total in self._of(what))

    def by_label(self, what: What) -> dict[str, int]:
        return {total.label: total.n for total in self._of(what)}

    def per_second(self, what: What) -> float:
        return sum(total.current for total in self._of(what)) / (CURRENT_SLOTS * SLOT_SECONDS)

    def mean(self, what: What, count: What) -> float | None:
        n = sum(total.recent for total in self._of(count))
        return sum(total.recent for total in self._of(what)) / n if n else None


def _waiting(found: Sequence[Depth]) -> Waiting:
    """What waits for these carriers together."""
    oldest = min((depth.oldest for depth in found if depth.oldest), default=None)
    return Waiting(
        sum(depth.messages for depth in found),
        any(depth.about for depth in found),
        stretches.instant(ids.milliseconds_of(oldest)) if oldest else None,
    )


# whether all is well


@dataclass(frozen=True, slots=True)
class Health:
    """Whether all is well. `trouble` says why the database cannot be reached; then nothing else is known. With
    `migrations_pending` only the server is known.

    `carriers_down` are those that somebody should look at, by name; `link_processes` keep connections, heard of
    `links_seen_at` last; `swept_at` is the courier's last sign of life, known to about a minute; `unmatched` receipts
    came in the last hour, and `passed_on` requests by way of a proxy that nobody trusts.
    """

    at: datetime
    trouble: str | None = None
    server: Server | None = None
    migrations_pending: list[str] = field(default_factory=list)
    waiting: Waiting | None = None
    carriers_down: list[str] = field(default_factory=list)
    link_processes: int = 0
    links_seen_at: datetime | None = None
    swept_at: datetime | None = None
    unmatched: int = 0
    passed_on: int = 0

    @property
    def well(self) -> bool:
        """Whether nobody needs to look."""
        return not (self.trouble or self.migrations_pending or self.carriers_down)


async def health(db: Database) -> Health:
    """How everything stands."""
    at = datetime.now(UTC)
    try:
        async with db.reading() as tx:
            server = await installation.read(tx)
            missing = await pending(tx)
        if missing:
            return Health(at, server=server, migrations_pending=missing)
        standings = await carriers.listed(db)
        async with db.reading() as tx:
            return await _known(tx, at, server, standings)
    except UNREACHABLE as error:
        return Health(at, trouble=" ".join(str(error).split()) or type(error).__name__)


async def _known(tx: Tx, at: datetime, server: Server, standings: Sequence[Standing]) -> Health:
    every_link = await links.all(tx)
    totals = await pulse.totals(
        tx, [What.UNMATCHED, What.CLAIMED, What.PASSED_ON], at - HOUR, at, CURRENT_SLOTS
    )
    counted = _Counted(totals)
    found = await depths.read(tx, [one.carrier.id for one in standings])
    return Health(
        at,
        server=server,
        waiting=_waiting(found),
        carriers_down=[one.carrier.name for one in standings if one.alarm],
        link_processes=len({link.process for link in every_link if link.fresh}),
        links_seen_at=max((link.seen_at for link in every_link), default=None),
        swept_at=await pulse.newest(tx, What.SWEEPS),
        unmatched=max(0, counted.sum(What.UNMATCHED) - counted.sum(What.CLAIMED)),
        passed_on=counted.sum(What.PASSED_ON),
    )
