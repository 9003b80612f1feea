"""Transactions that are cut off at any moment: what ended is kept, nothing is told as an error, others go on."""

import asyncio
from contextlib import suppress
from typing import Any

from ulak.base.db import Database

TURNS = 40


async def test_a_transaction_may_be_cancelled_at_any_moment(db: Database) -> None:
    told: list[dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda loop, context: told.append(context))
    async with db.transaction() as tx:
        await tx.execute("CREATE TABLE kept (n int)")

    async def write(n: int) -> None:
        async with db.transaction() as tx:
            await tx.execute("INSERT INTO kept VALUES ($1)", n)
            await tx.execute("SELECT pg_sleep(0.001)")

    ended = 0
    for n in range(TURNS):
        task = asyncio.create_task(write(n))
        await asyncio.sleep(n / TURNS * 0.01)
        for _ in range(
            6
        ):  # as a group of tasks, or a second reason to stop, does: the rollback is cut off as well
            task.cancel()
            await asyncio.sleep(0)
        with suppress(asyncio.CancelledError):
            await task
            ended += 1

    async with db.reading() as tx:
        assert await tx.fetchval("SELECT count(*) FROM kept") >= ended
        open_ = (
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND state ~ 'in trans'"
        )
        assert await tx.fetchval(open_) == 0
    assert told == []
