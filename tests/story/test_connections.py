"""Connections, as an operator sees them: how many, of which kind, over TLS, how fast together, and how each stands."""

import socket
import time
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests import certificates
from tests.harness import CarrierProcess, CliFailed, Installation, User, await_completed, await_true
from tests.harness.process import Process

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("connections")]

_names = count()


@pytest.fixture(scope="module")
def ulak() -> Iterator[Installation]:
    with Installation(reconnect_seconds_max=1, sweep_seconds=1) as installation:
        yield installation.start()
        installation.cli("audit")


@pytest.fixture(scope="module")
def customer(ulak: Installation) -> User:
    user = ulak.user("mark")
    ulak.credit(100_000, user=user)
    return user


Send = Callable[[str, int], dict[str, Any]]


@pytest.fixture
def send(ulak: Installation, customer: User) -> Send:
    """Send so many messages over a carrier, until all are completed; returns the sending."""

    def work(carrier: str, n: int) -> dict[str, Any]:
        client = ulak.as_user(customer)
        service = ulak.service(f"S{next(_names)}", carrier)
        return await_completed(client, sent(client, service, n), 60)

    return work


def sent(client: httpx.Client, service: str, n: int) -> str:
    body = {"message": "merhaba", "serviceId": service, "to": [f"90555{k:06d}7" for k in range(n)]}
    answer = client.post("/sms-sendings/simple", json=body)
    assert answer.status_code == 201, answer.text
    return str(answer.json()["data"])


def link(ulak: Installation, name: str) -> dict[str, Any]:
    """How a carrier stands."""
    [found] = [one["link"] for one in ulak.cli("carrier", "list") if one["name"] == name]
    return dict(found)


def carrier(ulak: Installation, port: int, **options: object) -> str:
    name = f"c{next(_names)}"
    ulak.carrier(name, port, **options)
    return name


def test_several_connections_share_the_work(ulak: Installation, send: Send) -> None:
    with CarrierProcess(delay_ms=10) as process:
        name = carrier(ulak, process.port, connections=3)
        await_true(lambda: link(ulak, name)["bound"] == 3, "three are bound")

        assert send(name, 1000)["stats"]["nOfCompleted"] == 1000
        counters = process.stop()

    assert (counters["connections_max"], counters["binds"]) == (3, 3)
    assert (counters["distinct"], counters["repeats"]) == (1000, 0)


def test_a_transmitter_and_a_receiver(ulak: Installation, send: Send) -> None:
    with CarrierProcess(delay_ms=10) as process:
        name = carrier(ulak, process.port, bind="pair")

        assert send(name, 200)["stats"]["nOfCompleted"] == 200
        counters = process.stop()

    assert (counters["binds"], counters["acknowledged"], counters["repeats"]) == (2, 200, 0)


@pytest.fixture
def certificate(tmp_path: Path) -> tuple[Path, Path]:
    """(certificate, key) of localhost, signed by itself."""
    return certificates.make(tmp_path, "cert", "/CN=localhost", "subjectAltName=DNS:localhost,IP:127.0.0.1")


def test_tls_is_verified_unless_somebody_says_otherwise(
    ulak: Installation, send: Send, certificate: tuple[Path, Path]
) -> None:
    cert, key = certificate
    with CarrierProcess(delay_ms=10, tls_cert=str(cert), tls_key=str(key)) as process:
        trusted = carrier(ulak, process.port, tls="verified", tls_ca=cert)
        unverified = carrier(ulak, process.port, tls="unverified")
        unknown = carrier(ulak, process.port, tls="verified")
        for name in (trusted, unverified):  # one customer's receipts come on any of its connections
            ulak.cli("carrier", "set", name, "--system-id", name)

        assert send(trusted, 10)["stats"]["nOfCompleted"] == 10
        assert send(unverified, 10)["stats"]["nOfCompleted"] == 10
        await_true(lambda: link(ulak, unknown)["state"] == "unreachable", "the unknown is refused")
        found = link(ulak, unknown)

    assert found["alarm"]
    assert "certificate" in found["reason"].lower()
    with pytest.raises(CliFailed) as failed:
        ulak.cli("carrier", "set", trusted, "--tls-ca", key)
    assert "PEM" in failed.value.stderr


def test_how_a_carrier_stands_is_told_in_words(ulak: Installation) -> None:
    with CarrierProcess(password="right") as process, socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        refused = carrier(ulak, process.port)
        nobody = carrier(ulak, free.getsockname()[1])
        fine = carrier(ulak, process.port)
        ulak.cli("carrier", "set", fine, "--password", "right")
        await_true(lambda: link(ulak, fine)["state"] == "bound", "bound")
        await_true(lambda: link(ulak, refused)["state"] == "refused", "refused")

        found = link(ulak, refused)
        assert found["alarm"]
        assert "0x0E" in found["reason"]
        assert "password" in found["reason"]
        assert found["since"] < time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
        assert [link(ulak, nobody)[key] for key in ("state", "alarm", "bound")] == ["unreachable", True, 0]
        assert [link(ulak, fine)[key] for key in ("alarm", "reason", "bound")] == [False, None, 1]
        ulak.cli("carrier", "set", refused, "--state", "paused")
        assert [link(ulak, refused)[key] for key in ("state", "alarm")] == ["paused", False]


def test_without_a_server_nobody_attends_to_them() -> None:
    with Installation() as installation:
        installation.carrier("main", 1)

        found = link(installation, "main")

    assert (found["state"], found["alarm"]) == ("unattended", True)
    assert "ulak serve" in found["reason"]


@pytest.mark.parametrize(("meaning", "events"), [("retry", {"retried", "moved"}), ("refuse", {"refused"})])
def test_an_answer_means_what_the_operator_says(
    ulak: Installation, customer: User, meaning: str, events: set[str]
) -> None:
    with CarrierProcess(answer="0x0401") as odd, CarrierProcess(delay_ms=10) as second:
        names = [carrier(ulak, odd.port, statuses=f"0x0401={meaning}"), carrier(ulak, second.port)]
        service = f"S{next(_names)}"
        made = ulak.cli(
            *("service", "create", service, "--price", 1, "--currency", "USD"),
            *("--carrier", names[0], "--carrier", names[1]),
        )
        client = ulak.as_user(customer)
        sending = sent(client, made["id"], 1)
        await_completed(client, sending)
        [message] = client.get(f"/sms-sendings/{sending}").json()["data"]["items"]
        happened = {event["event"] for event in ulak.cli("message", "show", message["id"])["events"]}

    assert events <= happened
    assert message["status"] == ("sent" if meaning == "retry" else "not_sent")
    with pytest.raises(CliFailed) as failed:
        ulak.cli("carrier", "set", names[0], "--statuses", "nonsense")
    assert "0x0401=retry" in failed.value.stderr


def test_one_limit_for_all_connections_of_all_processes(
    ulak: Installation, customer: User, tmp_path: Path
) -> None:
    second = Process(["serve", "--only=carriers"], ulak.environment, tmp_path / "second.log")
    try:
        with CarrierProcess(delay_ms=10) as process:
            name = carrier(ulak, process.port, throughput=100, connections=2)
            await_true(lambda: link(ulak, name)["bound"] == 4, "two in each process are bound", 30)
            client = ulak.as_user(customer)
            service = ulak.service(f"S{next(_names)}", name)
            started = time.monotonic()
            found = await_completed(client, sent(client, service, 800), 60)
            took = time.monotonic() - started
            counters = process.stop()
    finally:
        second.stop()

    assert found["stats"]["nOfCompleted"] == 800
    assert (counters["connections_max"], counters["repeats"]) == (4, 0)
    assert counters["submits_per_second_max"] <= 112
    assert took >= 800 / 112
