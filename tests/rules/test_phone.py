"""Which numbers can be sent to, however they are written."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ulak.rules.phone import normalise, normalise_all, shown, why_not

TURKISH = st.integers(905_000_000_000, 905_999_999_999)
PREFIXES = st.sampled_from(["", "0", "90", "+90", "0090"])


@given(TURKISH, PREFIXES, st.data())
def test_every_way_to_write_a_turkish_mobile_number_is_the_same_number(
    number: int, prefix: str, data: st.DataObject
) -> None:
    digits = prefix + str(number)[2:]
    gaps = data.draw(st.lists(st.sampled_from(["", " ", ".", "-", "(", ")", "[", "]"]),
                              min_size=len(digits), max_size=len(digits)))  # fmt: skip
    written = "".join(gap + digit for gap, digit in zip(gaps, digits, strict=True))

    assert normalise(written) == number


@given(st.text(max_size=50))
def test_whatever_is_written_becomes_a_turkish_mobile_number_or_nothing(raw: str) -> None:
    number = normalise(raw)

    assert number is None or 905_000_000_000 <= number <= 905_999_999_999


@pytest.mark.parametrize(
    "raw",
    [
        "905550000000",
        "+905550000000",
        "00905550000000",
        "05550000000",
        "5550000000",
        "+90 (555) 000-00.00",
        "[0555] 000 00 00",
        "(+90)5550000000",
        " 905550000000 ",
    ],
)
def test_the_contracts_forms(raw: str) -> None:
    assert normalise(raw) == 905550000000


@pytest.mark.parametrize(
    "raw",
    [
        "",
        " ",
        "+",
        "90555000000",  # a digit short
        "9055500000000",  # a digit over
        "902125550000",  # a landline
        "02125550000",
        "904550000000",
        "+5550000000",
        "+05550000000",
        "090555000000",
        "+00905550000000",
        "++905550000000",
        "90+5550000000",
        "000905550000000",
        "9055500000OO",
        "905550000000a",
        "tel:905550000000",
        "905550000000,905550000001",
        "905550000000\n",
        "905550000000\0",
        "９０５５５００００００００",  # full-width digits
        "٩٠٥٥٥٠٠٠٠٠٠٠",  # Arabic-Indic digits
        "90555000000٠",
        pytest.param("905550000000" + " " * 100, id="spaces without end"),
        pytest.param("9" * 1_000_000, id="a million digits"),
    ],
)
@pytest.mark.parametrize("foreign", [False, True])
def test_what_no_sms_can_be_sent_to(raw: str, foreign: bool) -> None:
    assert normalise(raw, foreign=foreign) is None


@pytest.mark.parametrize(
    ("raw", "number"),
    [
        ("+491701234567", 491701234567),
        ("00491701234567", 491701234567),
        ("491701234567", 491701234567),
        ("+49 (170) 123-45.67", 491701234567),
        ("+447911123456", 447911123456),
        ("+12015550123", 12015550123),  # mobile or fixed: nobody can tell in North America
        ("+5355551234", 5355551234),  # Cuba; without the plus it would be ten Turkish digits
        ("+393123456789", 393123456789),
    ],
)
def test_a_foreign_mobile_number_where_the_service_allows_it(raw: str, number: int) -> None:
    assert normalise(raw, foreign=True) == number
    assert normalise(raw) is None


@pytest.mark.parametrize(
    "raw",
    [
        "+493012345678",  # a landline in Berlin
        "+4917012",  # too short
        "+999123456789",  # no such country
        "+8001234567",  # no such freephone length
        "+80012345678",  # international freephone
        "+901234567890",
        "01701234567",  # national form: of which nation?
        "5198765432100",  # looks Turkish, with digits over
        "+1234567890123456",
    ],
)
def test_a_foreign_number_that_is_no_mobile_one(raw: str) -> None:
    assert normalise(raw, foreign=True) is None


@given(TURKISH, PREFIXES)
def test_turkish_numbers_are_the_same_where_foreign_ones_are_allowed(number: int, prefix: str) -> None:
    assert normalise(prefix + str(number)[2:], foreign=True) == number


def test_a_list_keeps_its_order_and_loses_repeats_and_what_is_no_number() -> None:
    raw = ["905550000002", "nobody", "905550000001", "+90 555 000 00 02", "", "05550000003", "nobody"]

    numbers, n_invalid = normalise_all(raw)

    assert numbers == [905550000002, 905550000001, 905550000003]
    assert n_invalid == 4


def test_a_list_may_hold_foreign_numbers_where_the_service_allows_them() -> None:
    raw = ["+491701234567", "905550000000", "00491701234567"]

    assert normalise_all(raw, foreign=True) == ([491701234567, 905550000000], 1)
    assert normalise_all(raw) == ([905550000000], 2)


@given(st.lists(st.one_of(TURKISH.map(str), st.sampled_from(["0555", "x", "05550000000", "905550000000"]))))
def test_every_element_of_a_list_is_a_number_or_counted_out(raw: list[str]) -> None:
    numbers, n_invalid = normalise_all(raw)

    assert len(numbers) + n_invalid == len(raw)
    assert numbers == list(dict.fromkeys(n for n in map(normalise, raw) if n is not None))


def test_a_number_is_shown_in_the_contracts_form() -> None:
    assert shown(905550000000) == "905550000000"


@pytest.mark.parametrize(
    ("raw", "why", "why_abroad"),
    [
        ("", "empty", "empty"),
        (" - ", "empty", "empty"),
        ("9,05551E+11", "digits_lost", "digits_lost"),
        ("9.05551e11", "digits_lost", "digits_lost"),
        ("nobody", "not_a_number", "not_a_number"),
        ("9055500000OO", "not_a_number", "not_a_number"),
        ("905550000000,905550000001", "not_a_number", "not_a_number"),
        ("90555000000", "wrong_length", "wrong_length"),
        ("9055500000000", "wrong_length", "wrong_length"),
        ("123", "wrong_length", "wrong_length"),
        ("0212 555 00 00", "not_mobile", "not_mobile"),
        ("+902125550000", "not_mobile", "not_mobile"),
        ("+491701234567", "foreign_not_allowed", None),
        ("491701234567", "foreign_not_allowed", None),
        ("+493012345678", "foreign_not_allowed", "not_mobile"),
        ("+999123456789", "foreign_not_allowed", "unknown_number"),
        ("9" * 1_000_000, "wrong_length", "wrong_length"),
    ],
)
def test_why_nothing_can_be_sent_to_it(raw: str, why: str, why_abroad: str | None) -> None:
    assert why_not(raw) == why
    assert normalise(raw) is None
    if why_abroad is not None:
        assert why_not(raw, foreign=True) == why_abroad
        assert normalise(raw, foreign=True) is None


@given(st.text(max_size=60), st.booleans())
def test_there_is_always_a_reason(raw: str, foreign: bool) -> None:
    assert why_not(raw, foreign=foreign)
