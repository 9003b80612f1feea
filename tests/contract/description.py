"""The API's description as the server hands it out, and what it says of an answer.

In: `/openapi.json`. Out: its operations, and a verdict on any answer of the server: documented or not. Schemas are
checked by `jsonschema`, formats included; nothing here knows what the answers should be.
"""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Final

import httpx
from jsonschema import Draft202012Validator, FormatChecker
from referencing import Registry, Resource
from referencing.jsonschema import DRAFT202012

METHODS: Final = ("get", "put", "post", "delete", "options", "head", "patch", "trace")
BASE: Final = "urn:ulak:description"


@dataclass(frozen=True)
class Operation:
    """One method of one path; `within` says whether it stands under the base path."""

    method: str
    path: str
    within: bool
    definition: Mapping[str, Any]

    def __str__(self) -> str:
        return f"{self.method} {self.path}"


@dataclass(frozen=True)
class Description:
    """An OpenAPI 3.1 document. Plain dicts in, plain dicts out."""

    document: Mapping[str, Any]
    operations: list[Operation] = field(default_factory=list)

    @classmethod
    def of(cls, client: httpx.Client) -> "Description":
        """What the server says of itself."""
        description = cls(client.get("/openapi.json").json())
        for path, item in description.document["paths"].items():
            for method in METHODS:
                if method in item:
                    operation = Operation(method.upper(), path, "servers" not in item, item[method])
                    description.operations.append(operation)
        return description

    @property
    def base_path(self) -> str:
        """Where the operations that need a key stand."""
        return str(self.document["servers"][0]["url"]).rstrip("/")

    @cached_property
    def _registry(self) -> Registry[Any]:
        return Registry().with_resource(BASE, Resource(self.document, DRAFT202012))

    def resolve(self, node: Mapping[str, Any]) -> Mapping[str, Any]:
        """The node itself, or what it refers to."""
        while "$ref" in node:
            target: Any = self.document
            for name in node["$ref"].removeprefix("#/").split("/"):
                target = target[name.replace("~1", "/").replace("~0", "~")]
            node = target
        return node

    def faults(self, schema: Mapping[str, Any], value: Any) -> list[str]:
        """Where the value is not what the schema says."""
        rooted = json.loads(json.dumps(schema).replace('"$ref": "#/', f'"$ref": "{BASE}#/'))
        validator = Draft202012Validator(rooted, registry=self._registry, format_checker=FormatChecker())
        return [f"{error.json_path}: {error.message}" for error in validator.iter_errors(value)]

    def operation(self, method: str, path: str) -> Operation | None:
        """The operation that this request is for."""
        within = path.startswith(self.base_path + "/")
        inner = path.removeprefix(self.base_path) if within else path
        method = "GET" if method == "HEAD" else method
        literal = [
            one for one in self.operations if (one.method, one.path, one.within) == (method, inner, within)
        ]
        if literal:
            return literal[0]
        for one in self.operations:
            pattern = re.sub(r"\\\{\w+\\\}", "[^/]+", re.escape(one.path))
            if one.method == method and one.within is within and re.fullmatch(pattern, inner):
                return one
        return None

    def examples(self) -> Iterator[tuple[str, Mapping[str, Any], Any]]:
        """Every example in the document: where, its schema, itself."""
        yield from self._examples("#", self.document)

    def _examples(self, where: str, node: Any) -> Iterator[tuple[str, Mapping[str, Any], Any]]:
        if isinstance(node, list):
            for n, value in enumerate(node):
                yield from self._examples(f"{where}/{n}", value)
        if isinstance(node, dict):
            if "example" in node:
                yield where, node["schema"], node["example"]
            for name, value in node.items():
                if name != "example":
                    yield from self._examples(f"{where}/{name}", value)

    def verdict(self, method: str, path: str, status: int, headers: httpx.Headers, body: bytes) -> list[str]:
        """What of this answer is not documented; nothing when all is."""
        operation = self.operation(method, path)
        if operation is None:
            return [] if status in (404, 405) else [f"{method} {path} is no documented operation"]
        found = operation.definition["responses"].get(str(status))
        if found is None:
            return [f"{operation}: {status} is not documented"]
        response = self.resolve(found)
        faults = list(self._header_faults(response, headers))
        content = response.get("content", {})
        media_type = headers.get("content-type", "").split(";")[0]
        if method != "HEAD" and media_type not in content:
            faults.append(f"content type {media_type!r}, documented are {sorted(content)}")
        elif method != "HEAD" and media_type == "application/json":
            faults += self.faults(content[media_type].get("schema", {}), json.loads(body))
        return [f"{operation} {status}: {fault}" for fault in faults]

    def _header_faults(self, response: Mapping[str, Any], headers: httpx.Headers) -> Iterator[str]:
        for name, node in response.get("headers", {}).items():
            header = self.resolve(node)
            if name not in headers:
                if header.get("required"):
                    yield f"the header {name} is missing"
                continue
            value: Any = headers[name]
            if self.resolve(header["schema"]).get("type") == "integer":
                value = int(value)
            yield from (f"header {name}: {fault}" for fault in self.faults(header["schema"], value))
