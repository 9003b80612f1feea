"""Users: who can hold keys, credit and memberships. Owns the table `users`."""

from dataclasses import dataclass
from datetime import datetime
from typing import Final, Literal
from uuid import UUID

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


ALL: Final = "SELECT id, username, email, state, created_at FROM users ORDER BY created_at, id"


async def all(tx: Tx) -> list[User]:
    """Every user, oldest first."""
    return [User(**row) for row in await tx.fetch(ALL)]


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
