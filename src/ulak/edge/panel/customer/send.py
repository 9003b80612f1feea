"""Sending: one number, a pasted list, or a file whose columns fill placeholders; what it will cost before the button.

A form becomes a draft (`admin.drafts`), a draft a request, and the request is quoted or accepted: the same one, so
that what is shown is what happens. A pasted list is a draft that is never kept; a file is kept between its pages. The
draft's id is the request's name, so that a button pressed twice sends once.
"""

from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final
from uuid import UUID

import anyio.to_thread
from starlette.responses import HTMLResponse, Response

from ulak.admin import drafts
from ulak.admin.drafts import Draft, Ready
from ulak.edge.panel.forms import Form, Values
from ulak.edge.panel.languages import N_
from ulak.edge.panel.page import Page
from ulak.edge.panel.visit import Customer, uuid_of
from ulak.flow.accept import now
from ulak.flow.offers import offers
from ulak.flow.quote import Quote
from ulak.rules import ids, table, template
from ulak.rules.permission import Permission
from ulak.rules.refusal import Code, Refused, said
from ulak.rules.text import TEXT_MAX, clean
from ulak.store.drafts import Head

FILE_BYTES_MAX: Final = table.RAW_BYTES_MAX + 2**20
ROWS_SHOWN: Final = 5

#: Why somebody gets nothing, in words.
REASONS: Final = {
    "empty": N_("empty"),
    "digits_lost": N_("a spreadsheet has cut its digits; format the column as text"),
    "not_a_number": N_("not a number"),
    "foreign_not_allowed": N_("in another country, where this service does not go"),
    "not_mobile": N_("not a mobile number"),
    "unknown_number": N_("no such number"),
    "wrong_length": N_("too many or too few digits"),
    "repeated": N_("repeated"),
    "no_route": N_("no carrier of this service goes there"),
    "text_empty": N_("its text is empty"),
    "text_too_long": N_("its text is longer than 160 characters"),
    "text_unfit": N_("its text holds characters that cannot be sent"),
    "too_few_cells": N_("it has too few columns"),
    "too_many_cells": N_("it has too many columns"),
    "cell_too_long": N_("a cell is too long"),
}

#: How a text travels, in words.
ENCODINGS: Final = {
    "gsm7": N_("GSM 7-bit"),
    "gsm7-turkish-locking": N_("GSM 7-bit, Turkish"),
    "gsm7-turkish-single": N_("GSM 7-bit, Turkish"),
    "ucs2": N_("Unicode (UCS-2)"),
}


@dataclass(frozen=True, slots=True)
class Look:
    """What is shown before the button: a quote, or why there is none; and the lines that have no text."""

    quote: Quote | None = None
    ready: Ready | None = None
    why: Refused | None = None
    characters: int = 0

    @property
    def sendable(self) -> bool:
        """Whether the button would do it."""
        return self.quote is not None and self.quote.n_valid > 0 and self.quote.remaining >= 0


# one number, or a pasted list


async def send_page(visit: Customer) -> Response:
    """`GET /send`."""
    values = Values(service=visit.request.query_params.get("service", ""))
    return visit.page("customer/send.html", **await _form(visit, values, ids.new_id()), look=Look())


async def quote(visit: Customer) -> Response:
    """`POST /send/quote`: what the form as it stands would come to, as a part of the page."""
    form = visit.form
    look = await _look(visit, _pasted(visit, form))
    return HTMLResponse(visit.render("customer/quote.html", look=look, draft=None, **_words()))


async def send(visit: Customer) -> Response:
    """`POST /send`: a file becomes a draft; a list is sent, or only checked."""
    form = visit.form
    try:
        if form.file("file"):
            return await _keep_file(visit, form)
        draft = _pasted(visit, form)
        if form["intent"] != "send":
            look = await _look(visit, draft)
            return visit.page(
                "customer/send.html", **await _form(visit, form.values, draft.head.id), look=look
            )
        return await _accept(visit, draft)
    except Refused as refused:
        its = await _form(visit, form.values, ids.new_id())
        return visit.refused(refused, "customer/send.html", **its, look=Look())


def _pasted(visit: Customer, form: Form) -> Draft:
    """The form as a draft that nobody keeps."""
    numbers = table.of_numbers(table.pasted(form.raw("to")))
    at = now()
    head = Head(
        id=_name(form),
        name="",
        service_id=_service(form),
        text=text_of(form),
        numbers_in=0,
        n_rows=len(numbers.rows),
        created_at=at,
        expires_at=at + timedelta(hours=1),
    )
    return Draft(visit.who, head, numbers)


def _name(form: Form) -> UUID:
    """Under which name the form is sent: the page's own, so that pressing twice sends once."""
    try:
        return UUID(form["name"])
    except ValueError:
        return ids.new_id()


def _service(form: Form) -> UUID | None:
    try:
        return UUID(form["service"])
    except ValueError:
        return None


def text_of(form: Form) -> str:
    """The text as it was typed: browsers send the end of a line as two characters."""
    return form.raw("text").replace("\r\n", "\n")


async def _form(visit: Customer, values: Values, name: UUID) -> dict[str, Any]:
    return {
        "offers": await offers(visit.rooms.db, visit.rooms.directory, visit.who),
        "drafts": await drafts.all(visit.rooms.db, visit.who),
        "values": values,
        "name": name,
        "draft": None,
        **_words(),
    }


def _words() -> dict[str, Any]:
    return {"reasons": REASONS, "encodings": ENCODINGS, "text_max": TEXT_MAX}


async def _look(visit: Customer, draft: Draft) -> Look:
    """What sending a draft would come to."""
    characters = len(clean(draft.head.text))
    try:
        _check_text(draft)
        ready = await drafts.ready(draft)
        its = await visit.rooms.acceptance.quote(ready.request)
    except Refused as refused:
        return Look(why=refused, characters=characters)
    return Look(its, ready, None, characters)


def _check_text(draft: Draft) -> None:
    """Refuse a text that nobody can get, in words for people."""
    if drafts.is_personal(draft.table) and "{" in draft.head.text:
        return  # each row's own text is looked at
    wrong = template.why_not(clean(draft.head.text))
    if wrong == "text_empty":
        raise Refused(Code.INVALID_VALUE, N_("Write a text."))
    if wrong == "text_too_long":
        n = len(clean(draft.head.text))
        raise Refused(
            Code.INVALID_VALUE,
            said("The text has {n} characters; {most} fit into a message.", n=n, most=TEXT_MAX),
        )
    if wrong is not None:
        raise Refused(Code.INVALID_VALUE, N_("The text holds characters that cannot be sent."))


async def _accept(visit: Customer, draft: Draft) -> Response:
    _check_text(draft)
    ready = await drafts.ready(draft)
    accepted = await visit.rooms.acceptance.accept(ready.request)
    return visit.go(
        visit.to(f"/sendings/{accepted.sending_id}"), visit.language.say(N_("Accepted and on its way."))
    )


# a file


async def _keep_file(visit: Customer, form: Form) -> Response:
    file = form.file("file")
    assert file
    raw = await file.read()
    found = await anyio.to_thread.run_sync(table.read, raw)
    draft = await drafts.keep(
        visit.rooms.db,
        visit.who,
        found,
        name=file.filename or "",
        service_id=_service(form),
        text=text_of(form),
    )
    return visit.go(visit.to(f"/send/{draft.head.id}"))


async def draft_page(visit: Customer) -> Response:
    """`GET /send/{id}`: a file, the text for its rows, and what sending it would come to."""
    draft = await _draft(visit)
    if draft.sending_id:
        return visit.go(visit.to(f"/sendings/{draft.sending_id}"))
    return visit.page(
        "customer/draft.html", **await _draft_form(visit, draft), look=await _look(visit, draft)
    )


async def draft_quote(visit: Customer) -> Response:
    """`POST /send/{id}/quote`."""
    draft = _changed(await _draft(visit), visit.form)
    look = await _look(visit, draft)
    return HTMLResponse(visit.render("customer/quote.html", look=look, draft=draft, **_words()))


async def send_draft(visit: Customer) -> Response:
    """`POST /send/{id}`: what was chosen is kept, and with the button sent."""
    draft = await _draft(visit)
    wish = _changed(draft, visit.form)
    try:
        kept = await drafts.change(
            visit.rooms.db,
            draft,
            service_id=wish.head.service_id,
            text=wish.head.text,
            numbers_in=wish.head.numbers_in,
        )
        if visit.form["intent"] == "send":
            return await _accept(visit, kept)
    except Refused as refused:
        its = await _draft_form(visit, wish)
        return visit.refused(refused, "customer/draft.html", **its, look=await _look(visit, wish))
    return visit.go(visit.to(f"/send/{draft.head.id}"))


async def discard_draft(visit: Customer) -> Response:
    """`POST /send/{id}/discard`."""
    await drafts.discard(visit.rooms.db, visit.who, uuid_of(visit.request.path_params["id"]))
    return visit.go(visit.to("/send"), visit.language.say(N_("The file is thrown away.")))


async def _draft(visit: Customer) -> Draft:
    return await drafts.find(visit.rooms.db, visit.who, uuid_of(visit.request.path_params["id"]))


def _changed(draft: Draft, form: Form) -> Draft:
    """The draft as the form has it."""
    column = form["column"]
    numbers_in = int(column) if column.isascii() and column.isdigit() and len(column) < 4 else None
    head = draft.head
    return Draft(
        draft.who,
        Head(
            id=head.id,
            name=head.name,
            service_id=_service(form),
            text=text_of(form),
            numbers_in=numbers_in,
            n_rows=head.n_rows,
            created_at=head.created_at,
            expires_at=head.expires_at,
        ),
        draft.table,
        draft.sending_id,
    )


async def _draft_form(visit: Customer, draft: Draft) -> dict[str, Any]:
    return {
        "offers": await offers(visit.rooms.db, visit.rooms.directory, visit.who),
        "draft": draft,
        "shown": draft.table.rows[:ROWS_SHOWN],
        **_words(),
    }


_SEND: Final = Permission.SMS_SEND

PAGES: Final = [
    Page("GET", "/send", send_page, "context", _SEND),
    Page("POST", "/send", send, "context", _SEND, bytes_max=FILE_BYTES_MAX),
    Page("POST", "/send/quote", quote, "context", _SEND, computes=True),
    Page("GET", "/send/{id}", draft_page, "context", _SEND),
    Page("POST", "/send/{id}", send_draft, "context", _SEND),
    Page("POST", "/send/{id}/quote", draft_quote, "context", _SEND, computes=True),
    Page("POST", "/send/{id}/discard", discard_draft, "context", _SEND),
]
