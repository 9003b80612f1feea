"""Restarts while customers send: by two that share a socket, by one alone, and to another version of the schema.

The socket is handed over as systemd does it: it belongs to none of the processes, and what comes while nobody accepts
waits in it. Customers keep their connections and try nothing twice, so that each failure would be seen.
"""

import asyncio
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import asyncpg
import httpx
import pytest

from tests.harness import CarrierProcess, Installation, User, await_true
from tests.harness.load import Load
from tests.harness.process import Process
from ulak.base.embedded.place import Place

pytestmark = pytest.mark.slow

CREDIT = 100_000
PRICE = 1
ENDS = ("validSize", "nOfPending", "nOfWaiting", "nOfCompleted", "nOfFailed", "nOfRefunded")


@pytest.fixture
def carrier() -> Iterator[CarrierProcess]:
    with CarrierProcess(delay_ms=20) as process:
        yield process


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    with socket.socket() as shared:
        shared.bind(("127.0.0.1", 0))
        shared.listen(2048)
        yield shared


class Shop:
    """An installation whose servers are started by hand, and a customer of it."""

    def __init__(self, ulak: Installation, listener: socket.socket, carrier: CarrierProcess) -> None:
        self.ulak, self._listener = ulak, listener
        self.port: int = listener.getsockname()[1]
        self.database = Process(["serve", "--only=courier"], ulak.environment, ulak.log_path)
        ulak.carrier("simulated", carrier.port, window=20)
        self.service = ulak.service("BobSMS", "simulated", PRICE, unsure="refund")
        self.user: User = ulak.user("mark")
        ulak.credit(CREDIT, user=self.user)

    def serve(self, only: str = "api,carriers,courier") -> Process:
        return Process(["serve", f"--only={only}"], self.ulak.environment, self.ulak.log_path, self._listener)

    def load(self) -> Load:
        return Load([self.port], self.user.key, self.service)

    def unusual(self) -> list[tuple[str, int]]:
        """What happened to messages besides the usual, by kind: unsure ones above all. Asked of the database, because
        the counters of a process end with it."""

        async def ask() -> list[tuple[str, int]]:
            sockets = Place.of(self.ulak.home / "data").sockets
            connection = await asyncpg.connect(f"postgresql://ulak@/ulak?host={sockets}&port=5432")
            try:
                rows = await connection.fetch("SELECT kind, count(*) FROM incidents GROUP BY kind")
                return [tuple(row) for row in rows]
            finally:
                await connection.close()

        return asyncio.run(ask())

    def ended(self) -> list[dict[str, Any]]:
        """Every sending, once all are completed."""
        headers = {"x-api-key": self.user.key}
        with httpx.Client(
            base_url=f"http://127.0.0.1:{self.port}/v1", headers=headers, trust_env=False
        ) as client:

            def look() -> list[dict[str, Any]]:
                items: list[dict[str, Any]] = []
                for page in range(100):
                    data = client.get("/sms-sendings", params={"limit": 1000, "page": page}).json()["data"]
                    if not all(item["completed"] for item in data["items"]):
                        return []
                    items += data["items"]
                    if page + 1 >= data["totalPages"]:
                        return items
                raise AssertionError("too many pages")

            return await_true(look, "all ended", 40)


@pytest.fixture
def shop(carrier: CarrierProcess, listener: socket.socket) -> Iterator[Shop]:
    with Installation(lease_seconds=2, reconnect_seconds_max=1) as ulak:
        made = Shop(ulak, listener, carrier)
        yield made
        made.database.stop()


def assert_nothing_lost(shop: Shop, load: Load, carrier: CarrierProcess) -> None:
    """Each message went once and was delivered; nothing was unsure, so nothing was paid back."""
    assert load.failed == []
    assert len(load.accepted) > 300
    sendings = shop.ended()
    assert sorted(item["id"] for item in sendings) == sorted(load.accepted)
    assert {name: total(sendings, name) for name in ENDS} == dict.fromkeys(ENDS, 0) | {
        "validSize": len(load.accepted),
        "nOfCompleted": len(load.accepted),
    }
    assert Decimal(shop.ulak.balance(user=shop.user)) == CREDIT - len(load.accepted) * PRICE
    assert shop.unusual() == []
    assert shop.ulak.cli("audit")["clean"]
    counters = carrier.stop()
    assert (counters["distinct"], counters["repeats"]) == (len(load.accepted), 0)


def total(sendings: list[dict[str, Any]], name: str) -> int:
    return sum(item["stats"][name] for item in sendings)


def test_a_rolling_restart_fails_no_request_and_leaves_nothing_unsure(
    shop: Shop, carrier: CarrierProcess
) -> None:
    first, second = shop.serve(), shop.serve()
    with shop.load() as load:
        for _ in range(2):
            time.sleep(1)
            first.stop()
            first = shop.serve()
            second.stop()
            second = shop.serve()
        time.sleep(1)
    assert_nothing_lost(shop, load, carrier)
    first.stop()
    second.stop()
    print(f"{len(load.accepted)} accepted, the slowest in {max(load.seconds) * 1000:.0f} ms")


@pytest.mark.parametrize("processes", ["1", "2"])
def test_a_restart_of_the_only_one_makes_customers_wait_and_fails_none(
    shop: Shop, carrier: CarrierProcess, processes: str
) -> None:
    shop.ulak.environment["ULAK_API_PROCESSES"] = processes
    only = shop.serve()
    with shop.load() as load:
        for _ in range(2):
            time.sleep(1)
            only.stop()
            only = shop.serve()
        time.sleep(1)
    assert_nothing_lost(shop, load, carrier)
    only.stop()
    print(f"{len(load.accepted)} accepted, the slowest in {max(load.seconds) * 1000:.0f} ms")


def test_a_proxy_is_told_before_the_socket_closes(shop: Shop, carrier: CarrierProcess) -> None:
    shop.ulak.environment["ULAK_NOTICE_SECONDS"] = "1.5"
    leaving = shop.serve()
    with (
        httpx.Client(base_url=f"http://127.0.0.1:{shop.port}", trust_env=False) as client,
        shop.load() as load,
    ):
        assert client.get("/readyz").status_code == 200
        os.kill(leaving.pid, signal.SIGTERM)
        await_true(lambda: client.get("/readyz").status_code == 503, "it says that it is leaving")
        n = len(load.accepted)
        await_true(lambda: len(load.accepted) > n + 20, "it goes on answering", 1)
    assert load.failed == []
    leaving.stop()


NEXT = """
ALTER TABLE users ADD COLUMN nickname text;
ALTER TABLE sendings ADD COLUMN campaign text;
CREATE TABLE campaigns (name text PRIMARY KEY);
"""


def test_the_schema_of_the_next_version_comes_while_this_one_serves(
    shop: Shop, carrier: CarrierProcess, tmp_path: Path
) -> None:
    import ulak

    shutil.copytree(Path(ulak.__file__).parent, tmp_path / "ulak")
    (tmp_path / "ulak/base/migrations/9999_next.sql").write_text(NEXT)
    newer = shop.ulak.environment | {"PYTHONPATH": str(tmp_path)}

    first, second = shop.serve(), shop.serve()
    with shop.load() as load:
        time.sleep(1)
        done = subprocess.run(
            [sys.executable, "-m", "ulak", "migrate", "--json"], env=newer, capture_output=True, check=True
        )
        assert b"9999_next" in done.stdout
        time.sleep(1)
        assert httpx.get(f"http://127.0.0.1:{shop.port}/readyz", trust_env=False).status_code == 200
        first.stop()
        shop.ulak.environment["PYTHONPATH"] = str(tmp_path)
        first = shop.serve()  # the next version, beside this one
        time.sleep(1)
        second.stop()
        time.sleep(1)
    del shop.ulak.environment["PYTHONPATH"]
    assert_nothing_lost(shop, load, carrier)
    first.stop()
