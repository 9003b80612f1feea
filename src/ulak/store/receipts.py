"""Receipts: what carriers said became of what they took, each kept as it came.

Owns the table `receipts`. An unmatched receipt waits here until the answer that names its message is written
down, or until it is too old; a late one is one that came after its message had ended.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Final, Literal, NamedTuple

from ulak.base.db import Tx, deleted
from ulak.rules.status import Status

Result = Literal["unmatched", "matched", "late"]


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
    """Keep receipts, and what they did."""
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


UNMATCHED: Final = """
SELECT c.id, r.n FROM unnest($1::int[]) c(id)
 CROSS JOIN LATERAL (
       SELECT count(*) FILTER (WHERE o.result = 'unmatched') AS n
         FROM (SELECT result FROM receipts
                WHERE carrier_id = c.id AND result <> 'matched' ORDER BY ref DESC LIMIT $2) o) r"""


async def unmatched(tx: Tx, carriers: Sequence[int], rows_max: int) -> dict[int, int]:
    """How many receipts of each carrier wait for their message, among `rows_max` that are not matched or came late."""
    rows = await tx.fetch(UNMATCHED, carriers, rows_max)
    return {row["id"]: row["n"] for row in rows}


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


FORGET_UNMATCHED: Final = "DELETE FROM receipts WHERE result = 'unmatched' AND received_at < $1"


async def forget_unmatched(tx: Tx, before: datetime) -> None:
    """Delete what came before and has matched nothing."""
    await tx.execute(FORGET_UNMATCHED, before)


FORGET: Final = """
DELETE FROM receipts WHERE ctid = ANY (ARRAY (
    SELECT ctid FROM receipts WHERE received_at < $1 AND result <> 'unmatched' LIMIT $2))"""


async def forget_old(tx: Tx, before: datetime, rows_max: int) -> int:
    """Delete what came before, at most so many; returns how many."""
    return deleted(await tx.execute(FORGET, before, rows_max))


class Kept(NamedTuple):
    """A receipt as it stands in a message's history."""

    ref: str
    status: Status | None
    error: str | None
    network: str | None
    raw: str
    result: Result
    received_at: datetime


OF_REFS: Final = """
SELECT ref, status::text, error, network, raw, result, received_at FROM receipts
 WHERE carrier_id = $1 AND ref = ANY($2::text[])
   AND (received_at >= $3 AND received_at <= $4 AND result = 'matched')
 UNION ALL
SELECT ref, status::text, error, network, raw, result, received_at FROM receipts
 WHERE carrier_id = $1 AND ref = ANY($2::text[]) AND result <> 'matched' AND received_at >= $3
 ORDER BY received_at"""


async def of_refs(
    tx: Tx, carrier_id: int, refs: Sequence[str], since: datetime, until: datetime
) -> list[Kept]:
    """What a carrier said of these ids in this time, and what it said late, in order."""
    rows = await tx.fetch(OF_REFS, carrier_id, refs, since, until)
    return [Kept(ref, Status(status) if status else None, *rest) for ref, status, *rest in rows]
