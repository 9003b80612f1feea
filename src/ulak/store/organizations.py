"""Organizations and their members. Owns the tables `organizations` and `memberships`."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Literal
from uuid import UUID

from ulak.base.db import Tx
from ulak.rules.permission import Permission
from ulak.store.users import User

State = Literal["active", "inactive"]


@dataclass(frozen=True, slots=True)
class Organization:
    """An organization; names are unique whatever their case."""

    id: UUID
    name: str
    state: State
    created_at: datetime


@dataclass(frozen=True, slots=True)
class Member:
    """A user's place in an organization."""

    organization: Organization
    permissions: frozenset[Permission]


ADD: Final = """
INSERT INTO organizations (id, name) VALUES ($1, $2) ON CONFLICT DO NOTHING
RETURNING id, name, state, created_at"""


async def add(tx: Tx, id_: UUID, name: str) -> Organization | None:
    """Write an organization; None when the name is taken."""
    row = await tx.fetchrow(ADD, id_, name)
    return Organization(**row) if row else None


FIND: Final = """
SELECT id, name, state, created_at FROM organizations
 WHERE lower(name) = lower($1) OR id::text = lower($1)
 ORDER BY lower(name) = lower($1) DESC LIMIT 1"""


async def find(tx: Tx, name_or_id: str) -> Organization | None:
    """The organization of this name or id."""
    row = await tx.fetchrow(FIND, name_or_id)
    return Organization(**row) if row else None


ALL: Final = "SELECT id, name, state, created_at FROM organizations ORDER BY created_at, id"


async def all(tx: Tx) -> list[Organization]:
    """Every organization, oldest first."""
    return [Organization(**row) for row in await tx.fetch(ALL)]


BY_ID: Final = "SELECT id, name, state, created_at FROM organizations WHERE id = $1"


async def by_id(tx: Tx, id_: UUID) -> Organization | None:
    """The organization with this id."""
    row = await tx.fetchrow(BY_ID, id_)
    return Organization(**row) if row else None


_HELD: Final = "WHERE ($1 = '' OR strpos(lower(name), lower($1)) > 0 OR id::text = lower($1))"
COUNT: Final = f"SELECT count(*) FROM organizations {_HELD}"
PAGE: Final = f"""
SELECT id, name, state, created_at FROM organizations {_HELD} ORDER BY lower(name) LIMIT $2 OFFSET $3"""


async def page(tx: Tx, fragment: str, rows_max: int, offset: int) -> tuple[list[Organization], int]:
    """Some of the organizations with this in their name ("" for all), by name, and how many there are."""
    rows = await tx.fetch(PAGE, fragment, rows_max, offset)
    return [Organization(**row) for row in rows], await tx.fetchval(COUNT, fragment)


NAMES: Final = "SELECT id, name FROM organizations WHERE id = ANY($1::uuid[])"


async def names(tx: Tx, organizations: Collection[UUID]) -> dict[UUID, str]:
    """How these organizations are called."""
    return {row["id"]: row["name"] for row in await tx.fetch(NAMES, list(organizations))}


SIZES: Final = """
SELECT organization_id, count(*) AS n FROM memberships
 WHERE organization_id = ANY($1::uuid[]) GROUP BY organization_id"""


async def sizes(tx: Tx, organizations: Collection[UUID]) -> dict[UUID, int]:
    """How many members each of these has; those without any are left out."""
    return {row["organization_id"]: row["n"] for row in await tx.fetch(SIZES, list(organizations))}


HOLDING: Final = """
SELECT id, name, state, created_at FROM organizations
 WHERE strpos(lower(name), lower($1)) > 0 OR id::text = lower($1)
 ORDER BY lower(name) = lower($1) DESC, lower(name) LIMIT $2"""


async def holding(tx: Tx, fragment: str, rows_max: int) -> list[Organization]:
    """Organizations with this in their name, whatever its case, or with this id; by name."""
    return [Organization(**row) for row in await tx.fetch(HOLDING, fragment, rows_max)]


SET_STATE: Final = "UPDATE organizations SET state = $2 WHERE id = $1"


async def set_state(tx: Tx, id_: UUID, state: State) -> None:
    """Open an organization, or close it."""
    await tx.execute(SET_STATE, id_, state)


JOIN: Final = """
INSERT INTO memberships (organization_id, user_id, permissions) VALUES ($1, $2, $3)
    ON CONFLICT (organization_id, user_id) DO UPDATE SET permissions = excluded.permissions"""


async def join(tx: Tx, organization_id: UUID, user_id: UUID, permissions: Collection[Permission]) -> None:
    """Make a user a member with these permissions, or give a member these instead of those they had."""
    await tx.execute(JOIN, organization_id, user_id, sorted(permissions))


LEAVE: Final = "DELETE FROM memberships WHERE organization_id = $1 AND user_id = $2 RETURNING user_id"


async def leave(tx: Tx, organization_id: UUID, user_id: UUID) -> bool:
    """End a membership; whether there was one."""
    return await tx.fetchval(LEAVE, organization_id, user_id) is not None


HAS_MEMBER: Final = "SELECT FROM memberships WHERE organization_id = $1 AND user_id = $2"


async def has_member(tx: Tx, organization_id: UUID, user_id: UUID) -> bool:
    """Whether the user is a member."""
    return await tx.fetchrow(HAS_MEMBER, organization_id, user_id) is not None


KEEP_MEMBER: Final = f"{HAS_MEMBER} FOR KEY SHARE"


async def keep_member(tx: Tx, organization_id: UUID, user_id: UUID) -> bool:
    """Whether the user is a member; who is stays one until the end of the transaction."""
    return await tx.fetchrow(KEEP_MEMBER, organization_id, user_id) is not None


PERMISSIONS: Final = """
SELECT permissions FROM memberships WHERE organization_id = $1 AND user_id = $2 FOR NO KEY UPDATE"""


async def lock_permissions(tx: Tx, organization_id: UUID, user_id: UUID) -> frozenset[Permission] | None:
    """What a member may do, once nobody else is changing it, for whoever is about to; None when the user is none."""
    row = await tx.fetchrow(PERMISSIONS, organization_id, user_id)
    return frozenset(map(Permission, row["permissions"])) if row else None


MEMBERS: Final = """
SELECT u.id, u.username, u.email, u.state, u.created_at, m.permissions, m.created_at AS since
  FROM memberships m JOIN users u ON u.id = m.user_id
 WHERE m.organization_id = $1 ORDER BY lower(u.username)"""


async def members(tx: Tx, organization_id: UUID) -> list[tuple[User, frozenset[Permission], datetime]]:
    """Who belongs to an organization, what they may do there, and since when they belong to it; by name."""
    return [
        (User(id_, username, email, state, created_at), frozenset(map(Permission, permissions)), since)
        for id_, username, email, state, created_at, permissions, since in await tx.fetch(
            MEMBERS, organization_id
        )
    ]


OF_USER: Final = """
SELECT o.id, o.name, o.state, o.created_at, m.permissions
  FROM memberships m JOIN organizations o ON o.id = m.organization_id
 WHERE m.user_id = $1 ORDER BY o.created_at, o.id"""


async def of_user(tx: Tx, user_id: UUID) -> list[Member]:
    """The organizations a user belongs to, active or not, oldest first."""
    return [
        Member(Organization(id_, name, state, created_at), frozenset(map(Permission, permissions)))
        for id_, name, state, created_at, permissions in await tx.fetch(OF_USER, user_id)
    ]
