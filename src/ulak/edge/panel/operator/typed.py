"""What operators type: times and choices in forms, places in lists in addresses.

Whatever cannot be read is refused in a sentence that names the field as the page does; addresses that make no sense
are read as if they had said nothing.
"""

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Final, TypeVar
from zoneinfo import ZoneInfo

from ulak.edge.panel.forms import Form, Values
from ulak.edge.panel.languages import N_
from ulak.edge.panel.visit import Operator
from ulak.edge.queries import Page as Span
from ulak.rules.refusal import Code, Refused, said

ASKED_LENGTH_MAX: Final = 200
_PLACE: Final = re.compile(r"[0-9]{1,18}")

T = TypeVar("T")


def instant(form: Form, name: str, label: str, zone: ZoneInfo) -> datetime | None:
    """A day and a time as browsers send them, meant in this time zone; None where nothing was filled in."""
    if not form[name]:
        return None
    try:
        at = datetime.fromisoformat(form[name])
        return (at if at.tzinfo else at.replace(tzinfo=zone)).astimezone(UTC)
    except (ValueError, OverflowError):
        raise Refused(
            Code.INVALID_VALUE, said("{field}: write a day and a time.", field=said(label))
        ) from None


def chosen(known: Mapping[str, T], text: str) -> T:
    """What one of several choices stands for."""
    if text not in known:
        raise Refused(Code.INVALID_VALUE, N_("Choose one of what there is."))
    return known[text]


def asked(visit: Operator, *names: str) -> Values:
    """What is asked for in the address, without what is empty and what no text can hold."""
    params = visit.request.query_params
    found = {name: params.get(name, "").replace("\0", "").strip()[:ASKED_LENGTH_MAX] for name in names}
    return Values((name, value) for name, value in found.items() if value)


def place(text: str) -> int | None:
    """A place in a list that is read from one line to the next."""
    return int(text) if _PLACE.fullmatch(text) and int(text) < 2**63 else None


def span(values: Values, limit: int) -> Span:
    """The page of a list that is asked for."""
    return Span(place(values["page"]) or 0, limit)
