"""Organizations and their members."""

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Final, Literal, NamedTuple

from ulak.admin import lookup
from ulak.admin.terms import difference
from ulak.base.db import Database, Tx
from ulak.rules import ids, money
from ulak.rules.actor import Actor
from ulak.rules.permission import DEFAULT, Permission
from ulak.rules.refusal import Code, Refused, said
from ulak.store import audit_log, credits, notices, organizations, users

NAME_LENGTH_MAX: Final = 200

Grantable = Collection[Permission] | None


class Member(NamedTuple):
    """Somebody who belongs to an organization: what they may do, what their share holds, and since when."""

    user: users.User
    permissions: tuple[Permission, ...]
    balance: int
    since: datetime


class Membership(NamedTuple):
    """Who is a member of what, and what they may do there."""

    user: users.User
    organization: organizations.Organization
    permissions: tuple[Permission, ...]


async def create(db: Database, actor: Actor, name: str) -> organizations.Organization:
    """A new organization, with an empty pool."""
    if not name.strip() or len(name) > NAME_LENGTH_MAX or not name.isprintable():
        raise Refused(
            Code.INVALID_VALUE,
            said("A name has 1 to {most} printable characters, not only spaces.", most=NAME_LENGTH_MAX),
        )
    async with db.transaction() as tx:
        organization = await organizations.add(tx, ids.new_id(), name)
        if organization is None:
            raise Refused(Code.ALREADY_EXISTS, said("There is an organization {name!r} already.", name=name))
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
        await audit_log.add(
            tx,
            actor,
            "org.set-state",
            before.name,
            **difference({"state": before.state}, {"state": state}),
        )
        await notices.directory_changed(tx)
        return await lookup.organization(tx, org)


async def add_member(
    db: Database,
    actor: Actor,
    org: str,
    username: str,
    permissions: Sequence[str] | None = None,
    *,
    grantable: Grantable = None,
) -> Membership:
    """Make a user a member, or give a member these permissions instead of those they had; None: the usual ones.

    `grantable`, here and below: what whoever asks may decide about; None for an operator, who may everything.
    """
    granted = DEFAULT if permissions is None else _permissions(permissions)
    async with db.transaction() as tx:
        organization, user = await lookup.organization(tx, org), await lookup.user(tx, username)
        before = await organizations.lock_permissions(tx, organization.id, user.id)
        _check_grantable(grantable, {*granted} ^ {*(before or ())})
        await _grant(tx, actor, "org.add-member", organization, user, before, granted)
        await credits.ensure(tx, organization.id, user.id)
    return Membership(user, organization, granted)


async def set_permissions(
    db: Database,
    actor: Actor,
    org: str,
    username: str,
    permissions: Sequence[str],
    *,
    grantable: Grantable = None,
) -> Membership:
    """Give a member these permissions instead of those they have; with none they may look at prices and no more."""
    granted = _permissions(permissions)
    async with db.transaction() as tx:
        organization, user = await lookup.organization(tx, org), await lookup.user(tx, username)
        before = await organizations.lock_permissions(tx, organization.id, user.id)
        if before is None:
            raise _no_member(organization, user)
        _check_grantable(grantable, {*granted} ^ before)
        await _grant(tx, actor, "org.set-permissions", organization, user, before, granted)
    return Membership(user, organization, granted)


def _check_grantable(grantable: Grantable, decided: Collection[Permission]) -> None:
    """Nobody gives or takes what they do not have themselves: else who manages members could do everything."""
    if grantable is not None and not set(decided) <= set(grantable):
        raise Refused(
            Code.PERMISSION_DENIED, "You can only give and take permissions that you have yourself."
        )


async def _grant(
    tx: Tx,
    actor: Actor,
    action: str,
    organization: organizations.Organization,
    user: users.User,
    before: frozenset[Permission] | None,
    granted: tuple[Permission, ...],
) -> None:
    await organizations.join(tx, organization.id, user.id, granted)
    changed = difference(
        {} if before is None else {"permissions": sorted(before)}, {"permissions": sorted(granted)}
    )
    await audit_log.add(tx, actor, action, organization.name, user=user.username, **changed)
    await notices.directory_changed(tx)


def _no_member(organization: organizations.Organization, user: users.User) -> Refused:
    return Refused(
        Code.NOT_KNOWN,
        said("{user} is not a member of {organization}.", user=user.username, organization=organization.name),
    )


async def members(db: Database, org: str) -> list[Member]:
    """Who belongs to an organization, by name."""
    async with db.moment() as tx:
        organization = await lookup.organization(tx, org)
        balances = await credits.balances(tx, organization.id)
        return [
            Member(user, tuple(sorted(permissions)), balances.get(user.id, 0), since)
            for user, permissions, since in await organizations.members(tx, organization.id)
        ]


def _permissions(names: Sequence[str]) -> tuple[Permission, ...]:
    return tuple(dict.fromkeys(map(_permission, names)))


def _permission(name: str) -> Permission:
    try:
        return Permission(name)
    except ValueError:
        raise Refused(
            Code.INVALID_VALUE,
            said("{name!r} is no permission; there are {known}.", name=name, known=", ".join(Permission)),
        ) from None


async def remove_member(
    db: Database, actor: Actor, org: str, username: str, *, grantable: Grantable = None
) -> int:
    """End a membership. What is left of the member's credit goes back to the pool; returns how much that was."""
    async with db.transaction() as tx:
        organization, user = await lookup.organization(tx, org), await lookup.user(tx, username)
        before = await organizations.lock_permissions(tx, organization.id, user.id)
        _check_grantable(grantable, before or ())
        if not await organizations.leave(tx, organization.id, user.id):
            raise _no_member(organization, user)
        left = await _back_to_pool(tx, actor, organization, user)
        await audit_log.add(
            tx, actor, "org.remove-member", organization.name, user=user.username, returned=money.fixed(left)
        )
        await notices.directory_changed(tx)
    return left


async def _back_to_pool(
    tx: Tx, actor: Actor, organization: organizations.Organization, user: users.User
) -> int:
    await credits.lock(tx, organization.id, (organization.id, user.id))
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
