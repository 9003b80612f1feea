"""Search across all customers: by number, id or name; a message with its whole history, a sending with its messages."""

from collections.abc import Mapping
from typing import Any, Final

from starlette.responses import Response

from ulak.admin import find, history, trail
from ulak.admin.find import Identified
from ulak.edge.panel.languages import N_
from ulak.edge.panel.operator.typed import asked, span
from ulak.edge.panel.page import Page
from ulak.edge.panel.visit import Operator, no_such_page, uuid_of
from ulak.rules import ids
from ulak.store import message_pages, sendings

LIMIT: Final = 50

#: What happened to a message.
EVENTS: Final[Mapping[str, str]] = {
    "accepted": N_("accepted"),
    "submitted": N_("submitted"),
    "throttled": N_("throttled"),
    "retried": N_("retried"),
    "answered": N_("answered"),
    "refused": N_("refused"),
    "unsure": N_("unsure"),
    "moved": N_("moved to another carrier"),
    "receipt": N_("receipt"),
    "ended": N_("ended"),
    "refunded": N_("refunded"),
}


async def search_page(visit: Operator) -> Response:
    """`GET /search`."""
    its = asked(visit, "q")
    found = await find.anything(visit.rooms.db, its["q"])
    if its["q"]:
        await trail.note(visit.rooms.db, visit.actor, "message.find", its["q"], found=len(found.messages))
    return visit.page("operator/search.html", asked=its, found=found)


async def message_page(visit: Operator) -> Response:
    """`GET /search/messages/{id}`: everything that happened to a message."""
    its = await _identified(visit, "message")
    found = await history.of_message(visit.rooms.db, str(its.id))
    await trail.note(visit.rooms.db, visit.actor, "message.show", str(its.id), user=its.username)
    return visit.page("operator/message.html", its=its, found=found, events=EVENTS)


async def sending_page(visit: Operator) -> Response:
    """`GET /search/sendings/{id}`: a sending and its messages."""
    its = await _identified(visit, "sending")
    messages = await _messages(visit, its)
    await trail.note(visit.rooms.db, visit.actor, "sending.show", str(its.id), user=its.username)
    return visit.page("operator/sending.html", its=its, **messages)


async def _identified(visit: Operator, kind: str) -> Identified:
    found = await find.what_is(visit.rooms.db, str(uuid_of(visit.request.path_params["id"])))
    if found is None or found.kind != kind:
        no_such_page()
    return found


async def _messages(visit: Operator, its: Identified) -> dict[str, Any]:
    values = asked(visit, "page")
    at = span(values, LIMIT)
    async with visit.rooms.db.moment() as tx:
        sending = await sendings.find(tx, its.tenant_id, its.sending_id)
        if sending is None:
            no_such_page()
        rows, total = await message_pages.page(
            tx, its.tenant_id, sending, status=None, search="", offset=at.offset, limit=LIMIT
        )
    messages = [(ids.message_id(sending.id, row.position), row) for row in rows]
    return {
        "sending": sending,
        "messages": messages,
        "total": total,
        "span": at,
        "pages": at.pages(total),
        "asked": values,
    }


PAGES: Final = [
    Page("GET", "/search", search_page, "operator"),
    Page("GET", "/search/messages/{id}", message_page, "operator"),
    Page("GET", "/search/sendings/{id}", sending_page, "operator"),
]
