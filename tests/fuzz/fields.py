"""Hostile values in every field, parameter and header of the API, and bodies that are no JSON at all.

The places are read from `openapi.yaml`, so that a new field is taken in by itself. In: a world. Out: notes in the
tally. Every other octet of a request is right, so that the value gets as far in as it can.
"""

import copy
import gzip
import itertools
import json
import random
import string
from collections.abc import Callable, Iterator
from typing import Any, Final, Literal, NamedTuple
from urllib.parse import quote

from tests.contract.description import Operation
from tests.fuzz import hostile, laws
from tests.fuzz.tally import Budget, Tally
from tests.fuzz.wire import Request, ask
from tests.fuzz.world import World

PART: Final = "fields"
EACH_ROUND: Final = 3
DRAWN: Final = 300
LONG_BODY: Final = 1_000_000

Path = tuple[str | int, ...]


class Place(NamedTuple):
    """Where a hostile value goes: `name` is a parameter's, a way to spoil a body, or the path to a field."""

    where: Literal["path", "query", "header", "field", "body"]
    name: str | Path


#: What any request has, whatever it is for.
HEADERS: Final = (
    *("x-api-key", "content-type", "content-encoding", "accept", "accept-language", "x-request-id"),
    *("x-forwarded-for", "user-agent", "cookie", "origin", "traceparent", "range", "if-none-match", "host"),
)

#: Ways to spoil a body that was right: headers, and what becomes of it.
BODIES: Final[dict[str, Callable[[bytes], tuple[dict[str, bytes], bytes]]]] = {
    "nothing": lambda body: ({}, b""),
    "cut short": lambda body: ({}, body[:-1]),
    "more behind it": lambda body: ({}, body + b"{}"),
    "every key twice": lambda body: ({}, body[:-1] + b"," + body[1:]),
    "NaN": lambda body: ({}, body[:-1] + b',"x":NaN,"y":-Infinity}'),
    "a number without an end": lambda body: ({}, body[:-1] + b',"x":' + b"9" * 100_000 + b"}"),
    "deep lists": lambda body: ({}, body[:-1] + b',"x":' + b"[" * 100_000 + b"]" * 100_000 + b"}"),
    "deep objects": lambda body: ({}, b'{"to":' * 50_000 + b"1" + b"}" * 50_000),
    "deep and open": lambda body: ({}, b"[" * 500_000),
    "many fields": lambda body: ({}, body[:-1] + b"".join(b',"%d":0' % n for n in range(50_000)) + b"}"),
    "a mark before it": lambda body: ({}, b"\xef\xbb\xbf" + body),
    "UTF-16": lambda body: ({}, body.decode().encode("utf-16")),
    "Latin-1": lambda body: ({}, body[:-1] + b',"x":"\xfc"}'),
    "surrogates in UTF-8": lambda body: ({}, body[:-1] + b',"x":"\xed\xa0\x80"}'),
    "half an escape": lambda body: ({}, body[:-1] + b',"x":"\\ud800\\u12"}'),
    "too much": lambda body: ({}, body + b" " * (33 * 2**20)),
    "too many": lambda body: ({}, body[:-1] + b',"to":[' + b'"5",' * 100_000 + b'"5"]}'),
    "gzip": lambda body: ({"content-encoding": b"gzip"}, gzip.compress(body)),
    "bad gzip": lambda body: ({"content-encoding": b"gzip"}, b"\x1f\x8b\x08" + body),
    "an encoding that is none": lambda body: ({"content-encoding": b"zip, br, x"}, body),
    "text": lambda body: ({"content-type": b"text/plain"}, body),
    "XML": lambda body: (
        {"content-type": b"application/xml"},
        b'<!DOCTYPE x [<!ENTITY x SYSTEM "/etc/passwd">]>',
    ),
    "a form": lambda body: ({"content-type": b"application/x-www-form-urlencoded"}, b"to=1&message=2"),
    "parts": lambda body: ({"content-type": b"multipart/form-data; boundary=x"}, b"--x\r\n\r\n" + body),
    "another charset": lambda body: ({"content-type": b"application/json; charset=utf-7"}, body),
    "no type": lambda body: ({"content-type": b""}, body),
}


def explore(world: World, tally: Tally, budget: Budget, seed: int) -> None:
    """Ask round after round, each in an order and with values of its own; the first one is whole."""
    for n in itertools.count():
        chance = random.Random(f"{seed} {n}")
        json_values = itertools.cycle(hostile.drawn(hostile.json, seed + n, DRAWN))
        texts = itertools.cycle(hostile.drawn(hostile.texts, seed + n, DRAWN))
        asked = [(one, place) for one in world.description.operations for place in places(world, one)]
        chance.shuffle(asked)
        for operation, place in asked:
            for _ in range(1 if place.where == "body" else EACH_ROUND):
                value: Any = next(json_values) if place.where == "field" else next(texts)
                _ask(world, tally, operation, request(world, operation, place, value, chance))
                if budget.stopped or (n and budget.over):
                    return
        if budget.over:
            return


def places(world: World, operation: Operation) -> Iterator[Place]:
    """Everywhere something can be written in a request for this operation."""
    for node in operation.definition.get("parameters", []):
        parameter = world.description.resolve(node)
        yield Place(parameter["in"], parameter["name"])
    yield Place("query", "")  # all of it
    yield from (Place("header", name) for name in HEADERS)
    if operation.method == "POST":
        content = operation.definition["requestBody"]["content"]["application/json"]
        yield from (Place("field", path) for path in _fields(world, content["schema"]))
        yield from (Place("body", name) for name in BODIES)


def _fields(world: World, schema: Any, at: Path = ()) -> Iterator[Path]:
    """The value itself, and every field in it; of a list the first element."""
    schema = world.description.resolve(schema)
    yield at
    for name, inner in schema.get("properties", {}).items():
        yield from _fields(world, inner, (*at, name))
    if "items" in schema:
        yield from _fields(world, schema["items"], (*at, 0))


def request(world: World, operation: Operation, place: Place, value: Any, chance: random.Random) -> Request:
    """A request that is right but for one place."""
    path = (world.description.base_path if operation.within else "") + operation.path
    target = path.replace("{id}", _quoted(value, chance) if place.where == "path" else world.sending)
    if place.where == "query":
        its = f"{place.name}={_quoted(value, chance)}" if place.name else _quoted(value, chance)
        target += f"?{its}" + (f"&{its}" if chance.random() < 0.1 else "")
    headers = {"x-api-key": world.mark.key.encode()}
    if chance.random() < 0.3:
        headers["x-org-id"] = world.org.id.encode()
    octets = None
    if operation.method == "POST":
        headers["content-type"] = b"application/json"
        body = _body(world, operation)
        octets = _written(_put(body, place.name, value) if place.where == "field" else body, chance)
    if octets is not None and place.where == "body":
        spoilt, octets = BODIES[str(place.name)](octets)
        headers |= spoilt
    return Request(operation.method, target, tuple((headers | _header(place, value)).items()), octets)


def _header(place: Place, value: str) -> dict[str, bytes]:
    """The header, without what would end it: tests/story/test_probes.py sends that."""
    if place.where != "header":
        return {}
    kept = "".join(char for char in value if char == "\t" or not (char < " " or char == "\x7f"))
    return {str(place.name): kept.encode("utf-8", "surrogatepass").strip()}


def _body(world: World, operation: Operation) -> dict[str, Any]:
    """The description's own example, for a service that exists."""
    example: dict[str, Any] = operation.definition["requestBody"]["content"]["application/json"]["example"]
    return copy.deepcopy(example) | {"serviceId": world.service}


def _put(body: Any, path: Any, value: Any) -> Any:
    if not path:
        return value
    body[path[0]] = _put(body[path[0]], path[1:], value)
    return body


def _written(body: Any, chance: random.Random) -> bytes:
    """As JSON, escaped or as it is."""
    text = json.dumps(body, ensure_ascii=chance.random() < 0.5)
    return text.encode("utf-8", "surrogatepass")


def _quoted(value: str, chance: random.Random) -> str:
    """In an address: whole, or with as little quoted as a request line can bear."""
    safe = "" if chance.random() < 0.5 else string.punctuation.replace("#", "").replace("?", "")
    return quote(value.encode("utf-8", "surrogatepass"), safe=safe)


def _ask(world: World, tally: Tally, operation: Operation, request: Request) -> None:
    answer = ask(world.port, request)
    base = world.description.base_path if operation.within else ""
    name = f"{operation.method} {base}{operation.path}"
    if answer is None:
        faults = [] if len(request.body or b"") > LONG_BODY else ["no answer"]
        tally.note(PART, name, "none", faults, request)
        return
    world.heard(answer.status, answer.headers, answer.body)
    path = request.target.partition("?")[0]
    faults = list(
        laws.of_the_api(world.description, operation.method, path, answer.status, answer.headers, answer.body)
    )
    tally.note(PART, name, answer.status, faults, request)
