"""The command line."""

import typer

from ulak.edge.cli import run

app = typer.Typer(no_args_is_help=True)
run.register(app)


@app.command()
def migrate() -> None:
    """Placeholder."""


def main() -> None:
    """Run it."""
    app()
