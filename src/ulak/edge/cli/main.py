"""`ulak`: the command line. Every command explains itself with --help and answers with JSON with --json.

Exit codes: 0 done, 1 refused or failed (one sentence on stderr says why), 2 wrong usage.
"""

import asyncio
from typing import Annotated

import typer

from ulak.edge.cli import (
    audit,
    backup,
    carriers,
    credit,
    messages,
    operators,
    organizations,
    people,
    run,
    sales,
    secrets,
    senders,
    statement,
    status,
    texts,
)
from ulak.edge.cli.session import Json, answer, attempt, config, connected

app = typer.Typer(
    name="ulak",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    help="Ulak: a self-hosted, prepaid, multi-tenant SMS platform.",
)

_GROUPS = {
    "user": people.user_app,
    "operator": operators.operator_app,
    "key": people.key_app,
    "org": organizations.org_app,
    "credit": credit.credit_app,
    "carrier": carriers.carrier_app,
    "service": sales.service_app,
    "sender": senders.sender_app,
    "price": sales.price_app,
    "message": messages.message_app,
    "secrets": secrets.secrets_app,
}

run.register(app)
audit.register(app)
backup.register(app)
status.register(app)
texts.register(app)
statement.register(credit.credit_app)
for _name, _group in _GROUPS.items():
    app.add_typer(_group, name=_name)


def _version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        print(f"ulak {version('ulak')}")  # noqa: T201
        raise typer.Exit


@app.callback()
def _everything(
    version: Annotated[
        bool, typer.Option("--version", help="Show the version.", callback=_version, is_eager=True)
    ] = False,
) -> None:
    pass


@app.command()
def migrate(json_: Json = False) -> None:
    """Bring the database's schema up to date.

    Example: ulak migrate
    """
    from ulak.admin.vault import unlock
    from ulak.base.migrate import migrate as bring_up_to_date
    from ulak.edge.database import database_server

    settings = config()

    async def work() -> list[str]:
        async with database_server(settings) as dsn, connected(dsn) as db:
            applied = await bring_up_to_date(dsn)
            await unlock(db, settings)  # which seals what an older Ulak wrote
            return applied

    done = attempt(lambda: asyncio.run(work()))
    answer({"applied": done}, json_, f"Applied {', '.join(done)}." if done else "Nothing to do.")


def main() -> None:
    """The entry point."""
    app()
