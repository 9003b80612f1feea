"""In whose name something is done: the user alone, or as a member of an organization.

Every row a customer owns carries a tenant: the organization's id, or the user's for what they do in their own
name. Which credit pays follows from the same two ids.
"""

from typing import NamedTuple
from uuid import UUID


class Context(NamedTuple):
    """A user, and the organization they act for, if any."""

    user_id: UUID
    organization_id: UUID | None = None

    @property
    def tenant_id(self) -> UUID:
        """Whose rows these are."""
        return self.organization_id or self.user_id

    @property
    def owner_id(self) -> UUID:
        """Which of the tenant's credits pays: always the acting user's own or member credit."""
        return self.user_id
