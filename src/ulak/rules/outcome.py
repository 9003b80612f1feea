"""What a carrier's words mean: the state in a delivery receipt, and the command_status that answers a submit.

In: names and numbers of SMPP 3.4, as the link read them, and what an operator says of a carrier's own. Out: a status
of ours, or what to do with the submit. Words nobody knows never end a message; numbers nobody knows refuse it,
because asking the same carrier again would be a guess.
"""

import re
from collections.abc import Mapping
from enum import StrEnum
from functools import lru_cache
from types import MappingProxyType
from typing import Final

from ulak.rules.refusal import Code, Refused, said
from ulak.rules.status import Status

_STATUS_OF: Final = {
    "DELIVRD": Status.SENT,
    "DELIVERED": Status.SENT,
    "EXPIRED": Status.NO_SIGNAL,
    "UNDELIV": Status.NOT_SENT,
    "UNDELIVERABLE": Status.NOT_SENT,
    "REJECTD": Status.NOT_SENT,
    "REJECTED": Status.NOT_SENT,
    "DELETED": Status.NOT_SENT,
}
"""Final states, as receipts abbreviate them (SMPP 3.4, appendix B) and as message_state calls them (5.2.28)."""

_UNDELIVERED: Final = frozenset({"UNDELIV", "UNDELIVERABLE"})
_ABSENT_SUBSCRIBER: Final = frozenset({6, 27})
"""GSM MAP errors absentSubscriberSM and absentSubscriber (3GPP TS 29.002, 17.6)."""
_ERROR: Final = re.compile(r"(?:0[xX])?[0-9A-Fa-f]{1,8}")


@lru_cache(maxsize=1024)
def from_receipt(state: str | None, error: str | None) -> Status | None:
    """How a message, or a part of it, ended according to a receipt; None when it has not ended.

    `state` is the receipt's state by name, in any case; `error` is its error code as written, decimal or, with a
    letter in it or after 0x, hexadecimal. An undelivered message whose subscriber was absent had no signal.
    ENROUTE, ACCEPTD, UNKNOWN and words of a carrier's own leave it waiting.
    """
    name = (state or "").strip(" \t\r\n\0").upper()
    if name in _UNDELIVERED and _number(error) in _ABSENT_SUBSCRIBER:
        return Status.NO_SIGNAL
    return _STATUS_OF.get(name)


def _number(error: str | None) -> int | None:
    """An error code as a number; None when it is none."""
    written = (error or "").strip(" \t\r\n\0")
    if not _ERROR.fullmatch(written):
        return None
    return int(written) if written.isdigit() else int(written, 16)


class Answer(StrEnum):
    """What to do with a submit, once the carrier has answered it."""

    TAKEN = "taken"
    """The carrier has it: the message waits for its receipts."""
    SLOW_DOWN = "slow_down"
    """The carrier is full: slow the whole link, then submit again; not counted as an attempt."""
    RETRY = "retry"
    """Trouble at the carrier's: submit again later, a few times, or to another one."""
    REBIND = "rebind"
    """The link is not bound as it should be: bind anew, then submit again."""
    NEXT = "next"
    """Never, not over this carrier: the next one of the route gets it, or it is not sent."""
    REFUSE = "refuse"
    """Never, because of its number: the message is not sent."""


_ANSWER_FOR: Final = {
    0x00: Answer.TAKEN,  # ROK
    0x04: Answer.REBIND,  # RINVBNDSTS
    0x05: Answer.REBIND,  # RALYBND
    0x08: Answer.RETRY,  # RSYSERR
    0x0B: Answer.REFUSE,  # RINVDSTADR
    0x0D: Answer.REBIND,  # RBINDFAIL
    0x0E: Answer.REBIND,  # RINVPASWD
    0x0F: Answer.REBIND,  # RINVSYSID
    0x14: Answer.SLOW_DOWN,  # RMSGQFUL
    0x45: Answer.RETRY,  # RSUBMITFAIL
    0x50: Answer.REFUSE,  # RINVDSTTON
    0x51: Answer.REFUSE,  # RINVDSTNPI
    0x58: Answer.SLOW_DOWN,  # RTHROTTLED
    0x64: Answer.RETRY,  # RX_T_APPN
    0xFF: Answer.RETRY,  # RUNKNOWNERR
}


def answer_for(command_status: int) -> Answer:
    """What a submit's command_status (SMPP 3.4, 5.1.3) asks for.

    The three that refuse a bind say nothing about the message, so it is the link they condemn here too. Everything
    else is permanent at this carrier: the sender, the content, our own mistake, a plain refusal, and a vendor's own
    codes (0x400 and up). Only what condemns the number is so at every other carrier as well.
    """
    return _ANSWER_FOR.get(command_status, Answer.NEXT)


Meanings = Mapping[int, Answer]
"""What a carrier's answers mean where they don't mean the usual."""

USUAL: Final[Meanings] = MappingProxyType({})
_MEANING: Final = re.compile(r"0[xX](?P<status>[0-9A-Fa-f]{1,8})=(?P<answer>[a-z_]+)")


def parse_meanings(setting: str) -> Meanings:
    """What an operator wrote of a carrier's answers, like `0x0401=retry,0x45=next`; nothing: all as usual.

    Raises `Refused(invalid_value)` where it cannot be read.
    """
    found: dict[int, Answer] = {}
    for written in filter(None, (part.strip() for part in setting.split(","))):
        match = _MEANING.fullmatch(written)
        answers = {answer.value for answer in Answer} - {Answer.TAKEN}
        if match is None or match["answer"] not in answers or int(match["status"], 16) == 0:
            raise Refused(
                Code.INVALID_VALUE,
                said(
                    "{written!r} is no status with its meaning. Write 0x and the status in hexadecimal, =, and one of "
                    "{answers}: 0x0401=retry.",
                    written=written,
                    answers=", ".join(sorted(answers)),
                ),
            )
        found[int(match["status"], 16)] = Answer(match["answer"])
    return found
