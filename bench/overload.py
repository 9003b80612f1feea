"""Far more than it can take, for minutes: what becomes of latency and memory, and how soon all is as before.

`python -m bench.overload --seconds 120` sends what an API process takes, then from as many connections as it has room
for three times over, with long bulks beside them, then as in the beginning. Nobody waits as an answer of 503 asks them
to: the next request goes out at once. `--slow-ms` makes each commit of the database take at least so long. One row of
the table for each stretch of time; memory is the highest of one API process, "slowest" the longest that anybody waited
for a yes.
"""

import argparse
import json
import subprocess
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path

import httpx
from rich.console import Console
from rich.table import Table

from tests.harness import Installation, User
from tests.harness.postgres import Postgres
from tests.harness.process import Process

USUAL = 64
BULK = 50_000
AUDIT_SECONDS = 1800
"""Thirty million messages are proved for minutes."""


class Memory(threading.Thread):
    """Looks at a process's memory while the block lasts."""

    def __init__(self, pid: int) -> None:
        super().__init__(daemon=True)
        self._status, self._over, self.most_mib = Path(f"/proc/{pid}/status"), threading.Event(), 0.0

    def run(self) -> None:
        """Look ten times a second."""
        while not self._over.wait(0.1):
            line = next(line for line in self._status.read_text().splitlines() if line.startswith("VmRSS"))
            self.most_mib = max(self.most_mib, int(line.split()[1]) / 1024)

    def stop(self) -> float:
        """The most there was."""
        self._over.set()
        self.join()
        return self.most_mib


def load(url: str, user: User, service: str, connections: int, seconds: float) -> "subprocess.Popen[str]":
    """The generator, at work."""
    words = ["-m", "bench.load", url, user.key, service]
    limits = ["--connections", str(connections), "--seconds", str(seconds)]
    return subprocess.Popen([sys.executable, *words, *limits], stdout=subprocess.PIPE, text=True)


def bulks(url: str, user: User, service: str, until: float, answered: list[int]) -> None:
    """Long bodies, one after the other."""
    body = {"to": [f"90556{n:07d}" for n in range(BULK)], "message": "Campaign.", "serviceId": service}
    with httpx.Client(headers={"x-api-key": user.key}, timeout=120, trust_env=False) as client:
        while time.monotonic() < until:
            with suppress(httpx.HTTPError):
                answered.append(client.post(f"{url}/v1/sms-sendings/simple", json=body).status_code)


def stretch(
    api: Process, user: User, service: str, connections: int, n_bulks: int, seconds: float
) -> list[str]:
    """One row: what was asked, kept and refused, how long it took, and the memory."""
    url, answered, until = api.ready["url"], list[int](), time.monotonic() + seconds
    memory = Memory(api.pid)
    memory.start()
    long = [
        threading.Thread(target=bulks, args=(url, user, service, until, answered)) for _ in range(n_bulks)
    ]
    generator = load(url, user, service, connections, seconds)
    for thread in long:
        thread.start()
    said, _ = generator.communicate(timeout=seconds + 120)
    for thread in long:
        thread.join()
    done = json.loads(said)
    kept = done["requests"] - done["errors"]
    return [
        f"{connections:,} connections" + (f", {n_bulks} of bulks" if n_bulks else ""),
        f"{done['requests'] / done['seconds']:,.0f}",
        f"{kept / done['seconds']:,.0f}",
        f"{done['p50']:,.0f} / {done['p99']:,.0f}",
        f"{done['acceptedP50']:,.0f} / {done['acceptedP99']:,.0f}",
        f"{done['acceptedMost']:,.0f}",
        f"{answered.count(201)} of {len(answered)}",
        f"{memory.stop():,.0f}",
    ]


def main() -> None:
    """Run the three stretches, print the table, prove the books."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=30)
    parser.add_argument("--connections", type=int, default=3000)
    parser.add_argument(
        "--bulks", type=int, default=16, help=f"connections that post {BULK:,} recipients each"
    )
    parser.add_argument("--slow-ms", type=int, default=0)
    given = parser.parse_args()
    delay = {"commit_delay": str(given.slow_ms * 1000), "commit_siblings": "0"} if given.slow_ms else {}
    with Postgres(fsync="on", **delay) as postgres, Installation(database_url=postgres.dsn) as ulak:
        ulak.cli("migrate")
        ulak.carrier("away", 1)
        service, user = ulak.service("BobSMS", "away"), ulak.user("mark")
        ulak.credit(1_000_000_000, user=user)
        api = Process(["serve", "--only=api", "--port=0"], ulak.environment, ulak.log_path)
        answers = "ms, p50 / p99", "ms of kept ones", "slowest"
        table = Table("load", "asked/s", "kept/s", *answers, "bulks kept", "memory MiB")
        for connections, n_bulks, seconds in (
            (USUAL, 0, 10.0),
            (given.connections, given.bulks, given.seconds),
            (USUAL, 0, 10.0),
        ):
            table.add_row(*stretch(api, user, service, connections, n_bulks, seconds))
        Console(width=120).print(table)
        api.stop()
        Console().print("Proving the books …")
        clean = ulak.cli("audit", seconds=AUDIT_SECONDS)["clean"]
        Console().print("The books are right." if clean else "The books are NOT right.")


if __name__ == "__main__":
    main()
