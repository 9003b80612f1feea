"""Numbers: every accepted form becomes `905xxxxxxxxx`; what is no number, or a repeat, is counted and never stored."""

import pytest

from tests.contract import SECRET, Caller, World, body_of, bulk_of, data_of

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("contract")]

TO = "905551234567"

FORMS = [
    "905551234567",
    "+905551234567",
    "00905551234567",
    "05551234567",
    "5551234567",
    "+90 555 123 45 67",
    "0090 555 123 4567",
    "0 555 123 45 67",
    "(0555) 123 45 67",
    "+90 (555) 123-45-67",
    "0555-123-45-67",
    "0555.123.45.67",
    "555.123.4567",
    "90-555-1234567",
    " 905551234567 ",
    "(5)5(5)1-2.3 4567",
]

NO_NUMBERS = [
    "",
    " ",
    "()-.",
    "abc",
    "90555123456",  # a digit less
    "9055512345678",  # a digit more
    "904551234567",  # not 5 after 90
    "902121234567",
    "2121234567",
    "555123456",
    "05551234",
    "0905551234567",
    "+5551234567",
    "+05551234567",
    "+0905551234567",
    "000905551234567",
    "++905551234567",
    "90+5551234567",
    "905551234567+",
    "905551234567x",
    "905551234567,905551234568",
    "9055512/34567",
    "tel:+905551234567",
    "９０５５５１２３４５６７",  # full-width digits
    "٩٠٥٥٥١٢٣٤٥٦٧",  # Arabic digits
    "90555123456²",
    "-905551234567e0",
    "9.05551234567e11",
    "5" * 10_000,
    "+14155552671",
    "4915112345678",
    "1234",
]


@pytest.mark.parametrize("form", FORMS)
def test_every_accepted_form_is_answered_in_one(world: World, second: Caller, form: str) -> None:
    for kind in ("", "/simple", "/advanced"):
        body = body_of(kind, world.services["BobSMS"], to=form)

        made = data_of(second.client.post(f"/sms-sendings{kind}", json=body), 201)

        assert [item["to"] for item in second.messages(made)["items"]] == [TO]
        stats = second.sending(made)["stats"]
        assert (stats["validSize"], stats["invalidSize"]) == (1, 0)


@pytest.mark.parametrize("form", NO_NUMBERS, ids=lambda form: form[:30])
def test_what_is_no_number(world: World, second: Caller, form: str) -> None:
    for kind in ("", "/simple", "/advanced"):
        body = body_of(kind, world.services["BobSMS"], SECRET, to=form)

        second.refused("POST", f"/sms-sendings{kind}", 400, "no_valid_recipient", json=body)


@pytest.mark.parametrize("escape", [r"\u0000", r"\ud800", r"\udc00\ud800"])
def test_a_nul_or_half_a_character_in_a_number_is_refused(world: World, second: Caller, escape: str) -> None:
    content = f'{{"to": "905551234567{escape}", "message": "{SECRET}", "serviceId": "%s"}}'
    before = second.sendings()["total"]

    answer = second.client.post(
        "/sms-sendings",
        content=content % world.services["BobSMS"],
        headers={"content-type": "application/json"},
    )

    assert answer.status_code == 400, answer.text
    assert answer.json()["error"]["code"] in {"validation_failed", "no_valid_recipient"}
    assert second.sendings()["total"] == before


def test_every_prefix_after_905_is_taken(world: World, second: Caller) -> None:
    numbers = [f"905{prefix:02}1234567" for prefix in range(100)]

    sending = second.send(world.services["BobSMS"], *numbers)

    assert [item["to"] for item in second.messages(sending, limit=100)["items"]] == numbers


def test_invalid_numbers_and_repeats_are_counted_and_never_stored(world: World, second: Caller) -> None:
    to = ["905551234567", *NO_NUMBERS, *FORMS, "905551234568", "0555 123 45 68", "905551234566"]
    before = second.credit()

    sending = second.send(world.services["BobSMS"], *to)

    stats = second.sending(sending)["stats"]
    assert (stats["validSize"], stats["invalidSize"]) == (3, len(to) - 3)
    assert stats["totalCost"] == "3"
    assert before - second.credit() == 3
    page = second.messages(sending, limit=1000)
    assert [item["to"] for item in page["items"]] == ["905551234567", "905551234568", "905551234566"]
    assert page["total"] == 3


def test_only_invalid_numbers_are_refused(world: World, second: Caller) -> None:
    body = bulk_of(world.services["BobSMS"], NO_NUMBERS, SECRET)

    second.refused("POST", "/sms-sendings/simple", 400, "no_valid_recipient", json=body)


@pytest.mark.parametrize(
    ("raw", "to"),
    [
        ("+4915112345678", "4915112345678"),
        ("+49 151 123-45678", "4915112345678"),
        ("004915112345678", "4915112345678"),
        ("+1 (650) 253-0000", "16502530000"),
        ("+44 7911 123456", "447911123456"),
        *((form, TO) for form in FORMS),
    ],
)
def test_a_service_may_allow_other_destinations(world: World, second: Caller, raw: str, to: str) -> None:
    sending = second.send(world.services["WorldSMS"], raw)

    assert [item["to"] for item in second.messages(sending)["items"]] == [to]


@pytest.mark.parametrize(
    "raw",
    ["+49123", "+999123456789", "+1 555", "abc", "", "+904551234567890", "90555123456", "9055512345678"],
)
def test_other_destinations_are_checked(world: World, second: Caller, raw: str) -> None:
    body = body_of("", world.services["WorldSMS"], SECRET, to=raw)

    second.refused("POST", "/sms-sendings", 400, "no_valid_recipient", json=body)


def test_a_bulk_abroad_counts_what_cannot_be_reached(world: World, second: Caller) -> None:
    to = ["+4915112345678", "004915112345678", "+49123", "05551234567", "905551234567"]

    sending = second.send(world.services["WorldSMS"], *to)

    stats = second.sending(sending)["stats"]
    assert (stats["validSize"], stats["invalidSize"]) == (2, 3)
