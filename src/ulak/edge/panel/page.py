"""A page of the panel and what it takes to see it: every request to the panel passes through here.

Lets in as many at once as there is room for (`gate`), finds out who is visiting and in whose name, refuses what they
may not do, and turns refusals and outages into pages. A form is read only when whoever sends it may, and as far as its
headers say from one of our pages; what it holds counts only with its token. Handlers only call rooms and render.
"""

import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final, Literal
from urllib.parse import quote

import structlog
from starlette.requests import ClientDisconnect, Request
from starlette.responses import RedirectResponse, Response
from starlette.types import Receive, Scope, Send

from ulak.admin import entrance
from ulak.base import logs, metrics
from ulak.base.db import UNREACHABLE
from ulak.edge.api.resource import outage, request_id_of
from ulak.edge.gate import Gate
from ulak.edge.panel import forms, security
from ulak.edge.panel.languages import CODES, N_
from ulak.edge.panel.visit import (
    LANGUAGE,
    THEME,
    THEMES,
    Customer,
    Operator,
    Reader,
    Visit,
    denied,
    no_such_page,
    uuid_of,
)
from ulak.edge.rooms import Rooms
from ulak.rules.permission import Permission
from ulak.rules.refusal import Code, Refused
from ulak.rules.tenancy import Context

_log = structlog.get_logger(__name__)

FORM_BYTES_MAX: Final = 64 * 1024
STRANGERS_BYTES_MAX: Final = 16 * 1024
"""Of a form that anybody may send."""
SORRY: Final = "sorry.html"  # says why there is no page
_YEAR_SECONDS: Final = 365 * 24 * 3600

#: Who sees a page: anybody, whoever is signed in at its door, or customers in the context that its path names.
Who = Literal["anybody", "customer", "context", "operator"]


@dataclass(frozen=True, slots=True)
class Page:
    """What one method of one path does; `path` within the door (or the context) it belongs to.

    `needs` is the permission that a member of an organization must have. A page that `computes` changes nothing,
    so that whoever may only look may use it. One that is `live` is asked for by an open page, whether anybody sits
    before it or not, so it keeps no session from idling out. `bytes_max` bounds what is sent: more than
    `FORM_BYTES_MAX` only where a list or a file belongs; from anybody never more than `STRANGERS_BYTES_MAX`.
    """

    method: Literal["GET", "POST"]
    path: str
    handler: Callable[[Any], Awaitable[Response]]
    who: Who
    needs: Permission | None = None
    computes: bool = False
    live: bool = False
    bytes_max: int = FORM_BYTES_MAX


class Place:
    """One path of the panel as an ASGI application."""

    def __init__(self, rooms: Rooms, route: str, door: security.Door, pages: Mapping[str, Page]) -> None:
        self._rooms = rooms
        self._route = route
        self._door = door
        self._pages = pages
        self._seconds = metrics.REQUEST_SECONDS.labels(route)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        started = time.perf_counter()
        request = Request(scope, receive)
        reader = Reader(self._rooms, request, self._door, request_id_of(request))
        logs.REQUEST.set(reader.request_id)
        try:
            response = await self._admitted(reader)
        except ClientDisconnect:
            return
        except Refused as refused:
            response = reader.refused(refused, SORRY)
        except UNREACHABLE as error:
            _log.warning("database_unreachable", route=self._route, error=type(error).__name__)
            response = reader.refused(outage(), SORRY)
        except Exception:  # noqa: BLE001 - the last resort: never a stack trace to the visitor
            _log.exception("page_failed", route=self._route)
            broken = Refused(Code.INTERNAL, N_("Something went wrong on our side."))
            response = reader.refused(broken, SORRY)
        for name, value in security.HEADERS.items():
            response.headers.setdefault(name, value)
        response.headers["x-request-id"] = reader.request_id
        metrics.REQUESTS.labels(self._route, response.status_code).inc()
        seconds = time.perf_counter() - started
        self._seconds.observe(seconds)
        _log.debug("answered", route=self._route, status=response.status_code, seconds=seconds)
        await response(scope, receive, send)

    async def _admitted(self, reader: Reader) -> Response:
        """Answer within the gate; what is streamed afterwards is out of it."""
        page = self._pages.get("GET" if reader.request.method == "HEAD" else reader.request.method)
        if page is None:
            raise Refused(Code.METHOD_NOT_ALLOWED, N_("This page cannot be asked that way."))
        if "\0" in reader.request.scope["path"]:  # in no name, and the database takes no text with one
            no_such_page()
        gate = self._rooms.outer_gate if page.who == "anybody" else self._rooms.gate
        await gate.enter()
        try:
            return await self._answer(reader, page, gate)
        finally:
            gate.leave()

    async def _answer(self, reader: Reader, page: Page, gate: Gate) -> Response:
        if wish := _wish(reader):
            return wish
        visit = await self._visit(reader, page)
        if visit is None:
            return _to_the_door(reader)
        if page.method == "GET":
            return await page.handler(visit)
        security.check_sender(reader.request, visit.secret)
        if isinstance(visit, Visit) and visit.read_only and not page.computes:
            raise Refused(Code.NOT_ALLOWED, N_("You can look at everything here, and change nothing."))
        most = STRANGERS_BYTES_MAX if page.who == "anybody" else page.bytes_max
        body = gate.body(reader.request, most, visit.whose)
        try:
            visit.form = await forms.read(reader.request, body, most)
            try:
                security.check_token(visit.secret, visit.form[forms.TOKEN])
                return await page.handler(visit)
            finally:
                await visit.form.close()
        finally:
            body.release()

    async def _visit(self, reader: Reader, page: Page) -> Reader | None:
        """Whoever is visiting, as this page wants to know them; None when they have to sign in first."""
        if page.who == "anybody":
            return reader
        token = reader.request.cookies.get(security.COOKIES[self._door][0])
        visitor = None
        if token:
            visitor = await entrance.visitor(self._rooms.db, self._door, token, comes=not page.live)
        if visitor is None:
            return None
        its = (reader.rooms, reader.request, reader.door, reader.request_id, visitor)
        if page.who == "operator":
            assert visitor.operator
            return Operator(*its, visitor.operator)
        assert visitor.user
        members = await self._rooms.directory.memberships(visitor.user.id)
        customer = Customer(*its, visitor.user, Context(visitor.user.id), None, members)
        return _in_context(customer, page.needs) if page.who == "context" else customer


def _in_context(visit: Customer, needs: Permission | None) -> Customer:
    """The visit in the name of the organization in its path, if there is one."""
    org = visit.request.path_params.get("org")
    if org is None:
        return visit
    id_ = uuid_of(org)
    member = next((one for one in visit.members if one.organization.id == id_), None)
    if member is None or member.organization.state != "active":
        no_such_page()
    if needs is not None and needs not in member.permissions:
        raise denied()
    return replace(visit, who=Context(visit.user.id, id_), member=member)


def _to_the_door(reader: Reader) -> Response:
    """The sign-in page, from which one comes back here."""
    _, root = security.COOKIES[reader.door]
    if reader.request.headers.get("accept", "").startswith("text/event-stream"):
        return Response(status_code=204)  # which tells a browser not to ask again
    back = reader.request.url.path if reader.request.method == "GET" else root
    query = reader.request.url.query
    target = quote(f"{back}?{query}" if query and back != root else back, safe="/")
    return RedirectResponse(f"{root}/sign-in" + (f"?next={target}" if back != root else ""), 303)


def _wish(reader: Reader) -> Response | None:
    """The same page again in the language or the theme that was asked for."""
    wishes = {
        LANGUAGE: (reader.request.query_params.get("language"), CODES),
        THEME: (reader.request.query_params.get("theme"), THEMES),
    }
    chosen = {name: wish for name, (wish, known) in wishes.items() if wish in known and wish is not None}
    if not chosen or reader.request.method == "POST":
        return None
    url = reader.request.url.remove_query_params(["language", "theme"])
    response = RedirectResponse(f"{url.path}?{url.query}" if url.query else url.path, 303)
    for name, wish in chosen.items():
        response.set_cookie(
            name, wish, max_age=_YEAR_SECONDS, path="/", samesite="lax", httponly=True, secure=reader.secure
        )
    return response
