"""Ids that sort by time, and messages' ids that lead back to their sending."""

import time
from uuid import RFC_4122, UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ulak.rules.ids import POSITION_MAX, first_id, message_id, new_id, position_of, span, stem

MILLISECONDS = st.integers(0, 2**48 - 1)
POSITIONS = st.integers(0, POSITION_MAX - 1)


@given(MILLISECONDS)
def test_an_id_is_a_version_7_uuid_of_its_millisecond(now_ms: int) -> None:
    new = new_id(now_ms)

    assert (new.version, new.variant, new.int >> 80) == (7, RFC_4122, now_ms)


def test_an_id_is_of_now_unless_told_otherwise() -> None:
    before = time.time_ns() // 1_000_000

    new = new_id()

    assert before <= new.int >> 80 <= time.time_ns() // 1_000_000


@given(st.lists(MILLISECONDS, unique=True))
def test_ids_sort_by_time_as_uuids_and_as_text(moments: list[int]) -> None:
    made = {moment: new_id(moment) for moment in moments}

    in_time = [made[moment] for moment in sorted(moments)]
    assert sorted(made.values()) == in_time
    assert sorted(map(str, made.values())) == [str(one) for one in in_time]


def test_ids_of_one_millisecond_differ_above_the_reserved_bits() -> None:
    assert len({new_id(1_773_000_000_000).int >> 20 for _ in range(20_000)}) == 20_000


def test_every_random_bit_is_random() -> None:
    seen = [new_id(0).int for _ in range(200)]

    ever_set, always_set = seen[0], seen[0]
    for one in seen:
        ever_set, always_set = ever_set | one, always_set & one
    assert always_set == 0x7 << 76 | 0b10 << 62
    assert ever_set == 0x7FFF << 64 | (1 << 64) - 1 & ~(1 << 62)


@given(MILLISECONDS, POSITIONS)
def test_a_messages_id_leads_back_to_its_position_and_to_its_sending(now_ms: int, position: int) -> None:
    sending = new_id(now_ms)

    message = message_id(sending, position)

    lowest, highest = span(message)
    assert position_of(sending, message) == position
    assert lowest <= sending <= highest
    assert message != sending
    assert message.version == 7


def test_all_messages_of_a_sending_have_ids_of_their_own() -> None:
    sending = new_id()

    made = {message_id(sending, position) for position in range(100_000)}

    assert len(made) == 100_000
    assert sending not in made


@given(POSITIONS)
def test_a_message_is_none_of_another_sendings(position: int) -> None:
    sending, other = new_id(), new_id()

    message = message_id(sending, position)

    lowest, highest = span(message)
    assert position_of(other, message) is None
    assert not lowest <= other <= highest


def test_a_sending_is_none_of_its_own_messages() -> None:
    sending = new_id()

    assert position_of(sending, sending) is None


def test_a_span_covers_the_reserved_bits_and_no_more() -> None:
    found = span(UUID("019cd6f2-5a3b-7c4d-9e5f-123456789abc"))

    assert found == (
        UUID("019cd6f2-5a3b-7c4d-9e5f-123456700000"),
        UUID("019cd6f2-5a3b-7c4d-9e5f-1234567fffff"),
    )


@pytest.mark.parametrize("position", [-1, POSITION_MAX, 2**40])
def test_a_position_out_of_range_has_no_id(position: int) -> None:
    with pytest.raises(ValueError, match="position is 0 to 1048574"):
        message_id(new_id(), position)


@given(MILLISECONDS, POSITIONS)
def test_an_id_written_from_its_stem_is_the_messages_id(now_ms: int, position: int) -> None:
    sending = new_id(now_ms)

    shared, own = stem(sending)

    assert f"{shared}{own ^ position + 1:05x}" == str(message_id(sending, position))


@given(MILLISECONDS, MILLISECONDS)
def test_the_first_id_of_a_millisecond_divides_those_before_it_from_the_others(ms: int, at: int) -> None:
    assert (new_id(at) >= first_id(ms)) == (at >= ms)
