"""Traced: a sending's way as spans, from acceptance over the submits to the ends of its messages.

The trace's id is the sending's, and a span's follows from what it is about: the message's position, the carrier. So
spans of several processes and machines come together as one trace, and nothing had to be stored or handed on for it.
Which sendings are traced follows from their ids too: all processes choose the same. Of a long one it is the first
messages.

In: what happened, once it is certain. Out: spans (`base.traces`), with ids, codes and counts, never with a number or a
text.
"""

from collections.abc import Iterable
from datetime import UTC, datetime
from hashlib import blake2b
from typing import Final
from uuid import UUID

from ulak.base import traces
from ulak.base.traces import Span
from ulak.rules import ids
from ulak.rules.status import Status
from ulak.store.messages import End, Key

MESSAGES_MAX: Final = 100
_CHANCES: Final = 1 << 16
#: A sending's id is random in here; what is below stands for its messages.
_RANDOM_FROM_BIT: Final = 20

_share = 1.0


def choose(share: float) -> None:
    """Trace this share of the sendings from now on."""
    global _share
    _share = share


def traced(sending_id: UUID, position: int = 0) -> bool:
    """Whether there are to be spans of this message."""
    if not traces.on() or position >= MESSAGES_MAX:
        return False
    return (sending_id.int >> _RANDOM_FROM_BIT) % _CHANCES < _share * _CHANCES


def accepted(sending_id: UUID, started: datetime, *, n_messages: int, source: str, request: str) -> None:
    """A sending was accepted, charged and written."""
    if traced(sending_id):
        attributes: dict[str, str | int] = {
            "ulak.messages": n_messages,
            "ulak.source": source,
            "ulak.request": request,
        }
        at = datetime.now(UTC)
        traces.add(
            Span("accept", sending_id, _id(sending_id, "accept"), None, min(started, at), at, attributes)
        )


def submitted(key: Key, carrier_id: int, started: datetime, *, status: int, n_parts: int) -> None:
    """A carrier has answered the last part of a message, with this status."""
    _, sending_id, position = key
    if traced(sending_id, position):
        attributes = _about(key, carrier_id) | {
            "ulak.command_status": f"0x{status:02X}",
            "ulak.parts": n_parts,
        }
        id_, parent = _id(sending_id, "submit", position, carrier_id), _id(sending_id, "accept")
        at = datetime.now(UTC)
        traces.add(Span("submit", sending_id, id_, parent, started, at, attributes, failed=status != 0))


def ended(ends: Iterable[End], carrier_id: int, started: datetime) -> None:
    """Messages ended at a carrier, and that is written down."""
    if not traces.on():
        return
    at = datetime.now(UTC)
    for end in ends:
        if traced(end.sending_id, end.position):
            id_ = _id(end.sending_id, f"end {end.parts}", end.position, carrier_id)
            parent = _id(end.sending_id, "submit", end.position, carrier_id)
            attributes = _about(end.key, carrier_id) | {"ulak.status": str(end.status)}
            failed = end.status is not Status.SENT
            traces.add(Span("receipt", end.sending_id, id_, parent, started, at, attributes, failed))


def _about(key: Key, carrier_id: int) -> dict[str, str | int]:
    return {"ulak.message": str(ids.message_id(key.sending_id, key.position)), "ulak.carrier": carrier_id}


def _id(sending_id: UUID, what: str, position: int = 0, carrier_id: int = 0) -> int:
    """A span's id: 64 bits that follow from what it is about."""
    about = b"%s %s %d %d" % (sending_id.bytes, what.encode(), position, carrier_id)
    return int.from_bytes(blake2b(about, digest_size=8).digest(), "big") or 1
