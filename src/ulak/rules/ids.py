"""Ids: time-ordered UUIDs of version 7 (RFC 9562), and how a message's id follows from its sending's.

A message keeps no id on disk. A sending's id reserves its lowest 20 bits: no other sending shares the upper 108,
and a message's id is its sending's with (position + 1) XORed into the lowest 20. So a million messages cost no
column and no index, a message's id alone says in which `span` its sending is found, and no message is ever
called what its sending is called.

    unix time, ms (48) · version (4) · random (12) · variant (2) · random (42) · reserved: random (20)
"""

import os
import time
from typing import Final
from uuid import UUID

_RESERVED_BITS: Final = 20
_RESERVED: Final = (1 << _RESERVED_BITS) - 1

POSITION_MAX: Final = _RESERVED
"""Positions within a sending are 0 up to, not including, this."""

_VERSION_AND_VARIANT: Final = 0x7 << 76 | 0b10 << 62
_RANDOM: Final = 0xFFF << 64 | (1 << 62) - 1


def new_id(now_ms: int | None = None) -> UUID:
    """A new id that sorts after those of earlier milliseconds; `now_ms` is Unix time in milliseconds.

    Two ids of one millisecond differ in 74 random bits (54 outside the reserved ones) and sort in any order.
    """
    milliseconds = time.time_ns() // 1_000_000 if now_ms is None else now_ms
    random = int.from_bytes(os.urandom(10), "big")
    return UUID(int=milliseconds << 80 | random & _RANDOM | _VERSION_AND_VARIANT)


def first_id(ms: int) -> UUID:
    """What no id of this Unix millisecond, or a later one, sorts before, and every earlier one does."""
    return UUID(int=ms << 80)


def milliseconds_of(id_: UUID) -> int:
    """The Unix millisecond an id was made in."""
    return id_.int >> 80


def message_id(sending: UUID, position: int) -> UUID:
    """The id of the message at a position of a sending; `ValueError` for a position outside 0…POSITION_MAX - 1."""
    if not 0 <= position < POSITION_MAX:
        raise ValueError(f"a message's position is 0 to {POSITION_MAX - 1}, not {position}")
    return UUID(int=sending.int ^ position + 1)


def position_of(sending: UUID, message: UUID) -> int | None:
    """At which position of this sending a message is; None when it is not one of its messages."""
    difference = sending.int ^ message.int
    return difference - 1 if 1 <= difference <= POSITION_MAX else None


def span(message: UUID) -> tuple[UUID, UUID]:
    """The lowest and the highest id between which, both included, the id of a message's sending lies."""
    return UUID(int=message.int & ~_RESERVED), UUID(int=message.int | _RESERVED)


def stem(sending: UUID) -> tuple[str, int]:
    """What the written ids of a sending's messages share, and the number that tells them apart.

    For whoever writes a million of them: `f"{text}{number ^ position + 1:05x}"` is the id at a position, as
    `str(message_id(sending, position))` would be, without making a UUID first.
    """
    return str(sending)[: -_RESERVED_BITS // 4], sending.int & _RESERVED
