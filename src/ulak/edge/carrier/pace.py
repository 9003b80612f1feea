"""How fast a carrier lets us submit, learnt from when it throttles.

A token bucket whose rate falls to what the carrier just took when it says "too fast", and then probes upward in
steps until it is told again: small ones first, so that a steady carrier is used almost whole, then larger ones,
so that a rate learnt in a bad moment is not kept. Until it throttles there is no limit here; the operator's is
`share`'s. Time is a parameter, in seconds of any monotonic clock.
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
RATE_MAX: Final = 100_000.0
"""Above this nothing is learnt any more, because nobody submits so fast."""
CALM_SECONDS: Final = 10.0
"""A carrier that has not said it for so long is not throttling any more; probing gets there sooner."""


class Pace:
    """One for all connections to a carrier in this process."""

    def __init__(self, now: float) -> None:
        self._learnt: float | None = None
        self._step = STEP_MIN
        self._tokens = 1.0
        self._since = now
        self._second = now
        self._taken = self._taken_before = 0
        self._waited = self._waited_before = False
        self._throttled_at = now - SECOND
        self._throttled_first: float | None = None

    @property
    def rate(self) -> float:
        """Submits a second right now; 0 means unlimited."""
        return self._learnt or 0.0

    def throttled_since(self, now: float) -> float | None:
        """When the carrier began to throttle; None when it does not."""
        return self._throttled_first if now - self._throttled_at < CALM_SECONDS else None

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
        if self.throttled_since(now) is None:
            self._throttled_first = now
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
            if self._learnt > RATE_MAX:
                self._learnt = None
