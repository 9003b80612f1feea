"""Carriers: the list, new ones, how they are bound to, paused and resumed, and the headers they have registered.

A password is never shown: where none is typed, it stays as it is.
"""

from collections.abc import Mapping
from dataclasses import fields
from typing import Any, Final

from starlette.responses import Response

from ulak.admin import carriers
from ulak.edge.panel.forms import Form, Values, whole
from ulak.edge.panel.languages import N_
from ulak.edge.panel.operator import measured
from ulak.edge.panel.operator.typed import chosen
from ulak.edge.panel.page import Page
from ulak.edge.panel.visit import Operator
from ulak.rules.refusal import Code, Refused
from ulak.store import senders
from ulak.store.carriers import Carrier, Settings, State

SETTINGS_BYTES_MAX: Final = 512 * 1024
"""Of a form in which the certificates of authorities may stand."""

#: What can be chosen, each with what it means.
CHOICES: Final[Mapping[str, Mapping[str, str]]] = {
    "bind": {
        "transceiver": N_("one for both ways (transceiver)"),
        "pair": N_("one to send, one to receive (transmitter and receiver)"),
    },
    "tls": {
        "off": N_("no"),
        "verified": N_("yes, with its certificate checked"),
        "unverified": N_("yes, whatever its certificate"),
    },
    "headers": {"any": N_("any"), "approved": N_("only those it has registered")},
    "turkish": {
        "ucs2": N_("send the text as UCS-2"),
        "locking": N_("GSM-7 with the Turkish table"),
        "single": N_("GSM-7 with Turkish letters escaped"),
        "transliterate": N_("write them without their marks"),
    },
    "concatenation": {
        "udh8": N_("header with a short reference"),
        "udh16": N_("header with a long reference"),
        "sar": N_("sar_… parameters"),
        "payload": N_("uncut, in message_payload"),
    },
    "message_ids": {
        "as_is": N_("the same in both"),
        "hex_to_dec": N_("hexadecimal in answers, decimal in receipts"),
        "dec_to_hex": N_("decimal in answers, hexadecimal in receipts"),
    },
}

#: Whole numbers, with what the page calls them.
NUMBERS: Final[Mapping[str, str]] = {
    "port": N_("Port"),
    "connections": N_("Connections"),
    "window_max": N_("Window"),
    "throughput": N_("Submits a second"),
    "reserve": N_("Characters kept free"),
}

SWITCHES: Final = ("packed", "ignore_zeros", "ignore_case")
TEXTS: Final = ("host", "system_id", "system_type", "network_from", "statuses")

_STATES: Final[Mapping[str, State]] = {"active": "active", "paused": "paused"}
_SAID: Final[Mapping[State, str]] = {
    "active": N_("%(name)s is resumed: its connections are made within a second or two."),
    "paused": N_("%(name)s is paused: nothing goes to it, and its connections end."),
}


async def new_carrier(visit: Operator) -> Response:
    """`GET /carriers/new`."""
    blank = Settings(host="", port=2775, system_id="")
    return visit.page("operator/new-carrier.html", values=_written(blank), **_choices())


async def create_carrier(visit: Operator) -> Response:
    """`POST /carriers/new`."""
    form = visit.form
    try:
        its = {**_typed(form), "password": form.raw("password")}
        made = await carriers.create(visit.rooms.db, visit.actor, form["name"], **its)
    except Refused as refused:
        return visit.refused(refused, "operator/new-carrier.html", values=form.values, **_choices())
    return _back(visit, made, visit.language.say(N_("The carrier %(name)s is made."), name=made.name))


async def settings_page(visit: Operator) -> Response:
    """`GET /carriers/{id}/settings`."""
    its = await measured.found(visit)
    return visit.page("operator/carrier-settings.html", carrier=its, values=_written(its), **_choices())


async def set_carrier(visit: Operator) -> Response:
    """`POST /carriers/{id}/settings`."""
    its, form = await measured.found(visit), visit.form
    try:
        changes = {**_typed(form), "password": form.raw("password") or None}
        await carriers.change(visit.rooms.db, visit.actor, its.name, **changes)
    except Refused as refused:
        return visit.refused(
            refused, "operator/carrier-settings.html", carrier=its, values=form.values, **_choices()
        )
    said = N_("%(name)s is changed: its connections follow within a second or two.")
    return _back(visit, its, visit.language.say(said, name=its.name))


async def set_state(visit: Operator) -> Response:
    """`POST /carriers/{id}/state`: pause or resume."""
    its, state = await measured.found(visit), chosen(_STATES, visit.form["state"])
    await carriers.change(visit.rooms.db, visit.actor, its.name, state=state)
    return _back(visit, its, visit.language.say(_SAID[state], name=its.name))


async def headers_page(visit: Operator) -> Response:
    """`GET /carriers/{id}/headers`."""
    its = await measured.found(visit)
    return visit.page("operator/carrier-headers.html", **await _approved(visit, its, Values()))


async def approve(visit: Operator) -> Response:
    """`POST /carriers/{id}/headers`."""
    its, form = await measured.found(visit), visit.form
    try:
        header = await carriers.approve(visit.rooms.db, visit.actor, form["header"], carrier=its.name)
    except Refused as refused:
        state = await _approved(visit, its, form.values)
        return visit.refused(refused, "operator/carrier-headers.html", **state)
    said = visit.language.say(N_("%(carrier)s knows %(header)s."), carrier=its.name, header=header)
    return visit.go(visit.to(f"/carriers/{its.id}/headers"), said)


async def withdraw(visit: Operator) -> Response:
    """`POST /carriers/{id}/headers/withdraw`."""
    its, form = await measured.found(visit), visit.form
    try:
        header = await carriers.withdraw(visit.rooms.db, visit.actor, form["header"], carrier=its.name)
    except Refused as refused:
        state = await _approved(visit, its, Values())
        return visit.refused(refused, "operator/carrier-headers.html", **state)
    said = visit.language.say(N_("%(carrier)s no longer knows %(header)s."), carrier=its.name, header=header)
    return visit.go(visit.to(f"/carriers/{its.id}/headers"), said)


async def _approved(visit: Operator, its: Carrier, values: Values) -> dict[str, Any]:
    async with visit.rooms.db.reading() as tx:
        every = await senders.approved(tx)
    return {"carrier": its, "approved": sorted(every.get(its.id, ())), "values": values}


def _typed(form: Form) -> dict[str, Any]:
    """The settings of a form, as `admin.carriers` takes them; without the password."""
    for name, known in CHOICES.items():
        chosen(known, form[name])
    if len(form["tls_ca"]) > _PEM_LENGTH_MAX:
        raise Refused(Code.INVALID_VALUE, N_("That is too long for certificates."))
    return {
        **{name: form[name] for name in (*TEXTS, *CHOICES)},
        **{name: whole(form, name, label) for name, label in NUMBERS.items()},
        **{name: bool(form[name]) for name in SWITCHES},
        "tls_ca": form["tls_ca"].replace("\r\n", "\n"),
    }


def _written(its: Settings) -> Values:
    """The settings as a form holds them."""
    names = [one.name for one in fields(Settings) if one.name not in ("state", *SWITCHES)]
    written = {name: str(getattr(its, name)) for name in names}
    return Values({**written, **{name: "on" if getattr(its, name) else "" for name in SWITCHES}})


def _choices() -> dict[str, Any]:
    return {"choices": CHOICES, "numbers": NUMBERS}


def _back(visit: Operator, its: Carrier, said: str) -> Response:
    return visit.go(visit.to(f"/carriers/{its.id}"), said)


_PEM_LENGTH_MAX: Final = 256 * 1024

PAGES: Final = [
    Page("GET", "/carriers/new", new_carrier, "operator"),
    Page("POST", "/carriers/new", create_carrier, "operator", bytes_max=SETTINGS_BYTES_MAX),
    Page("GET", "/carriers/{id}/settings", settings_page, "operator"),
    Page("POST", "/carriers/{id}/settings", set_carrier, "operator", bytes_max=SETTINGS_BYTES_MAX),
    Page("POST", "/carriers/{id}/state", set_state, "operator"),
    Page("GET", "/carriers/{id}/headers", headers_page, "operator"),
    Page("POST", "/carriers/{id}/headers", approve, "operator"),
    Page("POST", "/carriers/{id}/headers/withdraw", withdraw, "operator"),
]
