"""Receipts that ended nothing when they came: their message was not known yet, or had ended before.

Owns the table `receipts`. An unmatched receipt waits here until the answer that names its message is written
down, or until it is too old; a late one stays as a record.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Final, Literal, NamedTuple

from ulak.base.db import Tx
from ulak.rules.status import Status

Result = Literal["unmatched", "late"]


class Receipt(NamedTuple):
    """What a carrier said became of one part. `status` None: not final."""

    ref: str
    status: Status | None
    error: str | None
    network: str | None
    raw: str


ADD: Final = """
INSERT INTO receipts (carrier_id, ref, status, error, network, raw, result, received_at)
SELECT $6, r.ref, r.status::message_status, r.error, r.network, r.raw, $7, $8
  FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[]) r(ref, status, error, network, raw)"""


async def add(tx: Tx, carrier_id: int, receipts: Sequence[Receipt], result: Result, at: datetime) -> None:
    """Keep receipts that ended nothing."""
    columns = (list(column) for column in zip(*receipts, strict=True))
    await tx.execute(ADD, *columns, carrier_id, result, at)


CLAIM: Final = """
WITH claimed AS (
    UPDATE receipts SET result = 'matched'
     WHERE carrier_id = $1 AND ref = ANY($2::text[]) AND result = 'unmatched'
 RETURNING id, ref, status::text, error, network, raw)
SELECT ref, status, error, network, raw FROM claimed ORDER BY id"""


async def claim(tx: Tx, carrier_id: int, refs: Sequence[str]) -> list[Receipt]:
    """Take the unmatched receipts for these ids, in the order they came: their messages are known now."""
    return [
        Receipt(ref, Status(status) if status else None, error, network, raw)
        for ref, status, error, network, raw in await tx.fetch(CLAIM, carrier_id, refs)
    ]


OVERTAKEN: Final = """
SELECT DISTINCT r.carrier_id, r.ref FROM receipts r
  JOIN submits s ON s.carrier_id = r.carrier_id AND s.ref = r.ref
 WHERE r.result = 'unmatched' AND r.received_at > $1
 LIMIT $2"""


async def overtaken(tx: Tx, since: datetime, rows_max: int) -> dict[int, list[str]]:
    """Ids by carrier whose receipt and answer are both here and have missed each other."""
    found: dict[int, list[str]] = {}
    for carrier_id, ref in await tx.fetch(OVERTAKEN, since, rows_max):
        found.setdefault(carrier_id, []).append(ref)
    return found


FORGET: Final = "DELETE FROM receipts WHERE result <> 'late' AND received_at < $1"


async def forget_old(tx: Tx, before: datetime) -> None:
    """Delete what came before and matches nothing any more."""
    await tx.execute(FORGET, before)
