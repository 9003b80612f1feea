"""Ears: one connection that listens to what other processes say, for as long as the process lives.

A notice is a hint; whoever acts on it also looks on its own every so often. When the connection is lost every
hearer is called once on return, because something may have been said in the meantime.
"""

import asyncio
from collections.abc import Callable, Mapping
from typing import Any, Final

from ulak.base.db import UNREACHABLE, Database

RETRY_SECONDS: Final = 1.0

Hearer = Callable[[str], None]


async def listening(db: Database, hearers: Mapping[str, Hearer]) -> None:
    """Call the hearer of a channel with each payload, for ever. Hearers are also called with "" on (re)connect."""
    while True:
        try:
            connection = await db.connect()
            lost = asyncio.Event()
            connection.add_termination_listener(lambda _, lost=lost: lost.set())
            try:
                for channel, hearer in hearers.items():
                    await connection.add_listener(channel, _calling(hearer))
                for hearer in hearers.values():
                    hearer("")
                await lost.wait()
            finally:
                connection.terminate()
        except UNREACHABLE:
            pass
        await asyncio.sleep(RETRY_SECONDS)


def _calling(hearer: Hearer) -> Callable[..., None]:
    def call(connection: Any, pid: int, channel: str, payload: object) -> None:
        hearer(str(payload))

    return call
