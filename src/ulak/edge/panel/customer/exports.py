"""Exports: what a list shows, as a file of any size, streamed while it is read."""

from collections.abc import AsyncIterator
from contextlib import aclosing
from typing import Final

from starlette.responses import Response

from ulak.admin import export as exporting
from ulak.admin import trail
from ulak.admin.export import Export, Wanted
from ulak.edge import export, xlsx
from ulak.edge.panel import streamed
from ulak.edge.panel.customer.sendings import instants
from ulak.edge.panel.page import Page
from ulak.edge.panel.visit import Customer, no_such_page, uuid_of
from ulak.edge.queries import messages_query, sendings_query
from ulak.rules.csv import Dialect
from ulak.rules.permission import Permission

TYPES: Final = {
    "csv": "text/csv; charset=utf-8",
    "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
}
NAMES: Final = ("startDate", "endDate", "text", "source", "status")


async def export_all(visit: Customer) -> Response:
    """`GET /sendings/export.csv`, `.xlsx`: the messages of every sending that fits."""
    asked = visit.asked(*NAMES)
    _, which = sendings_query(instants(asked, visit.zone))
    _, status, _ = messages_query(asked)
    wanted = Wanted(
        starts=which.starts,
        ends=which.ends,
        status=status,
        source=which.source,
        text=asked.get("text", ""),
    )
    return await _answer(visit, wanted, "messages")


async def export_one(visit: Customer) -> Response:
    """`GET /sendings/{id}/export.csv`, `.xlsx`: the messages of one sending."""
    sending_id = uuid_of(visit.request.path_params["id"])
    asked = visit.asked(*NAMES)
    _, status, _ = messages_query(asked)
    wanted = Wanted(sending=str(sending_id), status=status, text=asked.get("text", ""))
    return await _answer(visit, wanted, f"sending-{sending_id}")


async def _answer(visit: Customer, wanted: Wanted, name: str) -> Response:
    form = visit.request.path_params["form"]
    if form not in TYPES:
        no_such_page()
    organization = str(visit.organization.id) if visit.organization else None
    with streamed.place(visit, visit.rooms.files) as place:
        opened = await exporting.open_(
            visit.rooms.db, None if organization else visit.user.username, organization, wanted
        )
        if visit.looks:
            await trail.note(visit.rooms.db, visit.looks, "message.export", opened.whose, **wanted.told())
        return streamed.attached(place, _bytes(visit, opened, form), TYPES[form], f"{name}.{form}")


async def _bytes(visit: Customer, opened: Export, form: str) -> AsyncIterator[bytes]:
    turkish = visit.language.code == "tr"
    chunks = xlsx.chunks(opened) if form == "xlsx" else export.chunks(opened, Dialect(turkish, bom=True))
    async with aclosing(chunks) as its:
        async for chunk in its:
            if chunk.data:
                yield chunk.data


_READ: Final = Permission.SMS_READ

PAGES: Final = [
    Page("GET", "/sendings/export.{form}", export_all, "context", _READ),
    Page("GET", "/sendings/{id}/export.{form}", export_one, "context", _READ),
]
