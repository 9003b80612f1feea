"""The panel inside this process: a world of two tenants who must never meet, and a browser for everyone who visits.

No server, no sockets: requests go straight to the site. Sessions are written down as signing in would write them, so
that a walk over every page costs no password. A stream is read until it has said something, and left.
"""

import asyncio
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from hashlib import sha256
from typing import Any, Final
from uuid import UUID

import httpx
import pytest

from tests.flow.conftest import USD, World, inhabited
from ulak.admin import accounts, drafts, groups, pricing
from ulak.base.config import Config
from ulak.base.db import Database
from ulak.edge.panel.security import COOKIES, Door, form_token
from ulak.edge.rooms import Rooms
from ulak.edge.site import Site
from ulak.flow.accept import Request, now
from ulak.rules import ids, phone
from ulak.rules.actor import Actor
from ulak.rules.permission import Permission
from ulak.rules.table import read
from ulak.rules.tenancy import Context
from ulak.rules.text import TEXT_MAX
from ulak.store import operators, organizations, services, sessions, users
from ulak.store.operators import Operator
from ulak.store.sessions import Session
from ulak.store.users import User

TEST: Final = Actor("test")
HOST: Final = "panel.test"
ORIGIN: Final = f"https://{HOST}"


class Straight(httpx.AsyncBaseTransport):
    """Requests to an ASGI application; whoever reads a stream goes away after the first thing it says."""

    def __init__(self, app: Any) -> None:
        self._app = app

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """One request and the whole of its answer."""
        body = await request.aread()
        scope = {
            "type": "http",
            "asgi": {"version": "3.0"},
            "http_version": "1.1",
            "method": request.method,
            "headers": [(name.lower(), value) for name, value in request.headers.raw],
            "scheme": request.url.scheme,
            "path": request.url.path,
            "raw_path": request.url.raw_path.partition(b"?")[0],
            "query_string": request.url.query,
            "server": (HOST, 443),
            "client": ("192.0.2.1", 50000),
            "root_path": "",
        }
        gone = asyncio.Event()
        asked = [{"type": "http.request", "body": body, "more_body": False}]
        said: list[dict[str, Any]] = []

        async def receive() -> dict[str, Any]:
            if asked:
                return asked.pop()
            await gone.wait()
            return {"type": "http.disconnect"}

        async def send(message: dict[str, Any]) -> None:
            said.append(message)
            if message["type"] == "http.response.body" and (
                message.get("body", b"").startswith(b"data:") or not message.get("more_body")
            ):
                gone.set()

        await self._app(scope, receive, send)
        content = b"".join(message.get("body", b"") for message in said[1:])
        return httpx.Response(said[0]["status"], headers=said[0]["headers"], content=content, request=request)


class Browser:
    """Somebody's browser: cookies, and the token that belongs into their forms."""

    def __init__(self, site: Site, held: dict[Door, str] | None = None) -> None:
        self.held = held or {}
        self.client = httpx.AsyncClient(transport=Straight(site), base_url=ORIGIN)
        for door, token in self.held.items():
            name, root = COOKIES[door]
            self.client.cookies.set(name, token, domain=HOST, path=root)

    def token(self, path: str) -> str:
        """What a form of this page holds."""
        door: Door = "operator" if path.startswith("/operator") else "customer"
        return form_token(self.held.get(door, ""))

    async def get(self, path: str, **options: Any) -> httpx.Response:
        """A page, by its address."""
        return await self.client.get(path, **options)

    async def post(self, path: str, fields: dict[str, Any] | None = None, **options: Any) -> httpx.Response:
        """A form of one of our own pages."""
        return await self.client.post(path, data={"csrf": self.token(path), **(fields or {})}, **options)


@dataclass
class Tenant:
    """Somebody with something of everything; `marks` are what nobody else may ever read."""

    user: User
    org: organizations.Organization
    ids: dict[str, str] = field(default_factory=dict)
    org_ids: dict[str, str] = field(default_factory=dict)
    marks: list[str] = field(default_factory=list)


class Town:
    """The world of the panel's tests: builders, and a site to visit."""

    def __init__(self, db: Database, world: World, site: Site) -> None:
        self.db, self.world, self.site = db, world, site

    async def user(self, name: str, email: str = "") -> User:
        """A user who cannot sign in, but may have sessions."""
        return await accounts.create_user(self.db, TEST, name, email or f"{name}@example.com")

    async def operator(self, name: str, role: operators.Role = "operator") -> Operator:
        """An operator, likewise."""
        async with self.db.transaction() as tx:
            made = await operators.add(tx, ids.new_id(), name, "no hash", role)
        assert made
        return made

    async def session(
        self,
        owner: User | Operator,
        *,
        looks_at: User | None = None,
        agent: str = "Tests",
        half: bool = False,
    ) -> tuple[str, Session]:
        """A session, as signing in opens it."""
        token, at = secrets.token_urlsafe(32), now()
        is_operator = isinstance(owner, Operator)
        session = Session(
            id=ids.new_id(),
            user_id=looks_at.id if looks_at else None if is_operator else owner.id,
            operator_id=owner.id if is_operator else None,
            address="192.0.2.1",
            agent=agent,
            awaits_code=half,
            created_at=at,
            seen_at=at,
            expires_at=at + timedelta(hours=1),
        )
        async with self.db.transaction() as tx:
            await sessions.add(tx, session, sha256(token.encode()).digest())
        return token, session

    async def browser(self, owner: User | Operator, *, looks_at: User | None = None) -> Browser:
        """A browser in which somebody is signed in."""
        token, _ = await self.session(owner, looks_at=looks_at)
        at_customers = looks_at is not None or isinstance(owner, User)
        return Browser(self.site, {"customer" if at_customers else "operator": token})

    async def member(
        self, org: organizations.Organization, user: User, permissions: frozenset[Permission]
    ) -> None:
        """Make somebody a member with exactly these permissions, none included."""
        await groups.add_member(self.db, TEST, org.name, user.username)
        async with self.db.transaction() as tx:
            await organizations.join(tx, org.id, user.id, permissions)
        self.site.rooms.directory.forget()

    async def tenant(self, name: str, mark: str) -> Tenant:
        """A tenant whose everything holds `mark`."""
        user = await self.user(name, f"{name}@{mark}.example")
        org = await groups.create(self.db, TEST, f"Organization {mark}")
        its = Tenant(user, org, marks=[mark, str(user.id), str(org.id)])
        await self.member(org, user, frozenset(Permission))
        for who, found in ((Context(user.id), its.ids), (Context(user.id, org.id), its.org_ids)):
            await self.world.fund(who, 100 * USD)
            found |= await self._belongings(who, name, mark, its.marks)
            found["username"] = await self.beside(org, f"{mark}-beside")
            found |= await self._behind_the_counter(its, found)
        return its

    async def _behind_the_counter(self, its: Tenant, found: dict[str, str]) -> dict[str, str]:
        """What operators have to do with a tenant: who they are, somebody beside them, what they buy."""
        async with self.db.reading() as tx:
            beside = await users.by_name(tx, found["username"])
            service = next(one.name for one in await services.all(tx) if str(one.id) == found["service"])
        assert beside
        rule = await pricing.add(self.db, TEST, service=service, kind="percent", value=0)
        return {
            "users": str(its.user.id),
            "organizations": str(its.org.id),
            "members": str(beside.id),
            "services": found["service"],
            "prices": str(rule.id),
            "carriers": str(self.world.carrier),
        }

    async def of_member(self, user: User, org: organizations.Organization) -> dict[str, str]:
        """What a member has of their own in an organization: a draft, and somebody beside them."""
        who = Context(user.id, org.id)
        beside = await self.beside(org)
        return {"send": await self._draft(who, "member", "905550000000", None), "username": beside}

    async def beside(self, org: organizations.Organization, name: str = "beside") -> str:
        """A member of an organization who may do nothing."""
        async with self.db.reading() as tx:
            known = await users.by_name(tx, name)
        await self.member(org, known or await self.user(name), frozenset())
        return name

    async def hostile(self, text: str) -> Tenant:
        """A tenant who writes this wherever they may write."""
        user = await self.user("mallory")
        name = text if text.isprintable() and len(text) <= groups.NAME_LENGTH_MAX else "Organization"
        org = await groups.create(self.db, TEST, name)
        its = Tenant(user, org)
        await self.member(org, user, frozenset(Permission))
        for who, found in ((Context(user.id), its.ids), (Context(user.id, org.id), its.org_ids)):
            await self.world.fund(who, 100 * USD)
            found |= await self._belongings(who, "mallory", text, its.marks, text)
            found["username"] = await self.beside(org)
        return its

    async def _draft(self, who: Context, mark: str, number: str, service: UUID | None) -> str:
        quoted = mark.replace('"', '""')
        table = read(f'phone;"{quoted}"\n{number};"{quoted}"\n'.encode())
        draft = await drafts.keep(self.db, who, table, name=f"{mark}.csv", service_id=service, text=mark)
        return str(draft.head.id)

    async def _belongings(
        self, who: Context, name: str, mark: str, marks: list[str], service: str = "Service"
    ) -> dict[str, str]:
        """A sending that is under way and its messages, a draft, a key, another session."""
        service_id = await self.world.service(name=f"{service} {secrets.randbelow(10**8)}")
        number = f"9055{secrets.randbelow(10**8):08d}"
        text = mark if len(mark) == TEXT_MAX else f"text {mark}"
        await self.world.accept(Request(who, service_id, [number], text, "api"))
        ours = [work for work in await self.world.lease() if work.run.tenant_id == who.tenant_id]
        await self.world.receive(await self.world.take(*ours), network=mark)
        sending = (await self.world.accept(Request(who, service_id, [number], text, "api"))).sending_id
        key_name = mark if mark.isprintable() and len(mark) <= accounts.KEY_NAME_LENGTH_MAX else "key"
        key = await accounts.create_key(self.db, TEST, name, key_name)
        _, other = await self.session(User(who.user_id, name, "", "active", now()), agent=mark)
        draft = await self._draft(who, mark, number, service_id)
        message = ids.message_id(sending, 0)
        marks += [str(one) for one in (sending, key.key.id, key.key.prefix, other.id, draft, message)]
        marks += [number, phone.shown(int(number))]
        return {
            "sendings": str(sending),
            "messages": str(message),
            "keys": str(key.key.id),
            "sessions": str(other.id),
            "send": draft,
            "service": str(service_id),
        }


@pytest.fixture
async def town(db: Database) -> AsyncIterator[Town]:
    """A town with nobody in it."""
    async with settled(db) as its:
        yield its


@asynccontextmanager
async def settled(db: Database) -> AsyncIterator[Town]:
    """A town on this database."""
    rooms = Rooms(Config(), db)
    async with inhabited(db) as world, rooms.running():
        yield Town(db, world, Site(rooms))
