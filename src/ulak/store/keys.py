"""API keys: what a program shows to be somebody. Owns the table `api_keys`.

Only a hash of a key is kept. Keys are 256 random bits, so a fast hash is enough: there is nothing to guess.
"""

from dataclasses import dataclass
from datetime import datetime
from ipaddress import IPv4Network, IPv6Network
from typing import Final
from uuid import UUID

import asyncpg

from ulak.base.db import Tx
from ulak.store.users import User

Network = IPv4Network | IPv6Network


@dataclass(frozen=True, slots=True)
class ApiKey:
    """A key as it can be listed: `prefix` is enough to recognise it by, never to use it."""

    id: UUID
    user_id: UUID
    name: str
    prefix: str
    allowed_ips: tuple[Network, ...]
    created_at: datetime
    revoked_at: datetime | None
    last_used_at: datetime | None


@dataclass(frozen=True, slots=True)
class KeyOwner:
    """Whose key it is, and from where it may be used (empty: from anywhere)."""

    key_id: UUID
    user: User
    allowed_ips: tuple[Network, ...]


_COLUMNS: Final = "id, user_id, name, prefix, allowed_ips, created_at, revoked_at, last_used_at"

ADD: Final = f"""
INSERT INTO api_keys (id, user_id, name, prefix, key_hash, allowed_ips) VALUES ($1, $2, $3, $4, $5, $6)
RETURNING {_COLUMNS}"""


async def add(
    tx: Tx,
    id_: UUID,
    user_id: UUID,
    *,
    name: str,
    prefix: str,
    key_hash: bytes,
    allowed_ips: tuple[Network, ...],
) -> ApiKey:
    """Write a key."""
    return _key(await tx.fetchrow(ADD, id_, user_id, name, prefix, key_hash, list(allowed_ips)))


OF_USER: Final = f"SELECT {_COLUMNS} FROM api_keys WHERE user_id = $1 ORDER BY created_at, id"


async def of_user(tx: Tx, user_id: UUID) -> list[ApiKey]:
    """A user's keys, revoked ones included, oldest first."""
    return [_key(row) for row in await tx.fetch(OF_USER, user_id)]


REVOKE: Final = f"""
UPDATE api_keys SET revoked_at = coalesce(revoked_at, now()) WHERE id = $1 RETURNING {_COLUMNS}"""


async def revoke(tx: Tx, id_: UUID) -> ApiKey | None:
    """End a key for good; None when there is none. Ending it twice changes nothing."""
    row = await tx.fetchrow(REVOKE, id_)
    return _key(row) if row else None


USED: Final = """
UPDATE api_keys SET last_used_at = greatest(last_used_at, $2) WHERE id = ANY($1::uuid[])"""


async def used(tx: Tx, ids: list[UUID], at: datetime) -> None:
    """These keys were used, the last time at about this moment."""
    await tx.execute(USED, ids, at)


OWNER: Final = """
SELECT k.id AS key_id, k.allowed_ips, u.id, u.username, u.email, u.state, u.created_at
  FROM api_keys k JOIN users u ON u.id = k.user_id
 WHERE k.key_hash = $1 AND k.revoked_at IS NULL"""


async def owner_by_hash(tx: Tx, key_hash: bytes) -> KeyOwner | None:
    """The owner of a key that has not been revoked, whatever the owner's state."""
    row = await tx.fetchrow(OWNER, key_hash)
    if row is None:
        return None
    user = User(row["id"], row["username"], row["email"], row["state"], row["created_at"])
    return KeyOwner(row["key_id"], user, tuple(row["allowed_ips"]))


def _key(row: asyncpg.Record | None) -> ApiKey:
    assert row
    return ApiKey(**{**row, "allowed_ips": tuple(row["allowed_ips"])})
