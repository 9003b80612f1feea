"""A carrier's ids: equal where the carrier means the same, different where it does not."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ulak.rules.refs import RefForm

HEX_TO_DEC, DEC_TO_HEX = RefForm("hex_to_dec"), RefForm("dec_to_hex")
FORMS = st.builds(
    RefForm, st.sampled_from(["as_is", "hex_to_dec", "dec_to_hex"]), st.booleans(), st.booleans()
)


@given(st.integers(0, 2**64), st.integers(0, 5), st.booleans())
def test_hexadecimal_and_decimal_meet(number: int, zeros: int, upper: bool) -> None:
    hexadecimal = "0" * zeros + (f"{number:X}" if upper else f"{number:x}")
    decimal = "0" * zeros + str(number)

    assert HEX_TO_DEC.of_answer(hexadecimal) == HEX_TO_DEC.of_receipt(decimal)
    assert DEC_TO_HEX.of_answer(decimal) == DEC_TO_HEX.of_receipt(hexadecimal)


@given(st.integers(0, 2**64), st.integers(0, 2**64))
def test_different_numbers_stay_different(one: int, other: int) -> None:
    same = HEX_TO_DEC.of_answer(f"{one:x}") == HEX_TO_DEC.of_receipt(str(other))

    assert same is (one == other)


@pytest.mark.parametrize(
    ("form", "answer", "receipt", "equal"),
    [
        (RefForm(), "0A1b", "0A1b", True),
        (RefForm(), "0A1b", "A1b", False),
        (RefForm(), "0A1b", "0a1b", False),
        (RefForm(ignore_zeros=True), "000A1b", "A1b", True),
        (RefForm(ignore_zeros=True), "0", "000", True),
        (RefForm(ignore_case=True), "0A1b", "0a1B", True),
        (RefForm(ignore_case=True, ignore_zeros=True), "0A1b", "a1B", True),
        (HEX_TO_DEC, "message-7", "message-7", True),  # no number at all
        (HEX_TO_DEC, "ff", "ff", False),  # the receipt's is not decimal: not the same
        (DEC_TO_HEX, "255", "00FF", True),
        (DEC_TO_HEX, "255", "255", False),
    ],
)
def test_forms(form: RefForm, answer: str, receipt: str, equal: bool) -> None:
    assert (form.of_answer(answer) == form.of_receipt(receipt)) is equal


@given(FORMS, st.text(max_size=80))
def test_nothing_raises_and_nothing_becomes_empty(form: RefForm, raw: str) -> None:
    assert bool(form.of_answer(raw)) is bool(form.of_receipt(raw)) is bool(raw)
