"""A key at the door of the API: what it is good for, until when, from where and how often; and who shows none of ours.

No server, no sockets: requests go straight to the site.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any

import httpx
import pytest

from tests.admin import BY, found
from tests.edge.clock import Clock
from tests.edge.panel.conftest import Straight
from ulak.admin import accounts
from ulak.base.config import Config
from ulak.base.db import Database, Tx
from ulak.edge.limits import Limiter
from ulak.edge.rooms import Rooms
from ulak.edge.site import Site
from ulak.edge.strangers import FAILED_MAX
from ulak.flow.accept import now
from ulak.flow.recognise import PREFIX_LENGTH
from ulak.rules.refusal import Code, Refused
from ulak.rules.scope import Scope
from ulak.store import keys

UNKNOWN = f"ulak_{'x' * 43}"
NOBODY = "00000000-0000-4000-8000-000000000000"
OPERATIONS = {
    ("GET", "/users/me"): Scope.ACCOUNT_READ,
    ("GET", "/users/me/organizations"): Scope.ACCOUNT_READ,
    ("GET", "/services"): Scope.ACCOUNT_READ,
    ("GET", "/sms-sendings"): Scope.SMS_READ,
    ("GET", f"/sms-sendings/{NOBODY}"): Scope.SMS_READ,
    ("POST", "/sms-sendings"): Scope.SMS_SEND,
    ("POST", "/sms-sendings/simple"): Scope.SMS_SEND,
    ("POST", "/sms-sendings/advanced"): Scope.SMS_SEND,
}


@asynccontextmanager
async def door(
    db: Database, limiter: Limiter | None = None, **settings: Any
) -> AsyncIterator[httpx.AsyncClient]:
    """A client before a site with these settings; it comes from 192.0.2.1."""
    rooms = Rooms(Config(**settings), db)
    rooms.limiter = limiter or rooms.limiter
    async with rooms.running():
        base = "https://api.test/v1"
        async with httpx.AsyncClient(transport=Straight(Site(rooms)), base_url=base) as client:
            yield client


async def key(db: Database, **its: Any) -> dict[str, str]:
    """The header of a new key of mark's."""
    return {"x-api-key": (await accounts.create_key(db, BY, "mark", **its)).secret}


def code_of(answer: httpx.Response) -> str:
    return str(answer.json()["error"]["code"])


@pytest.mark.parametrize("scope", Scope)
async def test_a_key_is_good_for_its_scopes_only(db: Database, scope: Scope) -> None:
    await found(db)
    headers = await key(db, scopes=[scope])

    async with door(db) as client:
        for (method, path), needs in OPERATIONS.items():
            answer = await client.request(method, path, headers=headers)
            if needs == scope:
                assert answer.status_code != 403, path
            else:
                assert (answer.status_code, code_of(answer)) == (403, "permission_denied"), path
                assert needs in answer.json()["error"]["message"]
            org = await client.request(method, path, headers=headers | {"x-org-id": NOBODY})
            if not path.startswith("/users"):
                assert code_of(org) == "organization_forbidden", "which comes first"


async def test_an_expired_key_is_like_any_that_cannot_be_used(db: Database) -> None:
    await found(db)
    headers = await key(db, expires_at=now() + timedelta(hours=1))
    async with door(db) as client:
        assert (await client.get("/users/me", headers=headers)).status_code == 200
    async with db.transaction() as tx:
        await tx.execute("UPDATE api_keys SET expires_at = now()")

    async with door(db) as client:
        expired = await client.get("/users/me", headers=headers)
        unknown = await client.get("/users/me", headers={"x-api-key": UNKNOWN})

    for answer in (expired, unknown):
        assert (answer.status_code, code_of(answer)) == (401, "unauthorized")
    assert expired.json()["error"]["message"] == unknown.json()["error"]["message"]


async def test_what_a_key_may_not_be_made_with(db: Database) -> None:
    await found(db)
    wrong: list[dict[str, Any]] = [
        {"scopes": []},
        {"scopes": ["sms:send", "everything"]},
        {"expires_at": now() - timedelta(seconds=1)},
        {"rate_per_second": 0},
    ]
    for its in wrong:
        with pytest.raises(Refused) as refusal:
            await accounts.create_key(db, BY, "mark", **its)
        assert refusal.value.code == Code.INVALID_VALUE
    assert await accounts.list_keys(db, "mark") == []


async def test_allowed_addresses_are_those_that_a_trusted_proxy_tells(db: Database) -> None:
    await found(db)
    headers = await key(db, allow_ips=("203.0.113.0/24",))
    told = headers | {"x-forwarded-for": "198.51.100.1, 203.0.113.5"}

    async with door(db, trusted_proxies="192.0.2.1") as client:
        assert (await client.get("/users/me", headers=told)).status_code == 200
        assert (await client.get("/users/me", headers=headers)).status_code == 401
        forged = headers | {"x-forwarded-for": "203.0.113.5, 198.51.100.1"}
        assert (await client.get("/users/me", headers=forged)).status_code == 401
        strangers_own = headers | {"x-forwarded-for": "198.51.100.1", "forwarded": "for=203.0.113.5"}
        assert (await client.get("/users/me", headers=strangers_own)).status_code == 401
        unreadable = headers | {"x-forwarded-for": "203.0.113.5, unknown"}
        assert (await client.get("/users/me", headers=unreadable)).status_code == 401, "known nowhere"
    async with door(db, trusted_proxies="192.0.2.1", forwarded_header="forwarded") as client:
        assert (await client.get("/users/me", headers=told)).status_code == 401
        told_so = headers | {"forwarded": "for=203.0.113.5"}
        assert (await client.get("/users/me", headers=told_so)).status_code == 200
    async with door(db) as client:
        assert (await client.get("/users/me", headers=told)).status_code == 401


async def test_who_shows_many_keys_waits_and_a_good_key_does_not(db: Database) -> None:
    await found(db)
    headers = await key(db)

    async with door(db) as client:
        statuses = [
            (await client.get("/users/me", headers={"x-api-key": UNKNOWN})).status_code
            for _ in range(FAILED_MAX + 3)
        ]
        assert statuses == [401] * FAILED_MAX + [429] * 3
        refused = await client.get("/users/me", headers={"x-api-key": UNKNOWN})
        assert 1 <= int(refused.headers["retry-after"]) <= 60
        assert (await client.get("/users/me", headers=headers)).status_code == 200
        for no_key in ({}, {"x-api-key": "no"}):
            assert (await client.get("/users/me", headers=no_key)).status_code == 401


async def test_who_goes_on_guessing_costs_no_database(db: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    await found(db)
    headers = await key(db)
    asked: list[str] = []

    async def counted(tx: Tx, prefix: str) -> list[keys.Candidate]:
        asked.append(prefix)
        return await by_prefix(tx, prefix)

    by_prefix = keys.by_prefix
    monkeypatch.setattr(keys, "by_prefix", counted)

    async with door(db) as client:
        guesses = [{"x-api-key": f"ulak_{n:06d}{'x' * 37}"} for n in range(200)]
        statuses = [(await client.get("/users/me", headers=guess)).status_code for guess in guesses]

        assert statuses == [401] * FAILED_MAX + [429] * (200 - FAILED_MAX)
        assert len(asked) == FAILED_MAX
        assert (await client.get("/users/me", headers=headers)).status_code == 200, "shown for the first time"
        alike = {"x-api-key": headers["x-api-key"][:PREFIX_LENGTH] + "x" * 37}
        for _ in range(20):
            assert (await client.get("/users/me", headers=alike)).status_code == 429
            assert (await client.get("/users/me", headers=headers)).status_code == 200
        assert len(asked) <= FAILED_MAX + 2


async def test_a_customer_and_a_key_have_rates_and_the_answers_tell_the_smaller(db: Database) -> None:
    await found(db)
    await accounts.set_user_rate(db, BY, "mark", 20)
    slow, other = await key(db, rate_per_second=2), await key(db)

    async with door(db, rate_per_second=5) as client:
        first = await client.get("/users/me", headers=slow)
        assert (first.headers["ratelimit-limit"], first.headers["ratelimit-remaining"]) == ("2", "1")
        statuses = [(await client.get("/users/me", headers=slow)).status_code for _ in range(2)]
        assert statuses == [200, 429]
        its = await client.get("/users/me", headers=other)
        assert (its.status_code, its.headers["ratelimit-limit"]) == (200, "20")
        many = [(await client.get("/users/me", headers=other)).status_code for _ in range(60)]
        assert 15 < many.count(200) < 60


@pytest.mark.parametrize("rate", [1, 4, 1_000_000])
async def test_the_answers_tell_in_whole_seconds_when_there_are_more(db: Database, rate: int) -> None:
    await found(db)
    headers, clock = await key(db), Clock()

    async with door(db, clock, rate_per_second=rate) as client:
        for n in range(1, min(rate, 4) + 1):
            answer = await client.get("/users/me", headers=headers)
            assert (answer.status_code, answer.headers["ratelimit-remaining"]) == (200, str(rate - n))
            until_full = n / rate
            assert until_full <= int(answer.headers["ratelimit-reset"]) < until_full + 1
        if rate == 1_000_000:
            return
        for later in (0.0, 0.9 / rate):
            clock.at = 100.0 + later
            refused = await client.get("/users/me", headers=headers)
            assert (refused.status_code, refused.headers["ratelimit-remaining"]) == (429, "0")
            until_one = 1 / rate - later
            assert until_one <= int(refused.headers["ratelimit-reset"]) < until_one + 1
            assert refused.headers["retry-after"] == refused.headers["ratelimit-reset"]
        clock.at = 100.0 + int(refused.headers["ratelimit-reset"])
        assert (await client.get("/users/me", headers=headers)).status_code == 200


async def test_no_limit_says_nothing_of_one(db: Database) -> None:
    await found(db)
    await accounts.set_user_rate(db, BY, "mark", 0)
    headers = await key(db)

    async with door(db, rate_per_second=1) as client:
        answers = [await client.get("/users/me", headers=headers) for _ in range(5)]

    assert {answer.status_code for answer in answers} == {200}
    assert not [name for name in answers[0].headers if name.startswith("ratelimit")]
