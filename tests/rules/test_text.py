"""Texts: their one form, what cannot be sent, and what a search finds."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ulak.rules.text import TEXT_MAX, clean, fault, fold

LETTERS = "abcçdefgğhıijklmnoöprsştuüvyzqwx"
UPPER_TURKISH = str.maketrans(
    "iı" + "abcçdefgğhjklmnoöprsştuüvyzqwx", "İI" + "ABCÇDEFGĞHJKLMNOÖPRSŞTUÜVYZQWX"
)
TEXTS = st.one_of(st.text(), st.text(st.sampled_from("iıIİ\u0307şŞsS̈ẞßğǰΐ")))


@given(TEXTS)
def test_a_clean_text_is_in_normal_form_c_and_stays_as_it_is(raw: str) -> None:
    assert unicodedata.is_normalized("NFC", clean(raw))
    assert clean(clean(raw)) == clean(raw)


def test_a_decomposed_text_is_composed() -> None:
    assert clean("S\u0327is\u0327li I\u0307") == "Şişli İ"


@pytest.mark.parametrize(
    "text", ["a", "?" * TEXT_MAX, "ş" * TEXT_MAX, "😀" * TEXT_MAX, " a ", "\na", "\u200b"]
)
def test_a_text_that_can_be_sent(text: str) -> None:
    assert fault(text) is None


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "must hold at least one character that is not a space"),
        (" ", "must hold at least one character that is not a space"),
        ("\t\n\r \u00a0\u2003\u3000", "must hold at least one character that is not a space"),
        ("a" * 161, "must be at most 160 characters long, this has 161"),
        ("😀" * 161, "must be at most 160 characters long, this has 161"),
        (" " * 161, "must be at most 160 characters long, this has 161"),
        ("a\0b", "must not hold a NUL character"),
        ("\0", "must not hold a NUL character"),
        ("a\ud800", "must not hold half of a surrogate pair"),
        ("\udfffş", "must not hold half of a surrogate pair"),
    ],
)
def test_a_text_that_cannot_be_sent_is_told_why(text: str, words: str) -> None:
    assert fault(text) == words


def test_the_length_counts_after_normalisation() -> None:
    assert fault(clean("s\u0327" * TEXT_MAX)) is None
    assert fault(clean("\u0958" * 81)) == "must be at most 160 characters long, this has 162"


@pytest.mark.parametrize("four", ["i", "ı", "I", "İ", "I\u0307", "i\u0307"])
def test_all_is_are_one_letter(four: str) -> None:
    assert fold(clean(four)) == "i"


@given(st.text(st.sampled_from(LETTERS + " 0123456789.,!%_")))
def test_case_does_not_matter_in_turkish_nor_in_english(text: str) -> None:
    assert fold(text.translate(UPPER_TURKISH)) == fold(text.upper()) == fold(text)


def test_letters_that_differ_in_more_than_case_stay_apart() -> None:
    folded = [fold(letter) for letter in "sşcçgğoöuüi"]

    assert len(set(folded)) == len(folded)


@given(TEXTS, TEXTS, TEXTS)
def test_a_part_of_a_text_is_found_in_it(before: str, part: str, after: str) -> None:
    assert fold(before) + fold(part) + fold(after) == fold(before + part + after)


@given(TEXTS)
def test_folding_again_changes_nothing(text: str) -> None:
    assert fold(fold(text)) == fold(text)


@pytest.mark.parametrize(
    ("text", "looked_for"),
    [
        ("KAMPANYA BAŞLADI", "başladı"),
        ("Kampanya başladı", "BAŞLADI"),
        ("İstanbul", "istanbul"),
        ("ISPARTA", "ısparta"),
        ("CONFIRMATION", "confirmation"),
        ("confirmation", "CONFİRMATİON"),
        ("%50 indirim", "%50 İ"),
    ],
)
def test_a_search_finds_a_text_in_any_case(text: str, looked_for: str) -> None:
    assert fold(looked_for) in fold(text)
