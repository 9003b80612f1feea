"""Incidents: what happened to messages on their way besides the usual. Owns the table `incidents`.

Written in the transaction that acts on it, so a message never goes a second time without its reason standing here.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Literal, NamedTuple

from ulak.base.db import Tx, Write, deleted, write
from ulak.store.messages import Key

Kind = Literal["throttled", "retried", "refused", "unsure", "moved"]


class Incident(NamedTuple):
    """Something happened to a message `n` times, at a carrier that answered `status`, where it answered.

    `throttled`, `retried`: the carrier did not take it and it went out again. `refused`: the carrier never will.
    `unsure`: it may have gone out, and no answer came. `moved`: from then on it goes over `moved_to`.
    """

    key: Key
    carrier_id: int
    kind: Kind
    status: int | None = None
    n: int = 1
    moved_to: int | None = None
    reason: str | None = None


ADD: Final = """
INSERT INTO incidents (tenant_id, sending_id, position, carrier_id, kind, status, n, moved_to, reason, at)
SELECT i.*, $10
  FROM unnest($1::uuid[], $2::uuid[], $3::int[], $4::int[], $5::text[], $6::int[], $7::int[], $8::int[], $9::text[])
       i(tenant_id, sending_id, position, carrier_id, kind, status, n, moved_to, reason)"""


def to_add(incidents: Sequence[Incident], at: datetime) -> Write:
    """Write down what happened."""
    columns = zip(*((*key, *rest) for key, *rest in incidents), strict=True)
    return Write(ADD, (*map(list, columns), at))


async def add(tx: Tx, incidents: Sequence[Incident], at: datetime) -> None:
    """The same, now."""
    await write(tx, to_add(incidents, at))


REFUSED_BY: Final = """
SELECT i.tenant_id, i.sending_id, i.position, i.carrier_id
  FROM unnest($1::uuid[], $2::uuid[], $3::int[]) k(tenant_id, sending_id, position)
  JOIN incidents i ON i.tenant_id = k.tenant_id AND i.sending_id = k.sending_id AND i.position = k.position
 WHERE i.kind = 'refused'"""


async def refused_by(tx: Tx, keys: Sequence[Key]) -> dict[Key, set[int]]:
    """Which carriers have turned these messages away."""
    found: dict[Key, set[int]] = {}
    for *key, carrier_id in await tx.fetch(REFUSED_BY, *(list(column) for column in zip(*keys, strict=True))):
        found.setdefault(Key(*key), set()).add(carrier_id)
    return found


@dataclass(frozen=True, slots=True)
class Kept:
    """An incident as it stands in a message's history."""

    carrier_id: int
    kind: Kind
    status: int | None
    n: int
    moved_to: int | None
    reason: str | None
    at: datetime


OF_MESSAGE: Final = """
SELECT carrier_id, kind, status, n, moved_to, reason, at FROM incidents
 WHERE tenant_id = $1 AND sending_id = $2 AND position = $3 ORDER BY at"""


async def of_message(tx: Tx, key: Key) -> list[Kept]:
    """What happened to one message, in order."""
    return [Kept(**row) for row in await tx.fetch(OF_MESSAGE, *key)]


FORGET: Final = """
DELETE FROM incidents WHERE ctid = ANY (ARRAY (SELECT ctid FROM incidents WHERE at < $1 LIMIT $2))"""


async def forget_old(tx: Tx, before: datetime, rows_max: int) -> int:
    """Delete what is older, at most so many; returns how many."""
    return deleted(await tx.execute(FORGET, before, rows_max))
