"""`make bench`: what this machine accepts and delivers a second, how quickly, and what that costs.

Starts a whole installation (embedded PostgreSQL, API, carriers' links), a carrier and load generators in processes of
their own, puts each kind of work on it a few times over, and prints a table with the spread beside the marks, and the
same as JSON. Nothing in it is mocked and nothing is timed from inside.
"""

import argparse
import json
import os
import platform
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from bench import export, floor
from bench.figures import Figures, Goal, keep, print_table
from bench.rig import Rig, generator
from bench.scenarios import Scale, Scenarios

SCALES = {
    "full": Scale(3, 10, 20, 60, 200_000, 100_000, 120, 30, 2_000_000, 1_000_000),
    "quick": Scale(1, 5, 5, 10, 50_000, 30_000, 15, 8, 0, 200_000),
    "tiny": Scale(1, 1, 1, 1, 3_000, 2_000, 2, 1, 0, 2_000),
}


def main() -> None:
    """Read the arguments, measure, print."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument(
        "--scale", choices=SCALES, default="full", help="how much; tiny only shows that it works"
    )
    parser.add_argument(
        "--quick", dest="scale", action="store_const", const="quick", help="a look of two minutes"
    )
    parser.add_argument("--rounds", type=int, help="how often each is measured")
    parser.add_argument("--only", default="", help="only what has this in its name")
    parser.add_argument("--but", default="\0", help="all but what has this in its name")
    parser.add_argument(
        "--set", action="append", default=[], metavar="NAME=VALUE", help="a setting: api_processes=2"
    )
    parser.add_argument("--json", action="store_true", help="print the figures as JSON and no table")
    parser.add_argument("--out", type=Path, default=Path("bench-results"), help="where the JSON is kept")
    given = parser.parse_args()
    scale = SCALES[given.scale]
    if given.rounds:
        scale = scale._replace(rounds=given.rounds)
    settings = dict(pair.split("=", 1) for pair in given.set)
    figures = Figures()
    try:
        measure(scale, given.only, given.but, settings, figures)
    finally:  # what was measured before something went wrong, or somebody had enough, is not lost
        show(figures, scale, settings, given)


def show(figures: Figures, scale: Scale, settings: dict[str, str], given: argparse.Namespace) -> None:
    """Keep the figures as JSON, and print them."""
    document = {
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": {"processors": len(os.sched_getaffinity(0)), "kernel": platform.release()},
        "generator": generator(),
        "scale": scale._asdict(),
        "settings": settings,
        "figures": [figure.as_json() for figure in figures],
    }
    path = keep(document, given.out)
    if given.json:
        print(json.dumps(document))
    else:
        print_table(figures, f"{scale.rounds} rounds; load by {generator()}; kept in {path}")


def measure(scale: Scale, only: str, but: str, settings: dict[str, Any], figures: Figures) -> None:
    """Every scenario in every round, with a bar that tells how far it is."""
    columns = TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn()
    with Progress(*columns, console=Console(stderr=True)) as progress, Rig(**settings) as rig:
        scenarios = Scenarios(rig, scale, figures)
        steps = [
            (
                "the generators alone, and the floor",
                lambda: floor.measure(rig, scale.accepted_seconds, figures),
            ),
            *list(scenarios.all().items()) * scale.rounds,
            ("memory after many messages", scenarios.fill),
            ("an export", lambda: exported(scale, figures)),
        ]
        chosen = [(name, run) for name, run in steps if only in name and but not in name]
        bar = progress.add_task("starting", total=len(chosen))
        scenarios.prepare()
        for name, run in chosen:
            progress.update(bar, description=name)
            run()
            progress.advance(bar)


def exported(scale: Scale, figures: Figures) -> None:
    """Messages as CSV, by the command line; on a database of its own."""
    found = export.measure(scale.exported, scale.rounds, say=lambda _: None)
    for per_second, growth in zip(found.per_second, found.growth_mib, strict=True):
        figures.note(
            f"export of {scale.exported:,} messages as CSV", "/s", per_second, 0, Goal(100_000, None)
        )
        figures.note("… growth of memory", "MiB", growth, 1, Goal(50, None, less=True))


if __name__ == "__main__":
    main()
