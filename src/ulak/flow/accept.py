"""Accepting: the only way in for an SMS, whoever brings it.

In: a request whose shape is already right (`edge` decoded it). Out: the id of a sending that is kept, priced,
charged and queued, or a refusal. The checks come in the contract's order: a repeat of a named request, the
service, the recipients, the credit. Paying and writing happen in `flow.till`, together with whatever other
requests are waiting at that moment. `quote` says beforehand what `accept` would do, from the same `Order`.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from typing import Final, NamedTuple
from uuid import UUID

import structlog

from ulak.base import logs
from ulak.base.db import Database
from ulak.flow import traced
from ulak.flow.directory import Directory, Terms
from ulak.flow.order import Order
from ulak.flow.quote import Draft, Quote, draft, price
from ulak.flow.till import Till
from ulak.rules import ids, phone, segments
from ulak.rules.refusal import Code, Refused, said
from ulak.rules.stretches import milliseconds
from ulak.rules.tenancy import Context
from ulak.store import idempotency
from ulak.store.sendings import Source

#: Above this many numbers a request is prepared in a thread, so that it holds up nobody else's.
THREAD_RECIPIENTS_MIN: Final = 2000
THREAD_BODY_BYTES_MIN: Final = 2**20

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Request:
    """What somebody wants sent. `texts` is one text for all, or one for each number in `to`; clean already.

    `name` and `body` come with an Idempotency-Key: what the request is called, and its bytes.
    """

    who: Context
    service_id: UUID
    to: Sequence[str]
    texts: str | Sequence[str]
    source: Source
    single: bool = False
    name: idempotency.Name | None = None
    body: bytes = b""


class Accepted(NamedTuple):
    """The answer: which sending it became, and whether that was decided by an earlier twin."""

    sending_id: UUID
    replayed: bool


class Acceptance:
    """The door. One per process; `await accept(request)` from as many tasks as there are requests."""

    def __init__(self, db: Database, directory: Directory, till: Till) -> None:
        self._db = db
        self._directory = directory
        self._till = till

    async def accept(self, request: Request) -> Accepted:
        """Keep, charge and queue a request; raises `Refused` and then nothing was kept."""
        body_hash = await _hashed(request.body) if request.name else b""
        at = now()
        if request.name:
            async with self._db.reading() as tx:
                earlier = await idempotency.find(tx, request.name, at)
            if earlier:
                return replay(earlier, body_hash)
        terms = await self._terms(request)
        if len(request.to) > THREAD_RECIPIENTS_MIN:
            order = await asyncio.to_thread(_order, request, terms, at, body_hash)
        else:
            order = _order(request, terms, at, body_hash)
        if not order.recipients:
            raise Refused(Code.NO_VALID_RECIPIENT, _nobody(request, foreign=terms.service.foreign_numbers))
        earlier = await self._till.pay(order)
        if earlier:
            return replay(earlier, body_hash)
        _tell(order)
        return Accepted(order.id, replayed=False)

    async def quote(self, request: Request) -> Quote:
        """What accepting this request would come to now; keeps nothing, and does not look at its name.

        Raises `Refused` with `service_not_found` only: nobody to send to and too little credit are in the quote.
        """
        terms, at = await self._terms(request), now()
        if len(request.to) > THREAD_RECIPIENTS_MIN:
            draft = await asyncio.to_thread(_drafted, request, terms, at)
        else:
            draft = _drafted(request, terms, at)
        async with self._db.moment() as tx:
            return await price(tx, draft)

    async def _terms(self, request: Request) -> Terms:
        shelf = await self._directory.shelf()
        service = shelf.services.get(request.service_id)
        if service is None or service.state != "active":
            raise Refused(
                Code.SERVICE_NOT_FOUND,
                said("There is no active service {service_id}.", service_id=request.service_id),
            )
        return shelf.terms(service, request.who)


async def _hashed(body: bytes) -> bytes:
    """What a body is known by."""
    its = await asyncio.to_thread(sha256, body) if len(body) > THREAD_BODY_BYTES_MIN else sha256(body)
    return its.digest()


def _tell(order: Order) -> None:
    """Have it known, to whoever watches, that an order was accepted."""
    n = len(order.recipients)
    _log.debug("accepted", sending=order.id, n=n)
    traced.accepted(order.id, order.at, n_messages=n, source=order.source, request=logs.REQUEST.get())


def replay(earlier: idempotency.Claim, body_hash: bytes) -> Accepted:
    """The earlier twin's answer, if it was the same request."""
    if earlier.body_hash != body_hash:
        raise Refused(
            Code.IDEMPOTENCY_CONFLICT,
            "This Idempotency-Key was used with another body within the last 24 hours.",
        )
    return Accepted(earlier.sending_id, replayed=True)


def now() -> datetime:
    """This instant at the precision it is kept and answered in."""
    at = datetime.now(UTC)
    return at.replace(microsecond=at.microsecond // 1000 * 1000)


def _drafted(request: Request, terms: Terms, at: datetime) -> Draft:
    """The order that the request would become, and what of the request would not be in it."""
    return draft(_order(request, terms, at, b""), request.to, request.texts)


def _order(request: Request, terms: Terms, at: datetime, body_hash: bytes) -> Order:
    """The request as something that can be paid: numbers in one form, repeats gone, segments counted.

    It has no recipients where nobody can be sent to.
    """
    foreign = terms.service.foreign_numbers
    texts: str | list[str]
    if isinstance(request.texts, str):
        recipients, n_invalid = phone.normalise_all(request.to, foreign=foreign)
        texts = request.texts
    else:
        recipients, texts, n_invalid = _distinct(request.to, request.texts, foreign=foreign)
    carriers: int | list[int] | None = terms.one_way
    if carriers is None:
        n = len(recipients)
        recipients, texts, carriers = _routed(terms, recipients, texts)
        n_invalid += n - len(recipients)
    sending_id = ids.new_id(milliseconds(at))  # lists rely on it: by id is by time
    return Order(
        id=sending_id,
        who=request.who,
        terms=terms,
        recipients=recipients,
        texts=texts,
        units=_units(terms, texts),
        carriers=carriers,
        n_invalid=n_invalid,
        source=request.source,
        single=request.single,
        at=at,
        claim=idempotency.Claim(request.name, body_hash, sending_id) if request.name else None,
    )


def _distinct(to: Sequence[str], texts: Sequence[str], *, foreign: bool) -> tuple[list[int], list[str], int]:
    """Numbers with their texts in the order of the request, without repeats of both, and how many fell out."""
    distinct = dict.fromkeys(
        (number, text)
        for number, text in zip((phone.normalise(raw, foreign=foreign) for raw in to), texts, strict=True)
        if number is not None
    )
    return [number for number, _ in distinct], [text for _, text in distinct], len(to) - len(distinct)


def _routed(
    terms: Terms, recipients: list[int], texts: str | list[str]
) -> tuple[list[int], str | list[str], list[int]]:
    """The numbers that the service has a way to, their texts, and over which carrier each goes."""
    ways = [terms.carrier_for(number) for number in recipients]
    if isinstance(texts, list):
        texts = [text for text, way in zip(texts, ways, strict=True) if way is not None]
    recipients = [number for number, way in zip(recipients, ways, strict=True) if way is not None]
    return recipients, texts, [way for way in ways if way is not None]


def _units(terms: Terms, texts: str | list[str]) -> int | list[int]:
    """How many times the unit price a message costs."""
    if terms.service.billing == "message":
        return 1
    if isinstance(texts, str):
        return segments.count(texts, terms.style)
    return [segments.count(text, terms.style) for text in texts]


def _nobody(request: Request, *, foreign: bool) -> str:
    ours = said("905xxxxxxxxx (12 digits)")
    form = said("905xxxxxxxxx (12 digits) or another E.164 number") if foreign else ours
    if request.single:
        return said("The number cannot be sent to; write it in the form {form}.", form=form)
    return said(
        "None of the {n} numbers can be sent to; write them in the form {form}.", n=len(request.to), form=form
    )
