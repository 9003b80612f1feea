"""`make bench-growth`: how Ulak grows, with processes of the API, processes of the carriers' links, and customers.

Each count has an installation of its own, started afresh in every round, so that none is measured on what another has
left, and what disturbs the machine disturbs all alike. Prints a table with the spread, and keeps the same as JSON in
`bench-results/`, from which `bench.plots` draws. How lists grow with their rows is measured by `bench.scale --grow`.
"""

import argparse
import os
import platform
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, NamedTuple

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from bench import figures, plots
from bench.figures import Figure
from bench.rig import Rig, generator
from tests.harness import await_true

WARM_SECONDS: Final = 1
WINDOW: Final = 100
CUSTOMERS: Final = 10
BOUND_SECONDS_MAX: Final = 30

Note = Callable[..., None]


class Amount(NamedTuple):
    """How much of each kind of work: seconds of single sends, recipients of a bulk."""

    seconds: int
    recipients: int


class Axis(NamedTuple):
    """What is counted up: by which setting, and what is measured at each count."""

    title: str
    counts: tuple[int, ...]
    setting: str | None
    measure: Callable[[Rig, int, Amount, Note], None]


class Points:
    """Figures by axis and count, in the order in which they came."""

    def __init__(self) -> None:
        self._figures: dict[tuple[str, int, str], Figure] = {}

    def note(self, axis: str, count: int, what: str, unit: str, value: float, digits: int = 0) -> None:
        """One more round's value."""
        self._figures.setdefault((axis, count, what), Figure(what, unit, digits)).values.append(value)

    def as_json(self) -> list[dict[str, Any]]:
        """The points for programs."""
        return [
            {"axis": axis, "count": count} | figure.as_json()
            for (axis, count, _), figure in self._figures.items()
        ]

    def sorted(self) -> list[tuple[str, int, Figure]]:
        """The points for people: what belongs together, with the count going up."""
        return sorted(
            ((a, n, f) for (a, n, _), f in self._figures.items()), key=lambda p: (p[0], p[2].what, p[1])
        )


# what is measured


def api_processes(rig: Rig, _: int, amount: Amount, note: Note) -> None:
    """Single sends that are only accepted: over a carrier that is away.

    Of one customer, whose credit all processes write, and of several, who have nothing to do with each other.
    """
    _accepted(rig, 1, amount, note)
    _accepted(rig, CUSTOMERS, amount, note, f", {CUSTOMERS} customers")
    note("memory of our processes", "MiB", rig.used_by_us().memory_mib)


def carrier_processes(rig: Rig, count: int, amount: Amount, note: Note) -> None:
    """A bulk and single sends, each until the last receipt is acknowledged."""
    _reachable(rig, count)
    [user], service, before = rig.users(1), rig.service("main"), rig.used()
    rig.carrier.set(receipt_ms=100.0)
    started = time.monotonic()
    rig.bulks(user, service, amount.recipients)
    rig.await_all(user)
    seconds = time.monotonic() - started
    note("bulk delivered", "/s", amount.recipients / seconds)
    note("CPU: bulk delivered", "s/10,000", rig.used().since(before) / amount.recipients * 10_000, 2)
    _delivered(rig, 1, amount, note)
    note("memory of our processes", "MiB", rig.used_by_us().memory_mib)


def tenants(rig: Rig, count: int, amount: Amount, note: Note) -> None:
    """Single sends spread evenly over so many customers: only accepted, then delivered."""
    _reachable(rig, 1)
    _accepted(rig, count, amount, note)
    _delivered(rig, count, amount, note)


def _reachable(rig: Rig, processes: int) -> None:
    """The carrier, once every process has its connection, with what is slow the first time behind it."""
    rig.add_carrier("main", window=WINDOW)

    def bound() -> bool:
        standing = {carrier["name"]: carrier for carrier in rig.ulak.cli("carrier", "list")}
        return bool(standing["main"]["link"]["bound"] >= processes)

    await_true(bound, f"{processes} processes are connected", BOUND_SECONDS_MAX)
    rig.carrier.set(receipt_ms=100.0)
    done = rig.singles_of(rig.users(1), rig.service("main"), WARM_SECONDS)
    rig.await_receipts(done["requests"])


def _accepted(rig: Rig, customers: int, amount: Amount, note: Note, whose: str = "") -> None:
    users, service = rig.users(customers), rig.service("away")
    rig.singles_of(users, service, WARM_SECONDS)
    before = rig.used()
    done = rig.singles_of(users, service, amount.seconds)
    used = rig.used().since(before)
    note(f"single sends accepted{whose}", "/s", done["perSecond"])
    note(f"time to the answer, p50{whose}", "ms", done["p50"], 1)
    note(f"time to the answer, p99{whose}", "ms", done["p99"], 1)
    note(f"CPU: single send accepted{whose}", "s/10,000", used / done["requests"] * 10_000, 2)


def _delivered(rig: Rig, customers: int, amount: Amount, note: Note) -> None:
    users, before = rig.users(customers), rig.used()
    rig.carrier.set(receipt_ms=100.0)
    started = time.monotonic()
    done = rig.singles_of(users, rig.service("main"), amount.seconds)
    rig.await_receipts(done["requests"])
    seconds, used = time.monotonic() - started, rig.used().since(before)
    note("single sends delivered", "/s", done["requests"] / seconds)
    note("CPU: single send delivered", "s/10,000", used / done["requests"] * 10_000, 2)


AXES: Final[Mapping[str, Axis]] = {
    "api": Axis("API processes", (1, 2, 4), "api_processes", api_processes),
    "carriers": Axis("carrier processes", (1, 2, 4), "carrier_processes", carrier_processes),
    "tenants": Axis("tenants", (1, 10, 1_000), None, tenants),
}


def measure(chosen: Mapping[str, Axis], amount: Amount, rounds: int, settings: Mapping[str, str]) -> Points:
    """Every count of every axis in every round, with a bar that tells how far it is."""
    points = Points()
    columns = TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn()
    with Progress(*columns, console=Console(stderr=True)) as progress:
        total = rounds * sum(len(axis.counts) for axis in chosen.values())
        bar = progress.add_task("starting", total=total)
        for _ in range(rounds):
            for name, axis in chosen.items():
                for count in axis.counts:
                    progress.update(bar, description=f"{axis.title}: {count:,}")
                    its = {**settings, axis.setting: count} if axis.setting else settings
                    with Rig(**its) as rig:
                        axis.measure(rig, count, amount, _noting(points, name, count))
                    progress.advance(bar)
    return points


def _noting(points: Points, axis: str, count: int) -> Note:
    return lambda what, unit, value, digits=0: points.note(axis, count, what, unit, value, digits)


def print_table(points: Points, title: str) -> None:
    """The points with their spread."""
    table = Table(title=title)
    table.add_column("what")
    for column in ("at", "middle", "lowest", "highest"):
        table.add_column(column, justify="right")
    table.add_column("unit")
    last = None
    for axis, count, figure in points.sorted():
        if last not in (None, (axis, figure.what)):
            table.add_section()
        last = axis, figure.what
        values = map(figure.shown, (figure.middle, min(figure.values), max(figure.values)))
        table.add_row(f"{AXES[axis].title}: {figure.what}", f"{count:,}", *values, figure.unit)
    Console(width=110).print(table)


def main() -> None:
    """Read the arguments, measure, print, keep."""
    parser = _parser()
    given = parser.parse_args()
    chosen = {name: axis for name, axis in AXES.items() if given.only in name}
    if not chosen:
        parser.error(f"nothing has {given.only!r} in its name; there are {', '.join(AXES)}")
    if given.counts:
        counts = tuple(map(int, given.counts.split(",")))
        chosen = {name: axis._replace(counts=counts) for name, axis in chosen.items()}
    amount = Amount(given.seconds, given.recipients)
    settings = dict(pair.split("=", 1) for pair in given.set)
    points = measure(chosen, amount, given.rounds, settings)
    path = keep(points, amount, given.rounds, settings, given.out)
    print_table(points, f"{given.rounds} rounds; load by {generator()}; kept in {path}")
    if given.plots:
        for drawn in plots.draw(given.out, plots.FOLDER):
            print(f"Drawn: {drawn}")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m bench.growth", description=__doc__)
    parser.add_argument("--seconds", type=int, default=10, help="of single sends, each time")
    parser.add_argument("--recipients", type=int, default=100_000, help="of a bulk")
    parser.add_argument("--rounds", type=int, default=3, help="how often each is measured")
    parser.add_argument("--only", default="", help=f"only what has this in its name: {', '.join(AXES)}")
    parser.add_argument("--counts", metavar="1,2,8", help="other counts than usual")
    parser.add_argument(
        "--set", action="append", default=[], metavar="NAME=VALUE", help="a setting: flush_ms=5"
    )
    parser.add_argument("--out", type=Path, default=Path("bench-results"), help="where the JSON is kept")
    parser.add_argument("--plots", action="store_true", help=f"draw {plots.FOLDER}/*.svg anew, too")
    return parser


def keep(points: Points, amount: Amount, rounds: int, settings: Mapping[str, str], folder: Path) -> Path:
    """Write it all to a file of its own."""
    document = {
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": {"processors": len(os.sched_getaffinity(0)), "kernel": platform.release()},
        "generator": generator(),
        "scale": {"rounds": rounds} | amount._asdict(),
        "settings": settings,
        "points": points.as_json(),
    }
    return figures.keep(document, folder, "growth-")


if __name__ == "__main__":
    main()
