"""Segments: what a handset makes of the parts is the text again, and no part is larger or emptier than it must be."""

from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ulak.rules.gsm import DEFAULT, TURKISH_LOCKING, TURKISH_SINGLE, Alphabet
from ulak.rules.segments import Encoded, Part, count, split

BOTH = Alphabet(
    "both", TURKISH_LOCKING.locking, TURKISH_SINGLE.single, TURKISH_LOCKING.elements + TURKISH_SINGLE.elements
)
PLAIN = st.text(st.sampled_from("abc ABC019@\n\rÇÖÜöüΔ_é¿à"), max_size=700)
ESCAPED = st.text(st.sampled_from("ab€[]{}\\~^|\f"), max_size=500)
TURKISH = st.text(st.sampled_from("abcçğĞıİşŞ€[ö"), max_size=500)
WIDE = st.text(st.sampled_from("aş😀🇹🇷\U0010ffff\u0301"), max_size=400)
ANY = st.text(st.characters(exclude_categories=["Cs"]), max_size=300)
TEXTS = PLAIN | ESCAPED | TURKISH | WIDE | ANY
ALPHABETS = st.sampled_from(
    [(DEFAULT,), (DEFAULT, TURKISH_SINGLE), (DEFAULT, TURKISH_LOCKING), (DEFAULT, BOTH)]
)
REFERENCES = st.integers(0, 255)

SINGLE_TABLES = {b"": DEFAULT.single, b"\x01": TURKISH_SINGLE.single}
LOCKING_TABLES = {b"": DEFAULT.locking, b"\x01": TURKISH_LOCKING.locking}


@dataclass
class Heard:
    """What a handset reads out of one part."""

    text: str
    numbering: tuple[int, int, int] | None
    units: int
    room: int


def heard(part: Part, data_coding: int) -> Heard:
    """Read one part as TS 23.040 and 23.038 tell a handset to."""
    elements: dict[int, bytes] = {}
    rest = part.udh[1:]
    assert not part.udh or part.udh[0] == len(rest) > 0
    while rest:
        name, length = rest[0], rest[1]
        assert name not in elements
        elements[name], rest = rest[2 : 2 + length], rest[2 + length :]
        assert len(elements[name]) == length
    concatenation = elements.pop(0x00, None)
    locking, single = elements.pop(0x25, b""), elements.pop(0x24, b"")
    assert not elements
    numbering = None if concatenation is None else (concatenation[0], concatenation[1], concatenation[2])
    if data_coding == 8:
        room = (140 - len(part.udh)) // 2
        return Heard(part.payload.decode("utf-16-be"), numbering, len(part.payload) // 2, room)
    assert data_coding == 0
    room = (140 - len(part.udh)) * 8 // 7
    return Heard(septets_read(part.payload, locking, single), numbering, len(part.payload), room)


def septets_read(payload: bytes, locking: bytes, single: bytes) -> str:
    text, septets = "", iter(payload)
    for septet in septets:
        text += SINGLE_TABLES[single][next(septets)] if septet == 0x1B else LOCKING_TABLES[locking][septet]
    return text


def read(encoded: Encoded) -> list[Heard]:
    return [heard(part, encoded.data_coding) for part in encoded.parts]


def lengths(encoded: Encoded) -> list[int]:
    return [one.units for one in read(encoded)]


@given(TEXTS, ALPHABETS, REFERENCES)
def test_the_parts_joined_are_the_text(text: str, alphabets: tuple[Alphabet, ...], reference: int) -> None:
    encoded = split(text, reference=reference, alphabets=alphabets)

    assert "".join(one.text for one in read(encoded)) == text


@given(TEXTS, ALPHABETS, REFERENCES)
def test_parts_are_numbered_where_there_is_more_than_one(
    text: str, alphabets: tuple[Alphabet, ...], reference: int
) -> None:
    parts = read(split(text, reference=reference, alphabets=alphabets))

    if len(parts) == 1:
        assert parts[0].numbering is None
    else:
        numbers = [(reference, len(parts), number) for number in range(1, len(parts) + 1)]
        assert [part.numbering for part in parts] == numbers


@given(TEXTS, ALPHABETS)
def test_every_part_is_full_but_for_a_pair_and_the_last(text: str, alphabets: tuple[Alphabet, ...]) -> None:
    encoded = split(text, alphabets=alphabets)

    parts = read(encoded)
    assert all(part.units <= part.room for part in parts)
    assert all(part.units >= part.room - 1 for part in parts[:-1])
    assert encoded.units == sum(part.units for part in parts)
    assert encoded.units_left == parts[-1].room - parts[-1].units


@given(TEXTS)
def test_septets_are_used_exactly_where_the_alphabet_has_every_character(text: str) -> None:
    encoded = split(text)

    expected = ("ucs2", 8) if DEFAULT.octets(text) is None else ("gsm7", 0)
    assert (encoded.encoding, encoded.data_coding) == expected


@given(TEXTS, ALPHABETS)
def test_counting_is_splitting(text: str, alphabets: tuple[Alphabet, ...]) -> None:
    assert count(text, alphabets=alphabets) == len(split(text, alphabets=alphabets).parts)


@pytest.mark.parametrize(
    ("text", "units"),
    [
        ("", [0]),
        ("a" * 160, [160]),
        ("a" * 161, [153, 8]),
        ("a" * 306, [153, 153]),
        ("a" * 307, [153, 153, 1]),
        ("€" * 80, [160]),
        ("€" * 81, [152, 10]),  # an escape does not leave its code
        ("a" * 152 + "€" + "a" * 10, [152, 12]),
        ("a" * 151 + "€" + "a" * 10, [153, 10]),
        ("ş" * 70, [70]),
        ("ş" * 71, [67, 4]),
        ("ş" * 134, [67, 67]),
        ("ş" * 135, [67, 67, 1]),
        ("ç" + "a" * 69, [70]),
        ("😀" * 35, [70]),
        ("😀" * 36, [66, 6]),  # nor one half of a pair the other
        ("ş" * 66 + "😀" + "ş" * 10, [66, 12]),
        ("ş" * 65 + "😀" + "ş" * 10, [67, 10]),
        ("😀" * 160, [66, 66, 66, 66, 56]),
        ("a" * 69 + "\u00a0", [70]),
        ("a" * 70 + "\u2026", [67, 4]),
    ],
    ids=repr,
)
def test_how_long_the_parts_are(text: str, units: list[int]) -> None:
    assert lengths(split(text)) == units


@pytest.mark.parametrize(
    ("alphabet", "alone", "in_parts"),
    [(TURKISH_SINGLE, 155, 149), (TURKISH_LOCKING, 155, 149), (BOTH, 152, 146)],
)
def test_national_tables_leave_less_room(alphabet: Alphabet, alone: int, in_parts: int) -> None:
    assert lengths(split("a" * alone, alphabets=(alphabet,))) == [alone]
    assert lengths(split("a" * (alone + 1), alphabets=(alphabet,))) == [in_parts, alone + 1 - in_parts]


def test_of_several_alphabets_the_one_with_the_fewest_parts_is_taken_and_the_first_of_equals() -> None:
    turkish = (DEFAULT, TURKISH_SINGLE, TURKISH_LOCKING)

    assert split("Merhaba", alphabets=turkish).parts[0].udh == b""
    assert split("Çağrı", alphabets=turkish).parts[0].udh == bytes.fromhex("03 24 01 01")
    assert split("ş" * 155, alphabets=turkish).parts[0].udh == bytes.fromhex("03 25 01 01")
    assert split("ş😀", alphabets=turkish).encoding == "ucs2"


def test_a_short_text_has_no_header() -> None:
    assert split("Hi @ 5€", reference=7) == Encoded("gsm7", 0, (Part(b"", b"Hi \x00 5\x1b\x65"),), 8, 152)


def test_ucs2_has_the_higher_octet_first_and_no_mark_of_it() -> None:
    assert split("ş!").parts == (Part(b"", b"\x01\x5f\x00\x21"),)


def test_the_header_of_a_part() -> None:
    first, second = split("a" * 161, reference=0xA7).parts

    assert first == Part(bytes.fromhex("05 00 03 a7 02 01"), b"a" * 153)
    assert second == Part(bytes.fromhex("05 00 03 a7 02 02"), b"a" * 8)


def test_the_header_of_a_part_in_a_national_alphabet() -> None:
    first, _ = split("ş" * 160, reference=0xA7, alphabets=(TURKISH_LOCKING,)).parts

    assert first.udh == bytes.fromhex("08 00 03 a7 02 01 25 01 01")


def test_the_same_text_with_other_references_differs_only_in_them() -> None:
    text = "b" * 200

    assert [split(text, reference=r).parts[0].udh[3] for r in (1, 2, 0, 255)] == [1, 2, 0, 255]


@pytest.mark.parametrize(("text", "octets"), [("a" * 161, 159), ("ş" * 71, 140)])
def test_a_part_fits_into_short_message(text: str, octets: int) -> None:
    assert max(len(part.udh + part.payload) for part in split(text).parts) == octets <= 254


def test_255_parts_are_the_most() -> None:
    assert len(split("a" * 153 * 255).parts) == 255
    for refuse in (split, count):
        with pytest.raises(ValueError, match="needs 256 parts, and a concatenation has 255 at most"):
            refuse("a" * (153 * 255 + 1))


@pytest.mark.parametrize("reference", [-1, 256])
def test_a_reference_is_one_octet(reference: int) -> None:
    with pytest.raises(ValueError, match="reference is 0 to 255"):
        split("a", reference=reference)


def test_half_of_a_pair_cannot_travel() -> None:
    with pytest.raises(UnicodeEncodeError):
        split("a\ud83d")
