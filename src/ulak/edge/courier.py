"""The courier's round: sweeps that end what got stuck and clear away what has had its time.

Any number of couriers may run; the rows they work on are locked for the moment, and every sweep only moves what
is still to be moved.
"""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from functools import partial
from typing import Final

import structlog

from ulak.admin import entrance
from ulak.base.config import Config
from ulak.base.db import COLLISION, UNREACHABLE, Database
from ulak.flow import closing, fallback, numbers, pulse, retention, searchable, summarised, sweep
from ulak.flow.accept import now
from ulak.flow.pulse import What
from ulak.rules.stretches import EPOCH

ROUNDS_BETWEEN_CLEANING: Final = 60
#: So often it shows in the pulse that there is a courier.
ROUNDS_BETWEEN_SIGNS: Final = 12
#: What is newer is looked through whole by a search for a number.
NUMBERING_SECONDS: Final = 30.0
#: Texts of today and yesterday are gathered often; whether anything older is left, seldom.
GATHERING_SECONDS: Final = 30.0
GATHERINGS_BETWEEN_CATCHING_UP: Final = 120
#: Each round looks at what every tenant's ledger has grown by.
CLOSING_SECONDS: Final = 120.0
#: What the last days' hours come to is gathered often; whether any before them is left, once a day.
SUMMING_SECONDS: Final = 300.0
SUMMINGS_BETWEEN_CATCHING_UP: Final = 288
#: What is to be erased grows by a day at a time.
ERASING_SECONDS: Final = 600.0
RECENT: Final = timedelta(days=3)

_log = structlog.get_logger(__name__)


async def run(db: Database, config: Config) -> None:
    """Sweep every `config.sweep_seconds`; gather texts, numbers and sums and close ledgers beside it, for ever."""
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(_sweep(db, config))
        tasks.create_task(_gather(db))
        tasks.create_task(_number(db))
        tasks.create_task(_sum_up(db))
        tasks.create_task(_close(db))
        tasks.create_task(_erase(db, config))


async def _gather(db: Database) -> None:
    rounds = 0
    while True:
        since = now() - timedelta(days=2) if rounds % GATHERINGS_BETWEEN_CATCHING_UP else EPOCH
        await _whole(partial(searchable.gather, db, since=since))
        rounds += 1
        await asyncio.sleep(GATHERING_SECONDS)


async def _close(db: Database) -> None:
    ledgers = closing.Closing(db)
    while True:
        await _whole(ledgers.round)
        await asyncio.sleep(CLOSING_SECONDS)


async def _erase(db: Database, config: Config) -> None:
    while config.retention_days:
        await _whole(partial(retention.erase, db, days=config.retention_days))
        await asyncio.sleep(ERASING_SECONDS)


async def _sum_up(db: Database) -> None:
    rounds = 0
    while True:
        since = now() - RECENT if rounds % SUMMINGS_BETWEEN_CATCHING_UP else EPOCH
        await _whole(partial(summarised.gather, db, since=since))
        rounds += 1
        await asyncio.sleep(SUMMING_SECONDS)


async def _number(db: Database) -> None:
    numbering = numbers.Numbering(db)
    while True:
        await _whole(lambda _: numbering.some())
        await asyncio.sleep(NUMBERING_SECONDS)


async def _sweep(db: Database, config: Config) -> None:
    rounds = 0
    while True:
        await _whole(lambda at: sweep.expired_in_queue(db, at))
        await _whole(lambda at: sweep.without_receipt(db, at, grace_minutes=config.grace_minutes))
        await _whole(lambda at: sweep.missed_receipts(db, at, receipt_hours=config.receipt_hours))
        await _whole(lambda at: _relieve(db, at))
        if rounds % ROUNDS_BETWEEN_CLEANING == 0:
            await _whole(lambda at: _clean(db, at, config))
            await _whole(lambda at: entrance.forget_old(db, at))
        if rounds % ROUNDS_BETWEEN_SIGNS == 0:
            pulse.count(What.SWEEPS)
        rounds += 1
        await asyncio.sleep(config.sweep_seconds)


async def _clean(db: Database, at: datetime, config: Config) -> bool:
    kept = config.retention_days or config.history_days  # receipts quote texts
    return await sweep.old_records(
        db, at, receipt_hours=config.receipt_hours, history_days=min(config.history_days, kept)
    )


async def _relieve(db: Database, at: datetime) -> bool:
    await fallback.relieve(db, at)
    return False


async def _whole(sweep_once: Callable[[datetime], Awaitable[bool]]) -> None:
    """One sweep, again as long as it finds a full load; an outage is tried again next round."""
    try:
        while await sweep_once(now()):
            pass
    except (*UNREACHABLE, *COLLISION) as error:
        _log.warning("sweep_waits", error=type(error).__name__)
