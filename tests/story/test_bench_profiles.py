"""Profiles, in their short form: every process is looked into, and every statement is counted."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from bench.stacks import place_of, read
from bench.statements import planned

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]


def profile(folder: Path, *arguments: str) -> dict[str, Any]:
    """What a short profile has kept."""
    done = subprocess.run(
        [sys.executable, "-m", "bench.profiles", *arguments, "--out", str(folder)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    [kept] = folder.glob("profile-*.json")
    document: dict[str, Any] = json.loads(kept.read_text())
    return document


def test_a_profile_of_single_sends_tells_where_the_time_goes(tmp_path: Path) -> None:
    its = profile(tmp_path, "singles", "--seconds", "1", "--explain", "0")

    assert its["messages"] > 0
    assert its["walBytes"] > 0
    assert set(its["processes"]) == {"api", "carriers,courier"}
    assert {"edge/api", "flow", "uvicorn", "asyncpg"} <= its["processes"]["api"]["roomsWithCalled"].keys()
    assert {"edge/carrier", "flow", "smpp"} <= its["processes"]["carriers,courier"]["roomsWithCalled"].keys()
    assert any("INTO messages" in one["query"] and one["milliseconds"] > 0 for one in its["statements"])
    assert its["sessions"]
    assert any("actual time" in one["plan"] for one in its["plans"])


def test_a_profile_of_a_bulk_counts_its_recipients(tmp_path: Path) -> None:
    its = profile(tmp_path, "bulk", "--recipients", "3000", "--set", "carrier_processes=2")

    assert its["messages"] == 3000
    assert set(its["processes"]) == {"api", "carriers,courier", "carriers"}


def test_frames_are_told_apart_by_where_they_stand() -> None:
    assert place_of("take (/x/src/ulak/flow/till.py:12)") == ("flow", "flow/till.take")
    assert place_of("Link.run (/x/src/ulak/edge/carrier/link.py:1)")[0] == "edge/carrier"
    assert place_of("caller_of (/x/src/ulak/edge/auth.py:9)") == ("edge", "edge/auth.caller_of")
    assert place_of("Framer.feed (/x/src/smpp/codec.py:9)") == ("smpp", "smpp/codec.Framer.feed")
    assert place_of("send (/v/lib/python3.11/site-packages/uvicorn/protocols/h.py:9)")[0] == "uvicorn"
    assert place_of("loads (/v/lib/python3.11/json/__init__.py:9)")[0] == "Python: json"
    assert place_of("ABCMeta.__instancecheck__ (<frozen abc>:117)")[0] == "Python: abc"
    assert place_of("encode_body (<smpp encode_body(p)>:1)")[0] == "smpp"


def test_a_room_is_counted_once_for_a_stack() -> None:
    stacks = read(
        "a (/x/src/ulak/flow/till.py:1);b (/x/src/ulak/flow/pay.py:1);c (/x/src/ulak/store/m.py:1) 3\n"
    )

    assert stacks.samples == 3
    assert stacks.rooms == {"store": 3}
    assert stacks.rooms_with_called == {"flow": 3, "store": 3}


def test_plans_are_gathered_by_statement() -> None:
    def entry(milliseconds: float) -> str:
        return (
            f"2026-03-10 12:00:00.000 UTC [7] LOG:  duration: {milliseconds} ms  plan:\n"
            "\tQuery Text: \n\tSELECT n\n\t  FROM things\n"
            f"\tSeq Scan on things  (cost=0.00..1.00 rows=1 width=4) (actual time={milliseconds} rows=1)\n"
            "\t  Buffers: shared hit=1\n"
        )

    [one] = planned(entry(1.5) + "2026-03-10 12:00:00.000 UTC [7] LOG:  something else\n" + entry(2.5))

    assert (one.query, one.times, one.milliseconds, one.longest) == ("SELECT n FROM things", 2, 4.0, 2.5)
    assert "Seq Scan" in one.plan
    assert "2.5" in one.plan
