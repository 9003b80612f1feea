"""One request to the panel and whoever makes it: what they may do, and the pages they get.

A `Reader` is anybody who looks: a language and a browser. A `Visit` is a reader who is signed in: a `Customer`, in
their own name or an organization's, or an `Operator`. Pages call rooms with what stands here and render; they hold
no rule.
"""

import base64
import json
import time
from binascii import Error as Base64Error
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, NoReturn
from uuid import UUID
from zoneinfo import ZoneInfo

from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from ulak.edge.limits import too_often
from ulak.edge.panel import security
from ulak.edge.panel.forms import Form, Values
from ulak.edge.panel.languages import N_, Language, chosen, language
from ulak.edge.panel.navigation import MENU
from ulak.edge.panel.render import environment
from ulak.edge.problem import STATUS
from ulak.edge.rooms import Rooms
from ulak.rules import money
from ulak.rules.actor import Actor
from ulak.rules.permission import Permission
from ulak.rules.refusal import Code, Refused
from ulak.rules.stranger import place
from ulak.rules.tenancy import Context
from ulak.store.operators import Operator as Account
from ulak.store.organizations import Member, Organization
from ulak.store.sessions import Visitor
from ulak.store.users import User

LANGUAGE: Final = "ulak_language"
THEME: Final = "ulak_theme"
SAID: Final = "ulak_said"
THEMES: Final = ("auto", "light", "dark")
_SAID_SECONDS: Final = 60
_SAID_LENGTH_MAX: Final = 1500


@dataclass(slots=True)
class Reader:
    """Anybody who looks at a page of one of the two doors."""

    rooms: Rooms
    request: Request
    door: security.Door
    request_id: str
    form: Form = field(init=False)

    @property
    def language(self) -> Language:
        """As chosen, or as the browser asks."""
        headers = self.request.headers
        code = chosen(self.request.cookies.get(LANGUAGE), headers.get("accept-language", ""))
        return language(code, self.zone)

    @property
    def zone(self) -> ZoneInfo:
        """The time zone in which times are shown."""
        return ZoneInfo(self.rooms.config.timezone)

    @property
    def theme(self) -> str:
        """Light, dark, or as the system has it."""
        theme = self.request.cookies.get(THEME, THEMES[0])
        return theme if theme in THEMES else THEMES[0]

    def asked(self, *names: str) -> Values:
        """What is asked for in the address, without what is left empty."""
        params = self.request.query_params
        return Values((name, params[name]) for name in names if params.get(name))

    @property
    def address(self) -> str | None:
        """Where the request comes from, to count by and to write down."""
        return self.rooms.origin.nearest(self.request)

    @property
    def agent(self) -> str:
        """The browser, as it calls itself."""
        return self.request.headers.get("user-agent", "")[:300]

    @property
    def whose(self) -> int | str:
        """Whom what they send counts for in the gate: where nobody is known yet, the place they come from."""
        return place(self.address) or "nowhere"

    @property
    def secret(self) -> str | None:
        """What this browser's forms are tied to."""
        return self.request.cookies.get(security.VISIT)

    @property
    def secure(self) -> bool:
        """Whether cookies go over encrypted connections only."""
        return self.rooms.config.secure_cookies == "on"

    def amount(self, name: str) -> int:
        """An amount in a field of the form, in micro-units."""
        return money.parse_amount(self.language.decimal(self.form[name]))

    def signed(self, name: str) -> int:
        """The same, which may be below zero."""
        return money.parse_signed(self.language.decimal(self.form[name]))

    def known(self) -> Mapping[str, Any]:
        """What every template knows."""
        return {
            "reader": self,
            "visit": None,
            "door": self.door,
            "csrf": security.form_token(self.secret or ""),
        }

    def render(self, template: str, **values: Any) -> str:
        """A template, or a part of one, as text."""
        its = environment(self.language.code, self.zone).get_template(template)
        return its.render({**self.known(), **values})

    def page(self, template: str, **values: Any) -> Response:
        """A whole page."""
        return self._page(200, template, values)

    def _page(self, status: int, template: str, values: Mapping[str, Any]) -> Response:
        said = _said(self.request.cookies.get(SAID))
        response = HTMLResponse(self.render(template, said=said, **values), status)
        if said:
            response.delete_cookie(SAID, path="/")
        return response

    def refused(self, refused: Refused, template: str, **values: Any) -> Response:
        """The page of a form again, with what was wrong."""
        status = STATUS[refused.code]
        response = self._page(status, template, {"refused": refused, "status": status, **values})
        if refused.retry_after is not None:
            response.headers["retry-after"] = str(int(refused.retry_after) + 1)
        return response

    def go(self, path: str, said: str = "") -> Response:
        """On to another page, which begins with what was done."""
        response = RedirectResponse(path, 303)
        if said:
            text = base64.urlsafe_b64encode(json.dumps(said[:_SAID_LENGTH_MAX]).encode()).decode()
            response.set_cookie(
                SAID, text, max_age=_SAID_SECONDS, path="/", httponly=True, samesite="lax", secure=self.secure
            )
        return response


def _said(cookie: str | None) -> str:
    try:
        text = json.loads(base64.urlsafe_b64decode((cookie or "").encode("ascii", "replace")))
    except (ValueError, Base64Error):
        return ""
    return text if isinstance(text, str) else ""


@dataclass(slots=True)
class Visit(Reader):
    """Somebody who is signed in."""

    visitor: Visitor

    @property
    def whose(self) -> int | str:
        """The user or operator: a user with a share of the gate for the panel and all their keys together."""
        return self.visitor.session.owner_id.int

    @property
    def secret(self) -> str | None:
        """The session's own."""
        return self.request.cookies.get(security.COOKIES[self.door][0])

    @property
    def read_only(self) -> bool:
        """Whether nothing may be changed here."""
        return self.visitor.session.read_only


@dataclass(slots=True)
class Customer(Visit):
    """A user, in their own name or as a member of an organization."""

    user: User
    who: Context
    member: Member | None
    members: list[Member]

    @property
    def actor(self) -> Actor:
        """As the audit log knows them."""
        return Actor(f"user:{self.user.username}", self.address)

    @property
    def looks(self) -> Actor | None:
        """The operator who looks at this customer's panel, where it is not the customer."""
        its = self.visitor.operator
        return Actor(f"operator:{its.username}", self.address) if its else None

    @property
    def organization(self) -> Organization | None:
        """For which they act."""
        return self.member.organization if self.member else None

    @property
    def named(self) -> tuple[str | None, str | None]:
        """The pool or credit this is about, as `admin` names customers: by user and organization."""
        return self.user.username, str(self.member.organization.id) if self.member else None

    def may(self, permission: str) -> bool:
        """Whether they may do this here; in their own name they may do everything."""
        return self.member is None or Permission(permission) in self.member.permissions

    def need(self, permission: Permission) -> None:
        """Refuse what they may not do."""
        if not self.may(permission):
            raise denied()

    @property
    def rate(self) -> int:
        """How often a second they may ask, with all their keys together; 0: as often as they like."""
        own = self.visitor.user_rate
        return self.rooms.config.rate_per_second if own is None else own

    def ask(self) -> None:
        """Take what they do from their rate, which is one for the panel and all their keys together; refused above it.

        An operator who looks takes nothing from whom they look at.
        """
        rate = self.rate
        if rate and not self.read_only:
            allowance = self.rooms.limiter.ask([(self.user.id, rate)], time.monotonic())
            if not allowance.allowed:
                raise too_often(allowance)

    def to(self, path: str = "") -> str:
        """A page's path in the context of this visit."""
        prefix = f"/panel/org/{self.member.organization.id}" if self.member else "/panel"
        return f"{prefix}{path}"

    def known(self) -> Mapping[str, Any]:
        """What every template knows."""
        return {**Reader.known(self), "visit": self, "url": self.to, "menu": MENU[self.door]}


@dataclass(slots=True)
class Operator(Visit):
    """Somebody who runs the place."""

    account: Account

    @property
    def actor(self) -> Actor:
        """As the audit log knows them."""
        return Actor(f"operator:{self.account.username}", self.address)

    @property
    def read_only(self) -> bool:
        """A viewer changes nothing."""
        return self.account.role == "viewer"

    def to(self, path: str = "") -> str:
        """A page's path."""
        return f"/operator{path}"

    def known(self) -> Mapping[str, Any]:
        """What every template knows."""
        return {**Reader.known(self), "visit": self, "url": self.to, "menu": MENU[self.door]}


def denied() -> Refused:
    """Somebody may not do this here."""
    return Refused(Code.PERMISSION_DENIED, N_("You are not allowed to do this in this organization."))


def no_such_page() -> NoReturn:
    """There is nothing here."""
    raise Refused(Code.NOT_FOUND, N_("There is no such page."))


def uuid_of(text: str) -> UUID:
    """An id in an address; what is none leads nowhere."""
    try:
        return UUID(text)
    except ValueError:
        no_such_page()
