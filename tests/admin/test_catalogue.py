"""What is for sale: each setting within its limits, changed one by one, and nobody's change lost."""

import json
from dataclasses import asdict
from typing import Any

import pytest

from tests.admin import BY, ORG, SERVICE, USD, actions, carrier, found, held, rows, service, value
from ulak.admin import accounts, carriers, catalogue
from ulak.base.db import Database
from ulak.rules.refusal import Code, Refused
from ulak.rules.route import Written
from ulak.store.carriers import Carrier


@pytest.fixture
async def house(db: Database) -> Database:
    await found(db)
    return db


async def code_of(work: Any) -> Code:
    """With which code this is refused."""
    with pytest.raises(Refused) as refusal:
        await work
    assert refusal.value.message.endswith(".")
    return refusal.value.code


async def every_carrier(house: Database) -> list[Carrier]:
    """The carriers there are."""
    return [standing.carrier for standing in await carriers.listed(house)]


# --- carriers


CARRIERS: list[dict[str, Any]] = [
    {"port": 1},
    {"port": 65535},
    {"window_max": 1},
    {"window_max": 10_000},
    {"throughput": 1_000_000},
    {"system_id": "s" * 15},
    {"password": "p" * 8},
    {"system_id": "", "password": ""},
    {"host": "smsc.example.com"},
    {"host": "::1"},
]


async def test_what_a_carrier_may_be(house: Database) -> None:
    for n, options in enumerate(CARRIERS):
        await carrier(house, f"other {n}", **options)

        made = (await every_carrier(house))[-1]
        kept = {**asdict(made), "password": carriers.password_of(made, house.secrets)}
        assert {name: kept[name] for name in options} == options


NO_CARRIERS: list[dict[str, Any]] = [
    {"port": 0},
    {"port": 65536},
    {"port": -1},
    {"window_max": 0},
    {"window_max": 10_001},
    {"throughput": -1},
    {"throughput": 1_000_001},
    {"system_id": "s" * 16},
    {"system_id": "ğ"},
    {"password": "p" * 9},
    {"password": "ş"},
    {"host": ""},
    {"host": "  "},
]


async def test_what_a_carrier_may_not_be(house: Database) -> None:
    before, done = await every_carrier(house), await actions(house)

    for options in NO_CARRIERS:
        assert await code_of(carrier(house, "other", **options)) == Code.INVALID_VALUE
        assert await code_of(carriers.change(house, BY, "main", **options)) == Code.INVALID_VALUE

    assert await every_carrier(house) == before
    assert await actions(house) == done


async def test_what_nothing_may_be_called(house: Database) -> None:
    for name in ("", " ", "n" * 101, "a\tb", "a\0b", "\udcff"):
        assert await code_of(carrier(house, name)) == Code.INVALID_VALUE
        assert await code_of(service(house, name)) == Code.INVALID_VALUE


async def test_a_name_is_taken_whatever_its_case(house: Database) -> None:
    assert await code_of(carrier(house, "MAIN")) == Code.ALREADY_EXISTS
    assert await code_of(service(house, SERVICE.lower())) == Code.ALREADY_EXISTS
    assert (await carriers.change(house, BY, "Main", port=7)).name == "main"
    assert (await catalogue.set_service(house, BY, SERVICE.upper(), price=7)).service.name == SERVICE


async def test_changing_one_setting_leaves_the_others(house: Database) -> None:
    [before] = await every_carrier(house)

    after = await carriers.change(house, BY, "main", window_max=7, host=None)

    assert (after.window_max, after.host, after.port, after.password) == (
        7,
        before.host,
        before.port,
        before.password,
    )
    assert await every_carrier(house) == [after]


async def test_no_secret_of_a_carrier_reaches_the_audit_log_or_a_repr(house: Database) -> None:
    await carrier(house, "other", password="hunter2")
    made = await carriers.change(house, BY, "other", password="hunter3", port=9)

    assert "hunter" not in repr(made)
    details = [row["detail"] for row in await rows(house, "SELECT detail::text FROM audit_log")]
    assert all("hunter" not in detail for detail in details)
    assert "password" in details[-1]  # that it was changed is worth knowing


# --- services


NO_SERVICES: list[dict[str, Any]] = [
    {"price": -1},
    {"refund_on": frozenset({"sent"})},
    {"refund_on": frozenset({"not_sent", "pending"})},
    {"validity_minutes": 0},
    {"validity_minutes": 7 * 24 * 60 + 1},
]


async def test_what_a_service_may_not_be(house: Database) -> None:
    before, done = await catalogue.list_services(house), await actions(house)

    for options in NO_SERVICES:
        assert await code_of(service(house, "Other", **options)) == Code.INVALID_VALUE
        assert await code_of(catalogue.set_service(house, BY, SERVICE, **options)) == Code.INVALID_VALUE
    assert await code_of(service(house, "Other", currency="EUR")) == Code.INVALID_VALUE
    assert await code_of(service(house, "Other", currency="usd")) == Code.INVALID_VALUE
    assert await code_of(service(house, "Other", route=["nobody"])) == Code.NOT_KNOWN
    assert await code_of(catalogue.set_service(house, BY, SERVICE, route=["nobody"])) == Code.NOT_KNOWN
    assert await code_of(catalogue.set_service(house, BY, "Nothing", price=1)) == Code.NOT_KNOWN

    assert await catalogue.list_services(house) == before
    assert await actions(house) == done


SERVICES: list[dict[str, Any]] = [
    {"price": 0},
    {"price": 1},
    {"refund_on": frozenset()},
    {"refund_on": frozenset({"no_signal"})},
    {"validity_minutes": 1},
    {"validity_minutes": 7 * 24 * 60},
    {"billing": "segment", "unsure": "refund"},
    {"foreign_numbers": True},
]


async def test_what_a_service_may_be(house: Database) -> None:
    for n, options in enumerate(SERVICES):
        await service(house, f"Other {n}", **options)
        made = (await catalogue.list_services(house))[-1].service
        assert {name: getattr(made, name) for name in options} == options

        changed = (await catalogue.set_service(house, BY, SERVICE, **options)).service
        assert {name: getattr(changed, name) for name in options} == options


async def test_a_service_moves_to_another_carrier_and_back_to_no_header(house: Database) -> None:
    await carrier(house, "other")
    await catalogue.set_service(house, BY, SERVICE, sender="ACME", route=["other"])
    [moved] = await catalogue.list_services(house)
    assert (moved.service.sender, moved.service.price, moved.route) == ("ACME", USD, [Written("other")])

    await catalogue.set_service(house, BY, SERVICE, sender="")
    [back] = await catalogue.list_services(house)
    assert (back.service.sender, back.route) == (None, [Written("other")])


async def test_what_a_header_may_be(house: Database) -> None:
    for header in ("ACME", "Acme 2.0-x", "A12", "abcdefghijk", "123", "905551234567", "0850", "1" * 15):
        await catalogue.set_service(house, BY, SERVICE, sender=header)
        made = await catalogue.set_sender(house, BY, header, service=SERVICE, username="mark", org=None)

        assert made.header == header
        assert await value(house, "SELECT sender FROM services") == header


NO_HEADERS = ["AB", "abcdefghijkl", "12", "1" * 16, "- .", "+90555", "ACME!", "Şirket", "A\0ME", "AC\nME"]


async def test_what_a_header_may_not_be(house: Database) -> None:
    for header in NO_HEADERS:
        refused = catalogue.set_sender(house, BY, header, service=SERVICE, username="mark", org=None)
        assert await code_of(refused) == Code.INVALID_VALUE
        assert await code_of(catalogue.set_service(house, BY, SERVICE, sender=header)) == Code.INVALID_VALUE
        assert await code_of(service(house, "Other", sender=header)) == Code.INVALID_VALUE

    assert await value(house, "SELECT count(*) FROM senders") == 0


async def test_each_customer_has_one_header_with_a_service(house: Database) -> None:
    await service(house, "Other")
    for header, name, username, org in (
        ("First", SERVICE, "mark", None),
        ("Second", SERVICE, "mark", None),
        ("Third", SERVICE, None, ORG),
        ("Fourth", "Other", "mark", None),
        ("Fifth", SERVICE, "lale", None),
    ):
        await catalogue.set_sender(house, BY, header, service=name, username=username, org=org)

    headers = [row["header"] for row in await rows(house, "SELECT header FROM senders ORDER BY header")]
    assert headers == ["Fifth", "Fourth", "Second", "Third"]


@pytest.mark.parametrize(("username", "org"), [(None, None), ("mark", ORG)])
async def test_a_header_is_a_users_or_an_organizations(
    house: Database, username: str | None, org: str | None
) -> None:
    refused = catalogue.set_sender(house, BY, "ACME", service=SERVICE, username=username, org=org)

    assert await code_of(refused) == Code.INVALID_VALUE


# --- two operators at once


async def test_two_changes_of_a_carrier_at_once_both_count(house: Database) -> None:
    window = carriers.change(house, BY, "main", window_max=7)
    pause = carriers.change(house, BY, "main", state="paused")

    async with held(house, "SELECT FROM carriers FOR UPDATE", window, pause):
        pass

    [after] = await every_carrier(house)
    assert (after.window_max, after.state) == (7, "paused")


async def test_a_service_that_is_closed_stays_closed_whatever_else_changes(house: Database) -> None:
    close = catalogue.set_service(house, BY, SERVICE, state="inactive")
    price = catalogue.set_service(house, BY, SERVICE, price=2 * USD)

    async with held(house, "SELECT FROM services FOR UPDATE", close, price):
        pass

    [after] = [offer.service for offer in await catalogue.list_services(house)]
    assert (after.state, after.price) == ("inactive", 2 * USD)


async def test_of_two_who_make_the_same_name_at_once_one_is_refused(db: Database) -> None:
    both = [accounts.create_user(db, BY, name, "m@example.com") for name in ("mark", "Mark")]

    async with held(db, "LOCK TABLE users IN EXCLUSIVE MODE", *both) as results:
        pass

    assert sorted(isinstance(result, Refused) for result in results) == [False, True]
    assert await actions(db) == ["user.create"]


# --- what the audit log says of a change


async def last_detail(house: Database) -> Any:
    return json.loads(await value(house, "SELECT detail::text FROM audit_log ORDER BY id DESC LIMIT 1"))


async def test_a_changed_service_says_what_was_before_and_what_is_after(house: Database) -> None:
    await carrier(house, "other")

    await catalogue.set_service(
        house,
        BY,
        SERVICE,
        price=USD // 4,
        billing="message",
        refund_on=frozenset({"not_sent"}),
        sender="ACME",
    )
    assert await last_detail(house) == {
        "before": {"price": "1.000000", "refund_on": ["no_signal", "not_sent"], "sender": None},
        "after": {"price": "0.250000", "refund_on": ["not_sent"], "sender": "ACME"},
    }

    await catalogue.set_service(house, BY, SERVICE, route=["main@70", "other@30"], sender="")
    assert await last_detail(house) == {
        "before": {"sender": "ACME", "route": ["main"]},
        "after": {"sender": None, "route": ["main@70", "other@30"]},
    }

    await catalogue.set_service(house, BY, SERVICE, route=["main@70", "other@30"], price=USD // 4)
    assert await last_detail(house) == {"before": {}, "after": {}}


async def test_a_changed_carrier_says_what_was_before_and_what_is_after_and_no_secret(
    house: Database,
) -> None:
    await carriers.change(house, BY, "main", port=9, window_max=100, password="hunter3")

    assert await last_detail(house) == {
        "before": {"port": 2775},
        "after": {"port": 9},
        "secrets": ["password"],
    }
    await carriers.change(house, BY, "main", password="hunter3", state="paused")
    assert await last_detail(house) == {"before": {"state": "active"}, "after": {"state": "paused"}}
