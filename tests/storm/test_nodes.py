"""Several machines on one PostgreSQL: nodes that are killed under load, and a database that fails over.

Each node is a `ulak serve --only …` in a group of processes of its own, with a PostgreSQL that none of them started. A
killed node's work is somebody else's once its leases have run out; what may go out twice is what stood in its window.
What was acknowledged is on two servers by then, and survives either of them.
"""

import time
from collections import deque
from collections.abc import Iterator
from contextlib import ExitStack
from decimal import Decimal
from typing import Any

import httpx
import pytest

from bench.rig import Carrier
from tests.harness import Installation, User, await_true
from tests.harness.load import Load
from tests.harness.postgres import Postgres
from tests.harness.process import Process

pytestmark = pytest.mark.slow

LEASE_SECONDS = 2
WINDOW = 20
PER_SECOND = 300
MESSAGES = 900
CREDIT = 100_000
SETTINGS = {"lease_seconds": LEASE_SECONDS, "reconnect_seconds_max": 1}


class Nodes:
    """Processes of one installation, each started and ended by itself."""

    def __init__(self, ulak: Installation) -> None:
        self.ulak = ulak
        self._running: list[Process] = []

    def start(self, only: str) -> Process:
        node = Process(["serve", f"--only={only}", "--port=0"], self.ulak.environment, self.ulak.log_path)
        self._running.append(node)
        return node

    def stop(self) -> None:
        for node in self._running:
            if node.running:
                node.stop()


@pytest.fixture
def carrier() -> Iterator[Carrier]:
    """One that knows when it saw which number."""
    process = Carrier(receipt_ms=50.0, watched="90555")
    yield process
    process.stop()


def client(node: Process, user: User) -> httpx.Client:
    return httpx.Client(
        base_url=f"{node.ready['url']}/v1", headers={"x-api-key": user.key}, timeout=30, trust_env=False
    )


def most_within(times: list[float], seconds: float) -> int:
    """The most of these moments that lie within so many seconds of each other."""
    window: deque[float] = deque()
    most = 0
    for at in sorted(times):
        window.append(at)
        while window[0] <= at - seconds:
            window.popleft()
        most = max(most, len(window))
    return most


def listed(http: httpx.Client) -> list[dict[str, Any]]:
    """Every sending."""
    items: list[dict[str, Any]] = []
    for page in range(100):
        data = http.get("/sms-sendings", params={"limit": 1000, "page": page}).json()["data"]
        items += data["items"]
        if page + 1 >= data["totalPages"]:
            return items
    raise AssertionError("too many pages")


def test_three_nodes_keep_one_limit_and_take_over_from_the_killed(carrier: Carrier) -> None:
    with Postgres() as postgres, Installation(database_url=postgres.dsn, **SETTINGS) as ulak:
        ulak.cli("migrate")
        nodes = Nodes(ulak)
        ulak.carrier("limited", carrier.port, window=WINDOW, throughput=PER_SECOND)
        service, user = ulak.service("BobSMS", "limited"), ulak.user("mark")
        ulak.credit(CREDIT, user=user)
        api = nodes.start("api,courier")
        links = [nodes.start("carriers") for _ in range(3)]
        http = client(api, user)
        body = {"to": [f"90555{n:07d}" for n in range(MESSAGES)], "message": "x", "serviceId": service}
        started = time.monotonic()
        assert http.post("/sms-sendings/simple", json=body).status_code == 201
        for left, node in ((MESSAGES * 2 // 3, links[0]), (MESSAGES // 3, links[1])):
            await_true(lambda left=left: listed(http)[0]["stats"]["nOfPending"] <= left, f"{left} left", 30)
            node.kill()
        await_true(lambda: listed(http)[0]["stats"]["nOfPending"] == 0, "all taken", 40)
        took = time.monotonic() - started
        http.close()
        nodes.stop()

        seen = carrier.report()
        assert len(seen["seen"]) == MESSAGES
        assert seen["submits"] - MESSAGES <= 2 * WINDOW
        assert took < MESSAGES / PER_SECOND + 2 * LEASE_SECONDS + 5
        most = most_within(list(seen["seen"].values()), 1)
        assert most <= PER_SECOND * 1.1
        assert ulak.cli("audit")["clean"]
        assert Decimal(ulak.balance(user=user)) == CREDIT - MESSAGES
        print(f"{took:.1f} s, at most {most} in a second, {seen['submits'] - MESSAGES} twice")


def test_a_promoted_standby_has_everything_that_was_acknowledged(carrier: Carrier) -> None:
    with ExitStack() as stack:
        primary = stack.enter_context(Postgres())
        standby = stack.enter_context(primary.standby("standby"))
        ulak = stack.enter_context(Installation(database_url=primary.dsn_with(standby), **SETTINGS))
        ulak.cli("migrate")
        nodes = Nodes(ulak)
        ulak.carrier("simulated", carrier.port, window=WINDOW)
        service, user = ulak.service("BobSMS", "simulated"), ulak.user("mark")
        ulak.credit(CREDIT, user=user)
        apis = [nodes.start("api"), nodes.start("api")]
        nodes.start("carriers,courier")
        ports = [int(node.ready["url"].rpartition(":")[2]) for node in apis]
        with Load(ports, user.key, service, connections=16, patient=True) as load:
            await_true(lambda: len(load.accepted) > 500, "many accepted")
            primary.kill()
            killed, before = time.monotonic(), len(load.accepted)
            standby.promote()
            await_true(lambda: len(load.accepted) > before + 200, "it goes on", 30)
            gone = time.monotonic() - killed
        http = client(apis[0], user)
        await_true(lambda: not sum(item["stats"]["nOfPending"] for item in listed(http)), "all taken", 40)
        sendings = {item["id"] for item in listed(http)}
        http.close()
        nodes.stop()

        assert set(load.accepted) <= sendings
        assert ulak.cli("audit")["clean"]
        assert Decimal(ulak.balance(user=user)) == CREDIT - len(sendings)
        seen = carrier.report()
        assert len(seen["seen"]) == len(sendings)
        assert seen["submits"] - len(sendings) <= 2 * WINDOW
        print(
            f"{len(load.accepted)} acknowledged, {len(sendings)} kept, {len(load.failed)} not answered in "
            f"{gone:.1f} s, {seen['submits'] - len(sendings)} twice"
        )
