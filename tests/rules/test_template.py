"""Templates: what is filled in, what is refused, and which rows have no text."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ulak.rules.refusal import Code, Refused, Sentence
from ulak.rules.template import FAULTS_MAX, RowFault, parse
from ulak.rules.text import clean, fault

COLUMNS = ["Numara", "Ad", "Şehir", "Borç (TL)"]


@pytest.mark.parametrize(
    ("template", "expected"),
    [
        ("merhaba", "merhaba"),
        ("Sayın {Ad}, borcunuz {Borç (TL)} TL.", "Sayın Ayşe, borcunuz 12,50 TL."),
        ("{ad}{AD}{ Ad }", "AyşeAyşeAyşe"),
        ("{ŞEHİR} {şehir} {ŞEHIR}", "İzmir İzmir İzmir"),
        ("{borç  (tl)}", "12,50"),
        ("{{Ad}} {Ad} }}{{", "{Ad} Ayşe }{"),
        ("%s %(Ad)s 100% {Ad}", "%s %(Ad)s 100% Ayşe"),
        ("{Ad}\n{Şehir}", "Ayşe\nİzmir"),
        ("s\u0327 {Ad}", "ş Ayşe"),
    ],
)
def test_filling(template: str, expected: str) -> None:
    fillable = parse(template).on(COLUMNS)

    assert fillable.fill(["905550000000", " Ayşe ", "İzmir", "12,50"]) == expected


def test_its_names_are_in_their_order_and_each_once() -> None:
    assert parse("{b} {A} {B} {{c}} { two  words }").names == ("b", "A", "two words")


@pytest.mark.parametrize(
    ("template", "sentence"),
    [
        ("{Adı}", "There is no column {Adı}. Did you mean {Ad}?"),
        ("{sehir}", "There is no column {sehir}. Did you mean {Şehir}?"),
        ("{x}", "There is no column {x}; there are {Numara}, {Ad}, {Şehir}, {Borç (TL)}."),
        ("Sayın {Ad", "The { at character 7 has no partner; write {{ for the character itself."),
        ("a } b", "The } at character 3 has no partner; write }} for the character itself."),
        ("{Ad{Ad}", "The { at character 1 has no partner; write {{ for the character itself."),
        ("a { } b", "There is no column's name between {}."),
        ("a" * 1001, "A text with placeholders has at most 1000 characters, this has 1001."),
    ],
)
def test_what_is_refused_says_what_to_do(template: str, sentence: str) -> None:
    with pytest.raises(Refused) as refusal:
        parse(template).on(COLUMNS)

    assert (refusal.value.code, refusal.value.message) == (Code.INVALID_VALUE, sentence)
    assert isinstance(refusal.value.message, Sentence)


def test_rows_without_a_text_are_named_and_empty_values_are_counted() -> None:
    rows = [["1", "Ayşe"], ["2", ""], ["3", "x" * 161], ["4", " "], ["5", "a\0b"], ["6", "s\u0327" * 160]]

    filled = parse("{ad}").on(["no", "ad"]).fill_all(rows)

    assert (filled.texts, filled.rows) == (["Ayşe", "ş" * 160], [0, 5])
    assert filled.reasons == {"text_empty": 2, "text_too_long": 1, "text_unfit": 1}
    assert filled.faults == (
        RowFault(1, "text_empty", 0),
        RowFault(2, "text_too_long", 161),
        RowFault(3, "text_empty", 0),
        RowFault(4, "text_unfit", 3),
    )
    assert filled.empty == {"ad": 2}


def test_faults_are_named_up_to_a_bound() -> None:
    filled = parse("{ad}").on(["ad"]).fill_all([[""]] * 1000)

    assert (len(filled.faults), filled.reasons, filled.texts) == (FAULTS_MAX, {"text_empty": 1000}, [])


@given(st.text(max_size=80), st.lists(st.text(max_size=80), min_size=2, max_size=2))
def test_a_value_is_never_read_as_a_template_and_every_text_is_fit(literal: str, row: list[str]) -> None:
    template = literal.replace("{", "{{").replace("}", "}}") + "{a}{b}"

    filled = parse(template).on(["a", "b"]).fill_all([row])

    expected = clean(literal + row[0].strip() + row[1].strip())
    assert filled.texts == ([] if fault(expected) else [expected])
    assert sum(filled.reasons.values()) == 1 - len(filled.texts)


@given(st.text(max_size=100))
def test_whatever_is_written_is_parsed_or_refused(template: str) -> None:
    try:
        names = parse(template).names
    except Refused:
        return
    assert parse(template).on(names).fill(["x"] * len(names)) is not None
