"""Users and their API keys: who there is, who may come in, and with which key."""

import re
import secrets
from hashlib import sha256
from ipaddress import ip_network
from typing import Final, Literal, NamedTuple
from uuid import UUID

from ulak.admin import lookup, passwords
from ulak.admin.terms import difference
from ulak.base.db import Database
from ulak.rules import ids
from ulak.rules.actor import Actor
from ulak.rules.refusal import Code, Refused, said
from ulak.store import audit_log, credits, keys, notices, sessions, users

USERNAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
EMAIL: Final = re.compile(r"[^@\s\x00-\x1f\x7f]{1,64}@[^@\s\x00-\x1f\x7f]{1,190}")
KEY_NAME_LENGTH_MAX: Final = 100
KEY_START: Final = "ulak_"
KEY_PREFIX_LENGTH: Final = len(KEY_START) + 6


class NewKey(NamedTuple):
    """A key that was just made: the only time its secret can be shown."""

    key: keys.ApiKey
    secret: str


async def create_user(
    db: Database, actor: Actor, username: str, email: str, password: str | None = None
) -> users.User:
    """A new user, with an empty credit of their own."""
    if not USERNAME.fullmatch(username):
        raise Refused(
            Code.INVALID_VALUE,
            "A username has 1 to 64 letters, digits, dots, dashes or underscores of ASCII.",
        )
    if not EMAIL.fullmatch(email):
        raise Refused(Code.INVALID_VALUE, said("{email!r} is no e-mail address.", email=email))
    hashed = None if password is None else await passwords.hashed(password)
    async with db.transaction() as tx:
        user = await users.add(tx, ids.new_id(), username, email, hashed)
        if user is None:
            raise Refused(
                Code.ALREADY_EXISTS, said("There is a user {username!r} already.", username=username)
            )
        await credits.ensure(tx, user.id, user.id)
        await audit_log.add(tx, actor, "user.create", username, email=email)
    return user


async def list_users(db: Database) -> list[users.User]:
    """Every user."""
    async with db.reading() as tx:
        return await users.all(tx)


async def set_user_state(
    db: Database, actor: Actor, username: str, state: Literal["active", "disabled"]
) -> users.User:
    """Let a user in, or shut them out: their keys and sessions stop working at once."""
    async with db.transaction() as tx:
        user = await users.lock(tx, (await lookup.user(tx, username)).id)
        await users.set_state(tx, user.id, state)
        if state == "disabled":
            await sessions.end_all(tx, user.id)
        changed = difference({"state": user.state}, {"state": state})
        await audit_log.add(tx, actor, "user.set-state", user.username, **changed)
        await notices.directory_changed(tx)
        return await lookup.user(tx, username)


async def set_password(db: Database, actor: Actor, username: str, password: str) -> users.User:
    """Let a user sign in with another password from now on; they are signed out everywhere."""
    hashed = await passwords.hashed(password)
    async with db.transaction() as tx:
        user = await lookup.user(tx, username)
        await users.set_password(tx, user.id, hashed)
        await sessions.end_all(tx, user.id)
        await audit_log.add(tx, actor, "user.set-password", user.username)
    return user


async def create_key(
    db: Database, actor: Actor, username: str, name: str = "", allow_ips: tuple[str, ...] = ()
) -> NewKey:
    """A new key of a user, usable from these addresses only, or from anywhere."""
    if len(name) > KEY_NAME_LENGTH_MAX or not name.isprintable():
        raise Refused(
            Code.INVALID_VALUE,
            said("A key's name has at most {most} printable characters.", most=KEY_NAME_LENGTH_MAX),
        )
    networks = tuple(_network(text) for text in allow_ips)
    secret = KEY_START + secrets.token_urlsafe(32)
    async with db.transaction() as tx:
        user = await lookup.user(tx, username)
        key = await keys.add(
            tx,
            ids.new_id(),
            user.id,
            name=name,
            prefix=secret[:KEY_PREFIX_LENGTH],
            key_hash=sha256(secret.encode()).digest(),
            allowed_ips=networks,
        )
        await audit_log.add(tx, actor, "key.create", user.username, key=str(key.id), allowed=list(allow_ips))
        await notices.directory_changed(tx)
    return NewKey(key, secret)


def _network(text: str) -> keys.Network:
    try:
        return ip_network(text)
    except ValueError:
        raise Refused(
            Code.INVALID_VALUE,
            said("{text!r} is neither an address nor a network like 10.0.0.0/8.", text=text),
        ) from None


async def revoke_key(db: Database, actor: Actor, key_id: UUID) -> keys.ApiKey:
    """End a key for good."""
    async with db.transaction() as tx:
        key = await keys.revoke(tx, key_id)
        if key is None:
            raise Refused(
                Code.NOT_KNOWN,
                said(
                    "There is no key {key_id}; `ulak key list USERNAME` shows a user's keys.", key_id=key_id
                ),
            )
        owner = await users.names(tx, [key.user_id])
        told = {"user": owner[key.user_id], "name": key.name, "prefix": key.prefix}
        await audit_log.add(tx, actor, "key.revoke", str(key_id), **told)
        await notices.directory_changed(tx)
    return key


async def list_keys(db: Database, username: str) -> list[keys.ApiKey]:
    """A user's keys, revoked ones included."""
    async with db.reading() as tx:
        user = await lookup.user(tx, username)
        return await keys.of_user(tx, user.id)
