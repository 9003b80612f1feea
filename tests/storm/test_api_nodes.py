"""One of two API nodes is killed under load, while customers repeat named requests at the other one.

SIGKILL, no grace: what the dead node was answering is answered by the other, under the same Idempotency-Key. Some
customers ask both nodes for the same thing at the same moment anyway.
"""

import itertools
import threading
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from decimal import Decimal

import httpx
import pytest

from tests.harness import CarrierProcess, Installation, User, await_true
from tests.harness.postgres import Postgres
from tests.storm.test_nodes import SETTINGS, Nodes, client, listed

pytestmark = pytest.mark.slow

CREDIT = 1_000_000
MESSAGES = 3
CUSTOMERS = 8
TRIES_MAX = 100
SLOWEST_SECONDS = 10


@dataclass
class Customers:
    """They ask at `first`, and whoever gets no answer there asks the same at `second` until it answers."""

    user: User
    service: str
    first: str
    second: str
    ids: dict[str, set[str]] = field(default_factory=dict)
    answers: Counter[str] = field(default_factory=Counter)
    seconds: list[float] = field(default_factory=list)
    _numbers: Iterator[int] = field(default_factory=itertools.count)
    _over: threading.Event = field(default_factory=threading.Event)

    def __enter__(self) -> "Customers":
        self._pool = ThreadPoolExecutor(CUSTOMERS)
        self._running = [self._pool.submit(self._run, both=n % 4 == 0) for n in range(CUSTOMERS)]
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._pool.shutdown()
        for running in self._running:
            running.result()

    def _run(self, *, both: bool) -> None:
        headers = {"x-api-key": self.user.key}
        with (
            httpx.Client(headers=headers, timeout=30, trust_env=False) as http,
            ThreadPoolExecutor(2) as pool,
        ):
            while not self._over.is_set():
                n = next(self._numbers)
                self.ids[f"request-{n}"] = set()
                started = time.monotonic()
                nodes = [self.first, self.second] if both else [self.first]
                answered = list(pool.map(lambda node, n=n: self._ask(http, node, n), nodes))  # type: ignore[misc]
                for _ in range(TRIES_MAX):
                    if any(answered):
                        break
                    answered = [self._ask(http, self.second, n)]
                assert any(answered), f"request-{n} was answered by nobody"
                self.seconds.append(time.monotonic() - started)

    def _ask(self, http: httpx.Client, node: str, n: int) -> bool:
        """Whether it is answered for good."""
        numbers = [f"90555{n * MESSAGES + k:06d}5" for k in range(MESSAGES)]
        body = {"serviceId": self.service, "message": "Kodunuz", "to": numbers}
        where = "first" if node == self.first else "second"
        try:
            url = f"{node}/v1/sms-sendings/simple"
            answer = http.post(url, json=body, headers={"idempotency-key": f"request-{n}"})
        except httpx.HTTPError:
            self.answers[f"{where}: none"] += 1
            return False
        self.answers[f"{where}: {answer.status_code}"] += 1
        if answer.status_code == 201:
            self.ids[f"request-{n}"].add(answer.json()["data"])
        return answer.status_code == 201


def test_a_killed_api_node_costs_no_request_and_doubles_none() -> None:
    with (
        CarrierProcess(delay_ms=10) as carrier,
        Postgres() as postgres,
        Installation(database_url=postgres.dsn, **SETTINGS) as ulak,
    ):
        ulak.cli("migrate")
        nodes = Nodes(ulak)
        ulak.carrier("simulated", carrier.port, window=20)
        service, user = ulak.service("BobSMS", "simulated"), ulak.user("mark")
        ulak.credit(CREDIT, user=user)
        dying, other = nodes.start("api"), nodes.start("api,courier")
        nodes.start("carriers")
        with Customers(user, service, dying.ready["url"], other.ready["url"]) as customers:
            await_true(lambda: len(customers.ids) > 200, "customers are served")
            dying.kill()
            n = len(customers.ids)
            await_true(lambda: len(customers.ids) > n + 200, "the other node goes on serving")
        http = client(other, user)
        await_true(lambda: all(item["completed"] for item in listed(http)), "all ended", 40)
        sendings = listed(http)
        http.close()
        assert Decimal(ulak.balance(user=user)) == CREDIT - len(customers.ids) * MESSAGES
        assert ulak.cli("audit")["clean"]
        nodes.stop()

    answered = {name: ids for name, ids in customers.ids.items() if len(ids) != 1}
    assert answered == {}, "one request, one sending"
    whole = {item["id"]: (item["stats"]["validSize"], item["stats"]["totalCost"]) for item in sendings}
    assert len(whole) == len(sendings)
    assert whole == {id_: (MESSAGES, str(MESSAGES)) for ids in customers.ids.values() for id_ in ids}
    assert set(customers.answers) == {"first: 201", "first: none", "second: 201"}, customers.answers
    assert max(customers.seconds) < SLOWEST_SECONDS
    counters = carrier.stop()
    assert (counters["distinct"], counters["repeats"]) == (len(sendings) * MESSAGES, 0)
    print(f"{len(sendings)} sendings, {customers.answers}, the slowest in {max(customers.seconds):.1f} s")
