"""The weather: what happens when in a storm, drawn from its seed before anything starts.

In: a seed, how many faults, which kinds there can be. Out: `Gust`s in order: how long after the one before, what, and
how strong (0 to 1). The same seed is the same schedule; what it hits depends on how fast the machine is.
"""

import random
from collections.abc import Mapping
from typing import Final, NamedTuple

GAP_SECONDS: Final = (0.2, 1.4)


class Gust(NamedTuple):
    """One fault to be."""

    gap_seconds: float
    kind: str
    strength: float


def forecast(seed: int, n: int, weights: Mapping[str, int]) -> list[Gust]:
    """The schedule: every kind once in a row of its own, shuffled, and then by weight."""
    chance = random.Random(f"storm {seed}")
    kinds = list(weights)
    chance.shuffle(kinds)
    drawn = kinds[:n] + chance.choices(kinds, [weights[kind] for kind in kinds], k=max(0, n - len(kinds)))
    return [Gust(chance.uniform(*GAP_SECONDS), kind, chance.random()) for kind in drawn]
