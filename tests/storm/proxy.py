"""A proxy: a place in between two ends where connections can be cut, held up, slowed down and refused.

In: where to listen (a port of this machine, or a socket's path) and where the other end is. Out: bytes, as they came,
when they are let through. It knows nothing of what they mean.
"""

import asyncio
import socket
import struct
from collections.abc import Callable, Coroutine
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

PIECE_BYTES: Final = 64 * 1024
#: Close with a reset, as a machine does that knows nothing of the connection.
RESET: Final = struct.pack("ii", 1, 0)

Ends = tuple[asyncio.StreamReader, asyncio.StreamWriter]


class Proxy:
    """`await start()`; `target` says, for each new connection, where it leads: a port or a path."""

    def __init__(self, target: Callable[[], int | Path]) -> None:
        self._target = target
        self._open: set[asyncio.StreamWriter] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._through = asyncio.Event()
        self._through.set()
        self._server: asyncio.Server | None = None
        self.away = False
        self.delay_seconds = 0.0
        self.fuse = 0
        """After so many more pieces everything is cut, once; 0 for never."""
        self.port = 0

    async def start(self, path: Path | None = None) -> int:
        """Listen on a free port, or at a path; returns the port."""
        if path:
            self._server = await asyncio.start_unix_server(self._accept, path)
            return 0
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0, backlog=512)
        self.port = self._server.sockets[0].getsockname()[1]
        return self.port

    async def stop(self) -> None:
        """Listen no more, and end everything."""
        if self._server:
            self._server.close()
        self._through.set()
        self.cut()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    # faults

    @property
    def connections(self) -> int:
        """How many go through here now."""
        return len(self._open) // 2

    def cut(self) -> int:
        """Reset every connection; returns how many there were."""
        n = self.connections
        for writer in list(self._open):
            _reset(writer)
        return n

    def _burns_down(self) -> bool:
        """Whether this is the piece that the fuse was for."""
        before, self.fuse = self.fuse, max(0, self.fuse - 1)
        return before == 1

    def hold(self) -> None:
        """Let nothing through, and tell nobody."""
        self._through.clear()

    def release(self) -> None:
        """Let through what was held, and what comes."""
        self._through.set()

    # what goes through

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self.away:
            _reset(writer)
            return
        try:
            there = await _connect(self._target())
        except OSError:
            _reset(writer)
            return
        self._open |= {writer, there[1]}
        self._begin(self._carry(reader, there[1]))
        self._begin(self._carry(there[0], writer))

    def _begin(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One direction, to its end; then the other has none left either."""
        try:
            while piece := await reader.read(PIECE_BYTES):
                await self._through.wait()
                if self.delay_seconds:
                    await asyncio.sleep(self.delay_seconds)
                if self._burns_down():
                    self.cut()
                writer.write(piece)
                await writer.drain()
        except (OSError, asyncio.CancelledError):
            _reset(writer)
        finally:
            self._open.discard(writer)
            with suppress(OSError, RuntimeError):
                writer.close()


async def _connect(target: int | Path) -> Ends:
    if isinstance(target, int):
        return await asyncio.open_connection("127.0.0.1", target)
    return await asyncio.open_unix_connection(target)


def _reset(writer: asyncio.StreamWriter) -> None:
    its = writer.get_extra_info("socket")
    if its is not None and its.family != socket.AF_UNIX:
        with suppress(OSError):
            its.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
    with suppress(OSError, RuntimeError):
        writer.transport.abort()
