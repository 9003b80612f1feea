"""The contract, tested from outside: HTTP in, answers out, against a whole running Ulak and a simulated carrier.

In: the words of CONTRACT.md. Out: this module gives the tests their world (who exists, with what) and their
two verdicts: an answer is what the contract shows (`data_of`, `assert_keys`…), or a refusal that left nothing
behind (`Caller.refused`). Nothing in this package imports `ulak` or looks into the database.
"""

import itertools
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, Final

import httpx

from tests.harness import Installation, Organization, User, await_completed, await_true

UUID: Final = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
TIME: Final = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")
SIX_DECIMALS: Final = re.compile(r"\d+\.\d{6}")
TOTAL: Final = re.compile(r"(0|[1-9]\d*)(\.\d*[1-9])?")

NOBODY: Final = "00000000-0000-4000-8000-000000000000"  # a UUID that nothing has
SECRET: Final = "Gizli 7351"  # in the text of every refused message: must never be logged
KINDS: Final = ("", "/simple", "/advanced")  # the three ways to send, below /sms-sendings

SENDING_KEYS: Final = ["id", "completed", "sampleMessageText", "createdAt", "stats"]
STATS_KEYS: Final = [
    *("validSize", "invalidSize", "nOfPending", "nOfWaiting", "nOfCompleted", "nOfFailed", "nOfRefunded"),
    *("totalCost", "totalRefunded"),
]
MESSAGE_KEYS: Final = ["id", "to", "message", "status", "network", "refunded", "createdAt"]
PAGE_KEYS: Final = ["items", "total", "page", "limit", "totalPages"]

_numbers = itertools.count()


def number() -> str:
    """A valid number no test has used, whose fate is to be delivered."""
    return f"90555{next(_numbers):05}55"


def body_of(kind: str, service: str, text: str = "Merhaba", to: str | None = None) -> dict[str, Any]:
    """A body for `/sms-sendings{kind}` that sends one message."""
    to = number() if to is None else to
    if kind == "/advanced":
        return {"messages": [{"to": to, "message": text}], "serviceId": service}
    return {"to": [to] if kind == "/simple" else to, "message": text, "serviceId": service}


def data_of(answer: httpx.Response, status: int = 200) -> Any:
    """What stands in the envelope of a success."""
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"].split(";")[0] == "application/json"
    body = answer.json()
    assert list(body) == ["success", "data"], body
    assert body["success"] is True
    return body["data"]


def assert_page(data: Any, *, total: int, page: int = 0, limit: int = 10) -> list[dict[str, Any]]:
    """A page of a list has its keys and adds up; returns its items."""
    assert list(data) == PAGE_KEYS, data
    found = {name: data[name] for name in PAGE_KEYS[1:]}
    expected = {"total": total, "page": page, "limit": limit, "totalPages": -(-total // limit)}
    assert found == expected, f"{found} instead of {expected}"
    assert len(data["items"]) == max(0, min(limit, total - page * limit))
    items: list[dict[str, Any]] = data["items"]
    return items


def assert_stats(sending: Mapping[str, Any]) -> None:
    """What CONTRACT.md says of the stats holds for this sending, at any moment."""
    stats = sending["stats"]
    assert list(stats) == STATS_KEYS, stats
    counts = [stats[name] for name in STATS_KEYS[:7]]
    assert all(type(count) is int and count >= 0 for count in counts), stats
    assert stats["validSize"] == sum(counts[2:6]), stats
    assert sending["completed"] is (stats["nOfPending"] + stats["nOfWaiting"] == 0), sending
    assert all(TOTAL.fullmatch(stats[name]) for name in STATS_KEYS[7:]), stats
    assert Decimal(stats["totalRefunded"]) <= Decimal(stats["totalCost"]), stats


def assert_error(
    answer: httpx.Response, status: int, code: str, fields: Iterable[str] | None = None
) -> dict[str, Any]:
    """The answer is this refusal, in the one shape of all; `fields` are exactly the fields named (any order)."""
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"].split(";")[0] == "application/json"
    body = answer.json()
    assert list(body) == ["success", "error"], body
    assert body["success"] is False
    error: dict[str, Any] = body["error"]
    assert error["code"] == code, body
    failed = code == "validation_failed"
    assert list(error) == ["code", "message", *(["fields"] if failed else []), "requestId"], body
    assert isinstance(error["message"], str)
    assert error["message"].strip()
    assert error["requestId"]
    assert error["requestId"] == answer.headers["x-request-id"]
    if failed:
        assert error["fields"], body
        assert all(list(fault) == ["field", "message"] for fault in error["fields"]), body
        assert all(fault["message"].strip() for fault in error["fields"]), body
    if fields is not None:
        named = [fault["field"].lower() for fault in error["fields"]]
        assert sorted(named) == sorted(fields), body
    return error


@dataclass(frozen=True, slots=True)
class Caller:
    """Somebody who calls in one context, and what they can see of it."""

    ulak: Installation
    user: User
    org: Organization | None
    client: httpx.Client

    def send(self, service: str, *to: str, text: str = "Merhaba", **headers: str) -> str:
        """Accepted: one message (`simple` for several numbers); returns the sending's id."""
        kind = "" if len(to) <= 1 else "/simple"
        body = body_of(kind, service, text, *to) if len(to) <= 1 else bulk_of(service, to, text)
        answer = self.client.post(f"/sms-sendings{kind}", json=body, headers=headers)
        made = data_of(answer, 201)
        assert UUID.fullmatch(made), made
        return str(made)

    def sendings(self, **query: object) -> Any:
        """A page of their list."""
        return data_of(self.client.get("/sms-sendings", params=_text(query)))

    def messages(self, sending: str, **query: object) -> Any:
        """A page of one sending's messages."""
        return data_of(self.client.get(f"/sms-sendings/{sending}", params=_text(query)))

    def sending(self, sending: str) -> dict[str, Any]:
        """One of their newest thousand sendings, as the list shows it."""
        found = [item for item in self.sendings(limit=1000)["items"] if item["id"] == sending]
        assert found, f"{sending} is not in the list"
        assert_stats(found[0])
        return dict(found[0])

    def ended(self, sending: str) -> dict[str, Any]:
        """The sending, once it is completed."""
        item = await_completed(self.client, sending)
        assert_stats(item)
        return item

    def waiting(self, sending: str) -> None:
        """Until a carrier has taken all of the sending's messages."""
        await_true(
            lambda: self.messages(sending, status="pending", limit=1)["total"] == 0, f"{sending} taken"
        )

    def credit(self) -> Decimal:
        """What they can spend here."""
        if not self.org:
            return Decimal(self.ulak.balance(user=self.user))
        organizations = data_of(self.client.get("/users/me/organizations"))
        return next(Decimal(item["memberCredit"]) for item in organizations if item["id"] == self.org.id)

    def _state(self) -> tuple[int, Decimal | None]:
        return self.sendings(limit=1)["total"], self.credit() if self.org else None

    def refused(
        self,
        method: str,
        path: str,
        status: int,
        code: str,
        fields: Iterable[str] | None = None,
        **request: Any,
    ) -> dict[str, Any]:
        """The request gets this refusal, and leaves no sending, no charge and no trace in the log."""
        before, log = self._state(), end_of_log(self.ulak)
        answer = self.client.request(method, path, **request)
        error = assert_error(answer, status, code, fields)
        after = self._state()
        assert after == before, f"sendings and credit were {before}, are {after}"
        assert_discreet(self.ulak, self.user.key, since=log)
        assert SECRET not in answer.text, answer.text
        return error


@dataclass(slots=True)
class World:
    """Everybody and everything the tests meet. Tests leave names as they are; sendings come and go."""

    ulak: Installation
    users: dict[str, User] = field(default_factory=dict)
    orgs: dict[str, Organization] = field(default_factory=dict)
    services: dict[str, str] = field(default_factory=dict)
    keys: dict[str, dict[str, Any]] = field(default_factory=dict)
    _callers: dict[tuple[str, str | None], Caller] = field(default_factory=dict)

    def caller(self, username: str, org: str | None = None) -> Caller:
        """This user, in this organization's context or their own."""
        if (username, org) not in self._callers:
            user, context = self.users[username], self.orgs[org] if org else None
            self._callers[username, org] = Caller(self.ulak, user, context, self.ulak.as_user(user, context))
        return self._callers[username, org]

    def with_key(self, key: str | None, **headers: str) -> httpx.Client:
        """A client with this key, or with none."""
        return self.ulak.client(self.ulak.base_path, headers | ({"x-api-key": key} if key else {}))


def assert_discreet(ulak: Installation, *keys: str, since: int = 0) -> None:
    """From this place of the server's log on, it has neither these keys nor the text of a refused message."""
    with ulak.log_path.open("rb") as log:
        log.seek(since)
        written = log.read().decode(errors="replace")
    for secret in (SECRET, *keys):
        assert secret not in written, f"{secret!r} is in the log:\n{written[-4000:]}"


def end_of_log(ulak: Installation) -> int:
    """Where the server's log ends now: one leak is to fail one test, not all that follow."""
    return ulak.log_path.stat().st_size


def bulk_of(service: str, to: Iterable[str], text: str = "Merhaba") -> dict[str, Any]:
    """A body for `/sms-sendings/simple`."""
    return {"to": list(to), "message": text, "serviceId": service}


def _text(query: Mapping[str, object]) -> dict[str, str]:
    return {name: str(value) for name, value in query.items()}
