"""A walk over every page of the panel as everybody who may come: who is let in where, and what nobody ever sees.

`TABLE` says for each page who gets it. A page that is not in there fails the walk, and so does one that is gone.
"""

import json
import re
from base64 import urlsafe_b64encode
from collections.abc import AsyncIterator, Iterator
from datetime import datetime
from itertools import product
from typing import Any, Final, Literal, NamedTuple
from urllib.parse import quote, urlencode
from uuid import UUID

import httpx
import pytest

from tests.edge.panel.conftest import HOST, ORIGIN, TEST, Browser, Tenant, Town
from tests.edge.panel.reading import Read
from tests.pace import few_fast
from ulak.admin import accounts, groups, operators
from ulak.admin.entrance import CUSTOMER_IDLE, OPERATOR_IDLE
from ulak.edge import site
from ulak.edge.panel.app import PAGES, paths
from ulak.edge.panel.security import HEADERS, Door, form_token, new_secret
from ulak.flow.accept import now
from ulak.rules.permission import Permission
from ulak.store.organizations import Organization

#: Let in, sent to the sign-in page, refused, or told that there is nothing.
Verdict = Literal["in", "door", "refused", "nowhere"]


class Rule(NamedTuple):
    """Who gets a page: at which door (None: anybody), with which permission, whether looking is enough, and whether
    there is such a page at all for whoever acts in their own name."""

    door: Door | None
    needs: Permission | None = None
    changes: bool = False
    alone: bool = True


ANYBODY: Final = Rule(None)
CUSTOMER: Final = Rule("customer")
CUSTOMER_CHANGES: Final = Rule("customer", changes=True)
READ: Final = Rule("customer", Permission.SMS_READ)
SEND: Final = Rule("customer", Permission.SMS_SEND)
SEND_CHANGES: Final = Rule("customer", Permission.SMS_SEND, changes=True)
MEMBER: Final = Rule("customer", alone=False)
MANAGE: Final = Rule("customer", Permission.USERS_MANAGE, changes=True, alone=False)
HAND_OUT: Final = Rule("customer", Permission.CREDIT_MANAGE, changes=True, alone=False)
OPERATOR: Final = Rule("operator")
OPERATOR_CHANGES: Final = Rule("operator", changes=True)

#: Pages of a customer that stand in their own name and in that of an organization.
IN_BOTH_NAMES: Final[dict[str, Rule]] = {
    "GET ": CUSTOMER,
    "GET /live": CUSTOMER,
    "GET /developers": CUSTOMER,
    "GET /credit": CUSTOMER,
    "GET /credit.csv": CUSTOMER,
    "GET /organization": MEMBER,
    "POST /organization/members": MANAGE,
    "POST /organization/members/{username}/permissions": MANAGE,
    "POST /organization/members/{username}/remove": MANAGE,
    "POST /organization/members/{username}/credit": HAND_OUT,
    "GET /send": SEND,
    "POST /send": SEND_CHANGES,
    "POST /send/quote": SEND,
    "GET /send/{id}": SEND,
    "POST /send/{id}": SEND_CHANGES,
    "POST /send/{id}/quote": SEND,
    "POST /send/{id}/discard": SEND_CHANGES,
    "GET /sendings": READ,
    "GET /sendings/live": READ,
    "GET /sendings/export.{form}": READ,
    "GET /sendings/{id}": READ,
    "GET /sendings/{id}/live": READ,
    "GET /sendings/{id}/export.{form}": READ,
    "GET /sendings/{id}/messages/{message}": READ,
}

#: Pages of somebody's own account, at both doors.
ACCOUNT: Final[dict[str, bool]] = {
    "GET /account": False,
    "POST /account/password": True,
    "POST /account/second-factor": True,
    "POST /account/second-factor/confirm": True,
    "POST /account/second-factor/remove": True,
    "POST /account/sessions/end-others": True,
    "POST /account/sessions/{id}/end": True,
}

#: Pages of the operator's console, and whether they change something.
CONSOLE: Final[dict[str, bool]] = {
    "GET ": False,
    "GET /live": False,
    "GET /customers": False,
    "GET /customers/organizations": False,
    "GET /customers/users/new": False,
    "POST /customers/users/new": True,
    "GET /customers/organizations/new": False,
    "POST /customers/organizations/new": True,
    "GET /customers/users/{id}": False,
    "POST /customers/users/{id}/state": True,
    "POST /customers/users/{id}/password": True,
    "POST /customers/users/{id}/second-factor": True,
    "POST /customers/users/{id}/credit": True,
    "POST /customers/users/{id}/keys/{key}/revoke": True,
    "POST /customers/users/{id}/rate": True,
    "POST /customers/users/{id}/look": True,
    "GET /customers/organizations/{id}": False,
    "POST /customers/organizations/{id}/state": True,
    "POST /customers/organizations/{id}/credit": True,
    "POST /customers/organizations/{id}/members": True,
    "GET /customers/organizations/{id}/members/{user}": False,
    "POST /customers/organizations/{id}/members/{user}/permissions": True,
    "POST /customers/organizations/{id}/members/{user}/credit": True,
    "POST /customers/organizations/{id}/members/{user}/remove": True,
    "GET /services": False,
    "GET /services/new": False,
    "POST /services/new": True,
    "GET /services/{id}": False,
    "POST /services/{id}": True,
    "POST /services/{id}/state": True,
    "GET /services/{id}/prices": False,
    "POST /services/{id}/prices": True,
    "POST /services/{id}/prices/{rule}/remove": True,
    "GET /services/{id}/explain": False,
    "GET /services/{id}/headers": False,
    "POST /services/{id}/headers": True,
    "POST /services/{id}/headers/remove": True,
    "GET /carriers": False,
    "GET /carriers/live": False,
    "GET /carriers/new": False,
    "POST /carriers/new": True,
    "GET /carriers/{id}": False,
    "GET /carriers/{id}/live": False,
    "GET /carriers/{id}/settings": False,
    "POST /carriers/{id}/settings": True,
    "POST /carriers/{id}/state": True,
    "GET /carriers/{id}/headers": False,
    "POST /carriers/{id}/headers": True,
    "POST /carriers/{id}/headers/withdraw": True,
    "GET /search": False,
    "GET /search/messages/{id}": False,
    "GET /search/sendings/{id}": False,
    "GET /audit": False,
}

#: What pages are made of: nobody's.
ASSETS: Final = ("icons.svg", "live.js", "panel.css", "send.js", "ulak.svg")

ENTRY: Final = ("GET /sign-in", "POST /sign-in", "GET /sign-in/code", "POST /sign-in/code")


def _at(root: str, name: str) -> str:
    method, _, path = name.partition(" ")
    return f"{method} {root}{path}"


TABLE: Final[dict[str, Rule]] = {
    **{_at(root, name): ANYBODY for root in ("/panel", "/operator") for name in ENTRY},
    **{_at("/panel", name): Rule("customer", changes=its) for name, its in ACCOUNT.items()},
    **{_at("/operator", name): Rule("operator", changes=its) for name, its in ACCOUNT.items()},
    **{_at("/operator", name): Rule("operator", changes=its) for name, its in CONSOLE.items()},
    **{_at("/panel", name): rule._replace(needs=None) for name, rule in IN_BOTH_NAMES.items()},
    **{_at("/panel/org/{org}", name): rule for name, rule in IN_BOTH_NAMES.items()},
    "POST /panel/sign-out": CUSTOMER,
    "POST /operator/sign-out": OPERATOR,
    "GET /panel/keys": CUSTOMER,
    "POST /panel/keys": CUSTOMER_CHANGES,
    "POST /panel/keys/{id}/rate": CUSTOMER_CHANGES,
    "POST /panel/keys/{id}/revoke": CUSTOMER_CHANGES,
}

#: Which of somebody's things stands in which part of an address; in {id} it is what the part before it says.
NAMED: Final = {
    "{message}": "messages",
    "{username}": "username",
    "{user}": "members",
    "{key}": "keys",
    "{rule}": "prices",
}

#: What is filled into a form so that it gets beyond what is missing.
FIELDS: Final[dict[str, dict[str, str]]] = {
    "/keys": {"name": "made on the walk"},
    "/members": {"username": "{username}"},
    "/credit": {"amount": "1", "intent": "out"},
    "/send": {"to": "905550000001", "text": "walked", "action": "check"},
}


class Route(NamedTuple):
    """One method of one path."""

    door: Door
    method: str
    path: str

    @property
    def name(self) -> str:
        """As the table has it."""
        return f"{self.method} {self.path}"

    @property
    def in_org(self) -> bool:
        """Whether it stands in the name of an organization."""
        return "{org}" in self.path

    @property
    def is_keyed(self) -> bool:
        """Whether it names something that is somebody's."""
        return any(name in self.path for name in ("{id}", "{message}"))

    def filled(self, its: dict[str, str], org: str) -> str:
        """The address of somebody's own thing; a part that nobody has fails here, and wants to be added to `Town`."""
        parts: list[str] = []
        for part in self.path.replace("{org}", org).replace("{form}", "csv").split("/"):
            named = {"{id}": parts[-1] if parts else ""} | NAMED
            parts.append(its[named[part]] if part.startswith("{") else part)
        return "/".join(parts)


def routes() -> Iterator[Route]:
    """Every page there is."""
    for door, pages in PAGES.items():
        for page in pages:
            for path in paths(door, page):
                yield Route(door, page.method, path)


ROUTES: Final = list(routes())


async def ask(browser: Browser, route: Route, path: str, its: dict[str, str]) -> httpx.Response:
    """The page, or its form; whatever it is, it is no accident and carries what every page carries."""
    if route.method == "GET":
        answer = await browser.get(path)
    else:
        fields = next((fields for end, fields in FIELDS.items() if path.endswith(end)), {})
        answer = await browser.post(path, {name: value.format_map(its) for name, value in fields.items()})
    assert answer.status_code < 500, f"{route.name} as {path}: {answer.status_code} {answer.text[-400:]}"
    for name, value in HEADERS.items():
        assert answer.headers.get(name) == value, f"{route.name}: {name}"
    for cookie in answer.headers.get_list("set-cookie"):
        words = {word.strip().lower() for word in cookie.split(";")[1:]}
        if "max-age=0" not in words:
            assert {"httponly", "secure"} <= words, f"{route.name}: {cookie}"
            assert words & {"samesite=lax", "samesite=strict"}, f"{route.name}: {cookie}"
    return answer


def verdict(answer: httpx.Response) -> Verdict:
    """What became of somebody who asked."""
    to_the_door = answer.status_code == 303 and "/sign-in" in answer.headers["location"]
    if answer.status_code == 204 or to_the_door:
        return "door"
    return {403: "refused", 404: "nowhere"}.get(answer.status_code, "in")  # type: ignore[return-value]


def test_every_page_stands_in_the_table_and_nothing_else_does() -> None:
    assert {route.name for route in ROUTES} == set(TABLE)


async def test_nothing_is_answered_under_the_doors_but_pages_of_the_table_and_files(town: Town) -> None:
    """Asked of the routers themselves, so that a way in beside the pages has to be written down here as well."""
    pages = {name.partition(" ")[2] for name in TABLE}
    files = {f"/panel/assets/{name}" for name in ASSETS}
    panel = town.site._the_panel()  # type: ignore[attr-defined]

    assert {route.path for route in panel._router.routes} == pages | files
    assert site.PANEL == ("/panel", "/operator"), "what the site hands to the panel"
    assert not [route for route in town.site._router.routes if route.path.startswith(site.PANEL)]  # type: ignore[attr-defined]
    anybody = Browser(town.site)
    for path in sorted(files):
        for answer in (await anybody.get(path), await anybody.post(path)):
            assert (answer.status_code, "set-cookie" in answer.headers) == (200, False), path
    for root in site.PANEL:
        for path in (f"{root}/nothing", f"{root}nothing", f"{root}/assets/nothing"):
            for answer in (await anybody.get(path), await anybody.post(path)):
                assert verdict(answer) in ("nowhere", "door", "refused"), path


@pytest.fixture
async def mark(town: Town) -> Tenant:
    return await town.tenant("mark", "Mavi7QX")


@pytest.fixture
async def lale(town: Town) -> Tenant:
    return await town.tenant("lale", "Turuncu4ZK")


#: After these there is less to walk on with.
LAST: Final = ("/discard", "/end", "/revoke", "/credit", "/remove", "/end-others", "/look")


async def walked(
    browser: Browser, its: dict[str, str], org: str, *, in_org: bool | None = None
) -> AsyncIterator[tuple[Route, Verdict]]:
    """Every page that has a door, but not out of it; what takes something away comes last."""
    ends = [next((k for k, end in enumerate(LAST, 1) if route.path.endswith(end)), 0) for route in ROUTES]
    for _, route in sorted(zip(ends, ROUTES, strict=True), key=lambda one: (one[0], one[1].method)):
        if TABLE[route.name].door is None or in_org not in (None, route.in_org):
            continue
        if not route.path.endswith("/sign-out"):
            yield route, verdict(await ask(browser, route, route.filled(its, org), its))


def theirs(its: dict[str, str]) -> dict[str, str]:
    """Ids of nobody, where somebody has none of their own."""
    nobody = "00000000-0000-7000-8000-000000000000"
    return dict.fromkeys(("sendings", "messages", "keys", "sessions", "send", "username"), nobody) | its


async def age(town: Town, session: UUID, **times: datetime) -> None:
    """Make a session older than it is."""
    async with town.db.transaction() as tx:
        for column, at in times.items():
            await tx.execute(f"UPDATE sessions SET {column} = $2 WHERE id = $1", session, at)


async def test_whoever_is_not_signed_in_gets_no_further_than_the_doors(town: Town, mark: Tenant) -> None:
    disabled = await town.user("gone")
    held = await town.session(disabled)
    half = await town.session(mark.user, half=True)
    ended = await town.session(mark.user)
    operator = await town.session(await town.operator("ayse"))
    customer = await town.session(mark.user)
    expired, idle = await town.session(mark.user), await town.session(mark.user)
    operators_idle = await town.session(await town.operator("zehra"))
    await age(town, expired[1].id, expires_at=now())
    await age(town, idle[1].id, seen_at=now() - CUSTOMER_IDLE)
    await age(town, operators_idle[1].id, seen_at=now() - OPERATOR_IDLE)
    await accounts.set_user_state(town.db, TEST, "gone", "disabled")
    await Browser(town.site, {"customer": ended[0]}).post("/panel/sign-out")
    strangers = {
        "nobody": Browser(town.site),
        "with an invented session": Browser(town.site, {"customer": new_secret(), "operator": new_secret()}),
        "disabled": Browser(town.site, {"customer": held[0]}),
        "without their code": Browser(town.site, {"customer": half[0]}),
        "signed out": Browser(town.site, {"customer": ended[0]}),
        "with a session that expired": Browser(town.site, {"customer": expired[0]}),
        "with a session that nobody used": Browser(town.site, {"customer": idle[0]}),
        "an operator who went for lunch": Browser(town.site, {"operator": operators_idle[0]}),
        "by the other door": Browser(town.site, {"customer": operator[0], "operator": customer[0]}),
    }

    for name, browser in strangers.items():
        async for route, seen in walked(browser, mark.ids, str(mark.org.id)):
            assert seen == "door", f"{name}: {route.name}"


async def test_a_customer_gets_every_page_in_their_own_name(town: Town, mark: Tenant) -> None:
    browser = await town.browser(mark.user)

    async for route, seen in walked(browser, mark.ids, "", in_org=False):
        expected = "in" if TABLE[route.name].alone else "nowhere"
        assert seen == (expected if route.door == "customer" else "door"), route.name


async def test_an_operator_who_looks_as_a_customer_sees_everything_and_changes_nothing(
    town: Town, mark: Tenant
) -> None:
    browser = await town.browser(await town.operator("ayse"), looks_at=mark.user)
    before = await contents(town)

    for its, org in ((mark.ids, ""), (mark.org_ids, str(mark.org.id))):
        async for route, seen in walked(browser, its, org, in_org=bool(org)):
            rule = TABLE[route.name]
            there = "in" if rule.alone or org else "nowhere"
            expected = "door" if route.door == "operator" else "refused" if rule.changes else there
            assert seen == expected, route.name
    assert await contents(town) == before


def kinds_of_members() -> list[frozenset[Permission]]:
    """None, all, each alone and all but each: where a page asks for one, the others make no difference."""
    every = frozenset(Permission)
    kinds = [frozenset[Permission](), every]
    for one in Permission:
        kinds += [frozenset([one]), every - {one}]
    return list(dict.fromkeys(kinds))


async def test_a_member_gets_what_their_permissions_say(town: Town, mark: Tenant) -> None:
    member = await town.user("member")
    for permissions in kinds_of_members():
        await town.member(mark.org, member, permissions)
        its = mark.org_ids | await town.of_member(member, mark.org)
        browser = await town.browser(member)

        async for route, seen in walked(browser, its, str(mark.org.id), in_org=True):
            needs = TABLE[route.name].needs
            expected = "refused" if needs and needs not in permissions else "in"
            assert seen == expected, f"{sorted(permissions)}: {route.name}"


async def test_nobody_acts_for_an_organization_that_is_closed_or_not_theirs(
    town: Town, mark: Tenant, lale: Tenant
) -> None:
    closed: Organization = await groups.create(town.db, TEST, "Closed")
    await town.member(closed, mark.user, frozenset(Permission))
    await groups.set_state(town.db, TEST, "Closed", "inactive")
    town.site.rooms.directory.forget()
    browser = await town.browser(mark.user)

    for org in (str(closed.id), str(lale.org.id), "00000000-0000-0000-0000-000000000000", "no-id", "%00"):
        async for route, seen in walked(browser, lale.org_ids, org, in_org=True):
            assert seen == "nowhere", f"{org}: {route.name}"


async def test_an_operator_gets_their_pages_and_a_viewer_changes_nothing(town: Town, mark: Tenant) -> None:
    ayse, viewer = await town.operator("ayse"), await town.operator("viewer", "viewer")
    its = mark.ids | {"sessions": str((await town.session(ayse))[1].id)}
    browser = await town.browser(viewer)
    before = await contents(town)
    async for route, seen in walked(browser, theirs(its), "", in_org=False):
        rule = TABLE[route.name]
        expected = "door" if route.door == "customer" else "refused" if rule.changes else "in"
        assert seen == expected, route.name
    assert await contents(town) == before

    browser = await town.browser(ayse)
    async for route, seen in walked(browser, theirs(its), "", in_org=False):
        assert seen == ("in" if route.door == "operator" else "door"), route.name


async def test_an_operator_who_is_shut_out_is_out_at_once(town: Town, mark: Tenant) -> None:
    ayse = await town.operator("ayse")
    looking, working = await town.browser(ayse, looks_at=mark.user), await town.browser(ayse)
    assert (await looking.get("/panel")).status_code == 200
    assert (await working.get("/operator/account")).status_code == 200

    await operators.set_state(town.db, TEST, "ayse", "disabled")

    for browser in (looking, working):
        async for route, seen in walked(browser, mark.ids, str(mark.org.id)):
            assert seen == "door", route.name


@pytest.mark.parametrize("who", ["customer", "looking", "operator", "viewer"])
async def test_whoever_is_in_can_leave(town: Town, mark: Tenant, who: str) -> None:
    ayse = await town.operator("ayse", "viewer" if who == "viewer" else "operator")
    owner = mark.user if who == "customer" else ayse
    browser = await town.browser(owner, looks_at=mark.user if who == "looking" else None)
    root = "/operator" if who in ("operator", "viewer") else "/panel"
    assert (await browser.get(f"{root}/account")).status_code == 200

    answer = await browser.post(f"{root}/sign-out")

    assert answer.headers["location"] == f"{root}/sign-in"
    token = browser.held["operator" if root == "/operator" else "customer"]
    again = Browser(town.site, {"customer": token, "operator": token})
    assert verdict(await again.get(f"{root}/account")) == "door"


# forms that are not ours


#: What only says that somebody looked.
LOOKS: Final = {"audit_log": "WHERE action NOT LIKE 'message.%' AND action <> 'sending.show'"}


async def contents(town: Town) -> dict[str, Any]:
    """Everything that is written down, table by table, as one figure each."""
    async with town.db.reading() as tx:
        names = await tx.fetch("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
        return {
            name: await tx.fetchval(
                "SELECT count(*) || ':' || coalesce(sum(hashtextextended(t::text, 0)), 0) "
                f"FROM {name} t {LOOKS.get(name, '')}"
            )
            for (name,) in names
        }


FOREIGN: Final[dict[str, dict[str, Any]]] = {
    "no token": {"fields": {"csrf": ""}},
    "somebody else's token": {"fields": {"csrf": form_token("somebody else's session")}},
    "the token of no session": {"fields": {"csrf": form_token("")}},
    "a token that is none": {"fields": {"csrf": "ğ\udcff".encode("utf-8", "surrogateescape")}},
    "another origin": {"headers": {"origin": "https://evil.example"}},
    "no origin that can be named": {"headers": {"origin": "null"}},
    "our name on another port": {"headers": {"origin": f"{ORIGIN}:8443"}},
    "a name that ends like ours": {"headers": {"origin": f"https://evil.{HOST}"}},
    "another site, as the browser says": {"headers": {"sec-fetch-site": "cross-site"}},
    "a sister site": {"headers": {"sec-fetch-site": "same-site"}},
}


async def test_a_form_that_is_not_ours_changes_nothing(town: Town, mark: Tenant) -> None:
    customer, _ = await town.session(mark.user)
    operator, _ = await town.session(await town.operator("ayse"))
    browser = Browser(town.site, {"customer": customer, "operator": operator})
    before = await contents(town)

    posts = [route for route in ROUTES if route.method == "POST"]
    for route, (how, foreign) in product(posts, FOREIGN.items()):
        its, org = (mark.org_ids, str(mark.org.id)) if route.in_org else (mark.ids, "")
        path = route.filled(its, org)
        fields = {"csrf": browser.token(path), "name": "mark", **foreign.get("fields", {})}
        answer = await browser.client.post(path, data=fields, headers=foreign.get("headers"))
        assert answer.status_code == 403, f"{route.name}: {how}: {answer.status_code}"
    assert await contents(town) == before


async def test_a_form_of_ours_is_taken_with_what_a_browser_says_of_it(town: Town, mark: Tenant) -> None:
    browser = await town.browser(mark.user)

    answer = await browser.post(
        "/panel/keys",
        {"name": "mine", "scope": "sms:send"},
        headers={"origin": ORIGIN, "sec-fetch-site": "same-origin"},
    )

    assert answer.status_code == 200
    assert "mine" in answer.text


async def test_a_page_is_not_asked_in_other_ways(town: Town, mark: Tenant) -> None:
    browser = await town.browser(mark.user)
    for route, method in product(ROUTES, ("PUT", "DELETE", "PATCH", "OPTIONS", "TRACE")):
        its, org = (mark.org_ids, str(mark.org.id)) if route.in_org else (theirs(mark.ids), "")
        answer = await browser.client.request(method, route.filled(its, org))
        assert answer.status_code == 405, f"{method} {route.path}: {answer.status_code}"


# tenants never meet


async def test_nothing_of_one_tenant_is_on_any_page_of_another(
    town: Town, mark: Tenant, lale: Tenant
) -> None:
    browser = await town.browser(mark.user)
    seen = 0
    for route in (route for route in ROUTES if route.method == "GET" and route.door == "customer"):
        its, org = (mark.org_ids, str(mark.org.id)) if route.in_org else (mark.ids, "")
        answer = await ask(browser, route, route.filled(its, org), its)
        found = [one for one in lale.marks if one.encode() in answer.content]
        assert found == [], route.name
        seen += any(one.encode() in answer.content for one in mark.marks)
    assert seen > 15, "their own things are there to be seen"


async def test_what_belongs_to_another_tenant_is_not_there_by_its_name_either(
    town: Town, mark: Tenant, lale: Tenant
) -> None:
    browser = await town.browser(mark.user)
    before = await contents(town)
    foreign = [
        (lale.ids, ""),
        (lale.org_ids, str(mark.org.id)),
        (mark.ids, str(mark.org.id)),
        (mark.org_ids, ""),
    ]
    for (its, org), route in product(foreign, ROUTES):
        # a person's own sessions and keys are the same in whatever name they act
        own = its in (mark.ids, mark.org_ids) and any(one in route.path for one in ("/keys", "/sessions"))
        if route.door != "customer" or not route.is_keyed or route.in_org != bool(org) or own:
            continue
        path = route.filled(its, org)
        answer = await ask(browser, route, path, its)
        expected = 303 if path.endswith("/discard") else 404  # what is not there may be thrown away
        assert answer.status_code == expected, f"{route.name}: {answer.status_code}"
        found = [one for one in lale.marks if one not in path and one.encode() in answer.content]
        assert found == [], route.name
    assert await contents(town) == before


async def test_a_message_is_found_only_in_its_own_sending(town: Town, mark: Tenant, lale: Tenant) -> None:
    browser = await town.browser(mark.user)
    for sending, message in (
        (mark.ids["sendings"], lale.ids["messages"]),
        (mark.ids["sendings"], mark.org_ids["messages"]),
        (lale.ids["sendings"], mark.ids["messages"]),
    ):
        answer = await browser.get(f"/panel/sendings/{sending}/messages/{message}")
        assert answer.status_code == 404


# what people type


HOSTILE: Final = [
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "' onmouseover='alert(1)",
    "</textarea></title><svg onload=alert(1)>",
    "{{7*7}}{% raw %}",
    "%(x)s %s %",
    "{0} {x} {{}}",
    "javascript:alert(1)",
    "👩‍👩‍👧‍👦 ışıkĞÜŞİÖÇ",
    "\u202ecilbup\u202c",
    "&lt;b&gt;&amp;",
    "-->]]><!--",
    "x" * 160,
    "9" * 19,
]


def read(answer: httpx.Response, name: str) -> Read:
    """The page, in which nothing is but what the templates wrote."""
    its = Read(answer.text)
    assert its.wrong == [], f"{name}: {its.wrong}"
    return its


@pytest.mark.parametrize("text", few_fast(HOSTILE), ids=range(len(HOSTILE)))
async def test_whatever_people_write_is_shown_as_they_wrote_it(town: Town, text: str) -> None:
    language = "tr" if "%" in text or "{" in text else "en"  # what translations are filled in with
    its = await town.hostile(text)
    browser = await town.browser(its.user)
    browser.client.cookies.set("ulak_language", language, domain=HOST, path="/")
    shown = 0
    for route in (route for route in ROUTES if route.method == "GET" and route.door == "customer"):
        known, org = (its.org_ids, str(its.org.id)) if route.in_org else (its.ids, "")
        answer = await ask(browser, route, route.filled(known, org), known)
        if answer.headers.get("content-type", "").startswith("text/html"):
            shown += text in read(answer, route.name).all
    assert shown >= 10


@pytest.mark.parametrize("text", few_fast(HOSTILE), ids=range(len(HOSTILE)))
async def test_whatever_stands_in_an_address_or_a_form_stays_text(
    town: Town, mark: Tenant, text: str
) -> None:
    customer, _ = await town.session(mark.user)
    operator, _ = await town.session(await town.operator("ayse"))
    browser = Browser(town.site, {"customer": customer, "operator": operator})
    names = (
        "text",
        "startDate",
        "endDate",
        "completed",
        "source",
        "status",
        "limit",
        "page",
        "next",
        "service",
    )
    asked = [
        dict.fromkeys(names, text),
        *({names[(HOSTILE.index(text) + k) % len(names)]: text} for k in (0, 4, 9, 13)),
    ]
    fields = (
        "name",
        "addresses",
        "next",
        "code",
        "to",
        "text",
        "service",
        "column",
        "action",
        "password",
        "username",
        "permission",
        "amount",
        "note",
        "intent",
    )

    for route in ROUTES:
        its, org = (mark.org_ids, str(mark.org.id)) if route.in_org else (theirs(mark.ids), "")
        path = route.filled(its, org)
        if route.method == "GET":
            for query in asked:
                answer = await ask(browser, route, f"{path}?{urlencode(query)}", its)
                if answer.headers.get("content-type", "").startswith("text/html"):
                    read(answer, route.name)
        elif not any(end in path for end in ("sign-out", "end-others")):
            answer = await browser.post(path, dict.fromkeys(fields, text))
            assert answer.status_code < 500, f"{route.name}: {answer.text}"
            if answer.headers.get("content-type", "").startswith("text/html"):
                read(answer, route.name)


ODD: Final = [*HOSTILE, "a" * 5000, "\x00", "\n", "9" * 30, "-1"]


async def test_no_page_is_about_a_name_with_a_nul_in_it(town: Town, mark: Tenant) -> None:
    browsers = {
        "customer": await town.browser(mark.user),
        "operator": await town.browser(await town.operator("ops")),
    }
    asked = 0
    for door, browser in browsers.items():
        for page in PAGES[door]:
            for path in paths(door, page):
                hostile = re.sub(r"\{(?!org\})\w+\}", "en%00, tr", path).replace("{org}", str(mark.org.id))
                if "%00" not in hostile:
                    continue
                answer = await (browser.get(hostile) if page.method == "GET" else browser.post(hostile))
                assert answer.status_code == 404, hostile
                asked += 1
    assert asked > 30


async def test_cookies_and_paths_that_nobody_made_do_no_harm(town: Town, mark: Tenant) -> None:
    browser = await town.browser(mark.user)
    session = browser.held["customer"]
    for text in (*ODD, "two\nlines"):
        said = urlsafe_b64encode(json.dumps(text).encode()).decode()
        for cookie in (
            f"ulak_said={said}",
            "ulak_said=x",
            "ulak_theme=y",
            "ulak_language=zz",
            "ulak_visit=;",
        ):
            answer = await browser.get("/panel", headers={"cookie": f"ulak_panel={session}; {cookie}"})
            assert answer.status_code == 200
            read(answer, cookie)
        for path in ("/panel/", "/panel/sendings/", "/panel/org/", "/panel/keys/", "/operator/", "/panel"):
            answer = await browser.get(path + quote(text[:200]))
            assert answer.status_code in (200, 303, 404), f"{path}: {answer.status_code}"
            assert HEADERS.items() <= dict(answer.headers).items(), path
            if answer.headers.get("content-type", "").startswith("text/html"):
                read(answer, path)
