"""Second factors: codes of six digits that change every thirty seconds (RFC 6238), as authenticator apps show them.

In: who somebody is, and codes as they typed them. Out: a secret to show once, a yes or no. A code is good in its own
step and in the one before and after it, and once. The secret is kept sealed, and never leaves after it was
confirmed.
"""

import secrets
from base64 import b32encode
from datetime import datetime
from hmac import compare_digest
from typing import Final, NamedTuple
from uuid import UUID

import structlog

from ulak.admin import guessing, lookup, vault
from ulak.base.db import Database, Tx
from ulak.base.secrets import Secrets
from ulak.flow.accept import now
from ulak.rules.actor import Actor, Door
from ulak.rules.refusal import Code, Refused, said
from ulak.rules.stranger import printable
from ulak.store import audit_log, second_factors

SECRET_BYTES: Final = 20
DIGITS: Final = 6
STEPS: Final = (0, -1, 1)
LABEL_LENGTH_MAX: Final = 255
WRONG: Final = said("That code does not fit. Each is good once, for half a minute; take the next one.")

_log = structlog.get_logger(__name__)


class Begun(NamedTuple):
    """What an app needs to be told, as text and as the URI that a QR code holds."""

    secret_base32: str
    uri: str


async def begin(db: Database, actor: Actor, owner_id: UUID, label: str, issuer: str = "Ulak") -> Begun:
    """A new secret for somebody, which counts once `confirm` has seen a code of it."""
    import pyotp

    secret = secrets.token_bytes(SECRET_BYTES)
    async with db.transaction() as tx:
        sealed = await vault.seal(tx, db.secrets, secret, second_factors.place_of(owner_id))
        if not await second_factors.begin(tx, owner_id, sealed, now()):
            raise Refused(Code.ALREADY_EXISTS, "A second factor is on already; remove it first.")
        await _note(tx, actor, "second-factor.begin", owner_id)
    text = b32encode(secret).decode()
    name = printable(label, LABEL_LENGTH_MAX)
    uri = pyotp.TOTP(text).provisioning_uri(name=name, issuer_name=printable(issuer, LABEL_LENGTH_MAX))
    return Begun(text, uri)


async def confirm(db: Database, actor: Actor, owner_id: UUID, code: str) -> None:
    """Switch on what `begin` began, with a code of it."""
    at = now()
    async with db.transaction() as tx:
        factor = await second_factors.of(tx, owner_id)
        if factor is None:
            raise Refused(Code.NOT_KNOWN, "No second factor was begun; begin one first.")
        if factor.confirmed_at is not None:
            raise Refused(Code.ALREADY_EXISTS, "The second factor is on already.")
        step = _step(db.secrets, factor, code, at)
        if step is None or not await second_factors.confirm(tx, owner_id, factor.secret, step, at):
            raise Refused(Code.INVALID_VALUE, WRONG)
        await _note(tx, actor, "second-factor.confirm", owner_id)


async def remove(db: Database, actor: Actor, owner_id: UUID, code: str) -> None:
    """Switch a second factor off, with a code of it."""
    at = now()
    guesses = guessing.at_a_code(owner_id, actor.address)
    await guessing.count(db, guesses, at)
    async with db.transaction() as tx:
        if not await spend(tx, db.secrets, owner_id, code, at):
            _log.warning("code_failed", owner=str(owner_id))
            raise Refused(Code.INVALID_VALUE, WRONG)
        await guessing.take_back(tx, guesses)
        await second_factors.remove(tx, owner_id)
        await _note(tx, actor, "second-factor.remove", owner_id)


async def reset(db: Database, actor: Actor, owner_id: UUID) -> bool:
    """Forget somebody's second factor, who lost theirs; whether one was on. Whoever asks must know that it is them."""
    async with db.transaction() as tx:
        was_on = await second_factors.remove(tx, owner_id)
        await _note(tx, actor, "second-factor.reset", owner_id, was_on=was_on)
    return was_on


async def reset_of(db: Database, actor: Actor, door: Door, username: str) -> bool:
    """`reset` for the user or the operator of this name."""
    async with db.reading() as tx:
        found = await (lookup.user if door == "customer" else lookup.operator)(tx, username)
    return await reset(db, actor, found.id)


async def is_on(db: Database, owner_id: UUID) -> bool:
    """Whether somebody's second factor is asked for."""
    async with db.reading() as tx:
        return await asks(tx, owner_id)


async def asks(tx: Tx, owner_id: UUID) -> bool:
    """`is_on` in a transaction of somebody else's."""
    factor = await second_factors.of(tx, owner_id)
    return factor is not None and factor.confirmed_at is not None


async def spend(tx: Tx, ours: Secrets, owner_id: UUID, code: str, at: datetime) -> bool:
    """Use a code up; False when it does not fit or was used. The caller counts guesses."""
    factor = await second_factors.of(tx, owner_id)
    step = _step(ours, factor, code, at) if factor else None
    if factor is None or step is None:
        return False
    return await second_factors.spend(tx, owner_id, factor.secret, step)


def _step(ours: Secrets, factor: second_factors.SecondFactor, code: str, at: datetime) -> int | None:
    """Which step near this moment a code belongs to, if it is one that is still good."""
    import pyotp

    typed = "".join(code[:32].split())
    if len(typed) != DIGITS or not typed.isascii() or not typed.isdigit():
        return None
    secret = ours.open(factor.secret, second_factors.place_of(factor.owner_id))
    totp = pyotp.TOTP(b32encode(secret).decode(), digits=DIGITS)
    steps = [totp.timecode(at) + offset for offset in STEPS]
    return next(
        (
            step
            for step in steps
            if step > factor.last_step and compare_digest(totp.generate_otp(step), typed)
        ),
        None,
    )


async def _note(tx: Tx, actor: Actor, action: str, owner_id: UUID, **detail: object) -> None:
    owner = await lookup.owner(tx, owner_id)
    await audit_log.add(tx, actor, action, owner.username, **detail)
