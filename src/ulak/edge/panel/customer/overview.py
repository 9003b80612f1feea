"""The first page: what is left, what became of the last thirty days, and what is on its way."""

from datetime import date, datetime, time, timedelta
from typing import Final

from starlette.responses import Response

from ulak.edge.panel import live
from ulak.edge.panel.customer.sendings import latest
from ulak.edge.panel.page import Page
from ulak.edge.panel.visit import Customer
from ulak.flow.offers import offers
from ulak.store import credits, hours
from ulak.store.hours import Sums

DAYS: Final = 30
LATEST: Final = 5
READ: Final = "organization.sms.read"


async def overview(visit: Customer) -> Response:
    """`GET /panel`."""
    its = await offers(visit.rooms.db, visit.rooms.directory, visit.who)
    days = await _days(visit) if visit.may(READ) else []
    return visit.page("customer/overview.html", offers=its, days=days, **await _moving(visit))


async def overview_live(visit: Customer) -> Response:
    """`GET /live`: the credit and the last sendings, while they move."""

    async def pieces() -> dict[str, str]:
        found = await _moving(visit)
        return {
            "credit": visit.render("customer/credit-figure.html", **found),
            "sendings": visit.render("customer/sendings-rows.html", **found),
        }

    return await live.stream(visit, pieces)


async def _days(visit: Customer) -> list[tuple[date, Sums]]:
    """The last days, as they begin and end where times are shown, and what was sent in each."""
    today = datetime.now(visit.zone).date()
    days = [today - timedelta(days=n) for n in range(DAYS - 1, -1, -1)]
    starts = [datetime.combine(day, time.min, visit.zone) for day in (*days, today + timedelta(days=1))]
    async with visit.rooms.db.moment() as tx:
        return list(zip(days, await hours.days(tx, visit.who.tenant_id, starts), strict=True))


async def _moving(visit: Customer) -> dict[str, object]:
    async with visit.rooms.db.reading() as tx:
        balance = await credits.balance(tx, visit.who.tenant_id, visit.who.owner_id)
    return {"balance": balance, "sendings": await latest(visit, LATEST) if visit.may(READ) else []}


PAGES: Final = [
    Page("GET", "", overview, "context"),
    Page("GET", "/live", overview_live, "context", live=True),
]
