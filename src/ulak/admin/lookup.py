"""Finding what somebody names, or saying in a sentence that there is no such thing.

Takes the transaction of whoever asks; changes nothing.
"""

from typing import NamedTuple
from uuid import UUID

from ulak.base.db import Tx
from ulak.rules.refusal import Code, Refused, said
from ulak.rules.tenancy import Context
from ulak.store import carriers, operators, organizations, services, users


async def user(tx: Tx, username: str) -> users.User:
    """The user of this name."""
    found = await users.by_name(tx, username)
    if found is None:
        raise Refused(
            Code.NOT_KNOWN,
            said("There is no user {username!r}; `ulak user list` shows who there is.", username=username),
        )
    return found


async def operator(tx: Tx, username: str) -> operators.Operator:
    """The operator of this name."""
    found = await operators.by_name(tx, username)
    if found is None:
        raise Refused(
            Code.NOT_KNOWN,
            said(
                "There is no operator {username!r}; `ulak operator list` shows who there is.",
                username=username,
            ),
        )
    return found


async def owner(tx: Tx, owner_id: UUID) -> users.User | operators.Operator:
    """The user or the operator with this id."""
    found = await users.by_id(tx, owner_id) or await operators.by_id(tx, owner_id)
    if found is None:
        raise Refused(
            Code.NOT_KNOWN, said("There is neither a user nor an operator {owner_id}.", owner_id=owner_id)
        )
    return found


async def organization(tx: Tx, name_or_id: str) -> organizations.Organization:
    """The organization of this name or id."""
    found = await organizations.find(tx, name_or_id)
    if found is None:
        raise Refused(
            Code.NOT_KNOWN,
            said(
                "There is no organization {name!r}; `ulak org list` shows which there are.", name=name_or_id
            ),
        )
    return found


async def carrier(tx: Tx, name: str) -> carriers.Carrier:
    """The carrier of this name."""
    found = await carriers.by_name(tx, name)
    if found is None:
        raise Refused(
            Code.NOT_KNOWN,
            said("There is no carrier {name!r}; `ulak carrier list` shows which there are.", name=name),
        )
    return found


async def service(tx: Tx, name: str) -> services.Service:
    """The service of this name."""
    found = await services.by_name(tx, name)
    if found is None:
        raise Refused(
            Code.NOT_KNOWN,
            said("There is no service {name!r}; `ulak service list` shows which there are.", name=name),
        )
    return found


class Customer(NamedTuple):
    """A user, an organization, or a member of one: whoever is named by `--user` and `--org`."""

    user: users.User | None
    organization: organizations.Organization | None

    @property
    def account(self) -> tuple[UUID, UUID]:
        """(tenant, owner) of their credit: a user's own, an organization's pool, or a member's share."""
        tenant, owner = self.organization or self.user, self.user or self.organization
        assert tenant
        assert owner
        return tenant.id, owner.id

    @property
    def context(self) -> Context:
        """The context in which the user, if there is one, would send."""
        assert self.user
        return Context(self.user.id, self.organization.id if self.organization else None)

    def __str__(self) -> str:
        """As people speak of them."""
        if self.user and self.organization:
            return f"{self.user.username} in {self.organization.name}"
        return (
            self.user.username if self.user else self.organization.name if self.organization else "everyone"
        )


async def customer(tx: Tx, username: str | None, org: str | None, *, keep: bool = False) -> Customer:
    """Whoever `--user` and `--org` name; with both, the user must be a member, and with `keep` stays one until the
    end of the transaction."""
    found = Customer(
        await user(tx, username) if username is not None else None,
        await organization(tx, org) if org is not None else None,
    )
    if found.user is None and found.organization is None:
        raise Refused(Code.INVALID_VALUE, "Say whose with --user, --org, or both.")
    if found.user and found.organization:
        is_member = organizations.keep_member if keep else organizations.has_member
        if not await is_member(tx, found.organization.id, found.user.id):
            raise Refused(
                Code.NOT_KNOWN,
                said(
                    "{user} is not a member of {organization}.",
                    user=found.user.username,
                    organization=found.organization.name,
                ),
            )
    return found
