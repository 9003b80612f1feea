"""Sweeping: ending what nobody else will end.

Validity that passed in the queue, receipts that never came, receipts and answers that missed each other, and
records that have had their time. Every function does a bounded piece of work in one transaction and says whether
there may be more. Leases that ran out need no sweep: `flow.dispatch.lease` takes them.
"""

from datetime import datetime, timedelta
from typing import Final

from ulak.base.db import Database
from ulak.flow.dispatch import apply_receipts
from ulak.flow.settle import settle
from ulak.rules.status import Status
from ulak.store import (
    drafts,
    everyone,
    idempotency,
    incidents,
    links,
    messages,
    pulse,
    queue,
    receipts,
    submits,
)
from ulak.store.messages import ALL_PARTS, End

ROWS_MAX: Final = 50
MESSAGES_MAX: Final = 5000
HISTORY_ROWS_MAX: Final = 10_000
PULSE_HOURS: Final = 26


async def expired_in_queue(db: Database, at: datetime) -> bool:
    """End messages that no carrier took before their validity ended: not sent."""
    async with db.transaction() as tx:
        if not await everyone.overdue(tx, at, 1):
            return False  # known from an index; the queue, which may be long, has none by time
        stale = await queue.take_expired(tx, at, ROWS_MAX)
        ends = [
            End(run.tenant_id, run.sending_id, position, ALL_PARTS, Status.NOT_SENT)
            for run in stale
            for position, status in await messages.still_open(
                tx, run.tenant_id, run.sending_id, run.first_position, run.end_position, rows_max=MESSAGES_MAX
            )
            if status is Status.PENDING and (run.positions is None or position in run.positions)
        ]
        await settle(tx, ends, at)
    return len(stale) == ROWS_MAX


async def without_receipt(db: Database, at: datetime, *, grace_minutes: float) -> bool:
    """End messages whose receipt did not come by validity and grace: no signal."""
    ending = {Status.WAITING: Status.NO_SIGNAL, Status.PENDING: Status.NOT_SENT}
    ends: list[End] = []
    async with db.transaction() as tx:
        for tenant_id, sending_id in await everyone.overdue(
            tx, at - timedelta(minutes=grace_minutes), ROWS_MAX
        ):
            if len(ends) >= MESSAGES_MAX:
                break
            left = await messages.still_open(tx, tenant_id, sending_id, rows_max=MESSAGES_MAX)
            ends += [
                End(tenant_id, sending_id, position, ALL_PARTS, ending[status]) for position, status in left
            ]
        await settle(tx, ends, at)
    return bool(ends)


async def missed_receipts(db: Database, at: datetime, *, receipt_hours: float) -> bool:
    """Bring together receipts and answers that were written at the same moment and did not see each other."""
    async with db.transaction() as tx:
        overtaken = await receipts.overtaken(tx, at - timedelta(hours=receipt_hours), ROWS_MAX * 10)
        for carrier_id, refs in overtaken.items():
            await apply_receipts(tx, carrier_id, [], refs, at)
    return bool(overtaken)


async def old_records(db: Database, at: datetime, *, receipt_hours: float, history_days: float) -> bool:
    """Delete receipts that match nothing any more, messages' history that is too old, named requests and drafts
    whose day is over, and what processes said that are gone."""
    before = at - timedelta(days=history_days)
    async with db.transaction() as tx:
        await idempotency.forget_old(tx, at)
        await drafts.forget_old(tx, at)
        await links.forget_old(tx, at - timedelta(days=1))
        await pulse.forget_old(tx, at - timedelta(hours=PULSE_HOURS))
        await receipts.forget_unmatched(tx, at - timedelta(hours=receipt_hours))
        gone = [
            await forget(tx, before, HISTORY_ROWS_MAX)
            for forget in (receipts.forget_old, submits.forget_old, incidents.forget_old)
        ]
    return HISTORY_ROWS_MAX in gone
