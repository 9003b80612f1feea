"""The fuzz over real sockets: hostile customers at a simulated carrier, hostile carriers at a real client.

Each stream of `streams` goes over a connection of its own, many at the same time; what comes back is compared with what
is owed, PDU by PDU. Meanwhile a customer who behaves sends one message after the other, and must have its answer and
its receipt. Afterwards everything must still work, and no connection, task, exception or memory be left. Run by
itself: `python -m tests.smpp.fuzz --sockets 20000 --seed 7`.
"""

import asyncio
import gc
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from socket import SO_RCVBUF, SOL_SOCKET, create_server, socket
from typing import Any, Final

import uvloop

from smpp.client import Answer, BindRefused, Client, ClientOptions, Delivery
from smpp.codec import HEADER, encode
from smpp.pdu import BindTransceiver, BindTransceiverResp, Command, DeliverSmResp, EnquireLink, SubmitSm
from smpp.server import Peer
from smpp.simulator import Simulator, SimulatorOptions
from tests.smpp import streams
from tests.smpp.streams import MARK, Owed, Stream, Streams, owed

AT_ONCE: Final = 16
BIND_SECONDS: Final = 2.0
CONNECT_SECONDS: Final = 1.0
PATIENCE_SECONDS: Final = 20.0
DEAF_OCTETS: Final = 64 << 20
DEAF_SECONDS: Final = 3.0
DEAF_BUFFER: Final = 1 << 16
UNSENT_MAX: Final = 20 << 20
GROWTH_MAX: Final = 32 << 20
IN_FLIGHT: Final = 3


@dataclass
class Seen:
    """What became of the streams, and of the customer who behaved meanwhile. `errors` are exceptions nobody caught."""

    streams: Counter[str] = field(default_factory=Counter)
    answers: int = 0
    closed: int = 0
    served: int = 0
    slowest: float = 0.0
    unsent: int = 0
    grown: int = 0
    errors: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        return (
            f"{self.streams.total():,} streams, {self.answers:,} answers owed and given, {self.closed:,} connections "
            f"ended by the other side; meanwhile {self.served:,} messages of one who behaves, the slowest in "
            f"{self.slowest * 1000:.0f} ms; {self.grown / 2**20:.1f} MiB more, at most {self.unsent >> 10} KiB "
            f"unsent; {len(self.errors)} exceptions; {dict(self.streams)}"
        )


class Wrong(AssertionError):
    """A stream was not answered as SMPP has it; the message shows which."""


class Hostile:
    """The hostile end of one connection: writes its stream, and notes what comes back."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer
        self.heard: Counter[streams.Answer] = Counter()
        self.over = self._torn = False
        self._delivered: list[int] = []
        self._changed = asyncio.Event()
        self._reading = asyncio.create_task(self._read())

    async def _read(self) -> None:
        """Note every response until the other side ends it, or tears it (which takes answers along)."""
        try:
            while True:
                length, command, status, sequence = HEADER.unpack(await self._reader.readexactly(HEADER.size))
                await self._reader.readexactly(length - HEADER.size)
                if command & streams.RESPONSE:
                    self.heard[command, status, sequence] += 1
                elif command == Command.DELIVER_SM:
                    self._delivered.append(sequence)
                self._changed.set()
        except asyncio.IncompleteReadError:
            pass
        except OSError:
            self._torn = True
        self.over = True
        self._changed.set()

    async def talk(self, stream: Stream, its: Owed, *, shown_out: bool = False) -> None:
        """Send the stream and see that everything it is owed comes back: answers, and the end where there has to be
        one. `shown_out`: the other side ends it also because nothing more comes."""
        try:
            await self._write(stream)
            if stream.after == "asked" and its.whole and not its.ended and not shown_out:
                its.must[int(Command.ENQUIRE_LINK_RESP), 0, MARK] += 1
                self._writer.write(encode(EnquireLink(), MARK))
        except OSError:
            self._torn = True
        if stream.after == "reset":
            return
        ends = its.ended or shown_out
        came = await self._until(lambda: self.over if ends else self.over or self.heard >= its.must)
        missing, strange = its.must - self.heard, self.heard - its.must - its.may
        if not came or self.over != ends or strange or (missing and not self._torn):
            raise Wrong(
                f"{stream.kind}: {'over' if self.over else 'open'}, ends: {ends}, missing {missing}, "
                f"strange {strange}: {stream.octets[:400].hex()}"
            )
        if its.whole and not ends:
            self._writer.write(b"".join(encode(DeliverSmResp(), number) for number in self._delivered))

    async def _write(self, stream: Stream) -> None:
        for start in range(0, len(stream.octets), stream.piece):
            self._writer.write(stream.octets[start : start + stream.piece])
            await self._writer.drain()
            if stream.piece == 1:
                await asyncio.sleep(0)

    async def _until(self, true: Callable[[], bool]) -> bool:
        with suppress(TimeoutError):
            async with asyncio.timeout(PATIENCE_SECONDS):
                while not true():
                    self._changed.clear()
                    await self._changed.wait()
        return true()

    async def close(self, *, at_once: bool = False) -> None:
        """End it from here, or tear it."""
        if at_once:
            self._writer.transport.abort()
        self._writer.close()
        self._reading.cancel()
        with suppress(asyncio.CancelledError):
            await self._reading
        with suppress(OSError):
            await self._writer.wait_closed()


class Owner:
    """Who owns a client: acknowledges what is delivered, and hears of its end."""

    def __init__(self) -> None:
        self.client: Client | None = None
        self.answers: list[Answer] = []
        self.losses: list[str] = []
        self.n_delivered = 0
        self._changed = asyncio.Event()

    def answered(self, answers: list[Answer]) -> None:
        self.answers += answers
        self._changed.set()

    def delivered(self, deliveries: list[Delivery]) -> None:
        assert self.client
        self.n_delivered += len(deliveries)
        self.client.acknowledge([delivery.sequence for delivery in deliveries])
        self._changed.set()

    def lost(self, unanswered: list[object], reason: str) -> None:
        self.losses.append(reason)
        self._changed.set()

    async def until(self, true: Callable[[], bool]) -> None:
        """Wait until it is."""
        async with asyncio.timeout(PATIENCE_SECONDS):
            while not true():
                self._changed.clear()
                await self._changed.wait()

    async def served(self, text: str) -> float:
        """Send one message; its answer and its receipt must come. Returns the seconds that took."""
        assert self.client
        started, n = time.monotonic(), self.n_delivered
        self.answers.clear()
        self.client.submit(message(text), text)
        await self.until(lambda: bool(self.answers) and self.n_delivered > n)
        assert [(answer.token, answer.status) for answer in self.answers] == [(text, 0)]
        return time.monotonic() - started


def message(text: str) -> SubmitSm:
    """One that asks for a receipt."""
    return SubmitSm(destination_addr="905551112233", registered_delivery=1, short_message=text.encode())


def where(port: int, name: str) -> ClientOptions:
    """Options of a client of this machine, in this name."""
    return ClientOptions("127.0.0.1", port, name, "secret", connect_seconds=CONNECT_SECONDS)


def resident() -> int:
    """Octets of memory of this process."""
    gc.collect()
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096


class Run:
    """`run(n)` sends n streams each way; `seen` tells what became of them."""

    def __init__(self, seed: int) -> None:
        self._streams = Streams(seed)
        self._simulator = Simulator(SimulatorOptions(delay_ms=1))
        self.seen = Seen()

    async def run(self, n: int) -> Seen:
        """`n` streams of hostile customers, `n` of hostile carriers, and some of such as never read."""
        asyncio.get_running_loop().set_exception_handler(
            lambda _, told: self.seen.errors.append(f"{told['message']}: {told.get('exception')!r}")
        )
        server = self._simulator._server
        server.options = replace(server.options, bind_seconds=BIND_SECONDS)
        port = await self._simulator.start()
        owner = Owner()
        owner.client = await Client.bind(where(port, "behaves"), owner)
        try:
            async with self._behaving(owner):
                await self._all(port, n // 5)
                before = resident()
                await self._all(port, n - n // 5)
                self.seen.grown = resident() - before
                await self._deaf_customer(port)
                await self._deaf_carrier()
            await owner.served("after all of it")
            await owner.client.unbind(1)
            async with asyncio.timeout(PATIENCE_SECONDS):
                while server.peers:
                    await asyncio.sleep(0.01)
        finally:
            owner.client.close()
            await self._simulator.stop()
        assert len(owner.losses) == 1
        assert asyncio.all_tasks() == {asyncio.current_task()}
        return self.seen

    @asynccontextmanager
    async def _behaving(self, owner: Owner) -> AsyncIterator[None]:
        """Somebody sends and is served for as long as the block lasts."""
        behaving = asyncio.create_task(self._behave(owner))
        try:
            yield
        finally:
            behaving.cancel()
            with suppress(asyncio.CancelledError):
                await behaving

    async def _behave(self, owner: Owner) -> None:
        while True:
            self.seen.slowest = max(self.seen.slowest, await owner.served(f"no. {self.seen.served}"))
            self.seen.served += 1
            await asyncio.sleep(0.002)

    async def _all(self, port: int, n: int) -> None:
        await _in_parallel(self._customer(port, self._streams.customer()) for _ in range(n))
        await _in_parallel(self._carrier(self._streams.carrier()) for _ in range(n))

    # hostile customers

    async def _customer(self, port: int, stream: Stream) -> None:
        its = owed(stream.octets, "customer")
        more_could_come = stream.after == "asked" and its.whole and bool(stream.octets)
        hostile = Hostile(*await asyncio.open_connection("127.0.0.1", port))
        try:
            stays = its.bound or more_could_come or stream.after == "closed"
            await hostile.talk(stream, its, shown_out=not its.ended and not stays)
        finally:
            await hostile.close(at_once=stream.after == "reset")
        self._note(stream, its, hostile)

    def _note(self, stream: Stream, its: Owed, hostile: Hostile) -> None:
        self.seen.streams[stream.kind] += 1
        self.seen.answers += hostile.heard.total()
        self.seen.closed += hostile.over

    async def _deaf_customer(self, port: int) -> None:
        """It never reads: the simulator must stop listening to it, not pile up what it would answer."""
        connecting = socket()
        connecting.setblocking(False)
        connecting.setsockopt(SOL_SOCKET, SO_RCVBUF, DEAF_BUFFER)
        await asyncio.get_running_loop().sock_connect(connecting, ("127.0.0.1", port))
        _, writer = await asyncio.open_connection(sock=connecting, limit=1024)
        writer.write(encode(BindTransceiver("deaf", "secret"), 1))
        peers = self._simulator._server.peers
        await self._flood(writer, lambda: max((_unsent(peer) for peer in peers), default=0), DEAF_SECONDS)

    async def _flood(self, writer: asyncio.StreamWriter, unsent: Callable[[], int], seconds: float) -> None:
        """Ask until the connection is ended, or nothing is taken for so long."""
        octets = self._streams.deaf(DEAF_OCTETS).octets
        for start in range(0, len(octets), 65536):
            writer.write(octets[start : start + 65536])
            try:
                async with asyncio.timeout(seconds):
                    await writer.drain()
            except (OSError, TimeoutError):
                break
            finally:
                self.seen.unsent = max(self.seen.unsent, unsent())
        self.seen.streams["deaf"] += 1
        writer.transport.abort()
        with suppress(OSError):
            await writer.wait_closed()

    # hostile carriers

    async def _carrier(self, stream: Stream) -> None:
        """Somebody who takes a bind and then sends this; or sends it instead of an answer to the bind."""
        owner, told = Owner(), asyncio.get_running_loop().create_future()

        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            try:
                told.set_result(await self._play_carrier(stream, owner, reader, writer))
            except Exception as error:  # noqa: BLE001 - whoever waits for it hears it
                told.set_exception(error)

        async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
            try:
                owner.client = await Client.bind(where(server.sockets[0].getsockname()[1], "ulak"), owner)
            except (BindRefused, OSError, TimeoutError):
                await told
                assert owner.losses == [], "nobody was bound"
                return
            for n in range(min(IN_FLIGHT, owner.client.free)):
                owner.client.submit(message(f"in flight {n}"), n)
            await told
            await owner.until(lambda: bool(owner.losses))
            assert len(owner.losses) == 1

    async def _play_carrier(
        self, stream: Stream, owner: Owner, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        (length,) = HEADER.unpack(await reader.readexactly(HEADER.size))[:1]
        await reader.readexactly(length - HEADER.size)
        lets_in = stream.kind != "unbound"
        if lets_in:
            writer.write(encode(BindTransceiverResp("hostile"), 1))
        hostile, its = Hostile(reader, writer), owed(stream.octets, "carrier")
        try:
            if lets_in:
                await hostile.talk(stream, its)
            else:
                writer.write(stream.octets)
                await asyncio.sleep(0.05)
        finally:
            await hostile.close(at_once=stream.after == "reset")
        self._note(stream, its, hostile)

    async def _deaf_carrier(self) -> None:
        """It never reads: a client must give up on it, not pile up what it would answer."""
        owner, told = Owner(), asyncio.get_running_loop().create_future()

        async def serve(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            writer.write(encode(BindTransceiverResp("deaf"), 1))
            await self._flood(writer, lambda: _unsent(owner.client), PATIENCE_SECONDS)
            told.set_result(None)

        listening = create_server(("127.0.0.1", 0))
        listening.setsockopt(SOL_SOCKET, SO_RCVBUF, DEAF_BUFFER)  # what is accepted has it too
        async with await asyncio.start_server(serve, sock=listening, limit=1024) as server:
            owner.client = await Client.bind(where(server.sockets[0].getsockname()[1], "ulak"), owner)
            await told
            await owner.until(lambda: bool(owner.losses))
            assert owner.losses == ["the other side does not read"], (owner.losses, self.seen.unsent)


def _unsent(end: Peer | Client | None) -> int:
    transport = end._transport if end else None
    return transport.get_write_buffer_size() if transport else 0


async def _in_parallel(all_: "Any") -> None:
    """Await them all, some at the same time; the first that fails ends it."""
    room = asyncio.Semaphore(AT_ONCE)

    async def one(it: Coroutine[Any, Any, None]) -> None:
        async with room:
            await it

    async with asyncio.TaskGroup() as group:
        for it in all_:
            group.create_task(one(it))


def fuzz_sockets(seed: int, n: int) -> Seen:
    """The long run, on the loop that `ulak` runs on; fails like the test does."""
    return uvloop.run(fuzzed(seed, n))


async def fuzzed(seed: int, n: int) -> Seen:
    """So many streams each way from this seed, and nothing left behind that should not be."""
    seen = await Run(seed).run(n)
    assert not seen.errors, seen.errors[:20]
    assert seen.unsent < UNSENT_MAX, seen
    assert seen.grown < GROWTH_MAX, seen
    return seen
