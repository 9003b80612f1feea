"""Sessions: who is signed in where. Owns the table `sessions`.

Only a hash of what the browser's cookie holds is kept. It is of 256 random bits, so a fast hash is enough.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from ulak.base.db import Tx, deleted
from ulak.store.operators import Operator
from ulak.store.users import User


@dataclass(frozen=True, slots=True)
class Session:
    """A user's session, an operator's, or, with both ids, an operator's who looks at what the user sees."""

    id: UUID
    user_id: UUID | None
    operator_id: UUID | None
    address: str | None
    agent: str
    awaits_code: bool
    created_at: datetime
    seen_at: datetime
    expires_at: datetime

    @property
    def read_only(self) -> bool:
        """Whether an operator is only looking."""
        return self.user_id is not None and self.operator_id is not None

    @property
    def owner_id(self) -> UUID:
        """Whose it is: of an operator who looks, the operator's."""
        owner = self.operator_id or self.user_id
        assert owner
        return owner


@dataclass(frozen=True, slots=True)
class Visitor:
    """Somebody who came with a session: the user whose panel is shown, the operator, or both; and the user's own rate,
    where they have one."""

    session: Session
    user: User | None
    operator: Operator | None
    user_rate: int | None


_NAMES: Final = (
    "id",
    "user_id",
    "operator_id",
    "address",
    "agent",
    "awaits_code",
    "created_at",
    "seen_at",
    "expires_at",
)
_COLUMNS: Final = ", ".join(_NAMES)

ADD: Final = f"INSERT INTO sessions ({_COLUMNS}, token_hash) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)"


async def add(tx: Tx, session: Session, token_hash: bytes) -> None:
    """Write a session down."""
    await tx.execute(ADD, *(getattr(session, name) for name in _NAMES), token_hash)


CROWD: Final = """
DELETE FROM sessions WHERE id IN (
    SELECT id FROM sessions
     WHERE (user_id = $1 AND operator_id IS NULL OR operator_id = $1) AND awaits_code = $2
     ORDER BY seen_at DESC, id DESC OFFSET $3)"""


async def end_crowd(tx: Tx, owner_id: UUID, awaits_code: bool, sessions_max: int) -> None:
    """End all but the latest sessions of somebody, of those that await a code or of the others."""
    await tx.execute(CROWD, owner_id, awaits_code, sessions_max)


VISITOR: Final = f"""
SELECT {", ".join(f"s.{name}" for name in _NAMES)},
       u.username AS u_username, u.email AS u_email, u.state AS u_state, u.created_at AS u_created_at,
       u.rate_per_second AS u_rate,
       o.username AS o_username, o.role AS o_role, o.state AS o_state, o.created_at AS o_created_at
  FROM sessions s LEFT JOIN users u ON u.id = s.user_id LEFT JOIN operators o ON o.id = s.operator_id
 WHERE s.token_hash = $1"""


async def visitor(tx: Tx, token_hash: bytes) -> Visitor | None:
    """Whose session this is, whatever state it and they are in."""
    row = await tx.fetchrow(VISITOR, token_hash)
    if row is None:
        return None
    session = _session(row)
    user = operator = None
    if session.user_id:
        user = User(session.user_id, row["u_username"], row["u_email"], row["u_state"], row["u_created_at"])
    if session.operator_id:
        operator = Operator(
            session.operator_id, row["o_username"], row["o_role"], row["o_state"], row["o_created_at"]
        )
    return Visitor(session, user, operator, row["u_rate"])


SEEN: Final = "UPDATE sessions SET seen_at = $2 WHERE id = $1 AND seen_at <= $3"


async def seen(tx: Tx, id_: UUID, at: datetime, before: datetime) -> None:
    """Somebody was here, unless it stands there already that they were after `before`."""
    await tx.execute(SEEN, id_, at, before)


OF: Final = f"""
SELECT {_COLUMNS} FROM sessions
 WHERE (user_id = $1 AND operator_id IS NULL OR operator_id = $1) AND NOT awaits_code AND expires_at > $2
 ORDER BY created_at DESC, id DESC"""


async def of(tx: Tx, owner_id: UUID, at: datetime) -> list[Session]:
    """The sessions of a user or an operator that have not expired, newest first."""
    return [_session(row) for row in await tx.fetch(OF, owner_id, at)]


END: Final = "DELETE FROM sessions WHERE token_hash = $1 RETURNING id"


async def end(tx: Tx, token_hash: bytes) -> bool:
    """End the session of a cookie; False when it had ended."""
    return await tx.fetchrow(END, token_hash) is not None


END_ONE: Final = """
DELETE FROM sessions WHERE id = $2 AND (user_id = $1 AND operator_id IS NULL OR operator_id = $1)
RETURNING id"""


async def end_one(tx: Tx, owner_id: UUID, id_: UUID) -> bool:
    """End one of somebody's sessions; False when they have none of this id."""
    return await tx.fetchrow(END_ONE, owner_id, id_) is not None


END_ALL: Final = """
DELETE FROM sessions
 WHERE (user_id = $1 AND operator_id IS NULL OR operator_id = $1) AND id IS DISTINCT FROM $2"""


async def end_all(tx: Tx, owner_id: UUID, keep: UUID | None = None) -> int:
    """End all sessions of a user or an operator, except one; returns how many."""
    return deleted(await tx.execute(END_ALL, owner_id, keep))


END_LOOKS: Final = "DELETE FROM sessions WHERE operator_id = $1 AND user_id IS NOT NULL"


async def end_looks(tx: Tx, operator_id: UUID) -> None:
    """End the sessions in which an operator looks at what users see."""
    await tx.execute(END_LOOKS, operator_id)


FORGET: Final = """
DELETE FROM sessions WHERE id IN (
    SELECT id FROM sessions WHERE expires_at <= $1 ORDER BY expires_at LIMIT $2 FOR UPDATE SKIP LOCKED)"""


async def forget(tx: Tx, at: datetime, rows_max: int) -> int:
    """Delete sessions that have expired; returns how many."""
    return deleted(await tx.execute(FORGET, at, rows_max))


def _session(row: Any) -> Session:
    return Session(**{name: row[name] for name in _NAMES})
