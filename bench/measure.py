"""The measurements: each puts one kind of work on a running installation and says what came of it.

In: the scale. Out: `Figures`, one for each thing worth knowing, with every round's value. An answer that is not
what it should be ends the whole run: a figure of failures is none.
"""

import json
import os
import statistics
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, NamedTuple, Self

import httpx

from bench import usage
from tests.harness import CarrierProcess, Installation, User, await_true

CREDIT = 100_000_000
CONNECTIONS = 64
DELIVERED_SECONDS_MAX = 600
NOBODY_LISTENS = 1


class Scale(NamedTuple):
    """How much: rounds of each, seconds of single sends, recipients of a bulk."""

    rounds: int
    seconds: float
    recipients: int


@dataclass(slots=True)
class Figures:
    """One figure, once for each round."""

    what: str
    unit: str
    digits: int = 0
    values: list[float] = field(default_factory=list)

    @property
    def low(self) -> float:
        return min(self.values)

    @property
    def middle(self) -> float:
        return statistics.median(self.values)

    @property
    def high(self) -> float:
        return max(self.values)

    def as_json(self) -> dict[str, Any]:
        return {"what": self.what, "unit": self.unit, "middle": self.middle, "values": self.values}


class Bench:
    """A running installation with two services: one over the simulated carrier, one over a carrier that is away."""

    def __init__(self, scale: Scale, *, window: int, say: Callable[[str], None]) -> None:
        self.scale = scale
        self.processors = len(os.sched_getaffinity(0))
        self._window = window
        self._say = say
        self._figures: defaultdict[tuple[str, str, int], list[float]] = defaultdict(list)
        self._ulak = Installation(log_level="error")

    def __enter__(self) -> Self:
        self._say("starting an installation and a carrier")
        self._carrier = CarrierProcess(delay_ms=100)
        self._ulak.start()
        self._ulak.carrier("simulated", self._carrier.port, window=self._window)
        self._ulak.carrier("away", NOBODY_LISTENS)
        self._delivered = self._ulak.service("Delivered", "simulated")
        self._parked = self._ulak.service("Parked", "away")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ulak.close()
        self._carrier.stop()

    def run(self) -> list[Figures]:
        """Measure everything, round by round, so that what disturbs the machine disturbs all of it alike."""
        for number in range(self.scale.rounds):
            user = self._user(f"parked{number}")
            self._say(f"round {number + 1} of {self.scale.rounds}: single sends, accepted only")
            self._singles_accepted(user)
            self._say("… one bulk, accepted only")
            self._bulk_accepted(user)
            user = self._user(f"delivered{number}")
            self._say("… one bulk, until the last receipt")
            self._bulk_delivered(user)
            self._say("… single sends, until the last receipt")
            self._singles_delivered(user)
        return [Figures(*name, values) for name, values in self._figures.items()]

    # what is measured

    def _singles_accepted(self, user: User) -> None:
        before = self._usage()
        done = self._load(user, self._parked)
        self._note("single sends accepted", "requests/s", done["perSecond"])
        self._note("… median time to the answer", "ms", done["p50"], 1)
        self._note("… 99th percentile", "ms", done["p99"], 1)
        self._cost("single, accepted only", before, done["requests"])

    def _bulk_accepted(self, user: User) -> None:
        before = self._usage()
        seconds = self._post_bulk(user, self._parked)
        self._note("bulk accepted", "messages/s", self.scale.recipients / seconds)
        self._cost("bulk, accepted only", before, self.scale.recipients)

    def _bulk_delivered(self, user: User) -> None:
        before, carrier = self._usage(), self._carrier_usage()
        started = time.monotonic()
        self._post_bulk(user, self._delivered)
        self._await_all(user)
        self._note(
            "bulk delivered with receipts", "messages/s", self.scale.recipients / (time.monotonic() - started)
        )
        self._cost("bulk, delivered", before, self.scale.recipients)
        used = self._carrier_usage().since(carrier)
        self._note(
            "CPU of the simulated carrier beside it", "s/10,000", used / self.scale.recipients * 10_000, 2
        )
        self._note("memory: Ulak's processes and PostgreSQL", "MiB", self._usage().memory_mib)

    def _singles_delivered(self, user: User) -> None:
        before = self._usage()
        started = time.monotonic()
        done = self._load(user, self._delivered)
        self._await_all(user)
        self._note(
            "single sends delivered with receipts",
            "messages/s",
            done["requests"] / (time.monotonic() - started),
        )
        self._cost("single, delivered", before, done["requests"])

    # with what

    def _note(self, what: str, unit: str, value: float, digits: int = 0) -> None:
        self._figures[what, unit, digits].append(value)

    def _cost(self, what: str, before: usage.Usage, messages: float) -> None:
        """CPU seconds of Ulak's processes and PostgreSQL."""
        used = self._usage().since(before)
        self._note(f"CPU: {what}", "s/10,000", used / messages * 10_000, 2)

    def _usage(self) -> usage.Usage:
        return usage.of(self._ulak.pid, self._ulak.postgres_pid)

    def _carrier_usage(self) -> usage.Usage:
        return usage.of(self._carrier.pid)

    def _load(self, user: User, service: str) -> dict[str, float]:
        """Single sends from a process of its own; every one has to be accepted."""
        done = subprocess.run(
            [
                *(sys.executable, "-m", "bench.load", self._ulak.url, user.key, service),
                *("--connections", str(CONNECTIONS), "--seconds", str(self.scale.seconds)),
            ],
            capture_output=True,
            check=True,
        )
        figures: dict[str, float] = json.loads(done.stdout)
        if figures["errors"] or not figures["requests"]:
            raise RuntimeError(f"not every request was accepted: {figures}")
        return figures

    def _post_bulk(self, user: User, service: str) -> float:
        """One bulk; returns the seconds until it was accepted."""
        numbers = [f"9055{n:06d}77" for n in range(self.scale.recipients)]
        body = json.dumps({"to": numbers, "message": "Campaign is live. Visit now.", "serviceId": service})
        started = time.monotonic()
        answer = self._client(user).post(
            "/sms-sendings/simple", content=body, headers={"content-type": "application/json"}
        )
        seconds = time.monotonic() - started
        if answer.status_code != 201:
            raise RuntimeError(f"the bulk was not accepted: {answer.text}")
        return seconds

    def _await_all(self, user: User) -> None:
        """Wait until nothing of the user's is on its way any more."""
        client = self._client(user)

        def all_ended() -> bool:
            answer = client.get("/sms-sendings", params={"completed": "false", "limit": 1})
            return answer.json()["data"]["total"] == 0

        await_true(all_ended, "every message ended", DELIVERED_SECONDS_MAX)

    def _user(self, username: str) -> User:
        user = self._ulak.user(username)
        self._ulak.credit(CREDIT, user=user)
        return user

    def _client(self, user: User) -> httpx.Client:
        return self._ulak.as_user(user)
