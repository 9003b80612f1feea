"""How often one key may ask: a token bucket each, in this process's memory.

A bucket holds one second's worth of requests and refills continuously. Time is a parameter.
"""

from collections import OrderedDict
from typing import Final, NamedTuple
from uuid import UUID

BUCKETS_MAX: Final = 100_000


class Allowance(NamedTuple):
    """What a key may still do: requests left now, and seconds until the bucket is full, or has one again."""

    allowed: bool
    limit: int
    remaining: int
    reset_seconds: float


class Limiter:
    """`per_second` requests for each key; 0 allows everything."""

    def __init__(self, per_second: int) -> None:
        self.per_second = per_second
        self._buckets: OrderedDict[UUID, tuple[float, float]] = OrderedDict()

    def ask(self, key: UUID, now: float) -> Allowance:
        """Take one request from the key's bucket, if there is one."""
        rate = self.per_second
        tokens, since = self._buckets.pop(key, (float(rate), now))
        tokens = min(float(rate), tokens + (now - since) * rate)
        allowed = tokens >= 1.0
        if allowed:
            tokens -= 1.0
        self._buckets[key] = tokens, now
        if len(self._buckets) > BUCKETS_MAX:
            self._buckets.popitem(last=False)
        wait = (rate - tokens) / rate if allowed else (1.0 - tokens) / rate
        return Allowance(allowed, rate, int(tokens), wait)
