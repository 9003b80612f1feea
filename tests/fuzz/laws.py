"""What must hold: of every answer as it comes, and of everything that is written down when nobody asks any more."""

import json
from collections.abc import Iterator
from decimal import Decimal
from typing import Any, Final
from urllib.parse import unquote

import httpx

from tests.contract.description import Description
from tests.edge.panel.reading import Read
from tests.fuzz.tally import Law
from tests.fuzz.world import CREDIT, World
from tests.harness import await_true
from ulak.edge.panel.security import HEADERS

QUIET_SECONDS: Final = 120
MARKUP: Final = (
    "<script>alert",
    "<img src=x",
    "<svg onload",
    "<script src=//evil",
    "' onmouseover='",
    "<style>*",
)
INJECTED: Final = "x-injected"


# --- of every answer


def of_the_api(
    description: Description, method: str, path: str, status: int, headers: httpx.Headers, body: bytes
) -> Iterator[str]:
    """Where this answer is not what `openapi.yaml` says."""
    yield from _of_any(status, headers)
    path = unquote(path)
    if description.operation(method, path):
        yield from description.verdict(method, path, status, headers, body)
    elif status not in (404, 405):
        yield f"{status} where there is no such path"
    else:
        yield from description.faults({"$ref": "#/components/schemas/Error"}, json.loads(body))


def of_the_panel(answer: httpx.Response) -> Iterator[str]:
    """Where this page is not one of ours, leads elsewhere, or holds what somebody wrote as if it were ours."""
    yield from _of_any(answer.status_code, answer.headers)
    for name, value in HEADERS.items():
        if answer.headers.get(name) != value:
            yield f"the header {name} is {answer.headers.get(name)!r}"
    where = answer.headers.get("location", "/")
    if not where.startswith("/") or where[1:2] in ("/", "\\"):
        yield f"leads to {where}"
    if answer.headers.get("content-type", "").startswith("text/html"):
        yield from (f"not written by us: {one}" for one in Read(answer.text).wrong)
        yield from (f"unescaped: {one}" for one in MARKUP if one in answer.text)


def _of_any(status: int, headers: httpx.Headers) -> Iterator[str]:
    if status >= 500:
        yield f"answered {status}"
    if INJECTED in headers:
        yield "a header that the request wrote"


# --- of everything, at the end


def at_the_end(world: World) -> Iterator[Law]:
    """Every law that is asked once nothing is under way."""
    for _, client in world.purses:
        await_true(lambda: _pending(client) == 0, "every message ended", QUIET_SECONDS)  # noqa: B023
    sendings = [sending for _, client in world.purses for sending in _sendings(client)]
    yield _exists_what_was_accepted(world, [sending["id"] for sending in sendings])
    yield Law("every balance is what came in, less what sendings cost", 2, list(_unbalanced(world)))
    log = world.ulak.log.splitlines()
    yield Law("the server's log tells of no error", len(log), [line for line in log if _is_error(line)])
    audit = world.ulak.cli("audit")
    broken = [f"{proof}" for proof in audit["proofs"] if proof["differences"]]
    yield Law("ulak audit is clean", len(audit["proofs"]), broken)


def _exists_what_was_accepted(world: World, there: list[str]) -> Law:
    accepted, exist = set(world.accepted), set(there)
    broken = [f"{len(accepted)} were answered 201, {len(exist)} exist"] if len(accepted) != len(exist) else []
    broken += [f"answered 201 and is not there: {one}" for one in accepted - exist]
    broken += [f"is there and was not answered 201: {one}" for one in exist - accepted]
    return Law("each sending that exists was answered 201, and the other way round", len(exist), broken)


def _unbalanced(world: World) -> Iterator[str]:
    for org, client in world.purses:
        stats = [sending["stats"] for sending in _sendings(client)]
        spent = sum(Decimal(one["totalCost"]) - Decimal(one["totalRefunded"]) for one in stats)
        balance = Decimal(world.ulak.balance(user=world.mark, org=org))
        if balance != CREDIT - spent:
            yield f"{org}: {balance} instead of {CREDIT} - {spent}"


def _pending(client: httpx.Client) -> int:
    answer = client.get("/sms-sendings", params={"completed": "false", "limit": 1})
    n: int = answer.json()["data"]["total"]
    return n


def _sendings(client: httpx.Client) -> Iterator[dict[str, Any]]:
    page = 0
    while items := client.get("/sms-sendings", params={"limit": 1000, "page": page}).json()["data"]["items"]:
        yield from items
        page += 1


def _is_error(line: str) -> bool:
    """Whether it is an error, or nothing that the log writes by itself: a traceback, a crash."""
    try:
        event = json.loads(line)
    except ValueError:
        return True
    return "exception" in event or event.get("level") in ("error", "critical")
