"""Organizations and their members: found by name or id, permissions replaced as a whole, credit never left behind."""

import asyncio
import json
from typing import Any
from uuid import UUID

import pytest

from tests.admin import BY, ORG, USD, actions, found, rows, value
from ulak.admin import accounts, credit, groups
from ulak.base.db import Database
from ulak.rules import ids
from ulak.rules.permission import DEFAULT, Permission
from ulak.rules.refusal import Code, Refused


async def code_of(work: Any) -> Code:
    """With which code this is refused."""
    with pytest.raises(Refused) as refusal:
        await work
    assert refusal.value.message.endswith(".")
    return refusal.value.code


async def permissions(db: Database, username: str = "mark") -> list[str]:
    """What stands in the membership."""
    query = "SELECT permissions FROM memberships m JOIN users u ON u.id = m.user_id WHERE username = $1"
    return list(await value(db, query, username))


async def id_of_org(db: Database) -> UUID:
    return (await groups.list_all(db))[0].id


async def test_what_an_organization_may_be_called(db: Database) -> None:
    for name in ("A", "Main Organization", "n" * 200, "Çiğdem & Oğulları", "[red]"):
        assert (await groups.create(db, BY, name)).name == name


async def test_what_an_organization_may_not_be_called(db: Database) -> None:
    for name in ("", "   ", "n" * 201, "a\nb", "a\0b", "a\x1b[31m", "\udcff", "a\u202eb"):
        assert await code_of(groups.create(db, BY, name)) == Code.INVALID_VALUE
    assert await groups.list_all(db) == []
    assert await actions(db) == []


async def test_an_organization_begins_open_with_an_empty_pool(db: Database) -> None:
    made = await groups.create(db, BY, ORG)

    assert made.state == "active"
    assert await credit.show(db, None, ORG) == 0


async def test_a_name_is_taken_whatever_its_case(db: Database) -> None:
    await groups.create(db, BY, ORG)

    assert await code_of(groups.create(db, BY, ORG.upper())) == Code.ALREADY_EXISTS
    assert len(await groups.list_all(db)) == 1


async def test_an_organization_is_found_by_name_and_by_id_in_any_case(db: Database) -> None:
    made = await groups.create(db, BY, ORG)

    for org in (ORG, ORG.lower(), str(made.id), str(made.id).upper()):
        assert (await groups.set_state(db, BY, org, "inactive")).id == made.id
    assert await code_of(groups.set_state(db, BY, str(ids.new_id()), "active")) == Code.NOT_KNOWN
    assert await code_of(groups.set_state(db, BY, "", "active")) == Code.NOT_KNOWN


async def test_without_permissions_a_member_gets_the_usual_ones(db: Database) -> None:
    await found(db)

    assert await permissions(db) == sorted(DEFAULT)


async def test_adding_a_member_again_replaces_the_permissions_and_keeps_the_credit(db: Database) -> None:
    await found(db)
    await credit.add(db, BY, 5 * USD, "mark", ORG)

    await groups.add_member(db, BY, ORG, "mark", ["organization.users.read"])

    assert await permissions(db) == [Permission.USERS_READ]
    assert await permissions(db, "lale") == sorted(DEFAULT)
    assert await credit.show(db, "mark", ORG) == 5 * USD


async def test_a_permission_that_is_none_changes_nothing(db: Database) -> None:
    await found(db)

    for name in ("", "organization.sms", "ORGANIZATION.SMS.SEND", "*"):
        refused = groups.add_member(db, BY, ORG, "mark", ["organization.users.read", name])
        assert await code_of(refused) == Code.INVALID_VALUE

    assert await permissions(db) == sorted(DEFAULT)


async def test_who_leaves_gives_the_rest_back_and_may_come_back_to_nothing(db: Database) -> None:
    await found(db)
    await credit.add(db, BY, USD, None, ORG)
    await credit.add(db, BY, 5 * USD + 1, "mark", ORG)
    await credit.add(db, BY, 3 * USD, "mark", None)

    assert await groups.remove_member(db, BY, ORG, "mark") == 5 * USD + 1
    assert await credit.show(db, None, ORG) == 6 * USD + 1
    assert await credit.show(db, "mark", None) == 3 * USD

    await groups.add_member(db, BY, ORG, "mark")
    assert await credit.show(db, "mark", ORG) == 0


async def test_who_leaves_with_nothing_moves_nothing(db: Database) -> None:
    await found(db)

    assert await groups.remove_member(db, BY, ORG, "mark") == 0
    assert await value(db, "SELECT count(*) FROM transfers") == 0


async def test_who_is_no_member_cannot_leave(db: Database) -> None:
    await found(db)
    await accounts.create_user(db, BY, "ece", "ece@example.com")
    before = await actions(db)

    assert await code_of(groups.remove_member(db, BY, ORG, "ece")) == Code.NOT_KNOWN
    assert await code_of(groups.remove_member(db, BY, ORG, "nobody")) == Code.NOT_KNOWN
    assert await actions(db) == before


async def test_a_closed_organization_can_still_be_looked_after(db: Database) -> None:
    await found(db)
    await groups.set_state(db, BY, ORG, "inactive")

    assert await credit.add(db, BY, 5, None, str(await id_of_org(db))) == 5
    assert await credit.transfer(db, BY, 2, ORG, "mark") == (2, 3)
    assert await groups.remove_member(db, BY, ORG, "mark") == 2


# --- members, and what the audit log says of a change


async def last_line(db: Database) -> tuple[str, str, Any]:
    """(action, subject, detail) of what was done last."""
    [row] = await rows(
        db, "SELECT action, subject, detail::text AS detail FROM audit_log ORDER BY id DESC LIMIT 1"
    )
    return row["action"], row["subject"], json.loads(row["detail"])


async def test_members_are_listed_with_what_they_may_do_and_hold(db: Database) -> None:
    await found(db)
    await groups.create(db, BY, "Other")
    await groups.add_member(db, BY, "Other", "mark", ["organization.users.manage"])
    await credit.add(db, BY, 5 * USD, "mark", ORG)
    await credit.add(db, BY, 7 * USD, "mark", "Other")
    await credit.add(db, BY, 9 * USD, None, ORG)
    since = await value(db, "SELECT created_at FROM memberships ORDER BY created_at LIMIT 1")

    lale, mark = await groups.members(db, ORG)

    assert [lale.user.username, mark.user.username] == ["lale", "mark"]
    assert (lale.balance, mark.balance) == (0, 5 * USD)
    assert mark.permissions == tuple(sorted(DEFAULT))
    assert mark.since == since
    [elsewhere] = await groups.members(db, "other")
    assert (elsewhere.permissions, elsewhere.balance) == ((Permission.USERS_MANAGE,), 7 * USD)
    assert await code_of(groups.members(db, "Nobody")) == Code.NOT_KNOWN


async def test_looking_after_an_organization_is_nobodys_by_default(db: Database) -> None:
    await found(db)

    assert not {Permission.USERS_MANAGE, Permission.CREDIT_MANAGE} & set(await permissions(db))
    made = await groups.set_permissions(
        db, BY, ORG, "mark", ["organization.users.manage", "organization.credit.manage"]
    )
    assert set(made.permissions) == {Permission.USERS_MANAGE, Permission.CREDIT_MANAGE}
    assert await permissions(db) == ["organization.credit.manage", "organization.users.manage"]


async def test_a_change_of_permissions_says_what_was_before_and_what_is_after(db: Database) -> None:
    await found(db)
    read, send = "organization.sms.read", "organization.sms.send"
    assert (await last_line(db))[0] == "service.create"

    await groups.set_permissions(db, BY, ORG, "mark", [read])
    changed = {"user": "mark", "before": {"permissions": [read, send]}, "after": {"permissions": [read]}}
    assert await last_line(db) == ("org.set-permissions", ORG, changed)

    await groups.set_permissions(db, BY, ORG, "mark", [])
    changed = {"user": "mark", "before": {"permissions": [read]}, "after": {"permissions": []}}
    assert (await last_line(db))[2] == changed
    assert await permissions(db) == []

    await groups.add_member(db, BY, ORG, "mark", [send, send])
    changed = {"user": "mark", "before": {"permissions": []}, "after": {"permissions": [send]}}
    assert await last_line(db) == ("org.add-member", ORG, changed)

    await groups.add_member(db, BY, ORG, "mark", [send])
    assert (await last_line(db))[2] == {"user": "mark", "before": {}, "after": {}}

    await groups.remove_member(db, BY, ORG, "mark")
    await groups.add_member(db, BY, ORG, "mark")
    changed = {"user": "mark", "before": {}, "after": {"permissions": sorted(DEFAULT)}}
    assert (await last_line(db))[2] == changed


async def test_only_a_members_permissions_can_be_changed(db: Database) -> None:
    await found(db)
    await accounts.create_user(db, BY, "ece", "ece@example.com")
    before = await actions(db)

    read = ["organization.sms.read"]
    assert await code_of(groups.set_permissions(db, BY, ORG, "ece", read)) == Code.NOT_KNOWN
    assert await code_of(groups.set_permissions(db, BY, ORG, "nobody", read)) == Code.NOT_KNOWN
    assert await code_of(groups.set_permissions(db, BY, "Nobody", "mark", read)) == Code.NOT_KNOWN
    assert await code_of(groups.set_permissions(db, BY, ORG, "mark", ["*"])) == Code.INVALID_VALUE

    assert await actions(db) == before
    assert await permissions(db) == sorted(DEFAULT)


async def test_changes_at_once_each_say_what_the_one_before_left(db: Database) -> None:
    await found(db)
    each = [[one] for one in Permission] * 3

    await asyncio.gather(*(groups.set_permissions(db, BY, ORG, "mark", wanted) for wanted in each))

    lines = await rows(
        db, "SELECT detail::text FROM audit_log WHERE action = 'org.set-permissions' ORDER BY id"
    )
    state = {"permissions": sorted(DEFAULT)}
    for (line,) in lines:
        detail = json.loads(line)
        if detail["before"]:
            assert detail["before"] == state
            state = detail["after"]
    assert state["permissions"] == await permissions(db)


async def test_opening_and_closing_say_so_too(db: Database) -> None:
    await found(db)

    await groups.set_state(db, BY, ORG, "inactive")

    assert await last_line(db) == (
        "org.set-state",
        ORG,
        {"before": {"state": "active"}, "after": {"state": "inactive"}},
    )
