"""The shapes of CONTRACT.md, word by word: keys and their order, types, formats, status codes, envelope."""

import re

import pytest

from tests.contract import (
    KINDS,
    MESSAGE_KEYS,
    SENDING_KEYS,
    SIX_DECIMALS,
    TIME,
    UUID,
    Caller,
    World,
    assert_page,
    assert_stats,
    body_of,
    data_of,
    number,
)

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("contract")]


def test_users_me_is_the_owner_of_the_key(world: World, mark: Caller) -> None:
    me = data_of(mark.client.get("/users/me"))

    user = world.users["mark"]
    assert list(me) == ["id", "username", "email", "createdAt"]
    assert me == {
        "id": user.id,
        "username": "mark",
        "email": "mark@example.com",
        "createdAt": user.created_at,
    }
    assert UUID.fullmatch(me["id"])
    assert TIME.fullmatch(me["createdAt"])


def test_organizations_of_the_owner(world: World, member: Caller) -> None:
    found = data_of(member.client.get("/users/me/organizations"))

    assert {item["name"] for item in found} == {"Main Organization", "Second", "Closed"}
    for item in found:
        assert list(item) == ["id", "name", "state", "memberCredit", "permissions"]
        assert item["id"] == world.orgs[item["name"]].id
        assert UUID.fullmatch(item["id"])
        assert SIX_DECIMALS.fullmatch(item["memberCredit"])
        assert item["state"] is (item["name"] != "Closed")


def test_permissions_are_listed_as_the_contract_writes_them(world: World) -> None:
    def permissions(username: str, org: str) -> list[str]:
        listed = data_of(world.caller(username).client.get("/users/me/organizations"))
        return next(item["permissions"] for item in listed if item["name"] == org)

    everything = ["organization.sms.read", "organization.sms.send", "organization.users.read"]
    assert permissions("ayse", "Main Organization") == everything
    assert permissions("lale", "Third") == everything[:2]
    assert permissions("reader", "Main Organization") == everything[:1]
    assert permissions("writer", "Main Organization") == everything[1:2]
    assert permissions("onlooker", "Main Organization") == everything[2:]


def test_member_credit_is_the_members_own_share(world: World) -> None:
    def shown(username: str) -> str:
        listed = data_of(world.caller(username).client.get("/users/me/organizations"))
        return str(next(item["memberCredit"] for item in listed if item["name"] == "Main Organization"))

    assert (shown("reader"), shown("onlooker")) == ("7.000000", "0.000000")


def test_a_user_without_organizations_gets_an_empty_list(world: World) -> None:
    assert data_of(world.caller("kemal").client.get("/users/me/organizations")) == []


def test_services_are_a_bare_array_of_the_active_ones(world: World, mark: Caller) -> None:
    answer = mark.client.get("/services")

    services = answer.json()
    assert answer.status_code == 200
    assert isinstance(services, list)
    assert {item["name"]: item["id"] for item in services} == {
        name: made for name, made in world.services.items() if name != "AsleepSMS"
    }
    for item in services:
        assert list(item) == ["id", "name", "type", "currency", "unitPrice"]
        assert UUID.fullmatch(item["id"])
        assert (item["type"], item["currency"]) == ("sms", "USD")
        assert SIX_DECIMALS.fullmatch(item["unitPrice"])


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("org", [None, "Third"])
def test_every_way_to_send_answers_201_and_the_id(world: World, kind: str, org: str | None) -> None:
    caller = world.caller("mark", org)

    answer = caller.client.post(f"/sms-sendings{kind}", json=body_of(kind, world.services["BobSMS"]))

    made = data_of(answer, 201)
    assert answer.content == b'{"success":true,"data":"%s"}' % made.encode()
    assert UUID.fullmatch(made)
    assert caller.sendings(limit=1)["items"][0]["id"] == made


def test_a_sending_in_the_list(world: World, second: Caller) -> None:
    sent = second.send(world.services["PendingSMS"], number(), number(), "x", text="Kodunuz: 123456")

    page = second.sendings()
    item = page["items"][0]
    assert_page(page, total=page["total"])
    assert list(item) == SENDING_KEYS
    assert item == {
        "id": sent,
        "completed": False,
        "sampleMessageText": "Kodunuz: 123456",
        "createdAt": item["createdAt"],
        "stats": {
            "validSize": 2,
            "invalidSize": 1,
            "nOfPending": 2,
            "nOfWaiting": 0,
            "nOfCompleted": 0,
            "nOfFailed": 0,
            "nOfRefunded": 0,
            "totalCost": "2",
            "totalRefunded": "0",
        },
    }
    assert TIME.fullmatch(item["createdAt"])
    assert_stats(item)


def test_a_message_in_the_list_of_its_sending(world: World, second: Caller) -> None:
    to = number()
    sent = second.send(world.services["PendingSMS"], to, text="Kodunuz: 123456")

    (item,) = assert_page(second.messages(sent), total=1)
    assert list(item) == MESSAGE_KEYS
    assert item == {
        "id": item["id"],
        "to": to,
        "message": "Kodunuz: 123456",
        "status": "pending",
        "network": "unknown",
        "refunded": False,
        "createdAt": item["createdAt"],
    }
    assert UUID.fullmatch(item["id"])
    assert item["id"] != sent
    assert TIME.fullmatch(item["createdAt"])


@pytest.mark.parametrize(
    ("service", "ending", "status", "refunded", "counted"),
    [
        ("WaitingSMS", "0000", "waiting", False, "nOfWaiting"),
        ("BobSMS", "0000", "sent", False, "nOfCompleted"),
        ("BobSMS", "0901", "not_sent", True, "nOfFailed"),
        ("BobSMS", "0902", "no_signal", True, "nOfFailed"),
    ],
)
def test_every_status_a_message_can_reach(
    world: World, member: Caller, service: str, ending: str, status: str, refunded: bool, counted: str
) -> None:
    sent = member.send(world.services[service], f"90555123{ending}")

    if status == "waiting":
        member.waiting(sent)
    else:
        member.ended(sent)
    (item,) = member.messages(sent)["items"]
    stats = member.sending(sent)["stats"]
    assert (item["status"], item["refunded"]) == (status, refunded)
    assert item["network"]
    assert (stats[counted], stats["nOfRefunded"]) == (1, int(refunded))
    assert member.sending(sent)["completed"] is (status != "waiting")


def test_totals_have_no_trailing_zeros(world: World, second: Caller) -> None:
    def cost(service: str, *to: str) -> str:
        return str(second.sending(second.send(world.services[service], *to))["stats"]["totalCost"])

    assert cost("HalfSMS", number()) == "2.5"
    assert cost("HalfSMS", number(), number()) == "5"
    assert cost("ThirdSMS", number(), number(), number()) == "0.999999"
    assert cost("BobSMS", *(number() for _ in range(10))) == "10"


def test_every_answer_has_a_request_id_of_its_own(mark: Caller) -> None:
    paths = [
        "/users/me",
        "/users/me/organizations",
        "/services",
        "/sms-sendings",
        "/nothing",
        "/sms-sendings/x",
    ]

    ids = [mark.client.get(path).headers["x-request-id"] for path in paths * 2]

    assert all(re.fullmatch(r"[\x21-\x7e]+", found) for found in ids)
    assert len(set(ids)) == len(ids)
