"""What a member may do in an organization. In one's own name everything is allowed, so nothing is asked there."""

from enum import StrEnum
from typing import Final


class Permission(StrEnum):
    """A right of a member; stored and answered as it is. The first three are the contract's, the others are for those
    who look after an organization in the panel."""

    SMS_READ = "organization.sms.read"
    SMS_SEND = "organization.sms.send"
    USERS_READ = "organization.users.read"
    USERS_MANAGE = "organization.users.manage"
    """Add members, remove them, and change what they may do."""
    CREDIT_MANAGE = "organization.credit.manage"
    """Hand credit out of the pool to members, and take it back."""


DEFAULT: Final = (Permission.SMS_READ, Permission.SMS_SEND)
"""What a new member may do when nothing else is said."""
