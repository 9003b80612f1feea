"""The GSM 7-bit alphabets: which characters they have, and a text's septets (3GPP TS 23.038, section 6.2).

An alphabet is a locking table of 128 characters, and a single-shift table that is reached with an escape before
each character. Which tables beyond the default ones a text uses is told to the handset in a header, by
information elements (3GPP TS 23.040, section 9.2.3.24.15 and .16). Septets stay unpacked here, one to an octet, as
SMPP carries them. Never a substitute: a text that an alphabet cannot write has no septets in it.
"""

import unicodedata
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Final

ESCAPE: Final = 0x1B
"""Announces one character of the single-shift table."""

_DEFAULT_LOCKING: Final = (
    "@£$¥èéùìòÇ\nØø\rÅå"
    "Δ_ΦΓΛΩΠΨΣΘΞ\x1bÆæßÉ"
    " !\"#¤%&'()*+,-./"
    "0123456789:;<=>?"
    "¡ABCDEFGHIJKLMNO"
    "PQRSTUVWXYZÄÖÑÜ§"
    "¿abcdefghijklmno"
    "pqrstuvwxyzäöñüà"
)
_DEFAULT_SINGLE: Final = {
    0x0A: "\f",
    0x14: "^",
    0x28: "{",
    0x29: "}",
    0x2F: "\\",
    0x3C: "[",
    0x3D: "~",
    0x3E: "]",
    0x40: "|",
    0x65: "€",
}
_TURKISH_LOCKING: Final = {
    0x04: "€",
    0x07: "ı",
    0x0B: "Ğ",
    0x0C: "ğ",
    0x1C: "Ş",
    0x1D: "ş",
    0x40: "İ",
    0x60: "ç",
}
_TURKISH_SINGLE: Final = {0x47: "Ğ", 0x49: "İ", 0x53: "Ş", 0x63: "ç", 0x67: "ğ", 0x69: "ı", 0x73: "ş"}


@dataclass(frozen=True, eq=False)
class Alphabet:
    """One way to write in septets.

    `locking` holds 128 characters in the order of their codes, `single` the characters behind an escape by their
    codes, `elements` the information elements (without the header's length) that announce the two tables.
    """

    name: str
    locking: str
    single: dict[int, str]
    elements: bytes = b""

    def octets(self, text: str) -> bytes | None:
        """The septets of a text, one to an octet; None when a character is not in this alphabet.

        A character of the single-shift table is two octets, `ESCAPE` and its code; `ESCAPE` means nothing else.
        """
        codes = self._codes
        try:
            return b"".join([codes[character] for character in text])
        except KeyError:
            return None

    @cached_property
    def _codes(self) -> dict[str, bytes]:
        """Every character with its septets; the shorter way where both tables have it."""
        shifted = {character: bytes((ESCAPE, code)) for code, character in self.single.items()}
        plain = {character: bytes((code,)) for code, character in enumerate(self.locking) if code != ESCAPE}
        return shifted | plain


def _changed(table: str, changes: dict[int, str]) -> str:
    """A table of 128 characters with some of them replaced."""
    return "".join(changes.get(code, character) for code, character in enumerate(table))


DEFAULT: Final = Alphabet("default", _DEFAULT_LOCKING, _DEFAULT_SINGLE)
"""The default alphabet and its extension (sections 6.2.1 and 6.2.1.1)."""

TURKISH_SINGLE: Final = Alphabet(
    "turkish-single", _DEFAULT_LOCKING, _DEFAULT_SINGLE | _TURKISH_SINGLE, bytes.fromhex("24 01 01")
)
"""The default alphabet with the Turkish single-shift table (section A.2.1): a Turkish letter is two septets."""

TURKISH_LOCKING: Final = Alphabet(
    "turkish-locking",
    _changed(_DEFAULT_LOCKING, _TURKISH_LOCKING),
    _DEFAULT_SINGLE,
    bytes.fromhex("25 01 01"),
)
"""The Turkish locking table (section A.3.1) with the default extension: a Turkish letter is one septet."""


_WITHOUT_A_MARK: Final = {"ı": "i", "đ": "d", "Đ": "D", "ł": "l", "Ł": "L"}
"""Letters that Unicode does not take apart."""


def transliterated(text: str) -> str:
    """The text with the letters that the default alphabet lacks written without their marks, where that helps.

    Only letters, and only where their plain form is in the default alphabet: ş becomes s and İ becomes I, while a
    letter of another script or an emoji stays.
    """
    if DEFAULT.octets(text) is not None:
        return text
    return "".join(_plain(character) for character in text)


@lru_cache(maxsize=1024)
def _plain(character: str) -> str:
    if not character.isalpha() or DEFAULT.octets(character) is not None:
        return character
    bare = _WITHOUT_A_MARK.get(character) or unicodedata.normalize("NFD", character)[0]
    return bare if DEFAULT.octets(bare) is not None else character
