"""One organization: its pool and its members, and what an operator does for it and for each of them."""

from collections.abc import Mapping
from typing import Any, Final

from starlette.responses import Response

from ulak.admin import credit, customers, groups
from ulak.admin.customers import OrganizationLine
from ulak.admin.groups import Member
from ulak.edge.panel.forms import Values
from ulak.edge.panel.languages import N_
from ulak.edge.panel.operator import funding
from ulak.edge.panel.operator.typed import chosen
from ulak.edge.panel.page import Page
from ulak.edge.panel.visit import Operator, no_such_page, uuid_of
from ulak.rules.permission import DEFAULT, Permission
from ulak.rules.refusal import Refused
from ulak.store.organizations import State

#: What a permission lets a member do.
PERMISSIONS: Final[Mapping[Permission, str]] = {
    Permission.SMS_READ: N_("read what was sent"),
    Permission.SMS_SEND: N_("send"),
    Permission.USERS_READ: N_("see the members"),
    Permission.USERS_MANAGE: N_("add, change and remove members"),
    Permission.CREDIT_MANAGE: N_("hand credit out of the pool, and take it back"),
}

_STATES: Final[Mapping[str, State]] = {"active": "active", "inactive": "inactive"}
_SAID: Final[Mapping[State, str]] = {
    "active": N_("%(name)s is open again."),
    "inactive": N_("%(name)s is closed: nobody acts for it any more."),
}
_HANDS: Final = {"out": credit.transfer, "back": credit.take_back}


async def organization_page(visit: Operator) -> Response:
    """`GET /customers/organizations/{id}`."""
    return visit.page("operator/organization.html", **await _state(visit, await _line(visit)))


async def set_state(visit: Operator) -> Response:
    """`POST /customers/organizations/{id}/state`."""
    its = await _line(visit)
    name, state = its.organization.name, chosen(_STATES, visit.form["state"])
    await groups.set_state(visit.rooms.db, visit.actor, name, state)
    return _back(visit, its, visit.language.say(_SAID[state], name=name))


async def move_credit(visit: Operator) -> Response:
    """`POST /customers/organizations/{id}/credit`: a top-up or a correction of the pool."""
    its = await _line(visit)
    try:
        said = await funding.move(visit, None, its.organization.name)
    except Refused as refused:
        return await _refused(visit, refused, its)
    return _back(visit, its, said)


async def add_member(visit: Operator) -> Response:
    """`POST /customers/organizations/{id}/members`."""
    its = await _line(visit)
    form = visit.form
    try:
        made = await groups.add_member(
            visit.rooms.db, visit.actor, its.organization.name, form["username"], form.all("permission")
        )
    except Refused as refused:
        return await _refused(visit, refused, its)
    return _back(visit, its, visit.language.say(N_("%(name)s is a member now."), name=made.user.username))


async def member_page(visit: Operator) -> Response:
    """`GET /customers/organizations/{id}/members/{user}`."""
    its = await _line(visit)
    return visit.page("operator/member.html", **await _member_state(visit, its, await _member(visit, its)))


async def set_permissions(visit: Operator) -> Response:
    """`POST /customers/organizations/{id}/members/{user}/permissions`."""
    its = await _line(visit)
    one = await _member(visit, its)
    name, granted = its.organization.name, visit.form.all("permission")
    await groups.set_permissions(visit.rooms.db, visit.actor, name, one.user.username, granted)
    return _to_member(
        visit, its, one, visit.language.say(N_("%(name)s may do this now."), name=one.user.username)
    )


async def hand(visit: Operator) -> Response:
    """`POST /customers/organizations/{id}/members/{user}/credit`: out of the pool, or back into it."""
    its = await _line(visit)
    one = await _member(visit, its)
    form = visit.form
    try:
        way, amount = chosen(_HANDS, form["way"]), visit.amount("amount")
        names = its.organization.name, one.user.username
        held, pool = await way(visit.rooms.db, visit.actor, amount, *names, form.given("note"))
    except Refused as refused:
        state = await _member_state(visit, its, one, form.values)
        return visit.refused(refused, "operator/member.html", **state)
    currency = visit.rooms.config.currency
    said = visit.language.say(
        N_("Done. The member holds %(held)s, the pool %(pool)s."),
        held=visit.language.money(held, currency),
        pool=visit.language.money(pool, currency),
    )
    return _to_member(visit, its, one, said)


async def remove_member(visit: Operator) -> Response:
    """`POST /customers/organizations/{id}/members/{user}/remove`."""
    its = await _line(visit)
    one = await _member(visit, its)
    names = its.organization.name, one.user.username
    left = await groups.remove_member(visit.rooms.db, visit.actor, *names)
    said = visit.language.say(
        N_("%(name)s is no member any more; %(left)s went back to the pool."),
        name=one.user.username,
        left=visit.language.money(left, visit.rooms.config.currency),
    )
    return _back(visit, its, said)


async def _line(visit: Operator) -> OrganizationLine:
    found = await customers.organization(visit.rooms.db, uuid_of(visit.request.path_params["id"]))
    if found is None:
        no_such_page()
    return found


async def _member(visit: Operator, its: OrganizationLine) -> Member:
    user_id = uuid_of(visit.request.path_params["user"])
    members = await groups.members(visit.rooms.db, its.organization.name)
    found = next((one for one in members if one.user.id == user_id), None)
    if found is None:
        no_such_page()
    return found


async def _state(visit: Operator, its: OrganizationLine, values: Values | None = None) -> dict[str, Any]:
    organization = its.organization
    return {
        "organization": organization,
        "balance": its.balance,
        "members": await groups.members(visit.rooms.db, organization.name),
        "permissions": PERMISSIONS,
        "granted": visit.form.all("permission") if values and values["username"] else DEFAULT,
        "values": values or Values(),
        **await funding.movements(visit, organization.id, organization.id),
    }


async def _refused(visit: Operator, refused: Refused, its: OrganizationLine) -> Response:
    state = await _state(visit, its, visit.form.values)
    return visit.refused(refused, "operator/organization.html", **state)


async def _member_state(
    visit: Operator, its: OrganizationLine, one: Member, values: Values | None = None
) -> dict[str, Any]:
    return {
        "organization": its.organization,
        "pool": its.balance,
        "member": one,
        "permissions": PERMISSIONS,
        "values": values or Values(),
        **await funding.movements(visit, its.organization.id, one.user.id),
    }


def _back(visit: Operator, its: OrganizationLine, said: str) -> Response:
    return visit.go(visit.to(f"/customers/organizations/{its.organization.id}"), said)


def _to_member(visit: Operator, its: OrganizationLine, one: Member, said: str) -> Response:
    path = f"/customers/organizations/{its.organization.id}/members/{one.user.id}"
    return visit.go(visit.to(path), said)


_AT: Final = "/customers/organizations/{id}"
_MEMBER: Final = f"{_AT}/members/{{user}}"

PAGES: Final = [
    Page("GET", _AT, organization_page, "operator"),
    Page("POST", f"{_AT}/state", set_state, "operator"),
    Page("POST", f"{_AT}/credit", move_credit, "operator"),
    Page("POST", f"{_AT}/members", add_member, "operator"),
    Page("GET", _MEMBER, member_page, "operator"),
    Page("POST", f"{_MEMBER}/permissions", set_permissions, "operator"),
    Page("POST", f"{_MEMBER}/credit", hand, "operator"),
    Page("POST", f"{_MEMBER}/remove", remove_member, "operator"),
]
