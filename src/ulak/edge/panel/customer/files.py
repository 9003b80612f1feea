"""Sending from a file: kept between its pages as a draft, whose columns fill the placeholders of a text."""

from dataclasses import replace
from typing import Any, Final

import anyio.to_thread
from starlette.responses import HTMLResponse, Response

from ulak.admin import drafts
from ulak.admin.drafts import Draft
from ulak.edge.panel.customer.look import Look, accept, look_at, service_of, text_of, words
from ulak.edge.panel.forms import Form
from ulak.edge.panel.languages import N_
from ulak.edge.panel.page import Page
from ulak.edge.panel.visit import Customer, uuid_of
from ulak.flow.offers import offers
from ulak.rules import table
from ulak.rules.permission import Permission
from ulak.rules.refusal import Code, Refused

ROWS_SHOWN: Final = 5


async def keep_file(visit: Customer, form: Form) -> Response:
    """What was uploaded becomes a draft, and the draft a page."""
    file = form.file("file")
    assert file
    raw = await file.read()
    found = await anyio.to_thread.run_sync(table.read, raw)
    draft = await drafts.keep(
        visit.rooms.db,
        visit.who,
        found,
        name=file.filename or "",
        service_id=service_of(form),
        text=text_of(form),
    )
    return visit.go(visit.to(f"/send/{draft.head.id}"))


async def draft_page(visit: Customer) -> Response:
    """`GET /send/{id}`: a file, the text for its rows, and what sending it would come to."""
    draft = await _draft(visit)
    if draft.sending_id:
        return visit.go(visit.to(f"/sendings/{draft.sending_id}"))
    look = await _look_again(visit, draft)
    return visit.page("customer/draft.html", **await _draft_form(visit, draft), look=look)


async def draft_quote(visit: Customer) -> Response:
    """`POST /send/{id}/quote`."""
    visit.ask()
    draft = _changed(await _draft(visit), visit.form)
    look = await look_at(visit, draft)
    return HTMLResponse(visit.render("customer/quote.html", look=look, draft=draft, **words()))


async def send_draft(visit: Customer) -> Response:
    """`POST /send/{id}`: what was chosen is kept, and with the button sent."""
    draft = await _draft(visit)
    wish = _changed(draft, visit.form)
    try:
        visit.ask()
        kept = await drafts.change(
            visit.rooms.db,
            draft,
            service_id=wish.head.service_id,
            text=wish.head.text,
            numbers_in=wish.head.numbers_in,
        )
        if visit.form["intent"] == "send":
            return await accept(visit, kept)
    except Refused as refused:
        look = Look(why=refused) if refused.code is Code.RATE_LIMITED else await look_at(visit, wish)
        return visit.refused(refused, "customer/draft.html", **await _draft_form(visit, wish), look=look)
    return visit.go(visit.to(f"/send/{draft.head.id}"))


async def discard_draft(visit: Customer) -> Response:
    """`POST /send/{id}/discard`."""
    await drafts.discard(visit.rooms.db, visit.who, uuid_of(visit.request.path_params["id"]))
    return visit.go(visit.to("/send"), visit.language.say(N_("The file is thrown away.")))


async def _look_again(visit: Customer, draft: Draft) -> Look:
    """What sending would come to, unless they have asked too often: the page stands without it."""
    try:
        visit.ask()
    except Refused as refused:
        return Look(why=refused)
    return await look_at(visit, draft)


async def _draft(visit: Customer) -> Draft:
    return await drafts.find(visit.rooms.db, visit.who, uuid_of(visit.request.path_params["id"]))


def _changed(draft: Draft, form: Form) -> Draft:
    """The draft as the form has it."""
    column = form["column"]
    numbers_in = int(column) if column.isascii() and column.isdigit() and len(column) < 4 else None
    head = replace(draft.head, service_id=service_of(form), text=text_of(form), numbers_in=numbers_in)
    return replace(draft, head=head)


async def _draft_form(visit: Customer, draft: Draft) -> dict[str, Any]:
    return {
        "offers": await offers(visit.rooms.db, visit.rooms.directory, visit.who),
        "draft": draft,
        "shown": draft.table.rows[:ROWS_SHOWN],
        **words(),
    }


_SEND: Final = Permission.SMS_SEND

PAGES: Final = [
    Page("GET", "/send/{id}", draft_page, "context", _SEND),
    Page("POST", "/send/{id}", send_draft, "context", _SEND),
    Page("POST", "/send/{id}/quote", draft_quote, "context", _SEND, computes=True),
    Page("POST", "/send/{id}/discard", discard_draft, "context", _SEND),
]
