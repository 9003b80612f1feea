"""What both ends of a connection share: a session on a socket, and writes gathered for one turn of the loop.

In: octets from the event loop. Out: octets, many PDUs in one write, and `Events` of the session for the side that
inherits from here. A wire ends once, and surely: a peer that reads no more is dropped after `CLOSE_SECONDS`, and one
that asks on and on without reading when `UNSENT_OCTETS_MAX` wait for it. It knows nothing of binds, messages or
receipts.
"""

import asyncio
from collections.abc import Callable
from typing import Final, cast

from smpp.session import Events, Session

CLOSE_SECONDS: Final = 2.0
TICK_SECONDS_MAX: Final = 1.0
UNSENT_OCTETS_MAX: Final = 8 << 20
"""More than twice what the largest window comes to: only who asks without end and reads no answer gets there."""


class Wire(asyncio.Protocol):
    """A connection with a session; `handle` and `ended` are the inheriting side's."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport | None = None
        self._closing = False
        self._paused = False
        self._out: list[bytes] = []
        self._timers: dict[str, asyncio.TimerHandle] = {}
        self._reason: str | None = None
        self._tick_seconds = min(session.enquire_seconds / 4, session.response_seconds / 4, TICK_SECONDS_MAX)

    # for the inheriting side

    def handle(self, events: Events) -> None:
        """Something arrived, or the clock asks for something."""
        raise NotImplementedError

    def ended(self, reason: str) -> None:
        """The connection is over; called once."""
        raise NotImplementedError

    @property
    def open(self) -> bool:
        """Whether there is a connection, and nobody has asked to end it."""
        return self._transport is not None and not self._closing

    def send(self, octets: bytes) -> None:
        """Write at the end of this turn of the loop, together with whatever else there is by then."""
        if not self.open:
            return
        if not self._out:
            self._loop.call_soon(self._flush)
        self._out.append(octets)

    def finish(self, reason: str, *, at_once: bool = False) -> None:
        """End the connection. What was sent before still goes out, unless the end has to be at once."""
        if self._transport is None:
            return
        self._reason = self._reason or reason
        if at_once:
            self._closing = True
            self._transport.abort()
        elif not self._closing:
            self._flush()
            self._closing = True
            self._transport.close()
            self.after(CLOSE_SECONDS, self._transport.abort)

    def watch(self) -> None:
        """Start looking at the clock: enquire_link after silence, the end after an answer that stays away."""
        self.after(self._tick_seconds, self._tick)

    def after(self, seconds: float, act: Callable[[], None]) -> None:
        """Do something later, unless the connection is over by then."""
        self._timers[act.__name__] = self._loop.call_later(seconds, act)

    # for the event loop

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Connected."""
        self._transport = cast(asyncio.Transport, transport)  # uvloop's is no subclass of it

    def data_received(self, data: bytes) -> None:
        """Something arrived."""
        self._taken(self._session.receive(data, self._loop.time()))

    def pause_writing(self) -> None:
        """The socket takes no more for now."""
        self._paused = True

    def resume_writing(self) -> None:
        """The socket takes more again."""
        self._paused = False

    def connection_lost(self, error: Exception | None) -> None:
        """The connection is over."""
        self._transport = None
        self._out.clear()
        for timer in self._timers.values():
            timer.cancel()
        self.ended(self._reason or (str(error) if error else "the other side closed the connection"))

    def _taken(self, events: Events, *, dead: bool = False) -> None:
        if events.output:
            self.send(events.output)
        self.handle(events)
        if events.ended:
            self.finish(events.ended, at_once=dead)

    def _tick(self) -> None:
        self._taken(self._session.tick(self._loop.time()), dead=True)
        if self.open:
            self.watch()

    def _flush(self) -> None:
        if self._transport is not None and self._out and not self._closing:
            self._transport.write(b"".join(self._out))
            self._out.clear()
            if self._transport.get_write_buffer_size() > UNSENT_OCTETS_MAX:
                self.finish("the other side does not read", at_once=True)
