"""Several machines on one PostgreSQL: nodes that are killed under load, and a database that fails over.

Each node is a `ulak serve --only …` in a group of processes of its own, with a PostgreSQL that none of them started. A
killed node's work is somebody else's once its leases have run out; what may go out twice is what stood in its window.
What was acknowledged is on two servers by then, and survives either of them. The carrier is the storm's: it takes a
moment to answer, so that a node that dies leaves something unsure behind, and sends again each receipt that nobody
acknowledged; so every message ends, and the test waits for that.
"""

import time
from collections import deque
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from decimal import Decimal
from typing import Any

import httpx
import pytest

from smpp.profiles import POLITE
from smpp.simulator import SimulatorOptions
from tests.harness import Installation, User, await_true
from tests.harness.load import Load
from tests.harness.postgres import Postgres
from tests.harness.process import Process
from tests.storm.carrier import Carrier, apart

pytestmark = pytest.mark.slow

LEASE_SECONDS = 2
WINDOW = 20
PER_SECOND = 300
RUN_MESSAGES = 500
#: A lease has to run out, a node looks once a second, and before it takes more it sends what it has in hand: a run, at
#: half of the limit where two are left.
TAKEN_OVER_SECONDS_MAX = LEASE_SECONDS + 1 + RUN_MESSAGES / (PER_SECOND / 2)
#: For each node: so many that one is still at work when the next is killed, after the leases of the one before it.
MESSAGES = 800
CREDIT = 100_000
SETTINGS = {"lease_seconds": LEASE_SECONDS, "reconnect_seconds_max": 1}
ANSWER_MS = 50
#: Which runs of the queue are in whose hands, and until when.
HELD = "SELECT id, lease, leased_until FROM batches WHERE lease IS NOT NULL"


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


@contextmanager
def nodes_of(ulak: Installation) -> Iterator[Nodes]:
    """Nodes that have all ended afterwards: in good order, or killed where the test failed."""
    nodes = Nodes(ulak)
    try:
        yield nodes
        nodes.stop()
    finally:
        for node in nodes._running:
            node.kill()


@pytest.fixture
def carrier() -> Carrier:
    """One that takes its time, and of whose messages some fail."""
    profile = replace(POLITE, answer_ms=ANSWER_MS)
    return Carrier(SimulatorOptions(delay_ms=100, undelivered=6, expired=3, seed=7, profile=profile))


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


def taken_over(postgres: Postgres, killed: float) -> float:
    """Wait until nothing is left in the hands of who was just killed; how many seconds after `killed` that was.

    Who lives renews, finishes or puts back; so what stays as it is belongs to the dead.
    """
    held = set(postgres.sql(HELD, "ulak").splitlines())
    await_true(
        lambda: not held & set(postgres.sql(HELD, "ulak").splitlines()),
        "leases taken over",
        TAKEN_OVER_SECONDS_MAX,
    )
    return time.monotonic() - killed


def assert_books(ulak: Installation, user: User, sendings: list[dict[str, Any]]) -> int:
    """Every message of these sendings ended, was charged once, and paid back once if it failed; how many failed."""
    stats = [item["stats"] for item in sendings]
    n, failed = sum(one["validSize"] for one in stats), sum(one["nOfFailed"] for one in stats)
    assert sum(one["nOfCompleted"] for one in stats) == n - failed
    assert sum(one["nOfRefunded"] for one in stats) == failed
    assert Decimal(ulak.balance(user=user)) == CREDIT - n + failed
    assert ulak.cli("audit")["clean"]
    return failed


@pytest.mark.parametrize("n", [2, 3])
def test_nodes_keep_one_limit_and_take_over_from_the_killed(carrier: Carrier, n: int) -> None:
    with ExitStack() as stack:
        port = stack.enter_context(apart(carrier))
        postgres = stack.enter_context(Postgres())
        ulak = stack.enter_context(Installation(database_url=postgres.dsn, **SETTINGS))
        ulak.cli("migrate")
        nodes = stack.enter_context(nodes_of(ulak))
        ulak.carrier("limited", port, window=WINDOW, throughput=PER_SECOND)
        service, user = ulak.service("BobSMS", "limited"), ulak.user("mark")
        ulak.credit(CREDIT, user=user)
        api = nodes.start("api,courier")
        links = [nodes.start("carriers") for _ in range(n)]
        http = stack.enter_context(client(api, user))
        messages = n * MESSAGES
        body = {"to": [f"90555{k:07d}" for k in range(messages)], "message": "x", "serviceId": service}
        started = time.monotonic()
        assert http.post("/sms-sendings/simple", json=body).status_code == 201
        seconds = []
        for k, node in enumerate(links[:-1], 1):
            left = messages - k * MESSAGES
            await_true(lambda left=left: listed(http)[0]["stats"]["nOfPending"] <= left, f"{left} left", 30)
            killed = time.monotonic()
            node.kill()
            seconds.append(taken_over(postgres, killed))
        await_true(lambda: listed(http)[0]["completed"], "all ended", 40)
        took = time.monotonic() - started
        sendings = listed(http)
        nodes.stop()

        assert sendings[0]["stats"]["validSize"] == messages
        assert len(carrier.copies) == messages
        twice = carrier.copies.total() - messages
        assert twice <= len(seconds) * WINDOW
        assert min(seconds) > LEASE_SECONDS / 2, "who was killed had nothing in hand"
        assert took < messages / PER_SECOND + len(seconds) * TAKEN_OVER_SECONDS_MAX + 3
        most = most_within(carrier.times, 1)
        assert most <= PER_SECOND * 1.1
        failed = assert_books(ulak, user, sendings)
        print(
            f"{n} nodes, {len(seconds)} killed: {messages} messages ended in {took:.1f} s, {failed} of them failed; "
            f"leases taken over after {', '.join(f'{one:.1f}' for one in seconds)} s; at most {most} in a second; "
            f"{twice} twice; {carrier.counters.resent} receipts sent again"
        )


def test_a_promoted_standby_has_everything_that_was_acknowledged(carrier: Carrier) -> None:
    with ExitStack() as stack:
        port = stack.enter_context(apart(carrier))
        primary = stack.enter_context(Postgres())
        standby = stack.enter_context(primary.standby("standby"))
        ulak = stack.enter_context(Installation(database_url=primary.dsn_with(standby), **SETTINGS))
        ulak.cli("migrate")
        nodes = stack.enter_context(nodes_of(ulak))
        ulak.carrier("simulated", port, window=WINDOW)
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
        http = stack.enter_context(client(apis[0], user))
        await_true(lambda: all(item["completed"] for item in listed(http)), "all ended", 40)
        ended = time.monotonic() - killed
        sendings = listed(http)
        nodes.stop()

        kept = {item["id"] for item in sendings}
        assert set(load.accepted) <= kept
        assert len(carrier.copies) == len(kept)
        twice = carrier.copies.total() - len(kept)
        assert twice <= 2 * WINDOW
        failed = assert_books(ulak, user, sendings)
        print(
            f"{len(load.accepted)} acknowledged, {len(kept)} kept, {len(load.failed)} not answered in {gone:.1f} s; "
            f"all ended after {ended:.1f} s, {failed} of them failed; {twice} twice; "
            f"{carrier.counters.resent} receipts sent again"
        )
