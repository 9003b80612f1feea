"""A storm, from a seed: the process that talks to the carrier is killed again and again in the middle of its work.

Nothing accepted may be lost, nothing may end or be paid for twice, and what reaches the carrier twice is bounded by
the windows that were open when the process died. The seed decides who sends what and when the process dies.
"""

import random
import time
from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal

import httpx
import pytest

from tests.harness import CarrierProcess, Installation, User, await_true
from tests.harness.process import Process

pytestmark = pytest.mark.slow

MESSAGES = 5000
KILLS = 5
WINDOW = 20
CREDIT = 6000


@pytest.fixture
def carrier() -> Iterator[CarrierProcess]:
    """Fails some, and takes at most so many a second that it can be killed in between."""
    with CarrierProcess(delay_ms=50, undelivered=8, expired=4, throttle=1000, seed=7) as process:
        yield process


@pytest.mark.parametrize(("seed", "unsure"), [(1, "resend"), (2, "refund")])
def test_every_message_ends_once_however_often_the_links_die(
    carrier: CarrierProcess, seed: int, unsure: str
) -> None:
    chance = random.Random(seed)
    with Installation(reconnect_seconds_max=1, lease_seconds=1) as ulak:
        ulak.start("--only=api,courier")
        ulak.carrier("simulated", carrier.port, window=WINDOW)
        service = ulak.service("Storm", "simulated", unsure=unsure)
        user = ulak.user("mark")
        ulak.credit(CREDIT, user=user)

        accepted = send_all(ulak.as_user(user), service, chance)
        for _ in range(KILLS):
            with links(ulak):
                await_more_taken(ulak, user, chance.randint(100, 600))
        with links(ulak) as last:
            sendings = await_all_completed(ulak.as_user(user))
            last.stop()
        counters = carrier.stop()

        stats = [item["stats"] for item in sendings]
        assert sum(one["validSize"] for one in stats) == accepted == MESSAGES
        failed = sum(one["nOfFailed"] for one in stats)
        assert sum(one["nOfRefunded"] for one in stats) == failed
        assert sum(one["nOfCompleted"] for one in stats) + failed == MESSAGES
        assert Decimal(ulak.balance(user=user)) == CREDIT - MESSAGES + failed
        ulak.cli("audit")
        print(f"seed {seed}, {unsure}: {counters}")
        if unsure == "resend":
            assert counters["distinct"] == MESSAGES
            assert counters["repeats"] <= KILLS * WINDOW
        else:
            assert counters["repeats"] == 0
            # in doubt are the window in flight, and the next one that was marked meanwhile
            assert counters["distinct"] >= MESSAGES - KILLS * 2 * WINDOW


def send_all(client: httpx.Client, service: str, chance: random.Random) -> int:
    """Single sends and bulks, each number once, so that the carrier can tell what comes twice."""
    accepted = 0
    while accepted < MESSAGES:
        size = min(chance.choice([1, 1, 1, 50, 700]), MESSAGES - accepted)
        numbers = [f"90555{accepted + n:07d}" for n in range(size)]
        path, to = ("", numbers[0]) if size == 1 else ("/simple", numbers)
        answer = client.post(
            f"/sms-sendings{path}", json={"to": to, "message": "A storm is coming.", "serviceId": service}
        )
        assert answer.status_code == 201, answer.text
        accepted += size
    return accepted


@contextmanager
def links(ulak: Installation) -> Iterator[Process]:
    """The process of the links, by itself; killed at the end, if it has not been stopped."""
    process = Process(["serve", "--only=carriers"], ulak.environment, ulak.log_path)
    try:
        yield process
    finally:
        process.kill()


def await_more_taken(ulak: Installation, user: User, more: int) -> None:
    """Wait until a carrier has taken so many more messages; then the process is in the middle of its work."""
    client = ulak.as_user(user)
    before = pending(client)
    await_true(lambda: pending(client) <= max(before - more, 0), f"{more} more taken", 60)


def pending(client: httpx.Client) -> int:
    """Messages that no carrier has taken."""
    return sum(int(item["stats"]["nOfPending"]) for item in listed(client))


def listed(client: httpx.Client) -> list[dict[str, dict[str, int]]]:
    """All sendings."""
    data = client.get("/sms-sendings", params={"limit": 1000}).json()["data"]
    assert data["totalPages"] == 1
    items: list[dict[str, dict[str, int]]] = data["items"]
    return items


def await_all_completed(client: httpx.Client) -> list[dict[str, dict[str, int]]]:
    """Wait until every sending is completed."""
    started = time.monotonic()
    await_true(lambda: all(item["completed"] for item in listed(client)), "all completed", 120)
    print(f"all ended {time.monotonic() - started:.1f} s after the last kill")
    return listed(client)
