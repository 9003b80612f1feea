"""Figures: what was measured, once for each round, beside the mark it is held against; and the table of them."""

import json
import statistics
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table


@dataclass(frozen=True, slots=True)
class Goal:
    """What a figure should reach: the mark, and the dream. `less` is better for times and costs."""

    mark: float
    dream: float | None
    less: bool = False

    def reached(self, value: float) -> str:
        """ "dream", "mark" or "missed"."""
        for name, goal in (("dream", self.dream), ("mark", self.mark)):
            if goal is not None and (value <= goal if self.less else value >= goal):
                return name
        return "missed"


@dataclass(slots=True)
class Figure:
    """One figure, once for each round."""

    what: str
    unit: str
    digits: int = 0
    goal: Goal | None = None
    values: list[float] = field(default_factory=list)

    @property
    def middle(self) -> float:
        """The median of the rounds."""
        return statistics.median(self.values)

    def shown(self, value: float) -> str:
        """A value as people read it."""
        return f"{value:,.{self.digits}f}"

    def as_json(self) -> dict[str, Any]:
        """The figure for programs."""
        goal = {"mark": self.goal.mark, "dream": self.goal.dream} if self.goal else {}
        return {"what": self.what, "unit": self.unit, "middle": self.middle, "values": self.values} | goal


class Figures:
    """All of a run, in the order in which they came."""

    def __init__(self) -> None:
        self._figures: dict[str, Figure] = {}

    def note(self, what: str, unit: str, value: float, digits: int = 0, goal: Goal | None = None) -> None:
        """One more round's value."""
        self._figures.setdefault(what, Figure(what, unit, digits, goal)).values.append(value)

    def __iter__(self) -> Any:
        return iter(self._figures.values())


def print_table(figures: Figures, title: str) -> None:
    """The figures with their spread, and what they reach."""
    table = Table(title=title)
    table.add_column("what")
    for name in ("middle", "lowest", "highest", "mark", "dream"):
        table.add_column(name, justify="right")
    table.add_column("unit")
    table.add_column("reached")
    for one in figures:
        goals = (one.goal.mark, one.goal.dream) if one.goal else (None, None)
        goal = ("" if at is None else one.shown(at) for at in goals)
        values = map(one.shown, (one.middle, min(one.values), max(one.values)))
        table.add_row(one.what, *values, *goal, one.unit, one.goal.reached(one.middle) if one.goal else "")
    Console(width=150).print(table)


def keep(document: object, folder: Path, kind: str = "") -> Path:
    """Write what was measured to a file of its own in the folder; `kind` opens its name."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{kind}{time.strftime('%Y%m%d-%H%M%S')}.json"
    path.write_text(json.dumps(document, indent=2) + "\n")
    return path
