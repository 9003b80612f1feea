"""Taking connections from a listening socket as quickly as they come, however busy the loop is.

In: a socket that listens. Out: one protocol for each connection. libuv accepts one connection in a turn of the loop, so
that processes which share a socket share what comes by it. But a turn of a process with thousands of busy connections
takes a good part of a second, and whoever comes new then, be it a health check, waits behind all who came before. So
here a turn that took long is followed by as many accepts as belong to its time: the idle share, the busy take.
"""

import asyncio
import errno
import socket
from collections.abc import Callable
from typing import Final

PER_SECOND: Final = 4000
AT_ONCE: Final = 512
RETRY_SECONDS: Final = 1.0
"""Until it looks again after the system had no room for another connection."""

NO_ROOM: Final = {errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM}


class Acceptor:
    """Accepts from one socket until it is closed; the socket itself stays open, as others may listen on it."""

    def __init__(self, listener: socket.socket, protocol: Callable[[], asyncio.Protocol]) -> None:
        self._loop = asyncio.get_running_loop()
        self._listener, self._protocol = listener, protocol
        self._arriving = set[asyncio.Task[object]]()
        self._is_taking = self._is_closed = False
        listener.setblocking(False)
        self._listen()

    def close(self) -> None:
        """Accept nobody any more."""
        if not self._is_closed:
            self._is_closed = True
            self._loop.remove_reader(self._listener.fileno())

    def _listen(self) -> None:
        if not self._is_closed:
            self._loop.add_reader(self._listener.fileno(), self._take)

    def _take(self) -> None:
        """One now, and in the next turn as many as belong to the time that this one takes."""
        if not self._is_taking and self._accept():
            self._is_taking = True
            self._loop.call_soon(self._take_more, self._loop.time())

    def _take_more(self, since: float) -> None:
        now = self._loop.time()
        self._is_taking = all(
            self._accept() for _ in range(min(1 + int((now - since) * PER_SECOND), AT_ONCE))
        )
        if self._is_taking:
            self._loop.call_soon(self._take_more, now)

    def _accept(self) -> bool:
        """Whether somebody was there to take."""
        if self._is_closed:
            return False
        try:
            connection, _ = self._listener.accept()
        except (BlockingIOError, InterruptedError, ConnectionAbortedError):
            return False
        except OSError as error:
            if error.errno not in NO_ROOM:
                raise
            self._loop.remove_reader(self._listener.fileno())  # it would be called at once, and for nothing
            self._loop.call_later(RETRY_SECONDS, self._listen)
            return False
        arriving = self._loop.create_task(self._loop.connect_accepted_socket(self._protocol, connection))
        self._arriving.add(arriving)
        arriving.add_done_callback(self._arriving.discard)
        return True
