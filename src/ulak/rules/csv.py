"""CSV: how a value is written so that every reader gets it back, and no spreadsheet runs it.

RFC 4180: CRLF after each record, quotes around what needs them, quotes doubled. On top of it the one thing the RFC
does not know: a spreadsheet takes a cell that begins with = + - or @ for a formula, and the texts in here were written
by strangers. Such a text gets an apostrophe in front (`guarded`). The same behind every separator inside a text,
because a spreadsheet set to another separator than the file's ignores the quotes and cuts there
(docs/decisions/0013). `unguarded` takes every apostrophe back that `guarded` put in and no other, so nothing is lost.
"""

import re
from dataclasses import dataclass
from typing import Final

from ulak.rules import money

END: Final = "\r\n"
"""After each record."""

BOM: Final = "\ufeff"
"""By which Excel knows that a file is UTF-8."""

_FORMULA: Final = "=+\\-@＝＋－＠"
_START: Final = rf"[\s'\"]*[{_FORMULA}\t\r\n]"
_INSIDE: Final = rf"['\"]*[{_FORMULA}]"
_CUT: Final = r"(?<=[,;\t\r\n])"
_SUSPECT: Final = re.compile(rf"[{_FORMULA}\t\r\n]")  # in every text that is unsafe, and quickly looked for
_UNSAFE: Final = re.compile(rf"\A(?={_START})|{_CUT}(?={_INSIDE})")
_GUARDED: Final = re.compile(rf"\A'(?={_START})|{_CUT}'(?={_INSIDE})")
_NEEDS_QUOTES: Final = re.compile(r"[\",;\r\n]|\A\s|\s\Z")


@dataclass(frozen=True, slots=True)
class Dialect:
    """How a file is written. The default is RFC 4180 for everybody.

    semicolons  fields end with ; and decimals stand behind a comma, as spreadsheets set to Turkish expect it
    bom         the file begins with a byte order mark, without which Excel does not take it for UTF-8
    exact       texts stay exactly as they are: for programs, never for a spreadsheet
    """

    semicolons: bool = False
    bom: bool = False
    exact: bool = False

    @property
    def separator(self) -> str:
        """Between two fields."""
        return ";" if self.semicolons else ","

    def text(self, text: str) -> str:
        """A text of a stranger: always in quotes."""
        return f'"{self._safe(text).replace(chr(34), chr(34) * 2)}"'

    def word(self, text: str) -> str:
        """A name or a single word: in quotes where it needs them."""
        return self.text(text) if _NEEDS_QUOTES.search(text) else self._safe(text)

    def amount(self, micros: int) -> str:
        """Money, with six decimals."""
        fixed = money.fixed(micros)
        return fixed.replace(".", ",") if self.semicolons else fixed

    def _safe(self, text: str) -> str:
        return text if self.exact else guarded(text)


def guarded(text: str) -> str:
    """The text with an apostrophe wherever a spreadsheet could take what follows for a formula."""
    return _UNSAFE.sub("'", text) if _SUSPECT.search(text) else text


def unguarded(text: str) -> str:
    """What `guarded` was given."""
    return _GUARDED.sub("", text)
