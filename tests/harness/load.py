"""Customers who send without pause over connections that they keep, and never try anything twice.

In: where, with which key and service, how many at once. Out: the id of every sending that was acknowledged, what went
wrong in every other case, and how long answers took. `with Load(…) as load:` sends until the block ends.
"""

import http.client
import itertools
import json
import threading
import time
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self

SECONDS_MAX = 30


@dataclass
class Load:
    """`ports` are of this machine; each connection belongs to one of them in turn. `pause` in seconds."""

    ports: list[int]
    key: str
    service: str
    connections: int = 8
    pause: float = 0.005
    first: int = 0
    patient: bool = False
    """Whether a refusal or a lost connection is expected, and answered by a pause and another request."""
    accepted: list[str] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)

    def __enter__(self) -> Self:
        self._stop = threading.Event()
        self._numbers = itertools.count(self.first)
        self._threads = [
            threading.Thread(target=self._send, args=(self.ports[n % len(self.ports)],))
            for n in range(self.connections)
        ]
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join(SECONDS_MAX + 5)

    def _send(self, port: int) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=SECONDS_MAX)
        while not self._stop.is_set():
            started = time.monotonic()
            try:
                self._one(connection, next(self._numbers))
            except (OSError, http.client.HTTPException) as error:
                self.failed.append(f"{type(error).__name__}: {error}")
                connection.close()
                if self.patient:
                    time.sleep(0.1)
            self.seconds.append(time.monotonic() - started)
            time.sleep(self.pause)
        connection.close()

    def _one(self, connection: http.client.HTTPConnection, number: int) -> None:
        to = f"90555{number % 1_000_000:06d}5"  # the simulated carrier delivers to every number that ends like this
        body = json.dumps({"to": to, "message": "Kodunuz", "serviceId": self.service})
        connection.request(
            "POST", "/v1/sms-sendings", body, {"x-api-key": self.key, "content-type": "application/json"}
        )
        answer = connection.getresponse()
        said = answer.read()
        if answer.status == 201:
            self.accepted.append(json.loads(said)["data"])
        else:
            self.failed.append(f"{answer.status} {said.decode()}")
