"""The carrier's side of binds: a listening socket, and a `Peer` for each customer that is connected.

The owner says who may bind, hears what is submitted in batches, answers when it likes, and delivers with a window of
its own. Nothing is stored here.
"""

import asyncio
import ssl
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, Protocol

from smpp.pdu import (
    AlertNotification,
    BindReceiver,
    BindReceiverResp,
    BindTransceiver,
    BindTransceiverResp,
    BindTransmitter,
    BindTransmitterResp,
    DataSm,
    DataSmResp,
    DeliverSm,
    GenericNack,
    Outbind,
    Pdu,
    Status,
    SubmitSm,
    SubmitSmResp,
    Tag,
)
from smpp.session import Events, Request, Session, responses
from smpp.wire import Wire

_BIND_RESPONSES: Final[dict[type[Pdu], type[Pdu]]] = {
    BindTransmitter: BindTransmitterResp,
    BindReceiver: BindReceiverResp,
    BindTransceiver: BindTransceiverResp,
}


class ServerEvents(Protocol):
    """What the owner of a server hears. Called from the event loop; must not block."""

    def bind(self, system_id: str, password: str) -> int:
        """Somebody wants in: 0 to let them, else the status to refuse with."""

    def bound(self, peer: "Peer") -> None:
        """A peer is bound."""

    def submitted(self, peer: "Peer", requests: list[Request]) -> None:
        """Messages came in (submit_sm or data_sm); answer each with `peer.answer`."""

    def acknowledged(self, peer: "Peer", answers: list[tuple[object, int]]) -> None:
        """Deliveries were answered: (token, status). An empty list says that the socket takes more again."""

    def lost(self, peer: "Peer", unanswered: list[object]) -> None:
        """A bound peer is gone; these deliveries were not answered."""


@dataclass(frozen=True, slots=True)
class ServerOptions:
    """Limits of each bind, and of how many there may be. Who does not bind within `bind_seconds` has to go."""

    system_id: str = "ulak"
    window_max: int = 1024
    enquire_seconds: float = 60.0
    response_seconds: float = 120.0
    bind_seconds: float = 10.0
    connections_max: int = 1000
    tls: ssl.SSLContext | None = None


class Peer(Wire):
    """One connection of a customer."""

    def __init__(self, server: "Server") -> None:
        its = server.options
        super().__init__(
            Session(
                window_max=its.window_max,
                enquire_seconds=its.enquire_seconds,
                response_seconds=its.response_seconds,
                now=asyncio.get_running_loop().time(),
            )
        )
        self._server = server
        self._events = server.events
        self.system_id = ""
        self.may_submit = False
        self.may_receive = False

    @property
    def bound(self) -> bool:
        """Whether it has bound, in whatever way."""
        return self.may_submit or self.may_receive

    @property
    def free(self) -> int:
        """How many deliveries may go out now."""
        return self._session.free if self.may_receive and self.open and not self._paused else 0

    def answer(self, sequence: int, pdu: Pdu, status: int = 0) -> None:
        """Answer a request."""
        self.send(responses([(sequence, pdu)], status))

    def answer_all(self, pairs: Iterable[tuple[int, Pdu]], status: int = 0) -> None:
        """Answer several requests alike."""
        self.send(responses(pairs, status))

    def deliver(self, pdu: DeliverSm | DataSm, token: object) -> None:
        """Bring something to the customer; ask `free` first: beyond the window is an error."""
        if self.free <= 0:
            raise RuntimeError("the window is full, or nobody is bound to receive")
        self.send(self._session.request(pdu, token, self._loop.time()))

    def write(self, data: bytes) -> None:
        """Octets as they are, whatever they mean: for carriers that misbehave on purpose."""
        self.send(data)

    def close(self) -> None:
        """End the connection; what was written before still goes out."""
        self.finish("closed")

    def abort(self) -> None:
        """Drop the connection as a broken network would."""
        self.finish("dropped", at_once=True)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Somebody connected."""
        super().connection_made(transport)
        if not self._server.come(self):
            self.finish("too many connections", at_once=True)
            return
        self.watch()
        self.after(self._server.options.bind_seconds, self._bind_or_go)

    def _bind_or_go(self) -> None:
        if not self.bound:
            self.finish("did not bind", at_once=True)

    def pause_writing(self) -> None:
        """A customer that does not read is not listened to either, or its answers would pile up here."""
        super().pause_writing()
        if self._transport is not None and self.open:
            self._transport.pause_reading()

    def resume_writing(self) -> None:
        """It reads again."""
        super().resume_writing()
        if self._transport is not None and self.open:
            self._transport.resume_reading()
            if self.may_receive:
                self._events.acknowledged(self, [])

    def handle(self, events: Events) -> None:
        """Tell the owner what arrived."""
        submits = [request for request in events.requests if not self._asked(request)]
        if submits:
            self._events.submitted(self, submits)
        if events.responses:
            self._events.acknowledged(self, [(r.token, r.status) for r in events.responses])

    def _asked(self, request: Request) -> bool:
        """Deal with a request that is not for the owner; whether it was one."""
        pdu = request.pdu
        if isinstance(pdu, BindTransmitter | BindReceiver | BindTransceiver):
            self._bind(request.sequence, pdu)
        elif isinstance(pdu, SubmitSm | DataSm):
            if self.may_submit:
                return False
            refusal = SubmitSmResp() if isinstance(pdu, SubmitSm) else DataSmResp()
            self.answer(request.sequence, refusal, Status.RINVBNDSTS)
        elif not isinstance(pdu, AlertNotification | Outbind):  # nothing answers these two
            self.answer(request.sequence, GenericNack(), Status.RINVCMDID)
        return True

    def _bind(self, sequence: int, pdu: BindTransmitter | BindReceiver | BindTransceiver) -> None:
        kind = _BIND_RESPONSES[type(pdu)]
        status = Status.RALYBND if self.bound else self._events.bind(pdu.system_id, pdu.password)
        if status:
            self.answer(sequence, kind(), status)
            return
        self.system_id = pdu.system_id
        self.may_submit = not isinstance(pdu, BindReceiver)
        self.may_receive = not isinstance(pdu, BindTransmitter)
        tlvs = {Tag.SC_INTERFACE_VERSION: b"\x34"} if pdu.interface_version >= 0x34 else {}
        self.answer(sequence, kind(self._server.options.system_id, tlvs))  # type: ignore[call-arg]
        self._events.bound(self)

    def ended(self, reason: str) -> None:
        """Tell the owner, if it was bound, which deliveries stayed unanswered."""
        self._server.gone(self)
        if self.bound:
            self.may_submit = self.may_receive = False
            self._events.lost(self, self._session.unanswered())


class Server:
    """The listening socket. `await start(host, port)`, later `await stop()`."""

    def __init__(self, events: ServerEvents, options: ServerOptions | None = None) -> None:
        self.events = events
        self.options = options or ServerOptions()
        self.peers: set[Peer] = set()
        self._server: asyncio.Server | None = None
        self._empty = asyncio.Event()

    async def start(self, host: str = "127.0.0.1", port: int = 0) -> int:
        """Listen; returns the port."""
        loop = asyncio.get_running_loop()
        tls = self.options.tls
        self._server = await loop.create_server(
            lambda: Peer(self),
            host,
            port,
            ssl=tls,
            ssl_handshake_timeout=self.options.bind_seconds
            if tls
            else None,  # there is no peer before its end
        )
        found: int = self._server.sockets[0].getsockname()[1]
        return found

    async def stop(self) -> None:
        """Stop listening and end every connection; none is left when this returns."""
        if self._server is None:
            return
        self._server.close()
        for peer in list(self.peers):
            peer.close()
        if self.peers:
            self._empty.clear()
            await self._empty.wait()
        await self._server.wait_closed()

    def come(self, peer: Peer) -> bool:
        """Count a connection in; False when there are too many already."""
        if len(self.peers) >= self.options.connections_max:
            return False
        self.peers.add(peer)
        return True

    def gone(self, peer: Peer) -> None:
        """Count a connection out."""
        self.peers.discard(peer)
        if not self.peers:
            self._empty.set()
