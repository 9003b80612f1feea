"""The GSM alphabets against the tables of 3GPP TS 23.038."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ulak.rules.gsm import DEFAULT, ESCAPE, TURKISH_LOCKING, TURKISH_SINGLE, Alphabet, transliterated

DEFAULT_TABLE = {
    **dict(zip("@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞ", range(0x1B), strict=True)),
    **dict(zip("ÆæßÉ", range(0x1C, 0x20), strict=True)),
    **{chr(code): code for code in range(0x20, 0x7F) if chr(code) not in "$@[\\]^_`{|}~"},
    "¤": 0x24,
    "¡": 0x40,
    "Ä": 0x5B,
    "Ö": 0x5C,
    "Ñ": 0x5D,
    "Ü": 0x5E,
    "§": 0x5F,
    "¿": 0x60,
    "ä": 0x7B,
    "ö": 0x7C,
    "ñ": 0x7D,
    "ü": 0x7E,
    "à": 0x7F,
}
EXTENSION = {
    "\f": 0x0A, "^": 0x14, "{": 0x28, "}": 0x29, "\\": 0x2F, "[": 0x3C, "~": 0x3D, "]": 0x3E, "|": 0x40, "€": 0x65,
}  # fmt: skip
TURKISH_LOCKED = {"€": 0x04, "ı": 0x07, "Ğ": 0x0B, "ğ": 0x0C, "Ş": 0x1C, "ş": 0x1D, "İ": 0x40, "ç": 0x60}
TURKISH_SHIFTED = {"Ğ": 0x47, "İ": 0x49, "Ş": 0x53, "ç": 0x63, "ğ": 0x67, "ı": 0x69, "ş": 0x73}


def written_with(alphabet: Alphabet) -> dict[str, bytes]:
    """Every character of the basic plane that the alphabet can write, with its octets."""
    octets = {chr(code): alphabet.octets(chr(code)) for code in range(0x10000)}
    return {character: of for character, of in octets.items() if of is not None}


def escaped(codes: dict[str, int]) -> dict[str, bytes]:
    return {character: bytes((ESCAPE, code)) for character, code in codes.items()}


def alone(codes: dict[str, int]) -> dict[str, bytes]:
    return {character: bytes((code,)) for character, code in codes.items()}


def test_the_default_alphabet_has_127_characters_and_ten_behind_an_escape() -> None:
    assert len(DEFAULT_TABLE) == 127
    assert written_with(DEFAULT) == alone(DEFAULT_TABLE) | escaped(EXTENSION)


def test_the_turkish_single_shift_has_seven_letters_more_behind_an_escape() -> None:
    assert written_with(TURKISH_SINGLE) == alone(DEFAULT_TABLE) | escaped(EXTENSION | TURKISH_SHIFTED)


def test_the_turkish_locking_table_gives_eight_places_to_others() -> None:
    lost = "èìØøÆæ¡¿"
    kept = {character: code for character, code in DEFAULT_TABLE.items() if character not in lost}

    assert written_with(TURKISH_LOCKING) == escaped(EXTENSION) | alone(kept | TURKISH_LOCKED)


@pytest.mark.parametrize(
    ("alphabet", "elements"), [(DEFAULT, ""), (TURKISH_SINGLE, "24 01 01"), (TURKISH_LOCKING, "25 01 01")]
)
def test_national_tables_are_announced(alphabet: Alphabet, elements: str) -> None:
    assert alphabet.elements == bytes.fromhex(elements)


def test_capital_and_small_c_with_cedilla_are_two_letters() -> None:
    assert DEFAULT.octets("Ç") == b"\x09"
    assert DEFAULT.octets("ç") is None


@pytest.mark.parametrize("character", "çğĞıİşŞ`\x1b\t\u00a0’“–…\u2126😀А")
def test_what_the_default_alphabet_does_not_have(character: str) -> None:
    assert DEFAULT.octets(f"a{character}b") is None


def test_a_text_in_the_default_alphabet() -> None:
    assert DEFAULT.octets("Fiyat: 5€ @[x]") == b"Fiyat: 5\x1b\x65 \x00\x1b\x3cx\x1b\x3e"
    assert DEFAULT.octets("") == b""


@pytest.mark.parametrize(
    ("text", "plain"),
    [
        ("Çağrı şöyle: İĞÜŞÖÇ", "Çagri söyle: IGÜSÖÇ"),  # what the alphabet has stays
        ("ç", "c"),
        ("Łódź đ", "Lodz d"),
        ("şü 😀", "sü 😀"),
        ("жλ…“”", "жλ…“”"),
        ("plain €", "plain €"),
        ("", ""),
    ],
)
def test_letters_that_the_alphabet_lacks_lose_their_marks(text: str, plain: str) -> None:
    assert transliterated(text) == plain


@given(st.text(max_size=200))
def test_transliteration_changes_letters_only_and_never_twice(text: str) -> None:
    once = transliterated(text)

    assert len(once) == len(text)
    assert transliterated(once) == once
    for before, after in zip(text, once, strict=True):
        assert before == after or (before.isalpha() and DEFAULT.octets(before) is None)
