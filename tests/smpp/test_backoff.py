"""Pauses between tries."""

from smpp.backoff import Backoff


def test_pauses_double_with_jitter_up_to_the_longest() -> None:
    for _ in range(50):
        backoff = Backoff(first_seconds=0.5, max_seconds=8)
        for full in (0.5, 1, 2, 4, 8, 8, 8):
            assert full / 2 <= backoff.next() <= full


def test_pauses_differ() -> None:
    assert len({Backoff().next() for _ in range(20)}) > 10


def test_after_a_success_it_begins_again() -> None:
    backoff = Backoff(first_seconds=0.5, max_seconds=60)
    for _ in range(10):
        backoff.next()

    backoff.reset()

    assert backoff.next() <= 0.5


def test_a_thousand_failures_are_no_overflow() -> None:
    backoff = Backoff(max_seconds=60)
    for _ in range(5000):
        pause = backoff.next()

    assert 30 <= pause <= 60
