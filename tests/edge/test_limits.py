"""Rates: one second's worth at once, then as it refills; of a customer and of a key, in one process and in several."""

import os
from uuid import UUID, uuid4

import pytest

from ulak.edge import limits
from ulak.edge.limits import SETS, WAYS, Limiter
from ulak.edge.strangers import FAILED_MAX, WINDOW_SECONDS, Strangers
from ulak.rules.refusal import Code, Refused

MARK, KEY = uuid4(), uuid4()


def asked(limiter: Limiter, times: int, at: float, *rates: tuple[UUID, int]) -> int:
    """How many of so many requests at one moment are let through."""
    return sum(limiter.ask(list(rates), at).allowed for _ in range(times))


def test_a_seconds_worth_at_once_and_then_as_it_refills() -> None:
    limiter = Limiter()

    assert asked(limiter, 10, 100.0, (MARK, 5)) == 5
    assert asked(limiter, 10, 100.1, (MARK, 5)) == 0
    assert asked(limiter, 10, 100.2, (MARK, 5)) == 1
    assert asked(limiter, 10, 200.0, (MARK, 5)) == 5


def test_what_is_said_of_it() -> None:
    limiter = Limiter()

    first, second, third = (limiter.ask([(MARK, 2)], 100.0) for _ in range(3))

    assert (first.allowed, first.limit, first.remaining, round(first.reset_seconds, 3)) == (True, 2, 1, 0.5)
    assert (second.remaining, round(second.reset_seconds, 3)) == (0, 1.0)
    assert (third.allowed, third.remaining, round(third.reset_seconds, 3)) == (False, 0, 0.5)


def test_the_smaller_counts_and_a_refusal_takes_from_neither() -> None:
    limiter = Limiter()

    assert limiter.ask([(MARK, 10), (KEY, 3)], 100.0).limit == 3
    assert asked(limiter, 10, 100.0, (MARK, 10), (KEY, 3)) == 2
    assert asked(limiter, 20, 100.0, (MARK, 10)) == 7
    assert limiter.ask([(MARK, 10), (KEY, 3)], 100.5).allowed


def test_another_rate_counts_at_once() -> None:
    limiter = Limiter()
    asked(limiter, 5, 100.0, (MARK, 5))

    assert asked(limiter, 100, 100.5, (MARK, 50)) == 25


def test_nobody_is_in_anybodys_way() -> None:
    limiter = Limiter()

    for _ in range(SETS * WAYS // 4):
        assert limiter.ask([(uuid4(), 1)], 100.0).allowed


def test_processes_share_what_they_inherit() -> None:
    descriptor = limits.shared()
    try:
        one, other, alone = Limiter(descriptor), Limiter(descriptor), Limiter()
        assert asked(one, 3, 100.0, (MARK, 5)) == 3
        assert asked(other, 5, 100.0, (MARK, 5)) == 2
        assert asked(alone, 9, 100.0, (MARK, 5)) == 5
    finally:
        os.close(descriptor)


def failed(strangers: Strangers, address: str | None, at: float) -> bool:
    """Whether one more failure is told to wait."""
    try:
        strangers.failed("ulak_0123456789", address, at)
    except Refused as refused:
        seconds = refused.retry_after or 0
        return refused.code == Code.RATE_LIMITED and 1 <= seconds <= WINDOW_SECONDS
    return False


def test_who_guesses_is_told_to_wait_and_nobody_else() -> None:
    strangers = Strangers()

    assert not any(failed(strangers, "192.0.2.1", 100.0) for _ in range(FAILED_MAX))
    assert failed(strangers, "192.0.2.1", 101.0)
    assert not failed(strangers, "192.0.2.2", 101.0)
    assert not failed(strangers, None, 101.0)
    assert not failed(strangers, "192.0.2.1", 100.0 + WINDOW_SECONDS)


def test_the_log_has_the_beginning_of_a_key_and_an_end(capsys: pytest.CaptureFixture[str]) -> None:
    strangers = Strangers()
    for _ in range(10 * FAILED_MAX):
        failed(strangers, "2001:db8::1", 100.0)

    said = capsys.readouterr().out.splitlines()
    assert len(said) == FAILED_MAX + 1
    assert "ulak_012345" in said[0]
    assert "ulak_0123456" not in said[0]
    assert "keys_guessed" in said[-1]
