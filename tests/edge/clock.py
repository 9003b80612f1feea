"""A limiter whose time the test says."""

from uuid import UUID

from ulak.edge.limits import Allowance, Limiter


class Clock(Limiter):
    """It is always `at`, until the test says otherwise."""

    at = 100.0

    def ask(self, rates: list[tuple[UUID, int]], now: float) -> Allowance:
        """As ever, at that moment."""
        return super().ask(rates, self.at)
