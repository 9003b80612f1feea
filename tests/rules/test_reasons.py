"""Reasons that were kept as text: what is read again says the same, and knows what it was made of."""

from pathlib import Path
from typing import Final

import pytest

from ulak.rules import reasons
from ulak.rules.refusal import Sentence

SOURCE: Final = Path(reasons.__file__).parents[2]
WRITERS: Final = [
    *(SOURCE / "ulak/flow").glob("*.py"),
    *(SOURCE / "ulak/edge/carrier").glob("*.py"),
    *(SOURCE / "smpp").glob("*.py"),
]
#: What operating systems say.
FOREIGN: Final = ("Connection refused", "Connect call failed {address}")


@pytest.mark.parametrize(
    ("text", "template", "values"),
    [
        ("it is paused", "it is paused", {}),
        (
            "it has been down since 2026-01-02 03:04:05Z",
            "it has been down since {time}",
            {"time": "2026-01-02 03:04:05Z"},
        ),
        ("no answer came: closed", "no answer came: {why}", {"why": "closed"}),
        (
            "the carrier answered 0x0E invalid {password}",
            "the carrier answered {status}",
            {"status": "0x0E invalid {password}"},
        ),
    ],
)
def test_a_known_reason_is_a_sentence_again(text: str, template: str, values: dict[str, str]) -> None:
    found = reasons.read(text)

    assert isinstance(found, Sentence)
    assert (found, found.template, found.values) == (text, template, values)


def test_a_reason_within_a_reason_is_read_too() -> None:
    found = reasons.read("no answer came: the other side closed the connection")

    assert isinstance(found, Sentence)
    assert isinstance(found.values["why"], Sentence)


@pytest.mark.parametrize("text", ["", "0x58 {n}", "Name or service not known", "it is paused!", "{}"])
def test_what_others_say_stays_what_it_is(text: str) -> None:
    found = reasons.read(text)

    assert found == text
    assert not isinstance(found, Sentence)


@pytest.mark.parametrize("template", [template for template, _ in reasons.KNOWN if template not in FOREIGN])
def test_each_is_written_somewhere(template: str) -> None:
    beginning = template.partition("{")[0]
    assert any(beginning in path.read_text("utf-8") for path in WRITERS)
