"""Requests that named themselves with an Idempotency-Key, and the sending each of them made.

Owns the table `idempotency`. A claim is written in the transaction that accepts the sending, so it exists
exactly when the sending does; the primary key makes a twin wait until the first is decided.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Final, NamedTuple
from uuid import UUID

from ulak.base.db import Tx, Write

KEPT: Final = timedelta(hours=24)


class Name(NamedTuple):
    """What a request calls itself: the same name is the same request."""

    tenant_id: UUID
    user_id: UUID
    path: str
    key: str


class Claim(NamedTuple):
    """A named request: the hash of its bytes and the sending that answers it."""

    name: Name
    body_hash: bytes
    sending_id: UUID


FIND: Final = """
SELECT body_hash, sending_id FROM idempotency
 WHERE tenant_id = $1 AND user_id = $2 AND path = $3 AND key = $4 AND created_at > $5"""


async def find(tx: Tx, name: Name, at: datetime) -> Claim | None:
    """The claim under this name that still counts at `at`."""
    row = await tx.fetchrow(FIND, *name, at - KEPT)
    return Claim(name, row["body_hash"], row["sending_id"]) if row else None


CLAIM: Final = """
INSERT INTO idempotency AS i (tenant_id, user_id, path, key, body_hash, sending_id, created_at)
SELECT c.tenant_id, c.user_id, c.path, c.key, c.body_hash, c.sending_id, $7
  FROM unnest($1::uuid[], $2::uuid[], $3::text[], $4::text[], $5::bytea[], $6::uuid[])
       c(tenant_id, user_id, path, key, body_hash, sending_id)
    ON CONFLICT (tenant_id, user_id, path, key) DO UPDATE
   SET body_hash = excluded.body_hash, sending_id = excluded.sending_id, created_at = excluded.created_at
 WHERE i.created_at <= $8
RETURNING i.sending_id"""


def to_claim(claims: Iterable[Claim], at: datetime) -> Write:
    """Take these names, waiting for whoever is taking one of them; returns a row for each that was given.

    A name taken within the last 24 hours is not given again. Each name may stand in `claims` once.
    """
    columns = zip(*((*name, body_hash, sending) for name, body_hash, sending in sorted(claims)), strict=True)
    return Write(CLAIM, (*map(list, columns), at, at - KEPT))


async def claim(tx: Tx, claims: Sequence[Claim], at: datetime) -> set[UUID]:
    """Do so now; returns the sendings that got their names."""
    claiming = to_claim(claims, at)
    return {row["sending_id"] for row in await tx.fetch(claiming.sql, *claiming.values)}


GIVE_UP: Final = """
DELETE FROM idempotency i
 USING unnest($1::uuid[], $2::uuid[], $3::text[], $4::text[]) n(tenant_id, user_id, path, key)
 WHERE i.tenant_id = n.tenant_id AND i.user_id = n.user_id AND i.path = n.path AND i.key = n.key"""


async def give_up(tx: Tx, names: Sequence[Name]) -> None:
    """Forget names claimed in this very transaction: their requests were refused after all."""
    await tx.execute(GIVE_UP, *([name[i] for name in names] for i in range(4)))


FORGET: Final = "DELETE FROM idempotency WHERE created_at <= $1"


async def forget_old(tx: Tx, at: datetime) -> None:
    """Delete the claims of every tenant that no longer count at `at`."""
    await tx.execute(FORGET, at - KEPT)
