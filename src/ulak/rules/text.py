"""Message texts: their one form, whether they can be sent, and how they are searched.

In: what a customer wrote. Out: the same in NFC, what is wrong with it, or its folded form, in which two texts
that differ only in case are equal. How a text travels, in which alphabet and in how many parts, is decided in
`segments`.
"""

import re
import unicodedata
from typing import Final

from ulak.rules.refusal import said

TEXT_MAX: Final = 160
CLEANED_MAX: Final = 100 * TEXT_MAX
"""Far above anything that becomes `TEXT_MAX` by being normalised, which joins four code points at most."""
ERASED: Final = "[erased]"
"""What stands where a text or a number stood that was kept for long enough."""
"""Code points of a message, after normalisation."""

SURROGATE: Final = re.compile("[\ud800-\udfff]")
_DOT_ABOVE: Final = "\u0307"


def clean(raw: str) -> str:
    """The text in Unicode's normalisation form C (UAX #15), in which it is checked, kept, searched and sent.

    What is too long in any form stays as it is: normalising megabytes takes its time.
    """
    return raw if raw.isascii() or len(raw) > CLEANED_MAX else unicodedata.normalize("NFC", raw)


def fault(text: str) -> str | None:
    """What keeps a clean text from being sent, as words that follow the field's name; None if nothing does.

    A text is 1 to `TEXT_MAX` code points, at least one of them not a space of any kind, and holds neither NUL nor
    half of a surrogate pair: neither can be stored, and no handset could show them.
    """
    if len(text) > TEXT_MAX:
        return said("must be at most {most} characters long, this has {n}", most=TEXT_MAX, n=len(text))
    if not text or text.isspace():
        return said("must hold at least one character that is not a space")
    if "\0" in text:
        return said("must not hold a NUL character")
    if not text.isascii() and SURROGATE.search(text):
        return said("must not hold half of a surrogate pair")
    return None


def fold(text: str) -> str:
    """The text as it is compared in a search: both what is searched and what is looked for go through here.

    Unicode's case folding, and i, ı, I, İ are one letter: so it serves Turkish and English alike without knowing
    which it reads. The dot above is dropped wherever it stands alone: folding İ leaves one behind, and dropping it
    everywhere keeps the folding of a part a part of the folding of the whole.
    """
    return text.casefold().replace(_DOT_ABOVE, "").replace("ı", "i")
