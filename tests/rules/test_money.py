"""Amounts as people write them, as they are kept, and as they are answered."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ulak.rules.money import MAX_AMOUNT, fixed, parse_amount, parse_signed, short
from ulak.rules.refusal import Code, Refused

AMOUNTS = st.integers(-MAX_AMOUNT, MAX_AMOUNT)


@given(AMOUNTS)
def test_what_is_written_with_six_decimals_reads_back_as_the_same_amount(micros: int) -> None:
    assert parse_signed(fixed(micros)) == micros


@given(AMOUNTS)
def test_what_is_written_short_reads_back_as_the_same_amount(micros: int) -> None:
    assert parse_signed(short(micros)) == micros


@pytest.mark.parametrize(
    ("text", "micros"),
    [
        ("0", 0),
        ("120", 120_000_000),
        ("0.000001", 1),
        ("0.0425", 42_500),
        ("007.5", 7_500_000),
        ("1000000000", MAX_AMOUNT),
        ("1000000000.000000", MAX_AMOUNT),
    ],
)
def test_a_plain_decimal_is_an_amount(text: str, micros: int) -> None:
    assert parse_amount(text) == micros


@pytest.mark.parametrize(
    "text",
    ["", " ", "1 ", " 1", "1\n", ".5", "5.", "1,5", "1.0000001", "1e3", "1E3", "-1", "+1", "1_000", "0x10", "nan",
     "inf", "١٢", "１", "1.5.2", "²", pytest.param("1" * 5000, id="5000 digits")],
)  # fmt: skip
def test_anything_else_is_refused_with_a_sentence(text: str) -> None:
    with pytest.raises(Refused, match="is not an amount: write digits") as refusal:
        parse_amount(text)

    assert refusal.value.code is Code.INVALID_VALUE
    assert len(refusal.value.message) < 200


@pytest.mark.parametrize("text", ["1000000000.000001", "9" * 40])
def test_more_than_the_most_is_refused(text: str) -> None:
    with pytest.raises(Refused, match="more than 1000000000, the most allowed"):
        parse_amount(text)


@pytest.mark.parametrize(
    ("text", "micros"), [("-3.5", -3_500_000), ("+10", 10_000_000), ("2", 2_000_000), ("-0", 0)]
)
def test_a_signed_amount_may_have_one_sign(text: str, micros: int) -> None:
    assert parse_signed(text) == micros


@pytest.mark.parametrize("text", ["--1", "+-1", "-", "+", "- 1", "1-", "−1"])
def test_other_signs_are_refused(text: str) -> None:
    with pytest.raises(Refused, match="is not an amount"):
        parse_signed(text)


@pytest.mark.parametrize(
    ("micros", "with_six", "shortest"),
    [
        (0, "0.000000", "0"),
        (120_000_000, "120.000000", "120"),
        (2_500_000, "2.500000", "2.5"),
        (3_000_000, "3.000000", "3"),
        (1, "0.000001", "0.000001"),
        (-500_000, "-0.500000", "-0.5"),
        (-10_000_000, "-10.000000", "-10"),
    ],
)
def test_amounts_are_answered_in_the_contracts_two_ways(micros: int, with_six: str, shortest: str) -> None:
    assert (fixed(micros), short(micros)) == (with_six, shortest)
