"""A trunk for each active carrier, as the directory stands: started, changed and stopped while it runs.

Every other second this process says in the database how its connections stand, for operators and for whoever
chooses between carriers.
"""

import asyncio
from contextlib import suppress
from dataclasses import replace
from typing import Final
from uuid import uuid4

import structlog

from ulak.admin.carriers import password_of
from ulak.base.config import Config
from ulak.base.db import COLLISION, UNREACHABLE, Database
from ulak.base.secrets import SecretsError
from ulak.edge.carrier.trunk import Trunk
from ulak.edge.listening import listening
from ulak.flow import presence
from ulak.flow.accept import now
from ulak.store import carriers, notices

LOOK_SECONDS: Final = 5.0
RESTART_SECONDS: Final = 1.0
TELL_SECONDS: Final = 2.0

_log = structlog.get_logger(__name__)


class Links:
    """All connections of this process. `run` until cancelled; then every one takes leave in good order."""

    def __init__(self, db: Database, config: Config) -> None:
        self._db = db
        self._config = config
        self._process = uuid4()
        self._trunks: dict[int, tuple[Trunk, asyncio.Task[None]]] = {}
        self._changed = asyncio.Event()

    async def run(self) -> None:
        """Keep the links as the directory says."""
        hearers = {notices.DIRECTORY: lambda _: self._changed.set(), notices.QUEUE: self._wake}
        ears = asyncio.create_task(listening(self._db, hearers), name="ears")
        mouth = asyncio.create_task(self._keep_telling(), name="mouth")
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
                for task in (ears, mouth):
                    if task.done():
                        task.result()
        finally:
            ears.cancel()
            mouth.cancel()
            await self._stop(list(self._trunks))

    def _wake(self, payload: str) -> None:
        """Wake the connections to the carrier named, or all of them."""
        for carrier_id, (trunk, _) in self._trunks.items():
            if payload in ("", str(carrier_id)):
                trunk.wake()

    async def _look(self) -> None:
        """Compare what runs with what should."""
        async with self._db.reading() as tx:
            wanted = {c.id: c for c in await carriers.all(tx) if c.state == "active"}
        for carrier_id, (_, task) in list(self._trunks.items()):
            if task.done():
                await self._report(carrier_id)
        stale = [
            id_ for id_, (trunk, _) in self._trunks.items() if self._differs(trunk.carrier, wanted.get(id_))
        ]
        await self._stop(stale)
        for carrier_id in wanted.keys() - self._trunks.keys():
            trunk = Trunk(self._db, wanted[carrier_id], self._config)
            task = asyncio.create_task(trunk.run(), name=f"carrier-{trunk.carrier.name}")
            task.add_done_callback(lambda _: self._changed.set())
            self._trunks[carrier_id] = trunk, task
            await self._tell()

    def _differs(self, runs: carriers.Carrier, wanted: carriers.Carrier | None) -> bool:
        """Whether a carrier has changed; that its password was sealed anew changes nothing."""
        if wanted is None or replace(wanted, password=runs.password) != runs:
            return True
        ours = self._db.secrets
        try:
            return wanted.password != runs.password and password_of(wanted, ours) != password_of(runs, ours)
        except SecretsError as error:  # what runs goes on: a restart with the new secret key comes
            _log.error("password_sealed", carrier=runs.name, error=str(error))
            return False

    async def _keep_telling(self) -> None:
        while True:
            await asyncio.sleep(TELL_SECONDS)
            await self._tell()

    async def _tell(self) -> None:
        """Say how every connection stands."""
        reports = [report for trunk, _ in self._trunks.values() for report in trunk.reports(now())]
        with suppress(*UNREACHABLE, *COLLISION):
            if reports:
                await presence.tell(self._db, self._process, reports)

    async def _stop(self, ids: list[int]) -> None:
        """Stop trunks in good order, all at the same time."""
        stopped = [self._trunks.pop(id_) for id_ in ids]
        for trunk, _ in stopped:
            trunk.stop()
        await asyncio.gather(*(task for _, task in stopped), return_exceptions=True)
        if stopped:
            with suppress(*UNREACHABLE, *COLLISION):
                await presence.leave(self._db, self._process, ids)

    async def _report(self, carrier_id: int) -> None:
        """One that fell over: say so; the next look starts it anew."""
        trunk, task = self._trunks.pop(carrier_id)
        error = task.exception() if not task.cancelled() else None
        _log.error("link_failed", carrier=trunk.carrier.name, exc_info=error)
        await asyncio.sleep(RESTART_SECONDS)
