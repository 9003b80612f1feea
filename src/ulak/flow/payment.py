"""Payment: one transaction that charges orders and writes everything there is to know of them.

In: orders. Out: what becomes of each (`Decision`). The usual case is one round trip: names, charges and rows are one
statement, and when every credit could pay and every name was free, that was all. When something was in the way nothing
of it stays, and the orders are decided once more with care: every credit is locked and charged for all its orders by
one statement; a credit that cannot pay them all is asked order by order, in the order they came, so that one that
cannot pay fails alone. A big order goes in a transaction of its own, messages first and charge last, so that it holds
up nobody's code.
"""

from collections.abc import Iterable, Iterator, Sequence
from typing import Final, NamedTuple
from uuid import UUID

from ulak.base import metrics
from ulak.base.db import Database, Tx, Write, write
from ulak.flow import pulse
from ulak.flow.order import Order
from ulak.flow.pulse import What
from ulak.rules import money
from ulak.rules.refusal import Code, Refused, said
from ulak.store import credits, idempotency, messages, notices, queue, sendings, volumes

POOR_MAX: Final = 10_000


class Priced(NamedTuple):
    """An order and what one unit of it costs."""

    order: Order
    unit_price: int

    @property
    def charge(self) -> credits.Charge:
        """What the order takes from its credit."""
        return credits.Charge(*self.order.credit, self.order.id, self.order.cost(self.unit_price))


#: What becomes of an order: written at this unit price, answered by an earlier twin, or refused.
Decision = int | idempotency.Claim | Refused


class _InTheWayError(Exception):
    """Not every credit could pay, or not every name was free: nothing was written."""


class Payment:
    """`decide` orders, each group in one transaction."""

    def __init__(self, db: Database, *, bulk_min: int, run_max: int) -> None:
        self._db = db
        self._bulk_min = bulk_min
        self._run_max = run_max
        self._poor: set[tuple[UUID, UUID]] = set()  # credits that could not pay when they were asked last

    def is_big(self, order: Order) -> bool:
        """Whether an order goes in a transaction of its own."""
        return len(order.recipients) > self._bulk_min

    def needs_care(self, order: Order) -> bool:
        """Whether an order can only be decided step by step, or probably has to be."""
        return order.terms.by_volume or self.is_big(order) or order.credit in self._poor

    async def decide(self, orders: Sequence[Order]) -> list[Decision]:
        """Charge and write what can be paid; the names of no two orders are the same.

        All of them or none are such as need care: one that cannot pay is to cost the others nothing.
        """
        decisions = None
        if not self.needs_care(orders[0]):
            decisions = await self._at_once(orders)
        if decisions is None:
            decisions = await self._with_care(orders)
        paid = [order for order, decision in zip(orders, decisions, strict=True) if isinstance(decision, int)]
        metrics.ORDERS_TOGETHER.observe(len(orders))
        metrics.ACCEPTED.inc(sum(len(order.recipients) for order in paid))
        for order in paid:
            pulse.count(What.SENDINGS, label=order.source)
            pulse.count(What.MESSAGES, len(order.recipients), label=order.source)
        return decisions

    async def _at_once(self, orders: Sequence[Order]) -> list[Decision] | None:
        """Decide orders of which each is likely to be paid; None when it has to be done with care."""
        paid = [Priced(order, order.terms.unit_price(0, order.at)) for order in orders]
        sums = _sums(paid)
        claims = [order.claim for order in orders if order.claim]
        first = (
            [idempotency.to_claim(claims, orders[0].at)] if claims else []
        )  # locked in this order everywhere
        first += [credits.to_take(sums)] if sums else []
        hoped_for = [n for n in (len(claims), len(sums)) if n]
        try:
            async with self._db.transaction() as tx:
                got = await write(tx, *first, *self._rows(paid))
                if got[: len(first)] != hoped_for:
                    raise _InTheWayError
        except _InTheWayError:
            return None
        return [unit_price for _, unit_price in paid]

    async def _with_care(self, orders: Sequence[Order]) -> list[Decision]:
        """Names, prices, charges, rows: one after the other."""
        async with self._db.transaction() as tx:
            decisions = await _answered_before(tx, orders)
            new = [order for order in orders if order.id not in decisions]
            if new and self.is_big(new[0]):
                decisions |= await self._pay_big(tx, new[0])
            elif new:
                decisions |= await _charge(tx, new)
                paid = _written(new, decisions)
                if paid:
                    await write(tx, *self._rows(paid))
            await _forget_names(tx, new, decisions)
        self._remember(new, decisions)
        return [decisions[order.id] for order in orders]

    def _remember(self, orders: Sequence[Order], decisions: dict[UUID, Decision]) -> None:
        """Which credits could not pay: they are asked with care, until they can."""
        if len(self._poor) > POOR_MAX:
            self._poor.clear()
        for order in orders:
            if isinstance(decisions[order.id], Refused):
                self._poor.add(order.credit)
            else:
                self._poor.discard(order.credit)

    async def _pay_big(self, tx: Tx, order: Order) -> dict[UUID, Decision]:
        """A big order by itself: the long work first, the charge, which others wait for, last."""
        volume = 0
        if order.terms.by_volume:
            volume = (await volumes.add(tx, [(order.volume, 0)]))[order.volume]
        priced = Priced(order, order.terms.unit_price(volume, order.at))
        held = await credits.balance(tx, *order.credit)
        if held < priced.charge.amount:
            return {order.id: _too_little(held, priced.charge.amount)}
        await messages.copy(tx, order.messages(priced.unit_price))
        decision = await _charge_one(tx, priced)
        if isinstance(decision, Refused):
            raise decision  # rolls the messages back
        await write(tx, *self._rows([priced], copied=True))
        return {order.id: decision}

    def _rows(self, paid: Sequence[Priced], *, copied: bool = False) -> Iterator[Write]:
        """Everything there is to know of orders that are charged; `copied`: their messages are there already."""
        new = [order.sending(unit_price) for order, unit_price in paid]
        yield sendings.to_add(new)
        if not copied:
            yield messages.to_add(row for order, unit_price in paid for row in order.messages(unit_price))
        yield queue.to_add([run for order, _ in paid for run in order.runs(self._run_max)])
        charges = [priced.charge for priced in paid]
        if charges := [charge for charge in charges if charge.amount > 0]:
            yield credits.to_write_charges(charges, paid[0].order.at)
        yield volumes.to_add(_counts(order for order, _ in paid))
        yield sendings.to_tally(new)
        yield notices.to_tell_of_work(carrier for order, _ in paid for carrier in order.goes_over)


def _sums(paid: Sequence[Priced]) -> list[tuple[UUID, UUID, int]]:
    """What each credit is to pay, as (tenant, owner, amount); one that pays nothing is not asked."""
    sums: dict[tuple[UUID, UUID], int] = {}
    for priced in paid:
        credit = priced.order.credit
        sums[credit] = sums.get(credit, 0) + priced.charge.amount
    return [(*credit, amount) for credit, amount in sums.items() if amount]


async def _answered_before(tx: Tx, orders: Sequence[Order]) -> dict[UUID, Decision]:
    """Claim the names of named orders; what a twin has taken in the meantime is answered by that twin."""
    claims = [order.claim for order in orders if order.claim]
    if not claims:
        return {}
    got = await idempotency.claim(tx, claims, orders[0].at)
    answered: dict[UUID, Decision] = {}
    for claim in claims:
        if claim.sending_id not in got:
            earlier = await idempotency.find(tx, claim.name, orders[0].at)
            answered[claim.sending_id] = earlier or unavailable()
    return answered


async def _charge(tx: Tx, orders: Sequence[Order]) -> dict[UUID, Decision]:
    """Charge orders to their credits: all of a credit's at once, or one by one where that is not enough.

    A price that depends on the volume depends on which orders before it were paid, so a credit with such an
    order is asked one by one as well.
    """
    by_credit: dict[tuple[UUID, UUID], list[Order]] = {}
    for order in orders:
        by_credit.setdefault(order.credit, []).append(order)
    priced = {
        credit: [Priced(order, order.terms.unit_price(0, order.at)) for order in its]
        for credit, its in by_credit.items()
        if not any(order.terms.by_volume for order in its)
    }
    sums = [(*credit, sum(p.charge.amount for p in its)) for credit, its in priced.items()]
    paid = await credits.take_sums(tx, sums) if sums else set()
    decisions: dict[UUID, Decision] = {p.order.id: p.unit_price for credit in paid for p in priced[credit]}
    rest = [order for order in orders if order.id not in decisions]
    return decisions | await _charge_in_turn(tx, rest)


async def _charge_in_turn(tx: Tx, orders: Sequence[Order]) -> dict[UUID, Decision]:
    """Charge orders one after the other, each at the price after those that were paid before it."""
    counters = sorted({order.volume for order in orders if order.terms.by_volume})
    counted = await volumes.add(tx, [(counter, 0) for counter in counters]) if counters else {}
    decisions: dict[UUID, Decision] = {}
    for order in orders:
        unit_price = order.terms.unit_price(counted.get(order.volume, 0), order.at)
        decision = await _charge_one(tx, Priced(order, unit_price))
        if isinstance(decision, int) and order.volume in counted:
            counted[order.volume] += len(order.recipients)
        decisions[order.id] = decision
    return decisions


async def _charge_one(tx: Tx, priced: Priced) -> Decision:
    charge = priced.charge
    if charge.amount == 0 or await credits.take_sums(
        tx, [(charge.tenant_id, charge.owner_id, charge.amount)]
    ):
        return priced.unit_price
    return _too_little(await credits.balance(tx, charge.tenant_id, charge.owner_id), charge.amount)


async def _forget_names(tx: Tx, new: Sequence[Order], decisions: dict[UUID, Decision]) -> None:
    """Only an accepted request keeps its name: a refused one may come again."""
    names = [order.claim.name for order in new if order.claim and isinstance(decisions[order.id], Refused)]
    if names:
        await idempotency.give_up(tx, names)


def _written(orders: Sequence[Order], decisions: dict[UUID, Decision]) -> list[Priced]:
    pairs = ((order, decisions[order.id]) for order in orders)
    return [Priced(order, decision) for order, decision in pairs if isinstance(decision, int)]


def _counts(orders: Iterable[Order]) -> list[tuple[volumes.Volume, int]]:
    sums: dict[volumes.Volume, int] = {}
    for order in orders:
        sums[order.volume] = sums.get(order.volume, 0) + len(order.recipients)
    return list(sums.items())


def _too_little(held: int, asked: int) -> Refused:
    return Refused(
        Code.INSUFFICIENT_CREDIT,
        said(
            "The request costs {asked} and the credit holds {held}; nothing was charged.",
            asked=money.Amount(asked),
            held=money.Amount(held),
        ),
    )


def unavailable() -> Refused:
    """The database is away, or nobody can tell."""
    return Refused(
        Code.UNAVAILABLE, "The service cannot keep messages at the moment; try again.", retry_after=1
    )
