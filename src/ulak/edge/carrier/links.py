"""One link for each active carrier, as the directory stands: started, changed and stopped while it runs."""

import asyncio
from contextlib import suppress
from typing import Final

import structlog

from ulak.base.config import Config
from ulak.base.db import UNREACHABLE, Database
from ulak.edge.carrier.link import Link
from ulak.edge.listening import listening
from ulak.store import carriers, notices

LOOK_SECONDS: Final = 5.0
RESTART_SECONDS: Final = 1.0

_log = structlog.get_logger(__name__)


class Links:
    """All links of this process. `run` until cancelled; then every link takes leave in good order."""

    def __init__(self, db: Database, config: Config) -> None:
        self._db = db
        self._config = config
        self._links: dict[int, tuple[Link, asyncio.Task[None]]] = {}
        self._changed = asyncio.Event()

    async def run(self) -> None:
        """Keep the links as the directory says."""
        hearers = {notices.DIRECTORY: lambda _: self._changed.set(), notices.QUEUE: self._wake}
        ears = asyncio.create_task(listening(self._db, hearers), name="ears")
        try:
            while True:
                try:
                    await self._look()
                except UNREACHABLE as error:
                    _log.warning("database_unreachable", error=type(error).__name__)
                with suppress(TimeoutError):
                    async with asyncio.timeout(LOOK_SECONDS):
                        await self._changed.wait()
                self._changed.clear()
        finally:
            ears.cancel()
            await self._stop(list(self._links))

    def _wake(self, payload: str) -> None:
        """Wake the link of the carrier named, or all of them."""
        for carrier_id, (link, _) in self._links.items():
            if payload in ("", str(carrier_id)):
                link.wake()

    async def _look(self) -> None:
        """Compare what runs with what should."""
        async with self._db.reading() as tx:
            wanted = {c.id: c for c in await carriers.all(tx) if c.state == "active"}
        for carrier_id, (_, task) in list(self._links.items()):
            if task.done():
                await self._report(carrier_id)
        stale = [id_ for id_, (link, _) in self._links.items() if wanted.get(id_) != link.carrier]
        await self._stop(stale)
        for carrier_id in wanted.keys() - self._links.keys():
            link = Link(self._db, wanted[carrier_id], self._config)
            task = asyncio.create_task(link.run(), name=f"carrier-{link.carrier.name}")
            task.add_done_callback(lambda _: self._changed.set())
            self._links[carrier_id] = link, task

    async def _stop(self, ids: list[int]) -> None:
        """Stop links in good order, all at the same time."""
        stopped = [self._links.pop(id_) for id_ in ids]
        for link, _ in stopped:
            link.stop()
        await asyncio.gather(*(task for _, task in stopped), return_exceptions=True)

    async def _report(self, carrier_id: int) -> None:
        """A link that fell over: say so; the next look starts it anew."""
        link, task = self._links.pop(carrier_id)
        error = task.exception() if not task.cancelled() else None
        _log.error("link_failed", carrier=link.carrier.name, exc_info=error)
        await asyncio.sleep(RESTART_SECONDS)
