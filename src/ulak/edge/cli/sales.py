"""The commands about what is for sale: carrier, service, sender, price."""

import re
from datetime import UTC, datetime
from enum import StrEnum
from typing import Annotated
from uuid import UUID

import typer

from ulak.admin import catalogue, pricing
from ulak.base.db import Database
from ulak.edge.cli import shown
from ulak.edge.cli.people import OrgOption, UserOption
from ulak.edge.cli.session import Json, actor, answer, config, fail, with_database
from ulak.rules import money
from ulak.rules.refusal import Code, Refused
from ulak.store.prices import PriceRule
from ulak.store.services import Service

carrier_app = typer.Typer(no_args_is_help=True, help="Carriers: where messages go, over SMPP.")
service_app = typer.Typer(no_args_is_help=True, help="Services: what customers can send with.")
sender_app = typer.Typer(no_args_is_help=True, help="Customers' own sender headers.")
price_app = typer.Typer(no_args_is_help=True, help="Price rules, and how a price comes about.")

CarrierName = Annotated[str, typer.Argument(metavar="NAME", help="A carrier's name.")]
ServiceName = Annotated[str, typer.Argument(metavar="NAME", help="A service's name.")]
ServiceOption = Annotated[str, typer.Option("--service", metavar="NAME", help="Of this service.")]


class CarrierState(StrEnum):
    """Whether a carrier's link is up."""

    active = "active"
    paused = "paused"


class TurkishMode(StrEnum):
    """What to do with letters that GSM-7 lacks."""

    ucs2 = "ucs2"
    locking = "locking"
    single = "single"
    transliterate = "transliterate"


class ConcatenationMode(StrEnum):
    """How the parts of a long text are put together again."""

    udh8 = "udh8"
    udh16 = "udh16"
    sar = "sar"
    payload = "payload"


class MessageIds(StrEnum):
    """How the ids of answers and receipts differ."""

    as_is = "as_is"
    hex_to_dec = "hex_to_dec"
    dec_to_hex = "dec_to_hex"


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


TurkishOption = Annotated[
    TurkishMode | None,
    typer.Option(help="Letters GSM-7 lacks: UCS-2, a Turkish table beside it, or written without marks."),
]
Reserve = Annotated[
    int | None, typer.Option(help="Characters the operator appends, kept free in the last part.")
]
ConcatenationOption = Annotated[
    ConcatenationMode | None,
    typer.Option(help="Long texts: a header with a short or long reference, sar_… parameters, or uncut."),
]
Packed = Annotated[
    bool | None,
    typer.Option("--packed/--unpacked", help="Septets eight to seven octets, or one to an octet."),
]

MessageIdsOption = Annotated[
    MessageIds | None,
    typer.Option(help="hex_to_dec: ids are hexadecimal in answers and decimal in receipts; or the reverse."),
]
IgnoreZeros = Annotated[
    bool | None, typer.Option("--ignore-zeros/--mind-zeros", help="Whether 007 and 7 are one id.")
]
IgnoreCase = Annotated[
    bool | None, typer.Option("--ignore-case/--mind-case", help="Whether a1 and A1 are one id.")
]
NetworkFrom = Annotated[
    str | None, typer.Option(help="Where receipts name the network: text, text:FIELD, tlv:0xTAG or none.")
]


@carrier_app.command("create")
def create_carrier(
    name: CarrierName,
    host: Annotated[str, typer.Option(help="Where its SMSC listens.")],
    port: Annotated[int, typer.Option(help="And on which port.")],
    system_id: Annotated[str, typer.Option(help="Who we are to it.")],
    password: Annotated[str, typer.Option(help="And how we prove it.")],
    window: Annotated[int, typer.Option(help="Submits that may be unanswered.")] = 100,
    throughput: Annotated[int, typer.Option(help="Submits a second; 0: no limit.")] = 0,
    turkish: TurkishOption = None,
    reserve: Reserve = None,
    concatenation: ConcatenationOption = None,
    packed: Packed = None,
    message_ids: MessageIdsOption = None,
    ignore_zeros: IgnoreZeros = None,
    ignore_case: IgnoreCase = None,
    network_from: NetworkFrom = None,
    json_: Json = False,
) -> None:
    """Make a carrier; a running server binds to it within a second or two.

    Example: ulak carrier create main --host 127.0.0.1 --port 2775 --system-id ulak --password secret
    """
    made = with_database(
        lambda db: catalogue.create_carrier(
            db,
            actor(),
            name,
            host=host,
            port=port,
            system_id=system_id,
            password=password,
            window_max=window,
            throughput=throughput,
            turkish=turkish and turkish.value,
            reserve=reserve,
            concatenation=concatenation and concatenation.value,
            packed=packed,
            message_ids=message_ids and message_ids.value,
            ignore_zeros=ignore_zeros,
            ignore_case=ignore_case,
            network_from=network_from,
        )
    )
    answer(shown.carrier(made), json_, f"Made the carrier {made.name}.")


@carrier_app.command("set")
def set_carrier(
    name: CarrierName,
    host: Annotated[str | None, typer.Option(help="Where its SMSC listens.")] = None,
    port: Annotated[int | None, typer.Option(help="And on which port.")] = None,
    system_id: Annotated[str | None, typer.Option(help="Who we are to it.")] = None,
    password: Annotated[str | None, typer.Option(help="And how we prove it.")] = None,
    window: Annotated[int | None, typer.Option(help="Submits that may be unanswered.")] = None,
    throughput: Annotated[int | None, typer.Option(help="Submits a second; 0: no limit.")] = None,
    turkish: TurkishOption = None,
    reserve: Reserve = None,
    concatenation: ConcatenationOption = None,
    packed: Packed = None,
    message_ids: MessageIdsOption = None,
    ignore_zeros: IgnoreZeros = None,
    ignore_case: IgnoreCase = None,
    network_from: NetworkFrom = None,
    state: Annotated[CarrierState | None, typer.Option(help="Bind to it, or leave it alone.")] = None,
    json_: Json = False,
) -> None:
    """Change a carrier; a running server follows within a second or two.

    Example: ulak carrier set main --throughput 200
    """
    made = with_database(
        lambda db: catalogue.set_carrier(
            db,
            actor(),
            name,
            host=host,
            port=port,
            system_id=system_id,
            password=password,
            window_max=window,
            throughput=throughput,
            turkish=turkish and turkish.value,
            reserve=reserve,
            concatenation=concatenation and concatenation.value,
            packed=packed,
            message_ids=message_ids and message_ids.value,
            ignore_zeros=ignore_zeros,
            ignore_case=ignore_case,
            network_from=network_from,
            state=state and state.value,
        )
    )
    answer(shown.carrier(made), json_, f"Changed the carrier {made.name}.")


@carrier_app.command("list")
def list_carriers(json_: Json = False) -> None:
    """Show every carrier.

    Example: ulak carrier list
    """
    answer([shown.carrier(row) for row in with_database(catalogue.list_carriers)], json_)


def _refund(text: str) -> frozenset[str]:
    return frozenset() if text == "none" else frozenset(part.strip() for part in text.split(","))


@service_app.command("create")
def create_service(
    name: ServiceName,
    price: Annotated[str, typer.Option(help="Of one message or segment, before any rule.")],
    currency: Annotated[str, typer.Option(help="The installation's.")],
    carrier: Annotated[str, typer.Option(help="Over which carrier it goes.")],
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
    foreign: Annotated[bool, typer.Option(help="Also numbers outside Turkey.")] = False,
    json_: Json = False,
) -> None:
    """Make a service; customers see it within a second or two.

    Example: ulak service create BobSMS --price 1 --currency USD --carrier main
    """
    settings = config()

    async def run(db: Database) -> Service:
        return await catalogue.create_service(
            db,
            actor(),
            name,
            installation_currency=settings.currency,
            currency=currency,
            price=money.parse_amount(price),
            carrier=carrier,
            billing=billing.value,
            refund_on=_refund(refund),
            unsure=unsure.value,
            sender_header=sender,
            validity_minutes=validity_minutes,
            foreign_numbers=foreign,
        )

    made = with_database(run)
    answer(shown.service(made, carrier), json_, f"Made the service {made.name}, {made.id}.")


@service_app.command("set")
def set_service(
    name: ServiceName,
    price: Annotated[str | None, typer.Option(help="Of one message or segment, before any rule.")] = None,
    carrier: Annotated[str | None, typer.Option(help="Over which carrier it goes.")] = None,
    billing: Annotated[Billing | None, typer.Option(help="What the price is for.")] = None,
    refund: Annotated[str | None, typer.Option(help="not_sent, no_signal, both or none.")] = None,
    unsure: Annotated[Unsure | None, typer.Option(help="resend or refund.")] = None,
    sender: Annotated[str | None, typer.Option(help='The default sender header; "" takes it away.')] = None,
    validity_minutes: Annotated[int | None, typer.Option(help="How long a carrier may try.")] = None,
    foreign: Annotated[
        bool | None, typer.Option("--foreign/--no-foreign", help="Also numbers outside Turkey.")
    ] = None,
    json_: Json = False,
) -> None:
    """Change a service; what was accepted before keeps its terms.

    Example: ulak service set BobSMS --price 0.9
    """

    async def run(db: Database) -> tuple[Service, str]:
        changed = await catalogue.set_service(
            db,
            actor(),
            name,
            carrier=carrier,
            price=money.parse_amount(price) if price is not None else None,
            billing=billing.value if billing else None,
            refund_on=_refund(refund) if refund is not None else None,
            unsure=unsure.value if unsure else None,
            sender=sender,
            validity_minutes=validity_minutes,
            foreign_numbers=foreign,
        )
        return next((row, its) for row, its in await catalogue.list_services(db) if row.id == changed.id)

    row, its_carrier = with_database(run)
    answer(shown.service(row, its_carrier), json_, f"Changed the service {row.name}.")


@service_app.command("set-state")
def set_service_state(name: ServiceName, state: ServiceState, json_: Json = False) -> None:
    """Open a service, or close it: nothing new is accepted for it.

    Example: ulak service set-state BobSMS inactive
    """

    async def run(db: Database) -> tuple[Service, str]:
        changed = await catalogue.set_service(db, actor(), name, state=state.value)
        return next((row, its) for row, its in await catalogue.list_services(db) if row.id == changed.id)

    row, its_carrier = with_database(run)
    answer(shown.service(row, its_carrier), json_, f"{row.name} is {row.state}.")


@service_app.command("list")
def list_services(json_: Json = False) -> None:
    """Show every service.

    Example: ulak service list
    """
    rows = with_database(catalogue.list_services)
    answer([shown.service(row, its_carrier) for row, its_carrier in rows], json_)


@sender_app.command("set")
def set_sender(
    header: Annotated[str, typer.Argument(metavar="HEADER", help="3 to 11 letters and digits, or a number.")],
    service: ServiceOption,
    org: OrgOption = None,
    user: UserOption = None,
    json_: Json = False,
) -> None:
    """Give a customer a sender header of their own with a service.

    Example: ulak sender set ACME --service BobSMS --org "Main Organization"
    """
    row = with_database(
        lambda db: catalogue.set_sender(db, actor(), header, service=service, username=user, org=org)
    )
    value = {"header": row.header, "service": service, "organization": org, "user": user}
    answer(value, json_, f"{org or user} sends as {row.header}.")


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
            starts=_instant(starts),
            ends=_instant(ends),
        )

    made = with_database(run)
    answer(shown.rule(made), json_, f"Added the rule {made.id}.")


def _instant(text: str | None) -> datetime | None:
    """A time with or without offset (then UTC), or a day."""
    if text is None:
        return None
    try:
        if not re.match(r"\d{4}-\d\d-\d\d", text):
            raise ValueError(text)
        at = datetime.fromisoformat(text)
        return (at if at.tzinfo else at.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError):
        raise Refused(Code.INVALID_VALUE, f"{text!r} is no time like 2026-03-10T10:00:00Z.") from None


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
