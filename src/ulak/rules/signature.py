"""Signatures of texts: which pieces of one to three characters occur, in a fixed number of bits.

In: a text, folded. Out: bits, of which each piece sets one (superimposed coding, a Bloom filter with one hash). A text
that holds another has all of the other's bits, so a bit that is missing says: surely not in here. Bits that are all
there say nothing. Signatures are kept: whoever changes how they are made has to have them made anew.
"""

from typing import Final
from zlib import crc32

BITS: Final = 4096


def signature(text: str) -> bytes:
    """The signature of a text, or of many in one.

    As quick for long texts as Python can be: their triples are brought down to different ones before anything is done
    with each, and shorter pieces are taken from those, only the last ones begin no triple.
    """
    pieces = set(map("".join, set(zip(text, text[1:], text[2:], strict=False))))
    pieces |= {text[-2:], *(piece[:2] for piece in pieces)}
    pieces |= {text[-1:], *(piece[:1] for piece in pieces)}
    bits = bytearray(BITS // 8)
    for piece in pieces:
        bit = crc32(piece.encode()) % BITS
        bits[bit >> 3] |= 1 << (bit & 7)
    return bytes(bits)
