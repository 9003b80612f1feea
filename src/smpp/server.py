"""The carrier's side of binds: a listening socket, and a `Peer` for each customer that is connected.

The owner says who may bind, hears what is submitted in batches, answers when it likes, and delivers with a window of
its own. Nothing is stored here.
"""

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, Protocol, cast

from smpp.pdu import (
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
    Pdu,
    Status,
    SubmitSm,
    SubmitSmResp,
    Tag,
)
from smpp.session import Events, Request, Session, responses

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
        """Deliveries were answered: (token, status)."""

    def lost(self, peer: "Peer", unanswered: list[object]) -> None:
        """A bound peer is gone; these deliveries were not answered."""


@dataclass(frozen=True, slots=True)
class ServerOptions:
    """Limits of each bind."""

    system_id: str = "ulak"
    window_max: int = 1024
    enquire_seconds: float = 60.0
    response_seconds: float = 120.0


class Peer(asyncio.Protocol):
    """One connection of a customer."""

    def __init__(self, server: "Server") -> None:
        self._server = server
        self._events = server.events
        self._loop = asyncio.get_running_loop()
        its = server.options
        self._session = Session(
            window_max=its.window_max,
            enquire_seconds=its.enquire_seconds,
            response_seconds=its.response_seconds,
            now=self._loop.time(),
        )
        self._transport: asyncio.Transport | None = None
        self._out: list[bytes] = []
        self._timer: asyncio.TimerHandle | None = None
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
        return self._session.free if self.may_receive and self._transport else 0

    def answer(self, sequence: int, pdu: Pdu, status: int = 0) -> None:
        """Answer a request."""
        self._write(responses([(sequence, pdu)], status))

    def answer_all(self, pairs: Iterable[tuple[int, Pdu]], status: int = 0) -> None:
        """Answer several requests alike."""
        self._write(responses(pairs, status))

    def deliver(self, pdu: DeliverSm | DataSm, token: object) -> None:
        """Bring something to the customer; ask `free` first."""
        self._write(self._session.request(pdu, token, self._loop.time()))

    def write(self, data: bytes) -> None:
        """Octets as they are, whatever they mean: for carriers that misbehave on purpose."""
        self._write(data)

    def close(self) -> None:
        """End the connection; what was written before still goes out."""
        self._flush()
        if self._transport:
            self._transport.close()

    def abort(self) -> None:
        """Drop the connection as a broken network would."""
        if self._transport:
            self._transport.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Somebody connected."""
        self._transport = cast(asyncio.Transport, transport)  # uvloop's is no subclass of it
        self._server.peers.add(self)
        self._tick()

    def data_received(self, data: bytes) -> None:
        """Something arrived."""
        self._handle(self._session.receive(data, self._loop.time()))

    def _handle(self, events: Events) -> None:
        if events.output:
            self._write(events.output)
        submits = [request for request in events.requests if not self._asked(request)]
        if submits:
            self._events.submitted(self, submits)
        if events.responses:
            self._events.acknowledged(self, [(r.token, r.status) for r in events.responses])
        if events.ended:
            self.close()

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
        else:
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

    def _write(self, data: bytes) -> None:
        if not self._out:
            self._loop.call_soon(self._flush)
        self._out.append(data)

    def _flush(self) -> None:
        if self._transport is not None and self._out:
            self._transport.write(b"".join(self._out))
        self._out.clear()

    def _tick(self) -> None:
        if self._transport is not None:
            self._handle(self._session.tick(self._loop.time()))
            self._timer = self._loop.call_later(1.0, self._tick)

    def connection_lost(self, error: Exception | None) -> None:
        """The connection is over."""
        self._transport = None
        if self._timer:
            self._timer.cancel()
        self._server.peers.discard(self)
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

    async def start(self, host: str = "127.0.0.1", port: int = 0) -> int:
        """Listen; returns the port."""
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(lambda: Peer(self), host, port)
        found: int = self._server.sockets[0].getsockname()[1]
        return found

    async def stop(self) -> None:
        """Stop listening and end every connection."""
        if self._server:
            self._server.close()
            for peer in list(self.peers):
                peer.close()
            await self._server.wait_closed()
            while self.peers:
                await asyncio.sleep(0)
