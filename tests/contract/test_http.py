"""HTTP around the operations: what needs no key, methods, headers, and people and keys that come and go."""

import re
from collections.abc import Callable

import pytest

from tests.contract import Caller, World, assert_error, body_of, data_of, number
from tests.harness import await_true

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("contract")]

WITHOUT_A_KEY = ["/healthz", "/readyz", "/metrics", "/openapi.json", "/docs"]
GETS = ["/users/me", "/users/me/organizations", "/services", "/sms-sendings"]


@pytest.mark.parametrize("path", WITHOUT_A_KEY)
@pytest.mark.parametrize("key", [None, "unknown"])
def test_outside_the_base_path_nobody_is_asked_for_a_key(world: World, path: str, key: str | None) -> None:
    headers = {} if key is None else {"x-api-key": key, "x-org-id": "no uuid"}

    answer = world.ulak.client().get(path, headers=headers)

    assert answer.status_code == 200, answer.text
    assert answer.headers["x-request-id"]
    assert answer.content


@pytest.mark.parametrize("path", WITHOUT_A_KEY)
def test_what_stands_outside_does_not_stand_under_the_base_path(world: World, path: str) -> None:
    assert_error(world.with_key(None).get(path), 404, "not_found")


@pytest.mark.parametrize("path", WITHOUT_A_KEY)
def test_other_methods_outside_the_base_path(world: World, path: str) -> None:
    answer = world.ulak.client().post(path)

    assert_error(answer, 405, "method_not_allowed")
    assert "GET" in answer.headers["allow"]


@pytest.mark.parametrize(
    "path", ["/", "/nothing", "/users/me", "/v2/users/me", "/v1x/users/me", "/docs/nothing"]
)
def test_no_such_path_outside(world: World, path: str) -> None:
    assert_error(world.ulak.client().get(path), 404, "not_found")


def test_a_browser_at_the_front_door_is_shown_to_the_panel(world: World) -> None:
    answer = world.ulak.client().get("/", headers={"accept": "text/html,application/xhtml+xml,*/*;q=0.8"})

    assert (answer.status_code, answer.headers["location"]) == (303, "/panel")


@pytest.mark.parametrize(
    "path",
    ["/docs/../../etc/passwd", "/docs/assets/../../../etc/passwd", "/docs/assets/%2e%2e/%2e%2e/index.py"],
)
def test_the_reference_serves_no_other_files(world: World, path: str) -> None:
    assert world.ulak.client().get(path).status_code == 404


def test_the_description_is_openapi_3_1_and_knows_every_operation(world: World) -> None:
    description = world.ulak.client().get("/openapi.json").json()

    assert description["openapi"].startswith("3.1")
    known = {
        (method, path.removeprefix(world.ulak.base_path))
        for path, item in description["paths"].items()
        for method in item
        if method in {"get", "post"}
    }
    assert known >= {("get", path) for path in GETS}
    assert known >= {("post", f"/sms-sendings{kind}") for kind in ("", "/simple", "/advanced")}
    assert known >= {("get", "/sms-sendings/{id}")}


def test_the_reference_needs_no_other_host(world: World) -> None:
    client = world.ulak.client()
    page = client.get("/docs")

    assert page.headers["content-type"].startswith("text/html")
    loaded = re.findall(r"(?:src|href|url)\s*[=:]\s*[\"']([^\"']+)", page.text)
    local = [address for address in loaded if not address.startswith("data:")]
    assert local
    for address in local:
        assert address.startswith("/")
        assert not address.startswith("//")
        assert client.get(address).status_code == 200


def test_metrics_are_text_for_prometheus(world: World) -> None:
    answer = world.ulak.client().get("/metrics")

    assert answer.headers["content-type"].startswith("text/plain")
    assert re.search(r"^# TYPE ulak_\w+ \w+$", answer.text, re.MULTILINE)
    assert all(user.key not in answer.text for user in world.users.values())


@pytest.mark.parametrize("path", GETS)
def test_head_is_a_get_without_a_body_or_not_allowed(mark: Caller, path: str) -> None:
    got, headed = mark.client.get(path), mark.client.head(path)

    assert headed.content == b""
    assert headed.headers["x-request-id"]
    if headed.status_code != 405:
        assert headed.status_code == got.status_code
        assert headed.headers["content-type"] == got.headers["content-type"]


@pytest.mark.parametrize("path", [*GETS, "/sms-sendings/simple"])
def test_allow_names_every_method_that_works(world: World, mark: Caller, path: str) -> None:
    allowed = world.with_key(None).delete(path).headers["allow"].replace(" ", "").split(",")

    for method in ("GET", "HEAD", "POST", "OPTIONS", "PUT", "PATCH"):
        status = mark.client.request(method, path).status_code
        assert (method in allowed) is (status != 405), (method, status, allowed)


@pytest.mark.parametrize("path", [*GETS, "/sms-sendings/simple", "/nothing"])
def test_options_is_answered_with_a_request_id_and_no_fault(mark: Caller, path: str) -> None:
    answer = mark.client.options(path)

    assert answer.status_code in {200, 204, 404, 405}
    assert answer.headers["x-request-id"]


def test_header_names_are_in_any_case(world: World, second: Caller) -> None:
    assert second.org
    headers = {"X-API-KEY": second.user.key, "X-Org-Id": second.org.id}

    answer = world.with_key(None).get("/services", headers=headers)

    assert answer.status_code == 200


def test_a_key_in_the_query_opens_nothing(world: World, mark: Caller) -> None:
    answer = world.with_key(None).get("/users/me", params={"x-api-key": mark.user.key})

    assert_error(answer, 401, "unauthorized")


def test_a_body_of_a_get_is_ignored(mark: Caller) -> None:
    answer = mark.client.request("GET", "/users/me", content=b"{", headers={"content-type": "text/plain"})

    assert data_of(answer)["username"] == "mark"


def status_becomes(look: Callable[[], int], status: int) -> None:
    await_true(lambda: look() == status, f"status {status}", 5)


def test_a_revoked_key_stops_working(world: World) -> None:
    made = world.ulak.key("mark")
    client = world.with_key(made["key"])
    data_of(client.get("/users/me"))

    world.ulak.cli("key", "revoke", made["id"])

    status_becomes(lambda: client.get("/users/me").status_code, 401)
    assert_error(client.get("/users/me"), 401, "unauthorized")


def test_a_disabled_owner_is_out_until_let_in_again(world: World) -> None:
    client = world.caller("onlooker").client

    world.ulak.cli("user", "set-state", "onlooker", "disabled")
    status_becomes(lambda: client.get("/users/me").status_code, 401)
    world.ulak.cli("user", "set-state", "onlooker", "active")

    status_becomes(lambda: client.get("/users/me").status_code, 200)


def test_an_organization_closes_and_opens_again(world: World) -> None:
    small = world.caller("poor", "Small")

    def state() -> bool:
        (listed,) = data_of(small.client.get("/users/me/organizations"))
        return bool(listed["state"])

    world.ulak.cli("org", "set-state", "Small", "inactive")
    status_becomes(lambda: small.client.get("/sms-sendings").status_code, 403)
    assert state() is False
    assert_error(small.client.get("/services"), 403, "organization_forbidden")
    world.ulak.cli("org", "set-state", "Small", "active")

    status_becomes(lambda: small.client.get("/sms-sendings").status_code, 200)
    assert state() is True


def test_who_is_no_member_any_more_is_out(world: World) -> None:
    world.ulak.cli("org", "add-member", "Small", "onlooker")
    client = world.with_key(world.users["onlooker"].key, **{"x-org-id": world.orgs["Small"].id})
    status_becomes(lambda: client.get("/sms-sendings").status_code, 200)

    world.ulak.cli("org", "remove-member", "Small", "onlooker")

    status_becomes(lambda: client.get("/sms-sendings").status_code, 403)
    assert_error(client.get("/sms-sendings"), 403, "organization_forbidden")


def test_a_service_falls_asleep_and_wakes(world: World, second: Caller) -> None:
    body = body_of("", world.services["KeepsSMS"], to=number())

    def status() -> int:
        return second.client.post("/sms-sendings", json=body).status_code

    def shown() -> bool:
        return "KeepsSMS" in {item["name"] for item in second.client.get("/services").json()}

    world.ulak.cli("service", "set-state", "KeepsSMS", "inactive")
    status_becomes(status, 404)
    assert not shown()
    world.ulak.cli("service", "set-state", "KeepsSMS", "active")

    status_becomes(status, 201)
    assert shown()
