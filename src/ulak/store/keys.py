"""API keys: what a program shows to be somebody. Owns the table `api_keys`.

A key is found by its first characters and known by its HMAC with a secret key of the installation (`hashed_with`), so
that who reads the database can neither use a key nor test a guess. Those from before are known by their SHA-256 until
they are next used: keys are 256 random bits, so a fast hash is enough either way.
"""

from dataclasses import dataclass, field
from datetime import datetime
from ipaddress import IPv4Network, IPv6Network
from typing import Final, NamedTuple
from uuid import UUID

import asyncpg

from ulak.base.db import Tx
from ulak.rules.scope import Scope
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
    scopes: frozenset[Scope]
    expires_at: datetime | None
    rate_per_second: int | None


@dataclass(frozen=True, slots=True)
class Grant:
    """What a key may do: from where (empty: from anywhere), for what, until when, how often (None: as its owner)."""

    allowed_ips: tuple[Network, ...]
    scopes: frozenset[Scope]
    expires_at: datetime | None
    rate_per_second: int | None


@dataclass(frozen=True, slots=True)
class KeyOwner:
    """Whose key it is, what it may do, and its owner's own rate, where they have one.

    `renewed` is the hash it should be known by, where it is known by an older one.
    """

    key_id: UUID
    user: User
    grant: Grant
    user_rate: int | None
    renewed: bytes | None = field(default=None, repr=False)


class Candidate(NamedTuple):
    """A key that begins like one that somebody shows; `hashed_with` None: by SHA-256 alone."""

    key_hash: bytes
    hashed_with: bytes | None
    owner: KeyOwner


_COLUMNS: Final = """
       id, user_id, name, prefix, allowed_ips, created_at, revoked_at, last_used_at, scopes, expires_at,
       rate_per_second"""

ADD: Final = f"""
INSERT INTO api_keys (id, user_id, name, prefix, key_hash, hashed_with, allowed_ips, scopes, expires_at,
                      rate_per_second)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
RETURNING {_COLUMNS}"""


async def add(
    tx: Tx,
    id_: UUID,
    user_id: UUID,
    *,
    name: str,
    prefix: str,
    key_hash: bytes,
    hashed_with: bytes,
    grant: Grant,
) -> ApiKey:
    """Write a key."""
    its = (list(grant.allowed_ips), sorted(grant.scopes), grant.expires_at, grant.rate_per_second)
    return _key(await tx.fetchrow(ADD, id_, user_id, name, prefix, key_hash, hashed_with, *its))


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


NAMED: Final = f"""
SELECT {_COLUMNS} FROM api_keys WHERE prefix = $1 AND revoked_at IS NULL ORDER BY created_at, id FOR NO KEY UPDATE"""


async def named(tx: Tx, prefix: str) -> list[ApiKey]:
    """The keys that begin so and are not revoked, for whoever is about to change one."""
    return [_key(row) for row in await tx.fetch(NAMED, prefix)]


LOCK: Final = f"SELECT {_COLUMNS} FROM api_keys WHERE id = $1 AND revoked_at IS NULL FOR NO KEY UPDATE"


async def lock(tx: Tx, id_: UUID) -> ApiKey | None:
    """The same of one of them, by its id."""
    row = await tx.fetchrow(LOCK, id_)
    return _key(row) if row else None


SET_RATE: Final = f"UPDATE api_keys SET rate_per_second = $2 WHERE id = $1 RETURNING {_COLUMNS}"


async def set_rate(tx: Tx, id_: UUID, per_second: int | None) -> ApiKey:
    """Another rate for a key that is there; None: as its owner."""
    return _key(await tx.fetchrow(SET_RATE, id_, per_second))


USED: Final = """
UPDATE api_keys SET last_used_at = greatest(last_used_at, $2) WHERE id = ANY($1::uuid[])"""


async def used(tx: Tx, ids: list[UUID], at: datetime) -> None:
    """These keys were used, the last time at about this moment."""
    await tx.execute(USED, ids, at)


RENEW: Final = """
UPDATE api_keys SET key_hash = $2, hashed_with = $3 WHERE id = $1 AND hashed_with IS DISTINCT FROM $3"""


async def renew(tx: Tx, id_: UUID, key_hash: bytes, hashed_with: bytes) -> None:
    """Know a key by another hash from now on."""
    await tx.execute(RENEW, id_, key_hash, hashed_with)


HASHED: Final = """
SELECT hashed_with, count(*) AS n FROM api_keys
 WHERE revoked_at IS NULL AND (expires_at IS NULL OR expires_at > now())
 GROUP BY hashed_with"""


async def hashed(tx: Tx) -> dict[bytes | None, int]:
    """How many usable keys are known by a hash of which secret key; None: by SHA-256."""
    return {row["hashed_with"]: row["n"] for row in await tx.fetch(HASHED)}


BY_PREFIX: Final = """
SELECT k.key_hash, k.hashed_with, k.id AS key_id, k.allowed_ips, k.scopes, k.expires_at, k.rate_per_second AS key_rate,
       u.rate_per_second AS user_rate, u.id, u.username, u.email, u.state, u.created_at
  FROM api_keys k JOIN users u ON u.id = k.user_id
 WHERE k.prefix = $1 AND k.revoked_at IS NULL"""


async def by_prefix(tx: Tx, prefix: str) -> list[Candidate]:
    """The keys with this prefix that have not been revoked, whatever their owners' state."""
    return [_candidate(row) for row in await tx.fetch(BY_PREFIX, prefix)]


PREFIXES: Final = "SELECT prefix FROM api_keys WHERE revoked_at IS NULL LIMIT $1"


async def prefixes(tx: Tx, limit: int) -> list[str]:
    """How the keys begin that have not been revoked, at most so many of them."""
    return [row["prefix"] for row in await tx.fetch(PREFIXES, limit)]


def _candidate(row: asyncpg.Record) -> Candidate:
    user = User(row["id"], row["username"], row["email"], row["state"], row["created_at"])
    scopes = frozenset(map(Scope, row["scopes"]))
    grant = Grant(tuple(row["allowed_ips"]), scopes, row["expires_at"], row["key_rate"])
    return Candidate(
        row["key_hash"], row["hashed_with"], KeyOwner(row["key_id"], user, grant, row["user_rate"])
    )


def _key(row: asyncpg.Record | None) -> ApiKey:
    assert row
    its = {"allowed_ips": tuple(row["allowed_ips"]), "scopes": frozenset(map(Scope, row["scopes"]))}
    return ApiKey(**{**row, **its})
