"""Delivery receipts: what became of a message, in the many ways carriers say it.

In: a deliver_sm or data_sm. Out: a `Receipt`, or None where it is something else (a message from a handset). The
optional parameters receipted_message_id, message_state and network_error_code count before the text (5.3.2.12,
.35, .31). The text follows appendix B only roughly in the wild, so each of its fields is looked for by itself: it
may be missing, empty, elsewhere, in another case, with spaces, or end in NULs. What stands after `text:` is the
customer's and never mistaken for a field. Nothing here raises: what cannot be read is None, or an empty id.
"""

import re
from contextlib import suppress
from datetime import UTC, datetime
from enum import IntEnum
from functools import lru_cache
from typing import Final, NamedTuple

from smpp.pdu import DataSm, DeliverSm, Tag, Tlvs

ESM_TYPE: Final = 0x3C
ESM_RECEIPT: Final = 0x04
ESM_INTERMEDIATE: Final = 0x20
ESM_UDHI: Final = 0x40
UCS2: Final = 8


class State(IntEnum):
    """message_state (5.2.28), named as the text abbreviates it."""

    ENROUTE = 1
    DELIVRD = 2
    EXPIRED = 3
    DELETED = 4
    UNDELIV = 5
    ACCEPTD = 6
    UNKNOWN = 7
    REJECTD = 8


class Receipt(NamedTuple):
    """A receipt. `message_id`, `error`, `network` and `done` as the carrier wrote them; `raw` is its text.

    `message_id` is empty where there is none. `state` is None where the carrier's word is none of the standard's;
    `intermediate` receipts end nothing.
    """

    message_id: str
    state: State | None
    error: str | None
    network: str | None
    intermediate: bool
    raw: str
    done: str | None = None

    @property
    def done_at(self) -> datetime | None:
        """When the carrier was done, in its own time, whose zone nobody tells: to show and to compare, not to reckon
        with. None where it does not say so in YYMMDDhhmm, with or without seconds."""
        if self.done and self.done.isascii() and _DATE.fullmatch(self.done):
            with suppress(ValueError):
                return datetime.strptime(self.done.ljust(12, "0"), "%y%m%d%H%M%S").replace(tzinfo=UTC)
        return None


#: States by the beginning of their word: DELIVRD, DELIVERED and DELIVERD are all met.
_BEGINNINGS: Final = {state.name[:5]: state for state in State}
_STATES: Final = {int(state): state for state in State}
_TEXT: Final = re.compile(r"(?:^|[\s;,])text\s*:", re.IGNORECASE)
_PRINTABLE: Final = re.compile(rb"[ -~]+")
_DATE: Final = re.compile(r"\d{10}(?:\d{2})?")


def _field(name: str) -> "re.Pattern[str]":
    """A field's value: one word, which is not itself the name of the next field."""
    return re.compile(rf"(?:^|[\s;,\0]){name}\s*:\s*([^\s:;,\0]++)(?!\s*:)", re.IGNORECASE)


_ID: Final = _field("id")
_STAT: Final = _field("stat(?:us)?")
_ERR: Final = _field("err(?:or)?")
_DONE: Final = _field(r"done\s*date")


NETWORK_FIELDS: Final = ("network", "operator", "mccmnc")

#: A text exactly as appendix B has it, which most are: one look instead of one for each field. There is nothing else in
#: it, in particular no network.
_BY_THE_BOOK: Final = re.compile(
    r"id:([^\s:;,\0]++) sub:\d+ dlvrd:\d+ submit date:\d+ done date:(\d+) "
    r"stat:([A-Z]+) err:([0-9A-Fa-f]+) [Tt]ext:"
)


def parse(pdu: DeliverSm | DataSm, network_from: tuple[str, ...] | int = NETWORK_FIELDS) -> Receipt | None:
    """The receipt in a PDU; None when it is a message of somebody's.

    `network_from` names the fields of the text that hold the network, or is the tag of the optional parameter.
    """
    kind = pdu.esm_class & ESM_TYPE
    tlvs = pdu.tlvs
    looks_like_one = Tag.RECEIPTED_MESSAGE_ID in tlvs and Tag.MESSAGE_STATE in tlvs
    if kind not in (ESM_RECEIPT, ESM_INTERMEDIATE) and not looks_like_one:
        return None
    raw = _text_of(pdu)
    found = _BY_THE_BOOK.match(raw)
    if found and not tlvs and network_from in (NETWORK_FIELDS, ()):
        id_, done, word, error = found.groups()
        return Receipt(id_, _BEGINNINGS.get(word[:5]), error, None, kind == ESM_INTERMEDIATE, raw, done)
    return _parse_freely(raw, tlvs, network_from, intermediate=kind == ESM_INTERMEDIATE)


def _parse_freely(
    raw: str, tlvs: Tlvs, network_from: tuple[str, ...] | int, *, intermediate: bool
) -> Receipt:
    """Look for each field by itself."""
    text = _fields_of(raw)
    return Receipt(
        message_id=_string(tlvs.get(Tag.RECEIPTED_MESSAGE_ID)) or _found(_ID, text) or "",
        state=_state(tlvs, text),
        error=_network_error(tlvs) or _found(_ERR, text),
        network=_network(tlvs, text, network_from),
        intermediate=intermediate,
        raw=raw,
        done=_found(_DONE, text),
    )


def _text_of(pdu: DeliverSm | DataSm) -> str:
    """The text, without a user data header; a few carriers write receipts in UCS-2."""
    octets = getattr(pdu, "short_message", b"") or pdu.tlvs.get(Tag.MESSAGE_PAYLOAD, b"")
    if pdu.esm_class & ESM_UDHI and octets:
        octets = octets[1 + octets[0] :]
    if pdu.data_coding == UCS2 and b"\0" in octets:
        return octets.decode("utf-16-be", "replace").rstrip("\0")
    return octets.decode("latin-1").rstrip("\0")


def _fields_of(raw: str) -> str:
    """The part of the text where the carrier's fields stand: before `text:`, unless that comes first."""
    match = _TEXT.search(raw)
    head = raw[: match.start()] if match else raw
    return head if head.strip() else raw


def _string(value: bytes | None) -> str:
    return value.partition(b"\0")[0].decode("latin-1").strip() if value else ""


def _found(pattern: "re.Pattern[str]", text: str) -> str | None:
    match = pattern.search(text)
    return match[1] if match else None


def _state(tlvs: Tlvs, text: str) -> State | None:
    for octet in tlvs.get(Tag.MESSAGE_STATE, b""):  # one by the book; a NUL before or after it in the wild
        if octet in _STATES:
            return _STATES[octet]
    word = _found(_STAT, text) or ""
    if word.isascii() and word.isdigit():
        return _STATES.get(int(word)) if len(word) < 3 else None
    return _BEGINNINGS.get(word[:5].upper())


def _network_error(tlvs: Tlvs) -> str | None:
    """The error in network_error_code: an octet says which kind of network, two are its error."""
    value = tlvs.get(Tag.NETWORK_ERROR_CODE)
    return str(int.from_bytes(value[1:], "big")) if value and len(value) == 3 else None


def _network(tlvs: Tlvs, text: str, network_from: tuple[str, ...] | int) -> str | None:
    """The network, as the carrier writes it; a parameter that is no text in hexadecimal digits."""
    if isinstance(network_from, int):
        value = tlvs.get(network_from, b"").rstrip(b"\0")
        return (
            value.decode("ascii") if value.isascii() and _PRINTABLE.fullmatch(value) else value.hex()
        ) or None
    return _found(_any_of(network_from), text) if network_from else None


@lru_cache(maxsize=64)
def _any_of(names: tuple[str, ...]) -> "re.Pattern[str]":
    """One look for all of them: this is asked of every receipt."""
    return _field(f"(?:{'|'.join(map(re.escape, names))})")


def render(
    message_id: str, state: State, *, submitted: datetime, done: datetime, error: int = 0, text: str = ""
) -> bytes:
    """A receipt's text as appendix B has it."""
    delivered = state is State.DELIVRD
    return (
        f"id:{message_id} sub:001 dlvrd:{delivered:03d} submit date:{submitted.astimezone(UTC):%y%m%d%H%M} "
        f"done date:{done.astimezone(UTC):%y%m%d%H%M} stat:{state.name} err:{error:03d} text:{text[:20]}"
    ).encode("latin-1", "replace")


def tlvs(message_id: str, state: State) -> Tlvs:
    """The same as optional parameters (5.3.2.12 and .35)."""
    return {
        Tag.RECEIPTED_MESSAGE_ID: message_id.encode("latin-1") + b"\0",
        Tag.MESSAGE_STATE: bytes((state,)),
    }
