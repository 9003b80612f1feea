"""Presence: what processes say of their connections to carriers, and what they ask of each other about them.

In: how connections stand, a share of a carrier's time. Nothing here is about a message, and nothing outlives a crash
of the database.
"""

from collections.abc import Sequence
from uuid import UUID

from ulak.base.db import Database
from ulak.store import links
from ulak.store.links import Report


async def tell(db: Database, process: UUID, reports: Sequence[Report]) -> None:
    """Say how the connections of a process stand; to be said again before `links.FRESH_SECONDS` have passed."""
    async with db.transaction() as tx:
        await links.tell(tx, process, reports)


async def leave(db: Database, process: UUID, carriers: Sequence[int]) -> None:
    """A process keeps no connections to these carriers any more."""
    async with db.transaction() as tx:
        await links.leave(tx, process, carriers)


async def reserve(db: Database, carrier_id: int, seconds: float) -> float:
    """Take so many seconds of the time a carrier's messages a second are counted in; returns in how many they begin."""
    async with db.transaction() as tx:
        return await links.reserve(tx, carrier_id, seconds)
