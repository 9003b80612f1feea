"""Carriers as they do at the moment: every one in a list, and one with each of its connections and its lines."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final

from starlette.responses import Response

from ulak.admin import carriers, pulse
from ulak.admin.carriers import Up
from ulak.edge.panel import live
from ulak.edge.panel.languages import N_
from ulak.edge.panel.operator import drawn
from ulak.edge.panel.operator.typed import asked
from ulak.edge.panel.page import Page
from ulak.edge.panel.visit import Operator, no_such_page
from ulak.flow.pulse import What
from ulak.store.carriers import Carrier

EVERY_SECONDS: Final = 2.0

#: How a carrier or one of its connections stands: the kind of its sign, and what it is called.
STANDS: Final[Mapping[Up, tuple[str, str]]] = {
    "bound": ("bound", N_("bound")),
    "partly bound": ("partly", N_("partly bound")),
    "connecting": ("connecting", N_("connecting")),
    "refused": ("down", N_("refused")),
    "unreachable": ("down", N_("unreachable")),
    "lost": ("down", N_("lost")),
    "paused": ("paused", N_("paused")),
    "unattended": ("down", N_("unattended")),
}


async def carriers_page(visit: Operator) -> Response:
    """`GET /carriers`."""
    return visit.page("operator/carriers.html", **await _every(visit))


async def carriers_live(visit: Operator) -> Response:
    """`GET /carriers/live`."""

    async def pieces() -> dict[str, str]:
        return {"carriers": visit.render("operator/carriers-rows.html", **await _every(visit))}

    return await live.stream(visit, pieces, every=EVERY_SECONDS)


async def carrier_page(visit: Operator) -> Response:
    """`GET /carriers/{id}`."""
    return visit.page("operator/carrier.html", **await _one(visit))


async def carrier_live(visit: Operator) -> Response:
    """`GET /carriers/{id}/live`."""

    async def pieces() -> dict[str, str]:
        found = await _one(visit)
        return {
            "figures": visit.render("operator/carrier-figures.html", **found),
            "charts": visit.render("operator/charts.html", **found),
        }

    return await live.stream(visit, pieces, every=EVERY_SECONDS)


async def found(visit: Operator) -> Carrier:
    """The carrier in the path."""
    id_ = visit.request.path_params["id"]
    for one in await carriers.listed(visit.rooms.db):
        if str(one.carrier.id) == id_:
            return one.carrier
    no_such_page()


async def _every(visit: Operator) -> dict[str, Any]:
    activities = await pulse.carrier_activity(visit.rooms.db)
    return {"activities": activities, "stands": STANDS, "now": datetime.now(UTC)}


async def _one(visit: Operator) -> dict[str, Any]:
    found = await _every(visit)
    id_ = visit.request.path_params["id"]
    its = next((one for one in found["activities"] if str(one.standing.carrier.id) == id_), None)
    if its is None:
        no_such_page()
    name, over = drawn.stretch(asked(visit, "over")["over"])
    db, carrier = visit.rooms.db, its.standing.carrier
    lines = [
        await drawn.line(db, What.GONE, N_("Messages a second"), over, carrier_id=carrier.id),
        await drawn.line(db, What.SUBMITS, N_("Submits a second"), over, carrier_id=carrier.id),
        await drawn.line(db, What.RECEIPTS, N_("Receipts a second"), over, carrier_id=carrier.id),
    ]
    shown = {"its": its, "carrier": carrier, "lines": lines, "over": name, "stretches": drawn.STRETCHES}
    return {**found, **shown}


PAGES: Final = [
    Page("GET", "/carriers", carriers_page, "operator"),
    Page("GET", "/carriers/live", carriers_live, "operator", live=True),
]
#: After those of `carriers`, whose /carriers/new looks like a carrier's own page.
ONE: Final = [
    Page("GET", "/carriers/{id}", carrier_page, "operator"),
    Page("GET", "/carriers/{id}/live", carrier_live, "operator", live=True),
]
