"""The bench of the panel's pages, in its short form: every page answers, and is measured."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]


def test_the_pages_of_a_short_history_are_measured(tmp_path: Path) -> None:
    arguments = ["--rows", "2000", "--requests", "2", "--out", str(tmp_path)]

    done = subprocess.run(
        [sys.executable, "-m", "bench.panel", *arguments],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0, done.stderr
    [kept] = tmp_path.glob("panel-*.json")
    figures = json.loads(kept.read_text())["figures"]
    assert {"overview", "sendings", "a sending of very many", "a message"} <= {one["what"] for one in figures}
    assert all(0 < one["p50"] <= one["p99"] <= one["longest"] and one["kilobytes"] > 0 for one in figures)
