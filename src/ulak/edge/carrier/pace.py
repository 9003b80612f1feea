"""How fast a link may submit: the operator's limit, and what the carrier lets through when it throttles.

A token bucket whose rate falls to what the carrier just took when it says "too fast", and then probes upward in
steps until it is told again: small ones first, so that a steady carrier is used almost whole, then larger ones,
so that a rate learnt in a bad moment is not kept. Time is a parameter, in seconds of any monotonic clock.
"""

from typing import Final

BURST_SECONDS: Final = 0.05
SECOND: Final = 1.0
MEASURED_SECONDS_MIN: Final = 0.1
"""Less than this says nothing about a rate."""
LESS: Final = 0.95
STEP_MIN: Final = 0.02
STEP_MAX: Final = 1.0
RATE_MIN: Final = 1.0


class Pace:
    """`limit`: submits a second, 0 for none."""

    def __init__(self, limit: int, now: float) -> None:
        self._limit = float(limit)
        self._learnt: float | None = None
        self._step = STEP_MIN
        self._tokens = 1.0
        self._since = now
        self._second = now
        self._taken = self._taken_before = 0
        self._waited = self._waited_before = False
        self._throttled_at = now - SECOND

    @property
    def rate(self) -> float:
        """Submits a second right now; 0 means unlimited."""
        if self._learnt is None:
            return self._limit
        return min(self._learnt, self._limit) if self._limit else self._learnt

    def take(self, now: float) -> float:
        """0 when a submit may go now, else the seconds to wait before asking again."""
        self._tick(now)
        rate = self.rate
        if not rate:
            return 0.0
        self._tokens = min(max(1.0, rate * BURST_SECONDS), self._tokens + (now - self._since) * rate)
        self._since = now
        if self._tokens >= 1.0:
            self._tokens -= 1.0
            return 0.0
        self._waited = True
        return (1.0 - self._tokens) / rate

    def taken(self, now: float, n: int) -> None:
        """The carrier took so many."""
        self._tick(now)
        self._taken += n

    def throttled(self, now: float) -> None:
        """The carrier says it is too fast: go on at what it takes."""
        self._tick(now)
        if now - self._throttled_at < SECOND:
            return  # answers to what was already on its way say nothing new
        took = self._took(now)
        self._learnt = max(RATE_MIN, min(took, self.rate * LESS) if self.rate else took)
        self._step = STEP_MIN if self._waited_before else STEP_MAX  # a measure, or a guess
        self._throttled_at = now
        self._tokens = 0.0
        self._since = now

    def _took(self, now: float) -> float:
        """What the carrier took a second, lately. Where we were not held back it may take more than that."""
        current = max(now - self._second, MEASURED_SECONDS_MIN)
        if self._waited_before:
            return (self._taken_before + self._taken) / (SECOND + current)
        return max(self._taken_before, self._taken / current)

    def _tick(self, now: float) -> None:
        """Once a second: remember what was taken, and probe upward unless just throttled."""
        passed = now - self._second
        if passed < SECOND:
            return
        whole = passed < 2 * SECOND
        self._taken_before, self._waited_before = (self._taken, self._waited) if whole else (0, False)
        self._taken, self._waited = 0, False
        self._second = now
        if self._learnt is not None and now - self._throttled_at >= SECOND:
            self._learnt += max(1.0, self._learnt * self._step)
            self._step = min(2 * self._step, STEP_MAX)
