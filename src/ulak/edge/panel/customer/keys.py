"""API keys: made, shown once, bounded, and revoked."""

from collections.abc import Collection, Mapping
from datetime import UTC, date, datetime, time
from typing import Final
from zoneinfo import ZoneInfo

from starlette.responses import Response

from ulak.admin import accounts
from ulak.edge.panel.forms import Values, whole_or_none
from ulak.edge.panel.languages import N_
from ulak.edge.panel.page import Page
from ulak.edge.panel.visit import Customer, no_such_page, uuid_of
from ulak.flow.accept import now
from ulak.rules.refusal import Code, Refused
from ulak.rules.scope import EVERY, Scope
from ulak.store.keys import ApiKey

SCOPES: Final[Mapping[Scope, str]] = {
    Scope.SMS_SEND: N_("send"),
    Scope.SMS_READ: N_("read what was sent"),
    Scope.ACCOUNT_READ: N_("read account and services"),
}
RATE: Final = N_("Requests a second")
END_OF_DAY: Final = time(23, 59, 59, 999_000)


async def keys_page(visit: Customer) -> Response:
    """`GET /keys`."""
    return visit.page("customer/keys.html", **await _state(visit))


async def create_key(visit: Customer) -> Response:
    """`POST /keys`: a new key, shown this once."""
    form = visit.form
    allowed, scopes = tuple(form["addresses"].replace(",", " ").split()), form.all("scope")
    try:
        made = await accounts.create_key(
            visit.rooms.db,
            visit.actor,
            visit.user.username,
            form["name"],
            allowed,
            scopes=scopes,
            expires_at=_end_of(form["expires"], visit.zone),
            rate_per_second=whole_or_none(form, "rate", RATE),
            rate_max=visit.rate or None,
        )
    except Refused as refused:
        return visit.refused(refused, "customer/keys.html", **await _state(visit, form.values, scopes))
    return visit.page("customer/keys.html", **{**await _state(visit), "made": made})


def _end_of(day: str, zone: ZoneInfo) -> datetime | None:
    """The last moment of a day as browsers send it; None where nothing was filled in."""
    if not day:
        return None
    try:
        return datetime.combine(date.fromisoformat(day), END_OF_DAY, zone).astimezone(UTC)
    except (ValueError, OverflowError):
        raise Refused(Code.INVALID_VALUE, N_("The last day: write a day.")) from None


async def set_rate(visit: Customer) -> Response:
    """`POST /keys/{id}/rate`: how often a key may ask; empty: as often as its owner."""
    key = await _key(visit)
    try:
        rate = whole_or_none(visit.form, "rate", RATE)
        await accounts.set_key_rate(visit.rooms.db, visit.actor, key.id, rate, rate_max=visit.rate or None)
    except Refused as refused:
        return visit.refused(refused, "customer/keys.html", **await _state(visit))
    return visit.go("/panel/keys", visit.language.say(N_("The rate is set.")))


async def revoke_key(visit: Customer) -> Response:
    """`POST /keys/{id}/revoke`."""
    await accounts.revoke_key(visit.rooms.db, visit.actor, (await _key(visit)).id)
    return visit.go(
        "/panel/keys", visit.language.say(N_("The key is revoked: nobody gets in with it any more."))
    )


async def _key(visit: Customer) -> ApiKey:
    """The key in the address, if it is theirs."""
    key_id = uuid_of(visit.request.path_params["id"])
    for key in await accounts.list_keys(visit.rooms.db, visit.user.username):
        if key.id == key_id:
            return key
    no_such_page()


async def _state(
    visit: Customer, values: Values | None = None, chosen: Collection[str] = EVERY
) -> dict[str, object]:
    keys = await accounts.list_keys(visit.rooms.db, visit.user.username)
    return {
        "keys": list(reversed(keys)),
        "values": values or Values(),
        "made": None,
        "scopes": SCOPES,
        "chosen": chosen,
        "now": now(),
    }


PAGES: Final = [
    Page("GET", "/keys", keys_page, "customer"),
    Page("POST", "/keys", create_key, "customer"),
    Page("POST", "/keys/{id}/rate", set_rate, "customer"),
    Page("POST", "/keys/{id}/revoke", revoke_key, "customer"),
]
