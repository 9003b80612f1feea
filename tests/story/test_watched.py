"""Watching whole installations: metrics of every process, traces across them, logs that keep secrets, a slow stop."""

import json
import os
import re
import signal
import socket
import threading
import time
from dataclasses import dataclass, field
from typing import Any

import httpx
import pyotp
import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.harness import CarrierProcess, Installation, User, await_completed, await_true
from tests.harness.collector import Collector, Span
from tests.story.test_processes import workers
from ulak.admin.entrance import NOBODYS_NAME

pytestmark = pytest.mark.slow

TEXT = "A very secret text 4711"
PASSWORD = "correct horse battery staple"
WRONG = "wrong password", "A password in the wrong field"


def samples(ulak: Installation) -> dict[tuple[str, str], float]:
    """The sums of all samples, by name and process ('': none)."""
    found: dict[tuple[str, str], float] = {}
    with ulak.client() as client:
        text = client.get("/metrics").text
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            key = sample.name, sample.labels.get("process", "")
            found[key] = found.get(key, 0) + sample.value
    return found


def send(ulak: Installation, user: User, service: str, numbers: list[str], **more: Any) -> str:
    with ulak.as_user(user) as client:
        body = {"serviceId": service, "message": TEXT, "to": numbers} | more
        answer = client.post("/sms-sendings/simple", json=body)
        assert answer.status_code == 201, answer.text
        await_completed(client, answer.json()["data"])
    return str(answer.json()["data"])


def test_every_process_is_in_the_metrics_and_one_that_died_comes_back() -> None:
    with CarrierProcess(delay_ms=20) as carrier, Installation(api_processes=2, carrier_processes=2) as ulak:
        ulak.start()
        ulak.carrier("simulated", carrier.port)
        service, user = ulak.service("Plain", "simulated"), ulak.user("mark")
        ulak.credit(100, user=user)
        for _ in range(3):
            send(ulak, user, service, [f"9055{n:08d}" for n in range(10)])

        seen = samples(ulak)
        names = {"api-1", "api-2", "carriers-1", "carriers-2"}
        assert {process for _, process in seen} == names | {""}
        assert seen["ulak_processes", ""] == 4
        assert sum(seen["ulak_messages_accepted_total", name] for name in names) == 30
        assert sum(seen.get(("ulak_submit_seconds_count", name), 0) for name in names) == 30
        assert sum(seen.get(("ulak_messages_ended_total", name), 0) for name in names) == 30
        assert sum(seen.get(("ulak_window_in_use", name), 0) for name in names) == 0
        assert (seen["ulak_links", ""], seen["ulak_links_bound", ""]) == (2, 2)
        started = seen["process_start_time_seconds", "carriers-2"]

        os.kill(next(pid for pid, roles in workers(ulak).items() if roles == "carriers"), signal.SIGKILL)

        def again() -> dict[tuple[str, str], float] | None:
            now = samples(ulak)
            begun = now.get(("process_start_time_seconds", "carriers-2"), 0)
            return now if begun > started else None

        after = await_true(again, "carriers-2 in the metrics again")
        assert after
        assert after["ulak_processes", ""] == 4
        assert {process for _, process in after} == names | {""}


def test_a_machine_without_the_api_can_be_watched_too() -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    with Installation(metrics_port=port, carrier_processes=2) as ulak:
        ulak.start("--only=carriers,courier")
        url = f"http://127.0.0.1:{port}"
        await_true(lambda: ready(url), "/readyz says 200")
        told = await_true(lambda: both(url), "both processes in the metrics")
        assert "ulak_messages_ended_total" in told
        assert httpx.get(f"{url}/v1/services").status_code == 404
        assert httpx.get(f"{url}/panel/sign-in").status_code == 404


def both(url: str) -> str:
    told = httpx.get(f"{url}/metrics").text
    return told if "ulak_processes 2.0" in told else ""


def ready(url: str) -> bool:
    try:
        return httpx.get(f"{url}/readyz").status_code == 200
    except httpx.TransportError:
        return False


@pytest.mark.parametrize("processes", [1, 2])
def test_a_stopping_server_says_so_and_goes_on_answering(processes: int) -> None:
    with Installation(notice_seconds=2, api_processes=processes) as ulak:
        ulak.start()
        url = ulak.url
        stopping = threading.Thread(target=ulak.stop)
        stopping.start()
        try:
            await_true(lambda: httpx.get(f"{url}/readyz").status_code == 503, "/readyz says 503", 2)
            answer = httpx.get(f"{url}/readyz")
            assert answer.json() == {"ready": False, "reason": "stopping"}
            assert httpx.get(f"{url}/healthz").status_code == 200
            assert httpx.get(f"{url}/v1/services").status_code == 401
        finally:
            stopping.join()


def test_traces_of_a_sending_come_together_from_all_processes() -> None:
    with (
        Collector() as collector,
        CarrierProcess(delay_ms=20) as carrier,
        Installation(otlp_endpoint=collector.endpoint) as ulak,
    ):
        ulak.start()
        ulak.carrier("simulated", carrier.port)
        service, user = ulak.service("Plain", "simulated"), ulak.user("mark")
        ulak.credit(100, user=user)
        numbers = ["905550000000", "905550000901"]  # the second is reported undelivered
        sending = send(ulak, user, service, numbers)
        spans = await_true(lambda: collector.spans if len(collector.spans) >= 5 else [], "five spans")
        ulak.stop()

    assert {span.trace for span in spans} == {sending.replace("-", "")}
    assert [span.name for span in spans].count("accept") == 1
    [accept] = [span for span in spans if span.name == "accept"]
    submits = {span.id: span for span in spans if span.name == "submit"}
    receipts = [span for span in spans if span.name == "receipt"]
    assert (accept.parent, accept.process, accept.attributes["ulak.messages"]) == ("", "api-1", 2)
    assert re.fullmatch(r"[\w-]{36}", accept.attributes["ulak.request"])
    assert len(submits) == len(receipts) == 2
    assert all(span.parent == accept.id and span.process == "carriers-1" for span in submits.values())
    assert {span.parent for span in receipts} == set(submits)
    assert [span.failed for span in receipts].count(True) == 1
    assert all(told_well(span, submits) for span in receipts)
    for body in collector.bodies:
        assert not any(secret.encode() in body for secret in (*numbers, TEXT, user.key))


def told_well(receipt: Span, submits: dict[str, Span]) -> bool:
    submit = submits[receipt.parent]
    same = receipt.attributes["ulak.message"] == submit.attributes["ulak.message"]
    return same and submit.starts <= submit.ends <= receipt.ends


def test_a_collector_that_is_away_is_nobodys_problem() -> None:
    with (
        CarrierProcess(delay_ms=20) as carrier,
        Installation(otlp_endpoint="http://127.0.0.1:9", trace_share=1) as ulak,
    ):
        ulak.start()
        ulak.carrier("simulated", carrier.port)
        service, user = ulak.service("Plain", "simulated"), ulak.user("mark")
        ulak.credit(100, user=user)
        send(ulak, user, service, ["905550000000"])
        started = time.monotonic()
        ulak.stop()
        assert time.monotonic() - started < 20


def test_the_logs_of_a_whole_story_keep_secrets() -> None:
    """All levels: every kind of send, refusals, a sign-in, a carrier that refuses, breaks and comes back."""
    numbers = [f"90555{n:07d}" for n in range(1234567, 1234587)]
    with (
        CarrierProcess(delay_ms=10) as good,
        CarrierProcess(answer="0x0A") as bad,
        Installation(log_level="debug", log_format="json", secure_cookies="off") as ulak,
    ):
        ulak.start()
        ulak.carrier("good", good.port)
        ulak.carrier("bad", bad.port)
        ulak.carrier("away", 9, password="sEcr3tpw")
        services = [ulak.service("Plain", "good"), ulak.service("Refused", "bad")]
        user = ulak.user("mark")
        ulak.cli("user", "set-password", "mark", "--password-stdin", stdin=PASSWORD + "\n")
        ulak.credit(100, user=user)
        for service in services:
            send(ulak, user, service, numbers[:10])
        ask_for_trouble(ulak, user, services[0], numbers)
        typed = come_in(ulak)
        good.kill()
        await_true(lambda: "link_lost" in ulak.log, "the link is lost")
        os.kill(next(pid for pid, roles in workers(ulak).items() if roles == "api"), signal.SIGKILL)
        ulak.kill_postgres()
        await_true(lambda: "database_unreachable" in ulak.log or "database_restarted" in ulak.log, "outage")
        ulak.stop()
        log = ulak.log

    secrets = [user.key, PASSWORD, TEXT, "secret text", "sEcr3tpw", *WRONG, *typed.secrets, *numbers]
    secrets += [number.removeprefix("90") for number in numbers]
    assert [secret for secret in secrets if secret in log] == []
    assert [code for code in typed.codes if re.search(rf"(?<![\w.]){code}(?!\w)", log)] == []
    read_as_json(log)


def ask_for_trouble(ulak: Installation, user: User, service: str, numbers: list[str]) -> None:
    """Requests of all kinds, most of them refused."""
    with ulak.as_user(user) as client:
        one = {"serviceId": service, "message": TEXT, "to": numbers[0]}
        named = {"x-request-id": "story-1", "idempotency-key": "k"}
        assert client.post("/sms-sendings", json=one, headers=named).status_code == 201
        assert client.post("/sms-sendings", json=one | {"message": "x"}, headers=named).status_code == 409
        many = {"serviceId": service, "messages": [{"to": number, "message": TEXT} for number in numbers]}
        assert client.post("/sms-sendings/advanced", json=many).status_code == 201
        assert client.post("/sms-sendings", json=one | {"to": 5}).status_code == 400
        assert client.post("/sms-sendings", content=TEXT.encode()).status_code == 415
        assert client.get(f"/sms-sendings?to={numbers[0]}").status_code in (200, 400)
    with ulak.client() as client:
        assert client.get("/v1/services", headers={"x-api-key": user.key + "x"}).status_code == 401


@dataclass
class Typed:
    """What somebody typed or was given that no log may hold."""

    secrets: list[str] = field(default_factory=list)
    codes: list[str] = field(default_factory=list)


def come_in(ulak: Installation) -> Typed:
    """Sign in, with what is wrong and with what is right, without a second factor and with one."""
    typed = Typed()
    with ulak.client() as client:

        def send(path: str, page: str = "/panel/sign-in", **fields: str) -> httpx.Response:
            token = form_token(client.get(page))
            answer = client.post(path, data={"csrf": token, **fields})
            typed.secrets += [token, *client.cookies.values()]
            return answer

        for name, password in (("mark", WRONG[0]), (WRONG[1], PASSWORD)):
            assert send("/panel/sign-in", name=name, password=password).status_code == 401
        assert send("/panel/sign-in", name="mark", password=PASSWORD).status_code == 303
        begun = send("/panel/account/second-factor", "/panel/account")
        assert begun.status_code == 200
        secret = str(re.findall(r'class="key">([A-Z2-7]{32})<', begun.text)[0])
        totp = pyotp.TOTP(secret)
        typed.secrets.append(secret)
        typed.codes += [totp.at(time.time()), totp.at(time.time() + 30), "000000"]
        confirmed = send("/panel/account/second-factor/confirm", "/panel/account", code=typed.codes[0])
        assert confirmed.status_code == 303
        assert send("/panel/sign-out", "/panel/account").status_code == 303
        assert send("/panel/sign-in", name="mark", password=PASSWORD).status_code == 303
        assert send("/panel/sign-in/code", "/panel/sign-in/code", code=typed.codes[2]).status_code == 401
        assert send("/panel/sign-in/code", "/panel/sign-in/code", code=typed.codes[1]).status_code == 303
    assert len(set(typed.secrets)) > 6
    return typed


def form_token(page: httpx.Response) -> str:
    """What a form of this page has to bring along."""
    return str(re.findall(r'name="csrf" value="([^"]+)"', page.text)[0])


def read_as_json(log: str) -> None:
    """Every line can be read by a machine; those of a request name it, those of a message too."""
    lines = [json.loads(line) for line in log.splitlines() if line.strip()]
    assert all({"event", "level", "timestamp"} <= line.keys() for line in lines)
    events = {line["event"] for line in lines}
    assert {"serving", "bound", "accepted", "answered", "turned_away", "link_lost"} <= events
    assert {"signed_in", "sign_in_failed", "code_failed"} <= events
    assert [line["who"] for line in lines if line["event"] == "sign_in_failed"] == ["mark", NOBODYS_NAME]
    assert all(line.get("request_id") for line in lines if line["event"] in ("accepted", "answered"))
    assert all(line.get("message") for line in lines if line["event"] in ("refused", "turned_away"))
    assert any(line.get("request_id") == "story-1" for line in lines)
    [serving] = [line for line in lines if line["event"] == "serving"]
    assert serving["processes"] == {"api-1": "api", "carriers-1": "carriers,courier"}
    assert serving["version"]
