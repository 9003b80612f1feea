"""How much one process takes in at once: requests, and the bytes of their bodies.

What is above that is refused at once, with a second to wait, before anything of it is read: under ten times the load
that can be borne memory stays as it is, and whoever got in is answered as quickly as ever (docs/decisions/0021). One
body always fits, however large the largest may be.
"""

from ulak.rules.refusal import Code, Refused

RETRY_SECONDS = 1


class Gate:
    """Counts what is inside. Every `enter` has its `leave`, every `hold` its `release`."""

    def __init__(self, *, requests_max: int, bytes_max: int) -> None:
        self._requests_max = requests_max
        self._bytes_max = bytes_max
        self.requests = 0
        self.bytes = 0

    def enter(self) -> None:
        """Begin a request; refused when there are too many."""
        if self.requests >= self._requests_max:
            raise full()
        self.requests += 1

    def leave(self) -> None:
        """End a request that has entered."""
        self.requests -= 1

    def hold(self, n_bytes: int) -> None:
        """Take room for a body; refused when others have it."""
        if self.bytes and self.bytes + n_bytes > self._bytes_max:
            raise full()
        self.bytes += n_bytes

    def release(self, n_bytes: int) -> None:
        """Give room back."""
        self.bytes -= n_bytes


def full() -> Refused:
    """There is more to do than can be done."""
    return Refused(
        Code.UNAVAILABLE,
        "The service has more requests than it can answer; try again.",
        retry_after=RETRY_SECONDS,
    )
