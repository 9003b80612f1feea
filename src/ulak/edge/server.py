"""The HTTP server around the application: uvicorn on a socket that is already listening."""

import asyncio
import socket
from collections.abc import Iterator
from contextlib import contextmanager

import uvicorn

from ulak.base.config import Config
from ulak.base.db import Database
from ulak.edge.rooms import Rooms
from ulak.edge.site import Site

BACKLOG = 2048


class _Server(uvicorn.Server):
    """uvicorn without its own signal handling: signals are the process's."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave the signals alone."""
        yield


async def serve_http(
    config: Config, db: Database, listener: socket.socket, stop: asyncio.Event, limits_fd: int = -1
) -> None:
    """Answer requests until `stop`, then those that are being answered."""
    rooms = Rooms(config, db, limits_fd)
    server = _Server(
        uvicorn.Config(
            Site(rooms),
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
        server.should_exit = True

    leaving = asyncio.create_task(leave(), name="leave")
    try:
        async with rooms.running():
            await server.serve(sockets=[listener])
    finally:
        leaving.cancel()
