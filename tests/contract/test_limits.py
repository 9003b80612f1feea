"""Where settings differ: a rate limit and another base path; and a database that goes away and comes back."""

import math
import os
import signal
from collections.abc import Iterator
from dataclasses import dataclass

import httpx
import pytest

from tests.contract import NOBODY, SECRET, Caller, assert_discreet, assert_error, body_of, number
from tests.harness import Installation, await_true

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("contract")]

RATE, MANY = 3, 40


@dataclass(frozen=True)
class Limited:
    """An installation with a rate limit under another base path, and two of its users."""

    ulak: Installation
    busy: Caller
    calm: Caller


@pytest.fixture(scope="module")
def limited() -> Iterator[Limited]:
    """A server of its own, without a carrier: nothing here needs to be delivered."""
    with Installation(rate_per_second=RATE, base_path="/sms/api", log_level="debug") as ulak:
        ulak.start()
        ulak.carrier("absent", 1)
        busy, calm = ulak.user("busy"), ulak.user("calm")
        yield Limited(
            ulak,
            Caller(ulak, busy, None, ulak.as_user(busy)),
            Caller(ulak, calm, None, ulak.as_user(calm)),
        )


def burst(client: httpx.Client, path: str, **request: object) -> list[httpx.Response]:
    """Many requests as fast as they are answered."""
    return [client.request("GET", path, **request) for _ in range(MANY)]  # type: ignore[arg-type]


def test_a_base_path_of_its_own(limited: Limited) -> None:
    def under_it() -> httpx.Response:
        return limited.calm.client.get("/users/me")

    await_true(lambda: under_it().status_code == 200, "a free second")
    elsewhere = limited.ulak.client().get("/v1/users/me", headers={"x-api-key": limited.calm.user.key})
    assert_error(elsewhere, 404, "not_found")
    assert limited.ulak.client().get("/healthz").status_code == 200


def test_above_the_limit_a_key_is_told_when_to_come_back(limited: Limited) -> None:
    answers = burst(limited.busy.client, "/users/me")

    statuses = {answer.status_code for answer in answers}
    assert statuses == {200, 429}
    refused = next(answer for answer in answers if answer.status_code == 429)
    assert_error(refused, 429, "rate_limited")
    seconds = refused.headers["retry-after"]
    assert seconds.isascii()
    assert seconds.isdecimal()
    assert 1 <= int(seconds) <= math.ceil(MANY / RATE)
    await_true(lambda: limited.busy.client.get("/users/me").status_code == 200, "a free second")


def test_answers_tell_the_limit(limited: Limited) -> None:
    answers: list[httpx.Response] = []

    def free() -> bool:
        answers.append(limited.busy.client.get("/users/me"))
        return answers[-1].status_code == 200

    await_true(free, "a free second")
    answers += burst(limited.busy.client, "/users/me")

    assert {answer.status_code for answer in answers} == {200, 429}
    for answer in answers:
        assert answer.headers["ratelimit-limit"] == str(RATE)
        assert 0 <= int(answer.headers["ratelimit-remaining"]) < RATE
        assert answer.headers["ratelimit-reset"] == "1", (
            "a bucket is never further than a second from being full"
        )


def test_one_key_above_its_limit_does_not_hold_up_another(limited: Limited) -> None:
    await_true(lambda: limited.calm.client.get("/users/me").status_code == 200, "a free second")
    answers = burst(limited.busy.client, "/users/me")
    await_true(lambda: limited.calm.client.get("/users/me").status_code == 200, "the other key's turn", 1)

    assert answers[-1].status_code == 429


def test_429_stands_after_404_405_and_401(limited: Limited) -> None:
    client = limited.busy.client
    burst(client, "/users/me")

    assert {answer.status_code for answer in burst(client, "/nothing")} == {404}
    assert {client.put("/services").status_code for _ in range(MANY)} == {405}
    assert {answer.status_code for answer in burst(client, "/services", headers={"x-api-key": "no"})} == {401}


@pytest.mark.parametrize("org", ["no uuid", NOBODY])
def test_429_stands_before_x_org_id_and_the_body(limited: Limited, org: str) -> None:
    client = limited.busy.client
    await_true(lambda: client.get("/users/me").status_code == 200, "a free second")
    answers = [client.post("/sms-sendings", content=SECRET, headers={"x-org-id": org}) for _ in range(MANY)]

    codes = {answer.json()["error"]["code"] for answer in answers}
    assert "rate_limited" in codes
    assert codes <= {"rate_limited", "validation_failed", "organization_forbidden"}
    assert_discreet(limited.ulak, limited.busy.user.key)


def test_what_needs_no_key_has_no_limit(limited: Limited) -> None:
    client = limited.ulak.client()

    for path in ("/healthz", "/readyz"):
        assert {answer.status_code for answer in burst(client, path)} == {200}


def test_a_database_that_goes_away_is_503_and_comes_back_without_a_restart() -> None:
    with Installation(log_level="debug") as ulak:
        ulak.start()
        ulak.carrier("absent", 1)
        service, user = ulak.service("BobSMS", "absent"), ulak.user("mark")
        ulak.credit(1000, user=user)
        caller, outside, pid = Caller(ulak, user, None, ulak.as_user(user)), ulak.client(), ulak.pid
        kept = caller.send(service, number())

        os.kill(pid, signal.SIGSTOP)  # so that it starts no other one for as long as we look
        try:
            ulak.kill_postgres()
            answers = ask_until(caller, service, [503, 503])
            assert outside.get("/readyz").status_code == 503
        finally:
            os.kill(pid, signal.SIGCONT)
        answers += ask_until(caller, service, [200, 201])

        gone = [answer for answer in answers if answer.status_code == 503]
        assert {answer.request.method for answer in gone} == {"GET", "POST"}
        for answer in gone:
            assert_error(answer, 503, "unavailable")
            assert int(answer.headers["retry-after"]) >= 1
        assert {answer.status_code for answer in answers} <= {200, 201, 503}
        assert_discreet(ulak, user.key)
        assert outside.get("/healthz").status_code == outside.get("/readyz").status_code == 200
        listed = caller.sendings(limit=1000)
        accepted = {answer.json()["data"] for answer in answers if answer.status_code == 201}
        assert {item["id"] for item in listed["items"]} >= accepted | {kept}
        assert caller.credit() == 1000 - listed["total"]
        assert ulak.pid == pid
        ulak.cli("audit")


def ask_until(caller: Caller, service: str, statuses: list[int]) -> list[httpx.Response]:
    """Every answer from now on, until a list and then a send were answered so."""
    answers: list[httpx.Response] = []

    def asked() -> bool:
        answers.append(caller.client.get("/sms-sendings"))
        answers.append(caller.client.post("/sms-sendings", json=body_of("", service, SECRET)))
        return [answer.status_code for answer in answers[-2:]] == statuses

    await_true(asked, f"answers {statuses}", 60)
    return answers
