"""What went to a carrier under which id: how a receipt finds its message.

Owns the table `submits`, a row for each part a carrier has taken: when it went out, when it was answered, and the
carrier's id. `ref` is the id in its normal form; what the carrier wrote is kept where that differs. The key
(carrier, ref) is not unique: a carrier reuses its ids, and one that was restarted may begin again.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Final, NamedTuple
from uuid import UUID

from ulak.base.db import Tx, Write, deleted


class Submit(NamedTuple):
    """One part of a message, taken by a carrier under the id `ref`."""

    ref: str
    tenant_id: UUID
    sending_id: UUID
    position: int
    part: int
    submitted_at: datetime
    answered_id: str | None


ADD: Final = """
INSERT INTO submits (carrier_id, ref, tenant_id, sending_id, position, part, submitted_at, answered_id, answered_at)
SELECT $8, s.*, $9
  FROM unnest($1::text[], $2::uuid[], $3::uuid[], $4::int[], $5::int[], $6::timestamptz[], $7::text[])
       s(ref, tenant_id, sending_id, position, part, submitted_at, answered_id)"""


def to_add(carrier_id: int, submits: Sequence[Submit], at: datetime) -> Write:
    """Remember parts a carrier has taken."""
    return Write(ADD, (*map(list, zip(*submits, strict=True)), carrier_id, at))


FIND: Final = """
SELECT ref, tenant_id, sending_id, position, part, submitted_at, answered_id FROM submits
 WHERE carrier_id = $1 AND ref = ANY($2::text[])
 ORDER BY answered_at"""


async def find(tx: Tx, carrier_id: int, refs: Sequence[str]) -> dict[str, list[Submit]]:
    """The parts behind these ids of a carrier, oldest first where an id came up more than once."""
    found: dict[str, list[Submit]] = {}
    for row in await tx.fetch(FIND, carrier_id, refs):
        found.setdefault(row["ref"], []).append(Submit(*row))
    return found


class Answered(NamedTuple):
    """A part of one message as it stands in its history."""

    carrier_id: int
    ref: str
    part: int
    submitted_at: datetime
    answered_id: str | None
    answered_at: datetime


OF_MESSAGE: Final = """
SELECT carrier_id, ref, part, submitted_at, answered_id, answered_at FROM submits
 WHERE answered_at >= $4 AND answered_at <= $5 AND tenant_id = $1 AND sending_id = $2 AND position = $3
 ORDER BY answered_at, part"""


async def of_message(
    tx: Tx, tenant_id: UUID, sending_id: UUID, position: int, since: datetime, until: datetime
) -> list[Answered]:
    """The parts of one message that were taken in this time, in order."""
    return [
        Answered(*row) for row in await tx.fetch(OF_MESSAGE, tenant_id, sending_id, position, since, until)
    ]


FORGET: Final = """
DELETE FROM submits WHERE ctid = ANY (ARRAY (SELECT ctid FROM submits WHERE answered_at < $1 LIMIT $2))"""


async def forget_old(tx: Tx, before: datetime, rows_max: int) -> int:
    """Delete what is older, at most so many; returns how many."""
    return deleted(await tx.execute(FORGET, before, rows_max))
