"""Finding something whoever's it is: messages to a number, what an id is, customers by a piece of their name.

In: what an operator has at hand, in whatever spelling. Out: what it leads to, with names instead of ids. Changes
nothing; no answer to a customer is made from it.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Final, Literal
from uuid import UUID

from ulak.base.db import Database
from ulak.rules import ids, phone
from ulak.rules.refusal import Code, Refused, said
from ulak.rules.status import Status
from ulak.store import carriers, everyone, messages, organizations, users
from ulak.store.messages import Key
from ulak.store.organizations import Organization
from ulak.store.users import User

MESSAGES_MAX: Final = 100
CUSTOMERS_MAX: Final = 50


@dataclass(frozen=True, slots=True)
class Message:
    """A message to the number that was asked for; `organization` None where it is the user's own."""

    id: UUID
    sending_id: UUID
    tenant_id: UUID
    organization: str | None
    username: str
    text: str
    sender: str | None
    status: Status
    network: str | None
    carrier: str | None
    created_at: datetime
    ended_at: datetime | None


@dataclass(frozen=True, slots=True)
class Identified:
    """What an id is: a sending, or a message of one; and whose."""

    kind: Literal["sending", "message"]
    id: UUID
    sending_id: UUID
    tenant_id: UUID
    organization: str | None
    username: str


@dataclass(frozen=True, slots=True)
class Customers:
    """Users and organizations, each by name."""

    users: list[User]
    organizations: list[Organization]


@dataclass(frozen=True, slots=True)
class Findings:
    """Whatever a few letters or digits lead to; parts that cannot be meant are empty."""

    identified: Identified | None
    messages: list[Message]
    customers: Customers


async def anything(db: Database, words: str) -> Findings:
    """What somebody may mean by this: an id, a number, a customer. Nothing found is no refusal."""
    words = words.strip()
    if not words:
        return Findings(None, [], Customers([], []))
    identified = await what_is(db, words) if _uuid(words) else None
    number = phone.normalise(words, foreign=True)
    found = await _to_number(db, number, MESSAGES_MAX) if number is not None else []
    return Findings(identified, found, await customers(db, words))


async def messages_to(db: Database, number: str, *, limit: int = MESSAGES_MAX) -> list[Message]:
    """The newest messages to a number, all customers together; refused where it cannot be one."""
    parsed = phone.normalise(number, foreign=True)
    if parsed is None:
        raise Refused(
            Code.INVALID_VALUE, said("{number!r} is no number that messages can be sent to.", number=number)
        )
    return await _to_number(db, parsed, min(limit, MESSAGES_MAX))


async def _to_number(db: Database, number: int, limit: int) -> list[Message]:
    async with db.reading() as tx:
        found = await everyone.to_number(tx, number, limit)
        if not found:
            return []
        usernames = await users.names(tx, {one.user_id for one in found})
        org_names = await organizations.names(tx, {one.tenant_id for one in found})
        carrier_names = {carrier.id: carrier.name for carrier in await carriers.all(tx)}
    return [
        Message(
            id=ids.message_id(one.sending_id, one.position),
            sending_id=one.sending_id,
            tenant_id=one.tenant_id,
            organization=org_names.get(one.tenant_id),
            username=usernames.get(one.user_id, str(one.user_id)),
            text=one.text,
            sender=one.sender,
            status=Status(one.status),
            network=one.network,
            carrier=carrier_names.get(one.carrier_id or 0),
            created_at=one.created_at,
            ended_at=one.ended_at,
        )
        for one in found
    ]


async def what_is(db: Database, written_id: str) -> Identified | None:
    """Which sending or message has this id; None when nothing has, or it is no id."""
    id_ = _uuid(written_id)
    if id_ is None:
        return None
    async with db.reading() as tx:
        found = await everyone.whose(tx, *ids.span(id_))
        if found is None:
            return None
        tenant_id, sending_id = found
        position = ids.position_of(sending_id, id_)
        message = await messages.detail(tx, Key(tenant_id, sending_id, position or 0))
        if message is None:
            return None
        usernames = await users.names(tx, [message.user_id])
        org_names = await organizations.names(tx, [tenant_id])
        return Identified(
            "sending" if position is None else "message",
            id_,
            sending_id,
            tenant_id,
            org_names.get(tenant_id),
            usernames.get(message.user_id, str(message.user_id)),
        )


async def customers(db: Database, fragment: str) -> Customers:
    """Customers with this in their name or e-mail address, or with this id."""
    fragment = fragment.strip()
    if not fragment:
        return Customers([], [])
    async with db.reading() as tx:
        return Customers(
            await users.holding(tx, fragment, CUSTOMERS_MAX),
            await organizations.holding(tx, fragment, CUSTOMERS_MAX),
        )


def _uuid(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return None
