"""Guesses at the panel's door behind a proxy: counted by who makes them, whatever headers they bring along."""

import asyncpg
import pytest

from tests.edge.panel.browsing import ADDRESS, Browser, browsing
from ulak.admin import guessing, passwords
from ulak.base.db import Database

CLIENT = "203.0.113.66"


@pytest.fixture(autouse=True)
def quickly(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody here knows a password; hashing each guess would take minutes."""

    async def fits(*_: object) -> bool:
        return False

    monkeypatch.setattr(passwords, "fits", fits)


async def guess(browser: Browser, n: int, **headers: str) -> list[int]:
    """How guesses at the passwords of `n` names are answered."""
    browser.http.headers.update({name.replace("_", "-"): value for name, value in headers.items()})
    return [(await browser.sign_in("/panel", f"user{i}", "Spring2026!")).status_code for i in range(n)]


async def written(db: Database) -> list[asyncpg.Record]:
    async with db.reading() as tx:
        return await tx.fetch("SELECT address, count(*) FROM audit_log GROUP BY address")


async def test_a_header_of_the_guessers_own_changes_nothing(db: Database) -> None:
    async with browsing(db, trusted_proxies=ADDRESS) as browser:
        statuses = await guess(
            browser, guessing.ADDRESS_MAX + 5, x_forwarded_for=CLIENT, forwarded="for=198.51.100.1"
        )

    assert statuses == [401] * guessing.ADDRESS_MAX + [429] * 5
    assert [tuple(row) for row in await written(db)] == [(CLIENT, guessing.ADDRESS_MAX)]


async def test_who_comes_from_nowhere_known_is_counted_as_the_proxy(db: Database) -> None:
    async with browsing(db, trusted_proxies=ADDRESS) as browser:
        statuses = await guess(browser, guessing.ADDRESS_MAX + 5, x_forwarded_for=f"{CLIENT}, unknown")

    assert statuses == [401] * guessing.ADDRESS_MAX + [429] * 5
    assert [tuple(row) for row in await written(db)] == [(ADDRESS, guessing.ADDRESS_MAX)]
