"""What PostgreSQL's sessions wait for, by looking at them some ten times a second: the disk, a lock, or Ulak.

pg_stat_statements does not count what happens at a commit, which is where the WAL goes to the disk; this does. In: the
rig's data directory, for as long as a `Sampler` runs. Out: how many sessions, on average, were at what.
"""

import asyncio
from collections import Counter
from pathlib import Path
from threading import Event, Thread
from typing import Final

from bench.statements import superuser
from ulak.base.embedded.settings import ROLE

EVERY_SECONDS: Final = 0.02
IN_BETWEEN: Final = "in a transaction, between two statements"

_NOW: Final = f"""
SELECT CASE WHEN state <> 'active' THEN '{IN_BETWEEN}'
            WHEN wait_event IS NULL THEN 'running'
            ELSE wait_event_type || ': ' || wait_event END AS doing, count(*) AS n
  FROM pg_stat_activity
 WHERE usename = $1 AND state IN ('active', 'idle in transaction')
 GROUP BY 1"""


class Sampler:
    """Looks from now on, in a thread of its own, until `stop`."""

    def __init__(self, home: Path) -> None:
        self._home = home
        self._ended = Event()
        self._looks = 0
        self._seen: Counter[str] = Counter()
        self._thread = Thread(target=lambda: asyncio.run(self._look()), name="waits")
        self._thread.start()

    async def _look(self) -> None:
        async with superuser(self._home) as connection:
            while not self._ended.is_set():
                for row in await connection.fetch(_NOW, ROLE):
                    self._seen[row["doing"]] += row["n"]
                self._looks += 1
                await asyncio.sleep(EVERY_SECONDS)

    def __enter__(self) -> "Sampler":
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()

    def sessions(self) -> dict[str, float]:
        """How many sessions were at what, on average, most first; for when it has ended."""
        return {what: n / max(1, self._looks) for what, n in self._seen.most_common()}
