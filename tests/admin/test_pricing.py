"""Price rules, and that what is explained is what is charged.

The numbers are computed by hand. Customers really send here, through `flow.accept`, so that a price that was
explained can be held against the one that was paid.
"""

import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest

from tests.admin import BY, ORG, SERVICE, USD, actions, found, rows, service, value
from tests.flow.conftest import World, inhabited
from ulak.admin import accounts, credit, groups, pricing
from ulak.base.db import Database
from ulak.rules import ids, money
from ulak.rules.refusal import Code, Refused
from ulak.rules.tenancy import Context

DAY = timedelta(days=1)


@pytest.fixture
async def world(db: Database) -> AsyncIterator[World]:
    """Somewhere to send in, where mark and Main Organization are, with credit."""
    async with inhabited(db) as there_is:
        await found(db)
        for whose in (("mark", None), ("mark", ORG), ("lale", ORG)):
            await credit.add(db, BY, 1000 * USD, *whose)
        yield there_is


async def add(db: Database, kind: Any, amount: str, **options: Any) -> UUID:
    """A rule for BobSMS, its value as an operator writes it."""
    values = {"service": SERVICE, "kind": kind, "value": money.parse_signed(amount)}
    return (await pricing.add(db, BY, **(values | options))).id


async def explained(db: Database, username: str | None = None, org: str | None = None) -> pricing.Explained:
    return await pricing.explain(db, service=SERVICE, username=username, org=org)


async def price(db: Database, username: str | None = None, org: str | None = None) -> str:
    return money.fixed((await explained(db, username, org)).explanation.price)


async def context(db: Database, username: str, org: str | None = None) -> Context:
    user: UUID = await value(db, "SELECT id FROM users WHERE username = $1", username)
    its = await value(db, "SELECT id FROM organizations WHERE name = $1", org) if org else None
    return Context(user, its)


async def paid(world: World, username: str, org: str | None = None, messages: int = 1) -> str:
    """Send, and see what one message cost."""
    who = await context(world.db, username, org)
    world.directory.forget()
    bobsms = await value(world.db, "SELECT id FROM services WHERE name = $1", SERVICE)
    sending = await world.sending(who, await world.send(who, bobsms, to=messages))
    assert sending.total_cost % messages == 0
    return money.fixed(sending.total_cost // messages)


async def code_of(work: Any) -> Code:
    """With which code this is refused."""
    with pytest.raises(Refused) as refusal:
        await work
    assert refusal.value.message.endswith(".")
    return refusal.value.code


# --- how a price comes about


async def test_each_customers_rules_in_their_order_by_hand(world: World) -> None:
    await add(world.db, "percent", "12.5", username="mark")
    await add(world.db, "amount", "-0.05", org=ORG)
    await add(world.db, "percent", "-10", org=ORG)
    await add(world.db, "fixed", "0.8")
    await add(world.db, "amount", "0.1")

    # base 1 → 0.8 → 0.9 | organization: −0.05 → 0.85, −10 % → 0.765 | user: +12.5 % → 0.860625
    assert await price(world.db) == "0.900000"
    assert await price(world.db, "mark") == "1.012500"
    assert await price(world.db, None, ORG) == "0.765000"
    assert await price(world.db, "mark", ORG) == "0.860625"
    assert await price(world.db, "lale", ORG) == "0.765000"
    steps = (await explained(world.db, "mark", ORG)).explanation.steps
    assert [float(step.after) for step in steps] == [1e6, 8e5, 9e5, 850_000, 765_000, 860_625, 860_625]
    assert [step.rule_id is None for step in steps] == [True, *[False] * 5, True]


@pytest.mark.parametrize(("username", "org"), [("mark", None), ("mark", ORG), ("lale", ORG)])
async def test_what_is_explained_is_what_is_paid(world: World, username: str, org: str | None) -> None:
    await add(world.db, "percent", "33.333333", username="mark")
    await add(world.db, "amount", "-0.000001", org=ORG)
    await add(world.db, "percent", "-7.7", from_volume=3)
    await add(world.db, "fixed", "0.333333", ends=datetime.now(UTC) - DAY)

    for messages in (1, 2, 1):  # the last one is past the third message
        told = await price(world.db, username, org)
        assert await paid(world, username, org, messages) == told


@pytest.mark.parametrize(
    ("base", "percent", "result"),
    [
        ("0.000001", "-50", "0.000000"),
        ("0.000003", "-50", "0.000002"),
        ("0.000005", "-50", "0.000002"),
        ("0.000001", "50", "0.000002"),
        ("0.000003", "50", "0.000004"),
    ],
)
async def test_halves_are_rounded_to_even_when_told_and_when_paid(
    world: World, base: str, percent: str, result: str
) -> None:
    await add(world.db, "fixed", base)
    await add(world.db, "percent", percent)

    assert await price(world.db, "mark") == result
    assert await paid(world, "mark") == result


async def test_a_price_is_never_below_zero_when_told_and_when_paid(world: World) -> None:
    await add(world.db, "amount", "-1.5")

    assert await price(world.db, "mark") == "0.000000"
    assert await paid(world, "mark") == "0.000000"


# --- volumes


async def test_a_tier_counts_for_the_request_after_the_one_that_reached_it(world: World) -> None:
    await add(world.db, "fixed", "0.5", from_volume=3)

    assert await paid(world, "mark", messages=2) == "1.000000"
    assert await paid(world, "mark", messages=5) == "1.000000"  # one price a request: 2 were sent before it
    assert (await explained(world.db, "mark")).volume == 7
    assert await paid(world, "mark") == "0.500000"


async def test_the_last_tier_that_was_reached_is_the_one_that_counts(world: World) -> None:
    await add(world.db, "fixed", "0.8", from_volume=1)
    await add(world.db, "fixed", "0.6", from_volume=2)

    assert [await paid(world, "mark") for _ in range(3)] == ["1.000000", "0.800000", "0.600000"]


async def test_members_share_their_organizations_volume_and_not_their_own(world: World) -> None:
    await paid(world, "mark", ORG, 3)
    await paid(world, "lale", ORG, 4)
    await paid(world, "mark", None, 1)

    assert (await explained(world.db, "mark", ORG)).volume == 7
    assert (await explained(world.db, "lale", ORG)).volume == 7
    assert (await explained(world.db, None, ORG)).volume == 7
    assert (await explained(world.db, "mark")).volume == 1
    assert (await explained(world.db, "lale")).volume == 0
    assert (await explained(world.db)).volume == 0


async def test_neither_other_months_nor_other_services_count(world: World) -> None:
    await paid(world, "mark", None, 4)
    await service(world.db, "Other")
    async with world.db.transaction() as tx:
        await tx.execute("UPDATE volumes SET month = month - interval '1 month'")

    assert (await explained(world.db, "mark")).volume == 0
    await paid(world, "mark")
    assert (await explained(world.db, "mark")).volume == 1
    other = await pricing.explain(world.db, service="Other", username="mark", org=None)
    assert other.volume == 0


# --- when, for whom, of what


@pytest.mark.parametrize(
    ("starts", "ends", "result"),
    [
        (-1, 1, "0.500000"),
        (-1, None, "0.500000"),
        (None, 1, "0.500000"),
        (1, 2, "1.000000"),
        (-2, -1, "1.000000"),
        (1, None, "1.000000"),
        (None, -1, "1.000000"),
    ],
)
async def test_a_rule_counts_inside_its_interval(
    world: World, starts: int | None, ends: int | None, result: str
) -> None:
    now = datetime.now(UTC)
    interval = {"starts": now + starts * DAY if starts else None, "ends": now + ends * DAY if ends else None}
    await add(world.db, "fixed", "0.5", **interval)

    assert await price(world.db, "mark") == result
    assert await paid(world, "mark") == result


async def test_a_rule_is_for_one_service(world: World) -> None:
    await service(world.db, "Other")
    await add(world.db, "fixed", "0.5", service="Other")

    assert await price(world.db) == "1.000000"


async def test_a_users_rule_is_nobody_elses(world: World) -> None:
    await add(world.db, "fixed", "0.5", username="mark")
    await groups.create(world.db, BY, "Another")
    await add(world.db, "fixed", "0.1", org="Another")

    assert await price(world.db, "mark") == "0.500000"
    assert await price(world.db, "lale") == "1.000000"
    assert await price(world.db, None, ORG) == "1.000000"
    assert await price(world.db, None, "Another") == "0.100000"


async def test_a_rule_that_was_removed_no_longer_counts_and_is_remembered(world: World) -> None:
    rule = await add(world.db, "fixed", "0.5")
    await pricing.remove(world.db, BY, rule)

    assert await price(world.db) == "1.000000"
    assert await paid(world, "mark") == "1.000000"
    assert await code_of(pricing.remove(world.db, BY, rule)) == Code.NOT_KNOWN
    assert (await actions(world.db))[-2:] == ["price.add", "price.remove"]


async def test_rules_are_listed_by_creation_with_their_names(world: World) -> None:
    await add(world.db, "fixed", "1", username="mark")
    await add(world.db, "amount", "-1", org=ORG, from_volume=5)
    await add(world.db, "percent", "0")

    listed = await pricing.list_all(world.db)

    assert [(one.service, one.organization, one.username) for one in listed] == [
        (SERVICE, None, "mark"),
        (SERVICE, ORG, None),
        (SERVICE, None, None),
    ]
    assert [one.rule.scope for one in listed] == ["user", "organization", "everyone"]
    assert [one.rule.value for one in listed] == [USD, -USD, 0]


NOW = datetime(2026, 3, 10, tzinfo=UTC)
NO_RULES: list[tuple[dict[str, Any], Code]] = [
    ({"kind": "fixed", "value": -1}, Code.INVALID_VALUE),
    ({"username": "mark", "org": ORG}, Code.INVALID_VALUE),
    ({"starts": NOW, "ends": NOW}, Code.INVALID_VALUE),
    ({"starts": NOW, "ends": NOW - DAY}, Code.INVALID_VALUE),
    ({"from_volume": -1}, Code.INVALID_VALUE),
    ({"service": "Nothing"}, Code.NOT_KNOWN),
    ({"username": "nobody"}, Code.NOT_KNOWN),
    ({"org": "Nobody"}, Code.NOT_KNOWN),
]


async def test_a_rule_that_cannot_be_is_not_kept(db: Database) -> None:
    await found(db)
    before = await actions(db)

    for options, code in NO_RULES:
        values: dict[str, Any] = {"service": SERVICE, "kind": "amount", "value": 1}
        assert await code_of(pricing.add(db, BY, **(values | options))) == code

    assert await pricing.list_all(db) == []
    assert await actions(db) == before


async def test_what_cannot_be_explained(db: Database) -> None:
    await found(db)
    await accounts.create_user(db, BY, "ece", "ece@example.com")

    assert await code_of(pricing.explain(db, service="Nothing", username=None, org=None)) == Code.NOT_KNOWN
    assert await code_of(explained(db, "nobody")) == Code.NOT_KNOWN
    assert await code_of(explained(db, "ece", ORG)) == Code.NOT_KNOWN
    assert await code_of(explained(db, None, str(ids.new_id()))) == Code.NOT_KNOWN


async def test_the_audit_log_says_of_a_rule_what_a_finance_person_would(db: Database) -> None:
    await found(db)
    at = datetime(2026, 3, 10, tzinfo=UTC)

    percent = await add(db, "percent", "-12.5", org=ORG, from_volume=1000, starts=at)
    fixed = await add(db, "fixed", "0.25", username="mark")
    await pricing.remove(db, BY, percent)

    lines = await rows(db, "SELECT detail::text FROM audit_log WHERE action LIKE 'price.%' ORDER BY id")
    rule = {"service": SERVICE, "organization": ORG, "kind": "percent", "value": "-12.5 %"}
    rule |= {"from_volume": 1000, "starts": "2026-03-10T00:00:00Z"}
    of_mark = {"service": SERVICE, "user": "mark", "kind": "fixed", "value": "0.250000"}
    assert [json.loads(line[0]) for line in lines] == [
        {"id": str(percent), "before": {}, "after": rule},
        {"id": str(fixed), "before": {}, "after": of_mark},
        {"before": rule, "after": {}},
    ]
