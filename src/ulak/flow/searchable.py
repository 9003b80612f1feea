"""Making texts searchable: the courier gathers what was accepted into blocks (`store.blocks`), a little at a time.

Nothing waits for it: what is not gathered yet is searched too, only slower. It keeps a minute's distance from now,
because a sending becomes visible somewhat later than the time of its id; one that comes later still makes its day
begin anew.
"""

from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from ulak.base.db import Database
from ulak.store import blocks, everyone, listing

DISTANCE: Final = timedelta(seconds=60)
#: A day that is not over waits until so much has come together.
ROWS_MIN: Final = 1000
#: As much goes into blocks in one transaction, from so many days in one go.
ROWS_MAX: Final = 50_000
DAYS_MAX: Final = 1000


async def gather(db: Database, at: datetime, *, since: datetime) -> bool:
    """Gather what has come together in the days from `since` on; says whether there is much more."""
    today = at.replace(hour=0, minute=0, second=0, microsecond=0)
    until = at - DISTANCE
    async with db.reading() as tx:
        days = await everyone.ungathered(tx, since, until, today, rows_min=ROWS_MIN, rows_max=DAYS_MAX)
    gathered = [await gather_day(db, tenant_id, day, until) for tenant_id, day in days]
    async with db.reading() as tx:
        for tenant_id in {tenant_id for tenant_id, _ in days}:
            await listing.recount_open(tx, tenant_id)
    # what is too young stays, so that the number of days alone would say yes for ever
    return max(gathered, default=0) > ROWS_MAX // 2 or (len(days) == DAYS_MAX and any(gathered))


async def gather_day(db: Database, tenant_id: UUID, day: datetime, until: datetime) -> int:
    """Gather one day of a tenant up to a moment, or some `ROWS_MAX` of it; returns how many."""
    until = min(until, day + timedelta(days=1))
    async with db.transaction() as tx:
        n, since = await blocks.take(tx, tenant_id, day)
        if n != await blocks.before(tx, tenant_id, day, since):  # one came late
            await blocks.forget(tx, tenant_id, day)
            since = day
        if since >= until:
            return 0
        return await blocks.gather(tx, tenant_id, day, since, until, ROWS_MAX)
