"""Services: what customers can send with. Owns the table `services`."""

from dataclasses import dataclass
from datetime import datetime
from typing import Final, Literal
from uuid import UUID

import asyncpg

from ulak.base.db import Tx

State = Literal["active", "inactive"]
Billing = Literal["message", "segment"]
Unsure = Literal["resend", "refund"]


@dataclass(frozen=True, slots=True)
class Service:
    """A service; `price` in micro-units for one message or segment, before any rule."""

    id: UUID
    name: str
    type: str
    currency: str
    price: int
    billing: Billing
    refund_on: frozenset[str]
    unsure: Unsure
    sender: str | None
    validity_minutes: int
    foreign_numbers: bool
    carrier_id: int
    state: State
    created_at: datetime


_COLUMNS: Final = """id, name, type, currency, price, billing, refund_on, unsure, sender, validity_minutes,
          foreign_numbers, carrier_id, state, created_at"""

ADD: Final = f"""
INSERT INTO services (id, name, currency, price, billing, refund_on, unsure, sender, validity_minutes,
                      foreign_numbers, carrier_id)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11) ON CONFLICT DO NOTHING RETURNING {_COLUMNS}"""


async def add(
    tx: Tx,
    id_: UUID,
    name: str,
    *,
    currency: str,
    price: int,
    billing: Billing,
    refund_on: frozenset[str],
    unsure: Unsure,
    sender: str | None,
    validity_minutes: int,
    foreign_numbers: bool,
    carrier_id: int,
) -> Service | None:
    """Write an active service; None when the name is taken."""
    row = await tx.fetchrow(
        ADD,
        id_,
        name,
        currency,
        price,
        billing,
        sorted(refund_on),
        unsure,
        sender,
        validity_minutes,
        foreign_numbers,
        carrier_id,
    )
    return _service(row) if row else None


BY_NAME: Final = f"SELECT {_COLUMNS} FROM services WHERE lower(name) = lower($1)"


async def by_name(tx: Tx, name: str) -> Service | None:
    """The service of this name."""
    row = await tx.fetchrow(BY_NAME, name)
    return _service(row) if row else None


ALL: Final = f"SELECT {_COLUMNS} FROM services ORDER BY created_at, id"


async def all(tx: Tx) -> list[Service]:
    """Every service, active or not, oldest first."""
    return [_service(row) for row in await tx.fetch(ALL)]


LOCK: Final = f"SELECT {_COLUMNS} FROM services WHERE id = $1 FOR UPDATE"


async def lock(tx: Tx, id_: UUID) -> Service:
    """The service as it is once nobody else is changing it, for whoever is about to."""
    row = await tx.fetchrow(LOCK, id_)
    assert row
    return _service(row)


UPDATE: Final = f"""
UPDATE services SET price = $2, billing = $3, refund_on = $4, unsure = $5, sender = $6, validity_minutes = $7,
                    foreign_numbers = $8, carrier_id = $9, state = $10
 WHERE id = $1 RETURNING {_COLUMNS}"""


async def update(tx: Tx, service: Service) -> Service:
    """Write a service's settings as they stand in `service`."""
    row = await tx.fetchrow(
        UPDATE,
        service.id,
        service.price,
        service.billing,
        sorted(service.refund_on),
        service.unsure,
        service.sender,
        service.validity_minutes,
        service.foreign_numbers,
        service.carrier_id,
        service.state,
    )
    assert row
    return _service(row)


def _service(row: asyncpg.Record) -> Service:
    return Service(**{**row, "refund_on": frozenset(row["refund_on"])})
