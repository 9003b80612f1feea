"""The price of a message: a service's base price, and the rules that change it for a caller.

In: the base price, the rules that concern a caller, how much they sent this month, and the moment. Out: one price
in micro-units, quickly, or every step to it in words. Both come from the same fold over the same rules. Which
rules concern a caller is decided where they are read.

Rules are taken in the order everyone's, the organization's, the user's, and within each by creation. In between
the price is exact, and may be below zero; at the end it is rounded to a micro-unit, half to even, and is never
below 0.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from fractions import Fraction
from typing import Final, Literal
from uuid import UUID

from ulak.rules import money

WhyNot = Literal["not yet", "over", "volume"]
"""Why a rule doesn't count now: it starts later, it has ended, or too few messages were sent this month."""

_RANK: Final = {"everyone": 0, "organization": 1, "user": 2}
_WHOSE: Final = {"everyone": "Everyone's", "organization": "The organization's", "user": "The user's"}
_PERCENT: Final = money.MICRO
"""One percent, as a rule's value holds it."""
_WHOLE: Final = 100 * _PERCENT


@dataclass(frozen=True, slots=True)
class Rule:
    """One change to a price.

    `position` is its place in the order of creation. `value` is in micro-units for `fixed`, which replaces the
    price, and `amount`, which is added to it, and in millionths of a percent for `percent`, which adds that share
    of it; the last two may be negative. The rule counts from a volume of `from_volume` messages a month upward,
    from `starts` on and before `ends`, each where given.
    """

    id: UUID
    position: int
    scope: Literal["everyone", "organization", "user"]
    kind: Literal["fixed", "percent", "amount"]
    value: int
    from_volume: int | None = None
    starts: datetime | None = None
    ends: datetime | None = None


@dataclass(frozen=True, slots=True)
class Step:
    """One step to a price, as a sentence, with the exact price before and after it in micro-units.

    `rule_id` is None for the base price and for the rounding at the end; `applied` is False for a rule that does
    not count now, whose sentence says why; for a `rule`, which it is and why not are there by themselves.
    """

    text: str
    rule_id: UUID | None
    before: Fraction
    after: Fraction
    applied: bool = True
    rule: Rule | None = None
    why_not: WhyNot | None = None


@dataclass(frozen=True, slots=True)
class Explanation:
    """Every step to a price, and the price in micro-units."""

    steps: tuple[Step, ...]
    price: int


@dataclass(frozen=True, slots=True)
class _Exact:
    """A price in between: `units / scale` micro-units, in whole numbers so that nothing is lost."""

    units: int
    scale: int = 1

    def after(self, rule: Rule) -> "_Exact":
        """The price once a rule has changed it."""
        if rule.kind == "fixed":
            return _Exact(rule.value)
        if rule.kind == "amount":
            return _Exact(self.units + rule.value * self.scale, self.scale)
        return _Exact(self.units * (_WHOLE + rule.value), self.scale * _WHOLE)

    def settled(self) -> int:
        """The price in the end: rounded half to even, never below 0."""
        whole, rest = divmod(self.units, self.scale)
        upward = 2 * rest > self.scale or (2 * rest == self.scale and whole % 2 == 1)
        return max(whole + upward, 0)

    @property
    def fraction(self) -> Fraction:
        """The same in micro-units."""
        return Fraction(self.units, self.scale)

    def __str__(self) -> str:
        """The same in units of the currency, with every digit that it has; the scale is a power of ten."""
        one = self.scale * money.MICRO
        whole, rest = divmod(abs(self.units), one)
        digits = f"{rest:0{len(str(one)) - 1}d}".rstrip("0")
        return f"{'-' if self.units < 0 else ''}{whole}{'.' if digits else ''}{digits}"


def effective(base: int, rules: Sequence[Rule], volume: int, at: datetime) -> int:
    """The price in micro-units, for one who sent `volume` messages this month, at a moment with a time zone."""
    price = _Exact(base)
    for rule in in_order(rules):
        if _why_not(rule, volume, at) is None:
            price = price.after(rule)
    return price.settled()


def explain(base: int, rules: Sequence[Rule], volume: int, at: datetime) -> Explanation:
    """The same price, with every step to it: the base, each rule that counts or why it doesn't, the rounding."""
    price = _Exact(base)
    steps = [Step(f"The service's base price is {price}.", None, price.fraction, price.fraction)]
    for rule in in_order(rules):
        why_not = _why_not(rule, volume, at)
        after = price.after(rule) if why_not is None else price
        steps.append(_step(rule, why_not, volume, price, after))
        price = after
    settled = price.settled()
    steps.append(Step(_ending(price, settled), None, price.fraction, Fraction(settled)))
    return Explanation(tuple(steps), settled)


def in_order(rules: Iterable[Rule]) -> list[Rule]:
    """Rules in the order in which they change a price."""
    return sorted(rules, key=lambda rule: (_RANK[rule.scope], rule.position))


def _why_not(rule: Rule, volume: int, at: datetime) -> WhyNot | None:
    """Why a rule doesn't count now; None when it does."""
    if rule.starts is not None and at < rule.starts:
        return "not yet"
    if rule.ends is not None and at >= rule.ends:
        return "over"
    if rule.from_volume is not None and volume < rule.from_volume:
        return "volume"
    return None


def _step(rule: Rule, why_not: WhyNot | None, volume: int, before: _Exact, after: _Exact) -> Step:
    """A rule as a step: what it made of the price, or why it made nothing of it."""
    what = f"{_WHOSE[rule.scope]} rule to {_effect(rule)}"
    text = f"{what}: {before} becomes {after}."
    if why_not is not None:
        text = f"{what} is skipped: {_reason(rule, why_not, volume)}."
    return Step(text, rule.id, before.fraction, after.fraction, why_not is None, rule, why_not)


def _reason(rule: Rule, why_not: WhyNot, volume: int) -> str:
    if why_not == "not yet" and rule.starts:
        return f"it starts at {_time(rule.starts)}"
    if why_not == "over" and rule.ends:
        return f"it ended at {_time(rule.ends)}"
    return f"it counts from {rule.from_volume} messages a month, and {volume} were sent"


def _effect(rule: Rule) -> str:
    if rule.kind == "fixed":
        return f"set the price to {money.short(rule.value)}"
    unit = " %" if rule.kind == "percent" else ""
    return f"{'take off' if rule.value < 0 else 'add'} {money.short(abs(rule.value))}{unit}"


def _ending(price: _Exact, settled: int) -> str:
    """The last step's sentence."""
    written = money.fixed(settled)
    if price.units < 0:
        return f"The price is {written}: {price} is below zero."
    if settled * price.scale != price.units:
        return f"The price is {written}: {price} rounded to six decimals, half to even."
    return f"The price is {written}."


def _time(at: datetime) -> str:
    return at.isoformat(sep=" ", timespec="seconds")
