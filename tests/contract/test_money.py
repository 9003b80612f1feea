"""Money as a customer sees it: final prices, what a message costs, what comes back, and that nobody can overspend."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal

import pytest

from tests.contract import SECRET, Caller, World, assert_stats, body_of, bulk_of, data_of, number
from tests.harness import await_true

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("contract")]

Purse = Callable[[str], Caller]


@pytest.fixture
def purse(world: World) -> Purse:
    """A member of Small, with exactly this credit."""

    def filled(amount: str) -> Caller:
        caller = world.caller("poor", "Small")
        missing = Decimal(amount) - caller.credit()
        if missing:
            target = ("--org", "Small", "--user", "poor")
            world.ulak.cli("credit", "add" if missing > 0 else "take", f"{abs(missing):f}", *target)
        assert caller.credit() == Decimal(amount)
        return caller

    return filled


def price_of(caller: Caller, name: str) -> str:
    services = caller.client.get("/services").json()
    return str(next(item["unitPrice"] for item in services if item["name"] == name))


# --- prices


@pytest.mark.parametrize(
    ("username", "org", "price", "cost"),
    [
        ("kemal", None, "1.800000", "1.8"),  # everyone's −10 %
        ("ayse", "Main Organization", "1.800000", "1.8"),
        ("ayse", "Second", "1.500000", "1.5"),  # fixed for the organization
        ("mark", None, "2.050000", "2.05"),  # and 0.25 more for this user
    ],
)
def test_the_price_shown_is_the_price_charged(
    world: World, username: str, org: str | None, price: str, cost: str
) -> None:
    caller = world.caller(username, org)

    shown = price_of(caller, "RuledSMS")
    sent = caller.send(world.services["RuledSMS"], number())

    assert shown == price
    assert caller.sending(sent)["stats"]["totalCost"] == cost


def test_a_price_is_rounded_once_half_to_even(world: World, second: Caller) -> None:
    sent = second.send(world.services["TinySMS"], number(), number(), number())

    assert price_of(second, "TinySMS") == "0.000002"  # half of 0.000005
    assert second.sending(sent)["stats"]["totalCost"] == "0.000006"


def test_the_price_is_frozen_at_acceptance(world: World, member: Caller) -> None:
    service, credit = world.services["ChangingSMS"], member.credit()
    early = member.send(service, "905551010901")

    world.ulak.cli("service", "set", "ChangingSMS", "--price", "3")
    await_true(lambda: price_of(member, "ChangingSMS") == "3.000000", "the new price is shown", 5)
    late = member.send(service, "905551020901")

    assert member.sending(early)["stats"]["totalCost"] == "1"
    assert member.sending(late)["stats"]["totalCost"] == "3"
    assert member.ended(early)["stats"]["totalRefunded"] == "1"
    assert member.ended(late)["stats"]["totalRefunded"] == "3"
    assert member.credit() == credit


@pytest.mark.parametrize(
    ("text", "segments"),
    [
        ("x" * 160, 1),
        ("€" * 80, 1),  # two septets each
        ("€" * 80 + "x", 2),
        ("[" * 160, 3),  # 320 septets in parts of 153, no pair split: 76 + 76 + 8 characters
        ("Ж" * 70, 1),
        ("Ж" * 71, 2),
        ("Ж" * 134, 2),
        ("Ж" * 135, 3),
        ("😀" * 35, 1),  # two UTF-16 units each
        ("😀" * 36, 2),
        ("😀" * 66, 2),  # 33 in a part of 67 units, no pair split
        ("😀" * 67, 3),
        ("😀" * 160, 5),
        ("x" * 159 + "Ж", 3),
    ],
    ids=lambda value: ascii(value)[:12],
)
def test_billing_by_segment(world: World, second: Caller, text: str, segments: int) -> None:
    before = second.credit()

    sent = second.send(world.services["SegmentSMS"], number(), text=text)

    stats = second.sending(sent)["stats"]
    assert Decimal(stats["totalCost"]) == Decimal("0.5") * segments
    assert before - second.credit() == Decimal("0.5") * segments
    assert stats["validSize"] == 1


def test_billing_by_segment_multiplies_by_the_numbers(world: World, second: Caller) -> None:
    sent = second.send(world.services["SegmentSMS"], number(), number(), number(), text="Ж" * 71)

    assert second.sending(sent)["stats"]["totalCost"] == "3"


def test_billing_by_message_does_not_look_at_the_text(world: World, second: Caller) -> None:
    sent = second.send(world.services["BobSMS"], number(), text="😀" * 160)

    assert second.sending(sent)["stats"]["totalCost"] == "1"


# --- refunds


@pytest.mark.parametrize(
    ("service", "unit", "refunded"),
    [
        ("BobSMS", "1", ["0901", "0902"]),
        ("HalfSMS", "2.5", ["0901", "0902"]),
        ("NotSentSMS", "1", ["0901"]),
        ("KeepsSMS", "1", []),
    ],
)
def test_what_is_refunded_is_set_by_the_service(
    world: World, member: Caller, service: str, unit: str, refunded: list[str]
) -> None:
    numbers = ["905553330000", "905553330901", "905553330902", "905553330001"]
    credit = member.credit()

    sent = member.send(world.services[service], *numbers)

    stats = member.ended(sent)["stats"]
    back = Decimal(unit) * len(refunded)
    assert (stats["nOfCompleted"], stats["nOfFailed"], stats["nOfRefunded"]) == (2, 2, len(refunded))
    assert Decimal(stats["totalCost"]) == Decimal(unit) * 4
    assert Decimal(stats["totalRefunded"]) == back
    assert member.credit() == credit - Decimal(unit) * 4 + back
    messages = member.messages(sent)["items"]
    assert [item["status"] for item in messages] == ["sent", "not_sent", "no_signal", "sent"]
    assert [item["refunded"] for item in messages] == [to[-4:] in refunded for to in numbers]


def test_a_refund_goes_back_to_the_credit_that_paid(world: World) -> None:
    own, third = world.caller("mark"), world.caller("mark", "Third")
    before = own.credit(), third.credit()

    own.ended(own.send(world.services["BobSMS"], "905553340901"))
    after_own = own.credit(), third.credit()
    third.ended(third.send(world.services["BobSMS"], "905553350901"))

    assert after_own == before
    assert (own.credit(), third.credit()) == before


def test_what_failed_by_segments_is_refunded_by_segments(world: World, member: Caller) -> None:
    messages = [{"to": "905553360901", "message": "Ж" * 71}, {"to": "905553360000", "message": "Ж"}]
    body = {"messages": messages, "serviceId": world.services["SegmentSMS"]}

    sent = data_of(member.client.post("/sms-sendings/advanced", json=body), 201)

    stats = member.ended(sent)["stats"]
    assert (stats["totalCost"], stats["totalRefunded"]) == ("1.5", "1")


# --- who pays


def test_each_context_pays_from_its_own_credit(world: World) -> None:
    own, third, other = world.caller("mark"), world.caller("mark", "Third"), world.caller("lale", "Third")
    before = own.credit(), third.credit(), other.credit()

    own.send(world.services["BobSMS"], number())
    third.send(world.services["HalfSMS"], number())

    spent = [was - caller.credit() for was, caller in zip(before, (own, third, other), strict=True)]
    assert spent == [Decimal("1"), Decimal("2.5"), Decimal("0")]


def test_the_pool_of_an_organization_pays_for_nobody(world: World) -> None:
    world.ulak.credit(50, org=world.orgs["Elsewhere"])
    body = body_of("", world.services["BobSMS"], SECRET)

    world.caller("mark", "Elsewhere").refused("POST", "/sms-sendings", 402, "insufficient_credit", json=body)

    assert world.ulak.balance(org=world.orgs["Elsewhere"]) == "50.000000"


# --- not more than there is


def test_a_bulk_is_paid_whole_or_not_at_all(world: World, purse: Purse) -> None:
    caller = purse("2.5")
    three = bulk_of(world.services["BobSMS"], [number(), number(), number(), "invalid"], SECRET)

    caller.refused("POST", "/sms-sendings/simple", 402, "insufficient_credit", json=three)
    caller.send(world.services["BobSMS"], number(), number(), "invalid", "no number")

    assert caller.credit() == Decimal("0.5")


def test_the_last_of_the_credit_can_be_spent_to_the_micro_unit(world: World, purse: Purse) -> None:
    three = bulk_of(world.services["ThirdSMS"], [number(), number(), number()], SECRET)

    purse("0.999998").refused("POST", "/sms-sendings/simple", 402, "insufficient_credit", json=three)
    caller = purse("0.999999")
    caller.send(world.services["ThirdSMS"], number(), number(), number())

    organizations = data_of(caller.client.get("/users/me/organizations"))
    assert organizations[0]["memberCredit"] == "0.000000"


def test_advanced_is_paid_whole_or_not_at_all(world: World, purse: Purse) -> None:
    messages = [{"to": number(), "message": SECRET + "Ж" * 70}, {"to": number(), "message": SECRET}]
    body = {"messages": messages, "serviceId": world.services["SegmentSMS"]}

    purse("1.499999").refused("POST", "/sms-sendings/advanced", 402, "insufficient_credit", json=body)
    caller = purse("1.5")

    data_of(caller.client.post("/sms-sendings/advanced", json=body | {"messages": messages[1:] * 1}), 201)
    assert caller.credit() == 1


@pytest.mark.parametrize("size", [1, 3])
def test_requests_at_once_cannot_overspend(world: World, purse: Purse, size: int) -> None:
    caller, url = purse("7"), "/sms-sendings/simple"
    total = caller.sendings(limit=1)["total"]
    bodies = [bulk_of(world.services["BobSMS"], [number() for _ in range(size)]) for _ in range(16)]

    with ThreadPoolExecutor(16) as hands:
        answers = list(hands.map(lambda body: caller.client.post(url, json=body).status_code, bodies))

    accepted = 7 // size
    assert sorted(answers) == [201] * accepted + [402] * (16 - accepted)
    assert caller.sendings(limit=1)["total"] == total + accepted
    assert caller.credit() == 7 - accepted * size


def test_credit_added_can_be_spent_at_once(world: World, purse: Purse) -> None:
    body = body_of("", world.services["BobSMS"])
    refused = purse("0").client.post("/sms-sendings", json=body)

    accepted = purse("1").client.post("/sms-sendings", json=body)

    assert (refused.status_code, accepted.status_code) == (402, 201)


def test_refunded_credit_can_be_spent_again(world: World, purse: Purse) -> None:
    caller = purse("1")

    for _ in range(3):
        caller.ended(caller.send(world.services["BobSMS"], "905553370901"))

    assert caller.credit() == 1


# --- the stats of everything so far


def test_stats_add_up_with_the_messages_of_every_sending(world: World) -> None:
    contexts = [("mark", None), ("mark", "Third"), ("ayse", "Main Organization"), ("poor", "Small")]
    counted = {"nOfPending": ["pending"], "nOfWaiting": ["waiting"], "nOfCompleted": ["sent"]}
    counted["nOfFailed"] = ["not_sent", "no_signal"]
    for context in contexts:
        caller = world.caller(*context)
        for item in caller.sendings(limit=1000, completed="true")["items"][:25]:
            assert_stats(item)
            stats = item["stats"]
            messages = caller.messages(item["id"], limit=1000)
            statuses = [message["status"] for message in messages["items"]]
            assert messages["total"] == stats["validSize"]
            for name, among in counted.items():
                assert stats[name] == sum(status in among for status in statuses)
            assert stats["nOfRefunded"] == sum(message["refunded"] for message in messages["items"])
