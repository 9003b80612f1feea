"""The commands about customers' own headers, and which carriers know them: sender."""

from typing import Annotated

import typer

from ulak.admin import carriers, catalogue
from ulak.edge.cli import shown
from ulak.edge.cli.credit import OrgOption, UserOption
from ulak.edge.cli.sales import ServiceOption
from ulak.edge.cli.session import Json, actor, answer, with_database

sender_app = typer.Typer(no_args_is_help=True, help="Customers' own sender headers.")

CarrierOption = Annotated[str, typer.Option("--carrier", metavar="NAME", help="At this carrier.")]
HeaderArgument = Annotated[
    str, typer.Argument(metavar="HEADER", help="3 to 11 letters and digits, or a number.")
]


@sender_app.command("set")
def set_sender(
    header: HeaderArgument,
    service: ServiceOption,
    org: OrgOption = None,
    user: UserOption = None,
    json_: Json = False,
) -> None:
    """Give a customer a sender header of their own with a service.

    Until a carrier of the service that wants headers approved has this one, it gets none of its messages; where no
    carrier has it, they go out with the service's own header.

    Example: ulak sender set ACME --service BobSMS --org "Main Organization"
    """
    row = with_database(
        lambda db: catalogue.set_sender(db, actor(), header, service=service, username=user, org=org)
    )
    waits = f" It waits for {', '.join(row.waits_for)}." if row.waits_for else ""
    answer(shown.sender(row), json_, f"{org or user} sends as {row.header}.{waits}")


@sender_app.command("remove")
def remove_sender(
    service: ServiceOption, org: OrgOption = None, user: UserOption = None, json_: Json = False
) -> None:
    """Take a customer's own header with a service away.

    Example: ulak sender remove --service BobSMS --org "Main Organization"
    """
    header = with_database(
        lambda db: catalogue.remove_sender(db, actor(), service=service, username=user, org=org)
    )
    answer({"header": header, "service": service}, json_, f"{org or user} no longer sends as {header}.")


@sender_app.command("list")
def list_senders(json_: Json = False) -> None:
    """Show every customer's header, and which carriers have yet to approve it.

    Example: ulak sender list
    """
    answer([shown.sender(row) for row in with_database(catalogue.list_senders)], json_)


@sender_app.command("approve")
def approve_sender(header: HeaderArgument, carrier: CarrierOption, json_: Json = False) -> None:
    """Write down that a carrier has registered a header.

    Example: ulak sender approve ACME --carrier main
    """
    approved = with_database(lambda db: carriers.approve(db, actor(), header, carrier=carrier))
    answer({"header": approved, "carrier": carrier}, json_, f"{carrier} knows {approved}.")


@sender_app.command("withdraw")
def withdraw_sender(header: HeaderArgument, carrier: CarrierOption, json_: Json = False) -> None:
    """Take an approval back.

    Example: ulak sender withdraw ACME --carrier main
    """
    gone = with_database(lambda db: carriers.withdraw(db, actor(), header, carrier=carrier))
    answer({"header": gone, "carrier": carrier}, json_, f"{carrier} no longer knows {gone}.")
