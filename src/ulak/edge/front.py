"""The front of `ulak serve`: where it listens, and who is told when it answers there.

In: settings. Out: a socket that is listening, taken from the service manager or our own; whoever started us, and the
service manager, are told once `/readyz` says that everything is there. It never reads a request.
"""

import asyncio
import socket
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Final

from ulak.base.config import Config
from ulak.edge import systemd
from ulak.rules.refusal import Code, Refused

PORT_WAIT_SECONDS: Final = 5.0


async def api_socket(config: Config) -> socket.socket:
    """The API's socket: the one that the service manager holds, or our own."""
    return systemd.handed_socket() or await _listen(config.host, config.port)


async def watch_socket(config: Config) -> socket.socket | None:
    """Where a `ulak serve` that has no API can be asked how it does."""
    return await _listen(config.host, config.metrics_port) if config.metrics_port else None


async def _listen(host: str, port: int) -> socket.socket:
    """The listening socket; patient for a moment with a predecessor that is just leaving."""
    deadline = time.monotonic() + PORT_WAIT_SECONDS
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    while True:
        listener = socket.socket(family, socket.SOCK_STREAM)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((host, port))
            listener.listen(2048)
            listener.setblocking(False)
            return listener
        except OSError as error:
            listener.close()
            if time.monotonic() > deadline:
                raise Refused(
                    Code.NOT_ALLOWED,
                    f"Cannot listen on {host} port {port}: {error.strerror or error}. Choose another with --port.",
                ) from None
        await asyncio.sleep(0.1)


def address_of(listener: socket.socket) -> str:
    """The listening socket as a URL."""
    host, port = listener.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


async def tell(listener: socket.socket | None, ready: Callable[[str], None], stop: asyncio.Event) -> None:
    """Say when everything answers, and when it is going to stop."""
    await _tell_when_ready(listener, ready)
    systemd.tell("READY=1")
    await stop.wait()
    systemd.tell("STOPPING=1")


async def _tell_when_ready(listener: socket.socket | None, ready: Callable[[str], None]) -> None:
    """Call `ready` once `/readyz` says so; without an API, at once."""
    if listener is None:
        ready("")
        return
    host, port = listener.getsockname()[:2]
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104 - asking, not binding
    while not await _answers_ready(host, port):
        await asyncio.sleep(0.05)
    ready(address_of(listener))


async def _answers_ready(host: str, port: int) -> bool:
    with suppress(OSError, TimeoutError):
        async with asyncio.timeout(5):
            reader, writer = await asyncio.open_connection(host, port)
            try:
                writer.write(b"GET /readyz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
                return b" 200 " in await reader.readline()
            finally:
                writer.close()
    return False
