"""The commands about carriers: where messages go, and how the connections to them stand."""

import inspect
from collections.abc import Callable
from copy import copy
from enum import Enum, StrEnum
from pathlib import Path
from typing import Annotated, Any, get_args

import typer
from typer.core import TyperCommand

from ulak.admin import carriers
from ulak.edge.cli import shown
from ulak.edge.cli.session import Json, actor, answer, fail, with_database
from ulak.store.carriers import Carrier

carrier_app = typer.Typer(no_args_is_help=True, help="Carriers: where messages go, over SMPP.")

CarrierName = Annotated[str, typer.Argument(metavar="NAME", help="A carrier's name.")]


class CarrierState(StrEnum):
    """Whether a carrier's connections are up."""

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


class BindKind(StrEnum):
    """One connection for both ways, or one for each."""

    transceiver = "transceiver"
    pair = "pair"


class Tls(StrEnum):
    """Whether the connection is encrypted, and the carrier's certificate looked at."""

    off = "off"
    verified = "verified"
    unverified = "unverified"


class Headers(StrEnum):
    """Which sender headers go over a carrier."""

    any = "any"
    approved = "approved"


def _authorities(file: Path | None) -> str | None:
    """The text of a PEM file."""
    if file is None:
        return None
    try:
        return file.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        fail(f"{file} cannot be read: {error}")


def _settings(
    *,
    window: Annotated[
        int | None, typer.Option(help="Submits that may be unanswered on a connection.", show_default="100")
    ] = None,
    throughput: Annotated[
        int | None,
        typer.Option(help="Submits a second, all connections together; 0: no limit.", show_default="0"),
    ] = None,
    connections: Annotated[
        int | None, typer.Option(help="How many connections, in each process.", show_default="1")
    ] = None,
    bind: Annotated[
        BindKind | None,
        typer.Option(help="pair: a transmitter and a receiver instead.", show_default="transceiver"),
    ] = None,
    system_type: Annotated[str | None, typer.Option(help="Where the carrier asks for one.")] = None,
    tls: Annotated[
        Tls | None,
        typer.Option(help="Alone or verified: certificate and host name are checked.", show_default="off"),
    ] = None,
    tls_ca: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="PEM of the authorities to trust instead of the system's."),
    ] = None,
    statuses: Annotated[
        str | None,
        typer.Option(
            help="What its answers mean, where not the usual: 0x0401=retry,0x45=next; one of slow_down, retry, "
            "rebind, next (another carrier), refuse."
        ),
    ] = None,
    headers: Annotated[
        Headers | None,
        typer.Option(help="approved: only those of `ulak sender approve`.", show_default="any"),
    ] = None,
    turkish: Annotated[
        TurkishMode | None,
        typer.Option(
            help="Letters GSM-7 lacks: UCS-2, a Turkish table beside it, or written without marks.",
            show_default="ucs2",
        ),
    ] = None,
    reserve: Annotated[
        int | None,
        typer.Option(help="Characters the operator appends, kept free in the last part.", show_default="0"),
    ] = None,
    concatenation: Annotated[
        ConcatenationMode | None,
        typer.Option(
            help="Long texts: a header with a short or long reference, sar_… parameters, or uncut.",
            show_default="udh8",
        ),
    ] = None,
    packed: Annotated[
        bool | None,
        typer.Option("--packed/--unpacked", help="Septets eight to seven octets, or one to an octet."),
    ] = None,
    message_ids: Annotated[
        MessageIds | None,
        typer.Option(
            help="hex_to_dec: ids are hexadecimal in answers and decimal in receipts; or the reverse.",
            show_default="as_is",
        ),
    ] = None,
    ignore_zeros: Annotated[
        bool | None, typer.Option("--ignore-zeros/--mind-zeros", help="Whether 007 and 7 are one id.")
    ] = None,
    ignore_case: Annotated[
        bool | None, typer.Option("--ignore-case/--mind-case", help="Whether a1 and A1 are one id.")
    ] = None,
    network_from: Annotated[
        str | None,
        typer.Option(help="Where receipts name the network: text, text:FIELD, tlv:0xTAG or none."),
    ] = None,
) -> None:
    """The settings that a carrier can be made with and changed to, as options of both commands."""


def _with_settings(*, new: bool) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """A command with those options, which arrive as `settings`, before its last one, --json.

    Their defaults are those of a `new` carrier; one that is there keeps what is not said.
    """

    def extended(command: Callable[..., None]) -> Callable[..., None]:
        own = list(inspect.signature(command).parameters.values())
        own = [one for one in own if one.kind is not inspect.Parameter.VAR_KEYWORD]
        shared = list(inspect.signature(_settings).parameters.values())
        if not new:
            shared = [one.replace(annotation=_without_default(one.annotation)) for one in shared]
        every = [one.replace(kind=inspect.Parameter.KEYWORD_ONLY) for one in (*own[:-1], *shared, own[-1])]
        command.__signature__ = inspect.Signature(every)  # type: ignore[attr-defined]
        command.__annotations__ = {one.name: one.annotation for one in every}
        return command

    return extended


class _TlsAlone(TyperCommand):
    """A command in which `--tls` without a word after it is `--tls verified`."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Say the word that was left out."""
        said = [word for at, word in enumerate(args) for word in self._said(word, args[at + 1 : at + 2])]
        rest: list[str] = super().parse_args(ctx, said)
        return rest

    def _said(self, word: str, after: list[str]) -> list[str]:
        is_alone = word == "--tls" and (not after or after[0].startswith("-"))
        return ["--tls", Tls.verified.value] if is_alone else [word]


def _without_default(annotation: Any) -> Any:
    """An option as it is, but for the default that its help shows."""
    kind, info = get_args(annotation)
    info = copy(info)
    info.show_default = False
    return Annotated[kind, info]


def _plain(settings: dict[str, Any]) -> dict[str, Any]:
    """Settings by the names and in the types of `carriers.Settings`."""
    plain = {key: value.value if isinstance(value, Enum) else value for key, value in settings.items()}
    return plain | {"window_max": plain.pop("window"), "tls_ca": _authorities(plain["tls_ca"])}


@carrier_app.command("create", cls=_TlsAlone)
@_with_settings(new=True)
def create_carrier(
    name: CarrierName,
    host: Annotated[str, typer.Option(help="Where its SMSC listens.")],
    port: Annotated[int, typer.Option(help="And on which port.")],
    system_id: Annotated[str, typer.Option(help="Who we are to it.")],
    password: Annotated[str, typer.Option(help="And how we prove it.")],
    json_: Json = False,
    **settings: Any,
) -> None:
    """Make a carrier; a running server binds to it within a second or two.

    Example: ulak carrier create main --host 127.0.0.1 --port 2775 --system-id ulak --password secret
    """
    its = _plain(settings) | {"host": host, "port": port, "system_id": system_id, "password": password}
    made = with_database(lambda db: carriers.create(db, actor(), name, **its))
    answer(shown.carrier(made), json_, f"Made the carrier {made.name}.{_warning(made)}")


@carrier_app.command("set", cls=_TlsAlone)
@_with_settings(new=False)
def set_carrier(
    name: CarrierName,
    host: Annotated[str | None, typer.Option(help="Where its SMSC listens.")] = None,
    port: Annotated[int | None, typer.Option(help="And on which port.")] = None,
    system_id: Annotated[str | None, typer.Option(help="Who we are to it.")] = None,
    password: Annotated[str | None, typer.Option(help="And how we prove it.")] = None,
    state: Annotated[CarrierState | None, typer.Option(help="Bind to it, or leave it alone.")] = None,
    json_: Json = False,
    **settings: Any,
) -> None:
    """Change a carrier; a running server follows within a second or two.

    Example: ulak carrier set main --throughput 200
    """
    its = _plain(settings) | {"host": host, "port": port, "system_id": system_id, "password": password}
    changes = its | {"state": state and state.value}
    made = with_database(lambda db: carriers.change(db, actor(), name, **changes))
    answer(shown.carrier(made), json_, f"Changed the carrier {made.name}.{_warning(made)}")


def _warning(its: Carrier) -> str:
    """What an operator should know who leaves TLS out."""
    if not its.in_the_clear:
        return ""
    advice = f"Where it offers TLS: ulak carrier set {its.name} --tls"
    return f" Its password and all texts go to {its.host} in the clear. {advice}"


@carrier_app.command("list")
def list_carriers(json_: Json = False) -> None:
    """Show every carrier, how its connections stand, and what is wrong where something is.

    Example: ulak carrier list
    """
    found = with_database(carriers.listed)
    rows = [shown.standing(one) if json_ else shown.standing_line(one) for one in found]
    answer(rows, json_)
