"""The operations of the Customer API: parse, call one room, render."""

from contextlib import nullcontext
from dataclasses import dataclass
from uuid import UUID

from starlette.responses import Response

from ulak.edge.api import answers
from ulak.edge.api.bodies import EACH, ONE, SAME
from ulak.edge.api.resource import Call
from ulak.edge.queries import messages_query, sendings_query
from ulak.edge.rooms import Rooms
from ulak.flow.accept import Request
from ulak.flow.offers import offers
from ulak.rules import money
from ulak.rules.refusal import Code, Fault, Refused
from ulak.store import credits, listing, message_pages, sendings
from ulak.store.idempotency import Name

KEY_LENGTH_MAX = 255


def _json(body: bytes, status: int = 200) -> Response:
    return Response(body, status, media_type="application/json")


@dataclass(frozen=True, slots=True)
class Operations:
    """Every operation, with the rooms it calls."""

    rooms: Rooms

    async def me(self, call: Call) -> Response:
        """`GET /users/me`."""
        return _json(answers.me(call.caller.user))

    async def my_organizations(self, call: Call) -> Response:
        """`GET /users/me/organizations`."""
        user_id = call.caller.user.id
        members = await self.rooms.directory.memberships(user_id)
        async with self.rooms.db.reading() as tx:
            held = await credits.balances_of(tx, user_id, [member.organization.id for member in members])
        return _json(answers.organizations(members, held))

    async def services(self, call: Call) -> Response:
        """`GET /services`: a bare array, at the caller's price."""
        listed = [
            {
                "id": offer.service.id,
                "name": offer.service.name,
                "type": offer.service.type,
                "currency": offer.service.currency,
                "unitPrice": money.fixed(offer.unit_price),
            }
            for offer in await offers(self.rooms.db, self.rooms.directory, call.who)
        ]
        return _json(answers.encode(listed))

    async def send_one(self, call: Call) -> Response:
        """`POST /sms-sendings`."""
        raw = await call.body(self.rooms.config.body_bytes_max)
        name = _name(call, "/sms-sendings")
        body = await ONE.read(raw)
        return await self._accept(
            Request(
                call.who, body.serviceId, [body.to], body.message, "api", single=True, name=name, body=raw
            )
        )

    async def send_same(self, call: Call) -> Response:
        """`POST /sms-sendings/simple`."""
        raw = await call.body(self.rooms.config.body_bytes_max)
        name = _name(call, "/sms-sendings/simple")
        body = await SAME.read(raw)
        return await self._accept(
            Request(call.who, body.serviceId, body.to, body.message, "api", name=name, body=raw)
        )

    async def send_each(self, call: Call) -> Response:
        """`POST /sms-sendings/advanced`."""
        raw = await call.body(self.rooms.config.advanced_body_bytes_max)
        name = _name(call, "/sms-sendings/advanced")
        body = await EACH.read(raw)
        to = [line.to for line in body.messages]
        texts = [line.message for line in body.messages]
        return await self._accept(Request(call.who, body.serviceId, to, texts, "api", name=name, body=raw))

    async def _accept(self, request: Request) -> Response:
        accepted = await self.rooms.acceptance.accept(request)
        response = _json(answers.success(accepted.sending_id), 201)
        if accepted.replayed:
            response.headers["idempotency-replayed"] = "true"
        return response

    async def list_sendings(self, call: Call) -> Response:
        """`GET /sms-sendings`."""
        page, which = sendings_query(call.request.query_params)
        async with self.rooms.searches if which.search else nullcontext(), self.rooms.db.moment() as tx:
            rows, total = await listing.page(
                tx, call.who.tenant_id, which, offset=page.offset, limit=page.limit
            )
        return _json(answers.paged([answers.sending(row) for row in rows], total, page))

    async def list_messages(self, call: Call) -> Response:
        """`GET /sms-sendings/{id}`."""
        page, status, search = messages_query(call.request.query_params)
        sending_id = _sending_id(call.request.path_params["id"])
        async with self.rooms.db.moment() as tx:
            sending = await sendings.find(tx, call.who.tenant_id, sending_id)
            if sending is None:
                raise _no_sending(call.request.path_params["id"])
            rows, total = await message_pages.page(
                tx,
                call.who.tenant_id,
                sending,
                status=status,
                search=search,
                offset=page.offset,
                limit=page.limit,
            )
        return _json(answers.paged([answers.message(row, sending) for row in rows], total, page))


def _name(call: Call, path: str) -> Name | None:
    """What the request calls itself with an Idempotency-Key, if it does."""
    key = call.request.headers.get("idempotency-key")
    if key is None:
        return None
    if not 1 <= len(key) <= KEY_LENGTH_MAX:
        fault = Fault("Idempotency-Key", f"must have 1 to {KEY_LENGTH_MAX} characters")
        raise Refused(Code.VALIDATION_FAILED, "The Idempotency-Key header does not fit.", faults=(fault,))
    return Name(call.who.tenant_id, call.who.user_id, path, key)


def _sending_id(text: str) -> UUID:
    try:
        if len(text) != 36:
            raise ValueError(text)
        return UUID(text)
    except ValueError:
        raise _no_sending(text) from None


def _no_sending(_: str) -> Refused:
    return Refused(Code.SENDING_NOT_FOUND, "There is no sending with this id in this context.")
