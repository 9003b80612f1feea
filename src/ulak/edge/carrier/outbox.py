"""Work in memory: what a link has leased, and how far it has come with each message.

A run comes in with its messages; they go out part by part, single sends first; each comes to an end, taken or
refused, and with the last one the run is finished. Nothing here touches the network or the database.
"""

from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime

from ulak.flow.dispatch import Outcomes, Refusal, Took, Unsure, Work
from ulak.rules import segments
from ulak.store import queue
from ulak.store.messages import Due, Key
from ulak.store.queue import Run


@dataclass(slots=True, eq=False)
class Item:
    """A message on its way: which parts it has, and the carrier's id of each that was taken."""

    run: Run
    due: Due
    parts: tuple[segments.Part, ...]
    data_coding: int
    refs: list[str]
    unanswered: int
    retries: int = 0
    over: bool = False

    @property
    def key(self) -> Key:
        """Which message."""
        return Key(self.run.tenant_id, self.run.sending_id, self.due.position)

    @property
    def unsure(self) -> Unsure:
        """The message as one that was in flight when its link died."""
        return Unsure(self.run, self.due)

    def expired(self, at: datetime) -> bool:
        """Whether its validity has passed."""
        return self.run.expires_at <= at


class Outbox:
    """What is leased. `outcomes` is where ends of messages are written for the recorder."""

    def __init__(self, style: segments.Style, outcomes: Callable[[], Outcomes]) -> None:
        self._style = style
        self._outcomes = outcomes
        self._ready: dict[int, deque[tuple[Item, int]]] = {queue.SINGLE: deque(), queue.BULK: deque()}
        self._unmarked: deque[Item] = deque()
        self._left: dict[int, int] = {}
        self._runs: dict[int, Run] = {}

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

    def add(self, work: Iterable[Work], reference: Callable[[], int]) -> None:
        """Take in leased runs; those that must not go twice wait to be marked first."""
        for run, its in work:
            self._runs[run.id] = run
            self._left[run.id] = len(its)
            for due in its:
                encoded = segments.split(due.text, self._style, reference=reference())
                n = len(encoded.parts)
                item = Item(run, due, encoded.parts, encoded.data_coding, [""] * n, n)
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
                if not item.over:
                    return item, part
        return None

    def again(self, item: Item, part: int) -> None:
        """A part did not go out after all: it is the next one of its priority."""
        if not item.over and self._is_ours(item):
            self._ready[item.run.priority].appendleft((item, part))

    def taken(self, item: Item, part: int, ref: str) -> None:
        """The carrier took a part."""
        item.refs[part] = ref
        item.unanswered -= 1
        if not item.over and item.unanswered == 0:
            outcomes = self._outcomes()
            outcomes.took.append(Took(item.key, tuple(item.refs)))
            outcomes.parts += len(item.refs)
            self._end(item)

    def refused(self, item: Item) -> None:
        """The message will not be delivered, whatever becomes of its other parts."""
        if not item.over:
            self._outcomes().refused.append(Refusal(item.key, tuple(ref for ref in item.refs if ref)))
            self._end(item)

    def _end(self, item: Item) -> None:
        item.over = True
        if not self._is_ours(item):
            return
        self._left[item.run.id] -= 1
        if self._left[item.run.id] == 0:
            self._outcomes().finished.append(item.run.id)
            del self._left[item.run.id], self._runs[item.run.id]

    def _is_ours(self, item: Item) -> bool:
        """Whether its run is still leased as it was then: a run that was given back may have come again, and its
        messages with it; what is left of the first time must not be counted into the second."""
        return self._runs.get(item.run.id) is item.run

    def drop(self, runs: set[int]) -> None:
        """Forget runs that are somebody else's now."""
        for run in runs:
            self._runs.pop(run, None)
            self._left.pop(run, None)
        for priority, ready in self._ready.items():
            self._ready[priority] = deque(entry for entry in ready if entry[0].run.id not in runs)
        self._unmarked = deque(item for item in self._unmarked if item.run.id not in runs)

    def clear(self) -> list[Run]:
        """Forget everything; returns the runs that are not finished."""
        runs = self.runs
        self.drop({run.id for run in runs})
        return runs
