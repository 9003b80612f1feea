"""Making messages findable by their number: the courier has the ranges of the table summarised that are full.

Nothing waits for it: what is not summarised is found too, by reading it. It keeps some distance from the end of the
table, where messages are being written.
"""

from typing import Final

from ulak.base.db import Database
from ulak.store import numbers

#: In one transaction; one that is new takes half a millisecond.
RANGES_MAX: Final = 500
#: Pages that may be added to still: every connection that writes fills one, and some are made ahead.
DISTANCE_PAGES: Final = 256


class Numbering:
    """One for each courier: it remembers how far the table is summarised, and begins at its beginning."""

    def __init__(self, db: Database) -> None:
        self._db = db
        self._done = 0

    async def some(self) -> bool:
        """Summarise some ranges; says whether there are more."""
        async with self._db.transaction() as tx:
            full = (await numbers.pages(tx) - DISTANCE_PAGES) // numbers.PAGES_PER_RANGE
            if full < self._done:  # somebody has made the table smaller
                self._done = 0
            end = min(full, self._done + RANGES_MAX)
            if end <= self._done or await numbers.summarise(tx, self._done, end) is None:
                return False
        self._done = end
        return end < full
