"""Users and keys as they are kept: names once, secrets only as hashes, and nothing of what was refused."""

import asyncio
import json
import threading
from datetime import datetime
from typing import Any

import pytest
from argon2 import PasswordHasher

from tests.admin import BY, actions, rows, value
from tests.conftest import SECRETS
from ulak.admin import accounts
from ulak.base.db import Database
from ulak.rules import ids
from ulak.rules.refusal import Code, Refused


async def code_of(work: Any) -> Code:
    """With which code this is refused."""
    with pytest.raises(Refused) as refusal:
        await work
    assert refusal.value.message.endswith(".")
    return refusal.value.code


async def written(db: Database) -> str:
    """All that stands in all tables, bytes in hexadecimal."""
    tables = await rows(db, "SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
    return "\n".join(
        [str(row[0]) for (name,) in tables for row in await rows(db, f"SELECT t::text FROM {name} t")]
    )


async def mark(db: Database) -> None:
    await accounts.create_user(db, BY, "mark", "mark@example.com")


async def test_what_a_username_may_be(db: Database) -> None:
    for username in ("m", "7", "m" * 64, "Mark.O-Brien_2"):
        assert (await accounts.create_user(db, BY, username, "m@example.com")).username == username


NO_USERNAMES = ["", "m" * 65, ".m", "-m", "_m", "m m", "m\n", "\nm", "m\0", "çiğdem", "m/../k", "\udcff"]


async def test_what_a_username_may_not_be(db: Database) -> None:
    for username in NO_USERNAMES:
        assert await code_of(accounts.create_user(db, BY, username, "m@example.com")) == Code.INVALID_VALUE
    assert await actions(db) == []


async def test_a_username_is_taken_whatever_its_case(db: Database) -> None:
    await mark(db)

    assert await code_of(accounts.create_user(db, BY, "MARK", "other@example.com")) == Code.ALREADY_EXISTS
    assert [user.username for user in await accounts.list_users(db)] == ["mark"]
    assert await actions(db) == ["user.create"]


async def test_a_user_is_found_whatever_the_case(db: Database) -> None:
    await mark(db)

    assert (await accounts.set_user_state(db, BY, "Mark", "disabled")).state == "disabled"
    assert (await accounts.set_user_state(db, BY, "mark", "active")).state == "active"


async def test_a_new_user_has_an_empty_credit_of_their_own(db: Database) -> None:
    user = await accounts.create_user(db, BY, "mark", "mark@example.com")

    query = "SELECT balance FROM credits WHERE tenant_id = $1 AND owner_id = $1"
    assert [row["balance"] for row in await rows(db, query, user.id)] == [0]


async def test_users_are_listed_oldest_first(db: Database) -> None:
    for username in ("zeynep", "ali", "mark"):
        await accounts.create_user(db, BY, username, f"{username}@example.com")

    listed = await accounts.list_users(db)
    assert {user.username for user in listed} == {"zeynep", "ali", "mark"}
    assert listed == sorted(listed, key=lambda user: (user.created_at, user.id))


@pytest.mark.usefixtures("slow_passwords")
async def test_a_password_is_kept_as_an_argon2id_hash_of_it(db: Database) -> None:
    await accounts.create_user(db, BY, "mark", "mark@example.com", "correct horse battery")

    kept = await value(db, "SELECT password_hash FROM users")
    assert kept.startswith("$argon2id$v=19$m=65536,t=3,p=4$")
    assert PasswordHasher().verify(kept, "correct horse battery")
    everything = await written(db)
    assert "horse" not in everything
    assert b"horse".hex() not in everything


async def test_the_same_password_twice_gives_two_hashes(db: Database) -> None:
    for username in ("mark", "lale"):
        await accounts.create_user(db, BY, username, "m@example.com", "correct horse battery")

    assert await value(db, "SELECT count(DISTINCT password_hash) FROM users") == 2


@pytest.mark.parametrize("password", ["", "seven77"])
async def test_a_short_password_is_refused_and_not_repeated(db: Database, password: str) -> None:
    with pytest.raises(Refused) as refusal:
        await accounts.create_user(db, BY, "mark", "mark@example.com", password)

    assert refusal.value.code == Code.INVALID_VALUE
    assert not password or password not in refusal.value.message
    assert await accounts.list_users(db) == []


# --- keys


async def test_only_the_hash_of_a_key_and_its_first_characters_are_kept(db: Database) -> None:
    await mark(db)

    made = await accounts.create_key(db, BY, "mark", "shop")

    kept = await rows(db, "SELECT prefix, key_hash, hashed_with FROM api_keys")
    known = made.key.prefix, SECRETS.digest(made.secret), SECRETS.first
    assert [tuple(row) for row in kept] == [known]
    assert made.secret.startswith(made.key.prefix)
    assert len(made.secret) - len(made.key.prefix) >= 32
    everything = await written(db)
    assert made.secret not in everything
    assert made.secret.encode().hex() not in everything


async def test_no_two_keys_are_alike(db: Database) -> None:
    await mark(db)

    secrets = {(await accounts.create_key(db, BY, "mark")).secret for _ in range(5)}

    assert len(secrets) == len(await accounts.list_keys(db, "mark")) == 5


NETWORKS = {
    "203.0.113.7": "203.0.113.7/32",
    "10.0.0.0/8": "10.0.0.0/8",
    "0.0.0.0/0": "0.0.0.0/0",
    "2001:DB8::/32": "2001:db8::/32",
    "::1": "::1/128",
}


async def test_addresses_and_networks_are_kept_in_one_form(db: Database) -> None:
    await mark(db)
    await accounts.create_key(db, BY, "mark", "", tuple(NETWORKS))

    [key] = await accounts.list_keys(db, "mark")
    assert [str(one) for one in key.allowed_ips] == list(NETWORKS.values())


NO_NETWORKS = [
    "",
    "10.0.0.1/8",
    "10.0.0.0/33",
    "10.0.0",
    "010.0.0.1",
    "::1/129",
    "example.com",
    "10.0.0.0/8 ",
]


async def test_what_is_no_network_makes_no_key(db: Database) -> None:
    await mark(db)

    for text in NO_NETWORKS:
        refused = accounts.create_key(db, BY, "mark", "", ("10.0.0.0/8", text))
        assert await code_of(refused) == Code.INVALID_VALUE

    assert await accounts.list_keys(db, "mark") == []
    assert await actions(db) == ["user.create"]


async def test_a_keys_name_has_an_end(db: Database) -> None:
    await mark(db)
    await accounts.create_key(db, BY, "mark", "n" * 100)

    assert await code_of(accounts.create_key(db, BY, "mark", "n" * 101)) == Code.INVALID_VALUE


async def test_a_key_that_is_revoked_again_keeps_the_moment_it_ended(db: Database) -> None:
    await mark(db)
    made = await accounts.create_key(db, BY, "mark")

    first = (await accounts.revoke_key(db, BY, made.key.id)).revoked_at
    second = (await accounts.revoke_key(db, BY, made.key.id)).revoked_at

    assert isinstance(first, datetime)
    assert first == second


async def test_revoking_ends_one_key_and_no_other(db: Database) -> None:
    await mark(db)
    first, second = [await accounts.create_key(db, BY, "mark") for _ in range(2)]

    await accounts.revoke_key(db, BY, first.key.id)

    ended = {key.id: key.revoked_at is not None for key in await accounts.list_keys(db, "mark")}
    assert ended == {first.key.id: True, second.key.id: False}
    assert await code_of(accounts.revoke_key(db, BY, ids.new_id())) == Code.NOT_KNOWN


# --- another password


async def test_another_password_replaces_the_hash(db: Database) -> None:
    await accounts.create_user(db, BY, "mark", "mark@example.com", "correct horse battery")

    assert (await accounts.set_password(db, BY, "Mark", "şifre şifre ☕")).username == "mark"

    kept = await value(db, "SELECT password_hash FROM users")
    assert PasswordHasher().verify(kept, "şifre şifre ☕")
    everything = await written(db)
    assert "horse" not in everything
    assert "şifre" not in everything
    lines = await rows(db, "SELECT action, subject, detail::text FROM audit_log ORDER BY id")
    assert tuple(lines[-1]) == ("user.set-password", "mark", "{}")


async def test_a_user_without_a_password_gets_one(db: Database) -> None:
    await mark(db)

    await accounts.set_password(db, BY, "mark", "p" * 256)

    assert PasswordHasher().verify(await value(db, "SELECT password_hash FROM users"), "p" * 256)


@pytest.mark.parametrize("password", ["", "seven77", "p" * 257, "\udcff" * 8])
async def test_a_password_that_is_none_changes_nothing(db: Database, password: str) -> None:
    await accounts.create_user(db, BY, "mark", "mark@example.com", "correct horse battery")
    kept, done = await value(db, "SELECT password_hash FROM users"), await actions(db)

    assert await code_of(accounts.set_password(db, BY, "mark", password)) == Code.INVALID_VALUE
    assert await code_of(accounts.create_user(db, BY, "ece", "e@example.com", password)) == Code.INVALID_VALUE

    assert await value(db, "SELECT password_hash FROM users") == kept
    assert await actions(db) == done


async def test_nobodys_password_cannot_be_changed(db: Database) -> None:
    assert await code_of(accounts.set_password(db, BY, "nobody", "correct horse")) == Code.NOT_KNOWN


async def test_the_loop_goes_on_while_a_password_is_hashed(
    db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A hash takes a tenth of a second; here it takes until the loop has done something else."""
    await mark(db)
    went_on = threading.Event()

    def hash_(self: PasswordHasher, password: str) -> str:
        assert went_on.wait(10)
        return "$argon2id$"

    monkeypatch.setattr(PasswordHasher, "hash", hash_)
    hashing = asyncio.create_task(accounts.set_password(db, BY, "mark", "correct horse"))
    await asyncio.sleep(0)
    went_on.set()

    await hashing


async def test_a_state_says_what_was_before_and_what_is_after(db: Database) -> None:
    await mark(db)

    for state in ("disabled", "disabled"):
        await accounts.set_user_state(db, BY, "mark", state)  # type: ignore[arg-type]

    lines = await rows(db, "SELECT detail::text FROM audit_log WHERE action = 'user.set-state' ORDER BY id")
    assert [json.loads(line[0]) for line in lines] == [
        {"before": {"state": "active"}, "after": {"state": "disabled"}},
        {"before": {}, "after": {}},
    ]
