"""Numbers: keeping the index by which messages are found by their number. Owns the index `messages_recipient`.

It is a BRIN: for each range of pages a filter that says which numbers are not in there. A range is summarised when it
is full: a filter that is still added to is written anew with every message. What is not summarised is read by every
search, so that nothing is missed.
"""

from typing import Final

import asyncpg

from ulak.base.db import Tx

#: Of the table in one summary, as the migration says.
PAGES_PER_RANGE: Final = 32

PAGES: Final = "SELECT pg_relation_size('messages') / current_setting('block_size')::bigint"


async def pages(tx: Tx) -> int:
    """How many pages the table of messages has."""
    n: int = await tx.fetchval(PAGES)
    return n


# Summarising takes the lock that VACUUM takes. Whoever waited for it would have an autovacuum that is at work
# cancelled after a second; that one summarises too, when it is done.
LOCK: Final = "LOCK TABLE messages IN SHARE UPDATE EXCLUSIVE MODE NOWAIT"

SUMMARISE: Final = """
SELECT coalesce(sum(brin_summarize_range('messages_recipient', range * $3)), 0)::bigint
  FROM generate_series($1::bigint, $2::bigint - 1) range"""


async def summarise(tx: Tx, first: int, end: int) -> int | None:
    """Summarise those of the ranges [first, end) that are not yet; returns how many. None when it cannot be done:
    somebody else is at work on the table, or the table is not ours; then VACUUM does it, some time. The transaction is
    to end after that."""
    try:
        await tx.execute(LOCK)
        n: int = await tx.fetchval(SUMMARISE, first, end, PAGES_PER_RANGE)
    except (asyncpg.LockNotAvailableError, asyncpg.InsufficientPrivilegeError):
        return None
    return n
