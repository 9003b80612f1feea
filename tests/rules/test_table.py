"""Tables: files as people have them."""

import csv
import io
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ulak.rules import table
from ulak.rules.phone import normalise, why_not
from ulak.rules.refusal import Code, Refused, Sentence
from ulak.rules.table import LineFault, pasted, read, tidied

ROWS = [["Ayşe", "0555 111 22 33", "İzmir"], ["Ömer; Can", "905551112234", "Ağrı, merkez"]]
HEADER = ["Ad", "Telefon", "Şehir"]


def written(separator: str, *rows: list[str], end: str = "\r\n") -> str:
    """A file's text."""
    out = io.StringIO()
    csv.writer(out, delimiter=separator, lineterminator=end).writerows(rows)
    return out.getvalue()


@pytest.mark.parametrize("end", ["\r\n", "\n", "\r"])
@pytest.mark.parametrize("separator", [",", ";", "\t"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "cp1254"])
@pytest.mark.parametrize("header", [True, False])
def test_however_it_was_saved(encoding: str, separator: str, end: str, header: bool) -> None:
    text = written(separator, *([HEADER] if header else []), *ROWS, end=end)

    found = read(text.encode(encoding))

    assert (found.rows, found.numbers_in, found.separator) == (ROWS, 1, separator)
    assert found.columns == (tuple(HEADER) if header else ("A", "B", "C"))
    assert (found.has_header, found.reasons) == (header, {})
    assert found.lines == ([2, 3] if header else [1, 2])
    assert found.encoding == encoding.removesuffix("-sig")


@pytest.mark.parametrize(
    ("text", "columns", "rows"),
    [
        ("905551112233", ["A"], [["905551112233"]]),
        ("Telefon\n905551112233\n", ["Telefon"], [["905551112233"]]),
        ("0555 111 22 33\n0555 111 22 34\n", ["A"], [["0555 111 22 33"], ["0555 111 22 34"]]),
        ("905551112233,Merhaba; nasılsın", ["A", "B"], [["905551112233", "Merhaba; nasılsın"]]),
        ("sep=;\r\nTel;Ad\r\n5551112233;a,b\r\n", ["Tel", "Ad"], [["5551112233", "a,b"]]),
        ("Ad;Tutar;Tel\nAyşe;12,50;5551112233", ["Ad", "Tutar", "Tel"], [["Ayşe", "12,50", "5551112233"]]),
        ('Tel,Not\n5551112233,"iki\nsatır"', ["Tel", "Not"], [["5551112233", "iki\nsatır"]]),
        ('Tel,Not\n5551112233,"a ""b"""', ["Tel", "Not"], [["5551112233", 'a "b"']]),
        ("\n\nTel,Ad\n\n;,;\n,,\n5551112233,x\n , \n", ["Tel", "Ad"], [[";", ";"], ["5551112233", "x"]]),
        ("Tel,Ad,,\n5551112233,x,,\n", ["Tel", "Ad", "C", "D"], [["5551112233", "x", "", ""]]),
        ("Ad,ad,AD,Tel\na,b,c,5551112233", ["Ad", "ad 2", "AD 3", "Tel"], [["a", "b", "c", "5551112233"]]),
        ("{Ad},Tel\na,5551112233", ["(Ad)", "Tel"], [["a", "5551112233"]]),
        ("Tel;Ad\n9,05551E+11;Ayşe", ["Tel", "Ad"], [["9,05551E+11", "Ayşe"]]),
        (
            "90555111223,Ayşe\n905551112233,Can",
            ["A", "B"],
            [["90555111223", "Ayşe"], ["905551112233", "Can"]],
        ),
        ("Ad,Soyad\na,b", ["Ad", "Soyad"], [["a", "b"]]),
        ("TCKN,Tel\n12345678901,+491701234567", ["TCKN", "Tel"], [["12345678901", "+491701234567"]]),
    ],
)
def test_files_as_people_have_them(text: str, columns: list[str], rows: list[list[str]]) -> None:
    found = read(text.encode())

    assert list(found.columns) == columns
    assert found.rows == rows


def test_the_column_with_the_numbers() -> None:
    text = "id,tckn,tel\n1,12345678901,5551112233\n2,12345678902,x\n3,12345678903,0555 111 22 35"

    assert read(text.encode()).numbers_in == 2
    assert read(b"a,b\nc,d").numbers_in is None


def test_lines_that_are_no_rows() -> None:
    text = f"Tel,Ad\n1\n5551112233,x\n1,2,3\n1,2,\n1,{'x' * 1001}\n"

    found = read(text.encode())

    assert found.rows == [["5551112233", "x"], ["1", "2"]]
    assert found.lines == [3, 5]
    assert found.faults == (
        LineFault(2, "too_few_cells", 1),
        LineFault(4, "too_many_cells", 3),
        LineFault(6, "cell_too_long", 2),
    )
    assert found.reasons == {"too_few_cells": 1, "too_many_cells": 1, "cell_too_long": 1}


@pytest.mark.parametrize(
    ("raw", "part"),
    [
        (b"", "nothing in the file"),
        (b"\xef\xbb\xbf\r\n \r\n", "nothing in the file"),
        (b"Telefon\n", "only one line"),
        (b"PK\x03\x04....", "workbook"),
        (b"\xd0\xcf\x11\xe0....", "workbook"),
        (b"905551112233\0", "no text file"),
        ("Tel".encode("utf-16-le"), "no text file"),
        (b"\xff\x81\x8d", "no text file"),
        (b",".join([b"5551112233"] * 51), "51 columns; at most 50"),
        (b"5551112233\n" * 100_001, "more than 100,000 rows"),
        (b'Tel,Ad\n5551112233,"x\n' + b"5551112234,y\n" * 60, "mark in line 2 is never closed"),
        (b'5551112233,"' + b"x" * 200_000, "cannot be read as CSV"),
    ],
    ids=lambda value: str(value)[:20],
)
def test_what_cannot_be_read_is_refused_in_a_sentence(raw: bytes, part: str) -> None:
    with pytest.raises(Refused, match=part) as refusal:
        read(raw)

    assert refusal.value.code == Code.INVALID_VALUE
    assert isinstance(refusal.value.message, Sentence) or "{" not in refusal.value.message


def test_a_file_that_is_too_large(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(table, "RAW_BYTES_MAX", 1024 * 1024)

    with pytest.raises(Refused, match="larger than 1 MiB") as refusal:
        read(b"5551112233\n" * 100_000)

    assert refusal.value.code == Code.PAYLOAD_TOO_LARGE


def test_as_many_rows_as_can_be_sent() -> None:
    assert len(read(b"Tel\n" + b"5551112233\n" * 100_000).rows) == 100_000


@pytest.mark.parametrize(
    ("cell", "number"),
    [
        ("905551112233.0", "905551112233"),
        ("905551112233,00", "905551112233"),
        ("'905551112233", "905551112233"),
        ('="0555 111 22 33"', "0555 111 22 33"),
        ("\u202a+90 555 111 22 33\u202c", "+90 555 111 22 33"),
        ("0555\u00a0111\u00a022\u00a033", "0555 111 22 33"),
        ("9,05551E+11", "9,05551E+11"),
        ("0.555.111", "0.555.111"),
        ("", ""),
    ],
)
def test_a_number_that_a_spreadsheet_has_changed(cell: str, number: str) -> None:
    assert tidied(cell) == number


def test_a_number_whose_digits_are_lost_is_said_to_be_so() -> None:
    found = read("Tel;Ad\n9,05551E+11;Ayşe\n5551112233;Can".encode())

    first, second = found.numbers(0)
    assert (why_not(first), normalise(second)) == ("digits_lost", 905551112233)


@pytest.mark.parametrize(
    ("text", "numbers"),
    [
        ("", []),
        (" \n ,; \t", []),
        ("905551112233\n905551112234", ["905551112233", "905551112234"]),
        ("905551112233,905551112234; 905551112235\t905551112236", [f"90555111223{n}" for n in range(3, 7)]),
        ("0555 111 22 33, +90 (555) 111-22-34", ["0555 111 22 33", "+90 (555) 111-22-34"]),
        ("905551112233 905551112234", ["905551112233", "905551112234"]),
        ("9,05551E+11,5551112233", ["9,05551E+11", "5551112233"]),
        ("Ayşe 0555 111 22 33", ["Ayşe 0555 111 22 33"]),
    ],
)
def test_pasted_lists(text: str, numbers: list[str]) -> None:
    assert pasted(text) == numbers


def test_a_pasted_list_that_is_too_long() -> None:
    with pytest.raises(Refused, match="more than 100,000"):
        pasted("5551112233\n" * 100_001)
    with pytest.raises(Refused):
        pasted(",;" * (table.PASTED_BETWEEN_MAX // 2) + ",")
    with pytest.raises(Refused):
        pasted(" " * (table.PASTED_MAX + 1))


@given(st.binary(max_size=400))
def test_whatever_is_uploaded_is_read_or_refused(raw: bytes) -> None:
    with suppress(Refused):
        found = read(raw)
        assert {len(row) for row in found.rows} <= {len(found.columns)}
        assert len(found.rows) == len(found.lines)


@given(st.text(st.sampled_from('5a9 ,;\t"\r\n0İ='), max_size=200))
def test_whatever_is_written_is_read_or_refused(text: str) -> None:
    test = pasted(text)
    assert all(one.strip() for one in test)
    with suppress(Refused):
        found = read(text.encode())
        assert {len(row) for row in found.rows} <= {len(found.columns)}


@given(
    st.lists(
        st.lists(
            st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=20),
            min_size=2,
            max_size=2,
        ),
        min_size=1,
        max_size=10,
    )
)
def test_what_a_writer_quoted_comes_back_without_spaces_around(rows: list[list[str]]) -> None:
    numbered = [[f"9055511122{n:02d}", *(cell.strip() for cell in row)] for n, row in enumerate(rows)]
    text = io.StringIO()
    csv.writer(text, quoting=csv.QUOTE_ALL).writerows([["Tel", "x", "y"], *numbered])

    assert read(text.getvalue().encode()).rows == numbered
