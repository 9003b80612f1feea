"""An export as a workbook: the pieces of `admin.export` as XLSX, of any size, ready to be written or streamed.

In: an export. Out: chunks of bytes, as `edge.export` makes them of the same messages, with the same columns. Times are
dates and prices are numbers, so that a spreadsheet can count with them; numbers of phones are texts, so that it does
not. Texts are exact: a cell of this kind is never run, so none needs an apostrophe. What follows the last row that a
sheet can have stands on the next. Memory does not grow with the number of messages. Knows nothing of files and HTTP.

Sources: ECMA-376, part 1, sections 18.3.1 (worksheets), 18.8 (styles) and 22.9.2.19 (`_x000D_`), part 2 (packages).
The archive is written front to back, sizes behind each part, without ZIP64, which not every Excel reads.
"""

import asyncio
import re
import threading
import zipfile
from collections.abc import AsyncGenerator, Iterator
from contextlib import aclosing
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import IO, Final

from ulak.admin.export import Export, Piece
from ulak.edge.export import COLUMNS, WORDS_MAX, Chunk
from ulak.rules import ids, money
from ulak.rules.text import ERASED
from ulak.store.exports import Head

SHEET_ROWS_MAX: Final = 1_048_576
"""Rows of a sheet, the one with the columns' names included."""
SHEET_BYTES_MAX: Final = 2_000_000_000
"""Of a sheet before it is compressed: more is ZIP64."""
COMPRESSION: Final = 1
"""Of 1 to 9: XML is so repetitive that more costs much time and gains little."""

_MAIN: Final = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
_OFFICE: Final = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
_PACKAGE: Final = "http://schemas.openxmlformats.org/package/2006"
_TYPE: Final = "application/vnd.openxmlformats-officedocument.spreadsheetml"
_XML: Final = '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n'

_HEADER, _DATE = 1, 2
"""Styles by their places in `_STYLES`."""
_STYLES: Final = (
    f'{_XML}<styleSheet xmlns="{_MAIN}">'
    '<numFmts count="1"><numFmt numFmtId="164" formatCode="yyyy\\-mm\\-dd\\ hh:mm:ss.000"/></numFmts>'
    '<fonts count="2"><font><sz val="11"/><name val="Calibri"/></font>'
    '<font><b/><sz val="11"/><name val="Calibri"/></font></fonts>'
    '<fills count="2"><fill><patternFill patternType="none"/></fill><fill><patternFill patternType="gray125"/></fill>'
    '</fills><borders count="1"><border><left/><right/><top/><bottom/><diagonal/></border></borders>'
    '<cellStyleXfs count="1"><xf numFmtId="0" fontId="0" fillId="0" borderId="0"/></cellStyleXfs>'
    '<cellXfs count="3"><xf numFmtId="0" fontId="0" fillId="0" borderId="0" xfId="0"/>'
    '<xf numFmtId="0" fontId="1" fillId="0" borderId="0" xfId="0" applyFont="1"/>'
    '<xf numFmtId="164" fontId="0" fillId="0" borderId="0" xfId="0" applyNumberFormat="1"/></cellXfs>'
    '<cellStyles count="1"><cellStyle name="Normal" xfId="0" builtinId="0"/></cellStyles></styleSheet>'
)
_RELATIONS: Final = (
    f'{_XML}<Relationships xmlns="{_PACKAGE}/relationships">'
    f'<Relationship Id="rId1" Type="{_OFFICE}/officeDocument" Target="xl/workbook.xml"/></Relationships>'
)
_WIDTHS: Final = (23, 14, 60, 11, 11, 11, 9, 9, 23, 16, 13, 8, 16, 38, 38)
_SHEET_END: Final = "</sheetData></worksheet>"
_NOTHING: Final = "<c/>"

_NO_XML: Final = "\x00-\x08\x0b-\x1f\ufffe\uffff"
_SPECIAL: Final = re.compile(f"[&<>{_NO_XML}]|_(?=x[0-9A-Fa-f]{{4}}_)")
_NAMED: Final = {"&": "&amp;", "<": "&lt;", ">": "&gt;"}
_EPOCH: Final = datetime(1899, 12, 30, tzinfo=UTC)
_DAY_MS: Final = 86_400_000
_MS: Final = timedelta(milliseconds=1)


async def chunks(export: Export) -> AsyncGenerator[Chunk, None]:
    """The whole file, a few hundred kilobytes at a time at most. Close it when you do not read to the end."""
    book, looked_at = Book(), 0
    try:
        yield Chunk(book.begin(), 0, 0)
        async with aclosing(export.pieces()) as pieces:
            async for piece in pieces:
                looked_at = piece.looked_at
                yield Chunk(await asyncio.to_thread(book.add, piece), len(piece.rows), looked_at)
        yield Chunk(book.end(), 0, looked_at)
    finally:
        book.close()


class _Sink:
    """Where the archive goes: cannot be read or wound back, only taken from."""

    def __init__(self) -> None:
        self._parts: list[bytes] = []

    def write(self, data: bytes) -> int:
        """Keep some bytes until they are taken."""
        self._parts.append(bytes(data))
        return len(data)

    def flush(self) -> None:
        """Nothing to wait for."""

    def close(self) -> None:
        """Nothing to give back."""

    def take(self) -> bytes:
        """What has come since the last time."""
        taken = b"".join(self._parts)
        self._parts.clear()
        return taken


class Book:
    """A workbook that is being written: `begin`, `add` pieces, `end`; each gives the bytes that are ready. `close` it
    whatever happens."""

    def __init__(self) -> None:
        self._sink = _Sink()
        self._zip = zipfile.ZipFile(self._sink, "w", zipfile.ZIP_DEFLATED, compresslevel=COMPRESSION)
        self._rows = Rows()
        self._sheet: IO[bytes] | None = None
        self._busy = threading.Lock()
        self._n_sheets = self._n_rows = self._n_bytes = 0

    def begin(self) -> bytes:
        """What stands before the first message."""
        self._zip.writestr("_rels/.rels", _RELATIONS)
        self._zip.writestr("xl/styles.xml", _STYLES)
        self._next_sheet()
        return self._sink.take()

    def add(self, piece: Piece) -> bytes:
        """The rows of a piece. May run in another thread than `close`, which then waits for it."""
        with self._busy:
            return self._add(piece)

    def _add(self, piece: Piece) -> bytes:
        portion: list[str] = []
        for row in self._rows.of(piece):
            if self._n_rows + len(portion) == SHEET_ROWS_MAX:
                self._write(portion)
                self._next_sheet()
                portion = []
            portion.append(row)
        self._write(portion)
        if self._n_bytes > SHEET_BYTES_MAX:
            self._next_sheet()
        return self._sink.take()

    def end(self) -> bytes:
        """What stands behind the last message."""
        self._end_sheet()
        numbers = range(1, self._n_sheets + 1)
        self._zip.writestr("xl/workbook.xml", _workbook(numbers))
        self._zip.writestr("xl/_rels/workbook.xml.rels", _parts(numbers))
        self._zip.writestr("[Content_Types].xml", _types(numbers))
        self._zip.close()
        return self._sink.take()

    def close(self) -> None:
        """Be done with it, complete or not."""
        with self._busy:
            if self._sheet is not None:
                self._sheet.close()
                self._sheet = None
            self._zip.close()

    def _next_sheet(self) -> None:
        self._end_sheet()
        self._n_sheets += 1
        self._sheet = self._zip.open(f"xl/worksheets/sheet{self._n_sheets}.xml", "w")
        self._n_rows = self._n_bytes = 0
        self._write([_sheet_begin()])

    def _end_sheet(self) -> None:
        if self._sheet is not None:
            self._sheet.write(_SHEET_END.encode())
            self._sheet.close()
            self._sheet = None

    def _write(self, rows: list[str]) -> None:
        assert self._sheet
        data = "".join(rows).encode()
        self._sheet.write(data)
        self._n_rows += len(rows)
        self._n_bytes += len(data)


class Rows:
    """Writes rows. A million of them are written here, so what repeats is written once."""

    def __init__(self) -> None:
        self._price = lru_cache(WORDS_MAX)(lambda micros: f"<c><v>{money.short(micros)}</v></c>")
        self._state = lru_cache(WORDS_MAX)(
            lambda status, network: f"{_text(status)}{_text(network or 'unknown')}"
        )

    def of(self, piece: Piece) -> Iterator[str]:
        """The rows of a piece."""
        price, state = self._price, self._state
        stretch, last_end, end = 0, None, _NOTHING
        for number, position, to, text, status, network, micros, refunded, ended_at in piece.rows:
            if number != stretch:
                stretch = number
                created, shared, money_back, before_id, own = _shared(piece.stretches[number - 1].head)
            if ended_at != last_end:  # many end together
                last_end, end = ended_at, _date(ended_at) if ended_at else _NOTHING
            message = shared if text is None else _text(text)
            yield (
                f'<row>{created}<c t="inlineStr"><is><t>{to or ERASED}</t></is></c>{message}{state(status, network)}'
                f"{price(micros)}{money_back[refunded]}{end}{before_id}{own ^ position + 1:05x}</t></is></c></row>"
            )


def _shared(head: Head) -> tuple[str, str, tuple[str, str], str, int]:
    """What the rows of a sending have in common: the time, the text, currency and `refunded` for either case, the
    cells after the end and what of the id is the sending's, and its rest."""
    currency = _text(head.currency)
    stem, own = ids.stem(head.id)
    whose = (head.service, head.sender or "", head.source, head.username, str(head.id))
    return (
        _date(head.created_at),
        _text(head.text),
        (f'{currency}<c t="b"><v>0</v></c>', f'{currency}<c t="b"><v>1</v></c>'),
        f'{"".join(map(_text, whose))}<c t="inlineStr"><is><t>{stem}',
        own,
    )


def _text(text: str, style: int = 0) -> str:
    """A cell that holds exactly this text, and is never run."""
    if not text:
        return _NOTHING
    if _SPECIAL.search(text):
        text = _SPECIAL.sub(_escaped, text)
    styled = f' s="{style}"' if style else ""
    return f'<c{styled} t="inlineStr"><is><t xml:space="preserve">{text}</t></is></c>'


def _escaped(found: re.Match[str]) -> str:
    """A character that XML cannot have as it is. A carriage return is one: without this it becomes a line feed."""
    character = found[0]
    return _NAMED.get(character) or f"_x{ord(character):04X}_"


def _date(at: datetime) -> str:
    """A cell with a time in UTC: the days since 1899-12-30, to the millisecond."""
    days, ms = divmod((at - _EPOCH) // _MS, _DAY_MS)
    return f'<c s="{_DATE}"><v>{days}{f"{ms / _DAY_MS:.10f}"[1:]}</v></c>'


def _sheet_begin() -> str:
    """A sheet up to its first message: the columns' names, which stay where they are."""
    widths = "".join(
        f'<col min="{n}" max="{n}" width="{width}" customWidth="1"/>' for n, width in enumerate(_WIDTHS, 1)
    )
    return (
        f'{_XML}<worksheet xmlns="{_MAIN}"><sheetViews><sheetView workbookViewId="0">'
        '<pane ySplit="1" topLeftCell="A2" activePane="bottomLeft" state="frozen"/></sheetView></sheetViews>'
        f"<cols>{widths}</cols><sheetData><row>{''.join(_text(name, _HEADER) for name in COLUMNS)}</row>"
    )


def _workbook(numbers: range) -> str:
    sheets = "".join(
        f'<sheet name="Messages{f" {n}" if n > 1 else ""}" sheetId="{n}" r:id="rId{n}"/>' for n in numbers
    )
    return (
        f'{_XML}<workbook xmlns="{_MAIN}" xmlns:r="{_OFFICE}"><bookViews><workbookView/></bookViews>'
        f"<sheets>{sheets}</sheets></workbook>"
    )


def _parts(numbers: range) -> str:
    sheets = "".join(
        f'<Relationship Id="rId{n}" Type="{_OFFICE}/worksheet" Target="worksheets/sheet{n}.xml"/>'
        for n in numbers
    )
    return (
        f'{_XML}<Relationships xmlns="{_PACKAGE}/relationships">{sheets}'
        f'<Relationship Id="rId{len(numbers) + 1}" Type="{_OFFICE}/styles" Target="styles.xml"/></Relationships>'
    )


def _types(numbers: range) -> str:
    sheets = "".join(
        f'<Override PartName="/xl/worksheets/sheet{n}.xml" ContentType="{_TYPE}.worksheet+xml"/>'
        for n in numbers
    )
    relations = "application/vnd.openxmlformats-package.relationships+xml"
    return (
        f'{_XML}<Types xmlns="{_PACKAGE}/content-types"><Default Extension="rels" ContentType="{relations}"/>'
        '<Default Extension="xml" ContentType="application/xml"/>'
        f'<Override PartName="/xl/workbook.xml" ContentType="{_TYPE}.sheet.main+xml"/>'
        f'<Override PartName="/xl/styles.xml" ContentType="{_TYPE}.styles+xml"/>{sheets}</Types>'
    )
