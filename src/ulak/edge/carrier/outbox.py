"""Work in memory: what a link has leased, and how far it has come with each message.

A run comes in with its messages; they go out part by part, single sends first; each comes to an end, taken, refused
or turned away, and with the last one the run is finished. Nothing here touches the network or the database.
"""

from collections import Counter, deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from itertools import islice

from ulak.flow.dispatch import Outcomes, Part, Refusal, Took
from ulak.flow.fallback import TurnedAway
from ulak.flow.unsure import Unsure, Work, key_of
from ulak.rules import segments
from ulak.store import queue
from ulak.store.incidents import Incident, Kind
from ulak.store.messages import Due, Key
from ulak.store.queue import Run


@dataclass(slots=True, eq=False)
class Item:
    """A message on its way: which parts it has, when each went out, and which the carrier has taken.

    `unanswered` parts have not been taken yet, `in_flight` of them are at the carrier; `again` counts, for each
    status, how often one was not taken and went out again. `refused_with` is set once the carrier has refused one.
    """

    run: Run
    due: Due
    parts: tuple[segments.Part, ...]
    data_coding: int
    sent_at: list[datetime | None]
    taken: list[Part]
    unanswered: int
    in_flight: int = 0
    retries: int = 0
    again: dict[tuple[Kind, int], int] | None = None
    refused_with: int | None = None
    over: bool = False

    @property
    def key(self) -> Key:
        """Which message."""
        return key_of(self.run, self.due)

    @property
    def unsure(self) -> Unsure:
        """The message as one that was in flight when its link died."""
        return Unsure(self.run, self.due)

    def expired(self, at: datetime) -> bool:
        """Whether its validity has passed."""
        return self.run.expires_at <= at


class Outbox:
    """What is leased. `outcomes` is where ends of messages are written for the recorder."""

    def __init__(self, carrier_id: int, style: segments.Style, outcomes: Callable[[], Outcomes]) -> None:
        self._carrier_id = carrier_id
        self._style = style
        self._outcomes = outcomes
        self._ready: dict[int, deque[tuple[Item, int]]] = {queue.SINGLE: deque(), queue.BULK: deque()}
        self._unmarked: deque[Item] = deque()
        self._left: dict[int, int] = {}
        self._runs: dict[int, Run] = {}
        self._aside: list[Item] = []
        self._ends: dict[int, int] = {}
        self._troubled: dict[int, Item] = {}
        self._begun: dict[int, Item] = {}

    def __len__(self) -> int:
        """Parts that could go now, and messages that wait for their mark."""
        return self.lined_up + len(self._unmarked)

    def ready(self, priority: int) -> int:
        """Parts of this priority that could go now."""
        return len(self._ready[priority])

    @property
    def lined_up(self) -> int:
        """Parts that could go now."""
        return sum(map(len, self._ready.values()))

    @property
    def runs(self) -> list[Run]:
        """The runs it still works on."""
        return list(self._runs.values())

    @property
    def begun(self) -> list[Item]:
        """Messages of which the carrier has taken some parts and not all: whoever gets one sends those again."""
        return list(self._begun.values())

    def add(self, work: Iterable[Work], reference: Callable[[], int]) -> None:
        """Take in leased runs; those that must not go twice wait to be marked first.

        A run that is here already had lapsed, and came back to us: nothing has changed, unless its messages must not
        go twice, because then those that may have gone have been ended.
        """
        for run, its in work:
            if run.id in self._runs:
                if run.resend_unsure:
                    continue
                self.drop({run.id})
            self._runs[run.id] = run
            self._left[run.id] = len(its)
            for due in its:
                encoded = segments.split(due.text, self._style, reference=reference())
                n = len(encoded.parts)
                item = Item(run, due, encoded.parts, encoded.data_coding, [None] * n, [], n)
                if run.resend_unsure:
                    self._line_up(item)
                else:
                    self._unmarked.append(item)

    def _line_up(self, item: Item) -> None:
        self._ready[item.run.priority].extend((item, part) for part in range(len(item.parts)))

    def to_mark(self, items_max: int) -> list[Item]:
        """The next messages that may go once it is written down that they may have gone."""
        return [self._unmarked.popleft() for _ in range(min(items_max, len(self._unmarked)))]

    def marked(self, items: Iterable[Item], ours: set[int]) -> None:
        """These are written down; those of runs that are no longer ours are dropped."""
        for item in items:
            if item.run.id in ours:
                self._line_up(item)
            else:
                self.drop({item.run.id})

    def next(self) -> tuple[Item, int] | None:
        """The next part to submit."""
        for ready in self._ready.values():
            while ready:
                item, part = ready.popleft()
                if not item.over and item.refused_with is None:
                    return item, part
        return None

    def not_gone(self, item: Item, part: int) -> None:
        """A part did not go out after all: it is the next one of its priority."""
        if not item.over and self._is_ours(item):
            self._ready[item.run.priority].appendleft((item, part))

    def gone(self, item: Item, part: int, at: datetime) -> None:
        """A part is on its way."""
        item.sent_at[part] = at
        item.in_flight += 1

    def not_taken(self, item: Item, kind: Kind, status: int) -> None:
        """The carrier did not take a part, which will go out again: `not_gone` when its time has come."""
        item.in_flight -= 1
        again = item.again = item.again or {}
        again[kind, status] = again.get((kind, status), 0) + 1
        self._troubled[id(item)] = item
        self._resolve(item)

    def taken(self, item: Item, part: int, ref: str, answered_id: str) -> None:
        """The carrier took a part, under an id of which `ref` is the normal form."""
        sent_at = item.sent_at[part]
        assert sent_at
        item.taken.append(Part(part, ref, answered_id if answered_id != ref else None, sent_at))
        item.in_flight -= 1
        item.unanswered -= 1
        if not item.over and item.unanswered == 0:
            outcomes = self._outcomes()
            outcomes.took.append(Took(item.key, tuple(item.taken)))
            outcomes.submits += len(item.taken)
            self._end(item)
        else:
            if not item.over and self._is_ours(item):
                self._begun[id(item)] = item
            self._resolve(item)

    def turned_away(self, item: Item, status: int) -> None:
        """The carrier will never take a part, for a reason that is not the number's: another one may take all.

        Decided when nothing is in flight any more: a carrier that has taken one of the parts may deliver it, so
        such a message goes nowhere else, and is not sent.
        """
        item.in_flight -= 1
        item.refused_with = status
        self._resolve(item)

    def _resolve(self, item: Item) -> None:
        """Give a message to the next carrier once this one has refused it and has no part of it."""
        if item.over or item.refused_with is None or item.in_flight > 0:
            return
        if item.taken or not item.run.others:
            self._refused(item, item.refused_with)
            return
        if self._is_ours(item):
            outcomes = self._outcomes()
            outcomes.turned_away.append(TurnedAway(item.run, item.due, item.refused_with))
        self._end(item)

    def refused(self, item: Item, status: int) -> None:
        """The carrier condemns the number: the message will not be delivered, whatever becomes of its other parts."""
        item.in_flight -= 1
        if not item.over:
            self._refused(item, status)

    def expired(self, item: Item) -> None:
        """Its validity passed before it went out whole."""
        if not item.over:
            self._outcomes().refused.append(Refusal(item.key, tuple(item.taken)))
            self._end(item)

    def _refused(self, item: Item, status: int) -> None:
        outcomes = self._outcomes()
        outcomes.refused.append(Refusal(item.key, tuple(item.taken)))
        outcomes.incidents.append(Incident(item.key, self._carrier_id, "refused", status))
        self._end(item)

    def _end(self, item: Item) -> None:
        item.over = True
        self._begun.pop(id(item), None)
        if item.again:
            self._tell(item)
        if not self._is_ours(item):
            return
        self._left[item.run.id] -= 1
        if self._left[item.run.id] == 0:
            self._outcomes().finished.append(item.run.id)
            del self._left[item.run.id], self._runs[item.run.id]
            self._ends.pop(item.run.id, None)

    def tell_troubles(self) -> None:
        """Have it written down how often messages went out again, and why, though they are not at their end."""
        for item in list(self._troubled.values()):
            self._tell(item)

    def _tell(self, item: Item) -> None:
        again, item.again = item.again or {}, None
        self._outcomes().incidents += [
            Incident(item.key, self._carrier_id, kind, status, n) for (kind, status), n in again.items()
        ]
        self._troubled.pop(id(item), None)

    def _is_ours(self, item: Item) -> bool:
        """Whether its run is still leased as it was then: a run that was given back may have come again, and its
        messages with it; what is left of the first time must not be counted into the second."""
        return self._runs.get(item.run.id) is item.run

    def set_aside(self, keep: int) -> list[tuple[Run, int]]:
        """Take out what could be somebody else's instead: of each run what is beyond the first `keep` that could go
        now, as far as nothing of it has gone out, nor may have. Something is kept of every run.

        Returns the runs, and from which position on. Then comes `give_away`, or `take_back`.
        """
        bulk = self._ready[queue.BULK]
        beyond = [item for item, _ in islice(bulk, keep, None) if item.run.resend_unsure]
        untouched = {
            id(item): item for item in (*beyond, *self._unmarked) if not (item.again or any(item.sent_at))
        }
        counted = Counter(item.run.id for item in untouched.values())
        spare = {run for run, n in counted.items() if n < self._left.get(run, 0)}
        self._aside = [item for item in untouched.values() if item.run.id in spare]
        gone = {id(item) for item in self._aside}
        self._ready[queue.BULK] = deque(entry for entry in bulk if id(entry[0]) not in gone)
        self._unmarked = deque(item for item in self._unmarked if id(item) not in gone)
        cuts: dict[int, tuple[Run, int]] = {}
        for item in reversed(self._aside):  # positions rise within a run
            cuts[item.run.id] = item.run, item.due.position
        return [(self._trimmed(run), cut) for run, cut in cuts.values()]

    def _trimmed(self, run: Run) -> Run:
        """A run without what was given away of it before."""
        end = self._ends.get(run.id)
        if end is None or run.positions is None:
            return run
        return run._replace(positions=[position for position in run.positions if position < end])

    def give_away(self, tails: Iterable[tuple[Run, int]], ours: set[int]) -> None:
        """What was set aside is back in the queue; runs that were no longer ours are dropped."""
        self._ends |= {run.id: cut for run, cut in tails}
        for item in self._aside:
            self._left[item.run.id] -= 1
        self._aside = []
        self.drop({run.id for run, _ in tails} - ours)

    def take_back(self) -> None:
        """What was set aside stays here after all."""
        for item in self._aside:
            if item.run.resend_unsure:
                self._line_up(item)
            else:
                self._unmarked.append(item)
        self._aside = []

    def drop(self, runs: set[int]) -> None:
        """Forget runs that are somebody else's now."""
        for run in runs:
            self._runs.pop(run, None)
            self._left.pop(run, None)
            self._ends.pop(run, None)
        for priority, ready in self._ready.items():
            self._ready[priority] = deque(entry for entry in ready if entry[0].run.id not in runs)
        self._unmarked = deque(item for item in self._unmarked if item.run.id not in runs)
        self._aside = [item for item in self._aside if item.run.id not in runs]
        self._begun = {id_: item for id_, item in self._begun.items() if item.run.id not in runs}

    def clear(self) -> list[Run]:
        """Forget everything; returns the runs that are not finished."""
        runs = self.runs
        self.drop({run.id for run in runs})
        return runs
