"""One user: all that is known of them, and what an operator does for them."""

from collections.abc import Mapping
from typing import Any, Final

from starlette.responses import Response

from ulak.admin import accounts, customers, entrance, passwords, second_factor
from ulak.admin.customers import UserFacts
from ulak.edge.panel import security
from ulak.edge.panel.forms import Values, whole_or_none
from ulak.edge.panel.languages import N_
from ulak.edge.panel.operator import funding
from ulak.edge.panel.operator.typed import chosen
from ulak.edge.panel.page import Page
from ulak.edge.panel.visit import Operator, no_such_page, uuid_of
from ulak.rules.refusal import Refused
from ulak.store.users import State

_STATES: Final[Mapping[str, State]] = {"active": "active", "disabled": "disabled"}
_SAID: Final[Mapping[State, str]] = {
    "active": N_("%(name)s is let in again."),
    "disabled": N_("%(name)s is shut out: their keys and sessions work no more."),
}


async def user_page(visit: Operator) -> Response:
    """`GET /customers/users/{id}`."""
    return visit.page("operator/user.html", **await _state(visit, await _facts(visit)))


async def set_state(visit: Operator) -> Response:
    """`POST /customers/users/{id}/state`."""
    its = await _facts(visit)
    state = chosen(_STATES, visit.form["state"])
    await accounts.set_user_state(visit.rooms.db, visit.actor, its.user.username, state)
    return _back(visit, its, visit.language.say(_SAID[state], name=its.user.username))


async def set_password(visit: Operator) -> Response:
    """`POST /customers/users/{id}/password`: one that is made here, shown this once."""
    its = await _facts(visit)
    made = passwords.generated()
    await accounts.set_password(visit.rooms.db, visit.actor, its.user.username, made)
    return visit.page("operator/password.html", user=its.user, password=made, is_new=False)


async def reset_second_factor(visit: Operator) -> Response:
    """`POST /customers/users/{id}/second-factor`."""
    its = await _facts(visit)
    await second_factor.reset(visit.rooms.db, visit.actor, its.user.id)
    return _back(visit, its, visit.language.say(N_("The second factor is off; they can set up another one.")))


async def move_credit(visit: Operator) -> Response:
    """`POST /customers/users/{id}/credit`: a top-up or a correction of their own credit."""
    its = await _facts(visit)
    try:
        said = await funding.move(visit, its.user.username, None)
    except Refused as refused:
        return visit.refused(
            refused, "operator/user.html", **await _state(visit, its, values=visit.form.values)
        )
    return _back(visit, its, said)


async def set_rate(visit: Operator) -> Response:
    """`POST /customers/users/{id}/rate`: how often they may ask, with all their keys together."""
    its = await _facts(visit)
    try:
        rate = whole_or_none(visit.form, "rate", N_("Requests a second"))
        await accounts.set_user_rate(visit.rooms.db, visit.actor, its.user.username, rate)
    except Refused as refused:
        return visit.refused(
            refused, "operator/user.html", **await _state(visit, its, values=visit.form.values)
        )
    return _back(visit, its, visit.language.say(N_("The rate is set.")))


async def revoke_key(visit: Operator) -> Response:
    """`POST /customers/users/{id}/keys/{key}/revoke`."""
    its = await _facts(visit)
    key_id = uuid_of(visit.request.path_params["key"])
    if key_id not in {key.id for key in its.keys}:
        no_such_page()
    await accounts.revoke_key(visit.rooms.db, visit.actor, key_id)
    return _back(visit, its, visit.language.say(N_("The key is revoked: nobody gets in with it any more.")))


async def look(visit: Operator) -> Response:
    """`POST /customers/users/{id}/look`: on to the panel as this user sees it."""
    its = await _facts(visit)
    opened = await entrance.look_as(
        visit.rooms.db, visit.actor, visit.account.id, its.user.username, visit.address, visit.agent
    )
    name, root = security.COOKIES["customer"]
    response = visit.go(root)
    security.keep(response, name, opened.token, root, secure=visit.secure)
    return response


async def _facts(visit: Operator) -> UserFacts:
    found = await customers.user(visit.rooms.db, uuid_of(visit.request.path_params["id"]))
    if found is None:
        no_such_page()
    return found


async def _state(visit: Operator, its: UserFacts, values: Values | None = None) -> dict[str, Any]:
    moved = await funding.movements(visit, its.user.id, its.user.id)
    return {"its": its, "user": its.user, "values": values or Values(), **moved}


def _back(visit: Operator, its: UserFacts, said: str) -> Response:
    return visit.go(visit.to(f"/customers/users/{its.user.id}"), said)


_AT: Final = "/customers/users/{id}"

PAGES: Final = [
    Page("GET", _AT, user_page, "operator"),
    Page("POST", f"{_AT}/state", set_state, "operator"),
    Page("POST", f"{_AT}/password", set_password, "operator"),
    Page("POST", f"{_AT}/second-factor", reset_second_factor, "operator"),
    Page("POST", f"{_AT}/credit", move_credit, "operator"),
    Page("POST", f"{_AT}/rate", set_rate, "operator"),
    Page("POST", f"{_AT}/keys/{{key}}/revoke", revoke_key, "operator"),
    Page("POST", f"{_AT}/look", look, "operator"),
]
