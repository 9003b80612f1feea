"""Translating: a message of ours as the PDU that carries it, and what a carrier says in our words.

In: an item of the outbox, or what `smpp` has read. Out: a submit_sm, or a receipt. Pure.
"""

from datetime import datetime
from functools import lru_cache
from typing import Final

import smpp.receipt
from smpp.pdu import STATUS_WORDS, VENDORS_OWN, SubmitSm, Tag, Tlvs
from ulak.edge.carrier.outbox import Item
from ulak.flow.pulse import OTHER
from ulak.rules import outcome, segments, sender
from ulak.rules.refs import RefForm
from ulak.store.receipts import Receipt

SHORT_MESSAGE_MAX: Final = 254
REF_CHARACTERS_MAX: Final = 200
"""Of a carrier's id, which SMPP gives 64: it is looked up, and an index takes no more than some 2,700 octets."""
RAW_CHARACTERS_MAX: Final = 2_000
FIELD_CHARACTERS_MAX: Final = 64
STATUS_MAX: Final = 0x7FFF_FFFF


def submit_sm(item: Item, part: int) -> SubmitSm:
    """One part as the PDU that carries it, with a receipt asked for."""
    its = item.parts[part]
    source_ton, source_npi, source = sender.address(item.run.sender)
    text = its.udh + its.payload
    in_payload = its.whole or len(text) > SHORT_MESSAGE_MAX
    return SubmitSm(
        source_addr_ton=source_ton,
        source_addr_npi=source_npi,
        source_addr=source,
        dest_addr_ton=1,
        dest_addr_npi=1,
        destination_addr=str(item.due.recipient),
        esm_class=0x40 if its.udh else 0,
        validity_period=_absolute(item.run.expires_at),
        registered_delivery=1,
        data_coding=item.data_coding,
        short_message=b"" if in_payload else text,
        tlvs=({Tag.MESSAGE_PAYLOAD: text} if in_payload else {}) | _numbering(its.sar),
    )


@lru_cache(maxsize=1024)
def _absolute(at: datetime) -> str:
    """A time as SMPP writes it (7.1.1.1), in UTC; the same for all messages of a run."""
    return f"{at:%y%m%d%H%M%S}000+"


def _numbering(sar: segments.Sar | None) -> Tlvs:
    """A part's numbering as parameters (SMPP 3.4, 5.3.2.22 to .24)."""
    if sar is None:
        return {}
    return {
        Tag.SAR_MSG_REF_NUM: sar.reference.to_bytes(2, "big"),
        Tag.SAR_TOTAL_SEGMENTS: bytes((sar.total,)),
        Tag.SAR_SEGMENT_SEQNUM: bytes((sar.number,)),
    }


def receipt(parsed: smpp.receipt.Receipt, refs: RefForm) -> Receipt:
    """A carrier's receipt in our words."""
    state, id_ = parsed.state.name if parsed.state else None, ref(parsed.message_id)
    return Receipt(
        ref=refs.of_receipt(id_),
        status=None if parsed.intermediate else outcome.from_receipt(state, parsed.error),
        error=clean(parsed.error, FIELD_CHARACTERS_MAX) if parsed.error else None,
        network=clean(parsed.network, FIELD_CHARACTERS_MAX) if parsed.network else None,
        raw=clean(parsed.raw, RAW_CHARACTERS_MAX) or f"(parameters) id:{id_} stat:{state}",
    )


def ref(message_id: str) -> str:
    """A carrier's id of a part as it can be kept and looked up: the same of an answer and of a receipt."""
    return clean(message_id, REF_CHARACTERS_MAX)


def clean(text: str, characters_max: int) -> str:
    """What a carrier sent, fit for the database: no NUL, nothing that is no character, and no more than so much."""
    text = text[:characters_max]
    if text.isascii() and "\0" not in text:
        return text
    return text.replace("\0", "").encode("utf-8", "replace").decode()


def status(command_status: int) -> int:
    """A command_status as it can be kept: SMPP has 32 bits for them and uses ten."""
    return min(command_status, STATUS_MAX)


def label(command_status: int, meanings: outcome.Meanings) -> str:
    """What an answer is counted under: itself where the standard, a vendor or the operator has a meaning for it."""
    known = command_status in STATUS_WORDS or command_status in VENDORS_OWN or command_status in meanings
    return f"0x{command_status:02X}" if known else OTHER
