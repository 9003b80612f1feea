"""The panel's languages: translations that are whole, and numbers, money, times and headers as readers expect them."""

import re
from collections import Counter
from datetime import UTC, date, datetime
from html.parser import HTMLParser
from pathlib import Path
from string import Formatter
from typing import Final
from zoneinfo import ZoneInfo

import pytest
from babel.messages.catalog import Message
from babel.messages.plurals import get_plural
from babel.messages.pofile import read_po
from hypothesis import given
from hypothesis import strategies as st
from jinja2 import Environment

from tests.edge.panel import catalogue
from ulak.edge.panel.languages import CODES, NAMES, Language, chosen, language
from ulak.edge.panel.render import ROOT
from ulak.rules.money import MICRO, Amount
from ulak.rules.refusal import Code, Fault, Refused, said

ISTANBUL: Final = ZoneInfo("Europe/Istanbul")
EN: Final = language("en", ISTANBUL)
TR: Final = language("tr", ISTANBUL)

translated = pytest.mark.parametrize("code", catalogue.TRANSLATED)


def both(message: Message) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """A message's texts and their translations."""
    its, string = message.id, message.string
    return (its if isinstance(its, tuple) else (its,)), (string if isinstance(string, tuple) else (string,))


# the catalogue


def test_every_language_has_a_name_and_what_is_not_english_a_translation() -> None:
    assert set(NAMES) == set(CODES)
    assert {path.stem for path in catalogue.LOCALE.iterdir()} == set(catalogue.TRANSLATED)


@translated
def test_the_translation_has_every_text_and_no_other(code: str) -> None:
    known = {message.id for message in catalogue.read(code) if message.id}
    texts = catalogue.texts()
    assert texts - known == set(), "run: make messages"
    assert known - texts == set(), "run: make messages"


@translated
def test_nothing_is_empty_fuzzy_or_obsolete(code: str) -> None:
    its = catalogue.read(code)
    assert [message.id for message in its if message.id and not all(both(message)[1])] == []
    assert [message.id for message in its if message.id and message.fuzzy] == []
    assert list(its.obsolete) == []


@translated
def test_the_file_is_as_make_messages_writes_it(code: str) -> None:
    path = catalogue.LOCALE / f"{code}.po"
    assert path.read_bytes() == catalogue.rendered(code), "run: make messages"
    assert "#:" not in path.read_text("utf-8")


@translated
def test_plurals_are_whole(code: str) -> None:
    its = catalogue.read(code)
    assert (its.num_plurals, its.plural_expr) == tuple(get_plural(code))[:2]
    for message in its:
        if isinstance(message.id, tuple):
            assert isinstance(message.string, tuple)
            assert len(message.string) == its.num_plurals, message.id


def fields(text: str) -> Counter[str]:
    """What is filled in: %(name)s of sentences the panel says, {name!r} of those that were `said`."""
    named = Counter(re.findall(r"%\([^)]*\).|%(?!\()", text)) if "%(" in text else Counter[str]()
    try:
        named.update(f"{{{name}!{how}:{form}}}" for _, name, form, how in Formatter().parse(text) if name)
    except ValueError:
        named.update(re.findall(r"[{}]", text))
    return named


@translated
def test_both_languages_fill_in_the_same(code: str) -> None:
    for message in catalogue.read(code):
        if message.id:
            texts, strings = both(message)
            for string in strings:
                assert fields(string) == fields(texts[-1]), string


@translated
def test_a_translation_is_no_html_and_has_the_spaces_and_the_end_of_its_text(code: str) -> None:
    for message in catalogue.read(code):
        if not message.id:
            continue
        texts, strings = both(message)
        for string in strings:
            assert re.findall(r"[<>&]", string) == re.findall(r"[<>&]", texts[-1]), string
            assert not re.search(r"[\u2028\u202a-\u202e\u200b\ufeff\n]", string), string
            spaces = [text[: len(text) - len(text.lstrip())] for text in (string, texts[-1])]
            assert spaces[0] == spaces[1], string
            assert string.endswith(" ") == texts[-1].endswith(" "), string
            if texts[-1][-1] in ".:":
                assert string[-1] == texts[-1][-1], string
            else:
                assert string[-1] != ".", string


@translated
def test_no_suffix_follows_what_is_filled_in(code: str) -> None:
    wrong = [
        string
        for message in catalogue.read(code)
        if message.id
        for string in both(message)[1]
        if re.search(r"(%\(\w+\)s|\{\w+[^}]*\})['’]?\w", string)
    ]
    assert wrong == [], "its vowels cannot be known"


def test_texts_are_found_wherever_they_can_stand() -> None:
    source = """
raise Refused(Code.X, "one", faults=(Fault("field", "two"),))
raise Refused(Code.X, said("three {n}", n=1) if x else N_("four"))
visit.go(url, visit.language.say(N_("five " "six"), name=x))
language.say_many("seven", "sevens", n)
Refused(Code.X, "eight" if x else "nine"); N_(name); say(f"{x}"); other("ten"); Refused(Code.X)
"""
    assert set(catalogue.in_python(source, catalogue.CALLS)) == {
        *("one", "two", "three {n}", "four", "five six", "eight", "nine"),
        ("seven", "sevens"),
    }


# words that nobody translates


class Words(HTMLParser):
    """What a reader sees or hears of a page, but for what is code."""

    SPOKEN: Final = ("aria-label", "alt", "title", "placeholder")
    SILENT: Final = ("code", "pre", "script", "style", "svg")

    def __init__(self, html: str) -> None:
        super().__init__(convert_charrefs=True)
        self.found: list[str] = []
        self._open: list[str] = []
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Attributes that are read aloud, and where code begins."""
        self.found += [value for name, value in attrs if name in self.SPOKEN and value]
        if tag in self.SILENT:
            self._open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        """Where code ends."""
        if self._open and self._open[-1] == tag:
            self._open.pop()

    def handle_data(self, data: str) -> None:
        """Text between the tags."""
        if not self._open:
            self.found.append(data)


#: Names that are the same in every language.
NAMES_OF_THINGS: Final = {"Ulak", "PostgreSQL", "MB", "serviceId", "x", "org", "id"}


@pytest.mark.parametrize(
    "path", sorted((ROOT / "templates").rglob("*.html")), ids=lambda path: str(path.relative_to(ROOT))
)
def test_a_template_has_no_words_of_its_own(path: Path) -> None:
    source = path.read_text("utf-8")
    bare = "".join(
        value for _, kind, value in Environment(extensions=["jinja2.ext.do"]).lex(source) if kind == "data"
    )
    words = {word for text in Words(bare).found for word in re.findall(r"[^\W\d_]+", text)}
    assert words - NAMES_OF_THINGS == set()


@pytest.mark.parametrize(
    "path", sorted((ROOT / "templates").rglob("*.html")), ids=lambda path: str(path.relative_to(ROOT))
)
def test_no_template_changes_the_case_of_words(path: Path) -> None:
    source = path.read_text("utf-8")
    assert re.findall(r"\|\s*(?:upper|lower|title|capitalize)\b", source) == [], (
        "Python does not know Turkish i"
    )


def test_a_page_says_its_language_so_that_browsers_know_how_to_change_the_case_of_its_letters() -> None:
    assert '<html lang="{{ language.code }}"' in (ROOT / "templates" / "layout.html").read_text("utf-8")


@pytest.mark.parametrize("text", ["İptal", "ışık", "Iğdır", "istanbul", "ŞİŞLİ"])
def test_letters_of_turkish_come_through_as_they_were_written(text: str) -> None:
    assert TR.say("%(name)s is a member now.", name=text).startswith(text)
    assert TR.sentence(said("There is a user {username!r} already.", username=text)).startswith(f"'{text}'")


# which language


@pytest.mark.parametrize(
    ("accepted", "code"),
    [
        ("", "en"),
        ("tr", "tr"),
        ("TR", "tr"),
        ("tr-TR", "tr"),
        ("tr-TR,tr;q=0.9,en-US;q=0.8,en;q=0.7", "tr"),
        ("en-US,en;q=0.9,tr;q=0.8", "en"),
        ("de-DE,de;q=0.9,tr;q=0.3,en;q=0.2", "tr"),
        ("fr", "en"),
        ("*", "en"),
        ("*;q=1, tr;q=0.5", "tr"),
        ("en;q=0.1, tr;q=0.2", "tr"),
        ("en;q=0, tr;q=0.001", "tr"),
        ("tr;q=0", "en"),
        ("tr;q=0, en", "en"),
        (" tr ; q=1.000 ", "tr"),
        ("tr;Q=0.9, en;q=0.8", "tr"),
        ("tr,en", "tr"),
        ("en,tr", "en"),
        ("tr;q=nan, en;q=0.1", "en"),
        ("en;q=0.1, fr;q=nan, tr;q=0.9", "tr"),
        ("tr;q=0.9, fr;q=nan, en;q=0.1", "tr"),
        ("en, tr;q=inf", "en"),
        ("en, tr;q=1e999", "en"),
        ("en, tr;q=-1", "en"),
        ("en, tr;q=2", "en"),
        ("en;q=0.5, tr;q=1_0", "en"),
        ("en;q=0.5, tr;q=\u0661", "en"),
        ("tr;q=0.9;q=0.1, en;q=0.5", "en"),
        ("tr_TR", "en"),
        ("trk", "en"),
        (";q=1,,;;,tr", "tr"),
        ("x" * 10_000 + ",tr", "en"),
        ("," * 10_000 + "tr", "en"),
        ("İ,TR", "tr"),
        ("\0,\r\n,tr", "tr"),
        ("../../tr", "en"),
    ],
)
def test_a_browser_is_understood(accepted: str, code: str) -> None:
    assert chosen(None, accepted) == code


@given(st.text(max_size=300), st.none() | st.text(max_size=10))
def test_whatever_is_asked_for_there_is_a_language(accepted: str, wanted: str | None) -> None:
    assert chosen(wanted, accepted) in CODES


@pytest.mark.parametrize("accepted", ["", "en", "tr", "de"])
def test_what_somebody_chose_comes_first(accepted: str) -> None:
    assert chosen("tr", accepted) == "tr"
    assert chosen("en", accepted) == "en"
    assert chosen("zz", "tr") == "tr"
    assert chosen("", "tr") == "tr"


# numbers, money, times


@pytest.mark.parametrize(
    ("value", "en", "tr"),
    [
        (0, "0", "0"),
        (999, "999", "999"),
        (1234, "1,234", "1.234"),
        (1234567, "1,234,567", "1.234.567"),
        (1234.5, "1,234.5", "1.234,5"),
        (-1234, "-1,234", "-1.234"),
    ],
)
def test_numbers(value: float, en: str, tr: str) -> None:
    assert (EN.number(value), TR.number(value)) == (en, tr)


@pytest.mark.parametrize(
    ("share", "en", "tr"),
    [
        (0, "0%", "%0"),
        (0.125, "12.5%", "%12,5"),
        (1, "100%", "%100"),
        (2 / 3, "66.7%", "%66,7"),
        (12.345, "1,234.5%", "%1.234,5"),
        (-0.5, "-50%", "-%50"),
    ],
)
def test_percents(share: float, en: str, tr: str) -> None:
    assert (EN.percent(share), TR.percent(share)) == (en, tr)


@pytest.mark.parametrize(
    ("micros", "en", "tr"),
    [
        (0, "0.00", "0,00"),
        (1, "0.000001", "0,000001"),
        (42_500, "0.0425", "0,0425"),
        (2 * MICRO, "2.00", "2,00"),
        (1_234_500_000, "1,234.50", "1.234,50"),
        (-3_500_000, "-3.50", "-3,50"),
        (123_456_789_012_345_678_901, "123,456,789,012,345.678901", "123.456.789.012.345,678901"),
    ],
)
def test_money(micros: int, en: str, tr: str) -> None:
    assert (EN.money(micros), TR.money(micros)) == (en, tr)
    assert (EN.money(micros, "TRY"), TR.money(micros, "TRY")) == (f"{en} TRY", f"{tr} TRY")


@given(st.integers(-(10**24), 10**24))
def test_money_loses_nothing(micros: int) -> None:
    for its, point, comma in ((EN, ".", ","), (TR, ",", ".")):
        whole, _, decimals = its.money(micros).replace(comma, "").partition(point)
        sign = -1 if whole.startswith("-") else 1
        assert sign * (abs(int(whole)) * MICRO + int(decimals.ljust(6, "0"))) == micros


AT: Final = datetime(2026, 8, 3, 21, 5, 7, tzinfo=UTC)


def test_times_are_of_the_installations_zone() -> None:
    assert (EN.time(AT), TR.time(AT)) == ("4 Aug 2026 00:05:07", "4 Ağu 2026 00:05:07")
    assert (EN.moment(AT), TR.moment(AT)) == ("4 Aug 2026 00:05", "4 Ağu 2026 00:05")
    assert (EN.clock(AT), TR.clock(AT)) == ("00:05:07", "00:05:07")
    assert EN.time(None) == EN.moment(None) == EN.clock(None) == ""


def test_every_month_has_a_name() -> None:
    days = [date(2026, month, 9) for month in range(1, 13)]
    assert " ".join(EN.day(day).removeprefix("9 ") for day in days) == (
        "Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec"
    )
    assert " ".join(TR.day(day).removeprefix("9 ") for day in days) == (
        "Oca Şub Mar Nis May Haz Tem Ağu Eyl Eki Kas Ara"
    )


@pytest.mark.parametrize(
    ("seconds", "en", "tr"),
    [
        (0, "0 ms", "0 ms"),
        (0.25, "250 ms", "250 ms"),
        (0.9996, "1 sec", "1 sn."),
        (1, "1 sec", "1 sn."),
        (42.4, "42 sec", "42 sn."),
        (60, "1 min", "1 dk."),
        (3600, "1 hr", "1 sa."),
        (86400, "1 day", "1 gün"),
    ],
)
def test_spans(seconds: float, en: str, tr: str) -> None:
    assert (EN.span(seconds), TR.span(seconds)) == (en, tr)


# sentences


def test_there_is_one_form_for_one_and_many() -> None:
    assert [EN.say_many("%(n)s row", "%(n)s rows", n) for n in (0, 1, 1200)] == [
        "0 rows",
        "1 row",
        "1,200 rows",
    ]
    assert [TR.say_many("%(n)s row", "%(n)s rows", n) for n in (0, 1, 1200)] == [
        *("0 satır", "1 satır", "1.200 satır")
    ]


@pytest.mark.parametrize(
    ("its", "text"), [(EN, "The request costs 1,234.50 and the credit holds 0.04; "), (TR, "")]
)
def test_amounts_in_a_refusal_are_written_as_on_the_page(its: Language, text: str) -> None:
    message = said(
        "The request costs {asked} and the credit holds {held}; nothing was charged.",
        asked=Amount(1_234_500_000),
        held=Amount(40_000),
    )
    assert message == "The request costs 1234.5 and the credit holds 0.04; nothing was charged."
    refused = its.refusal(Refused(Code.INSUFFICIENT_CREDIT, message))
    assert refused.startswith(text)
    assert its.money(1_234_500_000) in refused
    assert its.money(40_000) in refused


def test_a_sentence_within_a_sentence_is_translated_too() -> None:
    message = said("The text {wrong}.", wrong=said("must not hold a NUL character"))
    assert TR.sentence(message) == "Metin NUL karakteri içeremez."
    assert TR.fault(Fault("message", message.values["wrong"])) == "NUL karakteri içeremez"
    assert EN.sentence(message) == str(message) == "The text must not hold a NUL character."


def test_a_number_of_thousands_is_written_as_on_the_page() -> None:
    message = said("There are more than {most:,} rows; send them in parts.", most=100_000)
    assert "100,000" in EN.sentence(message)
    assert "100.000" in TR.sentence(message)


@pytest.mark.parametrize("text", ["{0} {x} {{}}", "%(x)s %s %", "{", "İ"])
def test_what_people_wrote_is_never_filled_in(text: str) -> None:
    for its in (EN, TR):
        assert its.sentence(text) == text
        message = said("There is a service {name!r} already.", name=text)
        assert repr(text) in its.sentence(message)
        assert text in its.say("%(name)s is changed.", name=text)


@translated
def test_a_translation_is_read_as_it_stands(code: str) -> None:
    its = language(code, ISTANBUL)
    with (catalogue.LOCALE / f"{code}.po").open("rb") as opened:
        for message in read_po(opened, code):
            if message.id and isinstance(message.id, str):
                assert its.translations.gettext(message.id) == message.string
