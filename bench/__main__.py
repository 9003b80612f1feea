"""`make bench`: what this machine accepts and delivers a second, and what that costs.

Starts a whole installation (embedded PostgreSQL, API, carriers' links) and a simulated carrier, puts each kind of
work on it a few times over, and prints a table with the spread, and the same as JSON. Nothing in it is mocked and
nothing is timed from inside: what is measured is what a customer sees over HTTP, and what the kernel says of the
processes.
"""

import argparse
import json
import platform
import time
from datetime import UTC, datetime
from pathlib import Path

from rich.console import Console
from rich.table import Table

from bench.measure import Bench, Figures, Scale

FULL = Scale(rounds=3, seconds=10.0, recipients=100_000)
QUICK = Scale(rounds=1, seconds=1.0, recipients=2_000)


def main() -> None:
    """Read the arguments, measure, print."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a few seconds, to see that it works")
    parser.add_argument("--rounds", type=int, help="how often each is measured")
    parser.add_argument("--window", type=int, default=100, help="the carrier's window")
    parser.add_argument("--json", action="store_true", help="print the figures as JSON and no table")
    parser.add_argument("--out", type=Path, default=Path("bench-results"), help="where the JSON is kept")
    given = parser.parse_args()
    scale = QUICK if given.quick else FULL
    if given.rounds:
        scale = scale._replace(rounds=given.rounds)

    console = Console(stderr=True)
    with Bench(scale, window=given.window, say=console.log) as bench:
        figures = bench.run()
    document = {
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": {"processors": bench.processors, "kernel": platform.release()},
        "scale": scale._asdict(),
        "window": given.window,
        "figures": [figure.as_json() for figure in figures],
    }
    if given.json:
        print(json.dumps(document))
    else:
        print_table(figures)
        print(f"Kept in {keep(document, given.out)}.")


def print_table(figures: list[Figures]) -> None:
    """The figures with their spread."""
    table = Table(title="middle of the rounds, and (lowest to highest)")
    table.add_column("what")
    table.add_column("figure", justify="right")
    table.add_column("spread", justify="right")
    table.add_column("unit")
    for figure in figures:
        low, middle, high = figure.low, figure.middle, figure.high
        table.add_row(
            figure.what, f"{middle:,.{figure.digits}f}", spread(low, high, figure.digits), figure.unit
        )
    Console(width=110).print(table)


def spread(low: float, high: float, digits: int) -> str:
    """The lowest and the highest."""
    return f"({low:,.{digits}f} to {high:,.{digits}f})"


def keep(document: dict[str, object], folder: Path) -> Path:
    """Write the document to a file of its own."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{time.strftime('%Y%m%d-%H%M%S')}.json"
    path.write_text(json.dumps(document, indent=2) + "\n")
    return path


if __name__ == "__main__":
    main()
