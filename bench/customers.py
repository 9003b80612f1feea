"""Many customers at once: users with a key and credit, made by what the command line itself calls.

In: a running installation, names, the credit of each. Out: its users, as if the command line had made them one by one,
which would start three processes for each.
"""

import asyncio
from collections.abc import Sequence

from tests.harness import Installation, User
from ulak.admin import accounts, credit
from ulak.admin.vault import unlock
from ulak.base.config import Config
from ulak.base.db import Database
from ulak.base.embedded import Embedded
from ulak.rules.actor import Actor
from ulak.rules.money import MICRO

AT_ONCE = 8
ACTOR = Actor("bench")


def make(ulak: Installation, names: Sequence[str], amount: int) -> list[User]:
    """A user of each name, with a key and so many whole units of credit."""
    return asyncio.run(_make(ulak, names, amount))


async def _make(ulak: Installation, names: Sequence[str], amount: int) -> list[User]:
    server = await Embedded.use(ulak.home / "data")
    try:
        db = await Database.open(server.dsn, connections_max=AT_ONCE)
        try:
            await unlock(db, Config(data_dir=ulak.home / "data"))
            return list(await asyncio.gather(*(_one(db, name, amount) for name in names)))
        finally:
            await db.close()
    finally:
        await server.release()


async def _one(db: Database, name: str, amount: int) -> User:
    made = await accounts.create_user(db, ACTOR, name, f"{name}@example.com")
    new = await accounts.create_key(db, ACTOR, name)
    await credit.add(db, ACTOR, amount * MICRO, name, None)
    created = made.created_at.isoformat()
    return User(str(made.id), name, made.email, created, new.secret, str(new.key.id))
