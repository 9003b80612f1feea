"""The HTTP server around the application: uvicorn on a socket that is already listening.

A stop has two steps. From the first moment `/readyz` says 503, so that load balancers send nobody else; for
`ULAK_DRAIN_SECONDS` everything is answered as before, new connections included. Then it listens no more, answers what
it has begun, and is gone.
"""

import asyncio
import socket
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext

import uvicorn

from ulak.base.config import Config
from ulak.base.db import Database
from ulak.edge.rooms import Rooms
from ulak.edge.siblings import Siblings
from ulak.edge.site import Site

BACKLOG = 2048


class _Server(uvicorn.Server):
    """uvicorn without its own signal handling: signals are the process's."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave the signals alone."""
        yield


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
            http="httptools",
            ws="none",
            lifespan="off",
            access_log=False,
            log_config=None,
            server_header=False,
            proxy_headers=False,
            backlog=BACKLOG,
            timeout_graceful_shutdown=int(config.stop_seconds),
        )
    )

    async def leave() -> None:
        await stop.wait()
        rooms.stopping.set()
        await asyncio.sleep(config.drain_seconds)
        server.should_exit = True

    leaving = asyncio.create_task(leave(), name="leave")
    try:
        async with rooms.running() if api else nullcontext():
            await server.serve(sockets=[listener])
    finally:
        leaving.cancel()
