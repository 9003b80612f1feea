"""Sender headers of customers with a service, and which carriers have yet to know them."""

from typing import Any, Final

from starlette.responses import Response

from ulak.admin import catalogue
from ulak.admin.catalogue import Offer
from ulak.edge.panel.forms import Values
from ulak.edge.panel.languages import N_
from ulak.edge.panel.operator.services import found
from ulak.edge.panel.operator.typed import asked, span
from ulak.edge.panel.page import Page
from ulak.edge.panel.visit import Operator
from ulak.rules.refusal import Refused

LIMIT: Final = 50


async def headers_page(visit: Operator) -> Response:
    """`GET /services/{id}/headers`."""
    offer = await found(visit)
    return visit.page("operator/headers.html", **await _state(visit, offer, Values()))


async def set_header(visit: Operator) -> Response:
    """`POST /services/{id}/headers`."""
    offer, form = await found(visit), visit.form
    try:
        made = await catalogue.set_sender(
            visit.rooms.db,
            visit.actor,
            form["header"],
            service=offer.service.name,
            username=form.given("user"),
            org=form.given("org"),
        )
    except Refused as refused:
        return visit.refused(refused, "operator/headers.html", **await _state(visit, offer, form.values))
    whose = made.organization or made.username
    said = visit.language.say(N_("%(whose)s sends as %(header)s."), whose=whose, header=made.header)
    if made.waits_for:
        waits = N_("It waits for %(carriers)s.")
        said = f"{said} {visit.language.say(waits, carriers=', '.join(made.waits_for))}"
    return _back(visit, offer, said)


async def remove_header(visit: Operator) -> Response:
    """`POST /services/{id}/headers/remove`."""
    offer, form = await found(visit), visit.form
    try:
        header = await catalogue.remove_sender(
            visit.rooms.db,
            visit.actor,
            service=offer.service.name,
            username=form.given("user"),
            org=form.given("org"),
        )
    except Refused as refused:
        return visit.refused(refused, "operator/headers.html", **await _state(visit, offer, Values()))
    whose = form["org"] or form["user"]
    said = visit.language.say(N_("%(whose)s no longer sends as %(header)s."), whose=whose, header=header)
    return _back(visit, offer, said)


async def _state(visit: Operator, offer: Offer, values: Values) -> dict[str, Any]:
    its = asked(visit, "page")
    at = span(its, LIMIT)
    rows, total = await catalogue.senders_of(
        visit.rooms.db, offer.service.name, limit=LIMIT, offset=at.offset
    )
    return {
        "service": offer.service,
        "rows": rows,
        "total": total,
        "span": at,
        "pages": at.pages(total),
        "asked": its,
        "values": values,
    }


def _back(visit: Operator, offer: Offer, said: str) -> Response:
    return visit.go(visit.to(f"/services/{offer.service.id}/headers"), said)


PAGES: Final = [
    Page("GET", "/services/{id}/headers", headers_page, "operator"),
    Page("POST", "/services/{id}/headers", set_header, "operator"),
    Page("POST", "/services/{id}/headers/remove", remove_header, "operator"),
]
