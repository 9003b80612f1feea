"""Who is asking, and in whose name: an API key, an address and perhaps an organization become a caller.

In: what the request carries. Out: a `Caller`, or the refusals `unauthorized`, `organization_forbidden` and
`permission_denied`. Every way not to be somebody gives the same answer, so that it teaches a guesser nothing.
"""

from dataclasses import dataclass
from ipaddress import ip_address
from uuid import UUID

from ulak.flow.directory import Directory
from ulak.rules.permission import Permission
from ulak.rules.refusal import Code, Fault, Refused
from ulak.rules.tenancy import Context
from ulak.store.organizations import Member
from ulak.store.users import User


@dataclass(frozen=True, slots=True)
class Caller:
    """The owner of the key, and which key it is."""

    user: User
    key_id: UUID


async def caller_of(directory: Directory, key: str | None, address: str | None) -> Caller:
    """The owner of an API key used from this address."""
    owner = await directory.key_owner(key) if key else None
    if owner is None or owner.user.state != "active" or not _allowed(owner.allowed_ips, address):
        raise Refused(Code.UNAUTHORIZED, "The x-api-key header is missing, or its key cannot be used here.")
    return Caller(owner.user, owner.key_id)


def _allowed(networks: tuple[object, ...], address: str | None) -> bool:
    if not networks:
        return True
    try:
        ip = ip_address((address or "").partition("%")[0])
    except ValueError:
        return False
    ip = getattr(ip, "ipv4_mapped", None) or ip
    return any(ip in network for network in networks)  # type: ignore[operator]


async def context_of(
    directory: Directory, caller: Caller, org_header: str | None, needs: Permission | None
) -> Context:
    """The context a request runs in; `needs` is the permission a member must have for it."""
    if org_header is None:
        return Context(caller.user.id)
    member = _membership(await directory.memberships(caller.user.id), _org_id(org_header))
    if member is None or member.organization.state != "active":
        raise Refused(
            Code.ORGANIZATION_FORBIDDEN, "The x-org-id is not one of your organizations, or it is not active."
        )
    if needs is not None and needs not in member.permissions:
        raise Refused(Code.PERMISSION_DENIED, f"You need the permission {needs} in this organization.")
    return Context(caller.user.id, member.organization.id)


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
