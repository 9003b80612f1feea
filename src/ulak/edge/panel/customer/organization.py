"""An organization: who belongs to it, what they may do, and handing out its credit; for those who may."""

from typing import Any, Final

from starlette.responses import Response

from ulak.admin import credit, groups
from ulak.edge.panel.languages import N_
from ulak.edge.panel.page import Page
from ulak.edge.panel.visit import Customer, no_such_page
from ulak.rules.permission import DEFAULT, Permission
from ulak.rules.refusal import Code, Refused
from ulak.store import credits
from ulak.store.organizations import Member

#: What each permission is for, in words.
PERMISSIONS: Final = {
    Permission.SMS_SEND: N_("send"),
    Permission.SMS_READ: N_("see sendings"),
    Permission.USERS_READ: N_("see members"),
    Permission.USERS_MANAGE: N_("manage members"),
    Permission.CREDIT_MANAGE: N_("hand out credit"),
}


async def organization_page(visit: Customer) -> Response:
    """`GET /organization`."""
    return visit.page("customer/organization.html", **await _state(visit))


async def add_member(visit: Customer) -> Response:
    """`POST /organization/members`."""
    form, member = visit.form, _member(visit, Permission.USERS_MANAGE)
    try:
        await groups.add_member(
            visit.rooms.db,
            visit.actor,
            str(member.organization.id),
            form["username"],
            form.all("permission"),
            grantable=member.permissions,
        )
    except Refused as refused:
        if refused.code is Code.NOT_KNOWN:
            refused = Refused(refused.code, N_("There is no user of this name."))
        return visit.refused(refused, "customer/organization.html", **await _state(visit))
    return _back(visit, visit.language.say(N_("%(name)s is a member now."), name=form["username"]))


async def set_permissions(visit: Customer) -> Response:
    """`POST /organization/members/{username}/permissions`."""
    member, username = _member(visit, Permission.USERS_MANAGE), visit.request.path_params["username"]
    try:
        await groups.set_permissions(
            visit.rooms.db,
            visit.actor,
            str(member.organization.id),
            username,
            visit.form.all("permission"),
            grantable=member.permissions,
        )
    except Refused as refused:
        return visit.refused(refused, "customer/organization.html", **await _state(visit))
    return _back(visit, visit.language.say(N_("What %(name)s may do is changed."), name=username))


async def remove_member(visit: Customer) -> Response:
    """`POST /organization/members/{username}/remove`."""
    member, username = _member(visit, Permission.USERS_MANAGE), visit.request.path_params["username"]
    try:
        await groups.remove_member(
            visit.rooms.db, visit.actor, str(member.organization.id), username, grantable=member.permissions
        )
    except Refused as refused:
        return visit.refused(refused, "customer/organization.html", **await _state(visit))
    return _back(visit, visit.language.say(N_("%(name)s is no member any more."), name=username))


async def hand_out(visit: Customer) -> Response:
    """`POST /organization/members/{username}/credit`: from the pool to a member, or back."""
    member, username = _member(visit, Permission.CREDIT_MANAGE), visit.request.path_params["username"]
    form = visit.form
    move = credit.take_back if form["intent"] == "back" else credit.transfer
    try:
        amount = visit.amount("amount")
        await move(
            visit.rooms.db, visit.actor, amount, str(member.organization.id), username, form.given("note")
        )
    except Refused as refused:
        return visit.refused(refused, "customer/organization.html", **await _state(visit))
    return _back(visit, visit.language.say(N_("The credit is moved.")))


def _member(visit: Customer, needs: Permission) -> Member:
    """The visitor's own membership, which allows this."""
    if visit.member is None:
        no_such_page()
    visit.need(needs)
    return visit.member


async def _state(visit: Customer) -> dict[str, Any]:
    """What the visitor may see of the organization."""
    if visit.member is None or visit.organization is None:
        no_such_page()
    its = str(visit.organization.id)
    seen = visit.may(Permission.USERS_READ) or visit.may(Permission.USERS_MANAGE)
    pool = None
    if visit.may(Permission.CREDIT_MANAGE):
        async with visit.rooms.db.reading() as tx:
            pool = await credits.balance(tx, visit.organization.id, visit.organization.id)
    return {
        "all_members": await groups.members(visit.rooms.db, its)
        if seen or visit.may(Permission.CREDIT_MANAGE)
        else None,
        "pool": pool,
        "permissions": PERMISSIONS,
        "default": DEFAULT,
    }


def _back(visit: Customer, said: str) -> Response:
    return visit.go(visit.to("/organization"), said)


PAGES: Final = [
    Page("GET", "/organization", organization_page, "context"),
    Page("POST", "/organization/members", add_member, "context"),
    Page("POST", "/organization/members/{username}/permissions", set_permissions, "context"),
    Page("POST", "/organization/members/{username}/remove", remove_member, "context"),
    Page("POST", "/organization/members/{username}/credit", hand_out, "context"),
]
