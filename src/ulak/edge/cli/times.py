"""Times as people type them at the command line: ISO 8601, with or without an offset (then UTC), or a day."""

import re
from datetime import UTC, datetime, timedelta

from ulak.rules.refusal import Code, Refused


def instant(text: str | None) -> datetime | None:
    """A time; of a day its first instant. Refused when it is none; None for None."""
    if text is None:
        return None
    try:
        if not re.match(r"\d{4}-\d\d-\d\d", text):
            raise ValueError(text)
        at = datetime.fromisoformat(text)
        return (at if at.tzinfo else at.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError):
        raise Refused(Code.INVALID_VALUE, f"{text!r} is no time like 2026-03-10T10:00:00Z.") from None


def last_instant(text: str | None) -> datetime | None:
    """The same as an end that is included: of a day its last millisecond, which is as precisely as times are kept."""
    at = instant(text)
    is_day = text is not None and re.fullmatch(r"\d{4}-\d\d-\d\d", text)
    return at + timedelta(days=1, milliseconds=-1) if at and is_day else at
