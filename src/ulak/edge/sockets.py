"""Where a `ulak serve` listens: for the API, and where whoever watches it asks (`ULAK_METRICS_PORT`).

In: settings, roles; or descriptors that a keeper has handed on. Out: listening sockets. The API's is the service
manager's where that holds one, so that connections wait in it while one process ends and the next begins.
"""

import asyncio
import socket
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from ulak.base.config import Config
from ulak.edge import systemd
from ulak.rules.refusal import Code, Refused

BACKLOG: Final = 2048
PORT_WAIT_SECONDS: Final = 5.0


@dataclass(frozen=True, slots=True)
class Sockets:
    """The API's socket and the one of the metrics, where there are any."""

    api: socket.socket | None = None
    watch: socket.socket | None = None

    @property
    def any(self) -> socket.socket | None:
        """One of them, to be told of and asked whether all is ready."""
        return self.api or self.watch

    def close(self) -> None:
        """Close both here."""
        for one in (self.api, self.watch):
            if one:
                one.close()


async def opened(config: Config, roles: Sequence[str]) -> Sockets:
    """What a `ulak serve` of these roles listens on; refused when somebody else does."""
    sockets = Sockets()
    try:
        if "api" in roles:
            sockets = Sockets(systemd.handed_socket() or await _listen(config.host, config.port, "--port"))
        if config.metrics_port:
            watch = await _listen(config.host, config.metrics_port, "ULAK_METRICS_PORT")
            sockets = Sockets(sockets.api, watch)
    except BaseException:
        sockets.close()
        raise
    return sockets


def inherited(api_fd: int | None, watch_fd: int | None) -> Sockets:
    """What a keeper has handed on."""
    api, watch = (socket.socket(fileno=fd) if fd is not None else None for fd in (api_fd, watch_fd))
    return Sockets(api, watch)


def address_of(listener: socket.socket) -> str:
    """The listening socket as a URL."""
    host, port = listener.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


async def _listen(host: str, port: int, setting: str) -> socket.socket:
    """The listening socket; patient for a moment with a predecessor that is just leaving. `setting` chose the port."""
    deadline = time.monotonic() + PORT_WAIT_SECONDS
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    while True:
        listener = socket.socket(family, socket.SOCK_STREAM)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((host, port))
            listener.listen(BACKLOG)
            listener.setblocking(False)
            return listener
        except OSError as error:
            listener.close()
            if time.monotonic() > deadline:
                raise Refused(
                    Code.NOT_ALLOWED,
                    f"Cannot listen on {host} port {port}: {error.strerror or error}. Choose another with {setting}.",
                ) from None
        await asyncio.sleep(0.1)
