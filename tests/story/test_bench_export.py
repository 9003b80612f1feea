"""The bench of exports, in its short form: it measures something, and what it exports is all there."""

import pytest

from bench.export import measure, shapes

pytestmark = pytest.mark.slow


def test_the_shapes_are_as_many_messages_as_asked_for() -> None:
    assert sum(shape.n for shape in shapes(12_345)) == 12_345


def test_a_short_bench_measures_every_round() -> None:
    said: list[str] = []

    measured = measure(2_000, rounds=2, say=said.append)

    assert len(measured.per_second) == len(measured.growth_mib) == 2
    assert min(measured.per_second) > 0
    assert len(said) == 3
