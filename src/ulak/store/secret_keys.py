"""Which secret keys this database needs, and everything in it that is sealed. Owns the table `secret_keys`.

It holds ids that are derived from the keys, never a key; what is sealed, and what was written before anything was,
belongs to the tables `carriers` and `second_factors`.
"""

from collections.abc import Mapping
from typing import Final, NamedTuple

from ulak.base.db import Tx


class Sealed(NamedTuple):
    """Something sealed, by its row; where it was never sealed, `plain` holds it as text or bytes."""

    row: str
    sealed: bytes | None
    plain: str | bytes | None = None


KNOWN: Final = "SELECT id FROM secret_keys ORDER BY since, id"


async def known(tx: Tx) -> list[bytes]:
    """The ids of the keys that this database needs."""
    return [row["id"] for row in await tx.fetch(KNOWN)]


async def lock(tx: Tx) -> None:
    """Until the transaction ends nobody else learns or forgets keys."""
    await tx.execute("LOCK TABLE secret_keys IN SHARE ROW EXCLUSIVE MODE")


ADD: Final = "INSERT INTO secret_keys (id) VALUES ($1) ON CONFLICT DO NOTHING"


async def add(tx: Tx, id_: bytes) -> None:
    """Something will need this key from now on."""
    await tx.execute(ADD, id_)


FORGET: Final = "DELETE FROM secret_keys WHERE id = $1"


async def forget(tx: Tx, id_: bytes) -> None:
    """Nothing needs this key any more."""
    await tx.execute(FORGET, id_)


PLAIN: Final[Mapping[str, str]] = {
    "carriers": "SELECT id::text AS row, NULL::bytea AS sealed, password_plain AS plain FROM carriers "
    "WHERE password_plain IS NOT NULL FOR UPDATE",
    "second_factors": "SELECT owner_id::text AS row, NULL::bytea AS sealed, secret_plain AS plain FROM second_factors "
    "WHERE secret_plain IS NOT NULL FOR UPDATE",
}


async def plain(tx: Tx, table: str) -> list[Sealed]:
    """What was written before anything was sealed."""
    return [Sealed(**row) for row in await tx.fetch(PLAIN[table])]


SEALED: Final[Mapping[str, str]] = {
    "carriers": "SELECT id::text AS row, password AS sealed FROM carriers WHERE password IS NOT NULL FOR UPDATE",
    "second_factors": "SELECT owner_id::text AS row, secret AS sealed FROM second_factors "
    "WHERE secret IS NOT NULL FOR UPDATE",
}


async def sealed(tx: Tx, table: str) -> list[Sealed]:
    """Everything sealed in a table; nobody changes it until the transaction ends."""
    return [Sealed(**row) for row in await tx.fetch(SEALED[table])]


KEEP: Final[Mapping[str, str]] = {
    "carriers": "UPDATE carriers SET password = $2, password_plain = NULL WHERE id = $1::text::integer",
    "second_factors": "UPDATE second_factors SET secret = $2, secret_plain = NULL WHERE owner_id = $1::text::uuid",
}


async def keep(tx: Tx, table: str, row: str, value: bytes) -> None:
    """Write what was sealed now instead of what stood there."""
    await tx.execute(KEEP[table], row, value)
