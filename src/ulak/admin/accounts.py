"""Users and their API keys: who there is, who may come in, and with which key."""

import re
import secrets
from collections.abc import Collection
from datetime import datetime
from ipaddress import ip_network
from typing import Any, Final, Literal, NamedTuple
from uuid import UUID

from ulak.admin import lookup, passwords
from ulak.admin.terms import difference, within
from ulak.base.db import Database, Tx
from ulak.base.secrets import Secrets
from ulak.flow.accept import now
from ulak.flow.recognise import PREFIX_LENGTH, START
from ulak.rules import ids, moment
from ulak.rules.actor import Actor
from ulak.rules.refusal import Code, Refused, said
from ulak.rules.scope import EVERY, Scope
from ulak.store import audit_log, credits, keys, notices, secret_keys, sessions, users

USERNAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
EMAIL: Final = re.compile(r"[^@\s\x00-\x1f\x7f]{1,64}@[^@\s\x00-\x1f\x7f]{1,190}")
KEY_NAME_LENGTH_MAX: Final = 100
RATE_MAX: Final = 1_000_000
"""Requests a second."""


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
    db: Database,
    actor: Actor,
    username: str,
    name: str = "",
    allow_ips: tuple[str, ...] = (),
    *,
    scopes: Collection[str] = EVERY,
    expires_at: datetime | None = None,
    rate_per_second: int | None = None,
    rate_max: int | None = None,
) -> NewKey:
    """A new key of a user, usable from these addresses only, or from anywhere; for these scopes, until then.

    `rate_per_second` bounds this key alone, at most `rate_max`; its owner's rate counts for all their keys together.
    """
    if len(name) > KEY_NAME_LENGTH_MAX or not name.isprintable():
        raise Refused(
            Code.INVALID_VALUE,
            said("A key's name has at most {most} printable characters.", most=KEY_NAME_LENGTH_MAX),
        )
    _check_rate(rate_per_second, rate_max)
    grant = _grant(allow_ips, scopes, expires_at, rate_per_second)
    secret = START + secrets.token_urlsafe(32)
    async with db.transaction() as tx:
        user = await lookup.user(tx, username)
        key = await _add_key(tx, db.secrets, user.id, name, secret, grant)
        await audit_log.add(tx, actor, "key.create", user.username, key=str(key.id), **_told(grant))
        await notices.directory_changed(tx)
    return NewKey(key, secret)


async def _add_key(
    tx: Tx, ours: Secrets, user_id: UUID, name: str, secret: str, grant: keys.Grant
) -> keys.ApiKey:
    await secret_keys.add(tx, ours.first)
    return await keys.add(
        tx,
        ids.new_id(),
        user_id,
        name=name,
        prefix=secret[:PREFIX_LENGTH],
        key_hash=ours.digest(secret),
        hashed_with=ours.first,
        grant=grant,
    )


def _grant(
    allow_ips: tuple[str, ...], scopes: Collection[str], expires_at: datetime | None, rate: int | None
) -> keys.Grant:
    if expires_at is not None and expires_at <= now():
        raise Refused(Code.INVALID_VALUE, "A key must not have expired before it is made.")
    return keys.Grant(tuple(map(_network, allow_ips)), _scopes(scopes), expires_at, rate)


def _told(grant: keys.Grant) -> dict[str, Any]:
    """What the audit log says of it."""
    told = {
        "allowed": [str(network) for network in grant.allowed_ips],
        "scopes": sorted(grant.scopes),
        "expires": grant.expires_at and moment.written(grant.expires_at),
        "rate": grant.rate_per_second,
    }
    return {what: value for what, value in told.items() if value is not None}


def _scopes(chosen: Collection[str]) -> frozenset[Scope]:
    try:
        found = frozenset(map(Scope, chosen))
    except ValueError:
        found = frozenset()
    if not found:
        raise Refused(
            Code.INVALID_VALUE,
            said("A key needs one scope or several of: {scopes}.", scopes=", ".join(Scope)),
        )
    return found


async def set_user_rate(db: Database, actor: Actor, username: str, per_second: int | None) -> int | None:
    """How many requests a second a user may make with all their keys together; 0: any number, None: the default."""
    if per_second is not None:
        within(said("rate"), per_second, 0, RATE_MAX)
    async with db.transaction() as tx:
        user = await users.lock(tx, (await lookup.user(tx, username)).id)
        before = await users.rate(tx, user.id)
        await users.set_rate(tx, user.id, per_second)
        changed = difference({"rate": before}, {"rate": per_second})
        await audit_log.add(tx, actor, "user.set-rate", user.username, **changed)
        await notices.directory_changed(tx)
    return per_second


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


async def set_key_rate(
    db: Database, actor: Actor, which: UUID | str, per_second: int | None, *, rate_max: int | None = None
) -> keys.ApiKey:
    """How many requests a second a key may make, at most `rate_max`; None: as many as its owner. `which` is its id, or
    how it begins."""
    _check_rate(per_second, rate_max)
    async with db.transaction() as tx:
        before = await _the_key(tx, which)
        key = await keys.set_rate(tx, before.id, per_second)
        owner = await users.names(tx, [key.user_id])
        told = {"user": owner[key.user_id], "name": key.name, "prefix": key.prefix}
        changed = difference({"rate": before.rate_per_second}, {"rate": per_second})
        await audit_log.add(tx, actor, "key.set-rate", str(key.id), **told, **changed)
        await notices.directory_changed(tx)
    return key


async def _the_key(tx: Tx, which: UUID | str) -> keys.ApiKey:
    """The one usable key with this id, or that begins so."""
    found = [await keys.lock(tx, which)] if isinstance(which, UUID) else await keys.named(tx, which)
    if len(found) != 1 or found[0] is None:
        raise Refused(
            Code.NOT_KNOWN,
            said(
                "There is no usable key {which}, or several; `ulak key list USERNAME` shows a user's keys.",
                which=which,
            ),
        )
    return found[0]


def _check_rate(rate: int | None, rate_max: int | None) -> None:
    if rate is not None:
        within(said("rate"), rate, 1, rate_max or RATE_MAX)


async def list_keys(db: Database, username: str) -> list[keys.ApiKey]:
    """A user's keys, revoked ones included."""
    async with db.reading() as tx:
        user = await lookup.user(tx, username)
        return await keys.of_user(tx, user.id)
