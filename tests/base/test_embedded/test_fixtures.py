"""The database every other test gets: fresh, migrated, its own."""

import pytest

from tests.base.test_embedded.users import value
from ulak.base.db import Database
from ulak.base.migrate import pending


@pytest.mark.parametrize("turn", [1, 2])
async def test_every_test_has_a_migrated_database_of_its_own(db: Database, turn: int) -> None:
    async with db.transaction() as tx:
        await tx.execute("CREATE TABLE only_of_this_test ()")
        assert await pending(tx) == []
    assert await value(db.dsn, "SELECT count(*) FROM users") == 0
