"""The HTTP application: the Customer API under its base path, and the few pages beside it.

Builds the rooms one API process needs, keeps the till running while the server lives, and routes. Paths are
matched exactly; what is not here is `not_found` in the one error shape.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path

from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, Response
from starlette.routing import Route, Router
from starlette.types import Receive, Scope, Send

from ulak.base.config import Config
from ulak.base.db import UNREACHABLE, Database
from ulak.base.migrate import pending
from ulak.edge.api.operations import Operations
from ulak.edge.api.reference import openapi_json, reference_assets, reference_page
from ulak.edge.api.resource import Action, Resource, refusal, request_id_of
from ulak.edge.limits import Limiter
from ulak.edge.listening import listening
from ulak.flow.accept import Acceptance
from ulak.flow.directory import Directory
from ulak.flow.till import Till
from ulak.rules.permission import Permission
from ulak.rules.refusal import Code, Refused
from ulak.store import notices

Answer = Callable[[Request], Awaitable[Response]]


class Application:
    """One API process: the ASGI application itself; `running` keeps its loops going."""

    def __init__(self, config: Config, db: Database) -> None:
        self.config = config
        self.db = db
        self.directory = Directory(db)
        self.till = Till(
            db,
            orders_max=config.batch_requests_max,
            bulk_min=config.bulk_recipients_min,
            run_max=config.queue_run_max,
        )
        acceptance = Acceptance(db, self.directory, self.till)
        self.operations = Operations(config, db, self.directory, acceptance)
        routes = [*self._api(), *self._beside()]
        self._router = Router(routes=routes, redirect_slashes=False, default=_not_found)
        self._fixed = {route.path: route.app for route in routes if "{" not in route.path}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """The ASGI application: a path without a parameter is found by its name, the others by the router."""
        found = self._fixed.get(scope["path"]) if scope["type"] == "http" else None
        await (found or self._router)(scope, receive, send)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Run the till and listen for changes of the directory for as long as the block lasts."""
        till = asyncio.create_task(self.till.run(), name="till")
        ears = asyncio.create_task(
            listening(self.db, {notices.DIRECTORY: lambda _: self.directory.forget()}), name="ears"
        )
        try:
            yield
        finally:
            for task in (till, ears):
                task.cancel()
                with suppress(asyncio.CancelledError):
                    await task

    def _api(self) -> list[Route]:
        does = self.operations
        send, read = Permission.SMS_SEND, Permission.SMS_READ
        table = {
            "/users/me": {"GET": Action(does.me, in_context=False)},
            "/users/me/organizations": {"GET": Action(does.my_organizations, in_context=False)},
            "/services": {"GET": Action(does.services)},
            "/sms-sendings": {
                "GET": Action(does.list_sendings, needs=read),
                "POST": Action(does.send_one, needs=send),
            },
            "/sms-sendings/simple": {"POST": Action(does.send_same, needs=send)},
            "/sms-sendings/advanced": {"POST": Action(does.send_each, needs=send)},
            "/sms-sendings/{id}": {"GET": Action(does.list_messages, needs=read)},
        }
        limiter = Limiter(self.config.rate_per_second)
        return [
            Route(self.config.base_path + path, Resource(path, self.directory, limiter, **actions))
            for path, actions in table.items()
        ]

    def _beside(self) -> list[Route]:
        """What stands outside the base path and needs no key."""
        pages: dict[str, Answer] = {
            "/openapi.json": _fixed(openapi_json(self.config.base_path), "application/json"),
            "/docs": _fixed(reference_page(), "text/html"),
            "/healthz": _healthy,
            "/readyz": self._ready,
            "/metrics": _metrics,
        }
        pages |= {f"/docs/assets/{path.name}": _file(path) for path in reference_assets()}
        return [Route(path, Page(answer)) for path, answer in pages.items()]

    async def _ready(self, request: Request) -> Response:
        """200 once the database answers and its schema is ours."""
        try:
            async with asyncio.timeout(5), self.db.reading() as tx:
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
