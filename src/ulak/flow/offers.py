"""Offers: what a caller can send with right now, and at what price for them."""

from datetime import UTC, datetime
from typing import NamedTuple
from uuid import UUID

from ulak.base.db import Database
from ulak.flow.directory import Directory
from ulak.rules.tenancy import Context
from ulak.store import services, volumes


class Offer(NamedTuple):
    """An active service and the caller's price of one message or segment, in micro-units."""

    service: services.Service
    unit_price: int


async def offers(db: Database, directory: Directory, who: Context) -> list[Offer]:
    """Every active service at the caller's final price now, all rules applied."""
    shelf = await directory.shelf()
    now = datetime.now(UTC)
    terms = [shelf.terms(service, who) for service in shelf.active()]
    sent: dict[UUID, int] = {}
    if any(one.by_volume for one in terms):
        async with db.reading() as tx:
            sent = await volumes.of_tenant(tx, who.tenant_id, volumes.month_of(now))
    return [Offer(one.service, one.unit_price(sent.get(one.service.id, 0), now)) for one in terms]
