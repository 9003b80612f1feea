"""Carriers, services, senders and prices, as an operator types them."""

import pytest

from tests.edge.cli.conftest import CommandLine

pytestmark = pytest.mark.slow


def test_a_carrier_is_made_changed_and_listed_without_its_password(cli: CommandLine) -> None:
    words = ("carrier", "create", "main", "--host=10.0.0.1", "--port=2775", "--system-id=ulak")
    made = cli(*words, "--password=hunter2")

    assert (made["window"], made["throughput"]) == (100, 0)
    changed = cli("carrier", "set", "main", "--window=10", "--throughput=200", "--state=paused")
    assert (changed["window"], changed["throughput"], changed["state"]) == (10, 200, "paused")
    [listed] = cli("carrier", "list")
    assert (listed.pop("link")["state"], listed) == ("paused", changed)
    assert "hunter2" not in cli.text("carrier", "list") + str(made) + str(changed)
    assert "main" in cli.fails(*words, "--password=x")


NO_CARRIERS = ["--port=0", "--port=65536", "--window=0", "--window=-1", "--throughput=-1", "--host="]


def test_a_carrier_that_cannot_be(cli: CommandLine) -> None:
    cli("carrier", "create", "main", "--host=127.0.0.1", "--port=1", "--system-id=s", "--password=p")

    for option in NO_CARRIERS:
        cli.fails("carrier", "set", "main", option)


def test_a_carrier_out_in_the_world_without_tls_is_warned_of(cli: CommandLine) -> None:
    words = ("--port=2775", "--system-id=ulak", "--password=p")
    assert "in the clear" not in cli.text("carrier", "create", "near", "--host=10.0.0.1", *words)
    assert "in the clear" in cli.text("carrier", "create", "far", "--host=smpp.example.com", *words)
    assert "smpp.example.com:2775 (in the clear)" in cli.text("carrier", "list")
    assert cli("carrier", "set", "far", "--window=9")["inTheClear"] is True
    assert "in the clear" not in cli.text("carrier", "set", "far", "--tls")
    assert [one["inTheClear"] for one in cli("carrier", "list")] == [False, False]


def test_how_a_carrier_writes_its_receipts(shop: CommandLine) -> None:
    options = ("--message-ids=hex_to_dec", "--ignore-zeros", "--ignore-case", "--network-from=tlv:0x1403")
    changed = shop("carrier", "set", "main", *options)

    assert (changed["messageIds"], changed["ignoreZeros"], changed["ignoreCase"]) == (
        "hex_to_dec",
        True,
        True,
    )
    assert changed["networkFrom"] == "tlv:0x1403"
    assert shop("carrier", "set", "main", "--mind-case")["ignoreCase"] is False
    assert "tlv:0xTAG" in shop.fails("carrier", "set", "main", "--network-from=stars")


def test_a_system_id_and_password_that_smpp_cannot_carry(cli: CommandLine) -> None:
    words = ("carrier", "create", "main", "--host=127.0.0.1", "--port=1")

    cli.fails(*words, "--system-id=sixteen-octets--", "--password=p")
    cli.fails(*words, "--system-id=s", "--password=nineoctets")
    assert cli("carrier", "list") == []


def test_a_service_is_made_with_its_defaults_changed_and_listed(shop: CommandLine) -> None:
    [made] = shop("service", "list")

    assert (made["type"], made["currency"], made["price"]) == ("sms", "USD", "1.000000")
    assert (made["billing"], made["refund"], made["unsure"]) == (
        "message",
        ["no_signal", "not_sent"],
        "resend",
    )
    assert (made["sender"], made["validityMinutes"], made["state"]) == (None, 1440, "active")
    options = ("--price=0.25", "--billing=segment", "--refund=none", "--unsure=refund", "--sender=ACME")
    changed = shop("service", "set", "BobSMS", *options, "--validity-minutes=60", "--foreign")
    assert (changed["price"], changed["billing"], changed["refund"]) == ("0.250000", "segment", [])
    assert (changed["unsure"], changed["sender"], changed["foreign"]) == ("refund", "ACME", True)
    assert shop("service", "set", "BobSMS", "--sender=")["sender"] is None
    assert shop("service", "set-state", "BobSMS", "inactive")["state"] == "inactive"
    assert len(shop("service", "list")) == 1


NO_SERVICES = [
    "--price=-1",
    "--price=1.0000001",
    "--price=much",
    "--carrier=nobody",
    "--refund=sent",
    "--refund=not_sent,maybe",
    "--sender=a header too long",
    "--sender=Şirket",
    "--sender=ab",
    "--validity-minutes=0",
]


def test_a_service_that_cannot_be(shop: CommandLine) -> None:
    for option in NO_SERVICES:
        shop.fails("service", "set", "BobSMS", option)
        words = {"--price": "--price=1", "--currency": "--currency=USD", "--carrier": "--carrier=main"}
        words[option.partition("=")[0]] = option

        shop.fails("service", "create", "Other", *words.values())

        assert [service["name"] for service in shop("service", "list")] == ["BobSMS"]


def test_a_service_in_another_currency_or_twice(shop: CommandLine) -> None:
    words = ("--price=1", "--carrier=main")

    assert "USD" in shop.fails("service", "create", "Other", *words, "--currency=EUR")
    assert "BobSMS" in shop.fails("service", "create", "BobSMS", *words, "--currency=USD")


@pytest.mark.parametrize("whose", [["--user=mark"], ["--org=Main Organization"]])
def test_a_customers_own_header(shop: CommandLine, whose: list[str]) -> None:
    assert shop("sender", "set", "ACME", "--service=BobSMS", *whose)["header"] == "ACME"
    assert shop("sender", "set", "ACME 2", "--service=BobSMS", *whose)["header"] == "ACME 2"
    shop.fails("sender", "set", "Şirket", "--service=BobSMS", *whose)


# --- prices


def price(shop: CommandLine, *whose: str) -> str:
    return str(shop("price", "explain", "--service=BobSMS", *whose)["price"])


def test_the_base_price_by_itself(shop: CommandLine) -> None:
    explained = shop("price", "explain", "--service=BobSMS")

    assert (explained["price"], explained["currency"], explained["volume"]) == ("1.000000", "USD", 0)
    assert [step["after"] for step in explained["steps"]] == ["1", "1"]
    assert "1.000000" in shop.text("price", "explain", "--service=BobSMS")


def test_rules_count_for_those_they_are_for_in_their_order(shop: CommandLine) -> None:
    # typed in the wrong order on purpose: everyone's, the organization's, the user's is what counts
    shop("price", "add", "--service=BobSMS", "--user=mark", "--kind=amount", "--value=0.3")
    shop("price", "add", "--service=BobSMS", "--org=Main Organization", "--kind=fixed", "--value=0.5")
    shop("price", "add", "--service=BobSMS", "--kind=percent", "--value=-10")

    assert price(shop) == "0.900000"
    assert price(shop, "--user=mark") == "1.200000"
    assert price(shop, "--org=Main Organization") == "0.500000"
    assert price(shop, "--org=Main Organization", "--user=mark") == "0.800000"
    steps = shop("price", "explain", "--service=BobSMS", "--org=Main Organization", "--user=mark")["steps"]
    assert [step["after"] for step in steps] == ["1", "0.9", "0.5", "0.8", "0.8"]
    assert all(
        step["text"] in shop.text("price", "explain", "--service=BobSMS", "--user=mark") for step in steps[:2]
    )


def test_rounding_is_half_even_and_the_floor_is_zero(shop: CommandLine) -> None:
    shop("service", "set", "BobSMS", "--price=0.000005")
    half = shop("price", "add", "--service=BobSMS", "--kind=percent", "--value=-50")
    assert price(shop) == "0.000002"
    shop("price", "remove", half["id"])
    shop("price", "add", "--service=BobSMS", "--kind=amount", "--value=-1")

    assert price(shop) == "0.000000"


def test_rules_by_time_and_volume_are_explained_when_they_do_not_count(shop: CommandLine) -> None:
    for option in ("--starts=2199-01-01", "--ends=2020-01-01T00:00:00Z", "--from-volume=1000"):
        shop("price", "add", "--service=BobSMS", "--kind=fixed", "--value=9", option)

    steps = shop("price", "explain", "--service=BobSMS", "--user=mark")["steps"]

    assert price(shop, "--user=mark") == "1.000000"
    assert [step["applied"] for step in steps[1:-1]] == [False, False, False]
    for step, why in zip(steps[1:-1], ["starts", "ended", "1000"], strict=True):
        assert why in step["text"]


def test_rules_are_listed_and_removed(shop: CommandLine) -> None:
    added = shop("price", "add", "--service=BobSMS", "--user=mark", "--kind=percent", "--value=-12.5")

    [listed] = shop("price", "list")

    assert listed["id"] == added["id"]
    assert (listed["service"], listed["user"], listed["kind"], listed["value"]) == (
        "BobSMS",
        "mark",
        "percent",
        "-12.5",
    )
    shop("price", "remove", added["id"])
    assert shop("price", "list") == []
    assert added["id"] in shop.fails("price", "remove", added["id"])


NO_RULES = [
    ["--kind=fixed", "--value=-1"],
    ["--kind=fixed", "--value=1.0000001"],
    ["--kind=percent", "--value=ten"],
    ["--kind=fixed", "--value=1", "--from-volume=-1"],
    ["--kind=fixed", "--value=1", "--starts=yesterday"],
    ["--kind=fixed", "--value=1", "--starts=2026-02-30"],
    ["--kind=fixed", "--value=1", "--starts=2026-02-02", "--ends=2026-02-01"],
    ["--kind=fixed", "--value=1", "--user=mark", "--org=Main Organization"],
    ["--kind=fixed", "--value=1", "--user=nobody"],
    ["--kind=fixed", "--value=" + "9" * 40],
]


def test_a_rule_that_cannot_be(shop: CommandLine) -> None:
    for options in NO_RULES:
        shop.fails("price", "add", "--service=BobSMS", *options)

        assert shop("price", "list") == []


@pytest.mark.parametrize("value", ["-100", "-50.5", "100", "0"])
def test_percentages(shop: CommandLine, value: str) -> None:
    shop("price", "add", "--service=BobSMS", "--kind=percent", f"--value={value}")

    assert float(price(shop)) == 1 + float(value) / 100
