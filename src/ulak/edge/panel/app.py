"""The panel: its pages under `/panel` for customers and `/operator` for operators, and the files they are made of."""

import hashlib
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route, Router
from starlette.types import Receive, Scope, Send

from ulak.edge.panel import account, entry
from ulak.edge.panel.customer import pages as customers
from ulak.edge.panel.operator import pages as operators
from ulak.edge.panel.page import Page, Place
from ulak.edge.panel.render import ROOT
from ulak.edge.panel.security import COOKIES, Door
from ulak.edge.panel.visit import no_such_page
from ulak.edge.rooms import Rooms

TYPES: Final = {".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}

PAGES: Final[dict[Door, list[Page]]] = {
    "customer": [*entry.of("customer"), *account.of("customer"), *customers.PAGES],
    "operator": [*entry.of("operator"), *account.of("operator"), *operators.PAGES],
}


def paths(door: Door, page: Page) -> Iterable[str]:
    """The paths at which a page stands: one in a context stands in everybody's own name and in an organization's."""
    _, root = COOKIES[door]
    yield f"{root}{page.path}"
    if page.who == "context":
        yield f"{root}/org/{{org}}{page.path}"


class Panel:
    """The ASGI application of everything under the two doors."""

    def __init__(self, rooms: Rooms) -> None:
        self._nowhere = _nowheres(rooms)
        self._router = Router(routes=[*_files(), *_places(rooms)], redirect_slashes=False, default=self._lost)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        await self._router(scope, receive, send)

    async def _lost(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Whatever has no page: at the door it was asked at, in words."""
        door: Door = "operator" if scope["path"].startswith(COOKIES["operator"][1]) else "customer"
        await self._nowhere[door](scope, receive, send)


def _places(rooms: Rooms) -> list[Route]:
    routes = []
    for door, pages in PAGES.items():
        found: dict[str, dict[str, Page]] = defaultdict(dict)
        for page in pages:
            for path in paths(door, page):
                found[path][page.method] = page
        routes += [Route(path, Place(rooms, path, door, its)) for path, its in found.items()]
    return routes


def _nowheres(rooms: Rooms) -> dict[Door, Place]:
    pages = {method: Page(method, "", _nowhere, "anybody") for method in ("GET", "POST")}
    return {door: Place(rooms, f"{root}/…", door, pages) for door, (_, root) in COOKIES.items()}


async def _nowhere(_: object) -> Response:
    no_such_page()


def _files() -> list[Route]:
    return [Route(f"/panel/assets/{path.name}", _File(path)) for path in sorted((ROOT / "assets").iterdir())]


class _File:
    """A file that never changes while the server runs, and that browsers may keep."""

    def __init__(self, path: Path) -> None:
        self._body = path.read_bytes()
        self._type = TYPES[path.suffix]
        self._tag = f'"{hashlib.sha256(self._body).hexdigest()[:16]}"'

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        request = Request(scope)
        headers = {"etag": self._tag, "cache-control": "no-cache", "x-content-type-options": "nosniff"}
        if request.headers.get("if-none-match") == self._tag:
            await Response(status_code=304, headers=headers)(scope, receive, send)
            return
        await Response(self._body, media_type=self._type, headers=headers)(scope, receive, send)
