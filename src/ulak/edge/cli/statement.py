"""`ulak credit statement`: what came into a credit and what went out, for people, for programs and as CSV."""

import signal
from contextlib import aclosing
from pathlib import Path
from typing import Annotated, Any, Final

import typer

from ulak.admin import statement as statements
from ulak.admin.statement import PAGE_ENTRIES_MAX, Line, Page, Statement, Wanted
from ulak.base.db import COLLISION, UNREACHABLE, Database
from ulak.edge.cli import shown
from ulak.edge.cli.credit import OrgOption, UserOption
from ulak.edge.cli.files import Bom, ReaderGone, Semicolons, written
from ulak.edge.cli.session import Json, answer, config, with_database
from ulak.edge.cli.times import instant, last_instant
from ulak.edge.statement import chunks, message_id
from ulak.rules import money
from ulak.rules.csv import Dialect
from ulak.rules.refusal import Code, Refused
from ulak.store.statements import KINDS

READER_GONE: Final = 128 + signal.SIGPIPE
STDOUT: Final = Path("-")
TEXT_LENGTH_MAX: Final = 40
"""How much of a message's text a table shows."""


def register(app: typer.Typer) -> None:
    """Add the command to those about credit."""
    app.command("statement")(show_statement)


def show_statement(
    user: UserOption = None,
    org: OrgOption = None,
    since: Annotated[
        str | None, typer.Option(metavar="T", help="At or after this time or day, ISO 8601, UTC.")
    ] = None,
    until: Annotated[
        str | None, typer.Option(metavar="T", help="At or before this time, or on or before this day.")
    ] = None,
    kind: Annotated[
        list[str] | None, typer.Option(help=f"One of {', '.join(KINDS)}; may be repeated.")
    ] = None,
    limit: Annotated[
        int, typer.Option(min=1, max=PAGE_ENTRIES_MAX, help="So many entries, the newest first.")
    ] = 20,
    older_than: Annotated[
        int | None, typer.Option(metavar="ID", min=1, help="Those before this entry.")
    ] = None,
    csv: Annotated[
        Path | None,
        typer.Option("--csv", metavar="FILE", help="All of them as CSV, the oldest first; - for stdout."),
    ] = None,
    bom: Bom = False,
    semicolons: Semicolons = False,
    json_: Json = False,
) -> None:
    """Show what came into a credit and what went out, and what it held after each.

    Example: ulak credit statement --user mark --since 2026-03-01 --until 2026-03-31 --csv march.csv
    """
    if json_ and csv == STDOUT:
        raise typer.BadParameter("stdout holds the entries; name a file with --csv.", param_hint="--json")
    currency = config().currency

    async def opened(db: Database) -> Statement:
        wanted = Wanted(
            starts=instant(since), ends=last_instant(until), kinds=statements.kinds_of(kind or ())
        )
        return await statements.open_(db, user, org, wanted, with_actors=True)

    if csv is None:

        async def page(db: Database) -> Page:
            return await (await opened(db)).page(older_than=older_than, limit=limit)

        _show(with_database(page), currency, json_)
        return

    async def work(db: Database) -> dict[str, Any]:
        return await _write(await opened(db), currency, Dialect(semicolons=semicolons, bom=bom), csv)

    try:
        value = with_database(work)
    except ReaderGone:
        raise typer.Exit(READER_GONE) from None
    if csv != STDOUT:
        answer(value, json_, f"Wrote {value['entries']:,} entries to {csv} ({value['bytes']:,} bytes).")


def _show(page: Page, currency: str, json_: bool) -> None:
    if json_:
        entries = [_entry(line) for line in page.lines]
        value = {**shown.balance(page.balance, currency), "older": page.older, "entries": entries}
        return answer(value, json_)
    answer([_line(line) for line in page.lines], json_)
    older = f" Older ones: --older-than {page.older}." if page.older else ""
    answer(None, json_, f"It holds {money.fixed(page.balance)} {currency}.{older}")


def _entry(line: Line) -> dict[str, Any]:
    entry = line.entry
    return {
        "id": entry.id,
        "createdAt": shown.time(entry.at),
        "kind": entry.kind,
        "amount": money.fixed(entry.amount),
        "balance": money.fixed(entry.balance),
        "sendingId": str(entry.sending_id) if entry.sending_id else None,
        "messageId": message_id(entry) or None,
        "text": line.text,
        "service": line.service,
        "member": line.member,
        "actor": entry.actor,
        "note": entry.note,
    }


def _line(line: Line) -> dict[str, Any]:
    """An entry in a table for people."""
    entry = line.entry
    about = entry.note or line.member or (line.text and f"{line.service}: {line.text[:TEXT_LENGTH_MAX]}")
    return {
        "createdAt": shown.time(entry.at),
        "kind": entry.kind,
        "amount": f"{'+' if entry.amount > 0 else ''}{money.fixed(entry.amount)}",
        "balance": money.fixed(entry.balance),
        "about": about,
        "id": message_id(entry) or (entry.sending_id and str(entry.sending_id)),
        "actor": entry.actor,
    }


async def _write(statement: Statement, currency: str, dialect: Dialect, csv: Path) -> dict[str, Any]:
    """Everything, where it belongs; returns the answer."""
    n_entries = n_bytes = 0
    try:
        with written(None if csv == STDOUT else csv) as write:
            async with aclosing(chunks(statement, currency, dialect)) as its:
                async for chunk in its:
                    await write(chunk.data)
                    n_entries += chunk.rows
                    n_bytes += len(chunk.data)
    except (*COLLISION, *UNREACHABLE) as error:  # half of it may be with the reader
        raise Refused(
            Code.UNAVAILABLE,
            f"The database broke the statement off ({error}). It is not complete; run it again.",
        ) from error
    return {"file": str(csv), "entries": n_entries, "bytes": n_bytes}
