"""The bench of growth, in its short form: each count is measured, on an installation of its own."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from bench.rig import Rig

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]


def measured(folder: Path, *arguments: str) -> dict[tuple[str, int], list[float]]:
    """What a short run has kept: values by what was measured and the count."""
    short = ["--seconds", "1", "--recipients", "2000", "--rounds", "1", "--out", str(folder)]
    done = subprocess.run(
        [sys.executable, "-m", "bench.growth", *short, *arguments],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    [kept] = folder.glob("growth-*.json")
    points = json.loads(kept.read_text())["points"]
    return {(point["what"], point["count"]): point["values"] for point in points}


def test_single_sends_of_several_tenants_are_accepted_and_delivered(tmp_path: Path) -> None:
    values = measured(tmp_path, "--only", "tenants", "--counts", "1,3")

    for count in (1, 3):
        for what in ("single sends accepted", "single sends delivered"):
            [per_second] = values[what, count]
            assert per_second > 0


def test_carrier_processes_are_added(tmp_path: Path) -> None:
    values = measured(tmp_path, "--only", "carriers", "--counts", "2")

    assert {count for _, count in values} == {2}
    [per_second] = values["bulk delivered", 2]
    assert per_second > 0


def test_keys_are_taken_in_turn() -> None:
    with Rig() as rig:
        users = rig.users(3)

        done = rig.singles_of(users, rig.service("away"), 1)

        shares = [
            rig.ulak.as_user(user).get("/sms-sendings", params={"limit": 1}).json()["data"]["total"]
            for user in users
        ]
    assert sum(shares) >= done["requests"] > 0
    # what is under way at the end may be anybody's
    assert max(shares) - min(shares) <= 64
