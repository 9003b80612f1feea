"""PDUs to octets and back, made once from the table of fields in `pdu`.

Encoding is strict: what does not fit its field is a `ValueError`, because it would be our own mistake. Decoding is
as tolerant as carriers make one be: a response may leave its body out, a string may miss its last NUL at the end
of the body, strings may be longer than the book says, optional parameters that do not add up are dropped. What
cannot be read at all comes back as a `Garbage` value; nothing that arrives is an exception, and nothing makes the
decoder read or keep more than `PDU_OCTETS_MAX`.
"""

import struct
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from smpp.pdu import FIELDS, RESPONSE, Command, Pdu, Status, Table, Tlvs

HEADER: Final = struct.Struct(">IIII")
PDU_OCTETS_MAX: Final = 0x11000  # a message_payload of 64 KiB and room for the rest

_TLV: Final = struct.Struct(">HH")
_TAG_MIN: Final = 0x0005  # dest_addr_subunit, the lowest of table 5-7


@dataclass(frozen=True, slots=True)
class Frame:
    """A whole PDU as it stands in the stream: the header's fields and the body, not read yet."""

    command_id: int
    status: int
    sequence: int
    body: bytes


@dataclass(frozen=True, slots=True)
class Garbage:
    """What could not be understood: the status to answer it with, and whether the stream itself is lost."""

    status: Status
    sequence: int
    reason: str
    fatal: bool = False


class Framer:
    """Cuts a stream of octets into frames, whatever pieces it arrives in."""

    def __init__(self, octets_max: int = PDU_OCTETS_MAX) -> None:
        self._octets_max = octets_max
        self._buffer = bytearray()
        self._lost = False

    def feed(self, data: bytes) -> list[Frame | Garbage]:
        """The frames that are complete now. After a fatal `Garbage` everything else is ignored."""
        if self._lost:
            return []
        self._buffer += data
        buffer, at, end = self._buffer, 0, len(self._buffer)
        found: list[Frame | Garbage] = []
        while end - at >= 16:
            length, command_id, status, sequence = HEADER.unpack_from(buffer, at)
            if not 16 <= length <= self._octets_max:
                found.append(Garbage(Status.RINVCMDLEN, sequence, f"a PDU of {length} octets", fatal=True))
                self._lost = True
                self._buffer.clear()
                return found
            if end - at < length:
                break
            found.append(Frame(command_id, status, sequence, bytes(buffer[at + 16 : at + length])))
            at += length
        del buffer[:at]
        return found


Encoder = Callable[[Any], bytes]
Decoder = Callable[[bytes], Pdu]


def encode(pdu: Pdu, sequence: int, status: int = 0) -> bytes:
    """A PDU as it goes on the wire. A response that refuses has no body (SMPP 3.4, 4.4.2 and others)."""
    command = pdu.command
    body = b"" if status and command & RESPONSE else _ENCODERS[type(pdu)](pdu)
    return HEADER.pack(16 + len(body), command, status, sequence) + body


def decode(frame: Frame) -> Pdu | Garbage:
    """The PDU in a frame."""
    decoder = _DECODERS.get(frame.command_id)
    if decoder is None:
        return Garbage(Status.RINVCMDID, frame.sequence, f"command_id 0x{frame.command_id:08X}")
    try:
        return decoder(frame.body)
    except (IndexError, ValueError) as error:
        name = Command(frame.command_id).name.lower()
        return Garbage(Status.RINVCMDLEN, frame.sequence, f"{name}: {error}")


def _text(value: str, octets_max: int, name: str) -> bytes:
    """A C-octet string without its NUL."""
    octets = value.encode("latin-1", "strict")
    if len(octets) >= octets_max or b"\0" in octets:
        raise ValueError(f"{name} takes {octets_max - 1} octets without NUL")
    return octets


def _sized(value: bytes, octets_max: int, name: str) -> bytes:
    """Octets after one that says how many."""
    if len(value) >= octets_max:
        raise ValueError(f"{name} takes {octets_max - 1} octets; more go into message_payload")
    return bytes((len(value),)) + value


def _write_tlvs(tlvs: Tlvs) -> bytes:
    try:
        return b"".join(_TLV.pack(tag, len(value)) + value for tag, value in tlvs.items()) if tlvs else b""
    except struct.error as error:
        raise ValueError("an optional parameter takes 65535 octets, under a tag of two") from error


def _read_tlvs(body: bytes, at: int) -> Tlvs:
    """The optional parameters from here to the end; of one that does not fit, nothing and no more.

    Some carriers put a NUL of their own before the first: no tag is below `_TAG_MIN`, so such an octet is skipped.
    """
    tlvs: Tlvs = {}
    while len(body) - at >= 4:
        tag, length = _TLV.unpack_from(body, at)
        if tag < _TAG_MIN:
            at += 1
            continue
        at += 4
        if length > len(body) - at:
            break
        tlvs[tag] = body[at : at + length]
        at += length
    return tlvs


def _read_string(body: bytes, at: int) -> tuple[str, int]:
    """A C-octet string and where it ends; at the end of the body the NUL may be missing."""
    if at > len(body):
        raise ValueError("it ends too early")
    end = body.find(b"\0", at)
    if end < 0:
        return body[at:].decode("latin-1"), len(body)
    return body[at:end].decode("latin-1"), end + 1


# Both directions are written out as source from the table, once: a loop over the table for every PDU costs three
# times as much.


def _made(name: str, lines: list[str], names: dict[str, Any]) -> Any:
    source = "\n    ".join([f"def {name}:", *lines])
    exec(compile(source, f"<smpp {name}>", "exec"), names)  # noqa: S102 - the source is ours, from the table above
    return names[name.partition("(")[0]]


def _encoder(kind: type[Pdu], table: Table) -> Encoder:
    pieces: list[str] = []
    octets: list[str] = []

    def flush() -> None:
        if octets:
            pieces.append(f"bytes(({', '.join(octets)},))")
            octets.clear()

    for name, form, octets_max in table:
        if form == "octet":
            octets.append(f"p.{name}")
            continue
        flush()
        if form == "string":
            pieces.append(f"(text(p.{name}, {octets_max}, {name!r}) if p.{name} else b'') + b'\\0'")
        elif form == "message":
            pieces.append(f"sized(p.{name}, {octets_max}, {name!r})")
        else:
            pieces.append(f"write_tlvs(p.{name})")
    flush()
    made: Encoder = _made(
        "encode_body(p)",
        [f"return b''.join(({', '.join(pieces)},))" if pieces else "return b''"],
        {"text": _text, "sized": _sized, "write_tlvs": _write_tlvs},
    )
    return made


def _decoder(kind: type[Pdu], table: Table) -> Decoder:
    lines = ["at, end = 0, len(body)"]
    is_response = bool(kind.command & RESPONSE)
    values: list[str] = []
    for name, form, _ in table:
        if is_response and form == "string":
            lines.append(f"if at >= end: return kind({', '.join(values)})")
        if form == "octet":
            lines += [f"{name} = body[at]", "at += 1"]
        elif form == "string":
            lines.append(f"{name}, at = read_string(body, at)")
        elif form == "message":
            lines += [
                "size = body[at]",
                f"{name} = body[at + 1:at + 1 + size]",
                f"if len({name}) < size: raise ValueError('it ends too early')",
                "at += 1 + size",
            ]
        else:
            lines.append(f"{name} = read_tlvs(body, at) if at < end else {{}}")
        values.append(name)
    lines.append(f"return kind({', '.join(values)})")
    names = {"kind": kind, "read_string": _read_string, "read_tlvs": _read_tlvs}
    made: Decoder = _made("decode_body(body)", lines, names)
    return made


_ENCODERS: Final[dict[type[Pdu], Encoder]] = {kind: _encoder(kind, table) for kind, table in FIELDS.items()}
_DECODERS: Final[dict[int, Decoder]] = {
    int(kind.command): _decoder(kind, table) for kind, table in FIELDS.items()
}
