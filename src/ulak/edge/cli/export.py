"""`ulak message export`: a customer's messages as CSV or a workbook, to a file or through a pipe."""

import signal
import sys
from collections.abc import AsyncGenerator, Callable, Iterator
from contextlib import aclosing, contextmanager
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, Final

import typer

from ulak.admin import export as exporting
from ulak.admin import trail
from ulak.admin.export import Export, Wanted
from ulak.base.db import COLLISION, UNREACHABLE, Database
from ulak.edge.cli.credit import UserOption
from ulak.edge.cli.files import Bom, ReaderGone, Semicolons, written
from ulak.edge.cli.session import Json, actor, answer, with_database
from ulak.edge.cli.times import instant, last_instant
from ulak.edge.export import Chunk, chunks
from ulak.edge.xlsx import chunks as in_a_book
from ulak.rules.csv import Dialect
from ulak.rules.refusal import Code, Refused
from ulak.rules.status import Status

READER_GONE: Final = 128 + signal.SIGPIPE

OrgOption = Annotated[
    str | None,
    typer.Option(
        "--org", metavar="ORG", help="This organization's; with --user what this member sent for it."
    ),
]
Tell = Callable[[int], None]
"""How far it is, for whoever watches."""


class Source(StrEnum):
    """How a message came in."""

    api = "api"
    panel = "panel"


def register(app: typer.Typer) -> None:
    """Add the command to those about messages."""
    app.command("export")(export_messages)


def export_messages(
    user: UserOption = None,
    org: OrgOption = None,
    sending: Annotated[str | None, typer.Option(metavar="ID", help="Of this sending only.")] = None,
    start_date: Annotated[
        str | None, typer.Option(metavar="T", help="Accepted at or after this time or day, ISO 8601, UTC.")
    ] = None,
    end_date: Annotated[
        str | None,
        typer.Option(metavar="T", help="Accepted at or before this time, or on or before this day."),
    ] = None,
    status: Annotated[Status | None, typer.Option(help="With this status.")] = None,
    source: Annotated[Source | None, typer.Option(help="That came in this way.")] = None,
    text: Annotated[str, typer.Option(help="With this in the text or the number, whatever its case.")] = "",
    out: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Into this file, once it is complete; otherwise to stdout."),
    ] = None,
    bom: Bom = False,
    semicolons: Semicolons = False,
    exact: Annotated[
        bool,
        typer.Option(
            "--exact", help="Leave texts that look like formulas as they are. Not for spreadsheets."
        ),
    ] = False,
    xlsx: Annotated[
        bool, typer.Option("--xlsx", help="A workbook instead of CSV; so is a FILE that ends with .xlsx.")
    ] = False,
    json_: Json = False,
) -> None:
    """Write messages as CSV or as a workbook, the oldest first.

    In CSV a text that a spreadsheet could take for a formula gets an apostrophe in front.

    Example: ulak message export --user mark --start-date 2026-03-01 --end-date 2026-03-31 --out march.csv
    """
    if json_ and out is None:
        raise typer.BadParameter("stdout holds the messages; name a file with --out.", param_hint="--json")
    dialect = Dialect(semicolons=semicolons, bom=bom, exact=exact)
    as_book = xlsx or (out is not None and out.suffix.lower() == ".xlsx")
    if as_book and dialect != Dialect():
        raise typer.BadParameter("a workbook has no dialect: --bom, --semicolons and --exact are for CSV.")

    async def work(db: Database) -> dict[str, Any]:
        wanted = Wanted(
            sending=sending,
            starts=instant(start_date),
            ends=last_instant(end_date),
            status=status,
            source=source,
            text=text,
        )
        export = await exporting.open_(db, user, org, wanted)
        await trail.note(db, actor(), "message.export", export.whose, **wanted.told())
        with _progress(await _total(export, out, json_)) as tell:
            return await _write(in_a_book(export) if as_book else chunks(export, dialect), out, tell)

    try:
        value = with_database(work)
    except ReaderGone:
        raise typer.Exit(READER_GONE) from None
    if out is not None:
        answer(value, json_, f"Wrote {value['messages']:,} messages to {out} ({value['bytes']:,} bytes).")


async def _write(file: AsyncGenerator[Chunk, None], out: Path | None, tell: Tell) -> dict[str, Any]:
    """Everything, where it belongs; returns the answer."""
    n_messages = n_bytes = 0
    try:
        with written(out) as write:
            async with aclosing(file) as its:
                async for chunk in its:
                    await write(chunk.data)
                    n_messages += chunk.rows
                    n_bytes += len(chunk.data)
                    tell(chunk.looked_at)
    except (
        *COLLISION,
        *UNREACHABLE,
    ) as error:  # half of it may be with the reader: it is not done again by itself
        raise Refused(
            Code.UNAVAILABLE,
            f"The database broke the export off ({error}). It is not complete; run it again.",
        ) from error
    return {"file": str(out), "messages": n_messages, "bytes": n_bytes}


async def _total(export: Export, out: Path | None, json_: bool) -> int | None:
    """How many messages there are to look at, if anybody watches."""
    watched = out is not None and not json_ and sys.stderr.isatty()
    return await export.count() if watched else None


@contextmanager
def _progress(total: int | None) -> Iterator[Tell]:
    """A bar on standard error, where there is a total."""
    if total is None:
        yield lambda done: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn()
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("Messages", total=total)
        yield lambda done: bar.update(task, completed=done)
