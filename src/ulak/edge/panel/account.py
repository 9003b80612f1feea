"""Somebody's own account, at either door: password, second factor, and where they are signed in."""

from uuid import UUID

import segno
from starlette.responses import Response

from ulak.admin import entrance, second_factor
from ulak.edge.panel.languages import N_
from ulak.edge.panel.page import Page, Who
from ulak.edge.panel.security import Door
from ulak.edge.panel.visit import Customer, Operator, uuid_of
from ulak.rules.refusal import Code, Refused

Owner = Customer | Operator


async def account(visit: Owner) -> Response:
    """`GET /account`."""
    return visit.page("account.html", **await _state(visit))


async def change_password(visit: Owner) -> Response:
    """`POST /account/password`."""
    form = visit.form
    try:
        if form.raw("new_password") != form.raw("new_password_again"):
            raise Refused(Code.INVALID_VALUE, N_("The new password was typed in two different ways."))
        await entrance.change_password(
            visit.rooms.db,
            visit.actor,
            visit.door,
            _id(visit),
            form.raw("password"),
            form.raw("new_password"),
            visit.visitor.session.id,
        )
    except Refused as refused:
        return visit.refused(refused, "account.html", **await _state(visit))
    return _back(visit, N_("Your password is changed; you are signed out everywhere else."))


async def begin_second_factor(visit: Owner) -> Response:
    """`POST /account/second-factor`: a secret to be confirmed."""
    begun = await second_factor.begin(visit.rooms.db, visit.actor, _id(visit), _name(visit))
    return visit.page("second-factor.html", begun=begun, qr=_drawn(begun.uri))


async def confirm_second_factor(visit: Owner) -> Response:
    """`POST /account/second-factor/confirm`."""
    try:
        await second_factor.confirm(visit.rooms.db, visit.actor, _id(visit), visit.form["code"])
    except Refused as refused:
        return visit.refused(refused, "account.html", **await _state(visit))
    return _back(visit, N_("The second factor is on. From now on you are asked for a code when you sign in."))


async def remove_second_factor(visit: Owner) -> Response:
    """`POST /account/second-factor/remove`."""
    try:
        await second_factor.remove(visit.rooms.db, visit.actor, _id(visit), visit.form["code"])
    except Refused as refused:
        return visit.refused(refused, "account.html", **await _state(visit))
    return _back(visit, N_("The second factor is off."))


async def end_session(visit: Owner) -> Response:
    """`POST /account/sessions/{id}/end`."""
    session_id = uuid_of(visit.request.path_params["id"])
    await entrance.end_session(visit.rooms.db, visit.actor, _id(visit), session_id)
    return _back(visit, N_("That session is ended."))


async def end_others(visit: Owner) -> Response:
    """`POST /account/sessions/end-others`."""
    await entrance.end_others(visit.rooms.db, visit.actor, _id(visit), visit.visitor.session.id)
    return _back(visit, N_("You are signed out everywhere else."))


async def _state(visit: Owner) -> dict[str, object]:
    return {
        "sessions": await entrance.sessions_of(visit.rooms.db, _id(visit)),
        "current": visit.visitor.session.id,
        "second_factor": await second_factor.is_on(visit.rooms.db, _id(visit)),
    }


def _back(visit: Owner, said: str) -> Response:
    root = "/operator" if isinstance(visit, Operator) else "/panel"
    return visit.go(f"{root}/account", visit.language.say(said))


def _id(visit: Owner) -> UUID:
    return visit.account.id if isinstance(visit, Operator) else visit.user.id


def _name(visit: Owner) -> str:
    return visit.account.username if isinstance(visit, Operator) else visit.user.username


def _drawn(uri: str) -> str:
    """A QR code as a picture in an address."""
    return str(segno.make(uri, error="m").svg_data_uri(scale=5, border=2, light="white"))


def of(door: Door) -> list[Page]:
    """The pages at one of the doors."""
    who: Who = "operator" if door == "operator" else "customer"
    return [
        Page("GET", "/account", account, who),
        Page("POST", "/account/password", change_password, who),
        Page("POST", "/account/second-factor", begin_second_factor, who),
        Page("POST", "/account/second-factor/confirm", confirm_second_factor, who),
        Page("POST", "/account/second-factor/remove", remove_second_factor, who),
        Page("POST", "/account/sessions/end-others", end_others, who),
        Page("POST", "/account/sessions/{id}/end", end_session, who),
    ]
