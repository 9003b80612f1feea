"""What every door of one process that answers HTTP has to call: the rooms, built once."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from ulak.base.config import Config
from ulak.base.db import Database
from ulak.edge.gate import SHARE, Gate, files, live_pages
from ulak.edge.limits import Limiter
from ulak.edge.listening import listening
from ulak.edge.origin import Origin
from ulak.edge.strangers import Strangers
from ulak.flow.accept import Acceptance
from ulak.flow.directory import Directory
from ulak.flow.till import Till
from ulak.flow.uses import Uses
from ulak.store import notices

#: Searching a long list may take a second: others wait for each other, so that nobody who sends waits for a connection.
SEARCHES_AT_ONCE_MAX = 2


class Rooms:
    """The rooms of one process; with a descriptor its limits are those of all processes that hold it.

    `gate` is for whom we know, by key or session; before `outer_gate` stand those who sign in, so that they cannot fill
    it. `running` keeps the till going. `leaving` is set when the process is asked to stop, `stopping` when it does.
    """

    def __init__(self, config: Config, db: Database, limits_fd: int = -1) -> None:
        self.config = config
        self.db = db
        self.origin = Origin(config.proxies(), config.forwarded_header)
        self.limiter = Limiter(limits_fd)
        self.strangers = Strangers()
        self.directory = Directory(db)
        self._till = Till(
            db,
            orders_max=config.batch_requests_max,
            bulk_min=config.bulk_recipients_min,
            run_max=config.queue_run_max,
            wait_seconds_max=config.wait_seconds_max,
        )
        most, bytes_max = config.requests_max, config.bodies_bytes_max
        self.gate = Gate(requests_max=most, bytes_max=bytes_max)
        self.outer_gate = Gate(requests_max=max(1, most // SHARE), bytes_max=bytes_max // SHARE)
        self.live_pages = live_pages()
        self.files = files()
        self.acceptance = Acceptance(db, self.directory, self._till)
        self.uses = Uses(db)
        self.searches = asyncio.Semaphore(SEARCHES_AT_ONCE_MAX)
        self.leaving = False
        self.stopping = asyncio.Event()

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Run the till and listen for changes of the directory for as long as the block lasts."""
        till = asyncio.create_task(self._till.run(), name="till")
        uses = asyncio.create_task(self.uses.run(), name="uses")
        ears = asyncio.create_task(
            listening(self.db, {notices.DIRECTORY: lambda _: self.directory.forget()}), name="ears"
        )
        try:
            yield
        finally:
            for task in (till, ears, uses):
                task.cancel()
                with suppress(asyncio.CancelledError):
                    await task
