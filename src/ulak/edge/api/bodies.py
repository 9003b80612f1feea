"""Request bodies: bytes to typed values, once, with every field at fault named.

The quick way decodes straight into a struct. Only when that fails, or a text is not fit to send, the body is
read again leniently and looked at field by field, because the quick decoder stops at the first fault and the
contract wants them all; one with more values than a body of ours can have is refused whole. A long body is decoded
in a thread. Numbers are not judged here: what can be sent to depends on the service.
"""

import asyncio
import json
from collections.abc import Callable, Iterator
from typing import Any, Final, Generic, NoReturn, TypeVar
from uuid import UUID

import msgspec

from ulak.rules import text
from ulak.rules.refusal import Code, Fault, Refused

RECIPIENTS_MAX: Final = 100_000
THREAD_BYTES_MIN: Final = 64 * 1024
"""Above this a body is decoded in a thread, so that it holds up nobody else's."""
VALUES_MAX: Final = 1_000_000
"""Of a body that is read leniently: each takes some 60 bytes and a microsecond."""
KNOWN: Final = ("to", "message", "messages", "serviceId")


class One(msgspec.Struct):
    """`POST /sms-sendings`."""

    to: str
    message: str
    serviceId: UUID  # noqa: N815 - the contract's spelling


class Same(msgspec.Struct):
    """`POST /sms-sendings/simple`."""

    to: list[str]
    message: str
    serviceId: UUID  # noqa: N815


class Line(msgspec.Struct):
    """One element of `messages`."""

    to: str
    message: str


class Each(msgspec.Struct):
    """`POST /sms-sendings/advanced`."""

    messages: list[Line]
    serviceId: UUID  # noqa: N815


S = TypeVar("S", One, Same, Each)


class Body(Generic[S]):
    """A kind of body: how to decode it quickly, what makes it unfit, and how to name every fault."""

    def __init__(
        self, struct: type[S], fit: Callable[[S], bool], faults: Callable[[dict[str, Any]], Iterator[Fault]]
    ) -> None:
        self._struct: type[S] = struct
        self._decoder: msgspec.json.Decoder[S] = msgspec.json.Decoder(struct)
        self._fit: Callable[[S], bool] = fit
        self._faults = faults

    async def read(self, raw: bytes) -> S:
        """As `decode`, without holding up anybody else."""
        return self.decode(raw) if len(raw) <= THREAD_BYTES_MIN else await asyncio.to_thread(self.decode, raw)

    def decode(self, raw: bytes) -> S:
        """The body with its texts normalised; raises `malformed_json` or `validation_failed`."""
        quick = self._decode_quickly(raw)
        if quick is not None and self._fit(quick):
            return quick
        data = _lenient(raw)
        if not isinstance(data, dict):
            _refuse([Fault("body", "must be a JSON object")])
        faults = list(self._faults(data))
        if faults:
            _refuse(faults)
        slow: S = msgspec.convert(_known(data), self._struct)  # the quick way stumbled over a field we ignore
        if not self._fit(slow):
            _refuse([Fault("body", "cannot be read")])
        return slow

    def _decode_quickly(self, raw: bytes) -> S | None:
        try:
            return self._decoder.decode(raw)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            return None


def _refuse(faults: list[Fault]) -> NoReturn:
    names = ", ".join(fault.field for fault in faults[:5]) + ("…" if len(faults) > 5 else "")
    raise Refused(Code.VALIDATION_FAILED, f"The request does not fit: {names}.", faults=tuple(faults))


def _known(data: Any) -> Any:
    """Only what we read: another field's name may hold what msgspec cannot take."""
    if isinstance(data, dict):
        return {name: _known(data[name]) for name in KNOWN if name in data}
    return [_known(item) for item in data] if isinstance(data, list) else data


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


def _lenient(raw: bytes) -> Any:
    """The body as plain values, lone surrogates and all."""
    if (
        len(raw) > VALUES_MAX and sum(map(raw.count, (b",", b"[", b"{"))) > VALUES_MAX
    ):  # commas in texts count too
        _refuse([Fault("body", "does not fit, and is too large to say where; send it in parts")])
    try:
        return json.loads(raw.decode("utf-8"), parse_constant=_no_constant, parse_int=_integer)
    except (ValueError, RecursionError):
        raise Refused(Code.MALFORMED_JSON, "The body is not JSON in UTF-8, or is nested too deep.") from None


def _integer(digits: str) -> int | float:
    """No field of ours is a number, so one too long to compute with is as good as any."""
    return int(digits) if len(digits) < 20 else float("inf")


def _fit_text(raw: str) -> str | None:
    """The text as it will be sent, or None when it cannot be."""
    clean = text.clean(raw)
    return None if text.fault(clean) else clean


def _fit_one(body: One | Same) -> bool:
    clean = _fit_text(body.message)
    if clean is None:
        return False
    body.message = clean
    return True


def _fit_same(body: Same) -> bool:
    return 1 <= len(body.to) <= RECIPIENTS_MAX and _fit_one(body)


def _fit_each(body: Each) -> bool:
    if not 1 <= len(body.messages) <= RECIPIENTS_MAX:
        return False
    seen: dict[str, str] = {}
    for line in body.messages:
        clean = seen.get(line.message) or _fit_text(line.message)
        if clean is None:
            return False
        line.message = seen[line.message] = clean
    return True


def _one_faults(data: dict[str, Any]) -> Iterator[Fault]:
    yield from _string_faults(data, "to")
    yield from _message_faults(data, "message")
    yield from _service_faults(data)


def _same_faults(data: dict[str, Any]) -> Iterator[Fault]:
    yield from _list_faults(data, "to", _element_faults)
    yield from _message_faults(data, "message")
    yield from _service_faults(data)


def _each_faults(data: dict[str, Any]) -> Iterator[Fault]:
    yield from _list_faults(data, "messages", _line_faults)
    yield from _service_faults(data)


def _list_faults(
    data: dict[str, Any], name: str, element: Callable[[object, str], Iterator[Fault]]
) -> Iterator[Fault]:
    value = data.get(name)
    if name not in data:
        yield Fault(name, "is required")
    elif not isinstance(value, list):
        yield Fault(name, "must be an array")
    elif not 1 <= len(value) <= RECIPIENTS_MAX:
        yield Fault(name, f"must hold 1 to {RECIPIENTS_MAX:,} elements, not {len(value):,}")
    else:
        for index, item in enumerate(value):
            yield from element(item, f"{name}[{index}]")


def _element_faults(item: object, name: str) -> Iterator[Fault]:
    if not isinstance(item, str):
        yield Fault(name, "must be a string")
    elif _has_surrogate(item):
        yield Fault(name, "holds half of a surrogate pair")


def _line_faults(item: object, name: str) -> Iterator[Fault]:
    if not isinstance(item, dict):
        yield Fault(name, "must be an object")
        return
    yield from _string_faults(item, "to", f"{name}.to")
    yield from _message_faults(item, "message", f"{name}.message")


def _string_faults(data: dict[str, Any], key: str, name: str | None = None) -> Iterator[Fault]:
    if key not in data:
        yield Fault(name or key, "is required")
    else:
        yield from _element_faults(data[key], name or key)


def _message_faults(data: dict[str, Any], key: str, name: str | None = None) -> Iterator[Fault]:
    found = list(_string_faults(data, key, name))
    yield from found
    if not found and (fault := text.fault(text.clean(data[key]))):
        yield Fault(name or key, fault)


def _service_faults(data: dict[str, Any]) -> Iterator[Fault]:
    found = list(_string_faults(data, "serviceId"))
    yield from found
    if not found:
        try:
            msgspec.convert(data["serviceId"], UUID)
        except msgspec.ValidationError:
            yield Fault("serviceId", "must be a UUID")


def _has_surrogate(value: str) -> bool:
    return not value.isascii() and bool(text.SURROGATE.search(value))


ONE: Final = Body(One, _fit_one, _one_faults)
SAME: Final = Body(Same, _fit_same, _same_faults)
EACH: Final = Body(Each, _fit_each, _each_faults)
