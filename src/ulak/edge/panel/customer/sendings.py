"""Sendings: the list with the API's filters, one sending with its messages, and one message's way."""

from contextlib import nullcontext
from datetime import UTC, date, datetime, time, timedelta
from typing import Any, Final
from uuid import UUID
from zoneinfo import ZoneInfo

from starlette.responses import Response

from ulak.admin import history
from ulak.edge.panel import live
from ulak.edge.panel.languages import N_
from ulak.edge.panel.page import Page
from ulak.edge.panel.visit import Customer, no_such_page, uuid_of
from ulak.edge.queries import Page as Span
from ulak.edge.queries import messages_query, sendings_query
from ulak.rules import ids
from ulak.rules.permission import Permission
from ulak.rules.status import Status
from ulak.store import exports, listing, message_pages, sendings
from ulak.store.sendings import Sending

LIMIT_DEFAULT: Final = "20"
SENDINGS: Final = ("startDate", "endDate", "completed", "text", "source", "limit", "page")
MESSAGES: Final = ("status", "text", "limit", "page")
DATES: Final = {"startDate": time.min, "endDate": time(23, 59, 59, 999000)}


async def sendings_page(visit: Customer) -> Response:
    """`GET /sendings`."""
    asked = visit.asked(*SENDINGS)
    return visit.page("customer/sendings.html", asked=asked, **await _sendings(visit, asked))


async def sendings_live(visit: Customer) -> Response:
    """`GET /sendings/live`: the same list, while it moves."""
    asked = visit.asked(*SENDINGS)

    async def pieces() -> dict[str, str]:
        found = await _sendings(visit, asked)
        return {"sendings": visit.render("customer/sendings-rows.html", **found)}

    return await live.stream(visit, pieces)


async def _sendings(visit: Customer, asked: dict[str, str]) -> dict[str, Any]:
    span, which = sendings_query(instants(asked, visit.zone))
    async with visit.rooms.searches if which.search else nullcontext(), visit.rooms.db.moment() as tx:
        rows, total = await listing.page(tx, visit.who.tenant_id, which, offset=span.offset, limit=span.limit)
    return {"sendings": rows, "total": total, "span": span, "pages": span.pages(total)}


async def latest(visit: Customer, n: int) -> list[Sending]:
    """The newest sendings."""
    async with visit.rooms.db.moment() as tx:
        rows, _ = await listing.page(tx, visit.who.tenant_id, listing.Filter(), offset=0, limit=n)
    return rows


def instants(asked: dict[str, str], zone: ZoneInfo) -> dict[str, str]:
    """The same query with whole days, as people choose them, as the instants at which they begin and end here."""
    values = {"limit": LIMIT_DEFAULT, **asked}
    for name, edge in DATES.items():
        try:
            day = date.fromisoformat(values.get(name, ""))
        except ValueError:
            continue  # an instant already, or something that the query's reader will refuse
        at = datetime.combine(day, edge, zone).astimezone(UTC)
        values[name] = f"{at:%Y-%m-%dT%H:%M:%S}.{at.microsecond // 1000:03d}Z"
    return values


async def sending_page(visit: Customer) -> Response:
    """`GET /sendings/{id}`."""
    asked = visit.asked(*MESSAGES)
    return visit.page("customer/sending.html", asked=asked, **await _sending(visit, asked))


async def sending_live(visit: Customer) -> Response:
    """`GET /sendings/{id}/live`."""
    asked = visit.asked(*MESSAGES)

    async def pieces() -> dict[str, str]:
        found = await _sending(visit, asked)
        return {
            "state": visit.render("customer/sending-state.html", **found),
            "messages": visit.render("customer/messages-rows.html", **found),
        }

    return await live.stream(visit, pieces)


async def _sending(visit: Customer, asked: dict[str, str]) -> dict[str, Any]:
    sending_id = uuid_of(visit.request.path_params["id"])
    span, status, search = messages_query({"limit": LIMIT_DEFAULT, **asked})
    tenant_id = visit.who.tenant_id
    async with visit.rooms.db.moment() as tx:
        sending = await sendings.find(tx, tenant_id, sending_id)
        if sending is None:
            no_such_page()
        rows, total = await message_pages.page(
            tx, tenant_id, sending, status=status, search=search, offset=span.offset, limit=span.limit
        )
        [head] = await exports.heads(tx, exports.Which(tenant_id, _before(sending_id), sending_id), 1)
    messages = [(ids.message_id(sending.id, row.position), row) for row in rows]
    return {
        "sending": sending,
        "head": head,
        "messages": messages,
        "total": total,
        "span": span,
        "pages": Span.pages(span, total),
        "statuses": list(Status),
    }


def _before(id_: UUID) -> UUID:
    return UUID(int=max(id_.int - 1, 0))


#: What customers are told of a message's way: not over whose lines it went.
EVENTS: Final = {
    "accepted": N_("accepted"),
    "submitted": N_("handed to the carrier"),
    "throttled": N_("the carrier was busy; it is tried again"),
    "retried": N_("the carrier had trouble; it is tried again"),
    "answered": N_("the carrier took it"),
    "refused": N_("the carrier refused it"),
    "unsure": N_("it may have gone out; the answer was lost"),
    "moved": N_("goes another way"),
    "receipt": N_("a delivery receipt came"),
    "ended": N_("ended"),
    "refunded": N_("refunded"),
}


async def message_page(visit: Customer) -> Response:
    """`GET /sendings/{id}/messages/{message}`: everything that happened to one message."""
    sending_id, message_id = (uuid_of(visit.request.path_params[name]) for name in ("id", "message"))
    async with visit.rooms.db.reading() as tx:
        sending = await sendings.find(tx, visit.who.tenant_id, sending_id)
    position = ids.position_of(sending_id, message_id)
    if sending is None or position is None or not 0 <= position < sending.n_valid:
        no_such_page()
    found = await history.of_message(visit.rooms.db, str(message_id))
    took = (datetime.now(UTC) if not found.message.ended_at else found.message.ended_at) - sending.created_at
    return visit.page(
        "customer/message.html", sending=sending, found=found, events=EVENTS, took=took / timedelta(seconds=1)
    )


_READ: Final = Permission.SMS_READ

PAGES: Final = [
    Page("GET", "/sendings", sendings_page, "context", _READ),
    Page("GET", "/sendings/live", sendings_live, "context", _READ, live=True),
    Page("GET", "/sendings/{id}", sending_page, "context", _READ),
    Page("GET", "/sendings/{id}/live", sending_live, "context", _READ, live=True),
    Page("GET", "/sendings/{id}/messages/{message}", message_page, "context", _READ),
]
