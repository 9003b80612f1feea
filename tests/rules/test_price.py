"""Prices: the fold over the rules, exact to the end, and told step by step."""

from datetime import UTC, datetime, timedelta, timezone
from fractions import Fraction
from itertools import pairwise
from uuid import UUID, uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ulak.rules.money import MICRO, parse_signed
from ulak.rules.price import Explanation, Rule, effective, explain

NOW = datetime(2026, 3, 10, 12, tzinfo=UTC)
SECOND = timedelta(seconds=1)


def rule(kind: str, value: str, scope: str = "everyone", position: int = 1, **when: object) -> Rule:
    """A rule with its value as an operator writes it: "-10" percent, "0.25" of the currency."""
    return Rule(uuid4(), position, scope, kind, parse_signed(value), **when)  # type: ignore[arg-type]


def price_of(base: str, *rules: Rule, volume: int = 0, at: datetime = NOW) -> int:
    """The price both ways, which have to agree."""
    price = effective(parse_signed(base), rules, volume, at)
    assert explain(parse_signed(base), rules, volume, at).price == price
    return price


def told(base: str, *rules: Rule, volume: int = 0) -> Explanation:
    return explain(parse_signed(base), rules, volume, NOW)


RULES = st.builds(
    Rule,
    id=st.uuids(),
    position=st.integers(1, 50),
    scope=st.sampled_from(["everyone", "organization", "user"]),
    kind=st.sampled_from(["fixed", "percent", "amount"]),
    value=st.integers(-3 * 10**8, 3 * 10**8),
    from_volume=st.none() | st.integers(0, 10),
    starts=st.none() | st.sampled_from([NOW - SECOND, NOW, NOW + SECOND]),
    ends=st.none() | st.sampled_from([NOW - SECOND, NOW, NOW + SECOND]),
)
RULE_SETS = st.lists(RULES, max_size=8, unique_by=lambda rule: rule.position)
BASES = st.integers(0, 10**10)
VOLUMES = st.integers(0, 12)


def by_the_book(base: int, rules: list[Rule], volume: int, at: datetime) -> int:
    """The issue's words once more, in fractions."""
    price = Fraction(base)
    for scope in ("everyone", "organization", "user"):
        for one in sorted((r for r in rules if r.scope == scope), key=lambda r: r.position):
            early = one.starts is not None and at < one.starts
            late = one.ends is not None and at >= one.ends
            if early or late or volume < (one.from_volume or 0):
                continue
            if one.kind == "fixed":
                price = Fraction(one.value)
            elif one.kind == "percent":
                price += price * Fraction(one.value, 10**6) / 100
            else:
                price += one.value
    return max(round(price), 0)


@given(BASES, RULE_SETS, VOLUMES)
def test_the_price_is_what_the_rules_say(base: int, rules: list[Rule], volume: int) -> None:
    assert effective(base, rules, volume, NOW) == by_the_book(base, rules, volume, NOW)


@given(BASES, RULE_SETS, VOLUMES)
def test_the_explained_price_is_the_price(base: int, rules: list[Rule], volume: int) -> None:
    explained = explain(base, rules, volume, NOW)

    assert explained.price == effective(base, rules, volume, NOW)
    assert explained.price == explained.steps[-1].after


@given(BASES, RULE_SETS, VOLUMES)
def test_an_explanation_tells_every_rule_once_and_each_step_begins_where_the_last_ended(
    base: int, rules: list[Rule], volume: int
) -> None:
    steps = explain(base, rules, volume, NOW).steps

    assert sorted(step.rule_id for step in steps[1:-1] if step.rule_id) == sorted(one.id for one in rules)
    assert steps[0].before == steps[0].after == base
    assert all(earlier.after == later.before for earlier, later in pairwise(steps))
    assert all(step.before == step.after for step in steps if not step.applied)


@given(BASES, RULE_SETS, VOLUMES, st.randoms())
def test_the_order_in_which_rules_are_given_does_not_matter(
    base: int, rules: list[Rule], volume: int, random: object
) -> None:
    shuffled = list(rules)
    random.shuffle(shuffled)  # type: ignore[attr-defined]

    assert effective(base, shuffled, volume, NOW) == effective(base, rules, volume, NOW)


def test_without_rules_the_base_price_stands() -> None:
    assert price_of("1") == MICRO


@pytest.mark.parametrize(
    ("kind", "value", "price"),
    [
        ("fixed", "0.8", "0.8"),
        ("fixed", "0", "0"),
        ("percent", "10", "2.2"),
        ("percent", "-10", "1.8"),
        ("percent", "-100", "0"),
        ("percent", "0.000001", "2.00000002"),
        ("amount", "0.25", "2.25"),
        ("amount", "-0.25", "1.75"),
    ],
)
def test_each_kind_of_rule(kind: str, value: str, price: str) -> None:
    assert price_of("2", rule(kind, value)) == round(Fraction(price) * MICRO)


def test_everyones_rules_come_first_then_the_organizations_then_the_users() -> None:
    users = rule("percent", "50", "user", position=1)
    organizations = rule("amount", "1", "organization", position=2)
    everyones = rule("fixed", "3", "everyone", position=3)

    assert price_of("1", users, organizations, everyones) == 6 * MICRO


def test_within_a_scope_the_older_rule_comes_first() -> None:
    assert price_of("1", rule("percent", "100", position=9), rule("amount", "1", position=2)) == 4 * MICRO


def test_a_fixed_price_forgets_all_before_it() -> None:
    rules = rule("percent", "33.333333", position=1), rule("fixed", "0.5", position=2)

    assert price_of("1", *rules) == 500_000


@pytest.mark.parametrize(("volume", "price"), [(0, 100), (999, 100), (1000, 80), (1001, 80), (10**9, 80)])
def test_a_volume_rule_counts_from_its_volume_upward(volume: int, price: int) -> None:
    assert price_of("1", rule("fixed", "0.8", from_volume=1000), volume=volume) == price * 10_000


@pytest.mark.parametrize(
    ("at", "counts"),
    [(NOW - SECOND / 1000, False), (NOW, True), (NOW + SECOND * 59.999, True), (NOW + SECOND * 60, False)],
)
def test_a_rule_counts_from_its_start_on_and_before_its_end(at: datetime, counts: bool) -> None:
    limited = rule("fixed", "0.5", starts=NOW, ends=NOW + SECOND * 60)

    assert price_of("1", limited, at=at) == (500_000 if counts else MICRO)


def test_moments_are_compared_across_time_zones() -> None:
    istanbul = timezone(timedelta(hours=3))
    limited = rule("fixed", "0.5", starts=datetime(2026, 3, 10, 15, tzinfo=istanbul))

    assert price_of("1", limited, at=NOW) == 500_000


def test_nothing_is_rounded_on_the_way() -> None:
    third_off_and_on = rule("percent", "-50", position=1), rule("percent", "100", position=2)

    assert price_of("0.000001", *third_off_and_on) == 1


@pytest.mark.parametrize(
    ("base", "price"), [("0.000001", 0), ("0.000003", 2), ("0.000005", 2), ("0.000007", 4)]
)
def test_a_half_is_rounded_to_the_even_micro_unit(base: str, price: int) -> None:
    assert price_of(base, rule("percent", "-50")) == price


@pytest.mark.parametrize(
    ("percent", "price"),
    [("-49.999999", 1), ("-50", 0), ("-50.000001", 0), ("49.999999", 1), ("50.000001", 2)],
)
def test_more_or_less_than_a_half_is_rounded_to_the_nearest(percent: str, price: int) -> None:
    assert price_of("0.000001", rule("percent", percent)) == price


def test_a_price_below_zero_is_free_of_charge() -> None:
    assert price_of("1", rule("amount", "-1.5")) == 0


def test_a_price_may_be_below_zero_on_the_way() -> None:
    assert price_of("1", rule("amount", "-3", position=1), rule("amount", "2.5", position=2)) == 500_000


def test_an_explanation_reads_like_this() -> None:
    later = datetime(2026, 4, 1, tzinfo=UTC)
    rules = [
        rule("percent", "-10", "everyone", position=1),
        rule("fixed", "0.7", "everyone", position=2, starts=later),
        rule("fixed", "0.6", "everyone", position=3, ends=NOW),
        rule("amount", "-0.05", "organization", position=4),
        rule("percent", "12.5", "organization", position=5, from_volume=1000),
        rule("percent", "0.0001", "user", position=6),
    ]

    explained = told("1", *rules, volume=20)

    assert [step.text for step in explained.steps] == [
        "The service's base price is 1.",
        "Everyone's rule to take off 10 %: 1 becomes 0.9.",
        "Everyone's rule to set the price to 0.7 is skipped: it starts at 2026-04-01 00:00:00+00:00.",
        "Everyone's rule to set the price to 0.6 is skipped: it ended at 2026-03-10 12:00:00+00:00.",
        "The organization's rule to take off 0.05: 0.9 becomes 0.85.",
        "The organization's rule to add 12.5 % is skipped: it counts from 1000 messages a month, and 20 were sent.",
        "The user's rule to add 0.0001 %: 0.85 becomes 0.85000085.",
        "The price is 0.850001: 0.85000085 rounded to six decimals, half to even.",
    ]
    assert [step.applied for step in explained.steps] == [True, True, False, False, True, False, True, True]
    assert [step.rule_id for step in explained.steps] == [None, *(one.id for one in rules), None]
    assert explained.steps[-2].after == Fraction(85_000_085, 100)


def test_an_explanation_says_when_nothing_is_left_to_pay() -> None:
    assert told("1", rule("amount", "-1.25")).steps[-1].text == "The price is 0.000000: -0.25 is below zero."


def test_an_explanation_says_nothing_of_rounding_where_there_was_none() -> None:
    assert [step.text for step in told("0.5").steps] == [
        "The service's base price is 0.5.",
        "The price is 0.500000.",
    ]


def test_a_rule_is_known_by_its_id() -> None:
    known = UUID("bb59f6f7-dc35-47c9-8874-673ad4f70518")

    explained = explain(MICRO, [Rule(known, 1, "user", "fixed", 0)], 0, NOW)

    assert explained.steps[1].rule_id == known
