"""The plots of growth: one for each thing that is counted up, the same to the byte for the same figures."""

import json
from collections.abc import Iterable
from pathlib import Path
from xml.etree import ElementTree

import pytest

from bench import plots

pytestmark = pytest.mark.slow

MACHINE = {"processors": 2}


def keep_growth(folder: Path, name: str, axes: Iterable[str]) -> None:
    """A run as `bench.growth` keeps it."""
    lines = [
        (plot.axis, line.what)
        for plot in plots.PLOTS
        if plot.axis in axes
        for panel in plot.panels
        for line in panel.lines
    ]
    points = [
        {"axis": axis, "what": what, "count": n, "middle": 10 * n, "values": [9 * n, 10 * n, 12 * n]}
        for axis, what in lines
        for n in (1, 2, 4)
    ]
    (folder / name).write_text(json.dumps({"machine": MACHINE, "scale": {"rounds": 3}, "points": points}))


def keep_scale(folder: Path) -> None:
    """A run as `bench.scale --grow` keeps it."""
    figures = [
        {"what": page.what, "rows": rows, "n": 100, "p50": rows / 1e4, "p99": rows / 5e3}
        for page in plots.PAGES
        for rows in (10_000, 100_000)
    ]
    document = {"machine": MACHINE, "figures": figures}
    (folder / "scale-20260310-120000.json").write_text(json.dumps(document))


def test_each_is_drawn_from_the_newest_run_that_holds_it(tmp_path: Path) -> None:
    keep_growth(tmp_path, "growth-20260310-120000.json", ("api", "carriers", "tenants"))
    keep_growth(tmp_path, "growth-20260310-130000.json", ("tenants",))
    keep_scale(tmp_path)

    drawn = plots.draw(tmp_path, tmp_path / "first")
    again = plots.draw(tmp_path, tmp_path / "second")

    names = [path.name for path in drawn]
    assert names == ["api-processes.svg", "carrier-processes.svg", "tenants.svg", "rows.svg"]
    for first, second in zip(drawn, again, strict=True):
        assert first.read_bytes() == second.read_bytes()
        assert ElementTree.fromstring(first.read_text()).tag.endswith("svg")
    assert "carrier processes" in drawn[1].read_text()


def test_what_was_not_measured_is_not_drawn(tmp_path: Path) -> None:
    keep_growth(tmp_path, "growth-20260310-120000.json", ("api",))

    assert [path.name for path in plots.draw(tmp_path, tmp_path)] == ["api-processes.svg"]
