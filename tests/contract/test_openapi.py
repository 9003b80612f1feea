"""The description and the server, held against each other: what is documented is done, what is done is documented."""

import json
import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Final
from urllib.parse import urlsplit

import httpx
import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from schemathesis import GenerationMode

from tests.contract import NOBODY, Caller, World, body_of, data_of, number
from tests.contract.description import Description, Operation
from tests.harness import Installation, await_true

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("contract")]

CASES: Final = 40
NOT_PROVOKED: Final = {"500"}
"""Documented as a promise of its shape; a request that produces it would be a bug to mend."""
EVERY_READ: Final = ("organization.sms.read", "organization.sms.send", "organization.users.read")


@pytest.fixture(scope="module")
def description(world: World) -> Description:
    return Description.of(world.ulak.client())


def test_it_is_a_valid_openapi_3_1_document(description: Description) -> None:
    schemathesis.openapi.from_dict(dict(description.document)).validate()


def test_every_example_is_what_its_schema_says(description: Description) -> None:
    examples = list(description.examples())

    assert len(examples) > 12
    assert [(where, description.faults(schema, value)) for where, schema, value in examples] == [
        (where, []) for where, _, _ in examples
    ]


def test_the_verdict_finds_what_is_not_documented(description: Description) -> None:
    headers = httpx.Headers({"content-type": "application/json", "x-request-id": "1"})
    me = b'{"success": true, "data": {"id": "1", "username": "m", "email": "e", "createdAt": "now"}}'

    assert len(description.verdict("GET", "/v1/users/me", 200, headers, me)) >= 2
    assert description.verdict("GET", "/v1/users/me", 418, headers, me)
    assert description.verdict("GET", "/v1/nothing", 200, headers, me)
    assert description.verdict("GET", "/v1/users/me", 200, httpx.Headers(), me)


def test_every_path_answers_the_documented_methods_and_no_others(
    world: World, description: Description
) -> None:
    documented: dict[tuple[str, bool], set[str]] = {}
    for operation in description.operations:
        methods = documented.setdefault((operation.path, operation.within), set())
        methods |= {"GET", "HEAD"} if operation.method == "GET" else {operation.method}
    for (path, within), methods in documented.items():
        client = world.with_key(None) if within else world.ulak.client()
        answer = client.delete(path.replace("{id}", NOBODY))
        assert answer.status_code == 405
        assert set(answer.headers["allow"].split(", ")) == methods, path


# --- every documented answer, provoked


def send_body(operation: Operation, world: World, **changed: object) -> dict[str, Any]:
    """A body that this operation accepts, with some fields changed."""
    return body_of(operation.path.removeprefix("/sms-sendings"), world.services["BobSMS"]) | changed


def ask(caller: httpx.Client, operation: Operation, id: str = NOBODY, **request: Any) -> httpx.Response:
    """The operation, asked by this caller."""
    return caller.request(operation.method, operation.path.replace("{id}", id), **request)


Provoke = Callable[[World, Operation], httpx.Response]


def _well(world: World, operation: Operation) -> httpx.Response:
    caller = world.caller("mark")
    if operation.method == "POST":
        return ask(caller.client, operation, json=send_body(operation, world))
    return ask(caller.client, operation, caller.send(world.services["BobSMS"], number()))


def _not_allowed(world: World, operation: Operation) -> httpx.Response:
    return world.caller("mark").client.delete(operation.path.replace("{id}", NOBODY))


def _repeated(world: World, operation: Operation) -> httpx.Response:
    key = {"idempotency-key": f"openapi {operation.path}".replace(" ", "-")}
    client = world.caller("mark").client
    ask(client, operation, json=send_body(operation, world), headers=key)
    return ask(client, operation, json=send_body(operation, world), headers=key)


def _posted(caller: str, **request: Any) -> Provoke:
    def provoke(world: World, operation: Operation) -> httpx.Response:
        body = {} if request else {"json": send_body(operation, world)}
        return ask(world.caller(caller).client, operation, **(request | body))

    return provoke


def _not_found(world: World, operation: Operation) -> httpx.Response:
    body = {"json": send_body(operation, world, serviceId=NOBODY)} if operation.method == "POST" else {}
    return ask(world.caller("mark").client, operation, **body)


def _in_context(org: str) -> Provoke:
    def provoke(world: World, operation: Operation) -> httpx.Response:
        return ask(world.caller("mark").client, operation, headers={"x-org-id": org})

    return provoke


def _forbidden(world: World, operation: Operation) -> httpx.Response:
    if operation.path.startswith("/users"):  # which have no context: a key that is not for this
        return ask(world.with_key(world.keys["sends"]["key"]), operation)
    return _in_context(NOBODY)(world, operation)


PROVOKED: Final[dict[str, Provoke]] = {
    "200": _well,
    "201": _well,
    "400": _in_context("no uuid"),
    "401": lambda world, operation: ask(world.with_key(None), operation),
    "402": _posted("poor"),
    "403": _forbidden,
    "404": _not_found,
    "405": _not_allowed,
    "409": _repeated,
    "413": _posted("mark", content=b" " * (33 << 20), headers={"content-type": "application/json"}),
    "415": _posted("mark", content=b"{}", headers={"content-type": "text/plain"}),
}


def test_every_documented_answer_can_be_provoked(world: World, description: Description) -> None:
    elsewhere = NOT_PROVOKED | {"429", "503"}
    for operation in (one for one in description.operations if one.within):
        for status in sorted(set(operation.definition["responses"]) - elsewhere):
            answer = PROVOKED[status](world, operation)
            assert answer.status_code == int(status), f"{operation}: {answer.text}"
            assert verdict(description, answer, operation.method) == []


def test_pages_beside_the_api_answer_as_documented(world: World, description: Description) -> None:
    client = world.ulak.client()
    for operation in (one for one in description.operations if not one.within):
        for method, status in (("GET", 200), ("POST", 405)):
            answer = client.request(method, operation.path)
            assert answer.status_code == status
            assert str(status) in operation.definition["responses"]
            assert verdict(description, answer, "GET") == []


def test_too_many_requests_and_no_database_are_answered_as_documented(description: Description) -> None:
    with Installation(rate_per_second=5) as ulak:
        ulak.start()
        client = ulak.as_user(ulak.user("mark"))
        operations = [one for one in description.operations if one.within]
        for operation in operations:
            answer = await_true(lambda: _with_status(client, operation, 429), f"{operation}: 429")  # noqa: B023
            assert verdict(description, answer, operation.method) == []
        with _without_database(ulak):
            ready = next(one for one in description.operations if one.path == "/readyz")
            await_true(lambda: ulak.client().get("/readyz").status_code == 503, "not ready")
            for operation in [*operations, ready]:
                asked = client if operation.within else ulak.client()
                answer = await_true(lambda: _with_status(asked, operation, 503), f"{operation}: 503")  # noqa: B023
                assert verdict(description, answer, operation.method) == []


def _with_status(client: httpx.Client, operation: Operation, status: int) -> httpx.Response | None:
    body = {"to": number(), "message": "Merhaba", "serviceId": NOBODY}
    request = {"json": body} if operation.method == "POST" else {}
    answer = ask(client, operation, **request)
    return answer if answer.status_code == status else None


@contextmanager
def _without_database(ulak: Installation) -> Iterator[None]:
    """For as long as the block lasts: the keeper that would start another one sleeps."""
    pid = ulak.pid
    os.kill(pid, signal.SIGSTOP)
    try:
        ulak.kill_postgres()
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


def verdict(description: Description, answer: httpx.Response, method: str) -> list[str]:
    """What is not documented of an answer to this operation, also of one to a method that it lacks."""
    return description.verdict(
        method, answer.request.url.path, answer.status_code, answer.headers, answer.content
    )


def test_a_text_that_cannot_be_looked_for_does_not_fit_the_description_either(
    mark: Caller, description: Description
) -> None:
    asked = [
        (one, description.resolve(node))
        for one in description.operations
        for node in one.definition.get("parameters", [])
        if description.resolve(node)["name"] == "text"
    ]
    assert len(asked) == 2
    for one, parameter in asked:
        for text, fits in (("a\0b", False), ("a\nb\ufffe", True)):
            answer = ask(mark.client, one, params={"text": text})
            assert (answer.status_code != 400) is fits
            assert (description.faults(parameter["schema"], text) == []) is fits


# --- the examples, literally


def test_the_examples_come_true_literally(description: Description) -> None:
    """A new installation where things have the names of the examples; only ids and times are its own."""
    with Installation() as ulak:
        ulak.start()
        ulak.carrier("absent", 1)  # so that messages stay pending, as in the examples
        service = ulak.service("BobSMS", "absent", 1)
        mark = ulak.user("mark")
        org = ulak.organization("Main Organization", mark, permissions=EVERY_READ)
        ulak.credit(120, user=mark, org=org)
        ulak.credit(100, user=mark)
        own, member = ulak.as_user(mark), ulak.as_user(mark, org)

        for path in ("/users/me", "/users/me/organizations", "/services"):
            assert_like(own.get(path).json(), shown(description, "GET", path, "200"))
        requests = {
            kind: asked(description, f"/sms-sendings{kind}") | {"serviceId": service}
            for kind in ("", "/simple", "/advanced")
        }
        sent = {kind: own.post(f"/sms-sendings{kind}", json=body) for kind, body in requests.items()}
        for kind, answer in sent.items():
            assert answer.status_code == 201
            assert_like(answer.json(), shown(description, "POST", f"/sms-sendings{kind}", "201"))
        messages = own.get(f"/sms-sendings/{data_of(sent[''], 201)}", params={"limit": 100}).json()
        assert_like(messages, shown(description, "GET", "/sms-sendings/{id}", "200"))

        many = requests["/simple"] | {"message": requests[""]["message"]}
        assert member.post("/sms-sendings/simple", json=many).status_code == 201
        query = {"limit": 20} | {
            node["name"]: node["example"]
            for node in operation(description, "GET", "/sms-sendings").definition["parameters"]
            if node.get("in") == "query" and node["name"] == "text"
        }
        listed = member.get("/sms-sendings", params=query).json()
        assert_like(listed, shown(description, "GET", "/sms-sendings", "200"))

        for path in requests:
            body = {name: value for name, value in requests[path].items() if name != "message"}
            if path != "/advanced":
                refused = own.post(f"/sms-sendings{path}", json=body)
                assert_like(refused.json(), shown(description, "POST", f"/sms-sendings{path}", "400"))


def operation(description: Description, method: str, path: str) -> Operation:
    return next(one for one in description.operations if (one.method, one.path) == (method, path))


def asked(description: Description, path: str) -> dict[str, Any]:
    """The example of a request's body."""
    content = operation(description, "POST", path).definition["requestBody"]["content"]
    example: dict[str, Any] = content["application/json"]["example"]
    return example


def shown(description: Description, method: str, path: str, status: str) -> Any:
    """The example of an answer's body."""
    response = description.resolve(operation(description, method, path).definition["responses"][status])
    return response["content"]["application/json"]["example"]


def assert_like(answer: Any, example: Any) -> None:
    """The same text, byte for byte, once ids and times are those of the example."""
    ours, theirs = (json.dumps(value, ensure_ascii=False) for value in (answer, example))
    assert _blank(answer) == _blank(example), f"\n{ours}\n{theirs}"


OURS: Final = {"id", "createdAt", "requestId"}


def _blank(value: Any, name: str = "") -> Any:
    if isinstance(value, dict):
        return [(key, _blank(inner, key)) for key, inner in value.items()]  # a list: order counts
    if isinstance(value, list):
        return [_blank(inner) for inner in value]
    is_id = isinstance(value, str) and len(value) == len(NOBODY) and value.count("-") == 4
    return "…" if name in OURS or is_id else value


# --- whatever fits the schemas, and whatever doesn't


@pytest.mark.parametrize("mode", [GenerationMode.POSITIVE, GenerationMode.NEGATIVE])
def test_whatever_is_asked_the_answer_is_documented(
    world: World, mark: Caller, description: Description, mode: GenerationMode
) -> None:
    schema = schemathesis.openapi.from_dict(dict(description.document))
    known = {"serviceId": world.services["BobSMS"], "id": mark.send(world.services["BobSMS"], number())}
    for one in description.operations:
        if mode is GenerationMode.NEGATIVE and not {"parameters", "requestBody"} & set(one.definition):
            continue  # nothing that could be wrong
        generated = schema[one.path][one.method]
        client = mark.client if one.within else world.ulak.client()
        explore(generated.as_strategy(generation_mode=mode), one, client, description, known)


def explore(
    cases: st.SearchStrategy[Any],
    one: Operation,
    client: httpx.Client,
    description: Description,
    known: dict[str, str],
) -> None:
    """Ask with what schemathesis makes up; now and then with an id that exists, so that it gets further in."""

    @settings(
        max_examples=CASES,
        deadline=None,
        database=None,
        derandomize=True,
        suppress_health_check=list(HealthCheck),
    )
    @given(case=cases, deeper=st.booleans())
    def probe(case: Any, deeper: bool) -> None:
        if deeper and isinstance(case.body, dict) and "serviceId" in case.body:
            case.body["serviceId"] = known["serviceId"]
        if deeper and "id" in (case.path_parameters or {}):
            case.path_parameters["id"] = known["id"]
        answer = case.call(base_url=str(client.base_url).rstrip("/"), headers=dict(client.headers))
        headers = httpx.Headers(
            [(name, value) for name, values in answer.headers.items() for value in values]
        )
        path = urlsplit(answer.request.url).path
        assert answer.status_code < 500, answer.text
        assert description.verdict(one.method, path, answer.status_code, headers, answer.content) == []

    probe()
