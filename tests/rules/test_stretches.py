"""Ranges of time cut into days, minutes and rests: nothing missing, nothing twice, no rest longer than a minute."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ulak.rules.stretches import (
    DAY,
    EPOCH,
    HOUR,
    LAST,
    MINUTE,
    Counted,
    Stretch,
    between,
    cut,
    in_hours,
    instant,
    less,
    milliseconds,
    seek,
    window,
)

#: Around the edges of minutes and days more often than anywhere else.
MOMENTS = st.one_of(
    st.integers(0, 5 * DAY),
    st.builds(
        lambda unit, n, off: max(0, unit * n + off),
        st.sampled_from([MINUTE, DAY]),
        st.integers(0, 5),
        st.integers(-1, 1),
    ),
)


@given(MOMENTS, MOMENTS)
def test_the_pieces_of_a_range_are_the_range(one: int, other: int) -> None:
    whole = Stretch(*sorted((one, other)))

    days, minutes, rests = cut(whole)

    pieces = sorted([*days, *minutes, *rests])
    assert all(piece.first < piece.end for piece in pieces)
    assert [piece.end for piece in pieces[:-1]] == [piece.first for piece in pieces[1:]]
    if pieces:
        assert (pieces[0].first, pieces[-1].end) == whole
    else:
        assert whole.first == whole.end
    assert all(ms % DAY == 0 for day in days for ms in day)
    assert all(ms % MINUTE == 0 for minute in minutes for ms in minute)
    assert all(rest.end - rest.first < MINUTE or rest == whole for rest in rests)
    assert len(days) <= 1
    assert sum(minute.end - minute.first for minute in minutes) < 2 * DAY


@given(MOMENTS, MOMENTS)
def test_a_range_begins_and_ends_with_what_lies_between_both_included(one: int, other: int) -> None:
    first, last = sorted((one, other))

    assert between(instant(first), instant(last)) == (first, last + 1)
    assert between(None, instant(last)) == (0, last + 1)
    assert between(instant(first), None) == (first, LAST)


def test_a_bound_within_a_millisecond_lets_in_what_begins_on_its_right_side() -> None:
    half = timedelta(microseconds=500)

    assert between(instant(7) + half, instant(9) + half) == (8, 10)


@pytest.mark.parametrize(
    ("starts", "ends"),
    [
        (datetime.max.replace(tzinfo=UTC), None),
        (None, datetime.min.replace(tzinfo=UTC)),
        (datetime.max.replace(tzinfo=UTC), datetime.min.replace(tzinfo=UTC)),
        (instant(9), instant(8)),
    ],
)
def test_where_nothing_can_be_is_an_empty_range(starts: datetime | None, ends: datetime | None) -> None:
    found = between(starts, ends)

    assert found.first == found.end
    assert cut(found) == ([], [], [])


def test_all_of_time_is_whole_days() -> None:
    assert cut(between(None, None)) == ([Stretch(0, LAST)], [], [])


@given(st.integers(0, LAST))
def test_an_instant_is_its_millisecond(ms: int) -> None:
    assert milliseconds(instant(ms)) == ms
    assert instant(ms) - EPOCH == timedelta(milliseconds=ms)


@given(st.lists(st.integers(0, 3)), st.integers(0, 12))
def test_the_nth_is_found_in_its_stretch(counts: list[int], offset: int) -> None:
    counted: list[Counted] = [(k, k + 1, n) for k, n in enumerate(counts)]
    each = [(entry, k) for entry in counted for k in range(entry[2])]

    assert seek(counted, offset) == (each[offset] if offset < len(each) else None)


def test_what_is_taken_off_goes_off_its_own_stretch() -> None:
    counted: list[Counted] = [(DAY, 2 * DAY, 6), (MINUTE, 2 * MINUTE, 5), (30_000, MINUTE, 4)]

    left = less(counted, {0: 1, MINUTE: 2, DAY: 3, 2 * DAY - MINUTE: 1})

    assert left == [(DAY, 2 * DAY, 2), (MINUTE, 2 * MINUTE, 3), (30_000, MINUTE, 3)]


@given(st.lists(st.integers(0, 3)), st.integers(0, 12), st.integers(1, 5))
def test_a_window_is_the_stretches_that_its_rows_are_in(counts: list[int], offset: int, limit: int) -> None:
    counted: list[Counted] = [(k, k + 1, n) for k, n in enumerate(counts)]
    each = [k for k, n in enumerate(counts) for _ in range(n)]

    chosen, before = window(counted, offset, limit)

    assert [stretch.first for stretch in chosen] == sorted(set(each[offset : offset + limit]))
    if chosen:
        assert [k for k in each if k in dict(chosen)][before : before + limit] == each[
            offset : offset + limit
        ]


@given(MOMENTS, MOMENTS)
def test_the_hours_of_a_range_and_what_is_left_are_the_range(one: int, other: int) -> None:
    whole = Stretch(*sorted((one, other)))

    inner, rests = in_hours(whole)

    pieces = sorted([*rests, *([inner] if inner else [])])
    assert sum(end - first for first, end in pieces) == whole.end - whole.first
    assert all(before.end == after.first for before, after in pairwise(pieces))
    assert inner is None or (inner.first % HOUR, inner.end % HOUR) == (0, 0)
    assert all(rest.end - rest.first < HOUR or not inner for rest in rests)
