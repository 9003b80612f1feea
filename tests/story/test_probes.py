"""What no program sends: requests made to be read in two ways, and callers who are slow on purpose.

Raw TCP to a real `ulak serve`. Whatever comes, nothing is accepted that is not one whole request, nobody else waits,
and the next caller is answered as ever. Known of uvicorn, and left: when a whole request is followed at once by
something that is none, on one connection, the refusal of the second may overtake the answer to the first. Nothing is
accepted twice by that, and proxies do not pipeline.
"""

import json
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Final

import pytest

from tests.harness import Installation, User, await_true

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("probes")]

SECONDS: Final = 10
HEADER_SECONDS, BODY_SECONDS = 3, 5
SLOW_HEADS, SLOW_BODIES = 200, 50
GROWTH_MIB_MAX: Final = 40
SLOW_FORMS: Final = 60
FORMS_GROWTH_MIB_MAX: Final = 30


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


@pytest.fixture(scope="module")
def place() -> Iterator[Place]:
    with Installation(header_seconds_max=HEADER_SECONDS, body_seconds_max=BODY_SECONDS) as ulak:
        ulak.start()
        ulak.carrier("away", 1)
        service, user = ulak.service("BobSMS", "away"), ulak.user("mark")
        ulak.credit(1000, user=user)
        yield Place(ulak, user, service)
        ulak.cli("audit")


def chunked(body: bytes, size: bytes | None = None, end: bytes = b"\r\n") -> bytes:
    """A body in one chunk."""
    size = b"%x" % len(body) if size is None else size
    return b"Transfer-Encoding: chunked\r\n\r\n" + size + end + body + b"\r\n0\r\n\r\n"


Probe = Callable[[Place], bytes]

PROBES: Final[dict[str, Probe]] = {
    "a length and chunks": lambda p: p.head() + b"Content-Length: %d\r\n" % len(p.body) + chunked(p.body),
    "chunks and a length": lambda p: (
        p.head() + b"Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n" + p.body
    ),
    "two lengths": lambda p: (
        p.head() + b"Content-Length: 0\r\nContent-Length: %d\r\n\r\n" % len(p.body) + p.body
    ),
    "two lengths in one": lambda p: p.head() + b"Content-Length: 0, %d\r\n\r\n" % len(p.body) + p.body,
    "a length with a sign": lambda p: p.head() + b"Content-Length: +%d\r\n\r\n" % len(p.body) + p.body,
    "a negative length": lambda p: p.head() + b"Content-Length: -1\r\n\r\n" + p.body,
    "a length beyond all": lambda p: p.head() + b"Content-Length: " + b"9" * 40 + b"\r\n\r\n" + p.body,
    "a folded header": lambda p: (
        p.head() + b"X-A: b\r\n Content-Length: 0\r\nContent-Length: %d\r\n\r\n" % len(p.body) + p.body
    ),
    "a bare LF": lambda p: p.head() + b"X-A: b\nContent-Length: %d\r\n\r\n" % len(p.body) + p.body,
    "only LFs": lambda p: p.head().replace(b"\r\n", b"\n") + b"Content-Length: %d\n\n" % len(p.body) + p.body,
    "a bare CR": lambda p: p.head() + b"X-A: b\rContent-Length: %d\r\n\r\n" % len(p.body) + p.body,
    "a space before the colon": lambda p: p.head() + b"Content-Length : %d\r\n\r\n" % len(p.body) + p.body,
    "a NUL in a header": lambda p: (
        p.head() + b"X-A: a\0b\r\nContent-Length: %d\r\n\r\n" % len(p.body) + p.body
    ),
    "a NUL in a name": lambda p: p.head() + b"X\0A: b\r\nContent-Length: %d\r\n\r\n" % len(p.body) + p.body,
    "a NUL in the path": lambda p: p.head("POST /v1/sms-sendings\0 HTTP/1.1") + b"\r\n",
    "chunks of a hexadecimal that says so": lambda p: p.head() + chunked(p.body, b"0x%x" % len(p.body)),
    "a chunk of a negative size": lambda p: p.head() + chunked(p.body, b"-%x" % len(p.body)),
    "a chunk beyond all": lambda p: p.head() + chunked(p.body, b"f" * 20),
    "a chunk with a space": lambda p: p.head() + chunked(p.body, b"%x " % len(p.body)),
    "a chunk with a bare LF": lambda p: p.head() + chunked(p.body, end=b"\n"),
    "a chunk with a bare LF after more": lambda p: p.head() + chunked(p.body, end=b";x\n"),
    "a chunk that is longer than it says": lambda p: p.head() + chunked(p.body, b"%x" % (len(p.body) - 1)),
    "an encoding that is none": lambda p: p.head() + chunked(p.body).replace(b"chunked", b"xchunked"),
    "chunks, and then something else": lambda p: (
        p.head() + chunked(p.body).replace(b"chunked", b"chunked, x")
    ),
    "another host in the target": lambda p: p.head("POST http://evil.example/sms HTTP/1.1") + b"\r\n",
    "a target without a path": lambda p: p.head("GET http://evil.example HTTP/1.1") + b"\r\n",
    "a tunnel": lambda p: p.head("CONNECT evil.example:80 HTTP/1.1") + b"\r\n",
    "a target that is no address": lambda p: p.head("GET http://[::1 HTTP/1.1") + b"\r\n",
    "another protocol": lambda p: p.head("PRI * HTTP/2.0") + b"\r\n",
    "a version that is none": lambda p: p.head("POST /v1/sms-sendings HTTP/9.9") + b"\r\n",
    "a header without an end": lambda p: p.head() + b"X-A: " + b"a" * 3_000_000,
    "a name without an end": lambda p: p.head() + b"a" * 3_000_000,
    "headers without an end": lambda p: p.head() + b"X-A: b\r\n" * 400_000,
    "a path without an end": lambda p: b"GET /" + b"a" * 3_000_000,
    "trailers without an end": lambda p: (
        p.head() + b"Transfer-Encoding: chunked\r\n\r\n0\r\nX-A: " + b"a" * 3_000_000
    ),
    "a chunk's words without an end": lambda p: (
        p.head() + b"Transfer-Encoding: chunked\r\n\r\n1;" + b"a" * 3_000_000
    ),
    "TLS": lambda p: b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(500),
}


@pytest.mark.parametrize("name", PROBES)
def test_what_can_be_read_in_two_ways_is_read_in_none(place: Place, name: str) -> None:
    before = place.total()

    heard = place.said(PROBES[name](place))

    assert not heard or heard.startswith(b"HTTP/1.1 4"), heard[:200]
    assert heard.count(b"HTTP/1.1 ") <= 1, "one answer: what follows was no second request"
    place.assert_as_ever()
    assert place.total() == before


def test_trailers_are_no_headers(place: Place) -> None:
    head = place.head().replace(f"x-api-key: {place.user.key}\r\n".encode(), b"") + b"Connection: close\r\n"
    trailer = f"0\r\nx-api-key: {place.user.key}\r\n\r\n".encode()

    heard = place.said(head + chunked(place.body).removesuffix(b"0\r\n\r\n") + trailer)

    assert heard.startswith(b"HTTP/1.1 401 "), heard


def test_requests_in_one_go_are_answered_in_order(place: Place) -> None:
    asked = [f"GET /v1/users/me HTTP/1.1\r\nHost: u\r\nX-Request-Id: {n}\r\n\r\n".encode() for n in range(40)]

    heard = place.said(b"".join(asked))

    ids = [line.partition(b": ")[2] for line in heard.split(b"\r\n") if line.startswith(b"x-request-id")]
    assert ids == [b"%d" % n for n in range(40)]


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


def test_who_is_slow_keeps_nobody_waiting_and_is_let_go(place: Place) -> None:
    before = place.total()
    with ExitStack() as opened:
        silent = [opened.enter_context(place.connect()) for _ in range(20)]
        heads = [opened.enter_context(place.connect()) for _ in range(SLOW_HEADS)]
        bodies = [opened.enter_context(place.connect()) for _ in range(SLOW_BODIES)]
        # without a key: answered at once, and a body that goes on for ever
        answered = [opened.enter_context(place.connect()) for _ in range(20)]
        drip(heads, place.head() + b"X-A: ")
        drip(bodies, place.head() + b"Content-Length: 2000\r\n\r\n{")
        drip(answered, b"POST /v1/sms-sendings HTTP/1.1\r\nHost: u\r\nContent-Length: 2000\r\n\r\n{")
        slow = silent + heads + bodies + answered
        over = 0
        until = time.monotonic() + BODY_SECONDS + 6
        while over < len(slow) and time.monotonic() < until:
            drip(heads + bodies + answered, b" ")
            place.assert_as_ever()
            time.sleep(0.25)
            over = sum(map(is_over, slow))
        assert over == len(slow)
    assert place.total() == before


def memory_mib(pid: int) -> float:
    """Of a process and of those it started."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    own = int(next(line.split()[1] for line in lines if line.startswith("VmRSS"))) / 1024
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return own + sum(memory_mib(int(child)) for child in children if "postgres" not in name_of(int(child)))


def name_of(pid: int) -> str:
    return Path(f"/proc/{pid}/comm").read_text()


def test_slow_bodies_of_one_key_leave_room_for_everybody_elses(place: Place) -> None:
    other = place.ulak.user(f"other-{time.time_ns()}")
    head = place.head("POST /v1/sms-sendings/simple HTTP/1.1") + b"Content-Length: %d\r\n\r\n[" % (8 * 2**20)

    with ExitStack() as opened:
        answers = []
        for _ in range(12):  # 96 MiB, where 64 have room
            one = opened.enter_context(place.connect())
            one.sendall(head)
            one.settimeout(0.2)
            with suppress(TimeoutError):
                answers.append(one.recv(65536))
        assert len(answers) == 10
        assert all(b"HTTP/1.1 429 " in answer and b"retry-after: 1" in answer for answer in answers)
        body = {"to": [f"90555{n:07}" for n in range(50_000)], "message": "x", "serviceId": place.service}
        answer = place.ulak.as_user(other).post("/sms-sendings/simple", json=body)
        assert answer.status_code == 402, "read whole, and only the credit is missing"
    place.assert_as_ever()


@pytest.mark.parametrize("size", [8 * 2**20 - 64, 16 * 2**10])
def test_who_signs_in_without_end_takes_neither_memory_nor_room(place: Place, size: int) -> None:
    with place.ulak.client() as client:
        client.get("/panel/sign-in")  # the panel is loaded
        before = memory_mib(place.ulak.pid)
        head = (
            b"POST /panel/sign-in HTTP/1.1\r\nHost: u\r\nCookie: ulak_visit=x\r\n"
            b"Content-Type: application/x-www-form-urlencoded\r\nContent-Length: %d\r\n\r\nname=" % size
        )
        with ExitStack() as opened:
            for _ in range(SLOW_FORMS):
                one = opened.enter_context(place.connect())
                with suppress(OSError):  # it may have been told already that this is too much
                    one.sendall(head + b"x" * (size - 15))
            place.assert_as_ever()
            assert client.get("/panel/sign-in").status_code == 200
            assert memory_mib(place.ulak.pid) - before < FORMS_GROWTH_MIB_MAX
    place.assert_as_ever()


def test_who_reads_no_answer_holds_no_memory_and_is_let_go(place: Place) -> None:
    to = [f"90555{n:07}" for n in range(1000)]
    body = {"to": to, "message": "x" * 150, "serviceId": place.service}
    with place.ulak.as_user(place.user) as client:
        client.post("/sms-sendings", json=body | {"to": to[0]})
        made = client.post("/sms-sendings/simple", json=body | {"to": to[:900]})
        sending = made.json()["data"]
    line = place.head(f"GET /v1/sms-sendings/{sending}?limit=1000 HTTP/1.1") + b"\r\n"
    place.said(line)
    before = memory_mib(place.ulak.pid)

    with ExitStack() as opened:
        deaf = []
        for _ in range(20):
            one = opened.enter_context(socket.socket())
            one.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            one.connect(("127.0.0.1", place.port))
            one.sendall(line * 50)  # 50 answers of 300 kB, and none is read
            deaf.append(one)
        time.sleep(1)
        place.assert_as_ever()
        assert memory_mib(place.ulak.pid) - before < GROWTH_MIB_MAX
        ports = {one.getsockname()[1] for one in deaf}
        await_true(lambda: not (ports & still_held(place.port)), "let go", BODY_SECONDS + 10)
    place.assert_as_ever()


def still_held(port: int) -> set[int]:
    """The callers' ports of the established connections at this port."""
    rows = [row.split() for row in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    return {
        int(row[2].split(":")[1], 16)
        for row in rows
        if int(row[1].split(":")[1], 16) == port and row[3] == "01"
    }
