"""The HTTP application of one process: the Customer API, the panel, and the few pages beside them.

Paths are matched exactly; what is not here is `not_found` in the one error shape. The panel is loaded when somebody
first asks for it, so that a process that only answers programs does not carry it.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path

from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, RedirectResponse, Response
from starlette.routing import Route, Router
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ulak.base import logs
from ulak.base.db import UNREACHABLE
from ulak.base.migrate import pending
from ulak.edge.api.reference import POLICY, SCRIPT, openapi_json, reference_assets, reference_page
from ulak.edge.api.resource import refusal, request_id_of
from ulak.edge.api.routes import routes
from ulak.edge.hearsay import Hearsay
from ulak.edge.rooms import Rooms
from ulak.edge.scrape import Scrape
from ulak.edge.siblings import Siblings
from ulak.rules.refusal import Code, Refused

Answer = Callable[[Request], Awaitable[Response]]

PANEL = ("/panel", "/operator")


class Site:
    """The ASGI application; without `api` only the pages beside it."""

    def __init__(self, rooms: Rooms, siblings: Siblings | None = None, *, api: bool = True) -> None:
        self.rooms = rooms
        self._scrape = Scrape(rooms.config, rooms.db, siblings or Siblings("api-1"))
        self._hearsay = Hearsay(rooms.config)
        self._panel: ASGIApp | None = None
        self._api = api
        known = [*routes(rooms), *self._beside()] if api else self._watched()
        self._router = Router(routes=known, redirect_slashes=False, default=_not_found)
        self._fixed = {route.path: route.app for route in known if "{" not in route.path}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """The ASGI application: a path without a parameter is found by its name, the others by the router."""
        if scope["type"] == "http":
            self._hearsay.look(scope)
        if self.rooms.stopping.is_set():
            send = _last(send)
        found = self._fixed.get(scope["path"]) if scope["type"] == "http" else None
        if found is None and self._api and scope["type"] == "http" and scope["path"].startswith(PANEL):
            found = self._the_panel()
        await (found or self._router)(scope, receive, send)

    def _the_panel(self) -> ASGIApp:
        if self._panel is None:
            from ulak.edge.panel.app import Panel

            self._panel = Panel(self.rooms)
        return self._panel

    def _beside(self) -> list[Route]:
        """What stands outside the base path and needs no key."""
        pages: dict[str, Answer] = {
            "/openapi.json": _fixed(openapi_json(self.rooms.config.base_path), "application/json"),
            "/docs": _fixed(reference_page(), "text/html", {"content-security-policy": POLICY}),
            "/docs/assets/reference.js": _fixed(SCRIPT, "text/javascript"),
        }
        pages |= {f"/docs/assets/{path.name}": _file(path) for path in reference_assets()}
        return [*self._watched(), *(Route(path, Page(answer)) for path, answer in pages.items())]

    def _watched(self) -> list[Route]:
        """What machines ask that watch this one."""
        pages: dict[str, Answer] = {
            "/healthz": _healthy,
            "/readyz": self._ready,
            "/metrics": self._scrape,
        }
        return [Route(path, Page(answer)) for path, answer in pages.items()]

    async def _ready(self, request: Request) -> Response:
        """200 once the database answers and its schema is ours, until the process is asked to stop."""
        if self.rooms.leaving:
            return JSONResponse({"ready": False, "reason": "stopping"}, 503)
        try:
            async with asyncio.timeout(5), self.rooms.db.reading() as tx:
                missing = await pending(tx)
        except UNREACHABLE as error:
            return JSONResponse({"ready": False, "reason": f"database: {type(error).__name__}"}, 503)
        if missing:
            return JSONResponse({"ready": False, "reason": f"migrations missing: {', '.join(missing)}"}, 503)
        return JSONResponse({"ready": True})


class Page:
    """A page beside the API: it can be read, and nothing else."""

    def __init__(self, answer: Answer) -> None:
        self._answer = answer

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        request = Request(scope, receive)
        headers = {"x-request-id": request_id_of(request), "x-content-type-options": "nosniff"}
        logs.REQUEST.set(headers["x-request-id"])
        try:
            if request.method not in ("GET", "HEAD"):
                headers["allow"] = "GET, HEAD"
                raise Refused(Code.METHOD_NOT_ALLOWED, "This path answers GET and HEAD.")
            response = await self._answer(request)
            response.headers.update(headers)
        except Refused as refused:
            if refused.code is Code.UNAUTHORIZED:
                headers["www-authenticate"] = "Bearer"
            response = refusal(refused, headers["x-request-id"], headers)
        await response(scope, receive, send)


def _last(send: Send) -> Send:
    """Answers after which the connection ends: the caller's next request finds another process."""

    async def last(message: Message) -> None:
        if message["type"] == "http.response.start":
            message["headers"] = [*message.get("headers", ()), (b"connection", b"close")]
        await send(message)

    return last


def _fixed(body: bytes, media_type: str, headers: Mapping[str, str] | None = None) -> Answer:
    async def answer(request: Request) -> Response:
        return Response(body, media_type=media_type, headers=headers)

    return answer


def _file(path: Path) -> Answer:
    async def answer(request: Request) -> Response:
        return FileResponse(path, headers={"cache-control": "max-age=86400"})

    return answer


async def _healthy(request: Request) -> Response:
    return JSONResponse({"healthy": True})


async def _not_found(scope: Scope, receive: Receive, send: Send) -> None:
    if scope["type"] != "http":
        return
    request = Request(scope)
    if scope["path"] == "/" and request.method == "GET" and "text/html" in request.headers.get("accept", ""):
        # somebody with a browser; for programs there is nothing here
        await RedirectResponse("/panel", 303, {"vary": "accept"})(scope, receive, send)
        return
    request_id = request_id_of(request)
    refused = Refused(Code.NOT_FOUND, "There is no such path.")
    await refusal(refused, request_id, {"x-request-id": request_id})(scope, receive, send)
