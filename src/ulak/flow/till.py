"""The till: where orders are paid and written, many in one transaction.

While one transaction is in flight the next orders gather, and then go together: an order costs a share of a
commit instead of a commit, and an idle till answers at once because nothing waits for a timer. Inside, every
credit is locked and charged for all its orders by one statement; a credit that cannot pay them all is asked
order by order, in the order they came, so that one that cannot pay fails alone. A big order goes in a
transaction of its own, messages first and charge last, so that it holds up nobody's code.
"""

import asyncio
from collections.abc import Iterable, Sequence
from typing import Final, NamedTuple
from uuid import UUID

import structlog

from ulak.base import metrics
from ulak.base.db import COLLISION, UNREACHABLE, Database, Tx
from ulak.flow.order import Order
from ulak.rules import money
from ulak.rules.refusal import Code, Refused
from ulak.store import credits, idempotency, messages, notices, queue, sendings, volumes

TRIES_MAX: Final = 5
BULKS_AT_ONCE_MAX: Final = 2

_log = structlog.get_logger(__name__)


class Priced(NamedTuple):
    """An order and what one unit of it costs."""

    order: Order
    unit_price: int

    @property
    def charge(self) -> credits.Charge:
        """What the order takes from its credit."""
        return credits.Charge(*self.order.credit, self.order.id, self.order.cost(self.unit_price))


#: An order, and where its decision goes: the claim of an earlier twin, if there was one.
Waiting = tuple[Order, "asyncio.Future[idempotency.Claim | None]"]

#: What becomes of an order: written at this unit price, answered by an earlier twin, or refused.
Decision = int | idempotency.Claim | Refused


class Till:
    """Takes orders from any number of tasks. `run` it in one task for as long as the server lives."""

    def __init__(self, db: Database, *, orders_max: int, bulk_min: int, run_max: int) -> None:
        self._db = db
        self._orders_max = orders_max
        self._bulk_min = bulk_min
        self._run_max = run_max
        self._waiting: list[Waiting] = []
        self._arrived = asyncio.Event()
        self._bulks = asyncio.Semaphore(BULKS_AT_ONCE_MAX)

    async def pay(self, order: Order) -> idempotency.Claim | None:
        """Pay and write an order; returns once it is committed.

        Returns the claim of an earlier twin if that one has answered this order already; raises `Refused`
        with `insufficient_credit`, or with `unavailable` when the database cannot be reached.
        """
        if len(order.recipients) > self._bulk_min:
            async with self._bulks:
                return _answer((await self._decide_or_say_why([order]))[0])
        answer: asyncio.Future[idempotency.Claim | None] = asyncio.get_running_loop().create_future()
        self._waiting.append((order, answer))
        self._arrived.set()
        return await answer

    async def run(self) -> None:
        """Pay whatever waits, for ever. When this ends, orders still waiting are refused."""
        try:
            while True:
                await self._arrived.wait()
                group = self._next_group()
                decisions = await self._decide_or_say_why([order for order, _ in group])
                for (_, answer), decision in zip(group, decisions, strict=True):
                    if not answer.done():
                        _set(answer, decision)
        finally:
            for _, answer in self._waiting:
                if not answer.done():
                    answer.set_exception(_unavailable())

    def _next_group(self) -> list["Waiting"]:
        """The next orders to go together; of two with the same name only the first, the other waits its turn."""
        group: list[Waiting] = []
        left: list[Waiting] = []
        names: set[idempotency.Name] = set()
        for entry in self._waiting:
            claim = entry[0].claim
            if len(group) >= self._orders_max or (claim and claim.name in names):
                left.append(entry)
                continue
            if claim:
                names.add(claim.name)
            group.append(entry)
        self._waiting = left
        if not left:
            self._arrived.clear()
        return group

    async def _decide_or_say_why(self, orders: list[Order], tries_left: int = TRIES_MAX) -> list[Decision]:
        """Decide orders together; where that fails, in halves, so that a bad one takes nobody with it."""
        try:
            return await self._decide(orders)
        except Refused as refusal:  # of a big order, rolled back whole
            return [refusal]
        except UNREACHABLE as error:
            _log.warning("database_unreachable", error=type(error).__name__)
            return [_unavailable() for _ in orders]
        except Exception as error:  # noqa: BLE001 - whatever it is, the others are not to suffer from it
            if len(orders) > 1:
                half = len(orders) // 2
                first, second = orders[:half], orders[half:]
                return await self._decide_or_say_why(first) + await self._decide_or_say_why(second)
            if isinstance(error, COLLISION):
                return (
                    await self._decide_or_say_why(orders, tries_left - 1) if tries_left else [_unavailable()]
                )
            _log.exception("order_failed", sending=str(orders[0].id))
            return [Refused(Code.INTERNAL, "Something went wrong on our side; nothing was kept.")]

    async def _decide(self, orders: list[Order]) -> list[Decision]:
        """One transaction: names, prices, charges, rows, queue."""
        async with self._db.transaction() as tx:
            decisions = await _answered_before(tx, orders)
            new = [order for order in orders if order.id not in decisions]
            big = len(orders) == 1 and len(orders[0].recipients) > self._bulk_min
            if big and new:
                decisions |= await self._pay_big(tx, new[0])
            else:
                decisions |= await _charge(tx, new)
                await self._write(tx, _written(new, decisions))
            await _forget_names(tx, new, decisions)
        paid = _written(new, decisions)
        metrics.ORDERS_TOGETHER.observe(len(orders))
        metrics.ACCEPTED.inc(sum(len(priced.order.recipients) for priced in paid))
        return [decisions[order.id] for order in orders]

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
        await self._write(tx, [priced], copied=True)
        return {order.id: decision}

    async def _write(self, tx: Tx, paid: Sequence[Priced], *, copied: bool = False) -> None:
        """Everything there is to know of orders that are charged."""
        if not paid:
            return
        if not copied:
            await messages.add(tx, [row for order, unit_price in paid for row in order.messages(unit_price)])
        await queue.add(tx, [run for order, _ in paid for run in order.runs(self._run_max)])
        await credits.write_charges(tx, [priced.charge for priced in paid], paid[0].order.at)
        await volumes.add(tx, _counts(order for order, _ in paid))
        # last, because a tenant's other orders wait for its tallies until this transaction ends
        await sendings.add(tx, [order.sending(unit_price) for order, unit_price in paid])
        await notices.work_waits(tx, (carrier for order, _ in paid for carrier in order.goes_over))


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
            answered[claim.sending_id] = earlier or _unavailable()
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
        f"The request costs {money.short(asked)} and the credit holds {money.short(held)}; nothing was charged.",
    )


def _unavailable() -> Refused:
    return Refused(
        Code.UNAVAILABLE, "The service cannot keep messages at the moment; try again.", retry_after=1
    )


def _answer(decision: Decision) -> idempotency.Claim | None:
    if isinstance(decision, Refused):
        raise decision
    return decision if isinstance(decision, idempotency.Claim) else None


def _set(answer: "asyncio.Future[idempotency.Claim | None]", decision: Decision) -> None:
    if isinstance(decision, Refused):
        answer.set_exception(decision)
    else:
        answer.set_result(_answer(decision))
