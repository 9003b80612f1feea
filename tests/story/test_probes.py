"""What no program sends: requests made to be read in two ways, and callers who are slow on purpose.

Raw TCP to a real `ulak serve`. Whatever comes, nothing is accepted that is not one whole request, nobody else waits,
and the next caller is answered as ever. Known of uvicorn, and left: when a whole request is followed at once by
something that is none, on one connection, the refusal of the second may overtake the answer to the first. Nothing is
accepted twice by that, and proxies do not pipeline.
"""

import socket
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from typing import Final

import pytest

from tests.harness import Installation, await_true
from tests.story.probing import Place, drip, is_over, memory_mib, still_held, unread_bytes

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("probes")]

HEADER_SECONDS, BODY_SECONDS = 3, 5
SLOW_HEADS, SLOW_BODIES = 200, 50
GROWTH_MIB_MAX: Final = 40
HEAD_BYTES_MAX: Final = 64 * 1024
PIECE_BYTES: Final = 4096
ENDLESS: Final = 100
SLOW_FORMS: Final = 60
FORMS_GROWTH_MIB_MAX: Final = 30


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
    "a thousand headers": lambda p: (
        p.head() + b"a:\r\n" * 1000 + b"Content-Length: %d\r\n\r\n" % len(p.body) + p.body
    ),
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


#: How a head begins, and what it goes on with for ever.
HEADS: Final[dict[str, tuple[bytes, bytes]]] = {
    "a path": (b"GET /", b"a" * PIECE_BYTES),
    "a header's name": (b"GET / HTTP/1.1\r\n", b"a" * PIECE_BYTES),
    "a header": (b"GET / HTTP/1.1\r\nX-A: ", b"a" * PIECE_BYTES),
    "long headers": (b"GET / HTTP/1.1\r\n", b"X-A: " + b"a" * (PIECE_BYTES - 7) + b"\r\n"),
    "headers of next to nothing": (b"GET / HTTP/1.1\r\n", b"a:\r\n" * (PIECE_BYTES // 4)),
    "empty lines": (b"", b"\r\n" * (PIECE_BYTES // 2)),
}


@pytest.mark.parametrize("name", HEADS)
def test_a_head_that_never_ends_is_cut_and_fills_no_memory(place: Place, name: str) -> None:
    beginning, piece = HEADS[name]
    before = most = memory_mib(place.ulak.pid)
    with ExitStack() as opened:
        callers = [opened.enter_context(place.connect()) for _ in range(ENDLESS)]
        started = time.monotonic()
        drip(callers, beginning)
        sent = len(beginning)
        while callers:
            drip(callers, piece)
            sent += len(piece)
            assert sent <= HEAD_BYTES_MAX + 3 * PIECE_BYTES, "it is still being read"
            await_true(lambda: not unread_bytes(place.port), "everything is read")
            most = max(most, memory_mib(place.ulak.pid))
            callers = [one for one in callers if not is_over(one)]
        assert time.monotonic() - started < HEADER_SECONDS, "they were cut because they were slow"
    assert most - before < GROWTH_MIB_MAX
    place.assert_as_ever()


def test_a_head_of_almost_the_limit_is_one(place: Place) -> None:
    long = b"X-A: " + b"a" * 1000 + b"\r\n"

    heard = place.said(place.head("GET /v1/users/me HTTP/1.1") + long * 60 + b"Connection: close\r\n\r\n")

    assert heard.startswith(b"HTTP/1.1 200 ")


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
