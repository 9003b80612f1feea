"""The table of errors: every row, and the order of its rows, where a request has two faults at once."""

import json
from typing import Any

import pytest

from tests.contract import (
    KINDS,
    NOBODY,
    SECRET,
    Caller,
    World,
    assert_discreet,
    assert_error,
    body_of,
    data_of,
    end_of_log,
    number,
)

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("contract")]

JSON = {"content-type": "application/json"}
OPERATIONS = [
    ("GET", "/users/me"),
    ("GET", "/users/me/organizations"),
    ("GET", "/services"),
    ("GET", "/sms-sendings"),
    ("GET", f"/sms-sendings/{NOBODY}"),
    *(("POST", f"/sms-sendings{kind}") for kind in KINDS),
]
IN_CONTEXT = OPERATIONS[2:]


# --- 404, 405: before anybody asks who is there


@pytest.mark.parametrize(
    "path", ["/nothing", "/", "", "/users", "/users/you", "/sms-sendings/a/b", "/services/"]
)
@pytest.mark.parametrize("method", ["GET", "POST", "DELETE"])
@pytest.mark.parametrize("key", ["a good key", None])
def test_no_such_path(world: World, mark: Caller, path: str, method: str, key: str | None) -> None:
    client = world.with_key(mark.user.key if key else None)

    assert_error(client.request(method, path), 404, "not_found")


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        *(
            (method, path, "GET")
            for method in ("POST", "PUT", "DELETE", "PATCH")
            for _, path in OPERATIONS[:3]
        ),
        ("PUT", "/sms-sendings", "GET, POST"),
        ("DELETE", f"/sms-sendings/{NOBODY}", "GET"),
        ("POST", f"/sms-sendings/{NOBODY}", "GET"),
        ("PUT", "/sms-sendings/simple", "POST"),
        ("PUT", "/sms-sendings/advanced", "POST"),
    ],
)
def test_another_method_is_told_the_right_ones(world: World, method: str, path: str, allowed: str) -> None:
    without_a_key = world.with_key(None)

    answer = without_a_key.request(method, path, headers={"x-org-id": "no uuid"})

    assert_error(answer, 405, "method_not_allowed")
    told = {word.strip() for word in answer.headers["allow"].split(",")}
    assert told - {"HEAD", "OPTIONS"} == set(allowed.split(", "))


# --- 401


@pytest.mark.parametrize(("method", "path"), OPERATIONS)
@pytest.mark.parametrize("key", ["missing", "unknown", "empty", "revoked", "banned", "far"])
def test_a_key_that_opens_nothing(world: World, method: str, path: str, key: str) -> None:
    keys: dict[str, str | None] = {
        "missing": None,
        "unknown": "ulak_unknown_key_of_nobody",
        "empty": "",
        "revoked": world.keys["revoked"]["key"],
        "banned": world.users["banned"].key,
        "far": world.keys["far"]["key"],
    }
    client = world.with_key(None)
    headers = {} if keys[key] is None else {"x-api-key": str(keys[key])}
    log = end_of_log(world.ulak)

    answer = client.request(
        method,
        path,
        headers=headers | {"x-org-id": "no uuid", "x-forwarded-for": "203.0.113.5"},
        content=SECRET,
    )

    assert_error(answer, 401, "unauthorized")
    assert_discreet(world.ulak, keys[key] or SECRET, since=log)


def test_whatever_is_wrong_with_a_key_the_answer_is_the_same(world: World) -> None:
    def message(key: str) -> str:
        return str(assert_error(world.with_key(key).get("/users/me"), 401, "unauthorized")["message"])

    bad = ["nothing", world.keys["revoked"]["key"], world.users["banned"].key, world.keys["far"]["key"]]
    assert len({message(key) for key in bad}) == 1


def test_a_key_limited_to_addresses_opens_from_them(world: World) -> None:
    assert world.with_key(world.keys["near"]["key"]).get("/users/me").status_code == 200


@pytest.mark.parametrize("odd", ["x" * 8000, "with space", "\u00fcmlaut", "'; DROP TABLE keys; --", "%00"])
def test_odd_keys_are_only_unknown(world: World, odd: str) -> None:
    answer = world.with_key(None).get("/users/me", headers=[(b"x-api-key", odd.encode("latin-1"))])

    assert_error(answer, 401, "unauthorized")


# --- 400 x-org-id, 403


@pytest.mark.parametrize(("method", "path"), IN_CONTEXT)
@pytest.mark.parametrize("org", ["abc", "123", NOBODY + "0", "Main Organization", "g" + NOBODY[1:]])
def test_x_org_id_is_a_uuid(mark: Caller, method: str, path: str, org: str) -> None:
    mark.refused(
        method, path, 400, "validation_failed", ["x-org-id"], headers={"x-org-id": org}, content=SECRET
    )


def test_x_org_id_may_be_in_capitals(world: World, second: Caller) -> None:
    assert second.org
    answer = second.client.get("/services", headers={"x-org-id": second.org.id.upper()})

    assert answer.status_code == 200


@pytest.mark.parametrize("org", ["abc", "", NOBODY])
def test_x_org_id_is_ignored_on_users_me(mark: Caller, org: str) -> None:
    for path in ("/users/me", "/users/me/organizations"):
        assert mark.client.get(path, headers={"x-org-id": org}).status_code == 200


@pytest.mark.parametrize(("method", "path"), IN_CONTEXT)
def test_another_organization_is_forbidden_whether_it_exists_or_not(
    world: World, second: Caller, method: str, path: str
) -> None:
    def message(org: str) -> str:
        error = second.refused(
            method, path, 403, "organization_forbidden", headers={"x-org-id": org}, content=SECRET
        )
        return str(error["message"])

    other, missing, inactive = world.orgs["Elsewhere"].id, NOBODY, world.orgs["Closed"].id
    assert message(other) == message(missing)
    assert message(inactive)


@pytest.mark.parametrize(
    ("username", "operations", "permission"),
    [
        ("writer", IN_CONTEXT[1:3], "organization.sms.read"),
        ("onlooker", IN_CONTEXT[1:3], "organization.sms.read"),
        ("reader", IN_CONTEXT[3:], "organization.sms.send"),
        ("onlooker", IN_CONTEXT[3:], "organization.sms.send"),
    ],
)
def test_a_missing_permission_is_named(
    world: World, member: Caller, username: str, operations: list[tuple[str, str]], permission: str
) -> None:
    caller, before = world.caller(username, "Main Organization"), member.sendings()["total"]
    log = end_of_log(world.ulak)

    for method, path in operations:
        answer = caller.client.request(method, path, params={"page": -1}, content=SECRET)

        assert permission in assert_error(answer, 403, "permission_denied")["message"]
    assert member.sendings()["total"] == before
    assert_discreet(world.ulak, caller.user.key, since=log)


def test_membership_is_enough_for_services(world: World) -> None:
    for username in ("reader", "writer", "onlooker"):
        assert world.caller(username, "Main Organization").client.get("/services").status_code == 200


def test_a_permission_is_enough_for_what_it_is_for(world: World) -> None:
    writer, reader = (world.caller(name, "Main Organization") for name in ("writer", "reader"))

    sent = writer.send(world.services["BobSMS"], number())

    assert reader.sending(sent)["id"] == sent
    assert reader.messages(sent)["total"] == 1


# --- 404 of services and sendings


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("service", ["unknown", "AsleepSMS"])
def test_an_unknown_or_inactive_service(world: World, second: Caller, kind: str, service: str) -> None:
    body = body_of(kind, world.services.get(service, NOBODY), SECRET)

    second.refused("POST", f"/sms-sendings{kind}", 404, "service_not_found", json=body)


@pytest.mark.parametrize("sending", [NOBODY, "abc", "1", "%00", "a%2Fb", NOBODY + "0", "f" * 500, "ş"])
def test_an_unknown_or_malformed_sending(second: Caller, sending: str) -> None:
    answer = second.client.get(f"/sms-sendings/{sending}")

    assert answer.status_code == 404
    assert_error(answer, 404, answer.json()["error"]["code"])
    if "%" not in sending:
        assert answer.json()["error"]["code"] == "sending_not_found"


# --- 400 no_valid_recipient, 402


@pytest.mark.parametrize("kind", KINDS)
def test_no_number_can_be_sent_to(world: World, second: Caller, kind: str) -> None:
    body = body_of(kind, world.services["BobSMS"], SECRET, to="12345")

    second.refused("POST", f"/sms-sendings{kind}", 400, "no_valid_recipient", json=body)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("username", "org"), [("poor", None), ("mark", "Elsewhere")])
def test_no_credit(world: World, kind: str, username: str, org: str | None) -> None:
    body = body_of(kind, world.services["BobSMS"], SECRET)

    world.caller(username, org).refused("POST", f"/sms-sendings{kind}", 402, "insufficient_credit", json=body)


# --- two faults at once: the earlier row wins


#: fault: (status, code), in the order of the table
ROWS: dict[str, tuple[int, str]] = {
    "key": (401, "unauthorized"),
    "org-uuid": (400, "validation_failed"),
    "org": (403, "organization_forbidden"),
    "permission": (403, "permission_denied"),
    "media": (415, "unsupported_media_type"),
    "size": (413, "payload_too_large"),
    "json": (400, "malformed_json"),
    "body": (400, "validation_failed"),
    "conflict": (409, "idempotency_conflict"),
    "service": (404, "service_not_found"),
    "recipient": (400, "no_valid_recipient"),
    "credit": (402, "insufficient_credit"),
}
IMPOSSIBLE = {  # a request can't have both
    *[("org-uuid", "org"), ("org-uuid", "permission"), ("org", "permission")],
    *[("json", "body"), ("json", "service"), ("json", "recipient")],
    *[("permission", "conflict"), ("conflict", "credit")],  # only after a change: see test_idempotency
}
PAIRS = [
    (first, then)
    for place, first in enumerate(ROWS)
    for then in list(ROWS)[place + 1 :]
    if (first, then) not in IMPOSSIBLE
]


def faulty(world: World, kind: str, faults: set[str]) -> tuple[Caller, dict[str, Any]]:
    """A POST with exactly these faults: who sends it, and headers and content."""
    poor = "credit" in faults
    if "permission" in faults:
        caller = world.caller("onlooker" if poor else "reader", "Main Organization")
    else:
        caller = world.caller("mark", "Elsewhere") if poor else world.caller("writer", "Main Organization")
    headers = dict(JSON)
    body = body_of(kind, NOBODY if "service" in faults else world.services["BobSMS"], SECRET)
    if "recipient" in faults:
        body = body_of(kind, body["serviceId"], SECRET, to="12345")
    if "conflict" in faults:
        headers["idempotency-key"] = f"taken{kind}"
        first = body_of(kind, world.services["BobSMS"], "Merhaba", to="905550001111")
        data_of(caller.client.post(f"/sms-sendings{kind}", json=first, headers=headers), 201)
    if "body" in faults:
        body["serviceId"] = 7
    content = b"{" + SECRET.encode() if "json" in faults else json.dumps(body).encode()
    if "size" in faults:
        content = content.ljust((32 if kind == "/advanced" else 8) * 1024 * 1024 + 1)
    if "media" in faults:
        headers["content-type"] = "text/plain"
    if "org" in faults:
        headers["x-org-id"] = NOBODY
    if "org-uuid" in faults:
        headers["x-org-id"] = "no uuid"
    if "key" in faults:
        headers["x-api-key"] = "unknown"
    return caller, {"content": content, "headers": headers}


@pytest.mark.parametrize(("first", "then"), PAIRS, ids=lambda name: str(name))
def test_of_two_faults_the_earlier_in_the_table_is_answered(
    world: World, member: Caller, first: str, then: str
) -> None:
    for kind in KINDS[:1] if "size" in (first, then) else KINDS:
        caller, request = faulty(world, kind, {first, then})
        before, log = member.sendings(limit=1)["total"], end_of_log(world.ulak)

        answer = caller.client.post(f"/sms-sendings{kind}", **request)

        assert_error(answer, *ROWS[first])
        assert member.sendings(limit=1)["total"] == before
        assert_discreet(world.ulak, caller.user.key, since=log)


@pytest.mark.parametrize("fault", ROWS)
@pytest.mark.parametrize("kind", KINDS)
def test_each_fault_alone_is_answered_with_its_own_row(
    world: World, member: Caller, fault: str, kind: str
) -> None:
    caller, request = faulty(world, kind, {fault})
    before, log = member.sendings(limit=1)["total"], end_of_log(world.ulak)

    answer = caller.client.post(f"/sms-sendings{kind}", **request)

    assert_error(answer, *ROWS[fault])
    assert member.sendings(limit=1)["total"] == before
    assert_discreet(world.ulak, caller.user.key, since=log)


@pytest.mark.parametrize(
    ("headers", "status", "code"),
    [
        ({"x-api-key": "unknown", "x-org-id": "no uuid"}, 401, "unauthorized"),
        ({"x-org-id": "no uuid"}, 400, "validation_failed"),
        ({"x-org-id": NOBODY}, 403, "organization_forbidden"),
        ({}, 400, "validation_failed"),
    ],
)
def test_the_order_holds_for_reading_too(
    mark: Caller, headers: dict[str, str], status: int, code: str
) -> None:
    for path in ("/sms-sendings", f"/sms-sendings/{NOBODY}"):
        answer = mark.client.get(path, params={"page": "-1"}, headers=headers)

        assert_error(answer, status, code)
