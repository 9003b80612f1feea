"""Guesses: how often somebody tried a password or a code lately. Owns the table `guesses`.

A row counts for a window of time that begins with its first guess.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Final

from ulak.base.db import Tx, deleted

COUNT: Final = """
INSERT INTO guesses AS g (who, n, since) SELECT who, 1, $2 FROM unnest($1::text[]) AS who ORDER BY who
    ON CONFLICT (who) DO UPDATE SET n = CASE WHEN g.since > $3 THEN g.n + 1 ELSE 1 END,
        since = CASE WHEN g.since > $3 THEN g.since ELSE excluded.since END
RETURNING who, n, since"""


async def count(
    tx: Tx, who: Sequence[str], at: datetime, window_from: datetime
) -> dict[str, tuple[int, datetime]]:
    """Count one more guess for each; returns how many each has made since when. Windows from before
    `window_from` are over. Waits for whoever else is counting for the same."""
    return {row["who"]: (row["n"], row["since"]) for row in await tx.fetch(COUNT, who, at, window_from)}


TAKE_BACK: Final = """
UPDATE guesses SET n = n - 1
 WHERE n > 0 AND who IN (SELECT who FROM guesses WHERE who = ANY($1::text[]) ORDER BY who FOR UPDATE)"""


async def take_back(tx: Tx, who: Sequence[str]) -> None:
    """Count one guess less for each: it was none, they knew."""
    await tx.execute(TAKE_BACK, who)


FORGET: Final = """
DELETE FROM guesses WHERE who IN (
    SELECT who FROM guesses WHERE since <= $1 ORDER BY who LIMIT $2 FOR UPDATE SKIP LOCKED)"""


async def forget(tx: Tx, window_from: datetime, rows_max: int) -> int:
    """Delete windows that are over; returns how many."""
    return deleted(await tx.execute(FORGET, window_from, rows_max))
