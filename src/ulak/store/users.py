"""Users: who can hold keys, credit and memberships. Owns the table `users`."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Literal
from uuid import UUID

import asyncpg

from ulak.base.db import Tx

State = Literal["active", "disabled"]


@dataclass(frozen=True, slots=True)
class User:
    """A user; names are unique whatever their case."""

    id: UUID
    username: str
    email: str
    state: State
    created_at: datetime


ADD: Final = """
INSERT INTO users (id, username, email, password_hash) VALUES ($1, $2, $3, $4)
    ON CONFLICT DO NOTHING
RETURNING id, username, email, state, created_at"""


async def add(tx: Tx, id_: UUID, username: str, email: str, password_hash: str | None) -> User | None:
    """Write a user; None when the name is taken."""
    row = await tx.fetchrow(ADD, id_, username, email, password_hash)
    return User(**row) if row else None


BY_NAME: Final = "SELECT id, username, email, state, created_at FROM users WHERE lower(username) = lower($1)"


async def by_name(tx: Tx, username: str) -> User | None:
    """The user of this name."""
    row = await tx.fetchrow(BY_NAME, username)
    return User(**row) if row else None


BY_ID: Final = "SELECT id, username, email, state, created_at FROM users WHERE id = $1"


async def by_id(tx: Tx, id_: UUID) -> User | None:
    """The user with this id."""
    row = await tx.fetchrow(BY_ID, id_)
    return User(**row) if row else None


SIGNING_IN: Final = """
SELECT id, username, email, state, created_at, password_hash FROM users
 WHERE lower(username) = lower($1) OR lower(email) = lower($1)
 LIMIT 2"""


async def signing_in(tx: Tx, name: str) -> tuple[User, str | None] | None:
    """Who signs in by this name or e-mail address, and the hash of their password; nobody when several share it."""
    found = await tx.fetch(SIGNING_IN, name)
    return _with_hash(found[0]) if len(found) == 1 else None


HELD: Final = """
SELECT id, username, email, state, created_at, password_hash FROM users WHERE id = $1 FOR NO KEY UPDATE"""


async def held(tx: Tx, id_: UUID) -> tuple[User, str | None] | None:
    """A user and the hash of their password, neither of which changes until the end of the transaction."""
    row = await tx.fetchrow(HELD, id_)
    return _with_hash(row) if row else None


def _with_hash(row: asyncpg.Record) -> tuple[User, str | None]:
    values = dict(row)
    password_hash = values.pop("password_hash")
    return User(**values), password_hash


ALL: Final = "SELECT id, username, email, state, created_at FROM users ORDER BY created_at, id"


async def all(tx: Tx) -> list[User]:
    """Every user, oldest first."""
    return [User(**row) for row in await tx.fetch(ALL)]


SET_HASH: Final = "UPDATE users SET password_hash = $2 WHERE id = $1"


async def set_password(tx: Tx, id_: UUID, password_hash: str) -> None:
    """Let a user sign in with another password, or with the same one hashed anew."""
    await tx.execute(SET_HASH, id_, password_hash)


CAN_SIGN_IN: Final = "SELECT password_hash IS NOT NULL FROM users WHERE id = $1"


async def can_sign_in(tx: Tx, id_: UUID) -> bool:
    """Whether a user has a password, and can sign in with it."""
    return bool(await tx.fetchval(CAN_SIGN_IN, id_))


LOCK: Final = "SELECT id, username, email, state, created_at FROM users WHERE id = $1 FOR NO KEY UPDATE"


async def lock(tx: Tx, id_: UUID) -> User:
    """The user as they are once nobody else is changing them, for whoever is about to."""
    row = await tx.fetchrow(LOCK, id_)
    assert row
    return User(**row)


_HELD: Final = """
 WHERE ($1 = '' OR strpos(lower(username), lower($1)) > 0 OR strpos(lower(email), lower($1)) > 0
    OR id::text = lower($1))"""
COUNT: Final = f"SELECT count(*) FROM users {_HELD}"
PAGE: Final = f"""
SELECT id, username, email, state, created_at FROM users {_HELD}
 ORDER BY lower(username) LIMIT $2 OFFSET $3"""


async def page(tx: Tx, fragment: str, rows_max: int, offset: int) -> tuple[list[User], int]:
    """Some of the users with this in their name or e-mail address ("" for all), by name, and how many there are."""
    rows = await tx.fetch(PAGE, fragment, rows_max, offset)
    return [User(**row) for row in rows], await tx.fetchval(COUNT, fragment)


NAMES: Final = "SELECT id, username FROM users WHERE id = ANY($1::uuid[])"


async def names(tx: Tx, users: Collection[UUID]) -> dict[UUID, str]:
    """How these users are called."""
    return {row["id"]: row["username"] for row in await tx.fetch(NAMES, list(users))}


HOLDING: Final = """
SELECT id, username, email, state, created_at FROM users
 WHERE strpos(lower(username), lower($1)) > 0 OR strpos(lower(email), lower($1)) > 0 OR id::text = lower($1)
 ORDER BY lower(username) = lower($1) DESC, lower(username) LIMIT $2"""


async def holding(tx: Tx, fragment: str, rows_max: int) -> list[User]:
    """Users with this in their name or e-mail address, whatever its case, or with this id; by name."""
    return [User(**row) for row in await tx.fetch(HOLDING, fragment, rows_max)]


SET_STATE: Final = "UPDATE users SET state = $2 WHERE id = $1"


async def set_state(tx: Tx, id_: UUID, state: State) -> None:
    """Let a user in, or shut them out."""
    await tx.execute(SET_STATE, id_, state)


SET_RATE: Final = "UPDATE users SET rate_per_second = $2 WHERE id = $1"


async def set_rate(tx: Tx, id_: UUID, per_second: int | None) -> None:
    """How many requests a second a user may make with all their keys: 0 any number, None as the installation says."""
    await tx.execute(SET_RATE, id_, per_second)


RATE: Final = "SELECT rate_per_second FROM users WHERE id = $1"


async def rate(tx: Tx, id_: UUID) -> int | None:
    """A user's own rate, where they have one."""
    found: int | None = await tx.fetchval(RATE, id_)
    return found
