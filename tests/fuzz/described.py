"""What schemathesis makes of the API's description: its examples, every edge of every schema (coverage), values that
fit and that don't (fuzzing), and operations one after another (stateful), with all of its checks.

The description is narrowed in two ways, so that requests get further in than the first refusal: ids may be those that
exist, numbers such as can be sent to. In: a world. Out: notes in the tally. The engine does the rest.
"""

import copy
from collections.abc import Iterator
from typing import Any, Final

import httpx
import schemathesis
from schemathesis.config import PositiveDataAcceptanceConfig
from schemathesis.engine import Status, events, from_schema
from schemathesis.engine.recorder import ScenarioRecorder

from tests.fuzz import laws
from tests.fuzz.tally import Budget, Tally
from tests.fuzz.world import World

EXAMPLES: Final = 25
"""Of one operation before the next one gets its turn; the engine goes round until the time is over."""

NO_HTTP: Final = (400, b"Invalid HTTP request received.")
"""What the server's parser answers to control characters in a header (RFC 9110, 5.5), before it is a request of any
operation."""


def explore(world: World, tally: Tally, budget: Budget, seed: int) -> None:
    """Let the engine ask: most of the time with a good key, the rest without any."""
    for part, key, share in (("described", world.mark.key, 0.75), ("described, no key", None, 1.0)):
        config = _config(world, seed, key, max(1, round(budget.left * share)))
        schema = schemathesis.openapi.from_dict(_narrowed(world), config=config)
        stream = from_schema(schema).execute()
        for event in stream:
            if isinstance(event, events.ScenarioFinished):
                _note(world, tally, part, event.recorder)
            elif isinstance(event, events.NonFatalError):
                tally.note(part, event.label, "none", [f"schemathesis: {event.value!r}"])
            elif isinstance(event, events.FatalError):
                raise event.exception
            if budget.over:
                stream.stop()


def _config(world: World, seed: int, key: str | None, seconds: int) -> schemathesis.Config:
    """Everything that it has; a request that fits may still name a number that cannot be sent to."""
    expected = [*PositiveDataAcceptanceConfig().expected_statuses, "400", "402"]
    refused = {"positive_data_acceptance": {"expected-statuses": expected}}
    return schemathesis.Config.from_dict(
        {
            "seed": seed,
            "max-time": seconds,
            "base-url": world.ulak.url,
            "continue-on-failure": True,
            "request-timeout": 60,
            "suppress-health-check": ["all"],
            "headers": {"x-api-key": key} if key else {},
            "generation": {"mode": "all", "max-examples": EXAMPLES},
            "operations": [{"include-method": "POST", "checks": refused}],
        }
    )


def _narrowed(world: World) -> dict[str, Any]:
    """The description with what exists as one of the possibilities, and whole paths."""
    document: dict[str, Any] = copy.deepcopy(dict(world.description.document))
    base, schemas = world.description.base_path, document["components"]["schemas"]
    document["paths"] = {
        path if "servers" in item else base + path: {k: v for k, v in item.items() if k != "servers"}
        for path, item in document["paths"].items()
    }
    del document["servers"]
    exists = {"serviceId": world.service, "id": world.sending, "x-org-id": world.org.id}
    for owner, name in _ids(document):
        owner["schema" if "name" in owner else name] = {
            "anyOf": [{"const": exists[name]}, {"$ref": "#/components/schemas/Id"}]
        }
    schemas["Number"] = {"anyOf": [{"type": "string", "pattern": "^905[0-9]{9}$"}, {"type": "string"}]}
    return document


def _ids(document: dict[str, Any]) -> Iterator[tuple[dict[str, Any], str]]:
    """Whatever holds the schema of an id that a request may name, and what the id is called."""
    parameters = [document["components"]["parameters"]["OrganizationId"]]
    for item in document["paths"].values():
        parameters += [one for one in item.get("get", {}).get("parameters", []) if one.get("in") == "path"]
    yield from ((one, one["name"]) for one in parameters)
    for schema in document["components"]["schemas"].values():
        if "serviceId" in schema.get("properties", {}):
            yield schema["properties"], "serviceId"


def _note(world: World, tally: Tally, part: str, recorder: ScenarioRecorder) -> None:
    """Count what one scenario asked and was answered, and which checks failed."""
    for id_, interaction in recorder.interactions.items():
        case, answer = recorder.cases[id_].value, interaction.response
        if answer is None:
            tally.note(part, case.operation.label, "none", ["no answer"], interaction.request.uri)
            continue
        if (answer.status_code, answer.content) == NO_HTTP:
            tally.note(part, case.operation.label, answer.status_code, [], interaction.request.uri)
            continue
        headers = httpx.Headers([(name, one) for name, many in answer.headers.items() for one in many])
        world.heard(answer.status_code, headers, answer.content)
        path = httpx.URL(interaction.request.uri).raw_path.decode().partition("?")[0]
        faults = list(_failed(recorder, id_))
        if case.method.upper() == case.operation.method.upper():
            faults += laws.of_the_api(
                world.description, case.method.upper(), path, answer.status_code, headers, answer.content
            )
        asked = f"{case.method} {interaction.request.uri} {answer.request.body!r}"
        tally.note(part, case.operation.label, answer.status_code, faults, asked)


def _failed(recorder: ScenarioRecorder, id_: str) -> Iterator[str]:
    for check in recorder.checks.get(id_, []):
        if check.status is Status.FAILURE and check.failure_info:
            yield f"{check.name}: {check.failure_info.failure.message}"
