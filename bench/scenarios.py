"""The measurements: each puts one kind of work on a running installation and notes what came of it.

In: a rig and the scale. Out: figures. What is measured is what a customer sees over HTTP, what the carrier saw, and
what the kernel says of the processes; nothing is timed from inside.
"""

import statistics
import time
from collections.abc import Callable, Iterable
from itertools import count
from typing import NamedTuple

from bench.figures import Figures, Goal
from bench.rig import Rig
from tests.harness import await_true

BULK = 10_000
CARRIER_WINDOW = 100
LATE_WINDOW = 500
LATE_MS = 50.0
THROTTLED_AT = 200
LIMITED_TO = 500
STEADY_PER_SECOND = 200
CODES_PER_SECOND = 10
WATCHED = "90577"


class Scale(NamedTuple):
    """How much: rounds of each; seconds and recipients of the kinds of work; messages before memory is looked at."""

    rounds: int
    accepted_seconds: float
    bulks: int
    sustained_seconds: float
    recipients: int
    late_recipients: int
    throttled_seconds: float
    steady_seconds: float
    messages: int
    exported: int


class Scenarios:
    """One round after the other on the same installation, so that what disturbs the machine disturbs all alike."""

    def __init__(self, rig: Rig, scale: Scale, figures: Figures) -> None:
        self._rig = rig
        self._scale = scale
        self._note = figures.note
        self._numbers = count(0, 100_000)
        self._messages = 0

    def prepare(self) -> None:
        """The carriers that stay."""
        self._rig.add_carrier("main", window=CARRIER_WINDOW)
        self._rig.add_carrier("late", window=LATE_WINDOW)

    def all(self) -> dict[str, Callable[[], None]]:
        """What there is to measure in a round."""
        return {
            "single sends, accepted only": self.singles_accepted,
            "bulks, accepted only": self.bulks_accepted,
            "a bulk, until the last receipt": self.bulk_delivered,
            "single sends, until the last receipt": self.singles_delivered,
            "a steady trickle": self.steady,
            "a carrier far away": self.late,
            "a code amid another customer's campaign": self.code_amid_bulk,
            "a carrier that throttles": self.throttled,
        }

    def singles_accepted(self) -> None:
        """As many as are answered, over a carrier that is away."""
        user, before = self._rig.user(), self._rig.used()
        done = self._rig.singles(user, self._rig.service("away"), self._scale.accepted_seconds)
        used = self._rig.used().since(before)
        self._note("single sends accepted", "/s", done["perSecond"], 0, Goal(5_000, 8_000))
        self._note("… time to the answer, p50", "ms", done["p50"], 1)
        self._note("… time to the answer, p99", "ms", done["p99"], 1)
        self._note("… CPU, accepted only", "s/10,000", used / done["requests"] * 10_000, 2)

    def bulks_accepted(self) -> None:
        """Bulks one after the other, over a carrier that is away."""
        n, user, before = self._scale.bulks, self._rig.user(), self._rig.used()
        seconds = self._rig.bulks(user, self._rig.service("away"), BULK, n)
        used = self._rig.used().since(before)
        self._note(
            f"recipients accepted, bulks of {BULK:,}", "/s", n * BULK / seconds, 0, Goal(60_000, 150_000)
        )
        self._note("… CPU of a recipient, accepted only", "s/10,000", used / (n * BULK) * 10_000, 2)

    def bulk_delivered(self) -> None:
        """One big bulk, from the post to the last receipt."""
        n, user, before = self._scale.recipients, self._rig.user(), self._rig.used()
        self._forget(receipt_ms=100.0)
        seconds = self._deliver(n, lambda: self._rig.campaign(user, self._rig.service("main"), n), user)
        used = self._rig.used().since(before)
        self._note("bulk delivered with receipts", "/s", n / seconds, 0, Goal(6_000, 12_000))
        self._note("… CPU of a bulk message", "s/10,000", used / n * 10_000, 2, Goal(3.0, 1.5, less=True))

    def singles_delivered(self) -> None:
        """Single sends for a while, from the first post to the last receipt."""
        user, before = self._rig.user(), self._rig.used()
        self._forget(receipt_ms=100.0)
        started = time.monotonic()
        done = self._rig.singles(user, self._rig.service("main"), self._scale.sustained_seconds)
        self._rig.await_all(user)
        seconds, n = time.monotonic() - started, done["requests"]
        self._messages += n
        used = self._rig.used().since(before)
        self._note("single sends delivered with receipts", "/s", n / seconds, 0, Goal(2_500, 5_000))
        self._note("… CPU of a single send", "s/10,000", used / n * 10_000, 2, Goal(6.0, 3.5, less=True))
        self._note(
            "memory of our processes", "MiB", self._rig.used_by_us().memory_mib, 0, Goal(300, 150, less=True)
        )

    def steady(self) -> None:
        """A rate that is no effort: how long each step takes."""
        self._forget(receipt_ms=100.0, watched=WATCHED)
        answers, submits = self._steady(self._rig.service("main"), STEADY_PER_SECOND)
        at = f"at {STEADY_PER_SECOND}/s: "
        self._note(f"{at}POST answered, p50", "ms", _percentile(answers, 50), 1, Goal(5, 2, less=True))
        self._note(f"{at}POST answered, p99", "ms", _percentile(answers, 99), 1, Goal(25, 10, less=True))
        self._note(f"{at}POST to submit_sm, p99", "ms", _percentile(submits, 99), 1, Goal(60, 20, less=True))

    def late(self) -> None:
        """A carrier that answers late, one connection, a window of its own."""
        n, user = self._scale.late_recipients, self._rig.user()
        self._forget(answer_ms=LATE_MS, receipt_ms=100.0)
        self._deliver(n, lambda: self._rig.campaign(user, self._rig.service("late"), n), user)
        seen = self._rig.carrier.report()
        per_second = seen["submits"] / (seen["last"] - seen["first"])
        self._note(
            f"submits, answered {LATE_MS:.0f} ms late, window {LATE_WINDOW}",
            "/s",
            per_second,
            0,
            Goal(5_000, 9_000),
        )
        self._forget(answer_ms=0.0)

    def code_amid_bulk(self) -> None:
        """Single sends while another customer's campaign goes out on the same carrier, which has a limit."""
        name = self._carrier("limited", throughput=LIMITED_TO)
        self._forget(receipt_ms=100.0, watched=WATCHED)
        self._rig.campaign(self._rig.user(), self._rig.service(name), self._scale.recipients)
        _, submits = self._steady(self._rig.service(name), CODES_PER_SECOND)
        self._rig.pause(name)
        self._note(
            f"a code amid a bulk at {LIMITED_TO}/s: POST to submit_sm, p99",
            *("ms", _percentile(submits, 99), 1, Goal(1_000, 200, less=True)),
        )

    def throttled(self) -> None:
        """A carrier that takes so many a second and no more, and says so; with more than it takes waiting."""
        name, seconds = self._carrier("throttled"), self._scale.throttled_seconds
        self._forget(receipt_ms=100.0, limit=THROTTLED_AT)
        backlog = int(THROTTLED_AT * (seconds + 30))
        self._rig.bulks(self._rig.user(), self._rig.service(name), backlog)
        time.sleep(seconds)
        seen = self._rig.carrier.report()
        self._rig.pause(name)
        self._forget(limit=0.0)
        share = seen["taken"] / (THROTTLED_AT * (seen["last"] - seen["first"]))
        self._note(f"throttled above {THROTTLED_AT}/s: share of it used", "%", share * 100, 1, Goal(90, 98))

    def fill(self) -> None:
        """Deliver until there are as many messages as memory is to be looked at after."""
        before, user = self._rig.used_by_us().memory_mib, self._rig.user()
        while self._messages < self._scale.messages:
            n = self._scale.recipients
            self._deliver(n, lambda n=n: self._rig.campaign(user, self._rig.service("main"), n), user)  # type: ignore[misc]
        after = self._rig.used_by_us().memory_mib
        what = f"memory of our processes after {self._messages:,} messages"
        self._note(what, "MiB", after, 0, Goal(300, 150, less=True))
        self._note("… growth since the rounds", "MiB", after - before, 1)

    # with what

    def _deliver(self, n: int, post: Callable[[], float], user: object) -> float:
        """Post, and wait for the last receipt; returns the seconds."""
        started = time.monotonic()
        post()
        self._rig.await_all(user)  # type: ignore[arg-type]
        self._messages += n
        return time.monotonic() - started

    def _steady(self, service: str, per_second: float) -> tuple[list[float], list[float]]:
        """Milliseconds from each post to its answer, and to its submit."""
        user = self._rig.user()
        done = self._rig.steady(user, service, per_second, self._scale.steady_seconds, next(self._numbers))
        await_true(
            lambda: self._rig.carrier.report()["seen"].keys() >= done["sent"].keys(),
            "every message reached the carrier",
        )
        seen = self._rig.carrier.report()["seen"]
        answers = [(done["answered"][number] - at) * 1000 for number, at in done["sent"].items()]
        return answers, [(seen[number] - at) * 1000 for number, at in done["sent"].items()]

    def _carrier(self, name: str, **options: object) -> str:
        """A carrier of this round's own: what it leaves in the queue is nobody else's."""
        name = f"{name}-{next(self._numbers)}"
        self._rig.add_carrier(name, window=CARRIER_WINDOW, **options)
        return name

    def _forget(self, **behaviour: float | str) -> None:
        self._rig.carrier.set(**behaviour)


def _percentile(values: Iterable[float], percent: int) -> float:
    return statistics.quantiles(values, n=100, method="inclusive")[percent - 1]
