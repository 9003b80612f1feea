"""Trouble an operator meets: carriers down, processes killed, stops in the middle, changes while it runs."""

import socket
import threading
import time
from collections.abc import Iterator
from decimal import Decimal
from typing import Final

import httpx
import pytest

from tests.harness import CarrierProcess, Installation, User, await_completed, await_true

pytestmark = pytest.mark.slow

CREDIT: Final = 10_000
NUMBER: Final = "905551112233"
EFFECT_SECONDS: Final = 2.0
READY_SECONDS: Final = 60


@pytest.fixture
def carrier() -> Iterator[CarrierProcess]:
    with CarrierProcess(delay_ms=20) as process:
        yield process


@pytest.fixture
def ulak() -> Iterator[Installation]:
    with Installation(reconnect_seconds_max=1, lease_seconds=2) as installation:
        yield installation.start()


def customer(ulak: Installation) -> User:
    """Somebody with credit."""
    user = ulak.user("mark")
    ulak.credit(CREDIT, user=user)
    return user


def send(client: httpx.Client, service: str, to: str | list[str] = NUMBER) -> str:
    """One text, to one number or to many; returns the sending's id."""
    path = "/sms-sendings" if isinstance(to, str) else "/sms-sendings/simple"
    answer = client.post(path, json={"to": to, "message": "Merhaba", "serviceId": service})
    assert answer.status_code == 201, answer.text
    return str(answer.json()["data"])


def numbers(n: int) -> list[str]:
    """Different numbers that the carrier delivers to."""
    return [f"90555{number:06d}5" for number in range(n)]


def stats(client: httpx.Client, sending: str) -> dict[str, int]:
    """The sending's counters."""
    items = client.get("/sms-sendings", params={"limit": 1000}).json()["data"]["items"]
    found: dict[str, int] = next(item["stats"] for item in items if item["id"] == sending)
    return found


def await_pending(client: httpx.Client, sending: str, at_most: int) -> None:
    """Wait until no more than so many wait for a carrier, but some still do."""
    seen = await_true(
        lambda: (n := stats(client, sending)["nOfPending"]) <= at_most and [n], f"{at_most} pending", 60
    )
    assert seen != [0]


def test_an_unreachable_carrier_keeps_messages_pending_and_gets_them_when_it_is_there(
    ulak: Installation,
) -> None:
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))  # bound and not listening: connections are refused
        port = nobody.getsockname()[1]
        ulak.carrier("late", port)
        service, user = ulak.service("BobSMS", "late"), customer(ulak)
        client = ulak.as_user(user)
        sending = send(client, service, numbers(100))
        await_true(lambda: "carrier_unreachable" in ulak.log, "a refused connection")
        assert stats(client, sending)["nOfPending"] == 100

    with CarrierProcess(port=port, delay_ms=20) as carrier:
        assert await_completed(client, sending)["stats"]["nOfCompleted"] == 100
        assert carrier.stop()["distinct"] == 100
    ulak.cli("audit")


def test_a_carrier_that_dies_and_comes_back_gets_what_it_did_not_take(ulak: Installation) -> None:
    carrier = CarrierProcess(delay_ms=20, throttle=300)
    ulak.carrier("weak", carrier.port, window=10)
    service, user = ulak.service("BobSMS", "weak"), customer(ulak)
    client = ulak.as_user(user)
    sending = send(client, service, numbers(600))
    await_true(lambda: stats(client, sending)["nOfCompleted"] > 50, "some delivered")
    carrier.kill()
    done = stats(client, sending)["nOfCompleted"]

    with CarrierProcess(port=carrier.port, delay_ms=20):
        # What the dead carrier took and did not report on waits for its receipts.
        await_true(lambda: stats(client, sending)["nOfPending"] == 0, "all taken", 60)
        assert stats(client, sending)["nOfCompleted"] >= done
    ulak.cli("audit")


@pytest.mark.parametrize("with_database", [False, True])
def test_after_a_sigkill_the_next_serve_is_ready_soon_and_ends_what_was_accepted(
    ulak: Installation, carrier: CarrierProcess, with_database: bool
) -> None:
    ulak.carrier("simulated", carrier.port, window=10)
    service, user = ulak.service("BobSMS", "simulated"), customer(ulak)
    accepted: list[str] = []
    enough = threading.Event()

    def keep_sending(client: httpx.Client) -> None:
        try:
            for n in range(CREDIT):
                try:
                    accepted.append(send(client, service, f"90555{n:06d}5"))
                except AssertionError as refused:
                    if with_database and "unavailable" in str(refused):
                        return  # the database died first
                    raise
                if len(accepted) >= 100:
                    enough.set()
        except httpx.HTTPError:
            return  # the server died: this one was not answered

    sender = threading.Thread(target=keep_sending, args=(ulak.as_user(user),))
    sender.start()
    assert enough.wait(30)
    if with_database:
        ulak.kill_postgres()
    ulak.kill()
    sender.join(30)
    started = time.monotonic()
    ulak.start()
    assert time.monotonic() - started < READY_SECONDS

    client = ulak.as_user(user)

    def all_ended() -> list[dict[str, str]]:
        items: list[dict[str, str]] = []
        for page in range(20):
            data = client.get("/sms-sendings", params={"limit": 1000, "page": page}).json()["data"]
            items += data["items"]
            if page + 1 >= data["totalPages"]:
                break
        return items if all(item["completed"] for item in items) else []

    items = await_true(all_ended, "all sendings completed", 60)
    assert set(accepted) <= {item["id"] for item in items}
    assert Decimal(ulak.balance(user=user)) == CREDIT - len(items)
    ulak.cli("audit")


def test_a_stop_in_the_middle_of_a_bulk_leaves_nothing_unsure(ulak: Installation) -> None:
    with CarrierProcess(delay_ms=200, throttle=500) as carrier:
        ulak.carrier("simulated", carrier.port, window=50)
        service, user = ulak.service("BobSMS", "simulated", unsure="refund"), customer(ulak)
        sending = send(ulak.as_user(user), service, numbers(2000))
        for left in (1600, 1000):
            await_pending(ulak.as_user(user), sending, left)
            ulak.stop()
            ulak.start()
        ended = await_completed(ulak.as_user(user), sending, 60)["stats"]
        counters = carrier.stop()

    assert ended["nOfCompleted"] == counters["distinct"] == 2000
    assert counters["repeats"] == 0
    ulak.cli("audit")


def test_what_an_operator_changes_takes_effect_without_a_restart(
    ulak: Installation, carrier: CarrierProcess
) -> None:
    user = customer(ulak)
    client = ulak.as_user(user)

    def services() -> dict[str, str]:
        return {item["name"]: item["unitPrice"] for item in client.get("/services").json()}

    ulak.carrier("simulated", carrier.port)
    service = ulak.service("BobSMS", "simulated", "1")
    await_true(lambda: services() == {"BobSMS": "1.000000"}, "the service", EFFECT_SECONDS)
    await_completed(client, send(client, service), 5)

    ulak.cli("price", "add", "--service=BobSMS", "--user=mark", "--kind=percent", "--value=-25")
    await_true(lambda: services() == {"BobSMS": "0.750000"}, "the price", EFFECT_SECONDS)
    ulak.cli("service", "set-state", "BobSMS", "inactive")
    await_true(lambda: services() == {}, "the service gone", EFFECT_SECONDS)
    ulak.cli("service", "set-state", "BobSMS", "active")
    await_true(lambda: services() == {"BobSMS": "0.750000"}, "the service back", EFFECT_SECONDS)
    ulak.cli("key", "revoke", user.key_id)
    await_true(lambda: client.get("/users/me").status_code == 401, "the key gone", EFFECT_SECONDS)


def test_a_code_overtakes_somebody_elses_bulk(ulak: Installation, carrier: CarrierProcess) -> None:
    ulak.carrier("narrow", carrier.port, throughput=100)
    service, busy, urgent = ulak.service("BobSMS", "narrow"), customer(ulak), ulak.user("lale")
    ulak.credit(10, user=urgent)
    bulk = send(ulak.as_user(busy), service, numbers(2000))
    await_true(lambda: stats(ulak.as_user(busy), bulk)["nOfCompleted"] > 0, "the bulk on its way")

    await_completed(ulak.as_user(urgent), send(ulak.as_user(urgent), service), 5)

    assert stats(ulak.as_user(busy), bulk)["nOfPending"] > 1000
