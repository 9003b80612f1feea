"""The rate of a key in the panel: set where keys are made and listed, never above what its owner may."""

import json

import asyncpg
import pytest

from tests.edge.panel.conftest import TEST, Town
from ulak.admin import accounts
from ulak.base.db import Database
from ulak.store import keys
from ulak.store.users import User


async def line(db: Database) -> tuple[str, str, dict[str, object]]:
    """The last line of the audit log: who, what, and how."""
    async with db.reading() as tx:
        row: asyncpg.Record = (
            await tx.fetch("SELECT actor, action, detail FROM audit_log ORDER BY id DESC LIMIT 1")
        )[0]
    return row["actor"], row["action"], json.loads(row["detail"])


async def rates(town: Town, user: User) -> list[int | None]:
    async with town.db.reading() as tx:
        return [key.rate_per_second for key in await keys.of_user(tx, user.id)]


async def test_a_key_has_a_rate_and_another_and_none(town: Town) -> None:
    mark = await town.user("mark")
    browser = await town.browser(mark)
    made = await browser.post("/panel/keys", {"name": "shop", "scope": "sms:send", "rate": "7"})
    assert (made.status_code, await rates(town, mark)) == (200, [7])
    [key] = await accounts.list_keys(town.db, "mark")

    for typed, rate, before in (("5", 5, 7), ("", None, 5)):
        answer = await browser.post(f"/panel/keys/{key.id}/rate", {"rate": typed})
        assert (answer.status_code, await rates(town, mark)) == (303, [rate])
        actor, action, detail = await line(town.db)
        assert (actor, action) == ("user:mark", "key.set-rate")
        assert (detail["before"], detail["after"]) == ({"rate": before}, {"rate": rate})


@pytest.mark.parametrize("rate", ["0", "-1", "fast", "21", "1000001"])
async def test_never_above_what_its_owner_may(town: Town, rate: str) -> None:
    mark = await town.user("mark")
    await accounts.set_user_rate(town.db, TEST, "mark", 20)
    browser = await town.browser(mark)
    assert "at most 20" in (await browser.get("/panel/keys")).text
    made = await browser.post("/panel/keys", {"name": "shop", "scope": "sms:send", "rate": rate})
    assert (made.status_code, await rates(town, mark)) == (400, [])
    assert f'value="{rate}"' in made.text

    key = (await accounts.create_key(town.db, TEST, "mark", rate_per_second=20)).key
    answer = await browser.post(f"/panel/keys/{key.id}/rate", {"rate": rate})
    assert (answer.status_code, await rates(town, mark)) == (400, [20])


async def test_not_somebody_elses_key_and_not_a_revoked_one(town: Town) -> None:
    mark, other = await town.user("mark"), await town.user("other")
    theirs = (await accounts.create_key(town.db, TEST, "other", rate_per_second=3)).key
    gone = (await accounts.create_key(town.db, TEST, "mark", rate_per_second=3)).key
    await accounts.revoke_key(town.db, TEST, gone.id)
    browser = await town.browser(mark)

    assert (await browser.post(f"/panel/keys/{theirs.id}/rate", {"rate": "1"})).status_code == 404
    assert (await browser.post(f"/panel/keys/{gone.id}/rate", {"rate": "1"})).status_code in (400, 404)
    assert (await rates(town, other), await rates(town, mark)) == ([3], [3])
