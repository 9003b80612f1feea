"""The till: where orders gather, to be paid many in one transaction (`flow.payment`).

While one transaction is in flight the next orders gather, and then go together: an order costs a share of a
commit instead of a commit, and an idle till answers at once because nothing waits for a timer. A big order does not
wait for others, nor they for it.

What comes while the oldest one has waited for too long is refused at once, and so is what has waited for too long when
its turn comes: a queue that grows helps nobody, and whoever comes back in a second finds it shorter. So an order is
answered within that time and a transaction, whatever the database does.
"""

import asyncio
import time
from typing import Final

import structlog

from ulak.base.db import COLLISION, UNREACHABLE, Database
from ulak.flow.order import Order
from ulak.flow.payment import Decision, Payment, unavailable
from ulak.rules.refusal import Code, Refused
from ulak.store import idempotency

TRIES_MAX: Final = 5
BULKS_AT_ONCE_MAX: Final = 2
BULKS_WAITING_MAX: Final = 32
WAIT_SECONDS_MAX: Final = 5.0

_log = structlog.get_logger(__name__)


#: An order, where its decision goes (the claim of an earlier twin, if there was one), and since when it waits.
Waiting = tuple[Order, "asyncio.Future[idempotency.Claim | None]", float]


class Till:
    """Takes orders from any number of tasks. `run` it in one task for as long as the server lives."""

    def __init__(
        self,
        db: Database,
        *,
        orders_max: int,
        bulk_min: int,
        run_max: int,
        wait_seconds_max: float = WAIT_SECONDS_MAX,
    ) -> None:
        self._payment = Payment(db, bulk_min=bulk_min, run_max=run_max)
        self._orders_max = orders_max
        self._wait_seconds_max = wait_seconds_max
        self._n_bulks = 0
        self._waiting: list[Waiting] = []
        self._arrived = asyncio.Event()
        self._bulks = asyncio.Semaphore(BULKS_AT_ONCE_MAX)

    async def pay(self, order: Order) -> idempotency.Claim | None:
        """Pay and write an order; returns once it is committed.

        Returns the claim of an earlier twin if that one has answered this order already; raises `Refused`
        with `insufficient_credit`, or with `unavailable` when the database cannot be reached, or too many wait.
        """
        if self._payment.is_big(order):
            return await self._pay_big(order)
        at = time.monotonic()
        if self._waiting and self._is_late(self._waiting[0], at):
            raise unavailable()
        answer: asyncio.Future[idempotency.Claim | None] = asyncio.get_running_loop().create_future()
        self._waiting.append((order, answer, at))
        self._arrived.set()
        return await answer

    async def _pay_big(self, order: Order) -> idempotency.Claim | None:
        if self._n_bulks >= BULKS_AT_ONCE_MAX + BULKS_WAITING_MAX:
            raise unavailable()
        self._n_bulks += 1
        try:
            async with self._bulks:
                return _answer((await self._decide_or_say_why([order]))[0])
        finally:
            self._n_bulks -= 1

    async def run(self) -> None:
        """Pay whatever waits, for ever. When this ends, orders still waiting are refused."""
        try:
            while True:
                await self._arrived.wait()
                quick: list[Waiting] = []
                careful: list[Waiting] = []
                for entry in self._next_group():
                    (careful if self._payment.needs_care(entry[0]) else quick).append(entry)
                for group in (quick, careful):
                    if group:
                        await self._pay_together(group)
        finally:
            for entry in self._waiting:
                _set(entry, unavailable())

    async def _pay_together(self, group: list["Waiting"]) -> None:
        decisions = await self._decide_or_say_why([order for order, _, _ in group])
        for entry, decision in zip(group, decisions, strict=True):
            _set(entry, decision)

    def _next_group(self) -> list["Waiting"]:
        """The next orders to go together; of two with the same name only the first, the other waits its turn. Those
        that have waited for too long are refused."""
        group: list[Waiting] = []
        left: list[Waiting] = []
        names: set[idempotency.Name] = set()
        now = time.monotonic()
        for entry in self._waiting:
            if self._is_late(entry, now):
                _set(entry, unavailable())
                continue
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

    def _is_late(self, entry: Waiting, now: float) -> bool:
        return now - entry[2] > self._wait_seconds_max

    async def _decide_or_say_why(self, orders: list[Order], tries_left: int = TRIES_MAX) -> list[Decision]:
        """Decide orders together; where that fails, in halves, so that a bad one takes nobody with it."""
        try:
            return await self._payment.decide(orders)
        except Refused as refusal:  # of a big order, rolled back whole
            return [refusal]
        except UNREACHABLE as error:
            _log.warning("database_unreachable", error=type(error).__name__)
            return [unavailable() for _ in orders]
        except Exception as error:  # noqa: BLE001 - whatever it is, the others are not to suffer from it
            if len(orders) > 1:
                half = len(orders) // 2
                first, second = orders[:half], orders[half:]
                return await self._decide_or_say_why(first) + await self._decide_or_say_why(second)
            if isinstance(error, COLLISION):
                return (
                    await self._decide_or_say_why(orders, tries_left - 1) if tries_left else [unavailable()]
                )
            _log.exception("order_failed", sending=orders[0].id)
            return [Refused(Code.INTERNAL, "Something went wrong on our side; nothing was kept.")]


def _answer(decision: Decision) -> idempotency.Claim | None:
    if isinstance(decision, Refused):
        raise decision
    return decision if isinstance(decision, idempotency.Claim) else None


def _set(entry: Waiting, decision: Decision) -> None:
    _, answer, _ = entry
    if answer.done():  # nobody waits for it any more
        return
    if isinstance(decision, Refused):
        answer.set_exception(decision)
    else:
        answer.set_result(_answer(decision))
