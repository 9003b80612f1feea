"""Summing up: the courier gathers what each hour's sendings come to (`store.hours`), a little at a time.

Nothing waits for it: what is not gathered is summed when somebody asks, only slower. It keeps some minutes' distance
from the end of an hour, because a sending becomes visible later than the time of its id; one that comes later still
makes its hour be gathered anew. Any number of couriers may do so at the same time.
"""

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from ulak.base.db import Database
from ulak.store import everyone, hours

DISTANCE: Final = timedelta(minutes=10)
#: Nobody looks further back often enough.
HISTORY: Final = timedelta(days=400)
#: So many hours in one go; the next begins with the newest day again.
HOURS_MAX: Final = 1000


async def gather(db: Database, at: datetime, *, since: datetime) -> bool:
    """Gather the hours that are over, those of the newest day first, back to the day of `since` or `HISTORY`; says
    whether there may be more."""
    n = 0
    for day in _days(at, max(since, at - HISTORY)):
        async with db.reading() as tx:
            tenants = await everyone.unsummed(tx, day)
        for tenant_id in tenants:
            n += await gather_day(db, tenant_id, day, at - DISTANCE)
            if n >= HOURS_MAX:
                return True
    return False


def _days(at: datetime, since: datetime) -> Iterator[datetime]:
    """Midnights (of UTC), from a moment's back to an earlier one's."""
    day = at.replace(hour=0, minute=0, second=0, microsecond=0)
    while day > since - timedelta(days=1):
        yield day
        day -= timedelta(days=1)


async def gather_day(db: Database, tenant_id: UUID, day: datetime, until: datetime) -> int:
    """Gather those hours of a tenant's day that are over by a moment; how many of them say something new."""
    async with db.reading() as tx:
        due = await hours.due(tx, tenant_id, day, until)
    n = 0
    for hour in due:
        async with db.transaction() as tx:
            n += await hours.gather(tx, tenant_id, hour)
    return n
