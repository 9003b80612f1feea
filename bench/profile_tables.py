"""A profile, and how people read it: tables of what a message costs, and where.

In: what `bench.profiles` has measured. Out: text on the terminal, and the same as JSON for programs. A process's time
is given in microseconds of CPU of a message, shared out as its samples were.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any, Final, NamedTuple

from rich.console import Console
from rich.table import Table
from rich.text import Text

from bench import statements
from bench.stacks import Stacks
from bench.statements import Planned

PER: Final = 10_000
SHOWN: Final = 25
PLANS_SHOWN: Final = 5


class Done(NamedTuple):
    """So many messages in so many seconds."""

    messages: int
    seconds: float


class Costs(NamedTuple):
    """The work with nobody looking: what came of it, CPU seconds by process, and what PostgreSQL counted."""

    done: Done
    cpu: dict[str, float]
    work: statements.Work

    def microseconds(self, process: str) -> float:
        """CPU of a message."""
        return self.cpu[process] / self.done.messages * 1e6

    def as_json(self) -> dict[str, Any]:
        """For programs."""
        per_second = self.done.messages / self.done.seconds
        return {"messages": self.done.messages, "perSecond": per_second, "cpuSeconds": self.cpu} | (
            self.work.as_json()
        )


class Profile(NamedTuple):
    """All of it: costs, stacks by process, sessions by what they were at, and plans, where they were asked for."""

    costs: Costs
    stacks: dict[str, Stacks]
    sessions: dict[str, float]
    plans: list[Planned]

    def as_json(self) -> dict[str, Any]:
        """For programs; of a process, microseconds of a message."""
        its = {name: seen.as_json(self.costs.microseconds(name)) for name, seen in self.stacks.items()}
        plans = [asdict(one) for one in self.plans]
        return self.costs.as_json() | {"processes": its, "sessions": self.sessions, "plans": plans}


def show(its: Profile, title: str) -> None:
    """Tables for people."""
    console = Console(width=150)
    console.print(title, highlight=False)
    console.print(_summary(its.costs), _statements(its.costs), _sessions(its.sessions, its.costs.done))
    for name, seen in its.stacks.items():
        console.print(_rooms(name, seen, its.costs), _functions(name, seen, its.costs))
    for one in its.plans[:PLANS_SHOWN]:
        console.rule(f"{one.times:,} times, {one.milliseconds:,.1f} ms, the longest {one.longest:,.1f} ms")
        console.print(f"{one.query}\n{one.plan}", markup=False, highlight=False)


def _table(title: str, first: str, *columns: str) -> Table:
    table = Table(title=title, title_justify="left")
    table.add_column(first, overflow="fold")
    for column in columns:
        table.add_column(column, justify="right")
    return table


def _summary(its: Costs) -> Table:
    done, work = its.done, its.work
    table = _table("with nobody looking", "what", "value", "unit")
    table.add_row("rate", f"{done.messages / done.seconds:,.0f}", "messages/s")
    for name, seconds in its.cpu.items():
        table.add_row(f"CPU: {name}", f"{seconds / done.messages * PER:,.3f}", f"s/{PER:,}")
    table.add_row("CPU: all", f"{sum(its.cpu.values()) / done.messages * PER:,.3f}", f"s/{PER:,}")
    table.add_row("WAL", f"{work.wal_bytes / done.messages:,.0f}", "bytes/message")
    calls = sum(one.calls for one in work.statements)
    table.add_row("statements", f"{calls / done.messages:,.3f}", "/message")
    inside = sum(one.milliseconds for one in work.statements)
    table.add_row("time inside statements", f"{inside / done.messages * PER / 1000:,.3f}", f"s/{PER:,}")
    return table


def _statements(its: Costs) -> Table:
    n = its.done.messages
    columns = (f"ms/{PER:,}", "calls/msg", "rows/call", "ms/call", "WAL B/msg", "images/msg", "blocks/msg")
    table = _table("statements", "statement", *columns)
    for one in its.work.statements[:SHOWN]:
        table.add_row(
            Text(statements.shortened(one.query)),
            f"{one.milliseconds / n * PER:,.1f}",
            f"{one.calls / n:,.4f}",
            f"{one.rows / one.calls:,.1f}",
            f"{one.milliseconds / one.calls:,.3f}",
            f"{one.wal_bytes / n:,.0f}",
            f"{one.wal_images / n:,.4f}",
            f"{one.blocks / n:,.1f}",
        )
    return table


def _sessions(sessions: Mapping[str, float], done: Done) -> Table:
    table = _table("PostgreSQL's sessions", "what they are at", "on average", f"s/{PER:,}")
    for what, n in sessions.items():
        table.add_row(what, f"{n:,.2f}", f"{n * done.seconds / done.messages * PER:,.3f}")
    return table


def _rooms(name: str, seen: Stacks, its: Costs) -> Table:
    title = f"{name}: {its.microseconds(name):,.1f} µs CPU of a message ({seen.samples:,} samples)"
    return _shares(title, "room", seen.rooms, seen.rooms_with_called, seen.samples, its.microseconds(name))


def _functions(name: str, seen: Stacks, its: Costs) -> Table:
    functions, called = seen.functions, seen.functions_with_called
    return _shares(f"{name}: functions", "function", functions, called, seen.samples, its.microseconds(name))


def _shares(
    title: str, first: str, own: Counter[str], called: Counter[str], samples: int, microseconds: float
) -> Table:
    table = _table(title, first, "own µs", "own %", "with what it calls, µs", "%")
    for name, n in own.most_common(SHOWN):
        parts = n / samples, called[name] / samples
        table.add_row(
            Text(name), *(cell for part in parts for cell in (f"{part * microseconds:,.2f}", f"{part:.1%}"))
        )
    return table
