"""The steady load: single sends at a fixed rate, whatever comes back and when.

`python -m bench.steady URL KEY SERVICE --per-second 200 --seconds 30` posts on time even while earlier posts are
unanswered, so that a slow answer does not hide those behind it. It prints one JSON line: for each number when it was
posted and when answered (seconds of the machine's monotonic clock, which other processes share), and the errors.
"""

import argparse
import asyncio
import json
import sys
import time
from collections import deque
from typing import cast
from urllib.parse import urlsplit

import uvloop

CONNECTIONS = 32
LAST_ANSWER_SECONDS = 10.0


class Connection(asyncio.Protocol):
    """One keep-alive connection: one request at a time."""

    def __init__(self, steady: "Steady") -> None:
        self._steady = steady
        self._number = ""
        self._buffer = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop's is one by its methods only
        self._steady.free.append(self)

    def post(self, number: str, octets: bytes) -> None:
        """Send one request."""
        self._number = number
        self._steady.sent[number] = time.monotonic()
        self._transport.write(octets)

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        head, gap, body = self._buffer.partition(b"\r\n\r\n")
        if not gap or len(body) < int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0]):
            return
        self._buffer = b""
        self._steady.answered[self._number] = time.monotonic()
        self._steady.errors += head[9:12] != b"201"
        self._steady.free.append(self)


class Steady:
    """What is asked, and what came back."""

    def __init__(self, url: str, key: str, service: str) -> None:
        self.target = urlsplit(url)
        self.sent: dict[str, float] = {}
        self.answered: dict[str, float] = {}
        self.errors = 0
        self.free: deque[Connection] = deque()
        self._service = service
        self._head = (
            f"POST /v1/sms-sendings HTTP/1.1\r\nHost: {self.target.netloc}\r\nx-api-key: {key}\r\n"
            "content-type: application/json\r\ncontent-length: "
        )

    async def run(self, per_second: float, seconds: float, first: int) -> None:
        """Post at the rate; numbers count on from `first`."""
        for _ in range(CONNECTIONS):
            await self._connect()
        start, n = time.monotonic(), 0
        while (due := n / per_second) < seconds:
            await asyncio.sleep(max(0.0, start + due - time.monotonic()))
            if not self.free:
                await self._connect()
            self.free.popleft().post(*self._request(first + n))
            n += 1
        until = time.monotonic() + LAST_ANSWER_SECONDS
        while len(self.answered) < n and time.monotonic() < until:
            await asyncio.sleep(0.01)
        self.errors += n - len(self.answered)

    async def _connect(self) -> None:
        await asyncio.get_running_loop().create_connection(
            lambda: Connection(self), self.target.hostname, self.target.port
        )

    def _request(self, n: int) -> tuple[str, bytes]:
        number = f"90577{n:07d}"
        body = f'{{"to":"{number}","message":"Your code is {n:06d}","serviceId":"{self._service}"}}'
        return number, f"{self._head}{len(body)}\r\n\r\n{body}".encode()


def main() -> None:
    """Read the arguments, run, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("url")
    parser.add_argument("key")
    parser.add_argument("service")
    parser.add_argument("--per-second", type=float, default=200)
    parser.add_argument("--seconds", type=float, default=30)
    parser.add_argument("--first", type=int, default=0, help="the first number")
    given = parser.parse_args()
    steady = Steady(given.url, given.key, given.service)
    uvloop.run(steady.run(given.per_second, given.seconds, given.first))
    json.dump({"sent": steady.sent, "answered": steady.answered, "errors": steady.errors}, sys.stdout)


if __name__ == "__main__":
    main()
