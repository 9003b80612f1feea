"""One request, octet by octet, over a connection of its own: no client library has a say in what may be sent.

In: the method, the target and the headers as they stand on the wire. Out: the answer, or None where there was none.
"""

import http.client
import socket
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Final

import httpx

SECONDS_MAX: Final = 60


@dataclass(frozen=True, slots=True)
class Request:
    """What is sent. `headers` are those beside Host, Connection and Content-Length."""

    method: str
    target: str
    headers: tuple[tuple[str, bytes], ...] = ()
    body: bytes | None = None

    def __str__(self) -> str:
        named = " ".join(f"{name}: {value!r}" for name, value in self.headers if name != "x-api-key")
        return f"{self.method} {self.target[:300]} {named[:300]} {(self.body or b'')[:300]!r}"

    @property
    def octets(self) -> bytes:
        """As it stands on the wire."""
        lines = [f"{self.method} {self.target} HTTP/1.1".encode("latin-1"), b"Connection: close"]
        if not any(name.lower() == "host" for name, _ in self.headers):
            lines.append(b"Host: ulak")
        if self.body is not None:
            lines.append(b"Content-Length: %d" % len(self.body))
        lines += [name.encode() + b": " + value for name, value in self.headers]
        return b"\r\n".join(lines) + b"\r\n\r\n" + (self.body or b"")


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back."""

    status: int
    headers: httpx.Headers = field(repr=False)
    body: bytes


def ask(port: int, request: Request) -> Answer | None:
    """Send it; None when the connection ended without an answer."""
    with socket.create_connection(("127.0.0.1", port), SECONDS_MAX) as to:
        with suppress(ConnectionError):  # it may have heard enough
            to.sendall(request.octets)
        with http.client.HTTPResponse(to, method=request.method) as heard:
            try:
                heard.begin()
                body = heard.read()
            except (ConnectionError, http.client.HTTPException):
                return None
            return Answer(heard.status, httpx.Headers(heard.getheaders()), body)
