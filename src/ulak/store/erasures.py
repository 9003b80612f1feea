"""Erasing texts and numbers that have had their time; what they cost and how they ended stays.

Owns the table `erased`, which says of each tenant how far that has come. A text becomes `ERASED`, and can be searched
no more; a number becomes 0. Everything that is counted or paid is left as it is, and so the books prove as before.
Blocks of the same days are thrown away, and gathered anew from what is left (`store.blocks`).
"""

from datetime import datetime
from typing import Final, NamedTuple
from uuid import UUID

from ulak.base.db import Tx
from ulak.rules.text import ERASED

NOWHERE: Final = UUID(int=0)


class Place(NamedTuple):
    """A message in the order in which messages lie: its sending, and its position."""

    sending_id: UUID
    position: int


TAKE: Final = """
INSERT INTO erased AS e (tenant_id, sending_id, position) VALUES ($1, $2, -1)
    ON CONFLICT (tenant_id) DO UPDATE SET position = e.position
RETURNING sending_id, position"""


async def take(tx: Tx, tenant_id: UUID) -> Place:
    """The last message of a tenant that is erased; nobody else erases on meanwhile."""
    row = await tx.fetchrow(TAKE, tenant_id, NOWHERE)
    assert row, "an INSERT that does something on conflict returns its row"
    return Place(*row)


FIRST_OPEN: Final = """
SELECT id FROM sendings WHERE tenant_id = $1 AND id >= $2 AND id < $3 AND completed_at IS NULL ORDER BY id LIMIT 1"""


async def first_open(tx: Tx, tenant_id: UUID, since: UUID, end: UUID) -> UUID | None:
    """The oldest sending between two ids that is not completed, if there is one."""
    found: UUID | None = await tx.fetchval(FIRST_OPEN, tenant_id, since, end)
    return found


LAST: Final = """
SELECT sending_id, position
  FROM (SELECT sending_id, position FROM messages
         WHERE tenant_id = $1 AND (sending_id, position) > ($2, $3::int) AND sending_id < $4
         ORDER BY sending_id, position LIMIT $5) next
 ORDER BY sending_id DESC, position DESC LIMIT 1"""


async def last(tx: Tx, tenant_id: UUID, after: Place, end: UUID, rows_max: int) -> Place | None:
    """The last of the next so many messages after one, in the sendings before `end`."""
    row = await tx.fetchrow(LAST, tenant_id, *after, end, rows_max)
    return Place(*row) if row else None


FORGET_DAYS: Final = """
UPDATE search_days SET n = 0, until = starts
 WHERE tenant_id = $1 AND starts >= date_trunc('day', $2::timestamptz, 'UTC') AND starts <= $3"""
FORGET_BLOCKS: Final = """
DELETE FROM search_blocks
 WHERE tenant_id = $1 AND starts >= date_trunc('day', $2::timestamptz, 'UTC')
   AND starts < date_trunc('day', $3::timestamptz, 'UTC') + interval '1 day'"""


async def forget_blocks(tx: Tx, tenant_id: UUID, first: datetime, last: datetime) -> None:
    """Throw away what is gathered of the days from one moment's to another's; whoever gathers one is waited for."""
    await tx.execute(FORGET_DAYS, tenant_id, first, last)
    await tx.execute(FORGET_BLOCKS, tenant_id, first, last)


ERASE_MESSAGES: Final = """
UPDATE messages SET recipient = 0, text = NULL, search_text = NULL
 WHERE tenant_id = $1 AND (sending_id, position) > ($2, $3::int) AND (sending_id, position) <= ($4, $5::int)"""
ERASE_SENDINGS: Final = """
UPDATE sendings SET text = $4, search_text = '' WHERE tenant_id = $1 AND id >= $2 AND id <= $3 AND text <> $4"""
REACHED: Final = "UPDATE erased SET sending_id = $2, position = $3 WHERE tenant_id = $1"


async def erase(tx: Tx, tenant_id: UUID, after: Place, to: Place) -> None:
    """Erase the messages after one up to another, and the texts of their sendings; remember it."""
    await tx.execute(ERASE_MESSAGES, tenant_id, *after, *to)
    await tx.execute(ERASE_SENDINGS, tenant_id, after.sending_id, to.sending_id, ERASED)
    await tx.execute(REACHED, tenant_id, *to)
