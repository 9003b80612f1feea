"""API keys: made, shown once, and revoked."""

from typing import Final

from starlette.responses import Response

from ulak.admin import accounts
from ulak.edge.panel.forms import Values
from ulak.edge.panel.languages import N_
from ulak.edge.panel.page import Page
from ulak.edge.panel.visit import Customer, no_such_page, uuid_of
from ulak.rules.refusal import Refused


async def keys_page(visit: Customer) -> Response:
    """`GET /keys`."""
    return visit.page("customer/keys.html", **await _state(visit))


async def create_key(visit: Customer) -> Response:
    """`POST /keys`: a new key, shown this once."""
    form = visit.form
    allowed = tuple(form["addresses"].replace(",", " ").split())
    try:
        made = await accounts.create_key(
            visit.rooms.db, visit.actor, visit.user.username, form["name"], allowed
        )
    except Refused as refused:
        return visit.refused(refused, "customer/keys.html", **await _state(visit, form.values))
    return visit.page("customer/keys.html", **{**await _state(visit), "made": made})


async def revoke_key(visit: Customer) -> Response:
    """`POST /keys/{id}/revoke`."""
    key_id = uuid_of(visit.request.path_params["id"])
    if key_id not in {key.id for key in await accounts.list_keys(visit.rooms.db, visit.user.username)}:
        no_such_page()
    await accounts.revoke_key(visit.rooms.db, visit.actor, key_id)
    return visit.go(
        "/panel/keys", visit.language.say(N_("The key is revoked: nobody gets in with it any more."))
    )


async def _state(visit: Customer, values: Values | None = None) -> dict[str, object]:
    keys = await accounts.list_keys(visit.rooms.db, visit.user.username)
    return {"keys": list(reversed(keys)), "values": values or Values(), "made": None}


PAGES: Final = [
    Page("GET", "/keys", keys_page, "customer"),
    Page("POST", "/keys", create_key, "customer"),
    Page("POST", "/keys/{id}/revoke", revoke_key, "customer"),
]
