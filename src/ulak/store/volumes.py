"""How much each tenant has sent with each service in each month: what volume prices look at.

Owns the table `volumes`. A month begins at midnight UTC on its first day.
"""

from collections.abc import Iterable, Sequence
from datetime import UTC, date, datetime
from typing import Final, NamedTuple
from uuid import UUID

from ulak.base.db import Tx, Write


class Volume(NamedTuple):
    """Which counter: one tenant, one service, one month."""

    tenant_id: UUID
    service_id: UUID
    month: date


def month_of(at: datetime) -> date:
    """The month an instant belongs to."""
    return at.astimezone(UTC).date().replace(day=1)


ACCEPTED: Final = "SELECT accepted FROM volumes WHERE tenant_id = $1 AND service_id = $2 AND month = $3"


async def accepted(tx: Tx, tenant_id: UUID, service_id: UUID, month: date) -> int:
    """Messages accepted so far."""
    return await tx.fetchval(ACCEPTED, tenant_id, service_id, month) or 0


OF_TENANT: Final = "SELECT service_id, accepted FROM volumes WHERE tenant_id = $1 AND month = $2"


async def of_tenant(tx: Tx, tenant_id: UUID, month: date) -> dict[UUID, int]:
    """Messages accepted so far, by service."""
    rows = await tx.fetch(OF_TENANT, tenant_id, month)
    return {row["service_id"]: row["accepted"] for row in rows}


ADD: Final = """
INSERT INTO volumes AS v (tenant_id, service_id, month, accepted)
SELECT a.tenant_id, a.service_id, a.month, a.accepted
  FROM unnest($1::uuid[], $2::uuid[], $3::date[], $4::bigint[]) a(tenant_id, service_id, month, accepted)
    ON CONFLICT (tenant_id, service_id, month) DO UPDATE SET accepted = v.accepted + excluded.accepted
RETURNING v.tenant_id, v.service_id, v.month, v.accepted"""


def to_add(counts: Iterable[tuple[Volume, int]]) -> Write:
    """Count on; each counter may stand in `counts` once."""
    columns = zip(*((*volume, count) for volume, count in sorted(counts)), strict=True)
    return Write(ADD, tuple(map(list, columns)))


async def add(tx: Tx, counts: Sequence[tuple[Volume, int]]) -> dict[Volume, int]:
    """Count on now and return the new values; adding 0 locks a counter and reads it."""
    counting = to_add(counts)
    rows = await tx.fetch(counting.sql, *counting.values)
    return {Volume(row["tenant_id"], row["service_id"], row["month"]): row["accepted"] for row in rows}
