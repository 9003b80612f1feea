"""Every request of the Customer API as everybody who may come, in every name they may give: who gets what, and why not.

`TABLE` says of each operation what it needs; `verdict` is the contract's order, and nothing else. An operation that is
not in the table fails the test, and so does one that is gone, and so does a page beside the API that nobody wrote down.
What is refused leaves every table as it was, and no answer holds a byte of somebody else's.
"""

from collections.abc import AsyncIterator, Iterator
from datetime import timedelta
from typing import Any, Final, NamedTuple
from urllib.parse import quote

import httpx
import pytest

from tests.edge.panel.conftest import ORIGIN, TEST, Straight, Town, settled
from tests.edge.panel.test_walk import HOSTILE, contents
from tests.pace import few_fast
from ulak.admin import accounts, groups
from ulak.base.db import Database
from ulak.edge.api.routes import routes
from ulak.edge.strangers import Strangers
from ulak.flow.accept import now
from ulak.rules.permission import Permission
from ulak.rules.scope import Scope
from ulak.store.users import User

BASE: Final = "/v1"
NOBODY: Final = "00000000-0000-4000-8000-000000000000"

Verdict = tuple[int, str]
"""The status, and the code of a refusal or nothing."""


class Operation(NamedTuple):
    """What one method of one path needs, and what it answers when it gets it."""

    scope: Scope
    in_context: bool = True
    needs: Permission | None = None
    good: int = 200


SEND: Final = Operation(Scope.SMS_SEND, needs=Permission.SMS_SEND, good=201)
READ: Final = Operation(Scope.SMS_READ, needs=Permission.SMS_READ)

TABLE: Final[dict[str, Operation]] = {
    "GET /users/me": Operation(Scope.ACCOUNT_READ, in_context=False),
    "GET /users/me/organizations": Operation(Scope.ACCOUNT_READ, in_context=False),
    "GET /services": Operation(Scope.ACCOUNT_READ),
    "GET /sms-sendings": READ,
    "POST /sms-sendings": SEND,
    "POST /sms-sendings/simple": SEND,
    "POST /sms-sendings/advanced": SEND,
    "GET /sms-sendings/{id}": READ,
}

#: What stands beside the API, for anybody.
BESIDE: Final = {"/openapi.json", "/docs", "/healthz", "/readyz", "/metrics"}
ASSETS: Final = "/docs/assets/"

UNUSABLE: Final = (
    "no key",
    "no key at all, but a word",
    "an unknown key",
    "a revoked key",
    "an expired key",
    "a key used from elsewhere",
    "a key whose owner is disabled",
)
USABLE: Final[dict[str, frozenset[Scope]]] = {
    **{f"a key for {scope} alone": frozenset([scope]) for scope in Scope},
    "a good key": frozenset(Scope),
}
CALLERS: Final = (*UNUSABLE, *USABLE)

#: What a member may do in organizations of their own, and in which words these go by: no permission does for another.
EVERYTHING: Final = "an organization where they may do everything"
GRANTED: Final[dict[str, frozenset[Permission]]] = {
    EVERYTHING: frozenset(Permission),
    "an organization where they may do nothing": frozenset(),
    **{f"an organization where they may do {one} alone": frozenset([one]) for one in Permission},
    **{
        f"an organization where they may do all but {one}": frozenset(Permission) - {one}
        for one in Permission
    },
}

#: In whose name: what x-org-id is there for whoever asks, and what the contract says to it.
CONTEXTS: Final[dict[str, Verdict | None]] = {
    "their own": None,
    **dict.fromkeys(GRANTED),
    "somebody else's organization": (403, "organization_forbidden"),
    "a closed organization": (403, "organization_forbidden"),
    "an organization that is not there": (403, "organization_forbidden"),
    "no UUID": (400, "validation_failed"),
}

#: Whose sending is asked for: one of this context, or another's in every way there is.
SENDINGS: Final = (
    "own",
    "of the other name",
    "somebody else's",
    "of their organization",
    "nobody's",
    "no-uuid",
    "%00",
)

READY: Final = {"application/json": True, "text/plain": False}
"""A body that fits, and one that would be refused: later than everything in here."""


def verdict(caller: str, context: str, operation: Operation, sending: str, content_type: str) -> Verdict:
    """The contract's order: who asks, in whose name, with which permission, with what, for what."""
    if caller in UNUSABLE:
        return 401, "unauthorized"
    if operation.in_context:
        if foreign := CONTEXTS[context]:
            return foreign
        if operation.needs and operation.needs not in GRANTED.get(context, frozenset(Permission)):
            return 403, "permission_denied"
    if operation.scope not in USABLE[caller]:
        return 403, "permission_denied"
    if not READY[content_type]:
        return 415, "unsupported_media_type"
    return (operation.good, "") if sending == "own" else (404, "sending_not_found")


class People:
    """Mark, whose keys are shown; Lale, of whom nothing may be seen; and the organizations between them."""

    def __init__(self, town: Town) -> None:
        self.town = town
        self.keys: dict[str, str] = {}
        self.orgs: dict[str, str] = {}

    async def settle(self) -> "People":
        """Make everybody."""
        town = self.town
        self.mark, self.lale = await town.tenant("mark", "Mavi7QX"), await town.tenant("lale", "Turuncu4ZK")
        disabled = await town.user("gone")
        closed = await groups.create(town.db, TEST, "Closed")
        for user in (self.mark.user, disabled):
            await town.member(closed, user, frozenset(Permission))
        await groups.set_state(town.db, TEST, "Closed", "inactive")
        self.orgs = {
            **dict.fromkeys(GRANTED, str(self.mark.org.id)),
            "somebody else's organization": str(self.lale.org.id),
            "a closed organization": str(closed.id),
            "an organization that is not there": NOBODY,
            "no UUID": "no-uuid",
        }
        await self._make_keys(disabled)
        town.site.rooms.directory.forget()
        return self

    async def _make_keys(self, disabled: User) -> None:
        db = self.town.db
        revoked = await accounts.create_key(db, TEST, "mark")
        expired = await accounts.create_key(db, TEST, "mark", expires_at=now() + timedelta(hours=1))
        far = await accounts.create_key(db, TEST, "mark", allow_ips=("203.0.113.0/24",))
        owners = await accounts.create_key(db, TEST, disabled.username)
        self.keys = {
            "no key at all, but a word": "open",
            "an unknown key": f"ulak_{'x' * 43}",
            "a revoked key": revoked.secret,
            "an expired key": expired.secret,
            "a key used from elsewhere": far.secret,
            "a key whose owner is disabled": owners.secret,
        }
        for name, scopes in USABLE.items():
            self.keys[name] = (await accounts.create_key(db, TEST, "mark", scopes=list(scopes))).secret
        await accounts.revoke_key(db, TEST, revoked.key.id)
        await accounts.set_user_state(db, TEST, disabled.username, "disabled")
        async with db.transaction() as tx:
            await tx.execute("UPDATE api_keys SET expires_at = now() WHERE id = $1", expired.key.id)

    async def may(self, context: str) -> None:
        """Give Mark, in his organization, what this context says."""
        if context in GRANTED:
            await self.town.member(self.mark.org, self.mark.user, GRANTED[context])

    def headers(self, caller: str, context: str) -> dict[str, str]:
        """What somebody shows."""
        its = {"x-api-key": self.keys[caller]} if caller in self.keys else {}
        return its | ({"x-org-id": self.orgs[context]} if context in self.orgs else {})

    def sending(self, which: str, context: str) -> str:
        """The id of a sending, as it stands in a path."""
        is_own = context == "their own"
        own, other = (self.mark.ids, self.mark.org_ids) if is_own else (self.mark.org_ids, self.mark.ids)
        named = {
            "own": own["sendings"],
            "of the other name": other["sendings"],
            "somebody else's": self.lale.ids["sendings"],
            "of their organization": self.lale.org_ids["sendings"],
            "nobody's": NOBODY,
        }
        return named.get(which, which)


class Asked(NamedTuple):
    """One request, and what it is to be answered."""

    name: str
    method: str
    path: str
    options: dict[str, Any]
    expected: Verdict

    @property
    def is_refused(self) -> bool:
        """Whether it is to leave nothing behind."""
        return self.expected[0] >= 400


def requests(people: People, caller: str, context: str) -> Iterator[Asked]:
    """Every operation in every shape, by one caller in one name."""
    headers = people.headers(caller, context)
    for name, operation in TABLE.items():
        method, _, path = name.partition(" ")
        if method == "POST":
            for content_type in READY:
                body = body_of(path, people.mark.ids["service"])
                expected = verdict(caller, context, operation, "own", content_type)
                kind = headers | {"content-type": content_type}
                yield Asked(
                    f"{name} as {content_type}", method, path, {"json": body, "headers": kind}, expected
                )
            continue
        for which in SENDINGS if "{id}" in path else ("own",):
            filled = path.replace("{id}", people.sending(which, context))
            expected = verdict(caller, context, operation, which, "application/json")
            yield Asked(f"{name} {which}", method, filled, {"headers": headers}, expected)


def body_of(path: str, service: str, text: str = "walked", to: str = "905550000000") -> dict[str, Any]:
    """A body that fits."""
    if path.endswith("/advanced"):
        return {"messages": [{"to": to, "message": text}], "serviceId": service}
    return {"to": [to] if path.endswith("/simple") else to, "message": text, "serviceId": service}


def client(town: Town, base: str = BASE) -> httpx.AsyncClient:
    """Somebody's program; it comes from 192.0.2.1."""
    return httpx.AsyncClient(transport=Straight(town.site), base_url=ORIGIN + base)


def verdict_of(answer: httpx.Response) -> Verdict:
    """What it was answered; a refusal has the one shape of all refusals."""
    if answer.status_code < 400:
        return answer.status_code, ""
    body = answer.json()
    assert set(body) == {"success", "error"}, body
    assert set(body["error"]) - {"fields"} == {"code", "message", "requestId"}, body
    return answer.status_code, body["error"]["code"]


def assert_silent(answer: httpx.Response, marks: list[str], name: str) -> None:
    """Not a byte of somebody else's, in the answer or around it."""
    said = answer.text + "\n".join(f"{name}: {value}" for name, value in answer.headers.items())
    assert [mark for mark in marks if mark in said] == [], name


async def written(town: Town) -> dict[str, Any]:
    """Everything that is written down, but when a key was last used: that is so of a request that is refused too."""
    return {table: figure for table, figure in (await contents(town)).items() if table != "api_keys"}


@pytest.fixture
async def people(town: Town) -> People:
    return await People(town).settle()


@pytest.fixture
async def town(db: Database) -> AsyncIterator[Town]:
    async with settled(db) as its:
        yield its


# what there is


async def test_every_operation_stands_in_the_table_and_nothing_else_does(town: Town) -> None:
    there_are = set()
    async with client(town, "") as program:
        for route in routes(town.site.rooms):
            answer = await program.request("TRACE", route.path)
            assert verdict_of(answer) == (405, "method_not_allowed"), "before anybody is asked for a key"
            for method in answer.headers["allow"].split(", "):
                there_are.add(f"{method} {route.path.removeprefix(BASE)}")

    assert {name for name in there_are if not name.startswith("HEAD ")} == set(TABLE)


async def test_every_page_beside_the_api_is_known_and_open_to_everybody(town: Town, people: People) -> None:
    under = {route.path for route in routes(town.site.rooms)}
    beside = {route.path for route in town.site._router.routes} - under  # type: ignore[attr-defined]
    before = await written(town)

    assert {path for path in beside if not path.startswith(ASSETS)} == BESIDE
    async with client(town, "") as program:
        for path in sorted(beside):
            for caller in CALLERS:
                answer = await program.get(path, headers=people.headers(caller, "no UUID"))
                assert answer.status_code == 200, f"{path}: {caller}"
                assert_silent(answer, people.mark.marks + people.lale.marks, path)
            for method in ("POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE"):
                assert verdict_of(await program.request(method, path)) == (405, "method_not_allowed"), path
    assert await written(town) == before


# who gets what


@pytest.mark.parametrize("caller", CALLERS)
async def test_everybody_gets_what_the_table_says_and_leaves_no_trace_where_it_says_no(
    town: Town, people: People, caller: str
) -> None:
    foreign = people.lale.marks + (people.mark.marks if caller in UNUSABLE else [])
    async with client(town) as program:
        for context in CONTEXTS:
            await people.may(context)
            before = await written(town)
            # what is refused first: afterwards everything must be as it was
            for its in sorted(requests(people, caller, context), key=lambda one: not one.is_refused):
                if not its.is_refused and before:
                    assert await written(town) == before, f"{caller} in {context}"
                    before = {}
                town.site.rooms.strangers = Strangers()  # nobody waits here for having guessed too often
                answer = await program.request(its.method, its.path, **its.options)
                assert verdict_of(answer) == its.expected, f"{caller} in {context}: {its.name}"
                assert_silent(answer, foreign, f"{caller} in {context}: {its.name}")
            assert not before or await written(town) == before, f"{caller} in {context}"


@pytest.mark.parametrize("caller", ["no key", "a good key"])
async def test_no_path_and_no_method_come_before_everything(town: Town, people: People, caller: str) -> None:
    before = await written(town)
    paths = {name.partition(" ")[2] for name in TABLE}
    async with client(town) as program:
        for context in CONTEXTS:
            headers = people.headers(caller, context)
            for path in paths:
                asked = path.replace("{id}", people.lale.ids["sendings"])
                for method in ("GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "PROPFIND"):
                    if f"{method} {path}" not in TABLE and f"{method} {asked}" not in TABLE:
                        # a POST to …/{id} named simple or advanced is another path
                        answer = await program.request(method, asked, headers=headers)
                        assert verdict_of(answer) == (405, "method_not_allowed"), f"{method} {path}"
                        assert_silent(answer, people.lale.marks, path)
                for other in (f"{asked}/", f"/{asked}", f"{asked}/x", asked.upper(), f"{asked}%2f", "/../v1"):
                    answer = await program.get(other, headers=headers)
                    assert answer.status_code in (404, 401, 403, 400), f"{other}: {answer.status_code}"
                    assert_silent(answer, people.lale.marks, other)
    assert await written(town) == before


async def test_another_tenants_idempotency_key_is_nobodys_here(town: Town, people: People) -> None:
    lales = (await accounts.create_key(town.db, TEST, "lale")).secret
    asked = [
        {"x-api-key": lales},
        {"x-api-key": lales, "x-org-id": str(people.lale.org.id)},
        people.headers("a good key", "their own"),
        people.headers("a good key", EVERYTHING),
    ]
    body = body_of("/sms-sendings", people.mark.ids["service"])

    async with client(town) as program:
        answers = [
            await program.post("/sms-sendings", json=body, headers={**headers, "idempotency-key": "one"})
            for headers in asked
        ]

    assert {answer.status_code for answer in answers} == {201}
    assert not any("idempotency-replayed" in answer.headers for answer in answers)
    assert len({answer.json()["data"] for answer in answers}) == len(asked)


async def test_what_one_name_sent_is_not_counted_in_another(town: Town, people: People) -> None:
    async with client(town) as program:
        for context, its in (
            ("their own", people.mark.ids),
            (EVERYTHING, people.mark.org_ids),
        ):
            answer = await program.get("/sms-sendings", headers=people.headers("a good key", context))
            data = answer.json()["data"]
            assert data["total"] == 2
            assert its["sendings"] in {item["id"] for item in data["items"]}


# texts that would be something else, were they taken for it

TEXTS: Final = [
    *HOSTILE,
    "'; DROP TABLE messages; --",
    "x' UNION SELECT key_hash FROM api_keys --",
    "\\'; $1 $$ E'\\x00' %s %(a)s {0} ${jndi:ldap://x}",
    "%_\\%",
    '</script><svg onload="alert(1)">&lt;&#39;',
]


@pytest.mark.parametrize("text", few_fast(TEXTS, 3), ids=lambda text: ascii(text)[:24])
async def test_a_text_is_kept_and_answered_as_it_is_in_every_field(town: Town, text: str) -> None:
    mallory = await town.hostile(text)
    lale = await town.tenant("lale", "Turuncu4ZK")
    key = {"x-api-key": (await accounts.create_key(town.db, TEST, "mallory")).secret}
    town.site.rooms.directory.forget()

    async with client(town) as program:
        (org,) = (await program.get("/users/me/organizations", headers=key)).json()["data"]
        named = [one["name"] for one in (await program.get("/services", headers=key)).json()]
        made = [
            (path, await program.post(path, json=body_of(path, mallory.ids["service"], text), headers=key))
            for path in ("/sms-sendings", "/sms-sendings/simple", "/sms-sendings/advanced")
        ]
        assert org["name"] == mallory.org.name
        assert sum(name.startswith(f"{text} ") for name in named) == 2
        for path, answer in made:
            sending = answer.json()["data"]
            listed = (await program.get("/sms-sendings", headers=key)).json()["data"]["items"]
            (its,) = (await program.get(f"/sms-sendings/{sending}", headers=key)).json()["data"]["items"]
            assert its["message"] == text, path
            assert next(one for one in listed if one["id"] == sending)["sampleMessageText"] == text, path
            found = await program.get(f"/sms-sendings/{sending}", params={"text": text}, headers=key)
            assert [one["id"] for one in found.json()["data"]["items"]] == [its["id"]], path
        found = await program.get("/sms-sendings", params={"text": text, "limit": 99}, headers=key)
        assert found.json()["data"]["total"] == 5, (
            "three of now and two of before, and none of anybody else's"
        )
        networks = await program.get(f"/sms-sendings/{await _first(program, key)}", headers=key)
        assert networks.json()["data"]["items"][0]["network"] == text
        assert_silent(found, lale.marks, "found")


async def _first(program: httpx.AsyncClient, key: dict[str, str]) -> str:
    """The oldest sending: the one that a carrier has reported on."""
    items = (await program.get("/sms-sendings", params={"limit": 99}, headers=key)).json()["data"]["items"]
    return str(items[-1]["id"])


@pytest.mark.parametrize("text", few_fast(TEXTS, 3), ids=lambda text: ascii(text)[:24])
async def test_a_text_where_none_belongs_is_refused_as_any_other_and_changes_nothing(
    town: Town, text: str
) -> None:
    mark = await town.tenant("mark", "Mavi7QX")
    key = {"x-api-key": (await accounts.create_key(town.db, TEST, "mark")).secret}
    service = mark.ids["service"]
    said = "".join(character for character in text if " " <= character <= "~")
    before = await written(town)

    async with client(town) as program:
        for path in ("/sms-sendings", "/sms-sendings/simple", "/sms-sendings/advanced"):
            for body, expected in (
                (body_of(path, text), (400, "validation_failed")),
                (body_of(path, service, to=text), (400, "no_valid_recipient")),
                (body_of(path, service, text * 160), (400, "validation_failed")),
            ):
                answer = await program.post(path, json=body, headers=key)
                assert verdict_of(answer) == expected, f"{path}: {body}"
        numbers = () if text.isdigit() else ("page", "limit")
        for name in (*numbers, "startDate", "endDate", "completed", "source"):
            answer = await program.get("/sms-sendings", params={name: text}, headers=key)
            assert verdict_of(answer) == (400, "validation_failed"), name
        of = f"/sms-sendings/{mark.ids['sendings']}"
        answer = await program.get(of, params={"status": text}, headers=key)
        assert verdict_of(answer) == (400, "validation_failed")
        answer = await program.get(f"/sms-sendings/{quote(text, safe='')}", headers=key)
        assert answer.status_code == 404
        answer = await program.get("/services", headers={**key, "x-org-id": said})
        assert verdict_of(answer) == (400, "validation_failed")
        answer = await program.get("/services", headers={"x-api-key": said or "-"})
        assert verdict_of(answer) == (401, "unauthorized")
        answer = await program.get("/services", headers={**key, "x-request-id": said})
        assert answer.status_code == 200
        assert said.isalnum() or answer.headers["x-request-id"] != said
    assert await written(town) == before
