"""The bench, in its short form: it measures something of everything it promises, on real processes."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]


def test_the_quick_bench_measures_everything() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "bench", "--quick", "--json"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0, done.stderr
    document = json.loads(done.stdout)
    measured = {figure["what"]: figure for figure in document["figures"]}
    assert {
        "single sends accepted",
        "bulk accepted",
        "bulk delivered with receipts",
        "single sends delivered with receipts",
        "CPU: single, delivered",
        "CPU: bulk, delivered",
        "memory: Ulak's processes and PostgreSQL",
    } <= set(measured)
    for figure in measured.values():
        assert len(figure["values"]) == document["scale"]["rounds"] == 1
        # a short bulk costs less than the clock's tick
        assert figure["middle"] > 0 or figure["what"] == "CPU: bulk, accepted only"
