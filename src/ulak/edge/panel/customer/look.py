"""What sending would come to, before the button, and the button itself.

A form becomes a draft (`admin.drafts`), a draft a request, and the request is quoted or accepted: the same one, so
that what is shown is what happens.
"""

from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

from starlette.responses import Response

from ulak.admin import drafts
from ulak.admin.drafts import Draft, Ready
from ulak.edge.panel.forms import Form
from ulak.edge.panel.languages import N_
from ulak.edge.panel.visit import Customer
from ulak.flow.quote import Quote
from ulak.rules import template
from ulak.rules.refusal import Code, Refused, said
from ulak.rules.text import TEXT_MAX, clean

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


def words() -> dict[str, Any]:
    """What the templates call things."""
    return {"reasons": REASONS, "encodings": ENCODINGS, "text_max": TEXT_MAX}


def service_of(form: Form) -> UUID | None:
    """The service that was chosen."""
    try:
        return UUID(form["service"])
    except ValueError:
        return None


def text_of(form: Form) -> str:
    """The text as it was typed: browsers send the end of a line as two characters."""
    return form.raw("text").replace("\r\n", "\n")


async def look_at(visit: Customer, draft: Draft) -> Look:
    """What sending a draft would come to."""
    characters = len(clean(draft.head.text))
    try:
        check_text(draft)
        ready = await drafts.ready(draft)
        its = await visit.rooms.acceptance.quote(ready.request)
    except Refused as refused:
        return Look(why=refused, characters=characters)
    return Look(its, ready, None, characters)


def check_text(draft: Draft) -> None:
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


async def accept(visit: Customer, draft: Draft) -> Response:
    """The button: the draft is sent, and its sending shown."""
    check_text(draft)
    ready = await drafts.ready(draft)
    accepted = await visit.rooms.acceptance.accept(ready.request)
    return visit.go(
        visit.to(f"/sendings/{accepted.sending_id}"), visit.language.say(N_("Accepted and on its way."))
    )
