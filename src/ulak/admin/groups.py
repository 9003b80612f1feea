"""Organizations and their members."""

from collections.abc import Sequence
from typing import Final, Literal, NamedTuple

from ulak.admin import lookup
from ulak.base.db import Database, Tx
from ulak.rules import ids, money
from ulak.rules.actor import Actor
from ulak.rules.permission import DEFAULT, Permission
from ulak.rules.refusal import Code, Refused
from ulak.store import audit_log, credits, notices, organizations, users

NAME_LENGTH_MAX: Final = 200


class Membership(NamedTuple):
    """Who is a member of what, and what they may do there."""

    user: users.User
    organization: organizations.Organization
    permissions: tuple[Permission, ...]


async def create(db: Database, actor: Actor, name: str) -> organizations.Organization:
    """A new organization, with an empty pool."""
    if not name.strip() or len(name) > NAME_LENGTH_MAX or not name.isprintable():
        raise Refused(
            Code.INVALID_VALUE, f"A name has 1 to {NAME_LENGTH_MAX} printable characters, not only spaces."
        )
    async with db.transaction() as tx:
        organization = await organizations.add(tx, ids.new_id(), name)
        if organization is None:
            raise Refused(Code.ALREADY_EXISTS, f"There is an organization {name!r} already.")
        await credits.ensure(tx, organization.id, organization.id)
        await audit_log.add(tx, actor, "org.create", name, id=str(organization.id))
    return organization


async def list_all(db: Database) -> list[organizations.Organization]:
    """Every organization."""
    async with db.reading() as tx:
        return await organizations.all(tx)


async def set_state(
    db: Database, actor: Actor, org: str, state: Literal["active", "inactive"]
) -> organizations.Organization:
    """Open an organization, or close it: nobody acts for it until it is open again."""
    async with db.transaction() as tx:
        before = await lookup.organization(tx, org)
        await organizations.set_state(tx, before.id, state)
        await audit_log.add(tx, actor, "org.set-state", before.name, before=before.state, after=state)
        await notices.directory_changed(tx)
        return await lookup.organization(tx, org)


async def add_member(
    db: Database, actor: Actor, org: str, username: str, permissions: Sequence[str] = ()
) -> Membership:
    """Make a user a member, or give a member these permissions instead of those they had."""
    granted = tuple(_permission(name) for name in permissions) or DEFAULT
    async with db.transaction() as tx:
        organization, user = await lookup.organization(tx, org), await lookup.user(tx, username)
        await organizations.join(tx, organization.id, user.id, granted)
        await credits.ensure(tx, organization.id, user.id)
        await audit_log.add(
            tx, actor, "org.add-member", organization.name, user=user.username, permissions=sorted(granted)
        )
        await notices.directory_changed(tx)
    return Membership(user, organization, granted)


def _permission(name: str) -> Permission:
    try:
        return Permission(name)
    except ValueError:
        raise Refused(
            Code.INVALID_VALUE, f"{name!r} is no permission; there are {', '.join(Permission)}."
        ) from None


async def remove_member(db: Database, actor: Actor, org: str, username: str) -> int:
    """End a membership. What is left of the member's credit goes back to the pool; returns how much that was."""
    async with db.transaction() as tx:
        organization, user = await lookup.organization(tx, org), await lookup.user(tx, username)
        if not await organizations.leave(tx, organization.id, user.id):
            raise Refused(Code.NOT_KNOWN, f"{user.username} is not a member of {organization.name}.")
        left = await _back_to_pool(tx, actor, organization, user)
        await audit_log.add(
            tx, actor, "org.remove-member", organization.name, user=user.username, returned=money.fixed(left)
        )
        await notices.directory_changed(tx)
    return left


async def _back_to_pool(
    tx: Tx, actor: Actor, organization: organizations.Organization, user: users.User
) -> int:
    left = await credits.balance(tx, organization.id, user.id)
    if left:
        await credits.move(
            tx,
            tenant_id=organization.id,
            kind="handout",
            debit=user.id,
            credit=organization.id,
            amount=left,
            actor=actor.name,
            note=f"{user.username} left",
        )
    return left
