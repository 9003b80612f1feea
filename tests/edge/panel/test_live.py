"""Streams of what moves on a page, and readers who leave whenever they like."""

import asyncio
from collections.abc import Mapping
from types import SimpleNamespace
from typing import Any
from uuid import uuid4

from ulak.base.db import Database
from ulak.edge.gate import live_pages
from ulak.edge.panel import live


async def test_who_leaves_in_the_middle_of_a_look_leaves_no_error_behind(db: Database) -> None:
    told: list[dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda loop, context: told.append(context))
    looks = 0
    looking, gone = asyncio.Event(), asyncio.Event()

    async def pieces() -> Mapping[str, str]:
        nonlocal looks
        looks += 1
        async with db.moment() as tx:
            if looks > 1:
                looking.set()
            return {"n": str(await tx.fetchval("SELECT pg_sleep(0.05)::text || $1::int", looks))}

    async def receive() -> dict[str, Any]:
        await looking.wait()
        gone.set()
        return {"type": "http.disconnect"}

    async def send(message: dict[str, Any]) -> None:
        return None

    session = SimpleNamespace(id=uuid4(), owner_id=uuid4())
    rooms = SimpleNamespace(stopping=asyncio.Event(), live_pages=live_pages())
    visit: Any = SimpleNamespace(rooms=rooms, visitor=SimpleNamespace(session=session))
    response = await live.stream(visit, pieces, every=0.001)
    await response({"type": "http", "asgi": {"spec_version": "2.3"}}, receive, send)

    assert gone.is_set()
    async with asyncio.TaskGroup() as all_there_are:  # each waits for what the others have given back
        for _ in range(10):
            all_there_are.create_task(_asked(db))
    assert told == []


async def _asked(db: Database) -> None:
    async with db.moment() as tx:
        await tx.execute("SELECT pg_sleep(0.1)")
