"""What is measured, and what drives it: an installation, a carrier, load generators, each in processes of their own.

In: settings of the installation. Out: posts and their times, what the carrier saw, what the processes have used. An
answer that is not what it should be ends the whole run: a figure of failures is none.
"""

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import count
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import httpx

from bench import customers, usage
from tests.harness import Installation, User, await_true

HERE = Path(__file__).parent
CREDIT = 1_000_000_000
CONNECTIONS = 64
DELIVERED_SECONDS_MAX = 900
NOBODY_LISTENS = 1
REQUEST_RECIPIENTS_MAX = 100_000
TEXT = "Campaign is live. Visit now."

Answer = dict[str, Any]


class Carrier:
    """`bench.carrier` in a process of its own."""

    def __init__(self, **behaviour: Any) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "bench.carrier"], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        self.port: int = self._read()["port"]
        self.set(**behaviour)

    @property
    def pid(self) -> int:
        """The id of its process."""
        return self._process.pid

    def set(self, **behaviour: Any) -> None:
        """Behave differently from now on, and begin to count anew."""
        self._ask({"set": behaviour, "forget": True})

    def report(self) -> Answer:
        """What it has counted."""
        return self._ask({"report": True})

    def _ask(self, order: Mapping[str, Any]) -> Answer:
        assert self._process.stdin
        self._process.stdin.write(json.dumps(order).encode() + b"\n")
        self._process.stdin.flush()
        return self._read()

    def _read(self) -> Answer:
        assert self._process.stdout
        said: Answer = json.loads(self._process.stdout.readline())
        return said

    def stop(self) -> None:
        """It ends with its stdin."""
        self._process.communicate(timeout=10)


class Rig:
    """A running installation, and one carrier for all its connections. Services are named by their carrier."""

    def __init__(self, **settings: Any) -> None:
        self.ulak = Installation(log_level="error", **settings)
        self.carrier = Carrier()
        self._services: dict[str, str] = {}
        self._names = count(1)

    def __enter__(self) -> Self:
        self.ulak.start()
        self.add_carrier("away", port=NOBODY_LISTENS)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            self.ulak.close()
        finally:
            self.carrier.stop()

    # what there is

    def add_carrier(self, name: str, port: int | None = None, **options: object) -> None:
        """A carrier under this name, with a service over it."""
        self.ulak.carrier(name, port or self.carrier.port, **options)
        self._services[name] = self.ulak.service(f"Over {name}", name)

    def service(self, carrier: str) -> str:
        """The id of the service over a carrier."""
        return self._services[carrier]

    def pause(self, carrier: str, *, resume: bool = False) -> None:
        """Take a carrier out, or in again."""
        self.ulak.cli("carrier", "set", carrier, "--state", "active" if resume else "paused")

    def user(self) -> User:
        """A new customer with more credit than can be spent."""
        user = self.ulak.user(f"customer{next(self._names)}")
        self.ulak.credit(CREDIT, user=user)
        return user

    def users(self, n: int) -> list[User]:
        """So many new customers, each with a key and more credit than can be spent."""
        return customers.make(self.ulak, [f"customer{next(self._names)}" for _ in range(n)], CREDIT)

    # what is put on it

    def singles(self, user: User, service: str, seconds: float) -> Answer:
        """Single sends, as many as are answered; every one has to be accepted."""
        return self.singles_of([user], service, seconds)

    def singles_of(self, users: Sequence[User], service: str, seconds: float) -> Answer:
        """The same, of these customers in turn."""
        return self.singles_at(self.ulak.url, ",".join(user.key for user in users), service, seconds)

    def singles_at(self, url: str, key: str, service: str, seconds: float) -> Answer:
        """The same, wherever. `key` may be several, with commas between them."""
        if generator() == "wrk":
            command = ["wrk", "-t1", f"-c{CONNECTIONS}", f"-d{seconds:g}s", "-s", str(HERE / "wrk.lua"), url]
            done = _json_of(command, BENCH_KEY=key, BENCH_SERVICE=service)
        else:
            done = _json_of(
                _python("bench.load", url, key, service, connections=CONNECTIONS, seconds=seconds)
            )
        if done["errors"] or not done["requests"]:
            raise RuntimeError(f"not every request was accepted: {done}")
        return done

    def steady(self, user: User, service: str, per_second: float, seconds: float, first: int) -> Answer:
        """Single sends at a fixed rate, to numbers that begin with 90577; when each was sent, and answered."""
        done = _json_of(
            _python(
                *("bench.steady", self.ulak.url, user.key, service),
                **{"per-second": per_second, "seconds": seconds, "first": first},
            )
        )
        if done["errors"] or not done["sent"]:
            raise RuntimeError(f"not every request was accepted: {done['errors']}")
        return done

    def bulks(self, user: User, service: str, recipients: int, n: int = 1, at_once: int = 1) -> float:
        """Post `n` bulks; returns the seconds until all were accepted."""
        numbers = [f"9055{number:08d}" for number in range(recipients)]
        body = json.dumps({"to": numbers, "message": TEXT, "serviceId": service})

        def post(client: httpx.Client) -> None:
            headers = {"content-type": "application/json"}
            answer = client.post("/sms-sendings/simple", content=body, headers=headers)
            if answer.status_code != 201:
                raise RuntimeError(f"a bulk was not accepted: {answer.text}")

        clients = [self.ulak.as_user(user) for _ in range(at_once)]
        with ThreadPoolExecutor(at_once) as pool:
            started = time.monotonic()
            list(pool.map(post, [clients[k % at_once] for k in range(n)]))
            return time.monotonic() - started

    def campaign(self, user: User, service: str, recipients: int) -> float:
        """The same text to so many, in as many requests as that takes; returns the seconds until all were accepted."""
        full, rest = divmod(recipients, REQUEST_RECIPIENTS_MAX)
        seconds = self.bulks(user, service, REQUEST_RECIPIENTS_MAX, full) if full else 0.0
        return seconds + (self.bulks(user, service, rest) if rest else 0.0)

    def await_all(self, user: User) -> None:
        """Wait until nothing of the user's is on its way any more."""
        client = self.ulak.as_user(user)

        def all_ended() -> bool:
            answer = client.get("/sms-sendings", params={"completed": "false", "limit": 1})
            return bool(answer.json()["data"]["total"] == 0)

        await_true(all_ended, "every message ended", DELIVERED_SECONDS_MAX)

    def await_receipts(self, n: int) -> None:
        """Wait until the carrier, since it last began to count, has had n submits and every receipt acknowledged.

        Ulak acknowledges receipts after their commit, so this tells of any number of customers at once.
        """

        def all_acknowledged() -> bool:
            seen = self.carrier.report()
            return bool(seen["acknowledged"] >= max(n, seen["submits"]))

        await_true(all_acknowledged, f"{n} receipts were acknowledged", DELIVERED_SECONDS_MAX)

    # what it has used

    def used(self) -> usage.Usage:
        """Ulak's processes and PostgreSQL."""
        return usage.of(self.ulak.pid, self.ulak.postgres_pid)

    def used_by_us(self) -> usage.Usage:
        """Ulak's processes without PostgreSQL."""
        return usage.of(self.ulak.pid)


def generator() -> str:
    """Which load generator there is: Debian's wrk, or ours."""
    return "wrk" if shutil.which("wrk") else "bench.load"


def _python(module: str, *arguments: str, **options: float) -> list[str]:
    named = [f"--{name}={value}" for name, value in options.items()]
    return [sys.executable, "-m", module, *arguments, *named]


def _json_of(command: list[str], **environment: str) -> Answer:
    """Run a load generator; the last line it prints is JSON."""
    done = subprocess.run(
        command, capture_output=True, check=True, text=True, env={**os.environ, **environment}
    )
    said: Answer = json.loads(done.stdout.strip().splitlines()[-1])
    return said
