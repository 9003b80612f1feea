"""Operators as they are kept, and what ends when they may not come in any more."""

import pytest

from tests.admin import BY, actions, rows, value
from ulak.admin import entrance, operators
from ulak.base.db import Database
from ulak.rules.refusal import Code, Refused


async def opened(db: Database, password: str) -> str:
    """A token for the operator's door."""
    coming = entrance.sign_in(db, "operator", name="ayse", password=password, address=None, agent="")
    return (await coming).token


async def test_a_password_that_is_made_is_shown_once_and_kept_as_a_hash(db: Database) -> None:
    made = await operators.create(db, BY, "ayse", None)

    assert made.password
    assert len(made.password) == 16
    assert (await value(db, "SELECT password_hash FROM operators")).startswith("$argon2id$")
    assert made.password not in str(await rows(db, "SELECT o::text, a::text FROM operators o, audit_log a"))
    assert (await operators.create(db, BY, "ece", "correct horse battery", "viewer")).password is None
    listed = [(one.username, one.role, one.state) for one in await operators.list_all(db)]
    assert listed == [("ayse", "operator", "active"), ("ece", "viewer", "active")]


async def test_a_name_is_taken_whatever_its_case(db: Database) -> None:
    await operators.create(db, BY, "ayse", None)

    with pytest.raises(Refused) as refusal:
        await operators.create(db, BY, "AYSE", None)

    assert refusal.value.code == Code.ALREADY_EXISTS
    assert await actions(db) == ["operator.create"]


async def test_who_is_shut_out_is_out_and_comes_back_without_old_sessions(db: Database) -> None:
    made = await operators.create(db, BY, "ayse", None)
    assert made.password
    token = await opened(db, made.password)
    assert await entrance.visitor(db, "operator", token)

    assert (await operators.set_state(db, BY, "ayse", "disabled")).state == "disabled"
    with pytest.raises(Refused):
        await opened(db, made.password)
    assert (await operators.set_state(db, BY, "ayse", "active")).state == "active"

    assert await entrance.visitor(db, "operator", token) is None
    assert await opened(db, made.password)


async def test_another_password_ends_all_sessions(db: Database) -> None:
    made = await operators.create(db, BY, "ayse", None)
    assert made.password
    token = await opened(db, made.password)

    changed = await operators.set_password(db, BY, "ayse", None)

    assert changed.password
    assert changed.password != made.password
    assert await entrance.visitor(db, "operator", token) is None
    assert await opened(db, changed.password)
    with pytest.raises(Refused):
        await opened(db, made.password)
