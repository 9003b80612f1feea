"""The first page: what is left, what became of the last thirty days, and what is on its way."""

from typing import Final

from starlette.responses import Response

from ulak.edge.panel import live
from ulak.edge.panel.customer.sendings import latest
from ulak.edge.panel.page import Page
from ulak.edge.panel.visit import Customer
from ulak.flow.offers import offers
from ulak.store import credits

DAYS: Final = 30
LATEST: Final = 5
READ: Final = "organization.sms.read"


async def overview(visit: Customer) -> Response:
    """`GET /panel`."""
    its = await offers(visit.rooms.db, visit.rooms.directory, visit.who)
    return visit.page("customer/overview.html", offers=its, **await _moving(visit))


async def overview_live(visit: Customer) -> Response:
    """`GET /live`: the credit and the last sendings, while they move."""

    async def pieces() -> dict[str, str]:
        found = await _moving(visit)
        return {
            "credit": visit.render("customer/credit-figure.html", **found),
            "sendings": visit.render("customer/sendings-rows.html", **found),
        }

    return await live.stream(visit, pieces)


async def _moving(visit: Customer) -> dict[str, object]:
    async with visit.rooms.db.reading() as tx:
        balance = await credits.balance(tx, visit.who.tenant_id, visit.who.owner_id)
    return {"balance": balance, "sendings": await latest(visit, LATEST) if visit.may(READ) else []}


PAGES: Final = [
    Page("GET", "", overview, "context"),
    Page("GET", "/live", overview_live, "context"),
]
