"""What went to a carrier under which id: how a receipt finds its message.

Owns the table `submits`, a row for each part a carrier has taken. The key (carrier, ref) is not unique: a
carrier reuses its ids, and one that was restarted may begin again.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Final, NamedTuple
from uuid import UUID

from ulak.base.db import Tx


class Submit(NamedTuple):
    """One part of a message, taken by a carrier under the id `ref`."""

    ref: str
    tenant_id: UUID
    sending_id: UUID
    position: int
    part: int


ADD: Final = """
INSERT INTO submits (carrier_id, ref, tenant_id, sending_id, position, part, submitted_at)
SELECT $6, s.*, $7 FROM unnest($1::text[], $2::uuid[], $3::uuid[], $4::int[], $5::int[])
       s(ref, tenant_id, sending_id, position, part)"""


async def add(tx: Tx, carrier_id: int, submits: Sequence[Submit], at: datetime) -> None:
    """Remember parts a carrier has taken."""
    columns = (list(column) for column in zip(*submits, strict=True))
    await tx.execute(ADD, *columns, carrier_id, at)


FIND: Final = """
SELECT ref, tenant_id, sending_id, position, part FROM submits
 WHERE carrier_id = $1 AND ref = ANY($2::text[])
 ORDER BY submitted_at"""


async def find(tx: Tx, carrier_id: int, refs: Sequence[str]) -> dict[str, list[Submit]]:
    """The parts behind these ids of a carrier, oldest first where an id came up more than once."""
    found: dict[str, list[Submit]] = {}
    for row in await tx.fetch(FIND, carrier_id, refs):
        found.setdefault(row["ref"], []).append(Submit(*row))
    return found
