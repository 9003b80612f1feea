"""What a member may do in an organization. In one's own name everything is allowed, so nothing is asked there."""

from enum import StrEnum
from typing import Final


class Permission(StrEnum):
    """A right of a member; the values are the contract's and are stored and answered as they are."""

    SMS_READ = "organization.sms.read"
    SMS_SEND = "organization.sms.send"
    USERS_READ = "organization.users.read"


DEFAULT: Final = (Permission.SMS_READ, Permission.SMS_SEND)
"""What a new member may do when nothing else is said."""
