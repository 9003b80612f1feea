"""`Idempotency-Key`: a repeat gets the first answer and charges nothing; its scope; twins; what is not kept."""

import itertools
import json
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal

import httpx
import pytest

from tests.contract import (
    KINDS,
    NOBODY,
    SECRET,
    Caller,
    World,
    assert_error,
    body_of,
    bulk_of,
    data_of,
    number,
)

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("contract")]

_keys = itertools.count()


@pytest.fixture
def key() -> str:
    """A key no test has used."""
    return f"order-{next(_keys)}"


def content_of(kind: str, service: str, text: str = "Merhaba") -> bytes:
    return json.dumps(body_of(kind, service, text)).encode()


def post(caller: Caller | httpx.Client, kind: str, key: str, content: bytes) -> httpx.Response:
    client = caller.client if isinstance(caller, Caller) else caller
    headers = {"content-type": "application/json", "idempotency-key": key}
    return client.post(f"/sms-sendings{kind}", content=content, headers=headers)


def replayed(answer: httpx.Response) -> bool:
    assert answer.status_code == 201, answer.text
    said = answer.headers.get("idempotency-replayed")
    assert said in (None, "true")
    return said is not None


@pytest.mark.parametrize("kind", KINDS)
def test_a_repeat_gets_the_same_answer_and_charges_nothing(
    world: World, second: Caller, key: str, kind: str
) -> None:
    content = content_of(kind, world.services["BobSMS"])
    first = post(second, kind, key, content)
    after = second.sendings(limit=1)["total"], second.credit()

    repeats = [post(second, kind, key, content) for _ in range(3)]

    assert not replayed(first)
    assert all(replayed(answer) for answer in repeats)
    assert {answer.content for answer in repeats} == {first.content}
    assert {answer.headers["content-type"] for answer in repeats} == {first.headers["content-type"]}
    assert len({answer.headers["x-request-id"] for answer in (first, *repeats)}) == 4
    assert (second.sendings(limit=1)["total"], second.credit()) == after


@pytest.mark.parametrize("kind", KINDS)
def test_another_body_is_a_conflict(world: World, second: Caller, key: str, kind: str) -> None:
    first = content_of(kind, world.services["BobSMS"])
    data_of(post(second, kind, key, first), 201)

    for other in (content_of(kind, world.services["BobSMS"], SECRET), first + b" ", b" " + first):
        second.refused(
            *("POST", f"/sms-sendings{kind}", 409, "idempotency_conflict"),
            content=other,
            headers={"content-type": "application/json", "idempotency-key": key},
        )
    assert replayed(post(second, kind, key, first))


def test_the_scope_is_user_context_path_and_key(world: World, mark: Caller, key: str) -> None:
    service = world.services["BobSMS"]
    single, bulk = content_of("", service), content_of("/simple", service)
    callers = [
        mark,
        world.caller("kemal"),
        world.caller("mark", "Third"),
        world.caller("lale", "Third"),
        world.caller("ayse", "Second"),
    ]

    answers = [post(caller, "", key, single) for caller in callers]
    answers += [post(mark, "/simple", key, bulk), post(mark, "", key + "x", single)]
    answers += [post(mark, "", key.upper(), single)]

    assert not any(replayed(answer) for answer in answers)
    assert len({answer.content for answer in answers}) == len(answers)


def test_another_key_of_the_same_user_is_the_same_user(world: World, mark: Caller, key: str) -> None:
    content = content_of("", world.services["BobSMS"])
    first = post(mark, "", key, content)

    again = post(world.with_key(world.keys["second"]["key"]), "", key, content)

    assert replayed(again)
    assert again.content == first.content


@pytest.mark.parametrize("kind", KINDS)
def test_twins_at_once_become_one_sending(world: World, second: Caller, key: str, kind: str) -> None:
    content = content_of(kind, world.services["BobSMS"])
    total, credit = second.sendings(limit=1)["total"], second.credit()

    with ThreadPoolExecutor(12) as hands:
        answers = list(hands.map(lambda _: post(second, kind, key, content), range(12)))

    assert [replayed(answer) for answer in answers].count(False) == 1
    assert len({answer.content for answer in answers}) == 1
    assert second.sendings(limit=1)["total"] == total + 1
    assert credit - second.credit() == 1


def test_large_twins_at_once_become_one_sending(world: World, second: Caller, key: str) -> None:
    numbers = [f"90557{place:07}" for place in range(3_000)]
    content = json.dumps(bulk_of(world.services["TinySMS"], numbers)).encode()
    total, credit = second.sendings(limit=1)["total"], second.credit()

    with ThreadPoolExecutor(4) as hands:
        answers = list(hands.map(lambda _: post(second, "/simple", key, content), range(4)))

    assert [replayed(answer) for answer in answers].count(False) == 1
    assert len({answer.content for answer in answers}) == 1
    assert second.sendings(limit=1)["total"] == total + 1
    assert credit - second.credit() == Decimal("0.006")


def test_different_bodies_at_once_with_one_key_become_one_sending(
    world: World, second: Caller, key: str
) -> None:
    contents = [content_of("", world.services["BobSMS"]) for _ in range(8)]
    total, credit = second.sendings(limit=1)["total"], second.credit()

    with ThreadPoolExecutor(8) as hands:
        answers = list(hands.map(lambda content: post(second, "", key, content), contents))

    assert sorted(answer.status_code for answer in answers) == [201] + [409] * 7
    for answer in answers:
        if answer.status_code == 409:
            assert_error(answer, 409, "idempotency_conflict")
    assert second.sendings(limit=1)["total"] == total + 1
    assert credit - second.credit() == 1


# --- refusals are not kept


def test_a_refusal_is_not_kept(world: World, second: Caller, key: str) -> None:
    service = world.services["BobSMS"]
    refused = [
        (b"{", "malformed_json"),
        (b"{}", "validation_failed"),
        (content_of("", NOBODY), "service_not_found"),
        (json.dumps(body_of("", service, to="1234")).encode(), "no_valid_recipient"),
    ]
    for content, code in refused:
        assert post(second, "", key, content).json()["error"]["code"] == code

    assert not replayed(post(second, "", key, content_of("", service)))


def test_the_same_request_is_accepted_once_there_is_credit(world: World, key: str) -> None:
    poor, content = world.caller("poor"), content_of("", world.services["BobSMS"])
    assert_error(post(poor, "", key, content), 402, "insufficient_credit")

    world.ulak.credit(1, user=poor.user)
    first, again = post(poor, "", key, content), post(poor, "", key, content)
    other = post(poor, "", key, content_of("", world.services["BobSMS"]))

    assert not replayed(first)
    assert replayed(again)  # though nothing is left
    assert poor.credit() == 0
    assert_error(other, 409, "idempotency_conflict")  # not insufficient_credit


def test_a_repeat_after_the_service_fell_asleep_is_still_a_repeat(
    world: World, second: Caller, key: str
) -> None:
    content = content_of("", world.services["ThirdSMS"])
    first = post(second, "", key, content)

    world.ulak.cli("service", "set-state", "ThirdSMS", "inactive")
    try:
        again = post(second, "", key, content)
    finally:
        world.ulak.cli("service", "set-state", "ThirdSMS", "active")

    assert replayed(again)
    assert again.content == first.content


def test_who_may_no_longer_send_gets_no_replay(world: World, key: str) -> None:
    lale = world.caller("lale", "Third")
    content = content_of("", world.services["BobSMS"])
    data_of(post(lale, "", key, content), 201)

    world.ulak.cli("org", "add-member", "Third", "lale", "--permission", "organization.sms.read")
    try:
        repeat, other = post(lale, "", key, content), post(lale, "", key, content + b" ")
    finally:
        world.ulak.cli("org", "add-member", "Third", "lale")

    for answer in (repeat, other):
        assert "organization.sms.send" in assert_error(answer, 403, "permission_denied")["message"]


# --- the header itself


@pytest.mark.parametrize("length", [1, 255])
def test_a_key_of_1_to_255_characters(world: World, second: Caller, length: int) -> None:
    content = content_of("", world.services["BobSMS"])

    assert not replayed(post(second, "", "k" * length, content))
    assert replayed(post(second, "", "k" * length, content))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("key", ["", "k" * 256, "k" * 5000], ids=len)
def test_a_key_of_another_length(world: World, second: Caller, kind: str, key: str) -> None:
    second.refused(
        *("POST", f"/sms-sendings{kind}", 400, "validation_failed", ["idempotency-key"]),
        content=content_of(kind, world.services["BobSMS"], SECRET),
        headers={"content-type": "application/json", "idempotency-key": key},
    )


def test_reading_ignores_the_header(second: Caller) -> None:
    for path in ("/sms-sendings", "/services", "/users/me"):
        for key in ("", "k" * 256, "k"):
            answer = second.client.get(path, headers={"idempotency-key": key})

            assert answer.status_code == 200
            assert "idempotency-replayed" not in answer.headers


def test_without_a_key_two_equal_requests_are_two_sendings(world: World, second: Caller) -> None:
    body = body_of("", world.services["BobSMS"], to=number())

    made = {data_of(second.client.post("/sms-sendings", json=body), 201) for _ in range(2)}

    assert len(made) == 2
