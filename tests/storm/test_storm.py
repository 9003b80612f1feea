"""A short storm: a seed that is always the same, and one that is not and is printed; `make storm` runs long ones."""

import random

import pytest

from tests.storm.storm import storm

pytestmark = [pytest.mark.slow, pytest.mark.timeout(280)]

FAULTS = 13


@pytest.mark.parametrize(("seed", "kept"), [(1, True), (None, False)])
async def test_whatever_happens_the_laws_hold(seed: int | None, kept: bool) -> None:
    seed = random.randrange(1_000_000) if seed is None else seed
    print(f"make storm SEED={seed} FAULTS={2 * FAULTS}")
    result = await storm(seed, FAULTS, kept=kept)
    print(result.happened, result.answers, result.figures)

    assert result.failed == []
    assert [(law.words, law.broken[:3]) for law in result.broken] == [], result.stuck
    assert result.happened.total() == FAULTS
