"""The statement of a credit: every entry with the balance after it, and the same as a file."""

from collections.abc import AsyncIterator
from contextlib import aclosing
from typing import Any, Final

from starlette.responses import Response

from ulak.admin import statement as statements
from ulak.admin.statement import Statement, Wanted, kinds_of
from ulak.edge import statement as files
from ulak.edge.panel import streamed
from ulak.edge.panel.customer.sendings import DATES, instants
from ulak.edge.panel.forms import Values
from ulak.edge.panel.languages import N_
from ulak.edge.panel.page import Page
from ulak.edge.panel.visit import Customer
from ulak.edge.queries import sendings_query
from ulak.rules.csv import Dialect
from ulak.rules.permission import Permission
from ulak.store import credits

LIMIT: Final = 50
ASKED: Final = ("startDate", "endDate", "kind", "of", "older", "newer")
KINDS: Final = {
    "topup": N_("top-up"),
    "correction": N_("correction"),
    "handout": N_("handed out"),
    "charge": N_("charged"),
    "refund": N_("refunded"),
}


async def credit_page(visit: Customer) -> Response:
    """`GET /credit`."""
    asked = visit.asked(*ASKED)
    older, newer = (_cursor(asked[name]) for name in ("older", "newer"))
    found = await _open(visit, asked).page(older_than=older, newer_than=newer, limit=LIMIT)
    return visit.page("customer/credit.html", asked=asked, found=found, kinds=KINDS, **await _credits(visit))


async def credit_file(visit: Customer) -> Response:
    """`GET /credit.csv`."""
    opened = _open(visit, visit.asked(*ASKED))
    with streamed.place(visit, visit.rooms.files) as place:
        return streamed.attached(place, _bytes(visit, opened), "text/csv; charset=utf-8", "statement.csv")


async def _bytes(visit: Customer, opened: Statement) -> AsyncIterator[bytes]:
    dialect = Dialect(semicolons=visit.language.code == "tr", bom=True)
    async with aclosing(files.chunks(opened, visit.rooms.config.currency, dialect)) as chunks:
        async for chunk in chunks:
            yield chunk.data


def _open(visit: Customer, asked: Values) -> Statement:
    """The visitor's own credit here, or, for those who hand it out, the organization's pool."""
    _, which = sendings_query(instants(visit.asked(*DATES), visit.zone))
    kinds = kinds_of([asked["kind"]]) if asked["kind"] else None
    wanted = Wanted(starts=which.starts, ends=which.ends, kinds=kinds)
    owner_id = visit.who.owner_id
    if asked["of"] == "pool" and visit.organization:
        visit.need(Permission.CREDIT_MANAGE)
        owner_id = visit.organization.id
    return statements.of(visit.rooms.db, visit.who.tenant_id, owner_id, wanted)


def _cursor(text: str) -> int | None:
    return int(text) if text.isascii() and text.isdigit() and len(text) < 20 else None


async def _credits(visit: Customer) -> dict[str, Any]:
    """What there is: the visitor's own, and the pool for those who hand it out."""
    async with visit.rooms.db.reading() as tx:
        own = await credits.balance(tx, visit.who.tenant_id, visit.who.owner_id)
        pool = None
        if visit.organization and visit.may(Permission.CREDIT_MANAGE):
            pool = await credits.balance(tx, visit.organization.id, visit.organization.id)
    return {"own": own, "pool": pool}


PAGES: Final = [
    Page("GET", "/credit", credit_page, "context"),
    Page("GET", "/credit.csv", credit_file, "context"),
]
