"""The load generator: a process of its own that posts the same kind of request as fast as it is answered.

`python -m bench.load URL KEY SERVICE --connections 64 --seconds 10` keeps that many connections busy, each with one
request in flight, and prints one JSON line: requests answered, errors, seconds, and percentiles in milliseconds, of all
answers and of those alone that took the request.
KEY may be several with commas between them: requests take them in turn. It speaks just enough HTTP/1.1 by itself,
because a full client would be the bottleneck.
"""

import argparse
import asyncio
import json
import sys
import time
from urllib.parse import urlsplit

import uvloop


class Connection(asyncio.Protocol):
    """One keep-alive connection: the next request goes out when the answer to the last has come in."""

    def __init__(self, load: "Load", number: int) -> None:
        self._load = load
        self._n = number
        self._since = 0.0
        self._buffer = b""
        self.done = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport
        self._next()

    def _next(self) -> None:
        self._since = time.perf_counter()
        if self._since >= self._load.deadline:
            self._transport.close()
            return
        self._transport.write(self._load.request(self._n))
        self._n += self._load.connections

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        head, gap, body = self._buffer.partition(b"\r\n\r\n")
        if not gap:
            return
        length = int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0])
        if len(body) < length:
            return
        self._buffer = b""
        self._load.answered(head[9:12] == b"201", time.perf_counter() - self._since)
        self._next()

    def connection_lost(self, error: Exception | None) -> None:
        if not self.done.done():
            self.done.set_result(None)


class Load:
    """What is asked, until when, and what came back."""

    def __init__(self, url: str, keys: str, service: str, connections: int, seconds: float) -> None:
        self.target = urlsplit(url)
        self.connections = connections
        self.deadline = time.perf_counter() + seconds
        self.accepted: list[float] = []
        self.refused: list[float] = []
        self._service = service
        self._heads = [
            f"POST /v1/sms-sendings HTTP/1.1\r\nHost: {self.target.netloc}\r\nx-api-key: {key}\r\n"
            f"content-type: application/json\r\ncontent-length: "
            for key in keys.split(",")
        ]

    def request(self, n: int) -> bytes:
        """The n-th request: a number that is not among those the simulated carrier fails."""
        to = f"9055{n % 1_000_000:06d}55"
        body = f'{{"to":"{to}","message":"Your code is {n}","serviceId":"{self._service}"}}'
        return f"{self._heads[n % len(self._heads)]}{len(body)}\r\n\r\n{body}".encode()

    def answered(self, accepted: bool, seconds: float) -> None:
        """Count one answer."""
        (self.accepted if accepted else self.refused).append(seconds)

    async def run(self) -> dict[str, float]:
        """Keep every connection busy until the deadline."""
        loop = asyncio.get_running_loop()
        started = time.perf_counter()
        made = [
            await loop.create_connection(
                lambda n=n: Connection(self, n), self.target.hostname, self.target.port
            )
            for n in range(self.connections)
        ]
        await asyncio.gather(*(connection.done for _, connection in made))
        seconds = time.perf_counter() - started
        every = self.accepted + self.refused
        return {
            "requests": len(every),
            "errors": len(self.refused),
            "seconds": seconds,
            "perSecond": len(every) / seconds,
            "p50": percentile(every, 0.5),
            "p99": percentile(every, 0.99),
            "acceptedP50": percentile(self.accepted, 0.5),
            "acceptedP99": percentile(self.accepted, 0.99),
            "acceptedMost": percentile(self.accepted, 1),
        }


def percentile(seconds: list[float], share: float) -> float:
    """In milliseconds; 0 of nothing."""
    ordered = sorted(seconds) or [0.0]
    return ordered[min(int(len(ordered) * share), len(ordered) - 1)] * 1000


def main() -> None:
    """Read the arguments, run, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("url")
    parser.add_argument("key", help="of a customer, or several with commas between them")
    parser.add_argument("service")
    parser.add_argument("--connections", type=int, default=64)
    parser.add_argument("--seconds", type=float, default=10)
    given = parser.parse_args()

    async def run() -> dict[str, float]:
        return await Load(given.url, given.key, given.service, given.connections, given.seconds).run()

    json.dump(uvloop.run(run()), sys.stdout)


if __name__ == "__main__":
    main()
