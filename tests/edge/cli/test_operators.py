"""Operators and second factors, as whoever runs the installation types them."""

import asyncio

from tests.conftest import SECRETS
from tests.edge.cli.conftest import CommandLine
from tests.edge.cli.test_people import everything
from ulak.admin import entrance
from ulak.base.db import Database


def signs_in(dsn: str, name: str, password: str) -> bool:
    """Whether the operator's door opens."""

    async def attempt() -> bool:
        db = await Database.open(dsn)
        db.secrets = SECRETS
        try:
            opened = await entrance.sign_in(
                db, "operator", name=name, password=password, address=None, agent=""
            )
            return await entrance.visitor(db, "operator", opened.token) is not None
        finally:
            await db.close()

    return asyncio.run(attempt())


def test_an_operator_is_made_with_a_password_that_opens_the_door(cli: CommandLine, dsn: str) -> None:
    made = cli("operator", "create", "ayse")

    assert list(made) == ["id", "username", "role", "password", "signIn"]
    assert (made["username"], made["role"], made["signIn"]) == ("ayse", "operator", "/operator")
    assert signs_in(dsn, "ayse", made["password"])
    assert made["password"] not in everything(dsn)
    [listed] = cli("operator", "list")
    assert (listed["id"], listed["state"], "password" in listed) == (made["id"], "active", False)


def test_what_people_see_tells_them_where_and_how(cli: CommandLine) -> None:
    said = cli.text("operator", "create", "ayse", "--role=viewer")

    assert "/operator" in said
    assert "password" in said
    assert "viewer" in cli.text("operator", "list")


def test_a_password_from_stdin_is_not_shown(cli: CommandLine, dsn: str) -> None:
    words = ("operator", "create", "ayse", "--password-stdin")

    assert cli(*words, stdin="correct horse battery\n")["password"] is None
    assert signs_in(dsn, "ayse", "correct horse battery")
    for typed in ("", "short\n", "x" * 257 + "\n"):
        cli.fails("operator", "create", "ece", "--password-stdin", stdin=typed)
        cli.fails("operator", "set-password", "ayse", "--password-stdin", stdin=typed)
    assert len(cli("operator", "list")) == 1


def test_another_password(cli: CommandLine, dsn: str) -> None:
    cli("operator", "create", "ayse")

    changed = cli("operator", "set-password", "Ayse")

    assert changed["username"] == "ayse"
    assert signs_in(dsn, "ayse", changed["password"])


def test_a_name_is_there_once_and_of_ascii(cli: CommandLine) -> None:
    cli("operator", "create", "ayse")

    for name in ("AYSE", "", "a b", "ayşe", "a\0b", "x" * 65, "\udcff"):
        cli.fails("operator", "create", name)


def test_a_second_factor_that_was_not_on(cli: CommandLine) -> None:
    cli("operator", "create", "ayse")
    cli("user", "create", "mark", "--email=mark@example.com")

    assert cli("operator", "reset-second-factor", "ayse") == {"username": "ayse", "wasOn": False}
    assert "had no" in cli.text("user", "reset-second-factor", "mark")
    for words in (("operator", "reset-second-factor", "mark"), ("user", "reset-second-factor", "ayse")):
        cli.fails(*words)
