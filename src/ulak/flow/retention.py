"""Retention: texts and numbers that were kept for long enough are erased; money, counters and statuses are not.

In: the moment, and for how many whole days texts and numbers are kept. A sending is erased when its day (of UTC) is so
long over and all of its messages have ended; one that has not holds up what came after it, never longer than its
validity. Done in rounds of a bounded number of messages, oldest first, each a transaction of its own, behind everybody
else's back: what is erased is seldom looked at. What is known of a message's way goes by `flow.sweep`.
"""

from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from ulak.base.db import Database
from ulak.rules import ids, stretches
from ulak.store import erasures, everyone

MESSAGES_MAX: Final = 5000
"""In one transaction."""


async def erase(db: Database, at: datetime, *, days: int) -> bool:
    """One round for every tenant who has something to erase; says whether there may be more. `days` 0: nothing is."""
    if not days:
        return False
    midnight = at.replace(hour=0, minute=0, second=0, microsecond=0)
    end = ids.first_id(stretches.milliseconds(midnight - timedelta(days=days)))
    async with db.reading() as tx:
        tenants = await everyone.unerased(tx, end)
    return any([await _some(db, tenant_id, end) for tenant_id in tenants])


async def _some(db: Database, tenant_id: UUID, end: UUID) -> bool:
    """Erase the next messages of a tenant; whether there were any."""
    async with db.transaction() as tx:
        after = await erasures.take(tx, tenant_id)
        still = await erasures.first_open(tx, tenant_id, after.sending_id, end)
        to = await erasures.last(tx, tenant_id, after, still or end, MESSAGES_MAX)
        if to is None:
            return False
        moments = (stretches.instant(ids.milliseconds_of(id_)) for id_ in (after.sending_id, to.sending_id))
        await erasures.forget_blocks(tx, tenant_id, *moments)
        await erasures.erase(tx, tenant_id, after, to)
    return True
