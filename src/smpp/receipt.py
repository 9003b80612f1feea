"""Delivery receipts: what became of a message, in the many ways carriers say it.

In: a deliver_sm or data_sm. Out: a `Receipt`, or None where it is something else (a message from a handset). The
optional parameters receipted_message_id, message_state and network_error_code count before the text (5.3.2.12,
.35, .31). The text follows appendix B only roughly in the wild, so each of its fields is looked for by itself: it
may be missing, elsewhere, in another case, with spaces, or end in NULs.
"""

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import IntEnum
from typing import Final

from smpp.pdu import DataSm, DeliverSm, Tag, Tlvs

ESM_TYPE: Final = 0x3C
ESM_RECEIPT: Final = 0x04
ESM_INTERMEDIATE: Final = 0x20


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


@dataclass(frozen=True, slots=True)
class Receipt:
    """A receipt. `message_id`, `error` and `network` as the carrier wrote them; `raw` is its text.

    `state` is None where the carrier's word is none of the standard's; `intermediate` receipts end nothing.
    """

    message_id: str
    state: State | None
    error: str | None
    network: str | None
    intermediate: bool
    raw: str


_LONGER: Final = {
    "DELIVERED": State.DELIVRD,
    "UNDELIVERABLE": State.UNDELIV,
    "ACCEPTED": State.ACCEPTD,
    "REJECTED": State.REJECTD,
}
_WORDS: Final = {state.name: state for state in State} | _LONGER


def _field(name: str) -> "re.Pattern[str]":
    return re.compile(rf"(?:^|[\s;,]){name}\s*:\s*([^\s:;,]+)", re.IGNORECASE)


_ID: Final = _field("id")
_STAT: Final = _field("stat(?:us)?")
_ERR: Final = _field("err(?:or)?")


def parse(pdu: DeliverSm | DataSm) -> Receipt | None:
    """The receipt in a PDU; None when it is a message of somebody's."""
    kind = pdu.esm_class & ESM_TYPE
    tlvs = pdu.tlvs
    looks_like_one = Tag.RECEIPTED_MESSAGE_ID in tlvs and Tag.MESSAGE_STATE in tlvs
    if kind not in (ESM_RECEIPT, ESM_INTERMEDIATE) and not looks_like_one:
        return None
    text = _text_of(pdu)
    error, network = _network_error(tlvs)
    return Receipt(
        message_id=_string(tlvs.get(Tag.RECEIPTED_MESSAGE_ID)) or _found(_ID, text) or "",
        state=_state(tlvs, text),
        error=error or _found(_ERR, text),
        network=network,
        intermediate=kind == ESM_INTERMEDIATE,
        raw=text,
    )


def _text_of(pdu: DeliverSm | DataSm) -> str:
    octets = getattr(pdu, "short_message", b"") or pdu.tlvs.get(Tag.MESSAGE_PAYLOAD, b"")
    return octets.decode("latin-1").rstrip("\0")


def _string(value: bytes | None) -> str:
    return value.partition(b"\0")[0].decode("latin-1").strip() if value else ""


def _found(pattern: "re.Pattern[str]", text: str) -> str | None:
    match = pattern.search(text)
    return match[1].strip("\0") if match else None


def _state(tlvs: Tlvs, text: str) -> State | None:
    value = tlvs.get(Tag.MESSAGE_STATE)
    if value and value[-1] in State._value2member_map_:
        return State(value[-1])
    word = _found(_STAT, text)
    return _WORDS.get(word.upper()) if word else None


def _network_error(tlvs: Tlvs) -> tuple[str | None, str | None]:
    """(error, network) from network_error_code: an octet of network type and two of error."""
    value = tlvs.get(Tag.NETWORK_ERROR_CODE)
    if value is None or len(value) != 3:
        return None, None
    return str(int.from_bytes(value[1:], "big")), None


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
    """The same as optional parameters."""
    return {
        Tag.RECEIPTED_MESSAGE_ID: message_id.encode("latin-1") + b"\0",
        Tag.MESSAGE_STATE: bytes((state,)),
    }
