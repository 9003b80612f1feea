"""Sending to one number or a pasted list, and the way to a file.

A pasted list is a draft that is never kept; its id is the page's own, so that a button pressed twice sends once.
"""

from datetime import timedelta
from typing import Any, Final
from uuid import UUID

import anyio.to_thread
from starlette.responses import HTMLResponse, Response

from ulak.admin import drafts
from ulak.admin.drafts import Draft
from ulak.edge.panel.customer.files import keep_file
from ulak.edge.panel.customer.look import Look, accept, look_at, service_of, text_of, words
from ulak.edge.panel.forms import Form, Values
from ulak.edge.panel.page import Page
from ulak.edge.panel.visit import Customer
from ulak.flow.accept import now
from ulak.flow.offers import offers
from ulak.rules import ids, table
from ulak.rules.permission import Permission
from ulak.rules.refusal import Refused
from ulak.store.drafts import Head

FILE_BYTES_MAX: Final = table.RAW_BYTES_MAX + 2**20
LIST_BYTES_MAX: Final = 8 * 2**20
"""Of a form with a pasted list."""
THREAD_LENGTH_MIN: Final = 10_000
"""Characters of a pasted list above which it is read in a thread."""


async def send_page(visit: Customer) -> Response:
    """`GET /send`."""
    values = Values(service=visit.request.query_params.get("service", ""))
    return visit.page("customer/send.html", **await _form(visit, values, ids.new_id()), look=Look())


async def quote(visit: Customer) -> Response:
    """`POST /send/quote`: what the form as it stands would come to, as a part of the page."""
    form = visit.form
    visit.ask()
    look = await look_at(visit, await _pasted(visit, form))
    return HTMLResponse(visit.render("customer/quote.html", look=look, draft=None, **words()))


async def send(visit: Customer) -> Response:
    """`POST /send`: a file becomes a draft; a list is sent, or only checked."""
    form = visit.form
    try:
        visit.ask()
        if form.file("file"):
            return await keep_file(visit, form)
        draft = await _pasted(visit, form)
        if form["intent"] != "send":
            look = await look_at(visit, draft)
            return visit.page(
                "customer/send.html", **await _form(visit, form.values, draft.head.id), look=look
            )
        return await accept(visit, draft)
    except Refused as refused:
        its = await _form(visit, form.values, ids.new_id())
        return visit.refused(refused, "customer/send.html", **its, look=Look())


async def _pasted(visit: Customer, form: Form) -> Draft:
    """The form as a draft that nobody keeps; a long list takes its time, and holds up nobody else meanwhile."""
    raw = form.raw("to")
    numbers = (
        _numbers(raw) if len(raw) <= THREAD_LENGTH_MIN else await anyio.to_thread.run_sync(_numbers, raw)
    )
    at = now()
    head = Head(
        id=_name(form),
        name="",
        service_id=service_of(form),
        text=text_of(form),
        numbers_in=0,
        n_rows=len(numbers.rows),
        created_at=at,
        expires_at=at + timedelta(hours=1),
    )
    return Draft(visit.who, head, numbers)


def _numbers(raw: str) -> table.Table:
    return table.of_numbers(table.pasted(raw))


def _name(form: Form) -> UUID:
    """Under which name the form is sent: the page's own, so that pressing twice sends once."""
    try:
        return UUID(form["name"])
    except ValueError:
        return ids.new_id()


async def _form(visit: Customer, values: Values, name: UUID) -> dict[str, Any]:
    return {
        "offers": await offers(visit.rooms.db, visit.rooms.directory, visit.who),
        "drafts": await drafts.all(visit.rooms.db, visit.who),
        "values": values,
        "name": name,
        "draft": None,
        **words(),
    }


_SEND: Final = Permission.SMS_SEND

PAGES: Final = [
    Page("GET", "/send", send_page, "context", _SEND),
    Page("POST", "/send", send, "context", _SEND, bytes_max=FILE_BYTES_MAX),
    Page("POST", "/send/quote", quote, "context", _SEND, computes=True, bytes_max=LIST_BYTES_MAX),
]
