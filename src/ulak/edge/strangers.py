"""Who shows keys that nobody may use: counted by address, written to the log, and told to wait when it goes on.

A key has 256 bits, so nobody guesses one: this keeps those who try off the log and the database, and makes them seen.
It refuses only keys that are of no use, so a good key passes from everywhere, whoever else guesses there. In memory, by
process.
"""

from collections import OrderedDict
from typing import Final

import structlog

from ulak.rules.refusal import Code, Refused
from ulak.rules.stranger import place, printable

WINDOW_SECONDS: Final = 60.0
FAILED_MAX: Final = 30
"""Keys in a window from one address (an IPv6 one by its /64) that are answered as what they are."""
PLACES_MAX: Final = 20_000
PREFIX_LENGTH: Final = 11
"""Characters of a key that may be written down; never enough to use it."""

_log = structlog.get_logger(__name__)


class Strangers:
    """The memory of one process. `failed` when a key was of no use; it returns when that may be said.

    `waits` says beforehand whether it would not: then a key is not worth a question to the database.
    """

    def __init__(self) -> None:
        self._seen: OrderedDict[str, tuple[int, float]] = OrderedDict()

    def waits(self, address: str | None, now: float) -> bool:
        """Whether whoever comes from there has shown too many keys that are of no use."""
        n, since = self._seen.get(_where(address), (0, now))
        return n >= FAILED_MAX and now - since < WINDOW_SECONDS

    def failed(self, key: str, address: str | None, now: float) -> None:
        """Count a key that cannot be used; `rate_limited` when there were too many from this address."""
        where = _where(address)
        n, since = self._seen.pop(where, (0, now))
        n, since = (n + 1, since) if now - since < WINDOW_SECONDS else (1, now)
        self._seen[where] = n, since
        if len(self._seen) > PLACES_MAX:
            self._seen.popitem(last=False)
        if n <= FAILED_MAX:
            _log.warning("key_refused", address=where, prefix=printable(key[:PREFIX_LENGTH], PREFIX_LENGTH))
            return
        if n == FAILED_MAX + 1:
            _log.warning("keys_guessed", address=where, failed=n, seconds=WINDOW_SECONDS)
        raise Refused(
            Code.RATE_LIMITED,
            "Too many keys from this address could not be used. A key that can be used is answered as ever.",
            retry_after=max(1.0, since + WINDOW_SECONDS - now),
        )


def _where(address: str | None) -> str:
    return place(address) or "nowhere"
