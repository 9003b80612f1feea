"""Tables: a CSV file as people have it, and a list of numbers as they paste it, read without asking how they were made.

In: the bytes of an upload, or a pasted text. Out: a `Table` of rows that all have as many cells as there are columns,
with the line each came from and a guess at the column that holds the numbers; or a refusal with a sentence for whoever
uploaded it. Whether a number can be sent to is not judged here. What a spreadsheet did to a number is undone where
nothing is lost by it (`numbers`).

Encodings: UTF-8, UTF-16 with its mark, else Windows-1254, which a Turkish Excel writes. Separators: the comma, the
semicolon or the tab, whichever of them makes the first lines into rows of one length with numbers in them.
"""

import codecs
import csv
import io
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Final, Literal, NamedTuple

from ulak.rules import phone
from ulak.rules.refusal import Code, Refused, said
from ulak.rules.text import clean, fold

ROWS_MAX: Final = 100_000
COLUMNS_MAX: Final = 50
CELL_MAX: Final = 1000
"""Characters."""
NAME_MAX: Final = 60
"""Characters of a column's name."""
ROW_LINES_MAX: Final = 50
"""Lines that a row may go over, where its cells have ends of lines in them."""
RAW_BYTES_MAX: Final = 32 * 1024 * 1024
PASTED_MAX: Final = ROWS_MAX * 50
"""Characters of a pasted list."""
PASTED_BETWEEN_MAX: Final = ROWS_MAX * 5
"""Ends of lines, commas and the like in it: several may stand between two numbers."""
FAULTS_MAX: Final = 20
"""Lines that are named; all of them are counted."""

SEPARATORS: Final = (";", "\t", ",")
_LINES_LOOKED_AT: Final = 50
_ROWS_LOOKED_AT: Final = 1000

_XLSX: Final = b"PK\x03\x04"
_XLS: Final = b"\xd0\xcf\x11\xe0"
_SAYS_SEPARATOR: Final = re.compile(r"\Asep=([,;\t])(?:\r\n|\r|\n)", re.IGNORECASE)
_LOOKS_LIKE_ONE: Final = re.compile(r"\+?[0-9]{10,15}|[0-9](?:[.,][0-9]+)?E\+?[0-9]{1,2}", re.IGNORECASE)
_QUOTED_FORMULA: Final = re.compile(r'="([^"]*)"')
_DECIMAL: Final = re.compile(r"(\+?[0-9]{7,15})[.,]0+")
_BETWEEN: Final = re.compile(r"[\r\n;\t]|,(?![0-9]+E\+?[0-9])", re.IGNORECASE)
_ODD_SPACES: Final = "\u00a0\u2007\u202f\u200b\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2060\ufeff"
_SPACES: Final = re.compile(f"[{_ODD_SPACES}]")

Reason = Literal["too_few_cells", "too_many_cells", "cell_too_long"]


class LineFault(NamedTuple):
    """A line that is no row: its number in the file, counted from 1, why, and how many cells it has."""

    line: int
    reason: Reason
    cells: int


@dataclass(frozen=True, slots=True)
class Table:
    """What was in a file. Cells have no spaces around them; blank lines are left out.

    columns     their names, from the first line or, where that is none of names, as spreadsheets call them: A, B, C
    lines       for each row the line of the file it ends on, counted from 1
    numbers_in  the column that probably holds the numbers, None where none does
    reasons     counts the lines that are no rows; `faults` names the first of them
    """

    columns: tuple[str, ...]
    has_header: bool
    rows: list[list[str]]
    lines: list[int]
    numbers_in: int | None
    reasons: Mapping[Reason, int]
    faults: tuple[LineFault, ...]
    encoding: str
    separator: str

    def numbers(self, column: int) -> list[str]:
        """The cells of a column, each as the number it was before a spreadsheet changed how it looks."""
        return [tidied(row[column]) for row in self.rows]


def read(raw: bytes) -> Table:
    """The table in a file; refused with `payload_too_large` or `invalid_value`. Slow for a big one: not for the
    event loop."""
    if len(raw) > RAW_BYTES_MAX:
        most = RAW_BYTES_MAX // 1024 // 1024
        raise Refused(
            Code.PAYLOAD_TOO_LARGE, said("The file is larger than {most} MiB; send it in parts.", most=most)
        )
    encoding, text = _decoded(raw)
    told = _SAYS_SEPARATOR.match(text)
    skipped = 1 if told else 0
    text = text[told.end() :] if told else text
    separator = told[1] if told else _separator(text)
    try:
        return _table(_lines(text, separator, skipped), encoding, separator)
    except csv.Error as error:
        raise _refused("The file cannot be read as CSV: {error}.", error=str(error)) from None


def of_numbers(numbers: Sequence[str]) -> Table:
    """A table of nothing but numbers, like a pasted list; each has a line of its own."""
    return Table(
        columns=("A",),
        has_header=False,
        rows=[[one] for one in numbers],
        lines=list(range(1, len(numbers) + 1)),
        numbers_in=0,
        reasons={},
        faults=(),
        encoding="utf-8",
        separator=",",
    )


def pasted(text: str) -> list[str]:
    """The numbers in a pasted list, between ends of lines, commas, semicolons and tabs; refused when too many. Slow for
    a long one: not for the event loop.

    Spaces belong to a number ("0555 111 22 33"), unless what they stand between are numbers by themselves.
    """
    if len(text) > PASTED_MAX or sum(map(text.count, "\r\n;\t,")) > PASTED_BETWEEN_MAX:
        raise _too_many_rows()
    found: list[str] = []
    for piece in _BETWEEN.split(_with_plain_spaces(text)):
        one = tidied(piece.strip())
        if one:
            found += _apart(one) if " " in one else [one]
            if len(found) > ROWS_MAX:
                raise _too_many_rows()
    return found


def _with_plain_spaces(text: str) -> str:
    """The same with every space an ordinary one; in steps that are short each, however long the text is."""
    if text.isascii():
        return text
    for space in _ODD_SPACES:
        text = text.replace(space, " ")
    return text


def tidied(cell: str) -> str:
    """A number without what a spreadsheet put around it: an apostrophe, ="…", decimals that are 0."""
    if cell.isdigit():
        return cell
    bare = _SPACES.sub(" ", cell).strip().removeprefix("'")
    if quoted := _QUOTED_FORMULA.fullmatch(bare):
        bare = quoted[1]
    decimal = _DECIMAL.fullmatch(bare)
    return decimal[1] if decimal else bare.strip()


def _decoded(raw: bytes) -> tuple[str, str]:
    """The file's encoding and its text."""
    if raw.startswith((_XLSX, _XLS)):
        raise _refused("This is a workbook; save it as CSV UTF-8 in your spreadsheet, and upload that.")
    utf16 = raw.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    for encoding in ("utf-16",) if utf16 else ("utf-8-sig", "cp1254"):
        try:
            text = raw.decode(encoding)
        except UnicodeDecodeError:
            continue
        if "\0" in text:
            break
        return encoding.removesuffix("-sig"), text
    raise _refused("This is no text file; save it as CSV UTF-8 in your spreadsheet, and upload that.")


def _separator(text: str) -> str:
    """What stands between two cells: whatever makes most sense of the first lines; the first line counts double, in
    that all others are to have as many cells."""
    head = "".join(islice(io.StringIO(text, newline=""), _LINES_LOOKED_AT))
    best, best_score = ",", (0, 0.0, 1)
    for separator in SEPARATORS:
        try:
            rows = [row for row in csv.reader(io.StringIO(head, newline=""), delimiter=separator) if any(row)]
        except csv.Error:
            continue
        n = len(rows[0]) if rows else 0
        numbers = sum(any(_is_number(cell.strip()) for cell in row) for row in rows)
        score = numbers, sum(len(row) == n for row in rows) / max(1, len(rows)) if n > 1 else 0.0, n
        if score > best_score:
            best, best_score = separator, score
    return best


def _lines(text: str, separator: str, skipped: int) -> Iterator[tuple[int, list[str]]]:
    """The rows that are not blank, with the numbers of the lines they end on; refused where one never ends."""
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator)
    before = 0
    for row in reader:
        if reader.line_num - before > ROW_LINES_MAX:
            raise _refused("A quotation mark in line {line} is never closed.", line=before + 1 + skipped)
        before = reader.line_num
        cells = [cell.strip() for cell in row]
        if any(cells):
            yield reader.line_num + skipped, cells


def _table(lines: Iterable[tuple[int, list[str]]], encoding: str, separator: str) -> Table:
    its = list(islice(lines, ROWS_MAX + 2))
    if not its:
        raise _refused("There is nothing in the file.")
    n = len(its[0][1])
    if n > COLUMNS_MAX:
        raise _refused("The file has {n} columns; at most {most} can be read.", n=n, most=COLUMNS_MAX)
    numbers_in = _guessed([row for _, row in islice(its, 1, _ROWS_LOOKED_AT)] or [its[0][1]], n)
    has_header = _is_header(its[0][1], numbers_in)
    names = _names(its[0][1] if has_header else [""] * n)
    del its[: int(has_header)]
    if len(its) > ROWS_MAX:
        raise _too_many_rows()
    if not its:
        raise _refused("There is only one line in the file, and no number in it.")
    rows, at, reasons, faults = _sorted_out(its, n)
    return Table(names, has_header, rows, at, numbers_in, reasons, faults, encoding, separator)


def _sorted_out(
    lines: Sequence[tuple[int, list[str]]], n: int
) -> tuple[list[list[str]], list[int], Mapping[Reason, int], tuple[LineFault, ...]]:
    """Rows of n cells and their lines, and what is wrong with the others."""
    rows, at, reasons = list[list[str]](), list[int](), Counter[Reason]()
    faults: list[LineFault] = []
    for line, cells in lines:
        if len(cells) > n and not any(cells[n:]):
            cells = cells[:n]
        reason = _why_no_row(cells, n)
        if reason is None:
            rows.append(cells)
            at.append(line)
            continue
        reasons[reason] += 1
        if len(faults) < FAULTS_MAX:
            faults.append(LineFault(line, reason, len(cells)))
    return rows, at, reasons, tuple(faults)


def _why_no_row(cells: list[str], n: int) -> Reason | None:
    if len(cells) != n:
        return "too_few_cells" if len(cells) < n else "too_many_cells"
    return "cell_too_long" if len(max(cells, key=len)) > CELL_MAX else None


def _guessed(rows: Sequence[Sequence[str]], n: int) -> int | None:
    """The column with the most numbers: ours before what only looks like one; the first of several."""
    best, best_score = None, (0, 0)
    for column in range(n):
        cells = [tidied(row[column]) for row in rows if len(row) > column]
        score = sum(phone.normalise(cell) is not None for cell in cells), sum(map(_is_number, cells))
        if score > best_score:
            best, best_score = column, score
    return best


def _is_number(cell: str) -> bool:
    """Whether it is, or looks like, somebody's number, spoilt ones included."""
    if len(cell) > 2 * NAME_MAX:
        return False
    cell = tidied(cell)
    return phone.normalise(cell) is not None or bool(_LOOKS_LIKE_ONE.fullmatch(cell.replace(" ", "")))


def _is_header(first: Sequence[str], numbers_in: int | None) -> bool:
    """Whether the first line has names: no number where the others have theirs, not even a wrong one."""
    if numbers_in is None or numbers_in >= len(first):
        return True
    cell = first[numbers_in]
    wrong = sum(character.isdigit() for character in cell) >= 5 and not any(map(str.isalpha, cell))
    return not _is_number(cell) and not wrong


def _names(header: Sequence[str]) -> tuple[str, ...]:
    """The columns' names, each different from the others whatever its case, and none with a brace in it."""
    taken: set[str] = set()
    names = []
    for place, written in enumerate(header):
        bare = clean(" ".join(written.replace("{", "(").replace("}", ")").split()))[:NAME_MAX].strip()
        name = bare = bare or _letters(place)
        again = 2
        while fold(name) in taken:
            name, again = f"{bare} {again}", again + 1
        taken.add(fold(name))
        names.append(name)
    return tuple(names)


def _letters(place: int) -> str:
    """A, B, … Z, AA, AB: what spreadsheets call a column."""
    before, letter = divmod(place, 26)
    return (_letters(before - 1) if before else "") + chr(ord("A") + letter)


def _apart(piece: str) -> list[str]:
    """What has spaces in it: one number, or several."""
    words = piece.split()
    if phone.normalise(piece) is None and all(phone.normalise(word) is not None for word in words):
        return words
    return [piece]


def _too_many_rows() -> Refused:
    return _refused("There are more than {most:,} rows; send them in parts.", most=ROWS_MAX)


def _refused(sentence: str, **values: object) -> Refused:
    return Refused(Code.INVALID_VALUE, said(sentence, **values))
