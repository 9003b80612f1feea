"""Second factors: the secrets that people's authenticator apps share with us. Owns the table `second_factors`.

Each belongs to a user or an operator. It counts once it was confirmed, and each of its steps is good once.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

from ulak.base.db import Tx


@dataclass(frozen=True, slots=True)
class SecondFactor:
    """A secret, sealed for `place_of` its owner, and the last of its steps that was used."""

    owner_id: UUID
    secret: bytes
    confirmed_at: datetime | None
    last_step: int


def place_of(owner_id: UUID) -> str:
    """The place for which somebody's secret is sealed."""
    return f"second_factors.secret/{owner_id}"


BEGIN: Final = """
INSERT INTO second_factors AS f (owner_id, secret, created_at) VALUES ($1, $2, $3)
    ON CONFLICT (owner_id) DO UPDATE
        SET secret = excluded.secret, created_at = excluded.created_at, last_step = 0
      WHERE f.confirmed_at IS NULL
RETURNING owner_id"""


async def begin(tx: Tx, owner_id: UUID, secret: bytes, at: datetime) -> bool:
    """Write a sealed secret that is to be confirmed, over one that was not; False when one is on."""
    return await tx.fetchrow(BEGIN, owner_id, secret, at) is not None


OF: Final = "SELECT owner_id, secret, confirmed_at, last_step FROM second_factors WHERE owner_id = $1"


async def of(tx: Tx, owner_id: UUID) -> SecondFactor | None:
    """Somebody's second factor, whether it was confirmed or not."""
    row = await tx.fetchrow(OF, owner_id)
    return SecondFactor(**row) if row else None


SPEND: Final = """
UPDATE second_factors SET last_step = $3
 WHERE owner_id = $1 AND secret = $2 AND last_step < $3 AND confirmed_at IS NOT NULL
RETURNING owner_id"""


async def spend(tx: Tx, owner_id: UUID, secret: bytes, step: int) -> bool:
    """Use a step up; False when it, or a later one, was used already."""
    return await tx.fetchrow(SPEND, owner_id, secret, step) is not None


CONFIRM: Final = """
UPDATE second_factors SET confirmed_at = $4, last_step = $3
 WHERE owner_id = $1 AND secret = $2 AND confirmed_at IS NULL
RETURNING owner_id"""


async def confirm(tx: Tx, owner_id: UUID, secret: bytes, step: int, at: datetime) -> bool:
    """Switch a second factor on, and use the step up that proved it; False when it changed meanwhile."""
    return await tx.fetchrow(CONFIRM, owner_id, secret, step, at) is not None


REMOVE: Final = "DELETE FROM second_factors WHERE owner_id = $1 RETURNING confirmed_at"


async def remove(tx: Tx, owner_id: UUID) -> bool:
    """Forget somebody's second factor; whether one was on."""
    return await tx.fetchval(REMOVE, owner_id) is not None
