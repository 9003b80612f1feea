"""Pauses between tries: each twice as long as the last, with jitter, up to a longest one."""

import random


class Backoff:
    """`next()` is the pause before the next try, in seconds; `reset()` after a success.

    The jitter (between half of the pause and all of it) keeps many who lost the same peer from returning together.
    """

    def __init__(self, first_seconds: float = 0.5, max_seconds: float = 60.0) -> None:
        self._first = first_seconds
        self._max = max_seconds
        self._tries = 0

    def next(self) -> float:
        """The pause before the next try."""
        pause = min(self._max, self._first * 2.0 ** min(self._tries, 30))
        self._tries += 1
        return pause * random.uniform(0.5, 1.0)

    def reset(self) -> None:
        """Begin again with the shortest pause."""
        self._tries = 0
