"""The HTTP server around the application: uvicorn on a socket that is already listening.

A stop has three steps. From the first moment `/readyz` says 503, so that load balancers send nobody else; for
`ULAK_NOTICE_SECONDS` everything is answered as before, new connections included. Then it listens no more, and kept
connections are answered once more (`ULAK_DRAIN_SECONDS`). What it has begun it ends, and is gone. Connections that
bring their requests too slowly are ended all the while (`arrival`).
"""

import asyncio
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext

import uvicorn

from ulak.base.config import Config
from ulak.base.db import Database
from ulak.edge.accepting import Acceptor
from ulak.edge.arrival import Arrival
from ulak.edge.rooms import Rooms
from ulak.edge.siblings import Siblings
from ulak.edge.site import Site

KEEP_SECONDS = 5
"""An idle connection is kept for so long."""
LOOK_SECONDS = 0.02


class _Server(uvicorn.Server):
    """uvicorn without its own signal handling: signals are the process's.

    And with patience at the end. A connection that is kept open may have its next request on the way; closed now, that
    one would fail. So each is answered once more, with the word that it is the last time (`Site`), and only what
    brings nothing for `drain_seconds` is closed.
    """

    drain_seconds = 0.0
    header_seconds = body_seconds = float("inf")

    async def on_tick(self, counter: int) -> bool:
        """Ten times a second, from uvicorn: once a second end the connections whose callers are too slow."""
        if counter % 10 == 0:
            now = asyncio.get_running_loop().time()
            for connection in list(self.server_state.connections):
                if isinstance(connection, Arrival) and connection.overdue(
                    now, header_seconds=self.header_seconds, body_seconds=self.body_seconds
                ):
                    connection.transport.abort()
        return await super().on_tick(counter)

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave the signals alone."""
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """As uvicorn's, but whoever comes is taken soon, however many are busy (`accepting`)."""
        await super().startup(sockets=[])
        self._acceptors = [Acceptor(listener, self._connection) for listener in sockets or []]

    def _connection(self) -> asyncio.Protocol:
        return Arrival(self.config, self.server_state, self.lifespan.state)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Accept nobody new, answer those who are there, and go."""
        for acceptor in self._acceptors:
            acceptor.close()
        until = time.monotonic() + self.drain_seconds
        while self.server_state.connections and time.monotonic() < until:
            await asyncio.sleep(LOOK_SECONDS)
        await super().shutdown(sockets)


async def serve_http(
    config: Config,
    db: Database,
    listener: socket.socket,
    stop: asyncio.Event,
    siblings: Siblings,
    *,
    limits_fd: int = -1,
    api: bool = True,
) -> None:
    """Answer requests until `stop` and for as long as others may not have noticed, then those that have begun.

    Without `api` only those of machines that watch this one.
    """
    rooms = Rooms(config, db, limits_fd)
    server = _Server(
        uvicorn.Config(
            Site(rooms, siblings, api=api),
            ws="none",
            lifespan="off",
            access_log=False,
            log_config=None,
            server_header=False,
            proxy_headers=False,
            timeout_keep_alive=KEEP_SECONDS,
            timeout_graceful_shutdown=int(config.stop_seconds),
        )
    )

    server.drain_seconds = config.drain_seconds
    server.header_seconds, server.body_seconds = config.header_seconds_max, config.body_seconds_max

    async def leave() -> None:
        await stop.wait()
        rooms.leaving = True
        await asyncio.sleep(config.notice_seconds)
        rooms.stopping.set()
        server.should_exit = True

    leaving = asyncio.create_task(leave(), name="leave")
    try:
        async with rooms.running() if api else nullcontext():
            await server.serve(sockets=[listener])
    finally:
        leaving.cancel()
