"""The floor: what the machine does with nothing of Ulak's in between, and what the generators do alone.

A load generator against a socket that answers the same bytes to everything, a socket that submits the same bytes to
the carrier for ever, one commit after the other, and COPY of message rows into the database of the rig. What is
measured elsewhere in the same run is to be read against these; a generator has to do at least three times a mark by
itself, or it is the generator that is measured.
"""

import asyncio
import json
import subprocess
import sys
import time
import uuid
from struct import Struct
from typing import Final, cast

import asyncpg
import uvloop

from bench.figures import Figures, Goal
from bench.rig import Rig
from ulak.base.embedded.place import Place
from ulak.base.embedded.settings import ROLE
from ulak.store.messages import COPIED, NewMessage

HEADER: Final = Struct(">IIII")
WINDOW: Final = 500
ROWS: Final = 200_000
COMMIT_SECONDS: Final = 3.0
ANSWER: Final = (
    b"HTTP/1.1 201 Created\r\ncontent-type: application/json\r\ncontent-length: 62\r\n\r\n"
    b'{"success":true,"data":"f688348d-2d9b-4568-a17e-b96e6b5c1475"}\r\n\r'
)


def measure(rig: Rig, seconds: float, figures: Figures) -> None:
    """All of it, once."""
    figures.note(
        "alone: load generator, a bare socket answering",
        "/s",
        _generator_alone(rig, seconds),
        0,
        Goal(15_000, 24_000),
    )
    figures.note(
        "alone: carrier, submits with their receipts",
        "/s",
        _carrier_alone(rig, seconds),
        0,
        Goal(18_000, 36_000),
    )
    commits, rows, wal = asyncio.run(_database(rig))
    figures.note("floor: commits one after the other", "/s", commits)
    figures.note("floor: COPY of message rows", "/s", rows)
    figures.note("floor: COPY of message rows, WAL", "MiB/s", wal, 1)


def _generator_alone(rig: Rig, seconds: float) -> float:
    with subprocess.Popen(
        [sys.executable, "-m", "bench.floor"], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as bare:
        assert bare.stdout
        port = json.loads(bare.stdout.readline())["port"]
        try:
            done = rig.singles_at(f"http://127.0.0.1:{port}", "none", "none", seconds)
        finally:
            bare.terminate()
    return float(done["perSecond"])


class _Answering(asyncio.Protocol):
    """The same answer to everything that holds a whole request."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        self._transport.write(ANSWER)


async def _answer() -> None:
    loop = asyncio.get_running_loop()
    server = await loop.create_server(_Answering, "127.0.0.1", 0)
    print(json.dumps({"port": server.sockets[0].getsockname()[1]}), flush=True)
    await server.serve_forever()


def _carrier_alone(rig: Rig, seconds: float) -> float:
    rig.carrier.set(receipt_ms=0.0)
    uvloop.run(_submit(rig.carrier.port, seconds))
    seen = rig.carrier.report()
    return float(min(seen["taken"], seen["acknowledged"]) / (seen["last"] - seen["first"]))


class _Submitting(asyncio.Protocol):
    """A window of submits, each answer another one, and every receipt acknowledged."""

    def __init__(self) -> None:
        self._buffer = b""
        body = b"\0\0\0\0\x01\x01905550000000\0\0\0\0\0\0\x01\0\0\0" + bytes((len(b"A text"),)) + b"A text"
        self._submit = HEADER.pack(16 + len(body), 4, 0, 1) + body

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._transport.write(HEADER.pack(23, 9, 0, 1) + b"\0\0\0\x34\0\0\0" + self._submit * WINDOW)

    def data_received(self, data: bytes) -> None:
        buffer = self._buffer + data
        at, answers, pieces = 0, 0, []
        while len(buffer) - at >= 16:
            length, command, _, sequence = HEADER.unpack_from(buffer, at)
            if len(buffer) - at < length:
                break
            answers += command == 0x80000004
            if command == 5:
                pieces.append(HEADER.pack(17, 0x80000005, 0, sequence) + b"\0")
            at += length
        self._buffer = buffer[at:]
        self._transport.write(self._submit * answers + b"".join(pieces))


async def _submit(port: int, seconds: float) -> None:
    transport, _ = await asyncio.get_running_loop().create_connection(_Submitting, "127.0.0.1", port)
    await asyncio.sleep(seconds)
    transport.abort()


async def _database(rig: Rig) -> tuple[float, float, float]:
    """Commits a second, rows a second, MiB of WAL a second; in a table of its own beside the others."""
    place = Place.of(rig.ulak.home / "data")
    connection = await asyncpg.connect(host=str(place.sockets), user=ROLE, database=ROLE)
    try:
        await connection.execute("CREATE TABLE floor_commits (n bigint)")
        commits, until = 0, time.monotonic() + COMMIT_SECONDS
        while time.monotonic() < until:
            await connection.execute("INSERT INTO floor_commits VALUES ($1)", commits)
            commits += 1
        await connection.execute("CREATE TABLE floor_messages (LIKE messages INCLUDING ALL)")
        tenant, sending = uuid.uuid4(), uuid.uuid4()
        rows = (NewMessage(tenant, sending, n, 905550000000 + n, 1_000_000, None, None) for n in range(ROWS))
        before, started = await connection.fetchval("SELECT pg_current_wal_lsn()::text"), time.monotonic()
        await connection.copy_records_to_table("floor_messages", columns=COPIED, records=rows)
        seconds = time.monotonic() - started
        wal = await connection.fetchval(
            "SELECT pg_wal_lsn_diff(pg_current_wal_lsn(), $1::text::pg_lsn)::float", before
        )
        await connection.execute("DROP TABLE floor_commits, floor_messages")
        return commits / COMMIT_SECONDS, ROWS / seconds, wal / seconds / 2**20
    finally:
        await connection.close()


if __name__ == "__main__":
    uvloop.run(_answer())
