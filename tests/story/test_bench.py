"""The bench, in its short form: it measures something of everything it promises, on real processes."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]


def test_the_tiny_bench_measures_everything() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "bench", "--scale=tiny", "--json"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0, done.stderr
    document = json.loads(done.stdout)
    measured = {figure["what"]: figure for figure in document["figures"]}
    assert {
        "alone: load generator, a bare socket answering",
        "alone: carrier, submits with their receipts",
        "single sends accepted",
        "recipients accepted, bulks of 10,000",
        "bulk delivered with receipts",
        "single sends delivered with receipts",
        "… CPU of a single send",
        "at 200/s: POST to submit_sm, p99",
        "submits, answered 50 ms late, window 500",
        "a code amid a bulk at 500/s: POST to submit_sm, p99",
        "throttled above 200/s: share of it used",
        "memory of our processes",
    } <= set(measured)
    for figure in measured.values():
        assert len(figure["values"]) in (1, document["scale"]["rounds"])
    nothing = [what for what, figure in measured.items() if figure["middle"] <= 0 and "growth" not in what]
    assert set(nothing) <= {"… CPU of a recipient, accepted only"}  # less than the clock's tick
