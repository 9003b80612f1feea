"""What a service costs whom: its price rules, and how the price of one customer comes about, step by step."""

from collections.abc import Mapping
from typing import Any, Final

from starlette.responses import Response

from ulak.admin import pricing
from ulak.admin.catalogue import Offer
from ulak.edge.panel.forms import Values, whole_or_none
from ulak.edge.panel.languages import N_
from ulak.edge.panel.operator.services import found
from ulak.edge.panel.operator.typed import asked, chosen, instant, span
from ulak.edge.panel.page import Page
from ulak.edge.panel.visit import Operator, uuid_of
from ulak.rules.refusal import Refused
from ulak.store.prices import Kind

LIMIT: Final = 50
KINDS: Final[Mapping[Kind, str]] = {
    "percent": N_("add a share in percent (below 0: a discount)"),
    "amount": N_("add an amount (below 0: take off)"),
    "fixed": N_("set the price to an amount"),
}
_KINDS: Final[Mapping[str, Kind]] = {"percent": "percent", "amount": "amount", "fixed": "fixed"}


async def prices_page(visit: Operator) -> Response:
    """`GET /services/{id}/prices`."""
    offer = await found(visit)
    return visit.page("operator/prices.html", **await _state(visit, offer, asked(visit, "user", "org")))


async def add_rule(visit: Operator) -> Response:
    """`POST /services/{id}/prices`."""
    offer, form = await found(visit), visit.form
    try:
        await pricing.add(
            visit.rooms.db,
            visit.actor,
            service=offer.service.name,
            username=form.given("user"),
            org=form.given("org"),
            kind=chosen(_KINDS, form["kind"]),
            value=visit.signed("value"),
            from_volume=whole_or_none(form, "from_volume", N_("From how many messages a month")),
            starts=instant(form, "starts", N_("Starts"), visit.zone),
            ends=instant(form, "ends", N_("Ends"), visit.zone),
        )
    except Refused as refused:
        state = await _state(visit, offer, form.values)
        return visit.refused(refused, "operator/prices.html", **state)
    return _back(visit, offer, visit.language.say(N_("The rule is there, after those of its kind.")))


async def remove_rule(visit: Operator) -> Response:
    """`POST /services/{id}/prices/{rule}/remove`."""
    offer = await found(visit)
    rule_id = uuid_of(visit.request.path_params["rule"])
    await pricing.remove(visit.rooms.db, visit.actor, rule_id)
    return _back(visit, offer, visit.language.say(N_("The rule is gone; the audit log remembers it.")))


async def explain(visit: Operator) -> Response:
    """`GET /services/{id}/explain`: the price of whoever is named in the address, or of anybody."""
    offer, its = await found(visit), asked(visit, "user", "org")
    shown = {"service": offer.service, "asked": its}
    try:
        explained = await pricing.explain(
            visit.rooms.db,
            service=offer.service.name,
            username=its["user"] or None,
            org=its["org"] or None,
        )
    except Refused as refused:
        return visit.refused(refused, "operator/explain.html", explained=None, **shown)
    return visit.page("operator/explain.html", explained=explained, **shown)


async def _state(visit: Operator, offer: Offer, values: Values) -> dict[str, Any]:
    its = asked(visit, "page")
    at = span(its, LIMIT)
    rules, total = await pricing.of_service(visit.rooms.db, offer.service.name, limit=LIMIT, offset=at.offset)
    return {
        "service": offer.service,
        "rules": rules,
        "total": total,
        "span": at,
        "pages": at.pages(total),
        "asked": its,
        "kinds": KINDS,
        "values": values,
    }


def _back(visit: Operator, offer: Offer, said: str) -> Response:
    return visit.go(visit.to(f"/services/{offer.service.id}/prices"), said)


PAGES: Final = [
    Page("GET", "/services/{id}/prices", prices_page, "operator"),
    Page("POST", "/services/{id}/prices", add_rule, "operator"),
    Page("POST", "/services/{id}/prices/{rule}/remove", remove_rule, "operator"),
    Page("GET", "/services/{id}/explain", explain, "operator"),
]
