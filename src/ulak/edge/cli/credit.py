"""The commands about what somebody holds: credit. Its statement is in `statement`."""

from typing import Annotated

import typer

from ulak.admin import credit
from ulak.edge.cli import shown
from ulak.edge.cli.session import Json, actor, answer, config, with_database
from ulak.rules import money

credit_app = typer.Typer(no_args_is_help=True, help="Credit: what somebody can spend, and how it got there.")

UserOption = Annotated[str | None, typer.Option("--user", metavar="USERNAME", help="This user's.")]
OrgOption = Annotated[
    str | None,
    typer.Option(
        "--org", metavar="ORG", help="This organization's pool; with --user the member's share in it."
    ),
]
Amount = Annotated[str, typer.Argument(metavar="AMOUNT", help="Like 120 or 0.5; up to six decimals.")]
Note = Annotated[str | None, typer.Option(help="Why, for the books.")]


@credit_app.command("add")
def add_credit(
    amount: Amount, user: UserOption = None, org: OrgOption = None, note: Note = None, json_: Json = False
) -> None:
    """Top a credit up: a user's own, an organization's pool, or a member's share.

    Example: ulak credit add 120 --user mark --note "invoice 17"
    """
    held = with_database(lambda db: credit.add(db, actor(), money.parse_amount(amount), user, org, note))
    _print_balance(held, json_)


@credit_app.command("take")
def take_credit(
    amount: Amount, user: UserOption = None, org: OrgOption = None, note: Note = None, json_: Json = False
) -> None:
    """Correct a credit downward; never below zero.

    Example: ulak credit take 5 --user mark --note "typed twice"
    """
    held = with_database(lambda db: credit.take(db, actor(), money.parse_amount(amount), user, org, note))
    _print_balance(held, json_)


def _print_balance(held: int, json_: bool) -> None:
    currency = config().currency
    answer(shown.balance(held, currency), json_, f"It holds {money.fixed(held)} {currency}.")


@credit_app.command("transfer")
def transfer_credit(
    amount: Amount,
    org: Annotated[str, typer.Option("--org", metavar="ORG", help="From this organization's pool.")],
    user: Annotated[str, typer.Option("--user", metavar="USERNAME", help="To this member.")],
    back: Annotated[bool, typer.Option("--back", help="The other way: from the member to the pool.")] = False,
    note: Note = None,
    json_: Json = False,
) -> None:
    """Hand credit out, from an organization's pool to a member; with --back take it back.

    Example: ulak credit transfer 50 --org "Main Organization" --user mark
    """
    move = credit.take_back if back else credit.transfer
    member, pool = with_database(lambda db: move(db, actor(), money.parse_amount(amount), org, user, note))
    value = {**shown.balance(member, config().currency), "pool": money.fixed(pool)}
    answer(value, json_, f"The member holds {money.fixed(member)}, the pool {money.fixed(pool)}.")


@credit_app.command("show")
def show_credit(user: UserOption = None, org: OrgOption = None, json_: Json = False) -> None:
    """Show what a credit holds.

    Example: ulak credit show --org "Main Organization" --user mark
    """
    _print_balance(with_database(lambda db: credit.show(db, user, org)), json_)
