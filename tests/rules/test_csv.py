"""CSV that every reader reads back, and that no spreadsheet runs, whichever separator it is set to."""

import csv
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ulak.rules.csv import Dialect, guarded, unguarded

FORMULAS = tuple("=+-@＝＋－＠")
#: made of what matters here, so that trouble is found soon, and of anything else
TEXTS = st.text(
    st.sampled_from("=+-@＝\t\r\n,;\"' aş😀") | st.characters(exclude_categories=["Cs"]), max_size=12
)
DIALECTS = st.builds(Dialect, semicolons=st.booleans(), exact=st.booleans())


def read(text: str, delimiter: str) -> list[list[str]]:
    """As a spreadsheet that is set to this separator reads it."""
    return list(csv.reader(io.StringIO(text, newline=""), delimiter=delimiter))


@pytest.mark.parametrize(
    ("text", "safe"),
    [
        ("=1+1", "'=1+1"),
        ("@SUM(A1)", "'@SUM(A1)"),
        ("+905550000000", "'+905550000000"),
        ("-5", "'-5"),
        ("\t=1", "'\t'=1"),
        ("\rx", "'\rx"),
        ("＝1", "'＝1"),
        ("  =1", "'  =1"),
        ("'=1", "''=1"),
        ("a;=1", "a;'=1"),
        ('a;"=1"', 'a;\'"=1"'),
        ("a\n=1", "a\n'=1"),
        ("1+1=2, -5 and a-b@c", "1+1=2, -5 and a-b@c"),
        ("'Merhaba' dedi", "'Merhaba' dedi"),
        ("", ""),
    ],
)
def test_what_looks_like_a_formula_gets_an_apostrophe(text: str, safe: str) -> None:
    assert guarded(text) == safe
    assert unguarded(safe) == text


@given(TEXTS)
def test_the_apostrophes_can_all_be_taken_back(text: str) -> None:
    assert unguarded(guarded(text)) == text


@given(TEXTS, DIALECTS)
def test_a_reader_gets_every_text_back(text: str, dialect: Dialect) -> None:
    record = dialect.separator.join([dialect.text(text), dialect.word(text), "end"]) + "\r\n"

    [[as_text, as_word, end]] = read(record, dialect.separator)

    assert (as_text, end) == (as_word, "end")
    assert as_text == text if dialect.exact else unguarded(as_text) == text


@given(TEXTS, st.booleans(), st.sampled_from([",", ";", "\t"]))
def test_no_cell_is_a_formula_whatever_separator_the_spreadsheet_is_set_to(
    text: str, semicolons: bool, delimiter: str
) -> None:
    dialect = Dialect(semicolons=semicolons)
    record = dialect.separator.join(["first", dialect.text(text), dialect.word(text), "end"])

    for line in read(record, delimiter):
        for cell in line:
            assert not cell.lstrip("\"'").startswith(FORMULAS) or cell.startswith("'"), (record, line)


@given(TEXTS)
def test_a_text_that_begins_with_space_hides_no_formula(text: str) -> None:
    safe = guarded(text)

    assert not safe.lstrip().startswith(FORMULAS)
    assert not safe.startswith(("\t", "\r"))


def test_amounts_and_separators_of_either_kind() -> None:
    assert (Dialect().separator, Dialect().amount(42_500)) == (",", "0.042500")
    assert (Dialect(semicolons=True).separator, Dialect(semicolons=True).amount(42_500)) == (";", "0,042500")
