"""The operator's rooms, called directly: each change is one transaction with one line in the audit log.

In: an empty database. Out: builders for who there is and what is for sale, and what stands in the tables. No
command line and no process is started here; `tests/edge/cli/` types the commands.
"""

import asyncio
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from typing import Any, Final

import asyncpg

from ulak.admin import accounts, carriers, catalogue, groups
from ulak.base.db import Database
from ulak.rules.actor import Actor

USD: Final = 1_000_000
BY: Final = Actor("cli:tests")
ORG: Final = "Main Organization"
SERVICE: Final = "BobSMS"


async def found(db: Database) -> None:
    """mark and lale, both members of Main Organization; the carrier main and, over it, BobSMS at 1 USD."""
    await groups.create(db, BY, ORG)
    for username in ("mark", "lale"):
        await accounts.create_user(db, BY, username, f"{username}@example.com")
        await groups.add_member(db, BY, ORG, username)
    await carrier(db, "main")
    await service(db, SERVICE)


async def carrier(db: Database, name: str, **options: Any) -> None:
    """A carrier; `options` over what it has otherwise."""
    values: dict[str, Any] = {"host": "127.0.0.1", "port": 2775, "system_id": "ulak", "password": "secret"}
    await carriers.create(db, BY, name, **(values | options))


async def service(db: Database, name: str, **options: Any) -> None:
    """A service at 1 USD over the carrier main; `options` over what it has otherwise."""
    values: dict[str, Any] = {
        "installation_currency": "USD",
        "currency": "USD",
        "price": USD,
        "route": ["main"],
    }
    await catalogue.create_service(db, BY, name, **(values | options))


async def rows(db: Database, query: str, *values: object) -> list[asyncpg.Record]:
    """What stands in the tables."""
    async with db.reading() as tx:
        return list(await tx.fetch(query, *values))


async def value(db: Database, query: str, *values: object) -> Any:
    """The first field of what stands in the tables."""
    return (await rows(db, query, *values))[0][0]


async def actions(db: Database) -> list[str]:
    """What the audit log says was done, in order."""
    return [row["action"] for row in await rows(db, "SELECT action FROM audit_log ORDER BY id")]


@asynccontextmanager
async def held(db: Database, lock: str, *waiting: Coroutine[Any, Any, Any]) -> AsyncIterator[list[Any]]:
    """Start `waiting` while somebody else holds the rows that the statement `lock` locks. In the block all of it has
    got as far as it can; then the rows are let go, and what came of each (or what it raised) is in the list."""
    results: list[Any] = []
    async with db.transaction() as tx:
        await tx.execute(lock)
        tasks = [asyncio.create_task(work) for work in waiting]
        await _until_blocked(db, len(tasks))
        yield results
    results += await asyncio.gather(*tasks, return_exceptions=True)


async def _until_blocked(db: Database, count: int) -> None:
    query = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
    async with asyncio.timeout(20):
        while await value(db, query) < count:
            await asyncio.sleep(0.01)
