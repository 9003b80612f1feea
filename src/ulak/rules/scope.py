"""What an API key may be used for. A scope never gives more than its owner may do; it only leaves things out."""

from enum import StrEnum
from typing import Final


class Scope(StrEnum):
    """A use of a key; stored and shown as it is."""

    SMS_SEND = "sms:send"
    SMS_READ = "sms:read"
    """See what was sent, and what became of it."""
    ACCOUNT_READ = "account:read"
    """See the owner, their organizations, and what they can send with."""


EVERY: Final = frozenset(Scope)
"""What a key may do when nothing else is said."""
