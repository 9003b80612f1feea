"""Pages of a sending's messages, in the order of the request, with the exact total.

Reads `messages`, which `store.messages` owns, and writes nothing. How many there are is what the sending's counters
say, and positions are complete, so that a page is found without walking to it; only a search reads the whole sending.
"""

from dataclasses import dataclass
from typing import Final
from uuid import UUID

from ulak.base.db import Tx
from ulak.rules.status import Status
from ulak.store.sendings import Sending


@dataclass(frozen=True, slots=True)
class Message:
    """A message as it stands."""

    position: int
    recipient: int
    text: str
    status: Status
    network: str | None
    refunded: bool


_OF_SENDING: Final = "FROM messages m WHERE m.tenant_id = $1 AND m.sending_id = $2"
_ITEM: Final = "SELECT m.position, m.recipient, m.text, m.status::text AS status, m.network, m.refunded"

# Positions are complete, so a page of all messages is a range of them.
PAGE: Final = f"{_ITEM} {_OF_SENDING} AND m.position >= $3 AND m.position < $4 ORDER BY m.position"
PAGE_OF_STATUS: Final = f"""
{_ITEM} {_OF_SENDING} AND m.status = $3::text::message_status ORDER BY m.position OFFSET $4 LIMIT $5"""
LAST_OF_STATUS: Final = f"""
{_ITEM} {_OF_SENDING} AND m.status = $3::text::message_status ORDER BY m.position DESC OFFSET $4 LIMIT $5"""


async def page(
    tx: Tx, tenant_id: UUID, of: Sending, *, status: Status | None, search: str, offset: int, limit: int
) -> tuple[list[Message], int]:
    """One page of a sending's messages in the order of the request, and how many there are in all.

    `search` is already folded (`rules.text.fold`) and looked for in the text and in the number. `of` is the sending as
    it stands at the moment `tx` sees (`Database.moment`): its counters say how many messages there are.
    """
    key = tenant_id, of.id
    if search:
        return await _found(tx, key, of, status, search, offset, limit)
    total = of.n_valid if status is None else of.n_of(status)
    n = min(limit, total - offset)
    if n <= 0:
        return [], total
    if total == of.n_valid:
        rows = await tx.fetch(PAGE, *key, offset, offset + n)
    elif offset <= total // 2:
        rows = await tx.fetch(PAGE_OF_STATUS, *key, status, offset, n)
    else:
        rows = (await tx.fetch(LAST_OF_STATUS, *key, status, total - offset - n, n))[::-1]
    return [_message(of.text, *row) for row in rows], total


# A message without a text of its own has its sending's, which is looked at once.
_MATCHES: Final = f"""
{_OF_SENDING}
   AND ($3::text IS NULL OR m.status = $3::text::message_status)
   AND (CASE WHEN m.search_text IS NOT NULL THEN strpos(m.search_text, $4) > 0
             ELSE (SELECT strpos(s.search_text, $4) > 0 FROM sendings s WHERE s.tenant_id = $1 AND s.id = $2) END
        OR strpos(m.recipient::text, $4) > 0)"""
COUNT_FOUND: Final = f"SELECT count(*) {_MATCHES}"
PAGE_FOUND: Final = f"{_ITEM} {_MATCHES} ORDER BY m.position OFFSET $5 LIMIT $6"


async def _found(
    tx: Tx, key: tuple[UUID, UUID], of: Sending, status: Status | None, search: str, offset: int, limit: int
) -> tuple[list[Message], int]:
    """A page of those that hold something; reads the whole sending, which has an end."""
    total = await tx.fetchval(COUNT_FOUND, *key, status, search)
    if offset >= total:
        return [], total
    rows = await tx.fetch(PAGE_FOUND, *key, status, search, offset, limit)
    return [_message(of.text, *row) for row in rows], total


def _message(
    its_sendings: str,
    position: int,
    recipient: int,
    text: str | None,
    status: str,
    network: str | None,
    refunded: bool,
) -> Message:
    text = its_sendings if text is None else text
    return Message(position, recipient, text, Status(status), network, refunded)
