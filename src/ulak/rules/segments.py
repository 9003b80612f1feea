"""Segments: a text as the parts in which it travels.

In: a clean text of any length (a message of 160 characters has five parts at most) and a carrier's style. Out: the
parts as they go on the wire, and how full they are. Of the ways to write a text without losing anything the one with
the fewest segments is taken: septets before a national alphabet before UCS-2 where it makes no difference. Nothing is
lost, added or replaced on the way; only the mode `transliterate` replaces letters first, because it was asked to.

Parts are cut as late as they can be, but never inside a character: an escape stays with its code, and the two
halves of a surrogate pair stay together, so a part can be one unit short. What only looks like one character (a
letter with a combining mark, an emoji of several) may be cut: handsets join the parts before they show them.

Sources: 3GPP TS 23.038 section 4 (data coding) and 6.1.2 (packing), TS 23.040 section 9.2.3.24 (headers), SMPP 3.4
sections 5.2.19 (data_coding), 5.3.2.22 to .24 (sar_…) and 5.3.2.32 (message_payload).
"""

from collections.abc import Container, Iterator
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Final, Literal, NamedTuple

from ulak.rules.gsm import DEFAULT, ESCAPE, TURKISH_LOCKING, TURKISH_SINGLE, Alphabet, transliterated

PARTS_MAX: Final = 255
"""A concatenation counts its parts in one octet."""

_OCTETS: Final = 140
"""What one SMS holds on the air, header included."""
_TEXTS_REMEMBERED: Final = 2048
_NEVER_TWO_PARTS: Final = 65
"""Characters of ASCII: 130 septets at most, were all of them escaped."""
RESERVE_MAX: Final = 30
"""Units; an operator's code has five characters."""


Encoding = Literal["gsm7", "gsm7-turkish-locking", "gsm7-turkish-single", "ucs2"]
Turkish = Literal["ucs2", "locking", "single", "transliterate"]
Concatenation = Literal["udh8", "udh16", "sar", "payload"]


@dataclass(frozen=True, slots=True)
class Style:
    """How a carrier wants its texts.

    `turkish`: what to do with letters that the default alphabet lacks: only UCS-2, or also a Turkish table, or write
    them without their marks. `reserve`: units that the operator appends by itself, kept free in the last part.
    `concatenation`: the parts are numbered in a header with an 8-bit or 16-bit reference, in the parameters sar_…, or
    the whole text goes in message_payload and the carrier cuts it. `packed`: septets eight to seven octets, else one
    to an octet.
    """

    turkish: Turkish = "ucs2"
    reserve: int = 0
    concatenation: Concatenation = "udh8"
    packed: bool = False


PLAIN: Final = Style()
"""What most carriers take."""


class Sar(NamedTuple):
    """The numbering of a part in the parameters sar_msg_ref_num, sar_total_segments and sar_segment_seqnum."""

    reference: int
    total: int
    number: int


@dataclass(frozen=True, slots=True)
class Part:
    """One submit. On the wire it is `udh + payload`, with esm_class 0x40 (UDHI) where `udh` is not empty.

    `sar` is to be sent beside it where it is not None; `whole` is a text that the carrier cuts, for message_payload.
    """

    udh: bytes
    payload: bytes
    sar: Sar | None = None
    whole: bool = False


@dataclass(frozen=True, slots=True)
class Encoded:
    """A text ready to travel.

    `data_coding` is 0 for septets and 8 for UCS-2; `segments` is how many SMS it is on the air, which is also how
    many parts there are unless the carrier cuts it; `units` is its length in septets or UTF-16 units, headers not
    counted, and `units_left` is how many more the last segment would hold.
    """

    encoding: Encoding
    data_coding: int
    parts: tuple[Part, ...]
    segments: int
    units: int
    units_left: int


@dataclass(frozen=True, slots=True)
class _Form:
    """How units are laid out: the bits of one on the air, its octets in the payload, and which first octets
    mean that the next unit belongs to it."""

    data_coding: int
    bits: int
    width: int
    opening: Container[int]

    def capacity(self, udh: bytes) -> int:
        """How many units fit into one SMS beside a header."""
        return (_OCTETS - len(udh)) * 8 // self.bits


_SEPTETS: Final = _Form(0, bits=7, width=1, opening={ESCAPE})
_UCS2: Final = _Form(8, bits=16, width=2, opening=range(0xD8, 0xDC))


_TURKISH: Final[dict[Turkish, tuple[Encoding, Alphabet]]] = {
    "locking": ("gsm7-turkish-locking", TURKISH_LOCKING),
    "single": ("gsm7-turkish-single", TURKISH_SINGLE),
}


def split(text: str, style: Style = PLAIN, *, reference: int = 0) -> Encoded:
    """The parts of a text for a carrier of this style.

    `reference`, 0 to 65535, tells the parts of this SMS from those of another to the same handset; it shows only
    where there is more than one part, and only its lower octet unless the style is `udh16`. Raises `ValueError` above
    `PARTS_MAX` segments, for any other reference, and (as `UnicodeEncodeError`) for half of a surrogate pair.
    """
    if not 0 <= reference <= 0xFFFF:
        raise ValueError(f"a concatenation reference is 0 to 65535, not {reference}")
    encoded = _remembered(text, style)
    if reference == 0 or len(encoded.parts) == 1:
        return encoded
    return replace(encoded, parts=tuple(_referring(part, reference) for part in encoded.parts))


def count(text: str, style: Style = PLAIN) -> int:
    """How many segments `split` makes of a text; raises like it."""
    if len(text) <= _NEVER_TWO_PARTS and text.isascii():
        return 1
    return _remembered(text, style).segments


class _Way(NamedTuple):
    """A text in one encoding, whose table `elements` announce, cut; `capacity` is that of the last piece."""

    encoding: Encoding
    form: _Form
    elements: bytes
    capacity: int
    pieces: list[bytes]


def _encode(text: str, style: Style) -> Encoded:
    """The parts with reference 0."""
    if style.turkish == "transliterate":
        text = transliterated(text)
    best: _Way | None = None
    for way in _ways(text, style):
        if best is None or len(way.pieces) < len(best.pieces):
            best = way
        if len(best.pieces) == 1:
            break
    assert best
    n = len(best.pieces)
    if n > PARTS_MAX:
        raise ValueError(f"this text needs {n} parts, and a concatenation has {PARTS_MAX} at most")
    units = [len(piece) // best.form.width for piece in best.pieces]
    return Encoded(
        best.encoding,
        best.form.data_coding,
        tuple(_parts(best, style)),
        n,
        sum(units),
        best.capacity - units[-1],
    )


_remembered: Final = lru_cache(maxsize=_TEXTS_REMEMBERED)(_encode)
"""A bulk sends one text many times."""


def _ways(text: str, style: Style) -> Iterator[_Way]:
    """The text in each encoding that has all of its characters, the preferred one first."""
    septets: list[tuple[Encoding, Alphabet]] = [("gsm7", DEFAULT)]
    if style.turkish in _TURKISH:
        septets.append(_TURKISH[style.turkish])
    for encoding, alphabet in septets:
        octets = alphabet.octets(text)
        if octets is not None:
            yield _Way(
                encoding, _SEPTETS, alphabet.elements, *_in_pieces(_SEPTETS, octets, alphabet.elements, style)
            )
    yield _Way("ucs2", _UCS2, b"", *_in_pieces(_UCS2, text.encode("utf-16-be"), b"", style))


def _in_pieces(form: _Form, octets: bytes, elements: bytes, style: Style) -> tuple[int, list[bytes]]:
    """How many units fit into the last piece beside what is kept free in it, and the pieces."""
    alone = form.capacity(_header(elements)) - style.reserve
    if len(octets) <= alone * form.width:
        return alone, [octets]
    most = form.capacity(_header(_numbering(style, 1, 1) + elements))
    pieces = _cut(form, octets, most * form.width)
    pieces[-1:] = _cut(form, pieces[-1], (most - style.reserve) * form.width)
    return most - style.reserve, pieces


def _parts(way: _Way, style: Style) -> Iterator[Part]:
    """What is submitted. A national table needs a header anyway, so that numbers the parts too."""
    alone, n = _header(way.elements), len(way.pieces)
    if n == 1:
        yield _part(way.form, style, alone, way.pieces[0])
    elif style.concatenation == "payload":
        yield replace(_part(way.form, style, alone, b"".join(way.pieces)), whole=True)
    else:
        for number, piece in enumerate(way.pieces, start=1):
            if style.concatenation == "sar" and not way.elements:
                yield replace(_part(way.form, style, b"", piece), sar=Sar(0, n, number))
            else:
                udh = _header(_numbering(style, n, number) + way.elements)
                yield _part(way.form, style, udh, piece)


def _part(form: _Form, style: Style, udh: bytes, octets: bytes) -> Part:
    return Part(udh, packed(octets, len(udh)) if style.packed and form is _SEPTETS else octets)


def packed(septets: bytes, header_octets: int = 0) -> bytes:
    """Septets, eight to seven octets, behind a header of so many octets: they begin at the next septet boundary.

    Seven free bits at the end would read as another character, `@`; a carriage return stands there instead
    (3GPP TS 23.038, 6.1.2.3.1).
    """
    fill = -header_octets * 8 % 7
    if (fill + len(septets) * 7) % 8 == 1:
        septets += b"\r"
    number = 0
    for n, septet in enumerate(septets):
        number |= septet << (fill + 7 * n)
    return number.to_bytes((fill + 7 * len(septets) + 7) // 8, "little")


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


def _numbering(style: Style, total: int, number: int) -> bytes:
    """The element that numbers a part (TS 23.040, 9.2.3.24.1 and .8), with a reference of 0.

    Where the carrier makes the headers, they are as long as those with an 8-bit reference.
    """
    if style.concatenation == "udh16":
        return bytes((0x08, 0x04, 0, 0, total, number))
    return bytes((0x00, 0x03, 0, total, number))


def _referring(part: Part, reference: int) -> Part:
    """The part with this reference; where it stands in a header, that begins with the numbering."""
    low = reference & 0xFF
    if part.sar is not None:
        return replace(part, sar=part.sar._replace(reference=low))
    octets = reference.to_bytes(2, "big") if part.udh[1] == 0x08 else bytes((low,))
    return replace(part, udh=part.udh[:3] + octets + part.udh[3 + len(octets) :])
