"""The installation's secret and the database: do they belong together, and is everything sealed with the first key?

In: settings, a database. Out: the database opened with its secret, or `ConfigError` with a sentence. A database
remembers which secret keys something in it needs; a process that lacks one of them is not let in, because it would
find carriers without passwords and keys that nobody knows. What was written before anything was sealed is sealed now.
"""

from dataclasses import dataclass
from typing import Final

from ulak.base import secrets
from ulak.base.config import Config, ConfigError
from ulak.base.db import Database, Tx
from ulak.base.secrets import Secrets
from ulak.rules.actor import Actor
from ulak.store import audit_log, keys, notices, secret_keys

#: What is sealed: the table, and the column that stands in the place of each row.
PLACES: Final = {"carriers": "carriers.password", "second_factors": "second_factors.secret"}


@dataclass(frozen=True, slots=True)
class Rotated:
    """What a rotation did: `sealed` how many values of each table are now sealed with the key `first`.

    `waiting` says how many API keys are known by a hash of another secret key, which they need until they are next
    used (None: of none, from before there were any); `forgotten` are the keys that nothing needs any more.
    """

    first: bytes
    sealed: dict[str, int]
    waiting: dict[bytes | None, int]
    forgotten: list[bytes]


async def unlock(db: Database, config: Config) -> None:
    """Give a database its secret. Without one on either side a secret key is made."""
    async with db.reading() as tx:
        known = await secret_keys.known(tx)
    found = secrets.given(config) if known else secrets.made(config)
    if found is None:
        raise ConfigError(
            f"This database was used with the secret key {_names(known)}, and there is none in "
            f"{secrets.source(config)}. Set ULAK_SECRET_KEYS, or bring that file back."
        )
    _refuse_strangers(found, known, config)
    async with db.transaction() as tx:
        await _settle(tx, found, config)
    db.secrets = found


async def needed(db: Database) -> list[str]:
    """The ids of the secret keys that something in a database needs, as they are shown."""
    async with db.reading() as tx:
        return [id_.hex() for id_ in await secret_keys.known(tx)]


async def _settle(tx: Tx, found: Secrets, config: Config) -> None:
    """Write down that the first key is in use, and seal what never was."""
    known = await secret_keys.known(tx)
    old = {table: await secret_keys.plain(tx, table) for table in PLACES}
    if found.first in known and not any(old.values()):
        return _refuse_strangers(found, known, config)
    await secret_keys.lock(tx)
    _refuse_strangers(found, await secret_keys.known(tx), config)
    await secret_keys.add(tx, found.first)
    for table, rows in old.items():
        for one in rows:
            assert one.plain is not None
            text = one.plain.encode() if isinstance(one.plain, str) else one.plain
            await secret_keys.keep(tx, table, one.row, found.seal(text, f"{PLACES[table]}/{one.row}"))


async def seal(tx: Tx, ours: Secrets, text: bytes, place: str) -> bytes:
    """Seal something that this transaction writes, and write down that its key is needed."""
    await secret_keys.add(tx, ours.first)
    return ours.seal(text, place)


def _refuse_strangers(found: Secrets, known: list[bytes], config: Config) -> None:
    missing = [id_ for id_ in known if id_ not in found.ids]
    if missing:
        raise ConfigError(
            f"This database needs the secret key {_names(missing)}, and {secrets.source(config)} holds "
            f"{_names(found.ids)}. All machines need the same ULAK_SECRET_KEYS."
        )


def _names(ids: list[bytes]) -> str:
    return ", ".join(id_.hex() for id_ in ids)


async def rotate(db: Database, actor: Actor) -> Rotated:
    """Seal everything with the first key. API keys cannot be hashed again before somebody shows them: they wait."""
    ours = db.secrets
    async with db.transaction() as tx:
        await secret_keys.lock(tx)
        sealed = {table: await _reseal(tx, ours, table) for table in PLACES}
        hashed = await keys.hashed(tx)
        waiting = {id_: n for id_, n in hashed.items() if id_ != ours.first}
        known = await secret_keys.known(tx)
        forgotten = [id_ for id_ in known if id_ != ours.first and id_ not in waiting]
        for id_ in forgotten:
            await secret_keys.forget(tx, id_)
        told = {"first": ours.first.hex(), "forgotten": [id_.hex() for id_ in forgotten], **sealed}
        await audit_log.add(tx, actor, "secrets.rotate", ours.first.hex(), **told)
        await notices.directory_changed(tx)
    return Rotated(ours.first, sealed, waiting, forgotten)


async def _reseal(tx: Tx, ours: Secrets, table: str) -> int:
    rows = await secret_keys.sealed(tx, table)
    for one in rows:
        assert one.sealed is not None
        if secrets.key_of(one.sealed) != ours.first:
            place = f"{PLACES[table]}/{one.row}"
            await secret_keys.keep(tx, table, one.row, ours.seal(ours.open(one.sealed, place), place))
    return len(rows)
