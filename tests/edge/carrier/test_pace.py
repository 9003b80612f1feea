"""How fast a link goes: what a carrier that throttles lets through. Time is made up."""

from collections import deque

import pytest

from ulak.edge.carrier.pace import Pace

TURN = 0.002


class Carrier:
    """Takes `rate` submits a second, `burst` at once, and throttles the others."""

    def __init__(self, rate: float, burst: float) -> None:
        self.rate, self.burst = rate, burst
        self.tokens = burst
        self.took = self.throttled = 0

    def submit(self) -> bool:
        if self.tokens < 1:
            self.throttled += 1
            return False
        self.tokens -= 1
        self.took += 1
        return True

    def pass_time(self, seconds: float) -> None:
        self.tokens = min(self.burst, self.tokens + seconds * self.rate)


def run(pace: Pace | list[Pace], carrier: Carrier, start: float, seconds: float, window: int = 20) -> float:
    """There is always more to send; each turn as much as the pace allows, but no more than a window.

    Several paces are those of several processes, whose turn to be the first comes round.
    """
    paces = deque([pace] if isinstance(pace, Pace) else pace)
    now = start
    while now < start + seconds:
        for one in paces:
            submit(one, carrier, now, window)
        paces.rotate(-1)
        now += TURN
        carrier.pass_time(TURN)
    return now


def submit(pace: Pace, carrier: Carrier, now: float, window: int) -> None:
    """As much as the pace allows, but no more than a window."""
    for _ in range(window):
        if pace.take(now):
            return
        if carrier.submit():
            pace.taken(now, 1)
        else:
            pace.throttled(now)


def test_without_a_limit_nothing_waits() -> None:
    pace = Pace(0.0)

    assert {pace.take(0.0) for _ in range(10_000)} == {0.0}


@pytest.mark.parametrize("rate", [20, 200, 1000])
@pytest.mark.parametrize("burst_seconds", [0.1, 1.0])
def test_nine_tenths_of_what_a_throttling_carrier_takes_are_used(rate: float, burst_seconds: float) -> None:
    carrier = Carrier(rate, max(1, rate * burst_seconds))
    pace = Pace(0.0)
    now = run(pace, carrier, 0.0, 10)
    carrier.took = carrier.throttled = 0

    run(pace, carrier, now, 120)

    assert carrier.took >= 0.9 * rate * 120
    assert carrier.throttled <= 0.1 * carrier.took


def test_a_rate_learnt_in_the_first_instant_is_not_kept() -> None:
    carrier, pace = Carrier(1000, 20), Pace(0.0)
    now = run(pace, carrier, 0.0, 5)
    carrier.took = 0

    run(pace, carrier, now, 10)

    assert carrier.took >= 0.9 * 10 * 1000


def test_nor_is_one_learnt_after_a_pause() -> None:
    carrier, pace = Carrier(200, 10), Pace(0.0)
    now = run(pace, carrier, 0.0, 10)
    for _ in range(10):  # a second with a message, and one without
        pace.take(now)
        pace.taken(now, 1)
        now += 2.0
    carrier.tokens = carrier.burst
    now = run(pace, carrier, now, 5, window=50)
    carrier.took = 0

    run(pace, carrier, now, 10, window=50)

    assert carrier.took >= 0.9 * 10 * 200


def test_a_carrier_that_slows_down_is_followed_at_once() -> None:
    carrier, pace = Carrier(1000, 100), Pace(0.0)
    now = run(pace, carrier, 0.0, 10)
    carrier.rate, carrier.burst, carrier.tokens = 10, 1, 0

    now = run(pace, carrier, now, 5)
    carrier.throttled = 0
    run(pace, carrier, now, 10)

    assert carrier.throttled <= 10


def test_a_carrier_that_recovers_is_used_whole_again_soon() -> None:
    carrier, pace = Carrier(10, 1), Pace(0.0)
    now = run(pace, carrier, 0.0, 20)
    carrier.rate, carrier.burst = 1000, 100

    now = run(pace, carrier, now, 15)
    carrier.took = 0
    run(pace, carrier, now, 10)

    assert carrier.took >= 0.9 * 10 * 1000


def test_it_is_throttling_from_the_first_word_of_it_until_it_is_calm() -> None:
    carrier, pace = Carrier(100, 10), Pace(0.0)
    assert pace.throttled_since(0.0) is None
    now = run(pace, carrier, 0.0, 30)
    since = pace.throttled_since(now)
    assert since is not None
    assert since < 1
    carrier.rate = carrier.burst = 1e9

    now = run(pace, carrier, now, 30)

    assert pace.throttled_since(now) is None
    assert pace.rate == 0.0 or pace.rate > 10_000


@pytest.mark.parametrize("processes", [2, 4])
def test_several_processes_use_nine_tenths_of_what_it_takes_too(processes: int) -> None:
    carrier, paces = Carrier(200, 20), [Pace(0.0) for _ in range(processes)]
    now = run(paces, carrier, 0.0, 10)
    carrier.took = 0

    run(paces, carrier, now, 120)

    assert carrier.took >= 0.9 * 200 * 120
