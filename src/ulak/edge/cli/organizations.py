"""The commands about organizations and who belongs to them: org."""

from enum import StrEnum
from typing import Annotated

import typer

from ulak.admin import groups
from ulak.edge.cli import shown
from ulak.edge.cli.people import Username
from ulak.edge.cli.session import Json, actor, answer, config, with_database
from ulak.rules import money
from ulak.rules.permission import DEFAULT, Permission

org_app = typer.Typer(no_args_is_help=True, help="Organizations and their members.")

Org = Annotated[str, typer.Argument(metavar="ORG", help="An organization's name or id.")]


class OrgState(StrEnum):
    """Whether an organization is open."""

    active = "active"
    inactive = "inactive"


@org_app.command("create")
def create_org(name: Annotated[str, typer.Argument(help="Its name.")], json_: Json = False) -> None:
    """Make an organization.

    Example: ulak org create "Main Organization"
    """
    made = with_database(lambda db: groups.create(db, actor(), name))
    answer(shown.organization(made), json_, f"Made {made.name}, {made.id}.")


@org_app.command("list")
def list_orgs(json_: Json = False) -> None:
    """Show every organization.

    Example: ulak org list
    """
    answer([shown.organization(row) for row in with_database(groups.list_all)], json_)


@org_app.command("set-state")
def set_org_state(org: Org, state: OrgState, json_: Json = False) -> None:
    """Open an organization, or close it: nobody acts for it until it is open again.

    Example: ulak org set-state "Main Organization" inactive
    """
    row = with_database(lambda db: groups.set_state(db, actor(), org, state.value))
    answer(shown.organization(row), json_, f"{row.name} is {row.state}.")


@org_app.command("add-member")
def add_member(
    org: Org,
    username: Username,
    permission: Annotated[
        list[str] | None,
        typer.Option(
            help=f"One of {', '.join(Permission)}; may be repeated. Without any: {', '.join(DEFAULT)}."
        ),
    ] = None,
    json_: Json = False,
) -> None:
    """Make a user a member, or give a member these permissions instead of those they had.

    Example: ulak org add-member "Main Organization" mark --permission organization.sms.send
    """
    made = with_database(lambda db: groups.add_member(db, actor(), org, username, permission or None))
    answer(shown.membership(made), json_, f"{made.user.username} is a member of {made.organization.name}.")


@org_app.command("set-permissions")
def set_permissions(
    org: Org,
    username: Username,
    permission: Annotated[list[str], typer.Option(help=f"One of {', '.join(Permission)}; may be repeated.")],
    json_: Json = False,
) -> None:
    """Give a member these permissions instead of those they have.

    Example: ulak org set-permissions "Main Organization" mark --permission organization.sms.read
    """
    made = with_database(lambda db: groups.set_permissions(db, actor(), org, username, permission))
    answer(shown.membership(made), json_, f"{made.user.username} may now: {', '.join(made.permissions)}.")


@org_app.command("members")
def list_members(org: Org, json_: Json = False) -> None:
    """Show who belongs to an organization, what they may do, and what their share of the credit holds.

    Example: ulak org members "Main Organization"
    """
    answer([shown.member(row) for row in with_database(lambda db: groups.members(db, org))], json_)


@org_app.command("remove-member")
def remove_member(org: Org, username: Username, json_: Json = False) -> None:
    """End a membership; what is left of the member's credit goes back to the pool.

    Example: ulak org remove-member "Main Organization" mark
    """
    settings = config()
    left = with_database(lambda db: groups.remove_member(db, actor(), org, username))
    value = {"returned": money.fixed(left), "currency": settings.currency}
    answer(value, json_, f"{username} left; {money.short(left)} {settings.currency} went back to the pool.")
