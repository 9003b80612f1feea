"""Segments: what a handset makes of the parts is the text again, and no part is larger or emptier than it must be."""

from dataclasses import dataclass, replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ulak.rules.gsm import DEFAULT, TURKISH_LOCKING, TURKISH_SINGLE, transliterated
from ulak.rules.segments import PLAIN, Encoded, Part, Sar, Style, count, packed, split

LOCKING, SINGLE, BARE = Style("locking"), Style("single"), Style("transliterate")

ORDINARY = st.text(st.sampled_from("abc ABC019@\n\rÇÖÜöüΔ_é¿à"), max_size=700)
ESCAPED = st.text(st.sampled_from("ab€[]{}\\~^|\f"), max_size=500)
TURKISH = st.text(st.sampled_from("abcçğĞıİşŞ€[ö"), max_size=500)
WIDE = st.text(st.sampled_from("aş😀🇹🇷\U0010ffff\u0301"), max_size=400)
ANY = st.text(st.characters(exclude_categories=["Cs"]), max_size=300)
TEXTS = ORDINARY | ESCAPED | TURKISH | WIDE | ANY
STYLES = st.builds(
    Style,
    turkish=st.sampled_from(["ucs2", "locking", "single"]),
    reserve=st.sampled_from([0, 0, 5, 30]),
    concatenation=st.sampled_from(["udh8", "udh16", "sar", "payload"]),
    packed=st.booleans(),
)
REFERENCES = st.integers(0, 0xFFFF)

SINGLE_TABLES = {b"": DEFAULT.single, b"\x01": TURKISH_SINGLE.single}
LOCKING_TABLES = {b"": DEFAULT.locking, b"\x01": TURKISH_LOCKING.locking}


@dataclass
class Heard:
    """What a handset reads out of one part; `room` is what one SMS holds beside the header of this one."""

    text: str
    numbering: tuple[int, int, int] | None
    units: int
    room: int


def heard(part: Part, data_coding: int, style: Style) -> Heard:
    """Read one part as TS 23.040 and 23.038 tell a handset to."""
    elements: dict[int, bytes] = {}
    rest = part.udh[1:]
    assert not part.udh or part.udh[0] == len(rest) > 0
    while rest:
        name, length = rest[0], rest[1]
        assert name not in elements
        elements[name], rest = rest[2 : 2 + length], rest[2 + length :]
        assert len(elements[name]) == length
    short, long = elements.pop(0x00, None), elements.pop(0x08, None)
    locking, single = elements.pop(0x25, b""), elements.pop(0x24, b"")
    assert not elements
    assert sum(numbering is not None for numbering in (short, long, part.sar)) <= 1
    numbering: tuple[int, int, int] | None = tuple(part.sar) if part.sar else None
    if short:
        numbering = short[0], short[1], short[2]
    if long:
        numbering = int.from_bytes(long[:2], "big"), long[2], long[3]
    header = len(part.udh) + (6 if part.sar else 0)  # the carrier makes one of the parameters
    if data_coding == 8:
        text = part.payload.decode("utf-16-be")
        return Heard(text, numbering, len(part.payload) // 2, (140 - header) // 2)
    assert data_coding == 0
    septets = unpacked(part.payload, len(part.udh)) if style.packed else part.payload
    return Heard(septets_read(septets, locking, single), numbering, len(septets), (140 - header) * 8 // 7)


def unpacked(payload: bytes, header: int) -> bytes:
    """Septets of a packed payload; a carriage return that only fills the last octet is none."""
    fill = -header * 8 % 7
    n = (len(payload) * 8 - fill) // 7
    number = int.from_bytes(payload, "little") >> fill
    septets = bytes(number >> 7 * i & 0x7F for i in range(n))
    return septets[:-1] if septets.endswith(b"\r") and (fill + n * 7) % 8 == 0 else septets


def septets_read(payload: bytes, locking: bytes, single: bytes) -> str:
    text, septets = "", iter(payload)
    for septet in septets:
        text += SINGLE_TABLES[single][next(septets)] if septet == 0x1B else LOCKING_TABLES[locking][septet]
    return text


def read(encoded: Encoded, style: Style = PLAIN) -> list[Heard]:
    return [heard(part, encoded.data_coding, style) for part in encoded.parts]


def lengths(encoded: Encoded, style: Style = PLAIN) -> list[int]:
    return [one.units for one in read(encoded, style)]


@given(TEXTS.filter(lambda text: "\r" not in text), STYLES, REFERENCES)
def test_the_parts_joined_are_the_text(text: str, style: Style, reference: int) -> None:
    encoded = split(text, style, reference=reference)

    assert "".join(one.text for one in read(encoded, style)) == text


@given(TEXTS, REFERENCES)
def test_transliterated_parts_are_the_transliterated_text(text: str, reference: int) -> None:
    encoded = split(text, BARE, reference=reference)

    assert "".join(one.text for one in read(encoded)) == transliterated(text)


@given(TEXTS, STYLES, REFERENCES)
def test_parts_are_numbered_where_there_is_more_than_one(text: str, style: Style, reference: int) -> None:
    encoded = split(text, style, reference=reference)
    parts = read(encoded, style)

    if len(parts) == 1:
        assert parts[0].numbering is None
    else:
        shown = reference if style.concatenation == "udh16" else reference & 0xFF
        numbers = [(shown, len(parts), number) for number in range(1, len(parts) + 1)]
        assert [part.numbering for part in parts] == numbers


@given(TEXTS, STYLES)
def test_every_part_is_full_but_for_a_pair_and_what_is_kept_free(text: str, style: Style) -> None:
    style = replace(style, packed=False)
    encoded = split(text, style)

    parts = read(encoded, style)
    assert encoded.units == sum(part.units for part in parts)
    assert encoded.units_left >= 0
    if any(part.whole for part in encoded.parts):
        assert encoded.segments > len(parts) == 1
        return
    assert encoded.segments == len(parts)
    assert all(part.units <= part.room for part in parts)
    assert all(part.units >= part.room - 1 for part in parts[:-2])
    assert all(part.units >= part.room - 1 - style.reserve for part in parts[:-1])
    assert encoded.units_left == parts[-1].room - parts[-1].units - style.reserve


@given(TEXTS)
def test_septets_are_used_exactly_where_the_alphabet_has_every_character(text: str) -> None:
    encoded = split(text)

    expected = ("ucs2", 8) if DEFAULT.octets(text) is None else ("gsm7", 0)
    assert (encoded.encoding, encoded.data_coding) == expected


@given(TEXTS, STYLES)
def test_the_way_with_the_fewest_segments_is_taken(text: str, style: Style) -> None:
    plain = replace(style, turkish="ucs2")

    assert split(text, style).segments <= split(text, plain).segments


@given(TEXTS, STYLES)
def test_how_a_carrier_numbers_the_parts_does_not_change_what_it_costs_but_for_the_longer_reference(
    text: str, style: Style
) -> None:
    by_header = split(text, replace(style, concatenation="udh8", packed=False))
    other = split(text, style)

    if style.concatenation == "udh16":
        assert other.segments >= by_header.segments
    else:
        assert (other.segments, other.units, other.units_left) == (
            by_header.segments,
            by_header.units,
            by_header.units_left,
        )


@given(TEXTS, STYLES)
def test_counting_is_splitting(text: str, style: Style) -> None:
    assert count(text, style) == split(text, style).segments


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
    ("style", "text", "units", "left"),
    [
        (LOCKING, "ş" * 155, [155], 0),
        (LOCKING, "ş" * 156, [149, 7], 142),
        (SINGLE, "ş" * 77, [154], 1),
        (SINGLE, "ş" * 78, [148, 8], 141),
        (Style("locking", concatenation="udh16"), "ş" * 156, [148, 8], 140),
        (Style(concatenation="udh16"), "a" * 161, [152, 9], 143),
        (Style(concatenation="udh16"), "ş" * 71, [66, 5], 61),
        (Style(concatenation="sar"), "a" * 161, [153, 8], 145),
        (Style(reserve=5), "a" * 155, [155], 0),
        (Style(reserve=5), "a" * 156, [153, 3], 145),
        (Style(reserve=5), "a" * 301, [153, 148], 0),
        (Style(reserve=5), "a" * 302, [153, 148, 1], 147),
        (Style(reserve=5), "a" * 306, [153, 148, 5], 143),
        (Style(reserve=5), "ş" * 65, [65], 0),
        (Style(reserve=5), "ş" * 66, [62, 4], 58),
    ],
    ids=repr,
)
def test_how_long_the_parts_are_in_other_styles(style: Style, text: str, units: list[int], left: int) -> None:
    encoded = split(text, style)

    assert (lengths(encoded), encoded.units_left) == (units, left)


@pytest.mark.parametrize(
    ("style", "text", "encoding"),
    [
        (LOCKING, "Merhaba", "gsm7"),
        (LOCKING, "Çay 5 €", "gsm7"),
        (LOCKING, "çay", "gsm7-turkish-locking"),
        (SINGLE, "çay", "gsm7-turkish-single"),
        (PLAIN, "çay", "ucs2"),
        (BARE, "çay", "gsm7"),
        (BARE, "çay 😀", "ucs2"),
        (LOCKING, "çay 😀", "ucs2"),
        (LOCKING, "ş è", "ucs2"),  # the locking table has no è
        (SINGLE, "ş è", "gsm7-turkish-single"),
        (LOCKING, "€" * 81, "gsm7-turkish-locking"),  # one septet there: 81 instead of 162
        (LOCKING, "€" * 80, "gsm7"),
        (SINGLE, "ş" * 78, "gsm7-turkish-single"),  # a tie of two segments
        (SINGLE, "ğ" * 150, "gsm7-turkish-single"),  # and one of three
    ],
)
def test_the_cheapest_way_is_taken_and_of_equals_the_plainest(style: Style, text: str, encoding: str) -> None:
    assert split(text, style).encoding == encoding


def test_a_short_text_has_no_header() -> None:
    assert split("Hi @ 5€", reference=7) == Encoded("gsm7", 0, (Part(b"", b"Hi \x00 5\x1b\x65"),), 1, 8, 152)


def test_ucs2_has_the_higher_octet_first_and_no_mark_of_it() -> None:
    assert split("ş!").parts == (Part(b"", b"\x01\x5f\x00\x21"),)


def test_the_header_of_a_part() -> None:
    first, second = split("a" * 161, reference=0x1A7).parts

    assert first == Part(bytes.fromhex("05 00 03 a7 02 01"), b"a" * 153)
    assert second == Part(bytes.fromhex("05 00 03 a7 02 02"), b"a" * 8)


def test_the_header_with_a_longer_reference() -> None:
    first, _ = split("a" * 161, Style(concatenation="udh16"), reference=0x1A7).parts

    assert first == Part(bytes.fromhex("06 08 04 01 a7 02 01"), b"a" * 152)


def test_the_numbering_beside_a_part() -> None:
    first, second = split("a" * 161, Style(concatenation="sar"), reference=0x1A7).parts

    assert first == Part(b"", b"a" * 153, Sar(0xA7, 2, 1))
    assert second == Part(b"", b"a" * 8, Sar(0xA7, 2, 2))


def test_a_text_that_the_carrier_cuts() -> None:
    encoded = split("ş" * 160, Style("locking", concatenation="payload"))

    assert encoded.parts == (Part(bytes.fromhex("03 25 01 01"), b"\x1d" * 160, whole=True),)
    assert encoded.segments == 2


@pytest.mark.parametrize(
    ("style", "udh"),
    [
        (LOCKING, "08 00 03 a7 02 01 25 01 01"),
        (SINGLE, "08 00 03 a7 02 01 24 01 01"),
        (Style("locking", concatenation="udh16"), "09 08 04 00 a7 02 01 25 01 01"),
        (Style("locking", concatenation="sar"), "08 00 03 a7 02 01 25 01 01"),
    ],
)
def test_the_header_of_a_part_in_a_national_alphabet(style: Style, udh: str) -> None:
    text = "ş" * (78 if style is SINGLE else 156)

    assert split(text, style, reference=0xA7).parts[0].udh == bytes.fromhex(udh)


@pytest.mark.parametrize(
    ("septets", "header", "octets"),
    [
        (b"hello", 0, "e8329bfd06"),  # the classic example
        (b"1234567", 0, "31d98c56b3dd1a"),  # 7 septets leave 7 bits: filled with a carriage return
        (b"12345678", 0, "31d98c56b3dd70"),
        (b"", 0, ""),
        (b"a", 6, "c2"),  # behind six octets the text begins one bit later
    ],
)
def test_packing(septets: bytes, header: int, octets: str) -> None:
    assert packed(septets, header) == bytes.fromhex(octets)


def test_a_packed_part_has_140_octets_at_most() -> None:
    for text in ("a" * 160, "a" * 161, "ş" * 155):
        for style in (Style(packed=True), Style("locking", packed=True)):
            assert all(len(part.udh + part.payload) <= 140 for part in split(text, style).parts)


@pytest.mark.parametrize(("text", "octets"), [("a" * 161, 159), ("ş" * 71, 140)])
def test_a_part_fits_into_short_message(text: str, octets: int) -> None:
    assert max(len(part.udh + part.payload) for part in split(text).parts) == octets <= 254


def test_255_parts_are_the_most() -> None:
    assert len(split("a" * 153 * 255).parts) == 255
    for refuse in (split, count):
        with pytest.raises(ValueError, match="needs 256 parts, and a concatenation has 255 at most"):
            refuse("a" * (153 * 255 + 1))


@pytest.mark.parametrize("reference", [-1, 65536])
def test_a_reference_is_two_octets(reference: int) -> None:
    with pytest.raises(ValueError, match="reference is 0 to 65535"):
        split("a", reference=reference)


def test_half_of_a_pair_cannot_travel() -> None:
    with pytest.raises(UnicodeEncodeError):
        split("a\ud83d")
