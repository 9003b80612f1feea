"""Drafts: what somebody is about to send, kept between the steps of the panel.

Owns the table `drafts`. A draft is its user's in one context and nobody else's; every statement names both. What is in
`body` is for `admin.drafts` to know.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

from ulak.base.db import Tx
from ulak.rules.tenancy import Context


@dataclass(frozen=True, slots=True)
class Head:
    """A draft without its rows; `numbers_in` is the column of the numbers, None as `service_id` while not chosen."""

    id: UUID
    name: str
    service_id: UUID | None
    text: str
    numbers_in: int | None
    n_rows: int
    created_at: datetime
    expires_at: datetime


_COLUMNS: Final = "id, name, service_id, text, numbers_in, n_rows, created_at, expires_at"

ADD: Final = f"""
INSERT INTO drafts (tenant_id, user_id, {_COLUMNS}, body) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)"""


async def add(tx: Tx, who: Context, head: Head, body: bytes) -> None:
    """Write a draft."""
    its = head.id, head.name, head.service_id, head.text, head.numbers_in, head.n_rows
    await tx.execute(ADD, who.tenant_id, who.user_id, *its, head.created_at, head.expires_at, body)


LEAVE_NEWEST: Final = """
DELETE FROM drafts
 WHERE tenant_id = $1 AND user_id = $2
   AND id NOT IN (SELECT id FROM drafts WHERE tenant_id = $1 AND user_id = $2 ORDER BY id DESC LIMIT $3)"""


async def leave_newest(tx: Tx, who: Context, rows_max: int) -> None:
    """Delete all of them but the newest so many."""
    await tx.execute(LEAVE_NEWEST, who.tenant_id, who.user_id, rows_max)


ALL: Final = f"""
SELECT {_COLUMNS} FROM drafts WHERE tenant_id = $1 AND user_id = $2 AND expires_at > $3 ORDER BY id DESC"""


async def all(tx: Tx, who: Context, at: datetime) -> list[Head]:
    """Those that count at this moment, newest first."""
    return [Head(**row) for row in await tx.fetch(ALL, who.tenant_id, who.user_id, at)]


FIND: Final = f"""
SELECT {_COLUMNS}, body FROM drafts WHERE tenant_id = $1 AND user_id = $2 AND id = $3 AND expires_at > $4"""


async def find(tx: Tx, who: Context, id_: UUID, at: datetime) -> tuple[Head, bytes] | None:
    """One of them and its rows; None when this user has none of this id in this context, or not any more."""
    row = await tx.fetchrow(FIND, who.tenant_id, who.user_id, id_, at)
    if row is None:
        return None
    values = dict(row)
    body: bytes = values.pop("body")
    return Head(**values), body


CHANGE: Final = f"""
UPDATE drafts SET service_id = $5, text = $6, numbers_in = $7
 WHERE tenant_id = $1 AND user_id = $2 AND id = $3 AND expires_at > $4
RETURNING {_COLUMNS}"""


async def change(
    tx: Tx,
    who: Context,
    id_: UUID,
    at: datetime,
    *,
    service_id: UUID | None,
    text: str,
    numbers_in: int | None,
) -> Head | None:
    """Write what was chosen for it; None where `find` finds none."""
    row = await tx.fetchrow(CHANGE, who.tenant_id, who.user_id, id_, at, service_id, text, numbers_in)
    return Head(**row) if row else None


DISCARD: Final = "DELETE FROM drafts WHERE tenant_id = $1 AND user_id = $2 AND id = $3"


async def discard(tx: Tx, who: Context, id_: UUID) -> None:
    """Delete it, if it is there."""
    await tx.execute(DISCARD, who.tenant_id, who.user_id, id_)


FORGET: Final = "DELETE FROM drafts WHERE expires_at <= $1"


async def forget_old(tx: Tx, at: datetime) -> None:
    """Delete the drafts of every tenant that no longer count at `at`."""
    await tx.execute(FORGET, at)
