"""How long a request may take to arrive, and how much of it may be no body: uvicorn's protocol with those limits.

In: the bytes of one connection. Out: the requests that uvicorn makes of them. What is too slow (byte after byte of a
head or a body, or nothing at all), too long (a head that does not end, chunk extensions and trailers likewise), in too
many headers, or not read by whoever asked, ends with the connection: nothing of it was accepted. `overdue` is asked by
the server now and then, so that a request costs no timer. Trailers never become headers: a proxy vouches for those,
and for no others.
"""

from typing import Any, Final

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

HEAD_BYTES_MAX: Final = 64 * 1024
"""Of a head that is not whole yet, and of what stands between two pieces of a body; one read may bring more at once."""
HEADERS_MAX: Final = 256
"""Of a head, and of its trailers. Each costs far more in memory than the four bytes it can be written in."""


class Arrival(HttpToolsProtocol):
    """One connection."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._began: float | None = (
            self.loop.time()
        )  # when the request that is not whole yet began; None: none is
        self._has_head = False
        self._loose_bytes = 0
        self._left = 0, 0.0  # bytes that wait to be read by the caller, and since when it is just so many

    def data_received(self, data: bytes) -> None:
        """Take what came; too much that is no body ends the connection."""
        if self._began is None:
            self._began = self.loop.time()
        self._loose_bytes += len(data)
        super().data_received(data)
        if (self._loose_bytes > HEAD_BYTES_MAX or self._has_many_headers) and not self.transport.is_closing():
            self.transport.abort()

    @property
    def _has_many_headers(self) -> bool:
        return self.headers is not None and len(self.headers) > HEADERS_MAX

    def on_headers_complete(self) -> None:
        """The head is whole; what comes later is no header of this request."""
        if self._has_many_headers:
            raise ValueError("too many headers")  # which the parser makes a refusal of
        self._has_head, self._loose_bytes = True, 0
        super().on_headers_complete()
        self.headers = []

    def on_body(self, body: bytes) -> None:
        """A piece of the body."""
        self._loose_bytes = 0
        super().on_body(body)

    def on_message_complete(self) -> None:
        """The request is whole."""
        self._began, self._has_head, self._loose_bytes = None, False, 0
        super().on_message_complete()

    def overdue(self, now: float, *, header_seconds: float, body_seconds: float) -> bool:
        """Whether the caller has been too slow, in the loop's time: to send a head, a body, or to read an answer."""
        waiting = self.transport.get_write_buffer_size()
        if not waiting or waiting != self._left[0]:
            self._left = waiting, now
        elif now - self._left[1] > body_seconds:
            return True
        if self._began is None or self.flow.read_paused:  # we are the one who is waited for
            return False
        if self._has_head:
            return now - self._began > body_seconds
        is_free = self.cycle is None or self.cycle.response_complete
        return is_free and now - self._began > header_seconds
