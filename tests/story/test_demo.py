"""The demo as a newcomer runs it: to its end, with Ctrl-C, and where something else has the port already."""

import contextlib
import json
import os
import select
import signal
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.harness.process import ULAK

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("demo")]  # they look for the same free ports

SECONDS = 90


@contextlib.contextmanager
def demo(tmp_path: Path, *options: str, **environment: str) -> Iterator["subprocess.Popen[str]"]:
    """`ulak demo` with its files under `tmp_path`; a demo that did not end is killed."""
    tmp_path.chmod(0o755)
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("ULAK_")}
    process = subprocess.Popen(
        [ULAK, "demo", *options],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**inherited, "TMPDIR": str(tmp_path), **environment},
    )
    try:
        yield process
    finally:
        if process.poll() is None:
            process.kill()
        process.communicate()


def processes_of(home: Path) -> list[str]:
    """Living processes that mention a directory on their command line or in their environment."""
    found = []
    for entry in Path("/proc").iterdir():
        if not entry.name.isdecimal() or int(entry.name) == os.getpid():
            continue
        with contextlib.suppress(OSError):
            about = (entry / "cmdline").read_bytes() + (entry / "environ").read_bytes()
            if str(home).encode() in about:
                found.append(f"{entry.name} {about[:200]!r}")
    return found


def free_port() -> int:
    """A port that was free a moment ago."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def test_once_it_all_came_true_it_ends_and_leaves_nothing(tmp_path: Path) -> None:
    with demo(tmp_path, f"--port={free_port()}", ULAK_DEMO_ONCE="1") as run:
        printed, errors = run.communicate(timeout=SECONDS)

    assert run.returncode == 0, printed + errors
    assert "not_sent, refunded" in printed
    assert "116.000000" in printed
    assert list(tmp_path.iterdir()) == []
    assert processes_of(tmp_path) == []


def test_what_it_prints_works_until_ctrl_c_and_taken_ports_are_stepped_over(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with demo(tmp_path, f"--port={port}", "--json", COLUMNS="80") as run:
            assert run.stdout
            assert select.select([run.stdout], [], [], SECONDS)[0]
            told = json.loads(run.stdout.readline())
            answer = httpx.get(
                f"{told['url']}/v1/users/me", headers={"x-api-key": told["key"]}, trust_env=False
            )
            run.send_signal(signal.SIGINT)
            _, errors = run.communicate(timeout=SECONDS)

    assert f":{port}" not in told["url"]
    assert answer.json()["data"]["username"] == "mark"
    assert run.returncode == 0, errors
    assert "Traceback" not in errors
    assert list(tmp_path.iterdir()) == []
    assert processes_of(tmp_path) == []


def test_ctrl_c_while_it_starts_leaves_nothing(tmp_path: Path) -> None:
    with demo(tmp_path, f"--port={free_port()}") as run:
        while not processes_of(tmp_path / "ulak-demo-") and run.poll() is None:
            pass
        run.send_signal(signal.SIGINT)
        _, errors = run.communicate(timeout=SECONDS)

    assert run.returncode == 130
    assert "Traceback" not in errors
    assert list(tmp_path.iterdir()) == []
    assert processes_of(tmp_path) == []
