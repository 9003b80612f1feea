"""The HTTP application of one process: the Customer API, the panel, and the few pages beside them.

Paths are matched exactly; what is not here is `not_found` in the one error shape. The panel is loaded when somebody
first asks for it, so that a process that only answers programs does not carry it.
"""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, Response
from starlette.routing import Route, Router
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ulak.base.db import UNREACHABLE
from ulak.base.migrate import pending
from ulak.edge.api.reference import openapi_json, reference_assets, reference_page
from ulak.edge.api.resource import refusal, request_id_of
from ulak.edge.api.routes import routes
from ulak.edge.rooms import Rooms
from ulak.rules.refusal import Code, Refused

Answer = Callable[[Request], Awaitable[Response]]

PANEL = ("/panel", "/operator")


class Site:
    """The ASGI application."""

    def __init__(self, rooms: Rooms) -> None:
        self.rooms = rooms
        self._panel: ASGIApp | None = None
        known = [*routes(rooms), *self._beside()]
        self._router = Router(routes=known, redirect_slashes=False, default=_not_found)
        self._fixed = {route.path: route.app for route in known if "{" not in route.path}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """The ASGI application: a path without a parameter is found by its name, the others by the router."""
        if self.rooms.stopping.is_set():
            send = _last(send)
        found = self._fixed.get(scope["path"]) if scope["type"] == "http" else None
        if found is None and scope["type"] == "http" and scope["path"].startswith(PANEL):
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
            "/docs": _fixed(reference_page(), "text/html"),
            "/healthz": _healthy,
            "/readyz": self._ready,
            "/metrics": _metrics,
        }
        pages |= {f"/docs/assets/{path.name}": _file(path) for path in reference_assets()}
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
        headers = {"x-request-id": request_id_of(request)}
        if request.method in ("GET", "HEAD"):
            response = await self._answer(request)
            response.headers.update(headers)
        else:
            headers["allow"] = "GET, HEAD"
            refused = Refused(Code.METHOD_NOT_ALLOWED, "This path answers GET and HEAD.")
            response = refusal(refused, headers["x-request-id"], headers)
        await response(scope, receive, send)


def _last(send: Send) -> Send:
    """Answers after which the connection ends: the caller's next request finds another process."""

    async def last(message: Message) -> None:
        if message["type"] == "http.response.start":
            message["headers"] = [*message.get("headers", ()), (b"connection", b"close")]
        await send(message)

    return last


def _fixed(body: bytes, media_type: str) -> Answer:
    async def answer(request: Request) -> Response:
        return Response(body, media_type=media_type)

    return answer


def _file(path: Path) -> Answer:
    async def answer(request: Request) -> Response:
        return FileResponse(path, headers={"cache-control": "max-age=86400"})

    return answer


async def _healthy(request: Request) -> Response:
    return JSONResponse({"healthy": True})


async def _metrics(request: Request) -> Response:
    return Response(generate_latest(), media_type=CONTENT_TYPE_LATEST)


async def _not_found(scope: Scope, receive: Receive, send: Send) -> None:
    if scope["type"] != "http":
        return
    request_id = request_id_of(Request(scope))
    refused = Refused(Code.NOT_FOUND, "There is no such path.")
    await refusal(refused, request_id, {"x-request-id": request_id})(scope, receive, send)
