"""Every way to say no.

A refusal is a value with a code, not a crash: somebody asked for something that cannot be done, and the answer
says which and why in a sentence that tells what to do. Rooms above raise `Refused`; only the edge knows how a
code looks over HTTP (`edge/problem.py`) or on a terminal. Outages and bugs are never refusals. A message that the panel
shows and that has values in it is made with `said`, so that it can be translated.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Any


class Code(StrEnum):
    """What kind of no it is. The first group are the contract's error codes, the second people's mistakes
    at the command line and in the operator's rooms."""

    NOT_FOUND = "not_found"
    METHOD_NOT_ALLOWED = "method_not_allowed"
    UNAUTHORIZED = "unauthorized"
    RATE_LIMITED = "rate_limited"
    VALIDATION_FAILED = "validation_failed"
    ORGANIZATION_FORBIDDEN = "organization_forbidden"
    PERMISSION_DENIED = "permission_denied"
    UNSUPPORTED_MEDIA_TYPE = "unsupported_media_type"
    PAYLOAD_TOO_LARGE = "payload_too_large"
    MALFORMED_JSON = "malformed_json"
    IDEMPOTENCY_CONFLICT = "idempotency_conflict"
    SERVICE_NOT_FOUND = "service_not_found"
    SENDING_NOT_FOUND = "sending_not_found"
    NO_VALID_RECIPIENT = "no_valid_recipient"
    INSUFFICIENT_CREDIT = "insufficient_credit"
    INTERNAL = "internal"
    UNAVAILABLE = "unavailable"

    NOT_KNOWN = "not_known"
    ALREADY_EXISTS = "already_exists"
    INVALID_VALUE = "invalid_value"
    NOT_ALLOWED = "not_allowed"


class Sentence(str):
    """A sentence with values in it, which can be put together again in another language."""

    template: str
    values: dict[str, Any]


def said(template: str, **values: Any) -> Sentence:
    """`template.format(**values)`, still knowing what it was made of, for whoever translates it."""
    sentence = Sentence(template.format(**values))
    sentence.template, sentence.values = template, values
    return sentence


@dataclass(frozen=True, slots=True)
class Fault:
    """One field at fault and what is wrong with it; `field` as the caller wrote it, like `messages[3].to`."""

    field: str
    message: str


class Refused(Exception):
    """Somebody asked for what cannot be done.

    `message` is a whole sentence for the person who asked; `faults` name the fields of a `validation_failed`;
    `retry_after` is in seconds, where waiting helps.
    """

    def __init__(
        self, code: Code, message: str, *, faults: tuple[Fault, ...] = (), retry_after: float | None = None
    ) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.faults = faults
        self.retry_after = retry_after
