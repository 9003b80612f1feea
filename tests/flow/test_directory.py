"""What a running server remembers: so many things, the newest ones, and what strangers make up apart from the rest."""

import pytest

from tests.admin import BY
from ulak.admin import accounts
from ulak.base.db import Database
from ulak.flow import directory
from ulak.flow.directory import Directory
from ulak.store import keys


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The beginnings of keys that the database was asked for."""
    asked: list[str] = []
    by_prefix = keys.by_prefix

    async def counted(tx: object, prefix: str) -> list[keys.Candidate]:
        asked.append(prefix)
        return await by_prefix(tx, prefix)  # type: ignore[arg-type]

    monkeypatch.setattr(keys, "by_prefix", counted)
    monkeypatch.setattr(directory, "AGE_MAX_SECONDS", 3600)
    return asked


async def some_keys(db: Database, n: int) -> list[str]:
    await accounts.create_user(db, BY, "mark", "mark@example.com")
    return [(await accounts.create_key(db, BY, "mark")).secret for _ in range(n)]


def made_up(n: int) -> str:
    return f"ulak_{n:06d}{'x' * 37}"


async def test_guesses_take_the_place_of_guesses_only(
    db: Database, asked: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(directory, "ENTRIES_MAX", 5)
    monkeypatch.setattr(directory, "MISSES_MAX", 3)
    remembered = Directory(db)
    real = await some_keys(db, 4)
    for key in real:
        assert await remembered.key_owner(key)

    for n in (*range(20), 19, 18, 17):
        assert await remembered.key_owner(made_up(n)) is None
    assert len(asked) == 4 + 20, "the last three are known"

    assert await remembered.key_owner(made_up(0)) is None
    assert len(asked) == 4 + 20 + 1, "the first one is not"
    assert [bool(await remembered.key_owner(key)) for key in real] == [True] * 4
    assert len(asked) == 4 + 20 + 1


async def test_what_was_read_longest_ago_makes_room(
    db: Database, asked: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(directory, "ENTRIES_MAX", 5)
    remembered = Directory(db)
    real = await some_keys(db, 6)
    for key in real:
        assert await remembered.key_owner(key)

    assert [remembered.remembers(key) for key in real] == [False] + [True] * 5
    for key in real[1:]:
        assert await remembered.key_owner(key)
    assert len(asked) == 6


async def test_a_key_that_was_made_or_revoked_is_known_as_that(db: Database, asked: list[str]) -> None:
    remembered = Directory(db)
    [key] = await some_keys(db, 1)
    assert await remembered.may_be(key)
    assert not await remembered.may_be(made_up(1))
    newer = (await accounts.create_key(db, BY, "mark")).secret
    assert not await remembered.may_be(newer), "until somebody says so"

    remembered.forget()

    assert await remembered.may_be(newer)
    assert await remembered.key_owner(newer)
    [_, second] = await accounts.list_keys(db, "mark")
    await accounts.revoke_key(db, BY, second.id)
    remembered.forget()
    assert await remembered.key_owner(newer) is None
    assert not remembered.remembers(newer)
    assert not await remembered.may_be(newer)
    assert await remembered.key_owner(key)


async def test_with_more_keys_than_can_be_listed_every_key_may_be_one(
    db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(directory, "PREFIXES_MAX", 2)
    await some_keys(db, 3)
    assert await Directory(db).may_be(made_up(1))
