"""How often a customer may ask: token buckets, one for each user and one for each key that has a rate of its own.
What a user sends in the panel is taken from the same bucket as what their keys ask.

In: who asks, and their rates. Out: an `Allowance`. A bucket holds one second's worth of requests and refills
continuously; a request takes from both or from neither. The buckets lie in memory that all processes of one
`ulak serve` share, so that a rate is a rate however many answer; time is a parameter, and the same clock for all.

What it promises: nobody locks anybody, so two processes that look at one bucket in the same microsecond may both let a
request pass; and above `SETS * WAYS` customers at a time the fullest bucket is forgotten for one that is new. Each
machine counts by itself.
"""

import os
from mmap import mmap
from struct import Struct
from typing import Final, NamedTuple
from uuid import UUID

from ulak.rules.refusal import Code, Refused, said

SETS: Final = 16_384
WAYS: Final = 4
"""Buckets that a name may stand in."""

_SLOT: Final = Struct("=16sd")  # whose, and when the bucket will be full again
_SET_BYTES: Final = WAYS * _SLOT.size
_BYTES: Final = SETS * _SET_BYTES
_ROUNDING: Final = 1e-6
"""Of a request: times are sums of fractions."""


class Allowance(NamedTuple):
    """What somebody may still do: requests left now, and seconds until the bucket is full, or has one again."""

    allowed: bool
    limit: int
    remaining: int
    reset_seconds: float


def shared() -> int:
    """A descriptor of memory for buckets, which processes can inherit and give to `Limiter`. The caller closes it."""
    descriptor = os.memfd_create("ulak-limits")
    os.ftruncate(descriptor, _BYTES)
    return descriptor


def too_often(allowance: Allowance, *, of_key: bool = False) -> Refused:
    """Somebody, or one of their keys, asks more often than they may."""
    n = allowance.limit
    sentence = said(
        "This key may ask {n} times a second." if of_key else "You may ask {n} times a second.", n=n
    )
    return Refused(Code.RATE_LIMITED, sentence, retry_after=allowance.reset_seconds)


class Limiter:
    """Buckets in the memory behind a descriptor, or in this process's own."""

    def __init__(self, descriptor: int = -1) -> None:
        self._memory = mmap(descriptor, _BYTES)

    def ask(self, rates: list[tuple[UUID, int]], now: float) -> Allowance:
        """Take one request from each of these buckets, of so many a second, if all have one.

        The answer is about the one with the fewest left.
        """
        found = [(*self._look(whose.bytes, now), rate, whose.bytes) for whose, rate in rates]
        states = [_state(full_at, rate, now) for _, full_at, rate, _ in found]
        if all(state.allowed for state in states):
            for at, full_at, rate, whose in found:
                _SLOT.pack_into(self._memory, at, whose, full_at + 1.0 / rate)
        else:
            states = [state for state in states if not state.allowed]
            return max(states, key=lambda state: state.reset_seconds)
        return min(states, key=lambda state: state.remaining)

    def _look(self, whose: bytes, now: float) -> tuple[int, float]:
        """Where somebody's bucket is, and when it will be full; one that was not there is full."""
        start = int.from_bytes(whose[8:], "big") % SETS * _SET_BYTES
        fullest, earliest = start, float("inf")
        for at in range(start, start + _SET_BYTES, _SLOT.size):
            its, full_at = _SLOT.unpack_from(self._memory, at)
            if its == whose:
                return at, full_at if full_at > now else now
            if full_at < earliest:
                fullest, earliest = at, full_at
        return fullest, now


def _state(full_at: float, rate: int, now: float) -> Allowance:
    """How a bucket stands if one more request is taken from it."""
    left = rate - (full_at - now) * rate - 1.0 + _ROUNDING
    if left < 0:
        return Allowance(False, rate, 0, -left / rate)
    return Allowance(True, rate, int(left), (rate - left) / rate)
