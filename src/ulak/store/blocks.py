"""Gathering a tenant's texts into blocks, in which they are searched.

Owns `search_blocks` and `search_days`. A block holds the folded texts of many sendings of one hour, so that looking
through all of a tenant's millions reads few rows, and a signature says of most blocks that what is looked for is not in
there (docs/decisions/0012). `flow.searchable` gathers them in the background, `store.search` reads them. Blocks are a
copy: they may be thrown away at any time, and be gathered anew.
"""

import asyncio
from collections.abc import AsyncIterator, Iterable
from datetime import datetime
from typing import Final, NamedTuple
from uuid import UUID

import asyncpg

from ulak.base.db import Tx
from ulak.rules import ids, stretches
from ulak.rules.signature import BITS, signature
from ulak.rules.stretches import DAY

#: Ends each text in a block; where a text itself holds it, the block has the next character instead.
END_OF_TEXT: Final = "\x01"
STAND_IN: Final = "\x02"
#: The bytes of texts and ids in a block. Larger ones are fewer, but more of them hold what is looked for.
BLOCK_BYTES_MAX: Final = 7200
#: Blocks of fewer characters have no signature: they lie in the row itself, and are read as quickly as it would be.
SIGNED_MIN: Final = 1500
_ID_BYTES: Final = 16


class Day(NamedTuple):
    """How far a day of a tenant is gathered."""

    n: int
    until: datetime


TAKE: Final = """
INSERT INTO search_days AS d (tenant_id, starts, n, until) VALUES ($1, $2, 0, $2)
    ON CONFLICT (tenant_id, starts) DO UPDATE SET n = d.n
RETURNING n, until"""


async def take(tx: Tx, tenant_id: UUID, day: datetime) -> Day:
    """How far a day is gathered; nobody else gathers it meanwhile."""
    row = await tx.fetchrow(TAKE, tenant_id, day)
    assert row, "an INSERT that does something on conflict returns its row"
    return Day(*row)


MISSING: Final = """
SELECT (SELECT sum(n) FROM tallies WHERE tenant_id = $1 AND minutes = 1440 AND starts = $2)::bigint
       - (SELECT count(*) FROM sendings WHERE tenant_id = $1 AND id >= $3 AND id < $4)"""


async def before(tx: Tx, tenant_id: UUID, day: datetime, until: datetime) -> int:
    """How many sendings of a day are older than a moment in it."""
    first, end = stretches.milliseconds(until), stretches.milliseconds(day) + DAY
    n: int | None = await tx.fetchval(MISSING, tenant_id, day, ids.first_id(first), ids.first_id(end))
    return n or 0


STRIDE: Final = (
    "SELECT id FROM sendings WHERE tenant_id = $1 AND id >= $2 AND id < $3 ORDER BY id OFFSET $4 LIMIT 1"
)
# In the order of the texts, so that what is looked for lies in few blocks of an hour, where it lies at all.
BLOCKS: Final = f"""
SELECT starts, source, array_agg(id ORDER BY text COLLATE "C", id),
       string_agg(text, U&'\\0001' ORDER BY text COLLATE "C", id) || U&'\\0001'
  FROM (SELECT id, source, starts, text,
               sum(octet_length(text) + 1 + {_ID_BYTES})
                   OVER (PARTITION BY starts, source ORDER BY text COLLATE "C", id) / {BLOCK_BYTES_MAX} AS nth
          FROM (SELECT id, source, date_trunc('hour', created_at, 'UTC') AS starts,
                       replace(search_text, U&'\\0001', U&'\\0002') AS text
                  FROM sendings WHERE tenant_id = $1 AND id >= $2 AND id < $3) s) cut
 GROUP BY starts, source, nth
 ORDER BY starts, source, nth"""
COPIED: Final = ("tenant_id", "starts", "source", "first_id", "last_id", "signature", "ids", "texts")
GATHERED: Final = "UPDATE search_days SET n = n + $3, until = $4 WHERE tenant_id = $1 AND starts = $2"


async def gather(
    tx: Tx, tenant_id: UUID, day: datetime, since: datetime, end: datetime, rows_max: int
) -> int:
    """Put a day's texts into blocks, from where that was left up to a moment, or some `rows_max` of them; how many."""
    first, last = ids.first_id(stretches.milliseconds(since)), ids.first_id(stretches.milliseconds(end))
    beyond: UUID | None = await tx.fetchval(STRIDE, tenant_id, first, last, rows_max)
    if beyond:  # all of a millisecond or none: it is where the next time begins
        end = stretches.instant(max(ids.milliseconds_of(beyond), stretches.milliseconds(since) + 1))
        last = ids.first_id(stretches.milliseconds(end))
    blocks = await tx.fetch(BLOCKS, tenant_id, first, last)
    await tx.copy_records_to_table("search_blocks", columns=COPIED, records=_signed(tenant_id, blocks))
    n = sum(len(its) for _, _, its, _ in blocks)
    await tx.execute(GATHERED, tenant_id, day, n, end)
    return n


async def _signed(tenant_id: UUID, blocks: Iterable[asyncpg.Record]) -> AsyncIterator[tuple[object, ...]]:
    """Blocks with their signatures, as rows; each takes half a millisecond, so others of the process have their turn
    in between."""
    for starts, source, its, texts in blocks:
        of_texts = bits(texts) if len(texts) >= SIGNED_MIN else None
        yield tenant_id, starts, source, min(its), max(its), of_texts, its, texts
        await asyncio.sleep(0)


def bits(text: str) -> asyncpg.BitString:
    """A text's signature, as PostgreSQL keeps and compares it."""
    return asyncpg.BitString.frombytes(signature(text), BITS)


FORGET_BLOCKS: Final = "DELETE FROM search_blocks WHERE tenant_id = $1 AND starts >= $2 AND starts < $3"
FORGET_DAY: Final = "UPDATE search_days SET n = 0, until = starts WHERE tenant_id = $1 AND starts = $2"


async def forget(tx: Tx, tenant_id: UUID, day: datetime) -> None:
    """Begin a day anew."""
    end = stretches.instant(stretches.milliseconds(day) + DAY)
    await tx.execute(FORGET_BLOCKS, tenant_id, day, end)
    await tx.execute(FORGET_DAY, tenant_id, day)
