"""Settling: the only place where a message ends.

In: which messages ended and how. In one transaction, which the caller has opened: the status, the refund to the
credit that paid, the ledger's entry of it, the sending's counters. A message that has ended before is left as it
is and pays nobody back twice.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime

from ulak.base import metrics
from ulak.base.db import Tx
from ulak.flow import pulse
from ulak.flow.pulse import What
from ulak.rules import money
from ulak.rules.status import FINAL, Status
from ulak.store import credits, messages, sendings


async def settle(
    tx: Tx,
    ends: Sequence[messages.End],
    at: datetime,
    *,
    also: Iterable[sendings.Move] = (),
    carrier_id: int = 0,
) -> int:
    """End messages (each once in `ends`), refund, count; `also` are moves to count in the same breath.

    `carrier_id` is the carrier at which those end that none has taken.

    Returns how many of `ends` changed something; the rest had ended before.
    """
    ended = await messages.end(tx, ends, at) if ends else []
    final = [group for group in ended if group.status in FINAL]
    await credits.refund(tx, [refund for group in final for refund in _refunds(group)], at)
    await sendings.count_on(tx, [*also, *map(_move, final)], at)
    for group in final:
        metrics.ENDED.labels(group.status).inc(group.n)
        metrics.REFUNDED.inc(len(group.positions))
        metrics.GIVEN_BACK.inc(sum(group.prices) / money.MICRO)
        where = group.carrier_id or carrier_id
        pulse.count(What.ENDED, group.n, carrier_id=where, label=group.status)
        pulse.count(What.REFUNDS, len(group.positions), carrier_id=where)
    return sum(group.n for group in ended)


def _refunds(group: messages.Ended) -> Iterable[credits.Refund]:
    for position, price in zip(group.positions, group.prices, strict=True):
        yield credits.Refund(group.tenant_id, group.owner_id, group.sending_id, position, price)


def _move(group: messages.Ended) -> sendings.Move:
    """What a group of messages that ended alike does to the counters of their sending."""
    return sendings.Move(
        group.tenant_id,
        group.sending_id,
        pending=0 if group.was_waiting else -group.n,
        waiting=-group.n if group.was_waiting else 0,
        sent=group.n if group.status is Status.SENT else 0,
        not_sent=group.n if group.status is Status.NOT_SENT else 0,
        no_signal=group.n if group.status is Status.NO_SIGNAL else 0,
        refunded=len(group.positions),
        amount_refunded=sum(group.prices),
    )
