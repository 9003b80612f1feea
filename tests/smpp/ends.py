"""Owners of both ends of a connection for tests: they write down what they hear, and can be waited for."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

from smpp.client import Answer, Client, ClientOptions, Delivery
from smpp.pdu import SubmitSmResp
from smpp.server import Peer, Server, ServerOptions
from smpp.session import Request


@dataclass
class Customer:
    """What a client's owner hears."""

    answers: list[Answer] = field(default_factory=list)
    deliveries: list[Delivery] = field(default_factory=list)
    losses: list[tuple[list[object], str]] = field(default_factory=list)

    def answered(self, answers: list[Answer]) -> None:
        self.answers += answers

    def delivered(self, deliveries: list[Delivery]) -> None:
        self.deliveries += deliveries

    def lost(self, unanswered: list[object], reason: str) -> None:
        self.losses.append((unanswered, reason))


@dataclass
class Carrier:
    """What a server's owner hears; `submit_status` answers submits at once, None leaves them unanswered."""

    bind_status: int = 0
    submit_status: int | None = 0
    peers: list[Peer] = field(default_factory=list)
    requests: list[Request] = field(default_factory=list)
    acknowledgements: list[tuple[object, int]] = field(default_factory=list)
    losses: list[list[object]] = field(default_factory=list)
    on_bound: Callable[[Peer], None] = lambda _: None

    def bind(self, system_id: str, password: str) -> int:
        self.credentials = system_id, password
        return self.bind_status

    def bound(self, peer: Peer) -> None:
        self.peers.append(peer)
        self.on_bound(peer)

    def submitted(self, peer: Peer, requests: list[Request]) -> None:
        for request in requests:
            self.requests.append(request)
            if self.submit_status is not None:
                peer.answer(request.sequence, SubmitSmResp(f"m{len(self.requests)}"), self.submit_status)

    def acknowledged(self, peer: Peer, answers: list[tuple[object, int]]) -> None:
        self.acknowledgements += answers

    def lost(self, peer: Peer, unanswered: list[object]) -> None:
        self.losses.append(unanswered)


@asynccontextmanager
async def listening(carrier: Carrier, **options: Any) -> AsyncIterator[int]:
    """A server of this carrier; yields its port."""
    server = Server(carrier, ServerOptions(**options))
    port = await server.start()
    try:
        yield port
    finally:
        await server.stop()


def where(port: int, **options: Any) -> ClientOptions:
    """Options of a client of this machine."""
    return ClientOptions("127.0.0.1", port, "ulak", "secret", **options)


@asynccontextmanager
async def bound(
    customer: Customer, carrier: Carrier, server: dict[str, Any] | None = None, **options: Any
) -> AsyncIterator[Client]:
    """A client bound to a server of this carrier."""
    async with listening(carrier, **(server or {})) as port:
        client = await Client.bind(where(port, **options), customer)
        try:
            yield client
        finally:
            client.close()
            await until(lambda: bool(customer.losses), "the end of the bind")


@asynccontextmanager
async def connected(port: int) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    """A customer without our client."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        yield reader, writer
    finally:
        writer.close()
        with suppress(ConnectionError):
            await writer.wait_closed()


@asynccontextmanager
async def speaking(protocol: Callable[[], asyncio.Protocol]) -> AsyncIterator[int]:
    """A carrier without our server; yields its port."""
    server = await asyncio.get_running_loop().create_server(protocol, "127.0.0.1", 0)
    async with server:
        yield server.sockets[0].getsockname()[1]


async def until(true: Callable[[], bool], what: str) -> None:
    """Turn the loop until something is true."""
    try:
        async with asyncio.timeout(10):
            while not true():
                await asyncio.sleep(0.001)
    except TimeoutError:
        raise AssertionError(f"{what} did not happen") from None
