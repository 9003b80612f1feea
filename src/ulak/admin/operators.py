"""Operators of the installation: who may come in by the operator's door, as what, and with which password."""

from typing import NamedTuple

from ulak.admin import lookup, passwords
from ulak.admin.accounts import USERNAME
from ulak.base.db import Database
from ulak.rules import ids
from ulak.rules.actor import Actor
from ulak.rules.refusal import Code, Refused, said
from ulak.store import audit_log, operators, sessions
from ulak.store.operators import Operator, Role, State


class NewOperator(NamedTuple):
    """An operator whose password was just set; where it was made here, the only time it can be shown."""

    operator: Operator
    password: str | None


async def create(
    db: Database, actor: Actor, username: str, password: str | None, role: Role = "operator"
) -> NewOperator:
    """A new operator; without a password they get one that is made here."""
    if not USERNAME.fullmatch(username):
        raise Refused(
            Code.INVALID_VALUE,
            "A username has 1 to 64 letters, digits, dots, dashes or underscores of ASCII.",
        )
    made = passwords.generated() if password is None else None
    password_hash = await passwords.hashed(made or password or "")
    async with db.transaction() as tx:
        operator = await operators.add(tx, ids.new_id(), username, password_hash, role)
        if operator is None:
            raise Refused(
                Code.ALREADY_EXISTS, said("There is an operator {username!r} already.", username=username)
            )
        await audit_log.add(tx, actor, "operator.create", operator.username, role=role)
    return NewOperator(operator, made)


async def list_all(db: Database) -> list[Operator]:
    """Every operator."""
    async with db.reading() as tx:
        return await operators.all(tx)


async def set_state(db: Database, actor: Actor, username: str, state: State) -> Operator:
    """Let an operator in, or shut them out: their sessions end at once."""
    async with db.transaction() as tx:
        operator = await lookup.operator(tx, username)
        await operators.set_state(tx, operator.id, state)
        if state == "disabled":
            await sessions.end_all(tx, operator.id)
        await audit_log.add(
            tx, actor, "operator.set-state", operator.username, before=operator.state, after=state
        )
        return await lookup.operator(tx, username)


async def set_password(db: Database, actor: Actor, username: str, password: str | None) -> NewOperator:
    """Another password for an operator, given or made here; their sessions end at once."""
    made = passwords.generated() if password is None else None
    password_hash = await passwords.hashed(made or password or "")
    async with db.transaction() as tx:
        operator = await lookup.operator(tx, username)
        await operators.set_password(tx, operator.id, password_hash)
        await sessions.end_all(tx, operator.id)
        await audit_log.add(tx, actor, "operator.set-password", operator.username)
    return NewOperator(operator, made)
