"""The commands about messages: what became of one, those to a number, and all of them in a file (`export`)."""

from typing import Annotated

import typer

from smpp.pdu import words
from ulak.admin import find, history, trail
from ulak.base.db import Database
from ulak.base.harmless import on_a_line
from ulak.edge.cli import export, shown
from ulak.edge.cli.session import Json, actor, answer, with_database
from ulak.rules import phone

message_app = typer.Typer(no_args_is_help=True, help="Messages: what became of one, or of all of them.")
export.register(message_app)


@message_app.command("show")
def show_message(
    message_id: Annotated[str, typer.Argument(metavar="ID", help="As the list of its sending shows it.")],
    json_: Json = False,
) -> None:
    """Show everything that is known of a message's way, with times in UTC.

    Example: ulak message show 01912c5e-0b1c-7c3a-8d4e-5f6a7b8c9d0e
    """

    async def work(db: Database) -> history.History:
        found = await history.of_message(db, message_id)
        await trail.note(db, actor(), "message.show", str(found.id), user=found.username)
        return found

    found = with_database(work)
    answer(shown.history(found), json_, None if json_ else _told(found))


@message_app.command("find")
def find_messages(
    number: Annotated[str, typer.Argument(metavar="NUMBER", help="In any spelling that can be sent to.")],
    limit: Annotated[
        int, typer.Option(min=1, max=find.MESSAGES_MAX, help="At most so many.")
    ] = find.MESSAGES_MAX,
    json_: Json = False,
) -> None:
    """Show the newest messages to a number, of whichever customer.

    Example: ulak message find 0555 000 00 00
    """

    async def work(db: Database) -> list[find.Message]:
        found = await find.messages_to(db, number, limit=limit)
        await trail.note(db, actor(), "message.find", number, found=len(found))
        return found

    found = with_database(work)
    answer([shown.found(one) if json_ else shown.found_line(one) for one in found], json_)


def _told(found: history.History) -> str:
    """The same for people."""
    whose = f"{found.username} in {found.organization}" if found.organization else found.username
    message = found.message
    lines = [
        f"{phone.shown(message.recipient)} · {message.status.value} · from {whose} with {found.service}"
        + (f" as {message.sender}" if message.sender else ""),
        f"{message.text!r}",
        *map(_line, found.events),
    ]
    return "\n".join(map(on_a_line, lines))


def _line(event: history.Event) -> str:
    where = " ".join(
        part
        for part in (
            event.carrier or "",
            f"part {event.part}" if event.part else "",
            f"id {event.carrier_id}" if event.carrier_id else "",
            words(event.status) if event.status else "",
        )
        if part
    )
    return f"  {shown.time(event.at)}  {event.event:<9}  {where + ' · ' if where else ''}{event.detail}"
