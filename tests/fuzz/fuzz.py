"""One run: a world, the three parts one after another with a third of the time each, and the laws at the end."""

import time
from dataclasses import dataclass

from tests.fuzz import described, fields, laws, pages
from tests.fuzz.tally import Budget, Law, Tally
from tests.fuzz.world import inhabited


@dataclass
class Result:
    """What came of it."""

    seed: int
    seconds: float
    tally: Tally
    laws: list[Law]

    @property
    def broken(self) -> list[str]:
        """Every law that did not hold, and where."""
        found = [f"{law.words}: {what}" for law in self.laws for what in law.broken[:5]]
        return [*self.tally.examples(), *found]


def fuzz(seed: int, budget: Budget, tally: Tally) -> Result:
    """Ask until the time is over, then ask the laws; the time counts from now."""
    with inhabited() as world:
        began = time.monotonic()
        budget.begin()
        described.explore(world, tally, budget.share(1 / 3), seed)
        fields.explore(world, tally, budget.share(1 / 2), seed)
        every_page = pages.explore(world, tally, budget.share(1), seed)
        return Result(seed, time.monotonic() - began, tally, [every_page, *laws.at_the_end(world)])
