"""Who is told when a `ulak serve` answers, and when it stops: whoever started it, and the service manager.

In: a socket it listens on. Out: the word, once `/readyz` there says that everything is there.
"""

import asyncio
import socket
from collections.abc import Callable
from contextlib import suppress

from ulak.edge import systemd
from ulak.edge.sockets import address_of


async def tell(listener: socket.socket | None, ready: Callable[[str], None], stop: asyncio.Event) -> None:
    """Say when everything answers, and when it is going to stop."""
    await _tell_when_ready(listener, ready)
    systemd.tell("READY=1")
    await stop.wait()
    systemd.tell("STOPPING=1")


async def _tell_when_ready(listener: socket.socket | None, ready: Callable[[str], None]) -> None:
    """Call `ready` once `/readyz` says so; where nobody can ask, at once."""
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
