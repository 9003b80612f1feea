"""Refusals as HTTP answers: the only place that knows both a refusal's code and its status.

In: a `Refused`, or an outage that a room let through. Out: status, headers and the one error body of the
contract. Nothing of an exception but what was written for the caller ever gets into an answer.
"""

import math
from collections.abc import Mapping
from typing import Final

import msgspec

from ulak.rules.refusal import Code, Refused

STATUS: Final[Mapping[Code, int]] = {
    Code.NOT_FOUND: 404,
    Code.METHOD_NOT_ALLOWED: 405,
    Code.UNAUTHORIZED: 401,
    Code.RATE_LIMITED: 429,
    Code.VALIDATION_FAILED: 400,
    Code.ORGANIZATION_FORBIDDEN: 403,
    Code.PERMISSION_DENIED: 403,
    Code.UNSUPPORTED_MEDIA_TYPE: 415,
    Code.PAYLOAD_TOO_LARGE: 413,
    Code.MALFORMED_JSON: 400,
    Code.IDEMPOTENCY_CONFLICT: 409,
    Code.SERVICE_NOT_FOUND: 404,
    Code.SENDING_NOT_FOUND: 404,
    Code.NO_VALID_RECIPIENT: 400,
    Code.INSUFFICIENT_CREDIT: 402,
    Code.INTERNAL: 500,
    Code.UNAVAILABLE: 503,
    Code.NOT_KNOWN: 404,
    Code.ALREADY_EXISTS: 409,
    Code.INVALID_VALUE: 400,
    Code.NOT_ALLOWED: 403,
}


class Field(msgspec.Struct):
    """One field at fault."""

    field: str
    message: str


class Error(msgspec.Struct, omit_defaults=True):
    """What went wrong; `fields` only where fields are at fault."""

    code: str
    message: str
    fields: list[Field] | msgspec.UnsetType
    requestId: str  # noqa: N815 - the contract's spelling


class Problem(msgspec.Struct):
    """The one shape of every refusal."""

    success: bool
    error: Error


def render(refused: Refused, request_id: str) -> tuple[int, dict[str, str], bytes]:
    """Status, extra headers and body of a refusal."""
    # str: a sentence that can be translated is a kind of str that cannot be encoded
    fields = [Field(fault.field, str(fault.message)) for fault in refused.faults] or msgspec.UNSET
    body = Problem(False, Error(refused.code, str(refused.message), fields, request_id))
    headers = {}
    if refused.retry_after is not None:
        headers["retry-after"] = str(max(1, math.ceil(refused.retry_after)))
    return STATUS[refused.code], headers, msgspec.json.encode(body)
