"""Services: the list, new ones, and all that an operator says of one."""

from collections.abc import Mapping, Sequence
from itertools import groupby
from typing import Any, Final

from starlette.responses import Response

from ulak.admin import catalogue
from ulak.admin.catalogue import Offer
from ulak.edge.panel.forms import Values, whole
from ulak.edge.panel.languages import N_, Language
from ulak.edge.panel.operator.typed import chosen
from ulak.edge.panel.page import Page
from ulak.edge.panel.visit import Operator, no_such_page, uuid_of
from ulak.rules import money, route
from ulak.rules.refusal import Code, Refused
from ulak.store.services import REFUNDABLE, Billing, Settings, State, Unsure

BILLINGS: Final[Mapping[Billing, str]] = {"message": N_("a message"), "segment": N_("a segment")}
UNSURE: Final[Mapping[Unsure, str]] = {
    "resend": N_("send it again: it may arrive twice"),
    "refund": N_("end it and pay it back: it may not arrive"),
}
_BILLINGS: Final[Mapping[str, Billing]] = {"message": "message", "segment": "segment"}
_UNSURE: Final[Mapping[str, Unsure]] = {"resend": "resend", "refund": "refund"}
_STATES: Final[Mapping[str, State]] = {"active": "active", "inactive": "inactive"}
_SAID: Final[Mapping[State, str]] = {
    "active": N_("%(name)s can be sent with again."),
    "inactive": N_("%(name)s is closed: nothing new is accepted for it."),
}


async def services_page(visit: Operator) -> Response:
    """`GET /services`."""
    offers = await catalogue.list_services(visit.rooms.db)
    rows = [(offer.service, in_words(visit.language, offer.route)) for offer in offers]
    return visit.page("operator/services.html", rows=rows, billings=BILLINGS)


async def new_service(visit: Operator) -> Response:
    """`GET /services/new`."""
    blank = Values({**_written(Settings(price=0), []), "price": ""})
    return visit.page("operator/new-service.html", **_choices(), values=blank)


async def create_service(visit: Operator) -> Response:
    """`POST /services/new`."""
    form, currency = visit.form, visit.rooms.config.currency
    try:
        made = await catalogue.create_service(
            visit.rooms.db,
            visit.actor,
            form["name"],
            installation_currency=currency,
            currency=currency,
            **_typed(visit),
        )
    except Refused as refused:
        return visit.refused(refused, "operator/new-service.html", **_choices(), values=form.values)
    said = visit.language.say(N_("The service %(name)s is made."), name=made.service.name)
    return visit.go(visit.to(f"/services/{made.service.id}"), said)


async def service_page(visit: Operator) -> Response:
    """`GET /services/{id}`."""
    offer = await found(visit)
    return visit.page("operator/service.html", **_state(visit, offer, _written(offer.service, offer.route)))


async def set_service(visit: Operator) -> Response:
    """`POST /services/{id}`: all its settings."""
    offer = await found(visit)
    try:
        await catalogue.set_service(visit.rooms.db, visit.actor, offer.service.name, **_typed(visit))
    except Refused as refused:
        return visit.refused(refused, "operator/service.html", **_state(visit, offer, visit.form.values))
    said = visit.language.say(N_("%(name)s is changed."), name=offer.service.name)
    return visit.go(visit.to(f"/services/{offer.service.id}"), said)


async def set_state(visit: Operator) -> Response:
    """`POST /services/{id}/state`."""
    offer = await found(visit)
    name, state = offer.service.name, chosen(_STATES, visit.form["state"])
    await catalogue.set_service(visit.rooms.db, visit.actor, name, state=state)
    return visit.go(visit.to(f"/services/{offer.service.id}"), visit.language.say(_SAID[state], name=name))


async def found(visit: Operator) -> Offer:
    """The service in the path."""
    id_ = uuid_of(visit.request.path_params["id"])
    for offer in await catalogue.list_services(visit.rooms.db):
        if offer.service.id == id_:
            return offer
    no_such_page()


def in_words(language: Language, hops: Sequence[route.Written]) -> str:
    """A route as people say it: "main 70 and second 30, then backup"."""
    tries = []
    for shares, group in groupby(hops, lambda hop: hop.weight > 0):
        its = [_hop(language, hop, shares=shares) for hop in group]
        tries += [language.say(N_(" and ")).join(its)] if shares else its
    return language.say(N_(", then ")).join(tries)


def _hop(language: Language, hop: route.Written, *, shares: bool) -> str:
    name = f"{hop.name} {language.number(hop.weight)}" if shares else hop.name
    if not hop.prefixes:
        return name
    return language.say(
        N_("%(carrier)s (numbers that begin with %(prefixes)s)"),
        carrier=name,
        prefixes=", ".join(hop.prefixes),
    )


def _typed(visit: Operator) -> dict[str, Any]:
    """The settings of a form, as `catalogue` takes them."""
    form = visit.form
    lines = [line.strip() for line in form["route"].splitlines() if line.strip()]
    if not lines:
        raise Refused(Code.INVALID_VALUE, N_("A service goes over at least one carrier."))
    return {
        "route": lines,
        "price": visit.amount("price"),
        "billing": chosen(_BILLINGS, form["billing"]),
        "refund_on": frozenset(end for end in REFUNDABLE if form[f"refund_{end}"]),
        "unsure": chosen(_UNSURE, form["unsure"]),
        "sender": form["sender"],
        "validity_minutes": whole(form, "validity_minutes", N_("Validity in minutes")),
        "fallback_seconds": whole(form, "fallback_seconds", N_("Patience in seconds")),
        "foreign_numbers": bool(form["foreign_numbers"]),
    }


def _written(its: Settings, hops: Sequence[route.Written]) -> Values:
    """The settings as a form holds them."""
    return Values(
        {
            "route": "\n".join(map(str, hops)),
            "price": money.short(its.price),
            "billing": its.billing,
            "unsure": its.unsure,
            "sender": its.sender or "",
            "validity_minutes": str(its.validity_minutes),
            "fallback_seconds": str(its.fallback_seconds),
            "foreign_numbers": "on" if its.foreign_numbers else "",
            **{f"refund_{end}": "on" for end in its.refund_on},
        }
    )


def _choices() -> dict[str, Any]:
    return {"billings": BILLINGS, "unsure": UNSURE}


def _state(visit: Operator, offer: Offer, values: Values) -> dict[str, Any]:
    words = in_words(visit.language, offer.route)
    return {"service": offer.service, "route": words, "values": values, **_choices()}


PAGES: Final = [
    Page("GET", "/services", services_page, "operator"),
    Page("GET", "/services/new", new_service, "operator"),
    Page("POST", "/services/new", create_service, "operator"),
    Page("GET", "/services/{id}", service_page, "operator"),
    Page("POST", "/services/{id}", set_service, "operator"),
    Page("POST", "/services/{id}/state", set_state, "operator"),
]
