"""The entrance of the panel: who comes in by which door, and for how long.

In: names, passwords and codes as they were typed, tokens as browsers bring them. Out: sessions with their tokens, and
visitors. Every way not to be somebody gives the same answer after the same time. Passwords are verified outside of
transactions; guesses are counted first (`guessing`). A token is new whenever somebody becomes more than they were.
"""

from dataclasses import replace
from datetime import datetime, timedelta
from hashlib import sha256
from secrets import token_urlsafe
from typing import Final, NamedTuple
from uuid import UUID

import structlog

from ulak.admin import guessing, lookup, passwords, second_factor
from ulak.base.db import Database, Tx
from ulak.flow.accept import now
from ulak.rules import ids
from ulak.rules.actor import Actor, Door
from ulak.rules.refusal import Code, Refused, said
from ulak.rules.stranger import printable
from ulak.store import audit_log, operators, sessions, users
from ulak.store.operators import Operator
from ulak.store.sessions import Session, Visitor
from ulak.store.users import User

CUSTOMER_LIFE: Final = timedelta(days=14)
CUSTOMER_IDLE: Final = timedelta(hours=12)
OPERATOR_LIFE: Final = timedelta(hours=12)
OPERATOR_IDLE: Final = timedelta(hours=1)
LOOK_LIFE: Final = timedelta(hours=1)
HALF_LIFE: Final = timedelta(minutes=10)
"""How long a session waits for its code."""
SEEN_EVERY: Final = timedelta(minutes=1)
SESSIONS_MAX: Final = 50
"""Of one person; the one that was not seen for longest makes room."""
AGENT_LENGTH_MAX: Final = 300
ADDRESS_LENGTH_MAX: Final = 64
NOBODYS_NAME: Final = "an unknown name"
"""In the log and the audit log, for what was typed where no account has that name; no account can be called so."""
ROWS_MAX: Final = 10_000

WRONG: Final = said("The name or the password is wrong.")
WRONG_CODE: Final = second_factor.WRONG
TOO_LATE: Final = said("That took too long. Sign in again.")

Account = User | Operator

_log = structlog.get_logger(__name__)


class Opened(NamedTuple):
    """A session that was just opened: the only time its token can be handed out."""

    token: str
    session: Session


class _Attempt(NamedTuple):
    """Somebody at a door."""

    door: Door
    name: str
    address: str | None
    agent: str
    at: datetime
    guesses: guessing.Guesses


# coming in


async def sign_in(
    db: Database, door: Door, *, name: str, password: str, address: str | None, agent: str
) -> Opened:
    """A session for who knows a password; with `awaits_code` it opens nothing until `give_code`."""
    at = now()
    attempt = _Attempt(door, name, address, agent, at, guessing.at_a_password(door, name, address))
    await guessing.count(db, attempt.guesses, at)
    account, password_hash = await _known(db, door, name.strip()) or (None, None)
    fits = await passwords.fits(password_hash, password)
    if account and password_hash and fits and account.state == "active":
        renewed = await passwords.renewed(password_hash, password)
        opened = await _let_in(db, attempt, account, password_hash, renewed)
        if opened:
            return opened
    await _failed(db, attempt, account)
    raise Refused(Code.UNAUTHORIZED, WRONG)


async def _known(db: Database, door: Door, name: str) -> tuple[Account, str | None] | None:
    if not name.isprintable() or len(name) > guessing.NAME_LENGTH_MAX:
        return None
    async with db.reading() as tx:
        return await (users.signing_in if door == "customer" else operators.signing_in)(tx, name)


async def _let_in(
    db: Database, attempt: _Attempt, account: Account, password_hash: str, renewed: str | None
) -> Opened | None:
    """The session, unless what was verified has changed meanwhile."""
    async with db.transaction() as tx:
        if await _held(tx, attempt.door, account.id) != (account, password_hash):
            return None
        if renewed:
            await _keep(tx, attempt.door, account.id, renewed)
        await guessing.take_back(tx, attempt.guesses)
        half = await second_factor.asks(tx, account.id)
        opened = await _open(tx, account, attempt.address, attempt.agent, attempt.at, awaits_code=half)
        if not half:
            actor = _actor(account, attempt.address)
            await audit_log.add(tx, actor, "sign-in", account.username, door=attempt.door)
    _log.info("signed_in", door=attempt.door, who=account.username, awaits_code=half)
    return opened


async def _failed(db: Database, attempt: _Attempt, account: Account | None) -> None:
    """Write down whom somebody wanted to be; what nobody is called may be a password in the wrong field."""
    name = account.username if account else NOBODYS_NAME
    _log.warning("sign_in_failed", door=attempt.door, who=name)
    async with db.transaction() as tx:
        actor = Actor("nobody", _address(attempt.address))
        await audit_log.add(tx, actor, "sign-in.failed", name, door=attempt.door)


async def give_code(db: Database, token: str, code: str, address: str | None) -> Opened:
    """The session of who knows a code of their second factor as well; the token they came with is good no more."""
    at = now()
    found = await _half(db, token, at)
    if found is None:
        raise Refused(Code.UNAUTHORIZED, TOO_LATE)
    account, door = _account(found), _door(found.session)
    guesses = guessing.at_a_code(account.id, address)
    await guessing.count(db, guesses, at)
    async with db.transaction() as tx:
        await _held(tx, door, account.id)  # whoever shuts them out, or sets their password, waits and ends it
        fits = await second_factor.spend(tx, db.secrets, account.id, code, at)
        if fits:
            if not await sessions.end(tx, _hash(token)):
                raise Refused(Code.UNAUTHORIZED, TOO_LATE)
            await guessing.take_back(tx, guesses)
            opened = await _open(tx, account, address, found.session.agent, at)
        action, actor = "sign-in" if fits else "sign-in.failed", _actor(account, address)
        await audit_log.add(tx, actor, action, account.username, door=door, second_factor=True)
    if not fits:
        _log.warning("code_failed", door=door, who=account.username)
        raise Refused(Code.UNAUTHORIZED, WRONG_CODE)
    _log.info("signed_in", door=door, who=account.username, awaits_code=False)
    return opened


async def look_as(
    db: Database, actor: Actor, operator_id: UUID, username: str, address: str | None, agent: str
) -> Opened:
    """A session in which an operator sees what a user sees, and changes nothing."""
    async with db.transaction() as tx:
        held = await operators.held(tx, operator_id)
        if held is None or held[0].state != "active":
            raise Refused(Code.NOT_ALLOWED, "Only an operator who is let in can look as somebody.")
        user = await lookup.user(tx, username)
        opened = await _open(tx, held[0], address, agent, now(), looks_at=user)
        await audit_log.add(tx, actor, "look-as", user.username, session=str(opened.session.id))
    return opened


async def _open(
    tx: Tx,
    account: Account,
    address: str | None,
    agent: str,
    at: datetime,
    *,
    awaits_code: bool = False,
    looks_at: User | None = None,
) -> Opened:
    is_operator = isinstance(account, Operator)
    life = HALF_LIFE if awaits_code else OPERATOR_LIFE if is_operator else CUSTOMER_LIFE
    session = Session(
        id=ids.new_id(),
        user_id=looks_at.id if looks_at else None if is_operator else account.id,
        operator_id=account.id if is_operator else None,
        address=_address(address),
        agent=printable(agent, AGENT_LENGTH_MAX),
        awaits_code=awaits_code,
        created_at=at,
        seen_at=at,
        expires_at=at + (LOOK_LIFE if looks_at else life),
    )
    token = token_urlsafe(32)
    await sessions.end_crowd(tx, account.id, awaits_code, SESSIONS_MAX - 1)
    await sessions.add(tx, session, _hash(token))
    return Opened(token, session)


# being here


async def visitor(db: Database, door: Door, token: str, *, comes: bool = True) -> Visitor | None:
    """Who comes with this token, if it opens this door now; with `comes` False nobody did anything, and the session
    goes on idling."""
    at = now()
    async with db.reading() as tx:
        found = await sessions.visitor(tx, _hash(token))
    if found is None or found.session.awaits_code or not _is_good(found, at) or door != _door(found.session):
        return None
    if not comes or at - found.session.seen_at < SEEN_EVERY:
        return found
    async with db.transaction() as tx:
        await sessions.seen(tx, found.session.id, at, at - SEEN_EVERY)
    return replace(found, session=replace(found.session, seen_at=at))


async def half(db: Database, token: str) -> Session | None:
    """The session that awaits a code, for the page that asks for it."""
    found = await _half(db, token, now())
    return found.session if found else None


async def _half(db: Database, token: str, at: datetime) -> Visitor | None:
    async with db.reading() as tx:
        found = await sessions.visitor(tx, _hash(token))
    return found if found and found.session.awaits_code and _is_good(found, at) else None


def _is_good(found: Visitor, at: datetime) -> bool:
    """Whether a session still lives, and its owner is let in. Operators may look at what a disabled user would see."""
    return _lives(found.session, at) and _account(found).state == "active"


def _lives(session: Session, at: datetime) -> bool:
    idle = OPERATOR_IDLE if session.operator_id else CUSTOMER_IDLE
    return at < session.expires_at and at - session.seen_at < idle


def _door(session: Session) -> Door:
    return "customer" if session.user_id else "operator"


async def sessions_of(db: Database, owner_id: UUID) -> list[Session]:
    """Where a user or an operator is signed in, newest first."""
    at = now()
    async with db.reading() as tx:
        return [session for session in await sessions.of(tx, owner_id, at) if _lives(session, at)]


# going


async def sign_out(db: Database, token: str) -> None:
    """End a session, and with an operator's what they look at; nothing happens when there is none."""
    async with db.transaction() as tx:
        found = await sessions.visitor(tx, _hash(token))
        if found is None or not await sessions.end(tx, _hash(token)):
            return
        if found.operator and not found.session.read_only:
            await sessions.end_looks(tx, found.operator.id)
        account = _account(found)
        actor = _actor(account, found.session.address)
        await audit_log.add(tx, actor, "sign-out", account.username, door=_door(found.session))


async def end_session(db: Database, actor: Actor, owner_id: UUID, session_id: UUID) -> None:
    """End one of somebody's sessions."""
    async with db.transaction() as tx:
        owner = await lookup.owner(tx, owner_id)
        if not await sessions.end_one(tx, owner_id, session_id):
            raise Refused(Code.NOT_KNOWN, "That session has ended already.")
        await audit_log.add(tx, actor, "session.end", owner.username, session=str(session_id))


async def end_others(db: Database, actor: Actor, owner_id: UUID, keep_session_id: UUID | None) -> int:
    """End all of somebody's sessions but one; returns how many."""
    async with db.transaction() as tx:
        owner = await lookup.owner(tx, owner_id)
        ended = await sessions.end_all(tx, owner_id, keep_session_id)
        await audit_log.add(tx, actor, "session.end-others", owner.username, ended=ended)
    return ended


async def change_password(
    db: Database,
    actor: Actor,
    door: Door,
    owner_id: UUID,
    old: str,
    new: str,
    keep_session_id: UUID | None,
) -> None:
    """Another password for who knows the old one; all their other sessions end."""
    passwords.check(new)
    async with db.transaction() as tx:
        before = await _held(tx, door, owner_id)
    if before is None:
        raise Refused(Code.NOT_KNOWN, "There is nobody whose password that would be.")
    guesses = guessing.at_a_password(door, before[0].username, actor.address)
    await guessing.count(db, guesses, now())
    fits = await passwords.fits(before[1], old)
    new_hash = await passwords.hashed(new) if fits else ""
    async with db.transaction() as tx:
        is_changed = fits and await _held(tx, door, owner_id) == before
        if is_changed:
            await _keep(tx, door, owner_id, new_hash)
            await sessions.end_all(tx, owner_id, keep_session_id)
            await guessing.take_back(tx, guesses)
        action = "password.change" if is_changed else "password.change-failed"
        await audit_log.add(tx, actor, action, before[0].username, door=door)
    if not is_changed:
        raise Refused(Code.INVALID_VALUE, "The old password is wrong.")


async def forget_old(db: Database, at: datetime) -> bool:
    """Delete sessions that have expired and guesses that count no more; whether there may be more of them."""
    async with db.transaction() as tx:
        more_guesses = await guessing.forget_old(tx, at)
        return await sessions.forget(tx, at, ROWS_MAX) == ROWS_MAX or more_guesses


# both doors


async def _held(tx: Tx, door: Door, id_: UUID) -> tuple[Account, str | None] | None:
    return await (users.held if door == "customer" else operators.held)(tx, id_)


async def _keep(tx: Tx, door: Door, id_: UUID, password_hash: str) -> None:
    await (users.set_password if door == "customer" else operators.set_password)(tx, id_, password_hash)


def _account(found: Visitor) -> Account:
    account = found.operator or found.user
    assert account
    return account


def _actor(account: Account, address: str | None) -> Actor:
    kind = "operator" if isinstance(account, Operator) else "user"
    return Actor(f"{kind}:{account.username}", _address(address))


def _address(address: str | None) -> str | None:
    return None if address is None else printable(address, ADDRESS_LENGTH_MAX)


def _hash(token: str) -> bytes:
    return sha256(token.encode("utf-8", "surrogatepass")).digest()
