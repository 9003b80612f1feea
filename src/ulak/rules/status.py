"""The life of a message as a state machine: what it can be, and what it can become.

    pending ──► waiting ──► sent · not_sent · no_signal
        └────────────────► sent · not_sent · no_signal

Final statuses absorb: nothing leads out of them, so a second receipt changes nothing. Which word of a carrier
leads to which status is said in `outcome`.
"""

from enum import StrEnum
from typing import Final


class Status(StrEnum):
    """Where a message stands; the values are the contract's, and those of `message_status` in the schema."""

    PENDING = "pending"
    """Accepted and paid, not yet taken by a carrier."""
    WAITING = "waiting"
    """A carrier took it; no final receipt yet."""
    SENT = "sent"
    """Delivered to the handset."""
    NOT_SENT = "not_sent"
    """Refused, rejected or undeliverable."""
    NO_SIGNAL = "no_signal"
    """The handset could not be reached before the validity period ended."""


OPEN: Final = frozenset({Status.PENDING, Status.WAITING})
"""Something is still to come."""

FINAL: Final = frozenset({Status.SENT, Status.NOT_SENT, Status.NO_SIGNAL})
"""The end; never changes again."""

_NEXT: Final = {Status.PENDING: FINAL | {Status.WAITING}, Status.WAITING: FINAL}


def can_move(a: Status, b: Status) -> bool:
    """Whether a message that is `a` may become `b`. Staying what it is is not a move."""
    return b in _NEXT.get(a, frozenset())
