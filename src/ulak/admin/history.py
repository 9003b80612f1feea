"""The history of one message: everything that is known of its way, in order, with times.

In: a message's id, as customers see it. Out: who sent it to whom, and its events: accepted, submitted, answered,
whatever else happened to it, receipts, its end, its refund. Put together from what each room wrote down at the time;
changes nothing. What is older than the history is kept (ULAK_HISTORY_DAYS) is missing from it.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import groupby
from typing import Final
from uuid import UUID

from ulak.base.db import Database, Tx
from ulak.rules import ids, phone, reasons
from ulak.rules.money import Amount
from ulak.rules.refusal import Code, Refused, Sentence, said
from ulak.rules.status import FINAL, Status
from ulak.store import (
    carriers,
    credits,
    everyone,
    incidents,
    messages,
    organizations,
    receipts,
    services,
    submits,
    users,
)
from ulak.store.incidents import Kept
from ulak.store.messages import Detail, Key

#: Events of one instant, in the order in which they happen.
_ORDER: Final = (
    *("accepted", "submitted", "throttled", "retried", "answered", "refused", "unsure", "moved", "receipt"),
    *("ended", "refunded"),
)
#: Statuses as the contract calls them.
_STATUSES: Final[Mapping[Status, Sentence]] = {
    Status.PENDING: said("pending"),
    Status.WAITING: said("waiting"),
    Status.SENT: said("sent"),
    Status.NOT_SENT: said("not_sent"),
    Status.NO_SIGNAL: said("no_signal"),
}


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened to the message; `detail` says it in words, as `said` makes them.

    `carrier` by name, `part` from 1, `carrier_id` the carrier's own id of the part; `status` what a carrier answered.
    """

    at: datetime
    event: str
    detail: str
    carrier: str | None = None
    part: int | None = None
    carrier_id: str | None = None
    status: int | None = None


@dataclass(frozen=True, slots=True)
class History:
    """A message, whose it is in words, and what happened to it."""

    id: UUID
    sending_id: UUID
    organization: str | None
    username: str
    service: str
    message: Detail
    events: list[Event]


async def of_message(db: Database, written_id: str) -> History:
    """The history of the message with this id; refused with `not_known` when there is none."""
    try:
        id_ = UUID(written_id)
    except ValueError:
        raise _unknown(written_id) from None
    async with db.reading() as tx:
        found = await everyone.whose(tx, *ids.span(id_))
        position = ids.position_of(found[1], id_) if found else None
        if found is None or position is None:
            raise _unknown(written_id)
        key = Key(*found, position)
        message = await messages.detail(tx, key)
        if message is None:
            raise _unknown(written_id)
        usernames = await users.names(tx, [message.user_id])
        org_names = await organizations.names(tx, [key.tenant_id])
        service_names = await services.names(tx, [message.service_id])
        return History(
            id_,
            key.sending_id,
            org_names.get(key.tenant_id),
            usernames[message.user_id],
            service_names[message.service_id],
            message,
            await _events(tx, key, message),
        )


def _unknown(written_id: str) -> Refused:
    return Refused(
        Code.NOT_KNOWN,
        said(
            "There is no message {message_id}; ids stand in the list of a sending's messages.",
            message_id=written_id,
        ),
    )


async def _events(tx: Tx, key: Key, message: Detail) -> list[Event]:
    names = {carrier.id: carrier.name for carrier in await carriers.all(tx)}
    until = message.ended_at or datetime.now(UTC)
    taken = await submits.of_message(tx, *key, message.created_at, until)
    happened = await incidents.of_message(tx, key)
    events = [
        Event(message.created_at, "accepted", _accepted(message)),
        *(event for one in taken for event in _answered(one, names[one.carrier_id])),
        *(_incident(one, names) for one in happened),
    ]
    heard = []
    for carrier_id, its in groupby(sorted(taken, key=lambda one: one.carrier_id), lambda one: one.carrier_id):
        parts = {one.ref: one.part for one in its}
        for kept in await receipts.of_refs(tx, carrier_id, list(parts), message.created_at, until):
            heard.append(_receipt(kept, names[carrier_id], parts[kept.ref] + 1))
    events += heard
    if message.status in FINAL and message.ended_at:
        events.append(Event(message.ended_at, "ended", _end(message, heard, happened)))
    if refund := await credits.refund_of(tx, *key):
        amount, at = refund
        events.append(Event(at, "refunded", said("{amount:fixed}", amount=Amount(amount))))
    return sorted(events, key=lambda event: (event.at, _ORDER.index(event.event), event.part or 0))


def _accepted(message: Detail) -> Sentence:
    return said(
        "to {number}, for {price:fixed}, by the {source}, valid until {until:%Y-%m-%d %H:%MZ}",
        number=phone.shown(message.recipient),
        price=Amount(message.price),
        source=message.source,
        until=message.expires_at,
    )


def _answered(one: submits.Answered, carrier: str) -> Iterator[Event]:
    written, took = one.answered_id or one.ref, said("the carrier took it")
    yield Event(one.submitted_at, "submitted", said("went out"), carrier, one.part + 1, written)
    yield Event(one.answered_at, "answered", took, carrier, one.part + 1, written, 0)


def _incident(one: Kept, names: dict[int, str]) -> Event:
    what = _happened(one, names)
    if one.reason:
        what = said("{what}: {why}", what=what, why=reasons.read(one.reason))
    return Event(one.at, one.kind, what, names[one.carrier_id], status=one.status)


def _happened(one: Kept, names: dict[int, str]) -> Sentence:
    match one.kind:
        case "throttled" if one.n == 1:
            return said("the carrier was full; it went out again")
        case "throttled":
            return said("the carrier was full ({n} times); it went out again", n=one.n)
        case "retried" if one.n == 1:
            return said("trouble at the carrier's; it went out again")
        case "retried":
            return said("trouble at the carrier's ({n} times); it went out again", n=one.n)
        case "refused":
            return said("the carrier will not take it")
        case "unsure":
            return said("it may have gone out")
        case "moved":
            other = names.get(one.moved_to or 0, said("another carrier"))
            return said("from now on over {carrier}", carrier=other)


def _receipt(one: receipts.Kept, carrier: str, part: int) -> Event:
    status = _STATUSES[one.status] if one.status else said("still on its way")
    told = said(
        "{status}, too late: {raw}" if one.result == "late" else "{status}: {raw}", status=status, raw=one.raw
    )
    return Event(one.received_at, "receipt", told, carrier, part, one.ref)


def _end(message: Detail, heard: list[Event], happened: list[Kept]) -> str:
    """How it ended, and why where no receipt says it."""
    last = [one.kind for one in happened if one.at == message.ended_at]
    status = _STATUSES[message.status]
    if any(event.at == message.ended_at for event in heard):
        return status
    if "refused" in last:
        why = said("refused")
    elif "unsure" in last:
        why = said("it may have gone out and must not go twice, or has been tried too often")
    elif message.ended_at and message.ended_at >= message.expires_at:
        why = said("its validity passed")
    else:
        return status
    return said("{what}: {why}", what=status, why=why)
