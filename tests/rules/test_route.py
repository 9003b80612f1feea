"""Which carriers a number can go over, in which order."""

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ulak.rules.route import Hop, Written, carriers_for, choose, first_for_all, parse

NUMBER = 905321234567
NUMBERS = [905300000000 + 7919 * n for n in range(10_000)]


def test_carriers_are_tried_in_the_operators_order() -> None:
    route = (Hop(3), Hop(1), Hop(2), Hop(1))

    assert carriers_for(route, NUMBER) == [3, 1, 2]


def test_a_carrier_with_prefixes_is_for_numbers_that_begin_so() -> None:
    route = (Hop(1, ("90532", "90533")), Hop(2, ("9055",)), Hop(3))

    assert carriers_for(route, 905321234567) == [1, 3]
    assert carriers_for(route, 905551234567) == [2, 3]
    assert carriers_for(route, 905441234567) == [3]
    assert carriers_for(route[:2], 905441234567) == []


def test_neighbours_with_weights_share_the_numbers_and_stand_in_for_each_other() -> None:
    route = (Hop(1, weight=60), Hop(2, weight=30), Hop(3, weight=10), Hop(4))

    ways = [carriers_for(route, number) for number in NUMBERS]

    first = Counter(way[0] for way in ways)
    assert [round(first[carrier] / len(ways), 1) for carrier in (1, 2, 3)] == [0.6, 0.3, 0.1]
    assert {tuple(sorted(way[:3])) for way in ways} == {(1, 2, 3)}
    assert {way[3] for way in ways} == {4}


def test_a_number_goes_the_same_way_again_and_only_its_own_move_when_a_carrier_goes() -> None:
    route = (Hop(1, weight=50), Hop(2, weight=30), Hop(3, weight=20))
    before = {number: carriers_for(route, number) for number in NUMBERS}

    after = {number: carriers_for(route[:2], number) for number in NUMBERS}

    assert before == {number: carriers_for(route, number) for number in NUMBERS}
    assert all(after[number][0] == way[0] for number, way in before.items() if way[0] != 3)


def test_a_carrier_without_a_weight_between_two_that_share_keeps_its_place() -> None:
    route = (Hop(1, weight=1), Hop(2), Hop(3, weight=1))

    assert {tuple(carriers_for(route, number)) for number in NUMBERS[:100]} == {(1, 2, 3)}


@pytest.mark.parametrize(
    ("route", "first"),
    [
        ((Hop(1),), 1),
        ((Hop(1, weight=5),), 1),
        ((Hop(1), Hop(2, weight=5), Hop(3, weight=5)), 1),
        ((Hop(1, weight=5), Hop(2), Hop(3, weight=5)), 1),
        ((Hop(1, weight=5), Hop(2, weight=5)), None),
        ((Hop(1, ("90",)), Hop(2)), None),
    ],
)
def test_the_first_choice_of_every_number_where_there_is_one(
    route: tuple[Hop, ...], first: int | None
) -> None:
    assert first_for_all(route) == first
    if first is not None:
        assert {carriers_for(route, number)[0] for number in NUMBERS[:100]} == {first}


def test_what_is_avoided_is_taken_only_where_all_are() -> None:
    assert choose([1, 2, 3], frozenset({1})) == 2
    assert choose([1, 2], frozenset({1, 2})) == 1


@given(
    st.builds(
        Written,
        st.text(st.characters(codec="ascii", categories=["L", "Nd", "Zs"]), min_size=1),
        st.lists(st.from_regex(r"[0-9]{1,15}", fullmatch=True), max_size=3).map(tuple),
        st.integers(0, 1000),
    )
)
def test_what_is_shown_can_be_written_again(hop: Written) -> None:
    assert hop in parse(str(hop))


def test_a_name_may_look_like_a_hop() -> None:
    assert list(parse("a:1@2")) == [Written("a:1@2"), Written("a", ("1",), 2)]
    assert list(parse("mail@home")) == [Written("mail@home"), Written("mail@home")]
