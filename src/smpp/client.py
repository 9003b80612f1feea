"""The customer's side of a bind: a transceiver over TCP or TLS.

`Client.bind` connects and binds; from then on everything that arrives is told to the owner in batches, one for
each piece read from the socket. Submits of one turn of the event loop are written together. The bind ends once:
`lost` is called with what was unanswered, whatever the reason.
"""

import asyncio
import ssl
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol, cast

from smpp.pdu import (
    BindTransceiver,
    DataSm,
    DataSmResp,
    DeliverSm,
    DeliverSmResp,
    Pdu,
    SubmitSm,
    Unbind,
    words,
)
from smpp.session import Events, Session, responses


class BindRefused(Exception):
    """The carrier does not let us in; `status` says why, and so does the text."""

    def __init__(self, status: int) -> None:
        super().__init__(words(status))
        self.status = status


class Answer(NamedTuple):
    """The carrier answered a submit; `message_id` is its id of the part when `status` is 0."""

    token: object
    status: int
    message_id: str


class Delivery(NamedTuple):
    """The carrier brings something; acknowledge it by its sequence number."""

    sequence: int
    pdu: DeliverSm | DataSm


class ClientEvents(Protocol):
    """What the owner of a client hears. All three are called from the event loop and must not block."""

    def answered(self, answers: list[Answer]) -> None:
        """Submits were answered."""

    def delivered(self, deliveries: list[Delivery]) -> None:
        """Receipts or messages came in."""

    def lost(self, unanswered: list[object], reason: str) -> None:
        """The bind is over; called once."""


@dataclass(frozen=True, slots=True)
class ClientOptions:
    """Where and how to bind."""

    host: str
    port: int
    system_id: str
    password: str = field(repr=False)
    system_type: str = ""
    window_max: int = 100
    enquire_seconds: float = 30.0
    response_seconds: float = 60.0
    connect_seconds: float = 10.0
    tls: ssl.SSLContext | None = None


class _Binding:
    """The token of the bind itself."""


class Client(asyncio.Protocol):
    """One bind. Make it with `await Client.bind(options, events)`."""

    def __init__(self, options: ClientOptions, events: ClientEvents) -> None:
        self._options = options
        self._events = events
        self._loop = asyncio.get_running_loop()
        self._session = Session(
            window_max=options.window_max,
            enquire_seconds=options.enquire_seconds,
            response_seconds=options.response_seconds,
            now=self._loop.time(),
        )
        self._transport: asyncio.Transport | None = None
        self._bound = False
        self._leaving: asyncio.Future[None] | None = None
        self._binding: asyncio.Future[int] = self._loop.create_future()
        self._out: list[bytes] = []
        self._paused = False
        self._kinds: dict[int, type[Pdu]] = {}
        self._timer: asyncio.TimerHandle | None = None
        self._reason = "the carrier closed the connection"

    @classmethod
    async def bind(cls, options: ClientOptions, events: ClientEvents) -> "Client":
        """Connect and bind; raises `BindRefused`, `OSError`, or `TimeoutError` after `connect_seconds`."""
        loop = asyncio.get_running_loop()
        async with asyncio.timeout(options.connect_seconds):
            _, client = await loop.create_connection(
                lambda: cls(options, events), options.host, options.port, ssl=options.tls
            )
            try:
                status = await client._bind()
            except BaseException:
                client.close()
                raise
        if status:
            client.close()
            raise BindRefused(status)
        client._bound = True
        client._tick()
        return client

    def _bind(self) -> "asyncio.Future[int]":
        its = self._options
        bind = BindTransceiver(system_id=its.system_id, password=its.password, system_type=its.system_type)
        assert self._transport
        self._transport.write(self._session.request(bind, _Binding, self._loop.time()))
        return self._binding

    # what the owner does

    @property
    def free(self) -> int:
        """How many submits may go out now."""
        if not self._bound or self._paused or self._leaving:
            return 0
        return self._session.free

    @property
    def outstanding(self) -> int:
        """Submits without an answer."""
        return self._session.outstanding

    def submit(self, pdu: SubmitSm, token: object) -> None:
        """Send a message; its answer comes with the token. Ask `free` first: beyond the window is an error."""
        if not self.free:
            raise RuntimeError("the window is full, or the bind is over")
        self._write(self._session.request(pdu, token, self._loop.time()))

    def acknowledge(self, sequences: Sequence[int], status: int = 0) -> None:
        """Tell the carrier that deliveries are safe with us, or with a status that they are not."""
        if self._transport is None:
            return
        pairs = [(number, self._kinds.pop(number, DeliverSmResp)()) for number in sequences]
        self._write(responses(pairs, status))

    async def unbind(self, wait_seconds: float) -> None:
        """Wait for the answers to what is in flight, at most so long, then take leave and close."""
        if self._transport is None:
            return
        self._leaving = self._loop.create_future()
        if not self._session.outstanding:
            self._leaving.set_result(None)
        with suppress(TimeoutError):
            async with asyncio.timeout(wait_seconds):
                await self._leaving
        if self._transport is not None:
            self._reason = "unbound"
            self._out.append(self._session.request(Unbind(), _Binding, self._loop.time()))
            self._flush()
            self.close()

    def close(self) -> None:
        """End the bind; what was written before still goes out."""
        if self._transport is not None:
            self._transport.close()

    # what the event loop does

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Connected."""
        self._transport = cast(asyncio.Transport, transport)  # uvloop's is no subclass of it

    def data_received(self, data: bytes) -> None:
        """Something arrived."""
        self._handle(self._session.receive(data, self._loop.time()))

    def _handle(self, events: Events) -> None:
        if events.output:
            self._write(events.output)
        answers = []
        for response in events.responses:
            if response.token is _Binding:
                if not self._binding.done():
                    self._binding.set_result(response.status)
            else:
                message_id = getattr(response.pdu, "message_id", "")
                answers.append(Answer(response.token, response.status, message_id))
        deliveries = []
        for request in events.requests:
            if isinstance(request.pdu, DeliverSm | DataSm):
                if isinstance(request.pdu, DataSm):
                    self._kinds[request.sequence] = DataSmResp
                deliveries.append(Delivery(request.sequence, request.pdu))
        if answers:
            self._events.answered(answers)
        if deliveries:
            self._events.delivered(deliveries)
        if self._leaving and not self._leaving.done() and not self._session.outstanding:
            self._leaving.set_result(None)
        if events.ended:
            self._reason = events.ended
            self.close()

    def _write(self, data: bytes) -> None:
        """Write at the end of this turn, together with whatever else there is by then."""
        if not self._out:
            self._loop.call_soon(self._flush)
        self._out.append(data)

    def _flush(self) -> None:
        if self._transport is not None and self._out:
            self._transport.write(b"".join(self._out))
        self._out.clear()

    def _tick(self) -> None:
        if self._transport is None:
            return
        self._handle(self._session.tick(self._loop.time()))
        pause = min(self._options.enquire_seconds, self._options.response_seconds) / 4
        self._timer = self._loop.call_later(min(pause, 1.0), self._tick)

    def pause_writing(self) -> None:
        """The socket takes no more for now."""
        self._paused = True

    def resume_writing(self) -> None:
        """The socket takes more again."""
        self._paused = False
        if self._bound:
            self._events.answered([])

    def connection_lost(self, error: Exception | None) -> None:
        """The connection is over."""
        self._transport = None
        if self._timer:
            self._timer.cancel()
        if not self._binding.done():
            self._binding.set_exception(ConnectionError("the carrier closed the connection before the bind"))
        if self._leaving and not self._leaving.done():
            self._leaving.set_result(None)
        if self._bound:
            self._bound = False
            unanswered = [token for token in self._session.unanswered() if token is not _Binding]
            self._events.lost(unanswered, str(error) if error else self._reason)
