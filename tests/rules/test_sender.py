"""Sender headers, and the source address a carrier sees."""

import pytest

from ulak.rules.refusal import Code, Refused
from ulak.rules.sender import address, parse_header


@pytest.mark.parametrize(
    "header",
    ["ULAK", "BobSMS 2-go", "B.B", "abc", "12a", "A-1", "ELEVENCHARS", "123", "34567", "905550000000",
     "123456789012345"],
)  # fmt: skip
def test_a_name_or_a_number_can_be_a_header(header: str) -> None:
    assert parse_header(header) == header


def test_spaces_around_a_header_are_not_part_of_it() -> None:
    assert parse_header("  BobSMS ") == "BobSMS"


@pytest.mark.parametrize(
    "raw",
    ["", "ab", "  a  ", "   ", "...", "1-2-3", "TWELVE CHARS", "ŞİRKET", "Bob_SMS", "Bob\n", "Bob\0", "+905550000000",
     "1234567890123456", "12", "١٢٣٤"],
)  # fmt: skip
def test_anything_else_is_refused_with_a_sentence(raw: str) -> None:
    with pytest.raises(Refused, match="A sender header is 3 to 11 letters") as refusal:
        parse_header(raw)

    assert refusal.value.code is Code.INVALID_VALUE


@pytest.mark.parametrize(
    ("header", "source"),
    [
        (None, (0, 0, "")),
        ("ULAK", (5, 0, "ULAK")),
        ("4 you", (5, 0, "4 you")),
        ("333", (3, 0, "333")),
        ("12345678", (3, 0, "12345678")),
        ("905550000000", (1, 1, "905550000000")),
        ("491701234567", (1, 1, "491701234567")),
        ("08501234567", (0, 1, "08501234567")),
    ],
)
def test_the_source_address_of_a_header(header: str | None, source: tuple[int, int, str]) -> None:
    assert address(header) == source
