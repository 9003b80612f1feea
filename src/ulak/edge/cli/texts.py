"""`ulak text`: what becomes of a text on its way to a handset, octet for octet.

In: a text of any length, and a carrier, a service or a mode. Out: its encoding, its segments and how full they are,
as `rules.segments` decides for the customers' messages too. Only a carrier or a service needs the database.
"""

from dataclasses import replace
from typing import Annotated, Any

import typer

from ulak.admin import carriers
from ulak.edge.cli.carriers import TurkishMode
from ulak.edge.cli.session import Json, answer, fail, with_database
from ulak.rules import segments
from ulak.rules.text import clean


def register(app: typer.Typer) -> None:
    """Add the command to the command line."""
    app.command("text")(show_text)


def show_text(
    text: Annotated[str, typer.Argument(metavar="TEXT", help="As a customer would send it; of any length.")],
    carrier: Annotated[str | None, typer.Option(metavar="NAME", help="As this carrier wants it.")] = None,
    service: Annotated[
        str | None, typer.Option(metavar="NAME", help="As the first carrier of this service wants it.")
    ] = None,
    turkish: Annotated[TurkishMode | None, typer.Option(help="In this mode, whatever the carrier's.")] = None,
    json_: Json = False,
) -> None:
    """Show how a text travels: encoding, segments, room left, and the octets of each part.

    Example: ulak text "Siparişiniz yola çıktı." --turkish locking
    """
    style = segments.PLAIN
    if carrier is not None or service is not None:
        style = with_database(lambda db: carriers.style(db, carrier=carrier, service=service))
    if turkish is not None:
        style = replace(style, turkish=turkish.value)
    try:
        answer(value := _shown(clean(text), style), json_, None if json_ else _told(value))
    except UnicodeEncodeError:
        fail("The text is not valid Unicode.")
    except ValueError as error:
        fail(f"The text is too long: {error}.")


def _shown(text: str, style: segments.Style) -> dict[str, Any]:
    encoded = segments.split(text, style)
    return {
        "encoding": encoded.encoding,
        "characters": len(text),
        "units": encoded.units,
        "segments": encoded.segments,
        "unitsLeft": encoded.units_left,
        "parts": [(part.udh + part.payload).hex() for part in encoded.parts],
    }


def _told(value: dict[str, Any]) -> str:
    """The same for people."""
    counted = " · ".join(f"{name} {value[name]}" for name in ("characters", "units", "segments", "unitsLeft"))
    parts = [f"  {number}. {octets}" for number, octets in enumerate(value["parts"], start=1)]
    return "\n".join([f"{value['encoding']} · {counted}", *parts])
