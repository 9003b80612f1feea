"""The secret and the database: who is let in, what is sealed, and another key in the place of the first."""

from datetime import timedelta
from pathlib import Path

import pyotp
import pytest

from tests.admin import BY, actions, carrier, rows, value
from tests.admin.clock import Clock, stopped
from tests.conftest import SECRET_KEY, SECRETS
from ulak.admin import accounts, carriers, second_factor, vault
from ulak.base.config import Config, ConfigError
from ulak.base.db import Database
from ulak.base.secrets import Secrets, SecretsError, generated, parsed
from ulak.flow import recognise
from ulak.flow.accept import now
from ulak.flow.uses import Uses
from ulak.store import carriers as written
from ulak.store.carriers import Carrier

OLD, NEW = generated(), generated()


def config(*keys: str, data_dir: Path = Path("/nowhere")) -> Config:
    return Config(secret_keys=",".join(keys), data_dir=data_dir)


def ids(*keys: str) -> list[bytes]:
    return Secrets([parsed(key, "here")[0] for key in keys]).ids


async def the_carrier(db: Database) -> Carrier:
    return (await carriers.listed(db))[0].carrier


async def known(db: Database) -> list[bytes]:
    return [row["id"] for row in await rows(db, "SELECT id FROM secret_keys ORDER BY since, id")]


async def test_a_database_remembers_its_secret_and_lets_nobody_in_with_another(db: Database) -> None:
    await vault.unlock(db, config(OLD))
    assert await known(db) == ids(OLD)

    await vault.unlock(db, config(OLD))
    await vault.unlock(db, config(NEW, OLD))
    assert set(await known(db)) == set(ids(NEW, OLD))
    assert db.secrets.first == ids(NEW)[0]

    for wrong in (config(OLD), config(NEW), config(generated())):
        with pytest.raises(ConfigError, match="needs the secret key") as refusal:
            await vault.unlock(db, wrong)
        assert OLD not in str(refusal.value)
        assert NEW not in str(refusal.value)
    assert db.secrets.first == ids(NEW)[0]


async def test_a_newcomer_needs_nothing_and_a_lost_file_is_not_made_again(
    db: Database, tmp_path: Path
) -> None:
    await vault.unlock(db, config(data_dir=tmp_path))
    (tmp_path / "secret.key").rename(tmp_path / "elsewhere")

    with pytest.raises(ConfigError, match="bring that file back"):
        await vault.unlock(db, config(data_dir=tmp_path))

    assert not (tmp_path / "secret.key").exists()


async def test_what_was_written_before_is_sealed_at_the_first_start(db: Database) -> None:
    await carrier(db, "main")
    async with db.transaction() as tx:
        await tx.execute("UPDATE carriers SET password_plain = 'hunter2', password = NULL")

    await vault.unlock(db, config(SECRET_KEY))

    assert carriers.password_of(await the_carrier(db), db.secrets) == "hunter2"
    assert await value(db, "SELECT count(*) FROM carriers WHERE password_plain IS NOT NULL") == 0


async def test_a_password_is_nowhere_and_cannot_be_moved(db: Database) -> None:
    await carrier(db, "main", password="hunter2")
    await carrier(db, "other", password="hunter3")

    everything = str([row[0] for row in await rows(db, "SELECT c::text FROM carriers c")])
    assert "hunter" not in everything
    assert b"hunter".hex() not in everything
    assert "hunter" not in repr(await the_carrier(db))
    async with db.transaction() as tx:
        stolen = await tx.fetchval("SELECT password FROM carriers WHERE name = 'other'")
        await written.set_password(tx, (await the_carrier(db)).id, stolen)
    with pytest.raises(SecretsError):
        carriers.password_of(await the_carrier(db), db.secrets)


async def test_rotating_seals_anew_and_says_what_still_waits(
    db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock: Clock = stopped(monkeypatch)
    await vault.unlock(db, config(OLD))
    await carrier(db, "main", password="hunter2")
    mark = await accounts.create_user(db, BY, "mark", "mark@example.com")
    used, unused = [(await accounts.create_key(db, BY, "mark")).secret for _ in range(2)]
    totp = pyotp.TOTP((await second_factor.begin(db, BY, mark.id, "mark")).secret_base32)

    await vault.unlock(db, config(NEW, OLD))
    done = await vault.rotate(db, BY)

    assert (done.sealed, done.waiting) == ({"carriers": 1, "second_factors": 1}, {ids(OLD)[0]: 2})
    assert done.forgotten == []
    assert (await actions(db))[-1] == "secrets.rotate"
    for secret in (used, unused):
        async with db.reading() as tx:
            assert recognise.owner_of(secret, await recognise.candidates(tx, secret), db.secrets)
    await use(db, used)
    assert (await vault.rotate(db, BY)).waiting == {ids(OLD)[0]: 1}
    await use(db, unused)
    assert (await vault.rotate(db, BY)).forgotten == ids(OLD)

    await vault.unlock(db, config(NEW))
    assert carriers.password_of(await the_carrier(db), db.secrets) == "hunter2"
    await second_factor.confirm(db, BY, mark.id, clock.code(totp))
    async with db.reading() as tx:
        assert recognise.owner_of(used, await recognise.candidates(tx, used), db.secrets)


async def use(db: Database, secret: str) -> None:
    """What a request with this key leads to."""
    uses = Uses(db)
    async with db.reading() as tx:
        owner = recognise.owner_of(secret, await recognise.candidates(tx, secret), db.secrets)
    assert owner
    uses.note(owner)
    await uses.write()


async def test_whoever_still_seals_with_a_forgotten_key_is_remembered(db: Database) -> None:
    await vault.unlock(db, config(OLD))
    other, other.secrets = Database(db._pool, db.dsn), db.secrets
    await vault.unlock(db, config(NEW, OLD))
    await vault.rotate(db, BY)
    assert await known(db) == ids(NEW)

    await carrier(other, "main")

    assert set(await known(db)) == set(ids(NEW, OLD))
    with pytest.raises(ConfigError):
        await vault.unlock(db, config(NEW))


async def test_keys_are_known_by_their_first_characters_and_their_hash(db: Database) -> None:
    await accounts.create_user(db, BY, "mark", "mark@example.com")
    secret = (await accounts.create_key(db, BY, "mark")).secret
    alike = secret[:11] + secret[11:][::-1]

    async with db.reading() as tx:
        assert recognise.owner_of(secret, await recognise.candidates(tx, secret), SECRETS)
        for other in (alike, secret[:-1], secret + "x", "", "ulak_"):
            assert recognise.owner_of(other, await recognise.candidates(tx, other), SECRETS) is None


async def test_a_key_says_when_it_was_last_used(db: Database) -> None:
    await accounts.create_user(db, BY, "mark", "mark@example.com")
    used, other = [(await accounts.create_key(db, BY, "mark")).secret for _ in range(2)]
    before = now()

    await use(db, used)

    [first, second] = await accounts.list_keys(db, "mark")
    assert (first.prefix, second.prefix) == (used[:11], other[:11])
    assert first.last_used_at is not None
    assert before - timedelta(milliseconds=1) <= first.last_used_at <= now()
    assert second.last_used_at is None


async def test_a_key_from_before_works_and_is_hashed_with_the_secret_when_it_is_used(db: Database) -> None:
    await accounts.create_user(db, BY, "mark", "mark@example.com")
    secret = (await accounts.create_key(db, BY, "mark")).secret
    async with db.transaction() as tx:
        await tx.execute(
            "UPDATE api_keys SET hashed_with = NULL, key_hash = sha256($1::bytea)", secret.encode()
        )
    assert (await vault.rotate(db, BY)).waiting == {None: 1}

    await use(db, secret)

    kept = await rows(db, "SELECT key_hash, hashed_with FROM api_keys")
    assert [tuple(row) for row in kept] == [(SECRETS.digest(secret), SECRETS.first)]
    await use(db, secret)
