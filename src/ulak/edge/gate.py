"""How much one process takes in at once: requests, and the bytes of their bodies.

The API and the panel go through the same gate, each around what it does until it has an answer: a stream that is being
sent stands in nobody's way. Who finds no place waits outside for a moment, in the order of coming. What finds none in
that time, or comes when too many wait, is refused with a second to wait, before anything of it is read: under far more
load than can be borne memory stays as it is, whoever got in is answered as quickly as ever, and refusing, which costs
as much as taking in, does not become all there is to do (docs/decisions/0021). One body always fits, however large the
largest may be.

One customer has a share of the room for bodies, and of the bodies that are on their way, so that who sends slowly keeps
nobody else out. Requests by themselves have no shares: where there is but one customer, everything is theirs.
"""

import asyncio
from collections import Counter, deque
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final
from uuid import UUID

from starlette.requests import ClientDisconnect, Request
from starlette.types import Message

from ulak.rules.refusal import Code, Refused, said

RETRY_SECONDS: Final = 1
WAIT_SECONDS: Final = 1.0
"""Who has no place waits outside for at most so long."""
WAITING: Final = 2
"""For each place inside there are so many outside."""
SHARE: Final = 4
"""One customer may hold a quarter."""
UNDECLARED_BYTES: Final = 64 * 1024
"""What is held for a body that does not say how long it is, until it is longer."""
LIVE_OF_SESSION: Final = 10
FILES_MAX: Final = 8
STREAM_RETRY_SECONDS: Final = 30


class _Share:
    """What one customer holds: the bytes of their bodies, and how many of those are on their way."""

    __slots__ = ("arriving", "bytes")

    def __init__(self) -> None:
        self.bytes = self.arriving = 0


class Gate:
    """Counts what is inside. Every `enter` has its `leave`, every `Body` its `release`."""

    def __init__(self, *, requests_max: int, bytes_max: int) -> None:
        self._requests_max = requests_max
        self._arriving_max = max(1, requests_max // SHARE)
        self._bytes_max = bytes_max
        self._share_bytes_max = bytes_max // SHARE
        self.requests = 0
        self.bytes = 0
        self._outside: deque[asyncio.Future[bool]] = deque()
        self._shares: dict[int | str, _Share] = {}

    async def enter(self) -> None:
        """Begin a request; refused when there is no place, and none comes in a moment."""
        if self.requests < self._requests_max:
            self.requests += 1
        elif len(self._outside) >= self._requests_max * WAITING or not await self._turn():
            raise full()

    def leave(self) -> None:
        """End a request that has entered: its place is the next one's."""
        while self._outside:
            turn = self._outside.popleft()
            if not turn.done():
                turn.set_result(True)
                return
        self.requests -= 1

    async def _turn(self) -> bool:
        """Wait outside; whether there was a place in time."""
        loop = asyncio.get_running_loop()
        turn: asyncio.Future[bool] = loop.create_future()
        self._outside.append(turn)
        timer = loop.call_later(WAIT_SECONDS, self._give_up, turn)
        try:
            return await turn
        except asyncio.CancelledError:
            if not turn.cancelled() and turn.result():  # the place had been given already
                self.leave()
            raise
        finally:
            timer.cancel()

    def _give_up(self, turn: "asyncio.Future[bool]") -> None:
        if not turn.done():
            turn.set_result(False)
        while self._outside and self._outside[0].done():  # who came first gives up first
            self._outside.popleft()

    def body(self, request: Request, bytes_max: int, whose: int | str) -> "Body":
        """Room for the body of a request; refused when it says that it is too long, or when others have the room."""
        declared = request.headers.get("content-length", "")
        size = int(declared) if declared.isascii() and declared.isdigit() else 0
        if size > bytes_max:
            raise _too_large(bytes_max)
        return Body(self, request, bytes_max, whose, size or min(UNDECLARED_BYTES, bytes_max))

    def hold(self, n_bytes: int, whose: int | str) -> None:
        """Take room for a body that comes; refused when others have it, or this customer enough already."""
        if self.bytes and self.bytes + n_bytes > self._bytes_max:
            raise full()
        share = self._shares.get(whose)
        if share is None:
            share = self._shares[whose] = _Share()
        elif share.arriving >= self._arriving_max or share.bytes + n_bytes > self._share_bytes_max:
            raise _share_full()
        share.bytes += n_bytes
        share.arriving += 1
        self.bytes += n_bytes

    def arrived(self, whose: int | str) -> None:
        """All of a body has come; its room is still held."""
        self._shares[whose].arriving -= 1

    def release(self, n_bytes: int, whose: int | str) -> None:
        """Give the room of a body that has arrived back."""
        self.bytes -= n_bytes
        share = self._shares[whose]
        share.bytes -= n_bytes
        if not share.bytes and not share.arriving:
            del self._shares[whose]


class Body:
    """The body of one request as it comes in, and the room it has until `release`."""

    __slots__ = ("_arrived", "_bytes_max", "_gate", "_receive", "_room", "_seen", "_whose")

    def __init__(self, gate: Gate, request: Request, bytes_max: int, whose: int | str, room: int) -> None:
        gate.hold(room, whose)
        self._gate = gate
        self._receive = request.receive
        self._bytes_max = bytes_max
        self._whose = whose
        self._room = room
        self._seen = 0
        self._arrived = False

    async def read(self) -> bytes:
        """All of it; refused when it is too long."""
        chunks = []
        while not self._arrived:
            message = await self.receive()
            if message["type"] == "http.disconnect":
                raise ClientDisconnect
            chunks.append(message.get("body", b""))
        return b"".join(chunks)

    async def receive(self) -> Message:
        """The next piece, for whoever reads by themselves."""
        message = await self._receive()
        self._seen += len(message.get("body", b""))
        if self._seen > self._room:
            self._grow()
        if not self._arrived and message["type"] == "http.request" and not message.get("more_body"):
            self._arrived = True
            self._gate.arrived(self._whose)
        return message

    def _grow(self) -> None:
        """It had not said how long it would be, and is longer than most: from here on it may be as long as any."""
        if self._seen > self._bytes_max:
            raise _too_large(self._bytes_max)
        self.release()
        self._room, self._arrived = 0, True  # as long as it holds nothing
        self._gate.hold(self._bytes_max, self._whose)
        self._room, self._arrived = self._bytes_max, False

    def release(self) -> None:
        """Give its room back."""
        if not self._arrived:
            self._arrived = True
            self._gate.arrived(self._whose)
        if self._room:
            self._gate.release(self._room, self._whose)
            self._room = 0


class Streams:
    """Answers that go on for minutes, live pages' and files': how many there are in all, of a session, of one person.
    They hold no request's place in the gate."""

    def __init__(self, most: int, *, of_session: int, of_one: int) -> None:
        self._most, self._of_session, self._of_one = most, of_session, of_one
        self._open: Counter[UUID] = Counter()

    @property
    def open(self) -> int:
        """How many there are."""
        return self._open.total() // 2  # each counts for its session and for its owner

    @contextmanager
    def place(self, session_id: UUID, whose: UUID) -> Iterator[None]:
        """One more, for as long as the block lasts; refused when there are too many of theirs, or of everybody's."""
        its = self._open
        if its[session_id] >= self._of_session or its[whose] >= self._of_one:
            raise _own_streams()
        if self.open >= self._most:
            raise _streams()
        its.update((session_id, whose))
        try:
            yield
        finally:
            for name in (session_id, whose):
                its[name] -= 1
                if not its[name]:
                    del its[name]


def live_pages() -> Streams:
    """Places for pages that move: each costs a look a second."""
    return Streams(500, of_session=LIVE_OF_SESSION, of_one=50)


def files() -> Streams:
    """Places for files that are being made: each is as much work as it can get."""
    return Streams(FILES_MAX, of_session=2, of_one=3)


def full() -> Refused:
    """There is more to do than can be done."""
    return Refused(
        Code.UNAVAILABLE,
        said("The service has more requests than it can answer; try again."),
        retry_after=RETRY_SECONDS,
    )


def _share_full() -> Refused:
    return Refused(
        Code.RATE_LIMITED,
        said("You are sending more at once than one customer may; wait until some of it is answered."),
        retry_after=RETRY_SECONDS,
    )


def _streams() -> Refused:
    return Refused(
        Code.UNAVAILABLE,
        said(
            "There are as many files and live pages on their way as can be served at once; try again in a minute."
        ),
        retry_after=STREAM_RETRY_SECONDS,
    )


def _own_streams() -> Refused:
    return Refused(
        Code.RATE_LIMITED,
        said("You have as many files or live pages open as one may; try again when one of them is done."),
        retry_after=STREAM_RETRY_SECONDS,
    )


def _too_large(bytes_max: int) -> Refused:
    return Refused(
        Code.PAYLOAD_TOO_LARGE, said("What you sent is above the limit of {most}.", most=_size(bytes_max))
    )


def _size(n_bytes: int) -> str:
    for unit, size in (("MiB", 2**20), ("KiB", 2**10)):
        if n_bytes % size == 0:
            return f"{n_bytes // size:,} {unit}"
    return f"{n_bytes:,} B"
