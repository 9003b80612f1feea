"""One bind without any I/O: sequence numbers, the window, timers. Time is a parameter, in seconds.

The side that owns the socket feeds in what arrived and what time it is, and writes out what it is given. A session
knows which requests of its own are unanswered, by sequence number, each with a token of the owner's; it never
knows what a token means.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final

from smpp.codec import Frame, Framer, Garbage, decode, encode
from smpp.pdu import RESPONSE, Command, EnquireLink, EnquireLinkResp, GenericNack, Pdu, Status, UnbindResp

SEQUENCE_MAX: Final = 0x7FFFFFFF


@dataclass(slots=True)
class Request:
    """The other side asks for something; answer with this sequence number."""

    sequence: int
    pdu: Pdu


@dataclass(slots=True)
class Response:
    """The other side answered a request of ours; `pdu` is None for a generic_nack, and for what is unreadable."""

    token: object
    status: int
    pdu: Pdu | None


@dataclass(slots=True)
class Events:
    """What arrived in one piece of the stream, and what has to be written because of it."""

    requests: list[Request] = field(default_factory=list)
    responses: list[Response] = field(default_factory=list)
    output: bytes = b""
    ended: str | None = None


class _Housekeeping:
    """The token of requests that a session makes by itself."""


_ENQUIRY: Final = _Housekeeping()


class Session:
    """The state of one bind, on either side of it."""

    def __init__(
        self, *, window_max: int, enquire_seconds: float, response_seconds: float, now: float
    ) -> None:
        self.window_max = window_max
        self.enquire_seconds = enquire_seconds
        self.response_seconds = response_seconds
        self.strays = 0  # responses nobody asked for
        self._framer = Framer()
        self._sequence = 0
        # token, time and the answer's command_id, in the order of sending: the first is the oldest
        self._open: dict[int, tuple[object, float, int]] = {}
        self._enquiring = False
        self._heard = now

    @property
    def outstanding(self) -> int:
        """Our requests without an answer, the session's own not counted."""
        return len(self._open) - self._enquiring

    @property
    def free(self) -> int:
        """How many more requests may go out."""
        return self.window_max - self.outstanding

    def unanswered(self) -> list[object]:
        """The tokens of our requests without an answer, oldest first."""
        return [token for token, _, _ in self._open.values() if token is not _ENQUIRY]

    def request(self, pdu: Pdu, token: object, now: float) -> bytes:
        """A request of ours as it goes out; its answer will carry the token.

        A PDU that cannot be encoded is a `ValueError`, and then nothing waits for its answer.
        """
        sequence = self._sequence % SEQUENCE_MAX + 1
        while sequence in self._open:  # after two thousand million requests
            sequence = sequence % SEQUENCE_MAX + 1
        octets = encode(pdu, sequence)
        self._sequence = sequence
        self._open[sequence] = token, now, pdu.command | RESPONSE
        return octets

    def receive(self, data: bytes, now: float) -> Events:
        """Take in what arrived."""
        self._heard = now
        events = Events()
        for found in self._framer.feed(data):
            if isinstance(found, Garbage):
                events.ended = f"garbage: {found.reason}"
                events.output += encode(GenericNack(), 0, found.status)
            elif found.command_id & RESPONSE:
                self._answered(found, events)
            else:
                self._asked(found, events)
        return events

    def _answered(self, frame: Frame, events: Events) -> None:
        known = self._open.get(frame.sequence)
        if known is None or frame.command_id not in (known[2], Command.GENERIC_NACK):
            self.strays += 1
            return
        del self._open[frame.sequence]
        token = known[0]
        if token is _ENQUIRY:
            self._enquiring = False
            return
        pdu, status = decode(frame), frame.status
        if isinstance(pdu, Garbage | GenericNack):
            events.responses.append(Response(token, status or Status.RUNKNOWNERR, None))
        else:
            events.responses.append(Response(token, status, pdu))

    def _asked(self, frame: Frame, events: Events) -> None:
        pdu = decode(frame)
        if isinstance(pdu, Garbage):
            events.output += encode(GenericNack(), frame.sequence, pdu.status)
        elif pdu.command is Command.ENQUIRE_LINK:
            events.output += encode(EnquireLinkResp(), frame.sequence)
        elif pdu.command is Command.UNBIND:
            events.output += encode(UnbindResp(), frame.sequence)
            events.ended = "the other side unbound"
        else:
            events.requests.append(Request(frame.sequence, pdu))

    def tick(self, now: float) -> Events:
        """Look at the clock: asks whether the link lives after silence, ends it when an answer is overdue."""
        events = Events()
        if self._open:
            _, since, _ = next(iter(self._open.values()))
            if now - since >= self.response_seconds:
                events.ended = f"no answer within {self.response_seconds:g} s"
                return events
        if now - self._heard >= self.enquire_seconds and not self._enquiring:
            events.output = self.request(EnquireLink(), _ENQUIRY, now)
            self._enquiring = True
        return events


def responses(pairs: Iterable[tuple[int, Pdu]], status: int = 0) -> bytes:
    """Answers to several requests at once, as (sequence number, response)."""
    return b"".join(encode(pdu, sequence, status) for sequence, pdu in pairs)
