"""Price rules: what changes a service's price, and for whom. Owns the table `price_rules`."""

from dataclasses import dataclass
from datetime import datetime
from typing import Final, Literal
from uuid import UUID

from ulak.base.db import Tx
from ulak.rules import price

Kind = Literal["fixed", "percent", "amount"]


@dataclass(frozen=True, slots=True)
class PriceRule:
    """A rule as it is kept; with neither organization nor user it is everyone's."""

    id: UUID
    position: int
    service_id: UUID
    organization_id: UUID | None
    user_id: UUID | None
    kind: Kind
    value: int
    from_volume: int | None
    starts: datetime | None
    ends: datetime | None

    @property
    def scope(self) -> Literal["everyone", "organization", "user"]:
        """Whose rule it is."""
        if self.organization_id:
            return "organization"
        return "user" if self.user_id else "everyone"

    @property
    def rule(self) -> price.Rule:
        """The rule by itself, without whom it is for."""
        return price.Rule(
            self.id,
            self.position,
            self.scope,
            self.kind,
            self.value,
            self.from_volume,
            self.starts,
            self.ends,
        )


_COLUMNS: Final = (
    """id, position, service_id, organization_id, user_id, kind, value, from_volume, starts, ends"""
)

ADD: Final = f"""
INSERT INTO price_rules (id, service_id, organization_id, user_id, kind, value, from_volume, starts, ends)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9) RETURNING {_COLUMNS}"""


async def add(
    tx: Tx,
    id_: UUID,
    service_id: UUID,
    *,
    organization_id: UUID | None,
    user_id: UUID | None,
    kind: Kind,
    value: int,
    from_volume: int | None,
    starts: datetime | None,
    ends: datetime | None,
) -> PriceRule:
    """Write a rule; it comes after those that are there."""
    row = await tx.fetchrow(
        ADD, id_, service_id, organization_id, user_id, kind, value, from_volume, starts, ends
    )
    assert row
    return PriceRule(**row)


ALL: Final = f"SELECT {_COLUMNS} FROM price_rules ORDER BY position"


async def all(tx: Tx) -> list[PriceRule]:
    """Every rule, in the order of creation."""
    return [PriceRule(**row) for row in await tx.fetch(ALL)]


COUNT: Final = "SELECT count(*) FROM price_rules WHERE service_id = $1"
PAGE: Final = f"""
SELECT {_COLUMNS} FROM price_rules WHERE service_id = $1
 ORDER BY organization_id IS NOT NULL, user_id IS NOT NULL, position LIMIT $2 OFFSET $3"""


async def page(tx: Tx, service_id: UUID, rows_max: int, offset: int) -> tuple[list[PriceRule], int]:
    """Some of a service's rules, everyone's first, then organizations', then users', and how many it has."""
    rows = await tx.fetch(PAGE, service_id, rows_max, offset)
    return [PriceRule(**row) for row in rows], await tx.fetchval(COUNT, service_id)


REMOVE: Final = f"DELETE FROM price_rules WHERE id = $1 RETURNING {_COLUMNS}"


async def remove(tx: Tx, id_: UUID) -> PriceRule | None:
    """Take a rule away; returns what it was, None when there was none."""
    row = await tx.fetchrow(REMOVE, id_)
    return PriceRule(**row) if row else None
