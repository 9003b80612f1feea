"""Closing the ledger behind itself: the courier writes down what each credit held, some thousand transfers at a time
(`store.closings`), so that a statement deep in the past is as quick as today's.

Nothing waits for it: what is not closed yet is summed. It follows at a distance. How far the ledger goes is noted, and
that much is closed a minute later at the earliest, and not before every transaction that ran then is over: none of
them can add anything to it any more.
"""

from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from ulak.base.db import Database
from ulak.store import closings, everyone
from ulak.store.closings import Horizon

DISTANCE: Final = timedelta(seconds=60)
#: So many transfers of a tenant are closed together; with fewer it waits.
STRETCH_ROWS: Final = 5000
#: So many stretches in one transaction, of so many tenants in one go.
STRETCHES_MAX: Final = 20
TENANTS_MAX: Final = 200


class Closing:
    """Closes, round by round, what was there in a round before."""

    def __init__(self, db: Database) -> None:
        self._db = db
        self._noted: tuple[datetime, Horizon] | None = None

    async def round(self, at: datetime) -> bool:
        """Close what can be; says whether there is much more."""
        if self._noted is None:
            async with self._db.reading() as tx:
                self._noted = at, await closings.horizon(tx)
            return False
        noted_at, horizon = self._noted
        async with self._db.reading() as tx:
            if at < noted_at + DISTANCE or not await closings.settled(tx, horizon):
                return False
        if await close(self._db, horizon.last_id):
            return True
        self._noted = None
        return await self.round(at)  # notes the next one


async def close(db: Database, last_id: int) -> bool:
    """Close every tenant's ledger up to a transfer below which none can turn up; says whether there is much more."""
    async with db.reading() as tx:
        tenants = await everyone.unclosed(tx, last_id, STRETCH_ROWS, TENANTS_MAX)
    closed = [await close_tenant(db, tenant_id, last_id) for tenant_id in tenants]
    return STRETCHES_MAX in closed or len(tenants) == TENANTS_MAX


async def close_tenant(db: Database, tenant_id: UUID, last_id: int) -> int:
    """Close a tenant's ledger up to there, or some `STRETCHES_MAX` stretches of it; returns how many."""
    async with db.transaction() as tx:
        after_id = await closings.take(tx, tenant_id)
        for n in range(STRETCHES_MAX):
            end = await closings.end(tx, tenant_id, after_id, last_id, STRETCH_ROWS)
            if end is None:
                return n
            await closings.close(tx, tenant_id, after_id, end)
            after_id = end
    return STRETCHES_MAX
