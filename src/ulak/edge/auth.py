"""Who is asking, and in whose name: an API key, an address and perhaps an organization become a caller.

In: what the request carries. Out: a `Caller`, or the refusals `unauthorized`, `organization_forbidden` and
`permission_denied`. Every way not to be somebody gives the same answer, so that it teaches a guesser nothing.
"""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final
from uuid import UUID

from ulak.edge.origin import parsed
from ulak.flow.directory import Directory
from ulak.rules.permission import Permission
from ulak.rules.refusal import Code, Fault, Refused
from ulak.rules.scope import Scope
from ulak.rules.tenancy import Context
from ulak.store.keys import KeyOwner
from ulak.store.organizations import Member
from ulak.store.users import User

UNUSABLE: Final = "The x-api-key header is missing, or its key cannot be used here."


@dataclass(frozen=True, slots=True)
class Caller:
    """Whose key it is, and what it may do."""

    user: User
    key: KeyOwner


async def caller_of(directory: Directory, key: str | None, address: str | None) -> Caller:
    """The owner of an API key used from this address."""
    owner = await directory.key_owner(key) if key else None
    if owner is None or not _usable(owner, address):
        raise Refused(Code.UNAUTHORIZED, UNUSABLE)
    return Caller(owner.user, owner)


def _usable(owner: KeyOwner, address: str | None) -> bool:
    its = owner.grant
    if owner.user.state != "active" or (its.expires_at is not None and its.expires_at <= datetime.now(UTC)):
        return False
    ip = parsed(address) if its.allowed_ips else None
    return not its.allowed_ips or (ip is not None and any(ip in network for network in its.allowed_ips))


async def context_of(
    directory: Directory, caller: Caller, org_header: str | None, needs: Permission | None, scope: Scope
) -> Context:
    """The context a request runs in; `needs` is the permission a member must have for it, `scope` the key's."""
    if org_header is None:
        _need_scope(caller, scope)
        return Context(caller.user.id)
    member = _membership(await directory.memberships(caller.user.id), _org_id(org_header))
    if member is None or member.organization.state != "active":
        raise Refused(
            Code.ORGANIZATION_FORBIDDEN, "The x-org-id is not one of your organizations, or it is not active."
        )
    if needs is not None and needs not in member.permissions:
        raise Refused(Code.PERMISSION_DENIED, f"You need the permission {needs} in this organization.")
    _need_scope(caller, scope)
    return Context(caller.user.id, member.organization.id)


def _need_scope(caller: Caller, scope: Scope) -> None:
    if scope not in caller.key.grant.scopes:
        raise Refused(Code.PERMISSION_DENIED, f"This key lacks the scope {scope}. Use one that has it.")


def _org_id(text: str) -> UUID:
    try:
        if len(text) != 36:
            raise ValueError(text)
        return UUID(text)
    except ValueError:
        fault = Fault("x-org-id", "must be a UUID")
        raise Refused(Code.VALIDATION_FAILED, "The x-org-id header is not a UUID.", faults=(fault,)) from None


def _membership(members: list[Member], organization_id: UUID) -> Member | None:
    return next((member for member in members if member.organization.id == organization_id), None)
