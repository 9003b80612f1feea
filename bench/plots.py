"""How Ulak grows, as pictures: one SVG each for processes of the API, of the carriers, tenants, and rows.

In: what `bench.growth` and `bench.scale --grow` have kept, the newest that holds what is drawn. Out: files in
`docs/performance`, the same to the byte for the same figures. `python -m bench.plots` draws what there are figures for
and says what is missing. Points are medians, bars reach from the lowest to the highest of the rounds.
"""

import argparse
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final, NamedTuple

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure

FOLDER: Final = Path("docs/performance")
STYLE: Final = {
    "svg.hashsalt": "ulak",  # ids are random without it
    "svg.fonttype": "none",  # text stays text
    "font.family": "sans-serif",
    "font.size": 9,
    "axes.titlesize": 10,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.color": "#e4e4e4",
    "figure.facecolor": "white",
    "legend.frameon": False,
}
COLORS: Final = ("#0b62a4", "#c8511b", "#2a7f3f", "#7d3f98", "#8a6d00", "#555555")
LEGEND_ROOM: Final = 1.3  # above the highest bar, for what the lines are
ASIDE: Final = 1.08

Document = dict[str, Any]


class Line(NamedTuple):
    """What is drawn as one line, and in which words."""

    what: str
    label: str


class Panel(NamedTuple):
    """One pair of axes: what goes up, and its lines."""

    unit: str
    lines: tuple[Line, ...]


class Plot(NamedTuple):
    """One file: what is counted up, and its panels."""

    file: str
    title: str
    axis: str
    counted: str
    panels: tuple[Panel, ...]


PLOTS: Final = (
    Plot(
        "api-processes.svg",
        "API processes: single sends, accepted only",
        "api",
        "API processes",
        (
            Panel(
                "single sends a second",
                (
                    Line("single sends accepted", "one customer"),
                    Line("single sends accepted, 10 customers", "ten"),
                ),
            ),
            Panel(
                "CPU seconds for 10,000",
                (
                    Line("CPU: single send accepted", "one customer"),
                    Line("CPU: single send accepted, 10 customers", "ten"),
                ),
            ),
        ),
    ),
    Plot(
        "carrier-processes.svg",
        "Carrier processes: messages until the last receipt",
        "carriers",
        "carrier processes",
        (
            Panel(
                "messages a second",
                (Line("bulk delivered", "a bulk"), Line("single sends delivered", "single sends")),
            ),
            Panel(
                "CPU seconds for 10,000",
                (Line("CPU: bulk delivered", "a bulk"), Line("CPU: single send delivered", "single sends")),
            ),
        ),
    ),
    Plot(
        "tenants.svg",
        "Tenants: single sends spread evenly over them",
        "tenants",
        "tenants",
        (
            Panel(
                "single sends a second",
                (Line("single sends accepted", "accepted only"), Line("single sends delivered", "delivered")),
            ),
            Panel(
                "CPU seconds for 10,000",
                (
                    Line("CPU: single send accepted", "accepted only"),
                    Line("CPU: single send delivered", "delivered"),
                ),
            ),
        ),
    ),
)

#: Kinds of pages that are drawn; those that are left out lie between them.
PAGES: Final = (
    Line("the newest", "newest page"),
    Line("any page", "any page"),
    Line("dates, completed, source", "any page, by dates, state, source"),
    Line("text: a code", "search: a code"),
    Line("text: one in a hundred", "search: one in a hundred"),
    Line("messages: any page", "messages of the longest"),
)


def draw(results: Path, folder: Path) -> list[Path]:
    """Draw everything there are figures for; returns the files."""
    folder.mkdir(parents=True, exist_ok=True)
    drawn = []
    with mpl.rc_context(STYLE):
        for plot in PLOTS:
            document = _newest(results, "growth-*.json", lambda kept, plot=plot: _holds(kept, plot))
            if document:
                drawn.append(_save(_growth(plot, document), folder / plot.file))
        document = _newest(results, "scale-*.json", lambda kept: len(_sizes(kept)) > 1)
        if document:
            drawn.append(_save(_rows(document), folder / "rows.svg"))
    return drawn


# what was measured


def _newest(results: Path, pattern: str, fits: Callable[[Document], bool]) -> Document | None:
    kept = (json.loads(path.read_text()) for path in sorted(results.glob(pattern), reverse=True))
    return next(filter(fits, kept), None)


def _holds(document: Document, plot: Plot) -> bool:
    measured = {point["what"] for point in document["points"] if point["axis"] == plot.axis}
    return all(line.what in measured for panel in plot.panels for line in panel.lines)


def _sizes(document: Document) -> list[int]:
    return sorted({figure["rows"] for figure in document["figures"]})


def _points(document: Document, axis: str, what: str) -> Iterator[tuple[int, float, float, float]]:
    """Count, median, lowest and highest, with the count going up."""
    those = (point for point in document["points"] if (point["axis"], point["what"]) == (axis, what))
    for point in sorted(those, key=lambda point: point["count"]):
        yield point["count"], point["middle"], min(point["values"]), max(point["values"])


def _machine(document: Document) -> str:
    return f"{document['machine']['processors']} processors for everything, load included"


# pictures


def _growth(plot: Plot, document: Document) -> Figure:
    rounds = document["scale"]["rounds"]
    of = f"{rounds} rounds" if rounds > 1 else "1 round"
    what_bars_are = f"{_machine(document)}; median of {of}, bars: lowest to highest"
    figure = _figure(plot.title, what_bars_are)
    for axes, panel in zip(figure.subplots(1, len(plot.panels)), plot.panels, strict=True):
        highest, counts = 0.0, [0]
        for line, color in zip(panel.lines, COLORS, strict=False):
            points = list(_points(document, plot.axis, line.what))
            counts, middle, low, high = (list(column) for column in zip(*points, strict=True))
            _line(axes, middle, low, high, line.label, color)
            highest = max(highest, *high)
        axes.set_xticks(range(len(counts)), [f"{count:,}" for count in counts])
        axes.set_xlim(-0.3, len(counts) - 0.7)
        axes.set_ylim(0, highest * LEGEND_ROOM)
        axes.yaxis.set_major_formatter(lambda value, _: f"{value:,.10g}")
        axes.set_xlabel(plot.counted)
        axes.set_title(panel.unit, loc="left")
        if len(panel.lines) > 1:
            axes.legend(loc="upper right", ncols=2)
    return figure


def _line(
    axes: Axes, middle: list[float], low: list[float], high: list[float], label: str, color: str
) -> None:
    below = [m - least for m, least in zip(middle, low, strict=True)]
    above = [most - m for m, most in zip(middle, high, strict=True)]
    axes.errorbar(
        range(len(middle)), middle, yerr=(below, above), label=label, color=color, marker="o", capsize=4
    )


def _rows(document: Document) -> Figure:
    asked = max(figure["n"] for figure in document["figures"])
    what_bars_are = f"{_machine(document)}; median of {asked} requests, bars: up to the 99th of a hundred"
    figure = _figure("Rows: a page of a customer's list, by HTTP", what_bars_are)
    axes = figure.subplots()
    for n, (page, color) in enumerate(zip(PAGES, COLORS, strict=True)):
        those = [one for one in document["figures"] if one["what"] == page.what]
        those.sort(key=lambda one: one["rows"])
        # a little aside, so that bars do not cover each other
        rows = [one["rows"] * ASIDE ** (n - len(PAGES) / 2) for one in those]
        middle = [one["p50"] for one in those]
        above = [one["p99"] - one["p50"] for one in those]
        bars = ([0.0] * len(above), above)
        axes.errorbar(rows, middle, yerr=bars, label=page.label, color=color, marker="o", ms=4, capsize=3)
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.minorticks_off()
    sizes = _sizes(document)
    axes.set_xticks(sizes, [f"{size:,}" for size in sizes])
    axes.yaxis.set_major_formatter(lambda value, _: f"{value:,.10g}")
    axes.set_xlabel("sendings of the customer")
    axes.set_title("milliseconds until the answer", loc="left")
    axes.legend(loc="center left", bbox_to_anchor=(1.01, 0.5))
    return figure


def _figure(title: str, below: str) -> Figure:
    figure = Figure(figsize=(7.6, 3.4), layout="constrained")
    figure.suptitle(title, x=0.01, ha="left", fontsize=11, fontweight="bold")
    figure.supxlabel(below, x=0.01, ha="left", fontsize=8, color="#555555")
    return figure


def _save(figure: Figure, path: Path) -> Path:
    figure.savefig(path, format="svg", metadata={"Date": None, "Creator": None})
    # lines end where they end: matplotlib leaves blanks there
    path.write_text("".join(f"{line.rstrip()}\n" for line in path.read_text().splitlines()))
    return path


def main() -> None:
    """Read the arguments, draw, say what was drawn."""
    parser = argparse.ArgumentParser(prog="python -m bench.plots", description=__doc__)
    parser.add_argument("--results", type=Path, default=Path("bench-results"), help="where the JSON is kept")
    parser.add_argument("--out", type=Path, default=FOLDER, help="where the pictures go")
    given = parser.parse_args()
    drawn = draw(given.results, given.out)
    for path in drawn:
        print(f"Drawn: {path}")
    for name in [plot.file for plot in PLOTS] + ["rows.svg"]:
        if given.out / name not in drawn:
            command = "bench.scale --grow" if name == "rows.svg" else "bench.growth"
            print(f"No figures for {name}: run python -m {command}")


if __name__ == "__main__":
    main()
