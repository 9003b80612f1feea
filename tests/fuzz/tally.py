"""What was asked and what came of it: one row for each operation of each part, and the table of them.

In: one `note` for each answer, with the laws that it broke. Out: Markdown. It never keeps an answer.
"""

import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Final, NamedTuple

KEPT_MAX: Final = 5
WORDS_MAX: Final = 600


class Law(NamedTuple):
    """A law asked at the end: of how many it was asked, and where it did not hold."""

    words: str
    looked_at: int
    broken: list[str]


class Budget:
    """How long to go on: until the seconds are over, or until somebody says stop."""

    def __init__(self, seconds: float, whole: "Budget | None" = None) -> None:
        self.seconds, self._whole, self._stopped = seconds, whole, False
        self.begin()

    def begin(self) -> None:
        """Count from now."""
        self.began = time.monotonic()

    def stop(self) -> None:
        """Ask nothing more."""
        self._stopped = True

    def share(self, of: float) -> "Budget":
        """A part of what is left, that is stopped with the whole."""
        return Budget(self.left * of, self)

    @property
    def stopped(self) -> bool:
        """Whether somebody said so."""
        return self._stopped or bool(self._whole and self._whole.stopped)

    @property
    def left(self) -> float:
        """Seconds that are left."""
        return max(0.0, self.began + self.seconds - time.monotonic())

    @property
    def over(self) -> bool:
        """Whether it is time to end."""
        return self.stopped or not self.left


@dataclass(slots=True)
class Row:
    """One operation in one part."""

    answers: Counter[str] = field(default_factory=Counter)
    broken: int = 0
    examples: dict[str, str] = field(default_factory=dict)
    """For the first few different faults, what was asked."""


class Tally:
    """All rows so far; `tell` is called with each note, for whoever shows progress."""

    def __init__(self, tell: Callable[["Tally", str], None] = lambda tally, name: None) -> None:
        self.rows: dict[tuple[str, str], Row] = {}
        self._tell = tell

    def note(
        self, part: str, operation: str, status: object, faults: Iterable[str] = (), asked: object = ""
    ) -> None:
        """Count one answer, and the laws that it broke."""
        row = self.rows.setdefault((part, operation), Row())
        row.answers[str(status)] += 1
        for fault in faults:
            row.broken += 1
            if len(row.examples) < KEPT_MAX:
                row.examples.setdefault(fault[:WORDS_MAX], f"{asked}"[:WORDS_MAX])
        self._tell(self, f"{part}: {operation}")

    @property
    def inputs(self) -> int:
        """How many answers were counted."""
        return sum(row.answers.total() for row in self.rows.values())

    @property
    def broken(self) -> int:
        """How many laws they broke."""
        return sum(row.broken for row in self.rows.values())

    def table(self) -> Iterator[str]:
        """Every row, the sum of each part, and the sum of all."""
        yield "| part | operation | inputs | answers by status | laws broken |"
        yield "| --- | --- | ---: | --- | ---: |"
        for part in sorted({part for part, _ in self.rows}):
            rows = {operation: row for (its, operation), row in self.rows.items() if its == part}
            for operation in sorted(rows, key=lambda operation: operation.split(" ")[::-1]):
                yield _line(part, f"`{operation}`", [rows[operation]])
            yield _line(f"**{part}**", f"{len(rows)} in all", list(rows.values()))
        yield _line("**all**", "", list(self.rows.values()))

    def examples(self) -> Iterator[str]:
        """What was broken, and by what."""
        for (part, operation), row in self.rows.items():
            for fault, asked in row.examples.items():
                yield f"{part}: {operation}: {fault}\n    asked: {asked}"


def _line(part: str, operation: str, rows: list[Row]) -> str:
    answers = sum((row.answers for row in rows), Counter[str]())
    said = ", ".join(f"{n:,} × {status}" for status, n in sorted(answers.items()))
    return f"| {part} | {operation} | {answers.total():,} | {said} | {sum(row.broken for row in rows)} |"
