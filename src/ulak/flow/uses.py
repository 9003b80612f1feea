"""When keys were last used, and by which hash they are to be known: remembered while requests are answered, written
every so often.

Whoever looks at their keys wants to know which of them nobody needs any more; a minute more or less does not matter,
and neither does what a process that dies had not written yet.
"""

import asyncio
from contextlib import suppress
from datetime import UTC, datetime
from typing import Final
from uuid import UUID

from ulak.base.db import UNREACHABLE, Database
from ulak.store import keys, secret_keys
from ulak.store.keys import KeyOwner

EVERY_SECONDS: Final = 20.0


class Uses:
    """The memory of one process."""

    def __init__(self, db: Database) -> None:
        self._db = db
        self._seen: set[UUID] = set()
        self._renewed: dict[UUID, bytes] = {}

    def note(self, owner: KeyOwner) -> None:
        """This key is being used."""
        self._seen.add(owner.key_id)
        if owner.renewed is not None:
            self._renewed[owner.key_id] = owner.renewed

    async def run(self) -> None:
        """Write, for ever; what was not written yet goes out with the last breath."""
        try:
            while True:
                await asyncio.sleep(EVERY_SECONDS)
                await self.write()
        finally:
            await self.write()

    async def write(self) -> None:
        """Write down what was seen since the last time."""
        seen, self._seen = self._seen, set()
        renewed, self._renewed = self._renewed, {}
        if not seen:
            return
        with suppress(*UNREACHABLE):
            async with self._db.transaction() as tx:
                if renewed:
                    await secret_keys.add(tx, self._db.secrets.first)
                for key_id, key_hash in sorted(renewed.items()):
                    await keys.renew(tx, key_id, key_hash, self._db.secrets.first)
                await keys.used(tx, sorted(seen), datetime.now(UTC))
