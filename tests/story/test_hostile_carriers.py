"""Carriers that misbehave, each in its own way: every message ends once, and is paid for once."""

import time
from collections import Counter
from collections.abc import Iterator
from decimal import Decimal
from typing import Any, Final

import httpx
import pytest

from smpp.profiles import PROFILES
from tests.harness import CarrierProcess, Installation, await_true

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("hostile")]

MESSAGES: Final = 600
SINGLES: Final = 100
WINDOW: Final = 50
CREDIT: Final = 1000


@pytest.fixture(scope="module")
def ulak() -> Iterator[Installation]:
    settings = {"reconnect_seconds_max": 1, "lease_seconds": 2, "response_seconds": 10}
    with Installation(**settings) as installation:
        yield installation.start()
        installation.cli("audit")


@pytest.mark.parametrize("profile", list(PROFILES))
def test_every_message_ends_once_and_is_paid_for_once(ulak: Installation, profile: str) -> None:
    named = {"delay_ms": 20, "undelivered": 8, "expired": 4, "seed": 5, "profile": profile}
    with CarrierProcess(**named) as carrier:
        hex_ids = PROFILES[profile].hex_ids
        ulak.carrier(profile, carrier.port, window=WINDOW, message_ids="hex_to_dec" if hex_ids else "as_is")
        service, user = ulak.service(profile, profile), ulak.user(profile)
        ulak.credit(CREDIT, user=user)
        client = ulak.as_user(user)
        started = time.monotonic()

        send_all(client, service)
        sendings = await_true(lambda: completed(client), "all sendings completed", 120)
        seconds = time.monotonic() - started
        statuses = statuses_of(client, sendings)
        await_true(lambda: statuses_of(client, sendings) == statuses, "no second thoughts", 1)
        counters = carrier.stop()

    total: Counter[str] = Counter()
    for item in sendings:
        total += Counter({name: n for name, n in item["stats"].items() if isinstance(n, int)})
    failed = statuses["not_sent"] + statuses["no_signal"]
    assert statuses.total() == total["validSize"] == MESSAGES
    assert total["nOfCompleted"] == statuses["sent"]
    assert total["nOfFailed"] == total["nOfRefunded"] == failed
    assert Decimal(ulak.balance(user=user)) == CREDIT - MESSAGES + failed
    assert counters["repeats"] <= WINDOW * counters["dropped"]
    assert counters["distinct"] + failed >= MESSAGES  # what reached no carrier failed, and was paid back
    if not counters["dropped"]:
        assert counters["distinct"] + counters["refused"] >= MESSAGES
    ulak.cli("audit")
    print(
        f"\n| {profile} | {MESSAGES} | {statuses['sent']} | {failed} | {total['nOfRefunded']} "
        f"| {counters['repeats']} | {seconds:.1f} |"
    )


def send_all(client: httpx.Client, service: str) -> None:
    """A bulk, and single sends behind it."""
    numbers = [f"90555{n:06d}5" for n in range(MESSAGES)]
    body = {"message": "Hava durumu: fırtına.", "serviceId": service}
    bulk = client.post("/sms-sendings/simple", json=body | {"to": numbers[SINGLES:]})
    assert bulk.status_code == 201, bulk.text
    for number in numbers[:SINGLES]:
        assert client.post("/sms-sendings", json=body | {"to": number}).status_code == 201


def completed(client: httpx.Client) -> list[dict[str, Any]]:
    """All sendings, once all are completed."""
    items: list[dict[str, Any]] = client.get("/sms-sendings", params={"limit": 1000}).json()["data"]["items"]
    return items if all(item["completed"] for item in items) else []


def statuses_of(client: httpx.Client, sendings: list[dict[str, Any]]) -> Counter[str]:
    """How many messages are in which status."""
    statuses: Counter[str] = Counter()
    for item in sendings:
        answer = client.get(f"/sms-sendings/{item['id']}", params={"limit": 1000})
        statuses += Counter(message["status"] for message in answer.json()["data"]["items"])
    return statuses
