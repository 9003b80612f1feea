"""Operators: who may come in by the operator's door of the panel. Owns the table `operators`."""

from dataclasses import dataclass
from datetime import datetime
from typing import Final, Literal
from uuid import UUID

import asyncpg

from ulak.base.db import Tx

Role = Literal["operator", "viewer"]
State = Literal["active", "disabled"]


@dataclass(frozen=True, slots=True)
class Operator:
    """An operator; names are unique whatever their case. A viewer changes nothing."""

    id: UUID
    username: str
    role: Role
    state: State
    created_at: datetime


_COLUMNS: Final = "id, username, role, state, created_at"

ADD: Final = f"""
INSERT INTO operators (id, username, password_hash, role) VALUES ($1, $2, $3, $4)
    ON CONFLICT DO NOTHING
RETURNING {_COLUMNS}"""


async def add(tx: Tx, id_: UUID, username: str, password_hash: str, role: Role) -> Operator | None:
    """Write an operator; None when the name is taken."""
    row = await tx.fetchrow(ADD, id_, username, password_hash, role)
    return Operator(**row) if row else None


BY_NAME: Final = f"SELECT {_COLUMNS} FROM operators WHERE lower(username) = lower($1)"


async def by_name(tx: Tx, username: str) -> Operator | None:
    """The operator of this name."""
    row = await tx.fetchrow(BY_NAME, username)
    return Operator(**row) if row else None


BY_ID: Final = f"SELECT {_COLUMNS} FROM operators WHERE id = $1"


async def by_id(tx: Tx, id_: UUID) -> Operator | None:
    """The operator with this id."""
    row = await tx.fetchrow(BY_ID, id_)
    return Operator(**row) if row else None


ALL: Final = f"SELECT {_COLUMNS} FROM operators ORDER BY created_at, id"


async def all(tx: Tx) -> list[Operator]:
    """Every operator, oldest first."""
    return [Operator(**row) for row in await tx.fetch(ALL)]


SET_STATE: Final = "UPDATE operators SET state = $2 WHERE id = $1"


async def set_state(tx: Tx, id_: UUID, state: State) -> None:
    """Let an operator in, or shut them out."""
    await tx.execute(SET_STATE, id_, state)


SET_PASSWORD: Final = "UPDATE operators SET password_hash = $2 WHERE id = $1"  # noqa: S105


async def set_password(tx: Tx, id_: UUID, password_hash: str) -> None:
    """Give an operator another password."""
    await tx.execute(SET_PASSWORD, id_, password_hash)


SIGNING_IN: Final = f"SELECT {_COLUMNS}, password_hash FROM operators WHERE lower(username) = lower($1)"


async def signing_in(tx: Tx, name: str) -> tuple[Operator, str] | None:
    """Who signs in by this name, and the hash of their password."""
    return _with_hash(await tx.fetchrow(SIGNING_IN, name))


HELD: Final = f"SELECT {_COLUMNS}, password_hash FROM operators WHERE id = $1 FOR NO KEY UPDATE"


async def held(tx: Tx, id_: UUID) -> tuple[Operator, str] | None:
    """An operator and the hash of their password, neither of which changes until the end of the transaction."""
    return _with_hash(await tx.fetchrow(HELD, id_))


def _with_hash(row: asyncpg.Record | None) -> tuple[Operator, str] | None:
    if row is None:
        return None
    values = dict(row)
    password_hash = values.pop("password_hash")
    return Operator(**values), password_hash
