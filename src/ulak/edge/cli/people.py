"""The commands about who there is, and the keys of their programs: user, key."""

import re
import sys
from enum import StrEnum
from typing import Annotated, Any
from uuid import UUID

import typer

from ulak.admin import accounts
from ulak.edge.cli import shown, times
from ulak.edge.cli.session import Json, actor, answer, attempt, fail, with_database
from ulak.rules.scope import EVERY, Scope

user_app = typer.Typer(no_args_is_help=True, help="Users: who can hold keys, credit and memberships.")
key_app = typer.Typer(no_args_is_help=True, help="API keys: what a customer's program shows to be somebody.")

Username = Annotated[str, typer.Argument(metavar="USERNAME", help="A user's name.")]


class UserState(StrEnum):
    """Whether a user is let in."""

    active = "active"
    disabled = "disabled"


@user_app.command("create")
def create_user(
    username: Username,
    email: Annotated[str, typer.Option(help="Where to reach them.")],
    password_stdin: Annotated[
        bool, typer.Option("--password-stdin", help="Read a password from the first line of stdin.")
    ] = False,
    json_: Json = False,
) -> None:
    """Make a user.

    Example: ulak user create mark --email mark@example.com
    """
    password = sys.stdin.readline().rstrip("\r\n") if password_stdin else None
    made = with_database(lambda db: accounts.create_user(db, actor(), username, email, password))
    answer(shown.user(made), json_, f"Made the user {made.username}. Next: ulak key create {made.username}")


@user_app.command("list")
def list_users(json_: Json = False) -> None:
    """Show every user.

    Example: ulak user list
    """
    answer([shown.user_line(row) for row in with_database(accounts.list_users)], json_)


@user_app.command("set-state")
def set_user_state(username: Username, state: UserState, json_: Json = False) -> None:
    """Let a user in, or shut them out: their keys stop working at once.

    Example: ulak user set-state mark disabled
    """
    row = with_database(lambda db: accounts.set_user_state(db, actor(), username, state.value))
    answer(shown.user_line(row), json_, f"{row.username} is {row.state}.")


@user_app.command("set-password")
def set_user_password(
    username: Username,
    password_stdin: Annotated[
        bool, typer.Option("--password-stdin", help="Read the password from the first line of stdin.")
    ] = False,
    json_: Json = False,
) -> None:
    """Let a user sign in with another password from now on.

    Example: ulak user set-password mark --password-stdin < password.txt
    """
    if not password_stdin:
        raise typer.BadParameter(
            "a password is read from stdin, where nobody sees it.", param_hint="--password-stdin"
        )
    password = sys.stdin.readline().rstrip("\r\n")
    row = with_database(lambda db: accounts.set_password(db, actor(), username, password))
    answer(shown.user_line(row), json_, f"{row.username} has another password.")


@user_app.command("set-rate")
def set_user_rate(
    username: Username,
    rate: Annotated[
        str,
        typer.Argument(metavar="RATE", help="Requests a second; 0: no limit; default: ULAK_RATE_PER_SECOND."),
    ],
    json_: Json = False,
) -> None:
    """Bound how often a user may ask the API, with all their keys together.

    Example: ulak user set-rate mark 50
    """
    per_second = None if rate == "default" else _whole(rate, "default")
    with_database(lambda db: accounts.set_user_rate(db, actor(), username, per_second))
    said = "as often as the installation says" if per_second is None else f"{per_second} times a second"
    answer(
        {"username": username, "ratePerSecond": per_second},
        json_,
        f"{username} may ask {said if per_second != 0 else 'as often as they like'}.",
    )


def _whole(text: str, word: str) -> int:
    if not re.fullmatch(r"[0-9]{1,9}", text):
        fail(f"{text!r} is no rate: give a whole number, or the word {word}.")
    return int(text)


@key_app.command("create")
def create_key(
    username: Username,
    name: Annotated[str, typer.Option(help="To tell it from the user's other keys.")] = "",
    allow_ip: Annotated[
        list[str] | None,
        typer.Option("--allow-ip", metavar="CIDR", help="Usable from here only; may be repeated."),
    ] = None,
    scope: Annotated[
        list[Scope] | None, typer.Option(help="Good for this only; may be repeated. Without any: for all.")
    ] = None,
    expires: Annotated[
        str | None, typer.Option(metavar="TIME", help="Good until then, or to the end of that day (UTC).")
    ] = None,
    rate: Annotated[int | None, typer.Option(help="Requests a second of this key alone.")] = None,
    json_: Json = False,
) -> None:
    """Make an API key. It is shown this once; only a hash of it is kept.

    Example: ulak key create mark --name shop --allow-ip 10.0.0.0/8 --scope sms:send --expires 2027-01-31
    """
    until = attempt(lambda: times.last_instant(expires))
    its: dict[str, Any] = {"scopes": scope or EVERY, "expires_at": until, "rate_per_second": rate}
    made = with_database(
        lambda db: accounts.create_key(db, actor(), username, name, tuple(allow_ip or ()), **its)
    )
    answer(
        shown.new_key(made), json_, f"{made.secret}\nKeep it: it is not shown again. Its id is {made.key.id}."
    )


@key_app.command("set-rate")
def set_key_rate(
    prefix: Annotated[
        str, typer.Argument(metavar="PREFIX", help="How it begins, as `ulak key list` shows it.")
    ],
    rate: Annotated[
        str, typer.Argument(metavar="RATE", help="Requests a second; off: as often as its user may.")
    ],
    json_: Json = False,
) -> None:
    """Bound how often a key may ask the API, besides what its user may with all their keys together.

    Example: ulak key set-rate ulak_ab12Cd 5
    """
    per_second = None if rate == "off" else _whole(rate, "off")
    row = with_database(lambda db: accounts.set_key_rate(db, actor(), prefix.rstrip("…"), per_second))
    said = "as often as its user" if per_second is None else f"{per_second} times a second"
    answer(shown.key(row), json_, f"The key {row.prefix}… may ask {said}.")


@key_app.command("revoke")
def revoke_key(
    key_id: Annotated[str, typer.Argument(metavar="KEY_ID", help="As `ulak key list` shows it.")],
    json_: Json = False,
) -> None:
    """End a key for good.

    Example: ulak key revoke 01912c5e-0b1c-7c3a-8d4e-5f6a7b8c9d0e
    """
    row = with_database(lambda db: accounts.revoke_key(db, actor(), _uuid(key_id, "key")))
    answer(shown.key(row), json_, f"The key {row.prefix}… is revoked.")


def _uuid(text: str, what: str) -> UUID:
    try:
        return UUID(text)
    except ValueError:
        fail(f"{text!r} is no {what}'s id.")


@key_app.command("list")
def list_keys(username: Username, json_: Json = False) -> None:
    """Show a user's keys.

    Example: ulak key list mark
    """
    answer([shown.key(row) for row in with_database(lambda db: accounts.list_keys(db, username))], json_)
