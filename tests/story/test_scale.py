"""The bench of long lists, in its short form: every kind of list is asked for, at each size, and answers rightly."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]


def test_a_short_history_is_written_and_measured(tmp_path: Path) -> None:
    arguments = ["--rows", "20000", "--grow", "--requests", "2", "--out", str(tmp_path)]

    done = subprocess.run(
        [sys.executable, "-m", "bench.scale", *arguments],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0, done.stderr
    [kept] = tmp_path.glob("scale-*.json")
    figures = json.loads(kept.read_text())["figures"]
    assert {figure["rows"] for figure in figures} == {10_000, 20_000}
    matches = {figure["what"]: figure["matches"] for figure in figures if figure["rows"] == 20_000}
    assert matches["the newest"] == 20_000
    assert 50 < matches["text: one in a hundred"] < 400
    assert matches["not completed"] > 0
    assert all(0 < figure["p50"] <= figure["p99"] <= figure["longest"] for figure in figures)
