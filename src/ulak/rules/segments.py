"""Segments: a text as the parts in which it travels.

In: a clean text of any length (a message of 160 characters has five parts at most). Out: the parts, each with the
header and the payload that `short_message` carries, and how full they are. A text goes in septets when an alphabet
can write all of it, else in UCS-2. Nothing is lost, added or replaced on the way.

Parts are cut as late as they can be, but never inside a character: an escape stays with its code, and the two
halves of a surrogate pair stay together, so a part can be one unit short. What only looks like one character (a
letter with a combining mark, an emoji of several) may be cut: handsets join the parts before they show them.

Sources: 3GPP TS 23.038 section 4 (data coding), TS 23.040 section 9.2.3.24 (headers), SMPP 3.4 section 5.2.19
(data_coding). Septets go unpacked, one to an octet, which is what carriers expect under data_coding 0.
"""

from collections.abc import Container
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Final, Literal

from ulak.rules.gsm import DEFAULT, ESCAPE, Alphabet

PARTS_MAX: Final = 255
"""A concatenation counts its parts in one octet."""

_OCTETS: Final = 140
"""What one SMS holds on the air, header included."""
_TEXTS_REMEMBERED: Final = 2048
_NEVER_TWO_PARTS: Final = 70
"""Characters of ASCII: 140 septets at most, were all of them escaped, or 70 UCS-2 units."""


@dataclass(frozen=True, slots=True)
class Part:
    """One SMS. On the wire it is `udh + payload`, with esm_class 0x40 (UDHI) where `udh` is not empty."""

    udh: bytes
    payload: bytes


@dataclass(frozen=True, slots=True)
class Encoded:
    """A text ready to travel.

    `data_coding` is 0 for septets and 8 for UCS-2; `units` is its length in septets or UTF-16 units, headers not
    counted, and `units_left` is how many more the last part would hold.
    """

    encoding: Literal["gsm7", "ucs2"]
    data_coding: int
    parts: tuple[Part, ...]
    units: int
    units_left: int


@dataclass(frozen=True, slots=True)
class _Form:
    """How units are laid out: the bits of one on the air, its octets in the payload, and which first octets
    mean that the next unit belongs to it."""

    encoding: Literal["gsm7", "ucs2"]
    data_coding: int
    bits: int
    width: int
    opening: Container[int]

    def capacity(self, udh: bytes) -> int:
        """How many units fit into one SMS beside a header."""
        return (_OCTETS - len(udh)) * 8 // self.bits


_SEPTETS: Final = _Form("gsm7", 0, bits=7, width=1, opening={ESCAPE})
_UCS2: Final = _Form("ucs2", 8, bits=16, width=2, opening=range(0xD8, 0xDC))


def split(text: str, *, reference: int = 0, alphabets: tuple[Alphabet, ...] = (DEFAULT,)) -> Encoded:
    """The parts of a text, in the first of the alphabets that needs the fewest, in UCS-2 if none can write it.

    `reference`, 0 to 255, tells the parts of this SMS from those of another to the same handset; it shows only
    where there is more than one part. Raises `ValueError` above `PARTS_MAX` parts, for any other reference, and
    (as `UnicodeEncodeError`) for half of a surrogate pair.
    """
    if not 0 <= reference <= 255:
        raise ValueError(f"a concatenation reference is 0 to 255, not {reference}")
    encoded = _remembered(text, alphabets)
    if reference == 0 or len(encoded.parts) == 1:
        return encoded
    return replace(encoded, parts=tuple(_referring(part, reference) for part in encoded.parts))


def count(text: str, *, alphabets: tuple[Alphabet, ...] = (DEFAULT,)) -> int:
    """How many parts `split` makes of a text; raises like it."""
    if len(text) <= _NEVER_TWO_PARTS and text.isascii():
        return 1
    return len(_encode(text, alphabets).parts)


def _encode(text: str, alphabets: tuple[Alphabet, ...]) -> Encoded:
    """The parts with reference 0."""
    written = [(alphabet.octets(text), alphabet.elements) for alphabet in alphabets]
    ways = [_laid_out(_SEPTETS, octets, elements) for octets, elements in written if octets is not None]
    if ways:
        return min(ways, key=lambda way: len(way.parts))
    return _laid_out(_UCS2, text.encode("utf-16-be"), b"")


_remembered: Final = lru_cache(maxsize=_TEXTS_REMEMBERED)(_encode)
"""A bulk sends one text many times."""


def _laid_out(form: _Form, octets: bytes, elements: bytes) -> Encoded:
    """Octets as one part, or as many as they need; `elements` go into the header of each."""
    udh = _header(elements)
    capacity, pieces = form.capacity(udh), [octets]
    if len(octets) > capacity * form.width:
        capacity = form.capacity(_header(_concatenation(1, 1) + elements))
        pieces = _cut(form, octets, capacity * form.width)
    if len(pieces) > PARTS_MAX:
        raise ValueError(f"this text needs {len(pieces)} parts, and a concatenation has {PARTS_MAX} at most")
    if len(pieces) == 1:
        parts: tuple[Part, ...] = (Part(udh, octets),)
    else:
        parts = tuple(
            Part(_header(_concatenation(len(pieces), number) + elements), piece)
            for number, piece in enumerate(pieces, start=1)
        )
    left = capacity - len(pieces[-1]) // form.width
    return Encoded(form.encoding, form.data_coding, parts, len(octets) // form.width, left)


def _cut(form: _Form, octets: bytes, size: int) -> list[bytes]:
    """Pieces of at most `size` octets, none of which ends with a unit that opens a pair."""
    pieces, start = [], 0
    while start < len(octets):
        end = min(start + size, len(octets))
        if octets[end - form.width] in form.opening:
            end -= form.width
        pieces.append(octets[start:end])
        start = end
    return pieces


def _header(elements: bytes) -> bytes:
    """A user data header: its length, then its elements; nothing where there are none."""
    return bytes((len(elements),)) + elements if elements else b""


def _concatenation(total: int, number: int) -> bytes:
    """The element that numbers a part (TS 23.040, 9.2.3.24.1), with an 8-bit reference of 0."""
    return bytes((0x00, 0x03, 0, total, number))


def _referring(part: Part, reference: int) -> Part:
    """The part with this reference: the fourth octet of its header, as the concatenation is its first element."""
    return Part(part.udh[:3] + bytes((reference,)) + part.udh[4:], part.payload)
