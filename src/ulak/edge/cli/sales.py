"""The commands about what is for sale: service, price."""

from enum import StrEnum
from typing import Annotated, Final
from uuid import UUID

import typer

from ulak.admin import catalogue, pricing
from ulak.admin.catalogue import Offer
from ulak.base.db import Database
from ulak.edge.cli import shown
from ulak.edge.cli.credit import OrgOption, UserOption
from ulak.edge.cli.session import Json, actor, answer, config, fail, with_database
from ulak.edge.cli.times import instant
from ulak.rules import money
from ulak.store.prices import PriceRule

service_app = typer.Typer(no_args_is_help=True, help="Services: what customers can send with.")
price_app = typer.Typer(no_args_is_help=True, help="Price rules, and how a price comes about.")

ServiceName = Annotated[str, typer.Argument(metavar="NAME", help="A service's name.")]
_ROUTE: Final = (
    "Over which carrier it goes; again for the next one. NAME:90532,90533 only for numbers that begin so; "
    "NAME@70 and its neighbour NAME@30 share the numbers."
)
RouteOption = Annotated[list[str], typer.Option("--carrier", metavar="NAME", help=_ROUTE)]
OtherRouteOption = Annotated[
    list[str] | None, typer.Option("--carrier", metavar="NAME", help=f"The whole route anew. {_ROUTE}")
]
_FALLBACK: Final = "How long a carrier may be down or throttle before the next one gets its messages."
FallbackOption = Annotated[int, typer.Option(help=_FALLBACK)]
OtherFallbackOption = Annotated[int | None, typer.Option(help=_FALLBACK)]
ServiceOption = Annotated[str, typer.Option("--service", metavar="NAME", help="Of this service.")]


class ServiceState(StrEnum):
    """Whether a service can be sent with."""

    active = "active"
    inactive = "inactive"


class Billing(StrEnum):
    """What a price is for."""

    message = "message"
    segment = "segment"


class Unsure(StrEnum):
    """What happens to messages nobody knows about after a crash."""

    resend = "resend"
    refund = "refund"


class Kind(StrEnum):
    """What a rule does to a price."""

    fixed = "fixed"
    percent = "percent"
    amount = "amount"


def _refund(text: str) -> frozenset[str]:
    return frozenset() if text == "none" else frozenset(part.strip() for part in text.split(","))


@service_app.command("create")
def create_service(
    name: ServiceName,
    price: Annotated[str, typer.Option(help="Of one message or segment, before any rule.")],
    currency: Annotated[str, typer.Option(help="The installation's.")],
    carrier: RouteOption,
    billing: Annotated[Billing, typer.Option(help="What the price is for.")] = Billing.message,
    refund: Annotated[
        str, typer.Option(help="Which ends are paid back: not_sent, no_signal, both or none.")
    ] = "not_sent,no_signal",
    unsure: Annotated[
        Unsure, typer.Option(help="What is in flight at a crash goes out again, or ends paid back.")
    ] = Unsure.resend,
    sender: Annotated[
        str | None, typer.Option(help="The sender header of customers without their own.")
    ] = None,
    validity_minutes: Annotated[int, typer.Option(help="How long a carrier may try.")] = 1440,
    fallback_seconds: FallbackOption = 60,
    foreign: Annotated[bool, typer.Option(help="Also numbers outside Turkey.")] = False,
    json_: Json = False,
) -> None:
    """Make a service; customers see it within a second or two.

    With several carriers the first that can take a message gets it, and the next one when it is refused, down or
    throttling.

    Example: ulak service create BobSMS --price 1 --currency USD --carrier main --carrier backup
    """
    settings = config()

    async def run(db: Database) -> Offer:
        return await catalogue.create_service(
            db,
            actor(),
            name,
            installation_currency=settings.currency,
            currency=currency,
            route=carrier,
            price=money.parse_amount(price),
            billing=billing.value,
            refund_on=_refund(refund),
            unsure=unsure.value,
            sender=sender,
            validity_minutes=validity_minutes,
            fallback_seconds=fallback_seconds,
            foreign_numbers=foreign,
        )

    made = with_database(run)
    answer(shown.service(made), json_, f"Made the service {made.service.name}, {made.service.id}.")


@service_app.command("set")
def set_service(
    name: ServiceName,
    price: Annotated[str | None, typer.Option(help="Of one message or segment, before any rule.")] = None,
    carrier: OtherRouteOption = None,
    billing: Annotated[Billing | None, typer.Option(help="What the price is for.")] = None,
    refund: Annotated[str | None, typer.Option(help="not_sent, no_signal, both or none.")] = None,
    unsure: Annotated[Unsure | None, typer.Option(help="resend or refund.")] = None,
    sender: Annotated[str | None, typer.Option(help='The default sender header; "" takes it away.')] = None,
    validity_minutes: Annotated[int | None, typer.Option(help="How long a carrier may try.")] = None,
    fallback_seconds: OtherFallbackOption = None,
    foreign: Annotated[
        bool | None, typer.Option("--foreign/--no-foreign", help="Also numbers outside Turkey.")
    ] = None,
    json_: Json = False,
) -> None:
    """Change a service; what was accepted before keeps its terms, and follows the new route only to fall back.

    Example: ulak service set BobSMS --price 0.9 --carrier main@70 --carrier second@30 --carrier backup
    """

    async def run(db: Database) -> Offer:
        return await catalogue.set_service(
            db,
            actor(),
            name,
            route=carrier,
            price=money.parse_amount(price) if price is not None else None,
            billing=billing.value if billing else None,
            refund_on=_refund(refund) if refund is not None else None,
            unsure=unsure.value if unsure else None,
            sender=sender,
            validity_minutes=validity_minutes,
            fallback_seconds=fallback_seconds,
            foreign_numbers=foreign,
        )

    made = with_database(run)
    answer(shown.service(made), json_, f"Changed the service {made.service.name}.")


@service_app.command("set-state")
def set_service_state(name: ServiceName, state: ServiceState, json_: Json = False) -> None:
    """Open a service, or close it: nothing new is accepted for it.

    Example: ulak service set-state BobSMS inactive
    """
    made = with_database(lambda db: catalogue.set_service(db, actor(), name, state=state.value))
    answer(shown.service(made), json_, f"{made.service.name} is {made.service.state}.")


@service_app.command("list")
def list_services(json_: Json = False) -> None:
    """Show every service.

    Example: ulak service list
    """
    answer([shown.service(row) for row in with_database(catalogue.list_services)], json_)


@price_app.command("add")
def add_rule(
    service: ServiceOption,
    kind: Annotated[Kind, typer.Option(help="fixed replaces, percent adds a share, amount adds.")],
    value: Annotated[str, typer.Option(help="An amount, or percent; -10 with percent is a discount.")],
    org: OrgOption = None,
    user: UserOption = None,
    from_volume: Annotated[
        int | None, typer.Option(help="Counts from so many messages a month upward.")
    ] = None,
    starts: Annotated[str | None, typer.Option(metavar="T", help="Counts from this time, ISO 8601.")] = None,
    ends: Annotated[str | None, typer.Option(metavar="T", help="Counts before this time, ISO 8601.")] = None,
    json_: Json = False,
) -> None:
    """Add a rule to a service's price, for everyone, an organization or a user.

    Example: ulak price add --service BobSMS --user mark --kind percent --value -10
    """

    async def run(db: Database) -> PriceRule:
        return await pricing.add(
            db,
            actor(),
            service=service,
            username=user,
            org=org,
            kind=kind.value,
            value=money.parse_signed(value),
            from_volume=from_volume,
            starts=instant(starts),
            ends=instant(ends),
        )

    made = with_database(run)
    answer(shown.rule(made), json_, f"Added the rule {made.id}.")


@price_app.command("remove")
def remove_rule(
    rule_id: Annotated[str, typer.Argument(metavar="ID", help="As `ulak price list` shows it.")],
    json_: Json = False,
) -> None:
    """Take a rule away.

    Example: ulak price remove 01912c5e-0b1c-7c3a-8d4e-5f6a7b8c9d0e
    """
    try:
        id_ = UUID(rule_id)
    except ValueError:
        fail(f"{rule_id!r} is no rule's id.")
    gone = with_database(lambda db: pricing.remove(db, actor(), id_))
    answer(shown.rule(gone), json_, f"Removed the rule {gone.id}.")


@price_app.command("list")
def list_rules(json_: Json = False) -> None:
    """Show every price rule.

    Example: ulak price list
    """
    answer([shown.rule_line(row) for row in with_database(pricing.list_all)], json_)


@price_app.command("explain")
def explain_price(
    service: ServiceOption, user: UserOption = None, org: OrgOption = None, json_: Json = False
) -> None:
    """Show how a customer's price comes about, step by step.

    Example: ulak price explain --service BobSMS --user mark
    """
    settings = config()
    found = with_database(lambda db: pricing.explain(db, service=service, username=user, org=org))
    steps = "\n".join(step.text for step in found.explanation.steps)
    price = f"{money.fixed(found.explanation.price)} {settings.currency}"
    answer(
        shown.explained(found, settings.currency),
        json_,
        f"Messages sent this month: {found.volume}\n{steps}\nPrice: {price}",
    )
