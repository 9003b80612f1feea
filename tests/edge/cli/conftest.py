"""Commands as a script types them: `ulak …` in this process, on a fresh database.

In: words. Out: what was printed, as JSON or as text, and the exit code.
"""

import json
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from ulak.edge.cli.main import app


class CommandLine:
    """`cli("user", "create", …)` must work and returns its JSON; `cli.fails(…)` must not, and returns why."""

    def __init__(self) -> None:
        self._runner = CliRunner()

    def run(self, *words: object, stdin: str = "") -> Result:
        """Whatever comes of it."""
        return self._runner.invoke(app, [str(word) for word in words], input=stdin)

    def text(self, *words: object, stdin: str = "") -> str:
        """What people see; exit code 0."""
        done = self.run(*words, stdin=stdin)
        assert done.exit_code == 0, (words, done.stdout, done.stderr, done.exception)
        return str(done.stdout)

    def __call__(self, *words: object, stdin: str = "") -> Any:
        """One JSON value on stdout, nothing else."""
        return json.loads(self.text(*words, "--json", stdin=stdin))

    def fails(self, *words: object, code: int = 1, stdin: str = "") -> str:
        """The sentence on stderr; nothing on stdout, and this exit code."""
        done = self.run(*words, stdin=stdin)
        assert done.exit_code == code, (words, done.exit_code, done.stdout, done.stderr, done.exception)
        assert done.stdout == ""
        assert "Traceback" not in done.stderr
        if code == 1:
            assert done.stderr.count("\n") == 1, done.stderr
            assert done.stderr.strip().endswith((".", "?")), done.stderr
        return str(done.stderr)


@pytest.fixture
def cli(dsn: str, monkeypatch: pytest.MonkeyPatch) -> CommandLine:
    """The command line on a migrated database without rows."""
    monkeypatch.setenv("ULAK_DATABASE_URL", dsn)
    return CommandLine()


@pytest.fixture
def shop(cli: CommandLine) -> CommandLine:
    """A carrier, the service BobSMS at 1, mark, and Main Organization of which mark is a member."""
    cli("carrier", "create", "main", "--host=127.0.0.1", "--port=2775", "--system-id=s", "--password=p")
    cli("service", "create", "BobSMS", "--price=1", "--currency=USD", "--carrier=main")
    cli("user", "create", "mark", "--email=mark@example.com")
    cli("org", "create", "Main Organization")
    cli("org", "add-member", "Main Organization", "mark")
    return cli
