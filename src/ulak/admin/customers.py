"""Customers as operators look after them: by pages, and each with all that is known of them.

In: a fragment of a name, a place in the list, an id. Out: users and organizations with what they hold. Changes nothing.
"""

from dataclasses import dataclass
from typing import NamedTuple
from uuid import UUID

from ulak.base.db import Database
from ulak.rules.permission import Permission
from ulak.store import credits, everyone, keys, organizations, second_factors, users
from ulak.store.keys import ApiKey
from ulak.store.organizations import Organization
from ulak.store.users import User


class UserLine(NamedTuple):
    """A user in a list, and what their own credit holds in micro-units."""

    user: User
    balance: int


class OrganizationLine(NamedTuple):
    """An organization in a list, how many members it has, and what its pool holds in micro-units."""

    organization: Organization
    members: int
    balance: int


class Share(NamedTuple):
    """A user's place in an organization: what they may do there, and what their share holds."""

    organization: Organization
    permissions: tuple[Permission, ...]
    balance: int


@dataclass(frozen=True, slots=True)
class UserFacts:
    """All about a user: `signs_in` when they have a password, `second_factor` when it is asked for, `rate_per_second`
    where they have their own."""

    user: User
    balance: int
    shares: list[Share]
    keys: list[ApiKey]
    signs_in: bool
    second_factor: bool
    rate_per_second: int | None


async def users_page(
    db: Database, fragment: str, *, limit: int, offset: int = 0
) -> tuple[list[UserLine], int]:
    """Some of the users with this in their name or e-mail address, by name, and how many there are."""
    async with db.reading() as tx:
        found, total = await users.page(tx, fragment, limit, offset)
        balances = await everyone.own_balances(tx, [user.id for user in found])
    return [UserLine(user, balances.get(user.id, 0)) for user in found], total


async def organizations_page(
    db: Database, fragment: str, *, limit: int, offset: int = 0
) -> tuple[list[OrganizationLine], int]:
    """Some of the organizations with this in their name, by name, and how many there are."""
    async with db.reading() as tx:
        found, total = await organizations.page(tx, fragment, limit, offset)
        ids = [one.id for one in found]
        balances, sizes = await everyone.own_balances(tx, ids), await organizations.sizes(tx, ids)
    return [OrganizationLine(one, sizes.get(one.id, 0), balances.get(one.id, 0)) for one in found], total


async def user(db: Database, id_: UUID) -> UserFacts | None:
    """All about the user with this id; None where there is none."""
    async with db.moment() as tx:
        found = await users.by_id(tx, id_)
        if found is None:
            return None
        members = await organizations.of_user(tx, id_)
        shares = await credits.balances_of(tx, id_, [one.organization.id for one in members])
        signing_in = await users.can_sign_in(tx, id_)
        factor = await second_factors.of(tx, id_)
        return UserFacts(
            found,
            await credits.balance(tx, id_, id_),
            [
                Share(one.organization, tuple(sorted(one.permissions)), shares.get(one.organization.id, 0))
                for one in members
            ],
            await keys.of_user(tx, id_),
            signing_in,
            factor is not None and factor.confirmed_at is not None,
            await users.rate(tx, id_),
        )


async def organization(db: Database, id_: UUID) -> OrganizationLine | None:
    """The organization with this id; None where there is none."""
    async with db.moment() as tx:
        found = await organizations.by_id(tx, id_)
        if found is None:
            return None
        sizes = await organizations.sizes(tx, [id_])
        return OrganizationLine(found, sizes.get(id_, 0), await credits.balance(tx, id_, id_))
