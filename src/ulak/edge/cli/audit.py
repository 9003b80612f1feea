"""`ulak audit`: each proof of the books, as soon as it is proved.

In: nothing. Out: a line for each proof that holds and the differences of the first that does not, or one JSON value
with all of them; exit code 1 when there is a difference. Millions of messages are proved for minutes, so a terminal is
told which proof it is at.
"""

from typing import TYPE_CHECKING, Any

import typer

from ulak.admin.audit import TITLES, Proof, prove, told
from ulak.base.db import Database
from ulak.base.harmless import harmless
from ulak.edge.cli.session import Json, answer, with_database
from ulak.edge.cli.working import working

if TYPE_CHECKING:
    from rich.console import Console


def register(app: typer.Typer) -> None:
    """Add the command to the command line."""
    app.command()(audit)


def audit(json_: Json = False) -> None:
    """Prove the books: recompute every balance and every counter; exit 1 on the first difference.

    Example: ulak audit
    """
    from rich.console import Console

    proofs = with_database(lambda db: _proved(db, None if json_ else Console(highlight=False)))
    if json_:
        answer({"clean": _hold(proofs), "proofs": [_described(proof) for proof in proofs]}, json_)
    if not _hold(proofs):
        raise typer.Exit(1)


async def _proved(db: Database, console: "Console | None") -> list[Proof]:
    """Every proof, each shown on the console when it is there."""
    proofs: list[Proof] = []
    on = console if console and console.is_terminal else None
    with working(_at(0), console is not None, on) as tell:
        async for proof in prove(db):
            proofs.append(proof)
            if console:
                _show(console, proof)
            if len(proofs) < len(TITLES):
                tell(_at(len(proofs)))
        await told(db, clean=_hold(proofs))
    return proofs


def _hold(proofs: list[Proof]) -> bool:
    return not any(proof.differences for proof in proofs)


def _at(n: int) -> str:
    return f"Proving {n + 1} of {len(TITLES)}: {TITLES[n]}"


def _show(console: "Console", proof: Proof) -> None:
    mark = "[red]no[/red] " if proof.differences else "[green]yes[/green]"
    console.print(f"{mark} {proof.title} ({proof.looked_at:,} looked at)")
    for found in proof.differences:
        where = f"{found.what} {found.id} of tenant {found.tenant_id}"
        line = f"      {where}: written {found.written}, computed {found.computed}"
        console.print(harmless(line), markup=False)


def _described(proof: Proof) -> dict[str, Any]:
    return {
        "proof": proof.title,
        "lookedAt": proof.looked_at,
        "differences": [
            {
                "what": found.what,
                "tenant": str(found.tenant_id),
                "id": found.id,
                "written": found.written,
                "computed": found.computed,
            }
            for found in proof.differences
        ],
    }
