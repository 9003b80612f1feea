"""The commands about who comes in by the operator's door, and about second factors that somebody lost."""

import sys
from enum import StrEnum
from typing import Annotated

import typer

from ulak.admin import operators, second_factor
from ulak.edge.cli import shown
from ulak.edge.cli.people import Username, UserState, user_app
from ulak.edge.cli.session import Json, actor, answer, with_database

operator_app = typer.Typer(no_args_is_help=True, help="Operators: who may come in at /operator.")

Name = Annotated[str, typer.Argument(metavar="NAME", help="An operator's name.")]
PasswordStdin = Annotated[
    bool,
    typer.Option(
        "--password-stdin", help="Read a password from the first line of stdin; without, one is made."
    ),
]


class OperatorRole(StrEnum):
    """What an operator may do: everything, or only look."""

    operator = "operator"
    viewer = "viewer"


def _typed(password_stdin: bool) -> str | None:
    return sys.stdin.readline().rstrip("\r\n") if password_stdin else None


def _answer(made: operators.NewOperator, json_: bool) -> None:
    name = made.operator.username
    how = f"with the password {made.password}\nKeep it: it is not shown again." if made.password else ""
    answer(shown.new_operator(made), json_, f"{name} signs in at {shown.SIGN_IN} {how}".strip())


@operator_app.command("create")
def create_operator(
    name: Name,
    role: Annotated[
        OperatorRole, typer.Option(help="A viewer sees everything and changes nothing.")
    ] = OperatorRole.operator,
    password_stdin: PasswordStdin = False,
    json_: Json = False,
) -> None:
    """Make an operator, and show how they sign in, this once.

    Example: ulak operator create ayse --role viewer
    """
    password = _typed(password_stdin)
    _answer(
        with_database(lambda db: operators.create(db, actor(), name, password, role.value)),
        json_,
    )


@operator_app.command("list")
def list_operators(json_: Json = False) -> None:
    """Show every operator.

    Example: ulak operator list
    """
    answer([shown.operator(row) for row in with_database(operators.list_all)], json_)


@operator_app.command("set-state")
def set_operator_state(name: Name, state: UserState, json_: Json = False) -> None:
    """Let an operator in, or shut them out: their sessions end at once.

    Example: ulak operator set-state ayse disabled
    """
    row = with_database(lambda db: operators.set_state(db, actor(), name, state.value))
    answer(shown.operator(row), json_, f"{row.username} is {row.state}.")


@operator_app.command("set-password")
def set_operator_password(name: Name, password_stdin: PasswordStdin = False, json_: Json = False) -> None:
    """Give an operator another password, shown this once: their sessions end at once.

    Example: ulak operator set-password ayse
    """
    password = _typed(password_stdin)
    _answer(with_database(lambda db: operators.set_password(db, actor(), name, password)), json_)


@operator_app.command("reset-second-factor")
def reset_operators_second_factor(name: Name, json_: Json = False) -> None:
    """Forget the second factor of an operator who lost theirs: they sign in by their password alone.

    Example: ulak operator reset-second-factor ayse
    """
    was_on = with_database(lambda db: second_factor.reset_of(db, actor(), "operator", name))
    _answer_reset(name, was_on, json_)


@user_app.command("reset-second-factor")
def reset_users_second_factor(username: Username, json_: Json = False) -> None:
    """Forget the second factor of a user who lost theirs: they sign in by their password alone.

    Example: ulak user reset-second-factor mark
    """
    was_on = with_database(lambda db: second_factor.reset_of(db, actor(), "customer", username))
    _answer_reset(username, was_on, json_)


def _answer_reset(name: str, was_on: bool, json_: bool) -> None:
    sentence = f"{name} has no second factor any more." if was_on else f"{name} had no second factor."
    answer({"username": name, "wasOn": was_on}, json_, sentence)
