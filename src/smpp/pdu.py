"""The nouns of SMPP 3.4: commands, statuses, optional parameters, and one table of fields for all PDUs.

A PDU class holds what stands in its body; length, command_status and sequence_number belong to the header and are
handed along beside it. `FIELDS` says in which order and form the fields stand on the wire, and both directions
of the codec are made from it. Section numbers are those of "SMPP Protocol Specification v3.4", issue 1.2.
"""

from dataclasses import dataclass, field
from enum import IntEnum
from typing import ClassVar, Final

RESPONSE: Final = 0x80000000


class Command(IntEnum):
    """command_id (5.1.2.1); a response has the highest bit set."""

    BIND_RECEIVER = 0x01
    BIND_TRANSMITTER = 0x02
    QUERY_SM = 0x03
    SUBMIT_SM = 0x04
    DELIVER_SM = 0x05
    UNBIND = 0x06
    REPLACE_SM = 0x07
    CANCEL_SM = 0x08
    BIND_TRANSCEIVER = 0x09
    OUTBIND = 0x0B
    ENQUIRE_LINK = 0x15
    SUBMIT_MULTI = 0x21
    ALERT_NOTIFICATION = 0x102
    DATA_SM = 0x103
    GENERIC_NACK = 0x80000000
    BIND_RECEIVER_RESP = 0x80000001
    BIND_TRANSMITTER_RESP = 0x80000002
    QUERY_SM_RESP = 0x80000003
    SUBMIT_SM_RESP = 0x80000004
    DELIVER_SM_RESP = 0x80000005
    UNBIND_RESP = 0x80000006
    REPLACE_SM_RESP = 0x80000007
    CANCEL_SM_RESP = 0x80000008
    BIND_TRANSCEIVER_RESP = 0x80000009
    ENQUIRE_LINK_RESP = 0x80000015
    SUBMIT_MULTI_RESP = 0x80000021
    DATA_SM_RESP = 0x80000103


class Status(IntEnum):
    """command_status (5.1.3), those the code speaks of by name."""

    ROK = 0x00
    RINVMSGLEN = 0x01
    RINVCMDLEN = 0x02
    RINVCMDID = 0x03
    RINVBNDSTS = 0x04
    RALYBND = 0x05
    RSYSERR = 0x08
    RINVSRCADR = 0x0A
    RINVDSTADR = 0x0B
    RBINDFAIL = 0x0D
    RINVPASWD = 0x0E
    RINVSYSID = 0x0F
    RMSGQFUL = 0x14
    RSUBMITFAIL = 0x45
    RTHROTTLED = 0x58
    RX_T_APPN = 0x64
    RX_P_APPN = 0x65
    RX_R_APPN = 0x66
    ROPTPARNOTALLWD = 0xC1
    RDELIVERYFAILURE = 0xFE
    RUNKNOWNERR = 0xFF


#: Every command_status of table 5-2 in words, for people who read logs.
STATUS_WORDS: Final[dict[int, str]] = {
    0x00: "no error",
    0x01: "message length is invalid",
    0x02: "command length is invalid",
    0x03: "invalid command id",
    0x04: "incorrect bind status for the command",
    0x05: "already bound",
    0x06: "invalid priority flag",
    0x07: "invalid registered delivery flag",
    0x08: "system error",
    0x0A: "invalid source address",
    0x0B: "invalid destination address",
    0x0C: "message id is invalid",
    0x0D: "bind failed",
    0x0E: "invalid password",
    0x0F: "invalid system id",
    0x11: "cancel failed",
    0x13: "replace failed",
    0x14: "message queue full",
    0x15: "invalid service type",
    0x33: "invalid number of destinations",
    0x34: "invalid distribution list name",
    0x40: "destination flag is invalid",
    0x42: "invalid submit with replace",
    0x43: "invalid esm_class",
    0x44: "cannot submit to the distribution list",
    0x45: "submit failed",
    0x48: "invalid source address TON",
    0x49: "invalid source address NPI",
    0x50: "invalid destination address TON",
    0x51: "invalid destination address NPI",
    0x53: "invalid system type",
    0x54: "invalid replace_if_present flag",
    0x55: "invalid number of messages",
    0x58: "throttled: above the message limit",
    0x61: "invalid scheduled delivery time",
    0x62: "invalid validity period",
    0x63: "predefined message not found",
    0x64: "receiver: temporary error",
    0x65: "receiver: permanent error",
    0x66: "receiver: rejected",
    0x67: "query failed",
    0xC0: "error in the optional parameters",
    0xC1: "optional parameter not allowed",
    0xC2: "invalid parameter length",
    0xC3: "expected optional parameter missing",
    0xC4: "invalid optional parameter value",
    0xFE: "delivery failed",
    0xFF: "unknown error",
}

VENDORS_OWN: Final = range(0x400, 0x500)


def words(status: int) -> str:
    """A command_status as people read it: `0x58 throttled: above the message limit`."""
    meaning = STATUS_WORDS.get(status) or ("the carrier's own" if status >= 0x400 else "reserved")
    return f"0x{status:02X} {meaning}"


class Tag(IntEnum):
    """Optional parameters (5.3.2), those the code speaks of by name."""

    NETWORK_ERROR_CODE = 0x0423
    MESSAGE_PAYLOAD = 0x0424
    MESSAGE_STATE = 0x0427
    RECEIPTED_MESSAGE_ID = 0x001E
    SAR_MSG_REF_NUM = 0x020C
    SAR_TOTAL_SEGMENTS = 0x020E
    SAR_SEGMENT_SEQNUM = 0x020F
    SC_INTERFACE_VERSION = 0x0210


#: Optional parameters as tag → value, in the order of the wire. An unknown tag is kept as it is.
Tlvs = dict[int, bytes]


@dataclass(slots=True)
class Pdu:
    """A PDU without a body, and what the others have in common."""

    command: ClassVar[Command]


@dataclass(slots=True)
class GenericNack(Pdu):
    """4.3.1: an answer to what could not be understood."""

    command: ClassVar[Command] = Command.GENERIC_NACK


@dataclass(slots=True)
class Unbind(Pdu):
    """4.2.1."""

    command: ClassVar[Command] = Command.UNBIND


@dataclass(slots=True)
class UnbindResp(Pdu):
    """4.2.2."""

    command: ClassVar[Command] = Command.UNBIND_RESP


@dataclass(slots=True)
class EnquireLink(Pdu):
    """4.11.1: are you there?"""

    command: ClassVar[Command] = Command.ENQUIRE_LINK


@dataclass(slots=True)
class EnquireLinkResp(Pdu):
    """4.11.2: I am."""

    command: ClassVar[Command] = Command.ENQUIRE_LINK_RESP


@dataclass(slots=True)
class _Bind(Pdu):
    system_id: str = ""
    password: str = field(default="", repr=False)
    system_type: str = ""
    interface_version: int = 0x34
    addr_ton: int = 0
    addr_npi: int = 0
    address_range: str = ""


@dataclass(slots=True)
class BindTransmitter(_Bind):
    """4.1.1."""

    command: ClassVar[Command] = Command.BIND_TRANSMITTER


@dataclass(slots=True)
class BindReceiver(_Bind):
    """4.1.3."""

    command: ClassVar[Command] = Command.BIND_RECEIVER


@dataclass(slots=True)
class BindTransceiver(_Bind):
    """4.1.5."""

    command: ClassVar[Command] = Command.BIND_TRANSCEIVER


@dataclass(slots=True)
class _BindResp(Pdu):
    system_id: str = ""
    tlvs: Tlvs = field(default_factory=dict)


@dataclass(slots=True)
class BindTransmitterResp(_BindResp):
    """4.1.2."""

    command: ClassVar[Command] = Command.BIND_TRANSMITTER_RESP


@dataclass(slots=True)
class BindReceiverResp(_BindResp):
    """4.1.4."""

    command: ClassVar[Command] = Command.BIND_RECEIVER_RESP


@dataclass(slots=True)
class BindTransceiverResp(_BindResp):
    """4.1.6."""

    command: ClassVar[Command] = Command.BIND_TRANSCEIVER_RESP


@dataclass(slots=True)
class _Message(Pdu):
    service_type: str = ""
    source_addr_ton: int = 0
    source_addr_npi: int = 0
    source_addr: str = ""
    dest_addr_ton: int = 0
    dest_addr_npi: int = 0
    destination_addr: str = ""
    esm_class: int = 0
    protocol_id: int = 0
    priority_flag: int = 0
    schedule_delivery_time: str = ""
    validity_period: str = ""
    registered_delivery: int = 0
    replace_if_present_flag: int = 0
    data_coding: int = 0
    sm_default_msg_id: int = 0
    short_message: bytes = b""
    tlvs: Tlvs = field(default_factory=dict)


@dataclass(slots=True)
class SubmitSm(_Message):
    """4.4.1: please deliver this."""

    command: ClassVar[Command] = Command.SUBMIT_SM


@dataclass(slots=True)
class DeliverSm(_Message):
    """4.6.1: a message or a receipt for you."""

    command: ClassVar[Command] = Command.DELIVER_SM


@dataclass(slots=True)
class _MessageResp(Pdu):
    message_id: str = ""
    tlvs: Tlvs = field(default_factory=dict)


@dataclass(slots=True)
class SubmitSmResp(_MessageResp):
    """4.4.2."""

    command: ClassVar[Command] = Command.SUBMIT_SM_RESP


@dataclass(slots=True)
class DeliverSmResp(_MessageResp):
    """4.6.2: message_id is unused and empty."""

    command: ClassVar[Command] = Command.DELIVER_SM_RESP


@dataclass(slots=True)
class DataSm(Pdu):
    """4.7.1: a message whose text is an optional parameter."""

    service_type: str = ""
    source_addr_ton: int = 0
    source_addr_npi: int = 0
    source_addr: str = ""
    dest_addr_ton: int = 0
    dest_addr_npi: int = 0
    destination_addr: str = ""
    esm_class: int = 0
    registered_delivery: int = 0
    data_coding: int = 0
    tlvs: Tlvs = field(default_factory=dict)
    command: ClassVar[Command] = Command.DATA_SM


@dataclass(slots=True)
class DataSmResp(_MessageResp):
    """4.7.2."""

    command: ClassVar[Command] = Command.DATA_SM_RESP


@dataclass(slots=True)
class Outbind(Pdu):
    """4.1.7: please bind to me. Nothing answers it but a bind."""

    system_id: str = ""
    password: str = field(default="", repr=False)
    command: ClassVar[Command] = Command.OUTBIND


@dataclass(slots=True)
class AlertNotification(Pdu):
    """4.12.1: a handset can be reached again. Nothing answers it."""

    source_addr_ton: int = 0
    source_addr_npi: int = 0
    source_addr: str = ""
    esme_addr_ton: int = 0
    esme_addr_npi: int = 0
    esme_addr: str = ""
    tlvs: Tlvs = field(default_factory=dict)
    command: ClassVar[Command] = Command.ALERT_NOTIFICATION


# The one table: (field, form, most octets on the wire, the ending NUL included). Forms: "octet" one unsigned octet;
# "string" a C-octet string; "message" sm_length and so many octets. A table that ends with TLVS may be followed
# by optional parameters.
Table = tuple[tuple[str, str, int], ...]

TLVS: Final = ("tlvs", "tlvs", 0)

_BIND: Final[Table] = (
    ("system_id", "string", 16),
    ("password", "string", 9),
    ("system_type", "string", 13),
    ("interface_version", "octet", 1),
    ("addr_ton", "octet", 1),
    ("addr_npi", "octet", 1),
    ("address_range", "string", 41),
)
_BIND_RESP: Final[Table] = (("system_id", "string", 16), TLVS)


def _addresses(octets_max: int) -> Table:
    """How submit_sm, deliver_sm and data_sm begin; only data_sm has room for long addresses."""
    return (
        ("service_type", "string", 6),
        ("source_addr_ton", "octet", 1),
        ("source_addr_npi", "octet", 1),
        ("source_addr", "string", octets_max),
        ("dest_addr_ton", "octet", 1),
        ("dest_addr_npi", "octet", 1),
        ("destination_addr", "string", octets_max),
        ("esm_class", "octet", 1),
    )


_MESSAGE: Final[Table] = (
    *_addresses(21),
    ("protocol_id", "octet", 1),
    ("priority_flag", "octet", 1),
    ("schedule_delivery_time", "string", 17),
    ("validity_period", "string", 17),
    ("registered_delivery", "octet", 1),
    ("replace_if_present_flag", "octet", 1),
    ("data_coding", "octet", 1),
    ("sm_default_msg_id", "octet", 1),
    ("short_message", "message", 255),
    TLVS,
)
_DATA: Final[Table] = (
    *_addresses(65),
    ("registered_delivery", "octet", 1),
    ("data_coding", "octet", 1),
    TLVS,
)
_OUTBIND: Final[Table] = (("system_id", "string", 16), ("password", "string", 9))
_ALERT: Final[Table] = (
    ("source_addr_ton", "octet", 1),
    ("source_addr_npi", "octet", 1),
    ("source_addr", "string", 65),
    ("esme_addr_ton", "octet", 1),
    ("esme_addr_npi", "octet", 1),
    ("esme_addr", "string", 65),
    TLVS,
)
_MESSAGE_RESP: Final[Table] = (("message_id", "string", 65), TLVS)

FIELDS: Final[dict[type[Pdu], Table]] = {
    GenericNack: (),
    Unbind: (),
    UnbindResp: (),
    EnquireLink: (),
    EnquireLinkResp: (),
    BindTransmitter: _BIND,
    BindReceiver: _BIND,
    BindTransceiver: _BIND,
    BindTransmitterResp: _BIND_RESP,
    BindReceiverResp: _BIND_RESP,
    BindTransceiverResp: _BIND_RESP,
    SubmitSm: _MESSAGE,
    SubmitSmResp: _MESSAGE_RESP,
    DeliverSm: _MESSAGE,
    DeliverSmResp: _MESSAGE_RESP,
    DataSm: _DATA,
    DataSmResp: _MESSAGE_RESP,
    Outbind: _OUTBIND,
    AlertNotification: _ALERT,
}
