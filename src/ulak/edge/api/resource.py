"""A path and what can be done with it: every request of the Customer API passes through here.

Gives each request an id, finds the handler, checks who asks and how often, turns refusals and outages into the
contract's error body and counts the answer. Handlers only parse, call one room and render.
"""

import math
import re
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final

import structlog
from prometheus_client import Counter
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.types import Receive, Send
from starlette.types import Scope as AsgiScope

from ulak.base import logs, metrics
from ulak.base.db import UNREACHABLE
from ulak.edge import problem
from ulak.edge.auth import UNUSABLE, Caller, caller_of, context_of
from ulak.edge.gate import Body, Gate
from ulak.edge.limits import Allowance, too_often
from ulak.edge.rooms import Rooms
from ulak.flow import pulse
from ulak.flow.pulse import What
from ulak.flow.recognise import SHAPE
from ulak.rules import ids
from ulak.rules.permission import Permission
from ulak.rules.refusal import Code, Refused, said
from ulak.rules.scope import Scope
from ulak.rules.tenancy import Context

_log = structlog.get_logger(__name__)

_OWN_ID: Final = re.compile(r"[A-Za-z0-9._-]{1,64}")


@dataclass(slots=True)
class Call:
    """One request, who makes it, and in whose name (`who`; None on paths that have no context)."""

    request: Request
    caller: Caller
    who: Context
    gate: Gate
    held: Body | None = None

    async def body(self, bytes_max: int) -> bytes:
        """The JSON body, unread; refused when it is none or too long."""
        kind = self.request.headers.get("content-type", "").partition(";")[0].strip().lower()
        if kind != "application/json":
            raise Refused(
                Code.UNSUPPORTED_MEDIA_TYPE, "The body must be JSON: Content-Type: application/json."
            )
        self.held = self.gate.body(self.request, bytes_max, self.caller.user.id.int)
        return await self.held.read()


@dataclass(frozen=True, slots=True)
class Action:
    """What one method does: the handler, and what the caller needs for it.

    `scope`: what its key must be good for; `in_context`: whether x-org-id counts here; `needs`: the permission a member
    must have.
    """

    handler: Callable[[Call], Awaitable[Response]]
    scope: Scope
    in_context: bool = True
    needs: Permission | None = None


class Resource:
    """One path of the API as an ASGI application."""

    def __init__(self, route: str, rooms: Rooms, **actions: Action) -> None:
        self._route = route
        self._rooms = rooms
        self._directory = rooms.directory
        self._rate = rooms.config.rate_per_second
        self._gate = rooms.gate
        self._actions = actions
        self._seconds = metrics.REQUEST_SECONDS.labels(route)
        self._answered: dict[int, Counter] = {}

    async def __call__(self, scope: AsgiScope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        started = time.perf_counter()
        request = Request(scope, receive)
        request_id = request_id_of(request)
        logs.REQUEST.set(request_id)
        headers = {"x-request-id": request_id}
        try:
            response = await self._admitted(request, headers)
        except Refused as refused:
            response = self._refused(refused, request_id, headers)
        except ClientDisconnect:
            return
        except UNREACHABLE as error:
            _log.warning("database_unreachable", route=self._route, error=type(error).__name__)
            response = self._refused(outage(), request_id, headers)
        except Exception:  # noqa: BLE001 - the last resort: never a stack trace to the caller
            _log.exception("request_failed", route=self._route)
            broken = Refused(Code.INTERNAL, "Something went wrong on our side.")
            response = self._refused(broken, request_id, headers)
        self._count(response.status_code)
        seconds = time.perf_counter() - started
        self._seconds.observe(seconds)
        _log.debug("answered", route=self._route, status=response.status_code, seconds=seconds)
        await response(scope, receive, send)

    def _refused(self, refused: Refused, request_id: str, headers: dict[str, str]) -> Response:
        pulse.count(What.REFUSALS, label=refused.code)
        return refusal(refused, request_id, headers)

    def _count(self, status: int) -> None:
        counter = self._answered.get(status)
        if counter is None:
            counter = self._answered[status] = metrics.REQUESTS.labels(self._route, status)
        counter.inc()

    async def _admitted(self, request: Request, headers: dict[str, str]) -> Response:
        await self._gate.enter()
        try:
            return await self._answer(request, headers)
        finally:
            self._gate.leave()

    async def _answer(self, request: Request, headers: dict[str, str]) -> Response:
        action = self._actions.get("GET" if request.method == "HEAD" else request.method)
        if action is None:
            headers["allow"] = ", ".join(
                sorted({*self._actions, *(["HEAD"] if "GET" in self._actions else [])})
            )
            raise Refused(Code.METHOD_NOT_ALLOWED, f"This path answers {headers['allow']}.")
        caller = await self._caller(request)
        self._rooms.uses.note(caller.key)
        self._limit(caller, headers)
        org_header = request.headers.get("x-org-id") if action.in_context else None
        who = await context_of(self._directory, caller, org_header, action.needs, action.scope)
        call = Call(request, caller, who, self._gate)
        try:
            response = await action.handler(call)
        finally:
            if call.held:
                call.held.release()
        response.headers.update(headers)
        return response

    async def _caller(self, request: Request) -> Caller:
        key, origin = request.headers.get("x-api-key"), self._rooms.origin
        try:
            if key and not self._directory.remembers(key):
                await self._spare_the_database(key, origin.nearest(request))
            return await caller_of(self._directory, key, origin.address(request))
        except Refused:
            if key and SHAPE.fullmatch(key):  # anything else is nobody's key, and no guess
                self._rooms.strangers.failed(key, origin.nearest(request), time.monotonic())
            raise

    async def _spare_the_database(self, key: str, address: str | None) -> None:
        """Refuse a key that cannot be one, where it comes from somebody who goes on guessing."""
        if self._rooms.strangers.waits(address, time.monotonic()) and not await self._directory.may_be(key):
            raise Refused(Code.UNAUTHORIZED, UNUSABLE)

    def _limit(self, caller: Caller, headers: dict[str, str]) -> None:
        """Refuse what is above the rate of the caller, or of their key where it has one."""
        its = caller.key
        rate = self._rate if its.user_rate is None else its.user_rate
        rates = [(caller.user.id, rate)] if rate else []
        if its.grant.rate_per_second:
            rates.append((its.key_id, its.grant.rate_per_second))
        if not rates:
            return
        allowance = self._rooms.limiter.ask(rates, time.monotonic())
        headers |= _limit_headers(allowance)
        if not allowance.allowed:
            raise too_often(allowance, of_key=allowance.limit != rate)


def request_id_of(request: Request) -> str:
    """The caller's own X-Request-Id where it is fit to be repeated, else a new one."""
    own = request.headers.get("x-request-id", "")
    return own if _OWN_ID.fullmatch(own) else str(ids.new_id())


def refusal(refused: Refused, request_id: str, headers: dict[str, str]) -> Response:
    """A refusal as an answer."""
    status, more, body = problem.render(refused, request_id)
    return Response(body, status, {**headers, **more}, media_type="application/json")


def outage() -> Refused:
    """The database cannot be reached."""
    return Refused(Code.UNAVAILABLE, said("The service cannot reach its database; try again."), retry_after=1)


def _limit_headers(allowance: Allowance) -> dict[str, str]:
    return {
        "ratelimit-limit": str(allowance.limit),
        "ratelimit-remaining": str(allowance.remaining),
        "ratelimit-reset": str(math.ceil(allowance.reset_seconds)),
    }
