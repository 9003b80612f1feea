"""Services: what customers can send with. Owns the table `services`."""

from collections.abc import Collection
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any, Final, Literal
from uuid import UUID

import asyncpg

from ulak.base.db import Tx

State = Literal["active", "inactive"]
Billing = Literal["message", "segment"]
Unsure = Literal["resend", "refund"]
REFUNDABLE: Final = frozenset({"not_sent", "no_signal"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What an operator says of a service; over which carriers it goes is its route (`store.routes`).

    `price` in micro-units for one message or segment, before any rule; `sender` None for an empty source address;
    `fallback_seconds` is how long a carrier may be down or throttle before its messages go to the next one.
    """

    price: int
    billing: Billing = "message"
    refund_on: frozenset[str] = REFUNDABLE
    unsure: Unsure = "resend"
    sender: str | None = None
    validity_minutes: int = 1440
    foreign_numbers: bool = False
    fallback_seconds: int = 60
    state: State = "active"


@dataclass(frozen=True, slots=True, kw_only=True)
class Service(Settings):
    """A service."""

    id: UUID
    name: str
    type: str
    currency: str
    created_at: datetime


_SETTINGS: Final = tuple(column.name for column in fields(Settings))
_COLUMNS: Final = ", ".join(("id", "name", "type", "currency", "created_at", *_SETTINGS))


def _places(first: int) -> str:
    return ", ".join(f"${n}" for n in range(first, first + len(_SETTINGS)))


def _values(settings: Settings) -> list[Any]:
    """The settings in the order of the columns."""
    values = {name: getattr(settings, name) for name in _SETTINGS}
    return list((values | {"refund_on": sorted(settings.refund_on)}).values())


ADD: Final = f"""
INSERT INTO services (id, name, currency, {", ".join(_SETTINGS)}) VALUES ($1, $2, $3, {_places(4)})
ON CONFLICT DO NOTHING RETURNING {_COLUMNS}"""


async def add(tx: Tx, id_: UUID, name: str, currency: str, settings: Settings) -> Service | None:
    """Write a service; None when the name is taken."""
    row = await tx.fetchrow(ADD, id_, name, currency, *_values(settings))
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


NAMES: Final = "SELECT id, name FROM services WHERE id = ANY($1::uuid[])"


async def names(tx: Tx, services: Collection[UUID]) -> dict[UUID, str]:
    """How these services are called."""
    return {row["id"]: row["name"] for row in await tx.fetch(NAMES, list(services))}


LOCK: Final = f"SELECT {_COLUMNS} FROM services WHERE id = $1 FOR UPDATE"


async def lock(tx: Tx, id_: UUID) -> Service:
    """The service as it is once nobody else is changing it, for whoever is about to."""
    row = await tx.fetchrow(LOCK, id_)
    assert row
    return _service(row)


UPDATE: Final = f"""
UPDATE services SET ({", ".join(_SETTINGS)}) = ROW ({_places(2)}) WHERE id = $1 RETURNING {_COLUMNS}"""


async def update(tx: Tx, service: Service) -> Service:
    """Write a service's settings as they stand in `service`."""
    row = await tx.fetchrow(UPDATE, service.id, *_values(service))
    assert row
    return _service(row)


def _service(row: asyncpg.Record) -> Service:
    return Service(**{**row, "refund_on": frozenset(row["refund_on"])})
