"""The text of a message: NFC, 1 to 160 characters after that, not only spaces, no NUL, no half characters."""

import json
import unicodedata

import pytest

from tests.contract import KINDS, SECRET, Caller, World, body_of, data_of

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("contract")]

GROWS = "\u0958"  # two characters in NFC, though one before


def faulty_field(kind: str) -> str:
    return "messages[0].message" if kind == "/advanced" else "message"


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    "text",
    [
        "x",
        "x" * 160,
        "ş" * 160,
        "😀" * 160,
        "s\u0327" * 160,
        GROWS * 80,
        "  spaces around  ",
        " " * 159 + "x",
        "line\nbreak\tand tab",
        'quotes " and \\ and / and <b>&amp;',
        "\x01\x7f\u200b\ufeff\uffff",
        "مرحبا שלום 你好",
        "{}{{%s%d$1",
    ],
    ids=lambda text: ascii(text)[:30],
)
def test_a_text_is_answered_as_sent_in_nfc(world: World, second: Caller, kind: str, text: str) -> None:
    body = body_of(kind, world.services["PendingSMS"], text)

    made = data_of(second.client.post(f"/sms-sendings{kind}", json=body), 201)

    expected = unicodedata.normalize("NFC", text)
    assert second.messages(made)["items"][0]["message"] == expected
    assert second.sending(made)["sampleMessageText"] == expected


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    "text",
    [
        "",
        " ",
        " " * 160,
        "x" * 161,
        "ş" * 161,
        "😀" * 161,
        GROWS * 81,
        "s\u0327" * 161,
        " " * 161,
        "x" * 9999,
    ],
    ids=lambda text: f"{len(text)} of {text[:1]!a}",
)
def test_a_text_of_no_or_too_many_characters(world: World, second: Caller, kind: str, text: str) -> None:
    body = body_of(kind, world.services["BobSMS"], text)

    second.refused(
        "POST", f"/sms-sendings{kind}", 400, "validation_failed", [faulty_field(kind).lower()], json=body
    )


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    "escape",
    [r"\u0000", r"\ud800", r"\udfff", r"\udc00\ud800", r"\ud83d x", r"\uD800A"],
)
@pytest.mark.parametrize("place", ["first", "last"])
def test_a_nul_or_a_lone_surrogate_as_a_json_escape(
    world: World, second: Caller, kind: str, escape: str, place: str
) -> None:
    body = json.dumps(body_of(kind, world.services["BobSMS"], SECRET))
    text = f"{SECRET}{escape}" if place == "last" else f"{escape}{SECRET}"

    second.refused(
        *("POST", f"/sms-sendings{kind}", 400, "validation_failed", [faulty_field(kind)]),
        content=body.replace(SECRET, text),
        headers={"content-type": "application/json"},
    )


@pytest.mark.parametrize("kind", KINDS)
def test_a_pair_of_surrogates_as_json_escapes_is_a_character(world: World, second: Caller, kind: str) -> None:
    body = json.dumps(body_of(kind, world.services["BobSMS"], "TEXT"))

    answer = second.client.post(
        f"/sms-sendings{kind}",
        content=body.replace("TEXT", r"\ud83d\ude00 \u015f"),
        headers={"content-type": "application/json"},
    )

    assert second.sending(data_of(answer, 201))["sampleMessageText"] == "😀 ş"


def test_a_nul_in_the_text_itself(world: World, second: Caller) -> None:
    body = body_of("", world.services["BobSMS"], SECRET + "\x00")

    second.refused("POST", "/sms-sendings", 400, "validation_failed", ["message"], json=body)
