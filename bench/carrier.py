"""A carrier for measuring: takes submits as fast as a Python process can read them, and sends a receipt for each.

It knows no more SMPP than it needs for that: it reads frames, answers them from templates, and never decodes a PDU;
`ulak simulate-carrier` is the carrier for everything but speed. It listens on a free port of this machine, says so in
one JSON line, and then takes commands on stdin, one JSON object a line: `{"set": {...}}` changes how it behaves
(`Behaviour`), `{"forget": true}` begins to count anew, `{"report": true}` asks for what it has counted; each is
answered by a line. It ends with its stdin.
"""

import asyncio
import json
import sys
import time
from collections import deque
from dataclasses import asdict, dataclass, fields
from struct import Struct
from typing import Any, Final, cast

import uvloop

HEADER: Final = Struct(">IIII")
RESPONSE: Final = 0x80000000
BIND_RECEIVER, BIND_TRANSMITTER, SUBMIT, DELIVER, UNBIND, BIND_TRANSCEIVER, ENQUIRE = 1, 2, 4, 5, 6, 9, 0x15
THROTTLED: Final = 0x58
RECEIPTS_UNANSWERED_MAX: Final = 1000
BURST_SECONDS: Final = 0.1
NUMBER_LENGTH: Final = 12
_BEFORE_DESTINATION: Final = b"\0\x01\x01"
_AFTER_SOURCE: Final = b"\0\0\0\0\x04" + bytes(8)


@dataclass(slots=True)
class Behaviour:
    """Times in milliseconds; `limit` in submits a second, above which it throttles, 0 for none.

    `watched`: the submits to numbers that begin with this have their time kept.
    """

    answer_ms: float = 0.0
    receipt_ms: float = 100.0
    limit: float = 0.0
    watched: str = ""


@dataclass(slots=True)
class Counts:
    """What happened; times are of the monotonic clock, in seconds."""

    submits: int = 0
    taken: int = 0
    throttled: int = 0
    receipts: int = 0
    acknowledged: int = 0
    first: float = 0.0
    last: float = 0.0


class Carrier:
    """What all connections share."""

    def __init__(self) -> None:
        self.behaviour = Behaviour()
        self.counts = Counts()
        self.seen: dict[str, float] = {}
        self.next_id = 1_000_000_000
        self._tokens = 0.0
        self._since = time.monotonic()

    def command(self, line: bytes) -> dict[str, Any]:
        """Do what a line says; the answer."""
        order = json.loads(line)
        if "set" in order:
            known = {field.name for field in fields(Behaviour)}
            for name in order["set"].keys() & known:
                setattr(self.behaviour, name, order["set"][name])
        if "forget" in order:
            self.counts, self.seen = Counts(), {}
        return asdict(self.counts) | {"seen": self.seen} if "report" in order else {}

    def may_take(self, now: float) -> bool:
        """Whether one more submit is below the limit."""
        limit = self.behaviour.limit
        if not limit:
            return True
        self._tokens = min(limit * BURST_SECONDS, self._tokens + (now - self._since) * limit)
        self._since = now
        if self._tokens < 1:
            return False
        self._tokens -= 1
        return True


class Connection(asyncio.Protocol):
    """One bind."""

    def __init__(self, carrier: Carrier) -> None:
        self._carrier = carrier
        self._buffer = b""
        self._waiting: deque[bytes] = deque()
        self._unanswered = 0
        self._sequence = 0
        self._open = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop's is one by its methods only
        self._open = True

    def connection_lost(self, error: Exception | None) -> None:
        self._open = False

    def data_received(self, data: bytes) -> None:
        buffer = self._buffer + data if self._buffer else data
        at, end, now = 0, len(buffer), time.monotonic()
        answers: list[bytes] = []
        receipts: list[bytes] = []
        acknowledged = 0
        while end - at >= 16:
            length, command, _, sequence = HEADER.unpack_from(buffer, at)
            if end - at < length:
                break
            if command == SUBMIT:
                answers.append(self._submitted(buffer, at, sequence, now, receipts))
            elif command == DELIVER | RESPONSE:
                acknowledged += 1
            elif not command & RESPONSE:
                answers.append(self._other(command, sequence))
            at += length
        self._buffer = buffer[at:]
        if answers:
            self._later(self._carrier.behaviour.answer_ms, self._write, b"".join(answers))
        if receipts:
            delay = self._carrier.behaviour
            self._later(delay.answer_ms + delay.receipt_ms, self._deliver, receipts)
        if acknowledged:
            self._carrier.counts.acknowledged += acknowledged
            self._unanswered -= acknowledged
            self._deliver([])

    def _submitted(self, buffer: bytes, at: int, sequence: int, now: float, receipts: list[bytes]) -> bytes:
        carrier, counts = self._carrier, self._carrier.counts
        counts.submits += 1
        counts.first = counts.first or now
        counts.last = now
        if not carrier.may_take(now):
            counts.throttled += 1
            return HEADER.pack(16, SUBMIT | RESPONSE, THROTTLED, sequence)
        counts.taken += 1
        start = buffer.index(0, buffer.index(0, at + 16) + 3) + 3
        number = buffer[start : buffer.index(0, start)]
        if carrier.behaviour.watched and number.startswith(carrier.behaviour.watched.encode()):
            carrier.seen.setdefault(number.decode(), now)
        carrier.next_id += 1
        id_ = b"%d" % carrier.next_id
        text = (
            b"id:%b sub:001 dlvrd:001 submit date:2601010000 done date:2601010000 stat:DELIVRD err:000 text:"
            % id_
        )
        source = _BEFORE_DESTINATION + number + _AFTER_SOURCE
        receipts.append(source + bytes((len(text),)) + text)
        return HEADER.pack(17 + len(id_), SUBMIT | RESPONSE, 0, sequence) + id_ + b"\0"

    def _other(self, command: int, sequence: int) -> bytes:
        if command in (BIND_RECEIVER, BIND_TRANSMITTER, BIND_TRANSCEIVER):
            return HEADER.pack(22, command | RESPONSE, 0, sequence) + b"bench\0"
        return HEADER.pack(16, command | RESPONSE, 0, sequence)

    def _later(self, milliseconds: float, do: Any, what: Any) -> None:
        if milliseconds:
            asyncio.get_running_loop().call_later(milliseconds / 1000, do, what)
        else:
            do(what)

    def _write(self, octets: bytes) -> None:
        if self._open:
            self._transport.write(octets)

    def _deliver(self, receipts: list[bytes]) -> None:
        """Send receipts, as many as may be without an answer."""
        self._waiting.extend(receipts)
        n = min(len(self._waiting), RECEIPTS_UNANSWERED_MAX - self._unanswered)
        if n <= 0 or not self._open:
            return
        pieces = []
        for _ in range(n):
            body = self._waiting.popleft()
            self._sequence += 1
            pieces += HEADER.pack(16 + len(body), DELIVER, 0, self._sequence), body
        self._unanswered += n
        self._carrier.counts.receipts += n
        self._write(b"".join(pieces))


async def run() -> None:
    """Listen, obey, until stdin ends."""
    loop = asyncio.get_running_loop()
    carrier = Carrier()
    server = await loop.create_server(lambda: Connection(carrier), "127.0.0.1", 0)
    print(json.dumps({"port": server.sockets[0].getsockname()[1]}), flush=True)
    reader = asyncio.StreamReader()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    while line := await reader.readline():
        print(json.dumps(carrier.command(line)), flush=True)
    server.close()


if __name__ == "__main__":
    uvloop.run(run())
