"""Credit: topping up, correcting, handing out, taking back, looking. The amounts are micro-units."""

from typing import Any, Final, Literal

from ulak.admin import lookup
from ulak.admin.terms import difference
from ulak.base.db import Database
from ulak.rules import money
from ulak.rules.actor import Actor
from ulak.rules.refusal import Code, Refused, said
from ulak.store import audit_log, credits

NOTE_LENGTH_MAX: Final = 500


async def add(
    db: Database, actor: Actor, amount: int, username: str | None, org: str | None, note: str | None = None
) -> int:
    """Top a credit up; returns what it holds now."""
    return await _fund(db, actor, "topup", amount, username, org, note)


async def take(
    db: Database, actor: Actor, amount: int, username: str | None, org: str | None, note: str | None = None
) -> int:
    """Correct a credit downward, never below zero; returns what it holds now."""
    return await _fund(db, actor, "correction", amount, username, org, note)


async def _fund(
    db: Database,
    actor: Actor,
    kind: Literal["topup", "correction"],
    amount: int,
    username: str | None,
    org: str | None,
    note: str | None,
) -> int:
    _check(amount, note)
    async with db.transaction() as tx:
        customer = await lookup.customer(tx, username, org, keep=True)
        tenant_id, owner_id = customer.account
        up = kind == "topup"
        await credits.move(
            tx,
            tenant_id=tenant_id,
            kind=kind,
            debit=credits.FUNDING if up else owner_id,
            credit=owner_id if up else credits.FUNDING,
            amount=amount,
            actor=actor.name,
            note=note,
        )
        after = await credits.balance(tx, tenant_id, owner_id)
        told = _told(after - amount if up else after + amount, after)
        await audit_log.add(
            tx, actor, f"credit.{kind}", str(customer), amount=money.fixed(amount), note=note, **told
        )
        return after


def _told(before: int, after: int) -> dict[str, Any]:
    """A credit that nobody else changes until the end of the transaction, for the audit log."""
    return difference({"balance": money.fixed(before)}, {"balance": money.fixed(after)})


def _check(amount: int, note: str | None) -> None:
    if amount <= 0:
        raise Refused(Code.INVALID_VALUE, "The amount must be above 0.")
    if note is not None and (len(note) > NOTE_LENGTH_MAX or not note.isprintable()):
        raise Refused(
            Code.INVALID_VALUE,
            said("A note has at most {most} printable characters, on one line.", most=NOTE_LENGTH_MAX),
        )


async def transfer(
    db: Database, actor: Actor, amount: int, org: str, username: str, note: str | None = None
) -> tuple[int, int]:
    """From an organization's pool to a member; returns what the member and the pool hold now."""
    return await _hand(db, actor, amount, org, username, note, back=False)


async def take_back(
    db: Database, actor: Actor, amount: int, org: str, username: str, note: str | None = None
) -> tuple[int, int]:
    """From a member back to the organization's pool, never below zero; returns what both hold now."""
    return await _hand(db, actor, amount, org, username, note, back=True)


async def _hand(
    db: Database, actor: Actor, amount: int, org: str, username: str, note: str | None, *, back: bool
) -> tuple[int, int]:
    _check(amount, note)
    async with db.transaction() as tx:
        customer = await lookup.customer(tx, username, org, keep=True)
        pool, member = customer.account
        await credits.lock(tx, pool, (pool, member))
        await credits.move(
            tx,
            tenant_id=pool,
            kind="handout",
            debit=member if back else pool,
            credit=pool if back else member,
            amount=amount,
            actor=actor.name,
            note=note,
        )
        action = "credit.take-back" if back else "credit.handout"
        after = await credits.balance(tx, pool, member)
        told = _told(after + amount if back else after - amount, after)
        await audit_log.add(tx, actor, action, str(customer), amount=money.fixed(amount), note=note, **told)
        return after, await credits.balance(tx, pool, pool)


async def show(db: Database, username: str | None, org: str | None) -> int:
    """What a credit holds."""
    async with db.reading() as tx:
        customer = await lookup.customer(tx, username, org)
        return await credits.balance(tx, *customer.account)
