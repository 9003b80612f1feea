"""Raw TCP to a real `ulak serve`: connections that say what no program says, and what the server holds of them.

In: an installation with one customer. Out: what was answered to bytes, whether a connection is over, what the server
has not read yet, and how much memory it takes.
"""

import json
import socket
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Final

from tests.harness import Installation, User

SECONDS: Final = 10


class Place:
    """The installation, its one customer, and raw connections to it."""

    def __init__(self, ulak: Installation, user: User, service: str) -> None:
        self.ulak, self.user, self.service = ulak, user, service
        self.port = int(ulak.url.rpartition(":")[2].strip("/"))

    def connect(self) -> socket.socket:
        """One connection."""
        return socket.create_connection(("127.0.0.1", self.port), SECONDS)

    @property
    def body(self) -> bytes:
        """A body that would be accepted."""
        its = {"to": "905551112233", "message": "smuggled", "serviceId": self.service}
        return json.dumps(its).encode()

    def head(self, line: str = "POST /v1/sms-sendings HTTP/1.1") -> bytes:
        """The beginning of a head with a good key; more lines may follow."""
        return f"{line}\r\nHost: ulak\r\nx-api-key: {self.user.key}\r\nContent-Type: application/json\r\n".encode()

    def said(self, raw: bytes) -> bytes:
        """Everything that is answered until the connection ends or says nothing for a while."""
        with self.connect() as to, suppress(ConnectionError, TimeoutError):
            heard = b""
            to.settimeout(2)
            with suppress(ConnectionError):  # it may have heard enough
                to.sendall(raw)
            with suppress(ConnectionError, TimeoutError):
                while piece := to.recv(65536):
                    heard += piece
        return heard

    def total(self) -> int:
        """How many sendings there are."""
        with self.ulak.as_user(self.user) as client:
            n: int = client.get("/sms-sendings").json()["data"]["total"]
        return n

    def assert_as_ever(self, seconds: float = 1) -> None:
        """Somebody else is answered, rightly and soon."""
        started = time.monotonic()
        answer = self.ulak.as_user(self.user).get("/users/me")
        assert answer.json()["data"]["username"] == "mark"
        assert time.monotonic() - started < seconds


def is_over(one: socket.socket) -> bool:
    """Whether the other side has ended the connection."""
    one.setblocking(False)
    try:
        while one.recv(65536):
            pass
    except BlockingIOError:
        return False
    except ConnectionError:
        return True
    return True


def drip(slow: list[socket.socket], byte: bytes) -> None:
    for one in slow:
        with suppress(OSError):
            one.send(byte)


def memory_mib(pid: int) -> float:
    """Of a process and of those it started."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    own = int(next(line.split()[1] for line in lines if line.startswith("VmRSS"))) / 1024
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return own + sum(memory_mib(int(child)) for child in children if "postgres" not in name_of(int(child)))


def name_of(pid: int) -> str:
    return Path(f"/proc/{pid}/comm").read_text()


def still_held(port: int) -> set[int]:
    """The callers' ports of the established connections at this port."""
    return {caller for caller, _ in _established(port)}


def unread_bytes(port: int) -> int:
    """What came over the connections at this port and was not read yet."""
    return sum(n for _, n in _established(port))


def _established(port: int) -> Iterator[tuple[int, int]]:
    """The caller's port of each established connection at this port, and how many bytes wait in it."""
    for row in Path("/proc/net/tcp").read_text().splitlines()[1:]:
        _, here, there, state, queues, *_ = row.split()
        if int(here.split(":")[1], 16) == port and state == "01":
            yield int(there.split(":")[1], 16), int(queues.split(":")[1], 16)
