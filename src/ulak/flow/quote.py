"""A quote: what sending something would come to, before anybody presses the button.

In: the order that a request would become, which `flow.accept` makes as it makes those that are paid, and the request's
own lists. Out: a `Quote`: who would get it, who would not and why, in how many parts, at which price, from how much
credit. Keeps nothing. It holds for the moment it was made: a price rule, a top-up or another sending may come between.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal, NamedTuple

from ulak.base.db import Tx
from ulak.flow.directory import Terms
from ulak.flow.order import Order
from ulak.rules import phone, segments
from ulak.store import credits, volumes

LEFT_OUT_MAX: Final = 20
"""Recipients that are named; all of them are counted."""
RAW_MAX: Final = 40
"""Characters of what was written that are shown."""

Reason = Literal[phone.Reason, "repeated", "no_route"]
"""Why somebody would get nothing: of the number (`phone.why_not`), a repeat of one before it (with the same text), or
no carrier of the service goes there."""


class LeftOut(NamedTuple):
    """Somebody who would get nothing: the place in the request, counted from 0, what was written there (`RAW_MAX`
    characters of it), and why."""

    position: int
    raw: str
    reason: Reason


class Parts(NamedTuple):
    """How the texts travel; where there are several, the least and the most of any.

    `units_left` is how many more septets or UTF-16 units the last part of the only text would hold; None for several.
    """

    characters: tuple[int, int]
    segments: tuple[int, int]
    encodings: frozenset[segments.Encoding]
    units_left: int | None


@dataclass(frozen=True, slots=True)
class Draft:
    """An order that nobody pays, and what of the request is not in it."""

    order: Order
    left_out: tuple[LeftOut, ...]
    reasons: Mapping[Reason, int]
    parts: Parts


@dataclass(frozen=True, slots=True)
class Quote:
    """What a request would come to. Amounts are micro-units.

    `n_valid + n_repeated + n_invalid` are all of its numbers; `reasons` counts those left out, `left_out` names the
    first of them. `unit_price` is for one message or segment, as `terms.service.billing` says; `cost` for everything.
    """

    terms: Terms
    n_valid: int
    n_repeated: int
    n_invalid: int
    reasons: Mapping[Reason, int]
    left_out: tuple[LeftOut, ...]
    parts: Parts
    unit_price: int
    cost: int
    balance: int

    @property
    def currency(self) -> str:
        """What the amounts are in."""
        return self.terms.service.currency

    @property
    def remaining(self) -> int:
        """What the credit would hold afterwards; below 0 it is not enough, and sending would be refused."""
        return self.balance - self.cost


def draft(order: Order, to: Sequence[str], texts: str | Sequence[str]) -> Draft:
    """An order made from these lists, with everybody who is not in it. Slow for many: not for the event loop."""
    reasons: Counter[Reason] = Counter()
    named: list[LeftOut] = []
    for one in _left_out(order, to, texts) if order.n_invalid else ():
        reasons[one.reason] += 1
        if len(named) < LEFT_OUT_MAX:
            named.append(one)
    return Draft(order, tuple(named), reasons, _parts(order.texts or texts, order.terms.style))


async def price(tx: Tx, its: Draft) -> Quote:
    """A draft at the price that would hold now."""
    order, n_repeated = its.order, its.reasons.get("repeated", 0)
    sent = await volumes.accepted(tx, *order.volume) if order.terms.by_volume else 0
    unit_price = order.terms.unit_price(sent, order.at)
    return Quote(
        terms=order.terms,
        n_valid=len(order.recipients),
        n_repeated=n_repeated,
        n_invalid=order.n_invalid - n_repeated,
        reasons=its.reasons,
        left_out=its.left_out,
        parts=its.parts,
        unit_price=unit_price,
        cost=order.cost(unit_price),
        balance=await credits.balance(tx, *order.credit),
    )


def _left_out(order: Order, to: Sequence[str], texts: str | Sequence[str]) -> Iterator[LeftOut]:
    """Who is not in the order. It tells by itself who can be sent to: the first of those it has is the one it has."""
    foreign = order.terms.service.foreign_numbers
    its = [order.texts] * len(order.recipients) if isinstance(order.texts, str) else order.texts
    written = [texts] * len(to) if isinstance(texts, str) else texts
    kept = set(zip(order.recipients, its, strict=True))
    still = kept.copy()
    for position, (raw, text) in enumerate(zip(to, written, strict=True)):
        number = phone.normalise(raw, foreign=foreign)
        if number is None:
            yield LeftOut(position, raw[:RAW_MAX], phone.why_not(raw, foreign=foreign))
        elif (number, text) in still:
            still.remove((number, text))
        else:
            yield LeftOut(position, raw[:RAW_MAX], "repeated" if (number, text) in kept else "no_route")


def _parts(texts: str | Sequence[str], style: segments.Style) -> Parts:
    """How they travel over the carrier that is asked first, which is what is paid for."""
    distinct = {texts} if isinstance(texts, str) else set(texts)
    lengths, counts, encodings, left = set(), set(), set(), None
    for text in distinct:
        encoded = segments.split(text, style)
        lengths.add(len(text))
        counts.add(encoded.segments)
        encodings.add(encoded.encoding)
        left = encoded.units_left
    return Parts(
        (min(lengths, default=0), max(lengths, default=0)),
        (min(counts, default=0), max(counts, default=0)),
        frozenset(encodings),
        left if len(distinct) == 1 else None,
    )
