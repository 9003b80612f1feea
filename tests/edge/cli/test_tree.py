"""Every command there is: its help, its --json, and the names that outside scripts rely on."""

from collections.abc import Iterator
from typing import Any

import pytest
import typer.main
from typer.testing import CliRunner

from ulak.edge.cli.main import app

#: command: the options that scripts use, as the published list has them
RELIED_ON: dict[str, set[str]] = {
    "serve": {"--host", "--port", "--only"},
    "demo": {"--once", "--port"},
    "migrate": set(),
    "audit": set(),
    "backup": set(),
    "restore": {"--into", "--data-dir", "--go-on"},
    "simulate-carrier": {
        *("--port", "--receipts", "--delay-ms", "--undelivered", "--expired", "--throttle", "--seed"),
    },
    "user create": {"--email", "--password-stdin"},
    "user list": set(),
    "user set-state": set(),
    "user reset-second-factor": set(),
    "operator create": {"--role", "--password-stdin"},
    "operator list": set(),
    "operator set-state": set(),
    "operator set-password": {"--password-stdin"},
    "operator reset-second-factor": set(),
    "user set-rate": set(),
    "key create": {"--name", "--allow-ip", "--scope", "--expires", "--rate"},
    "key revoke": set(),
    "key set-rate": set(),
    "key list": set(),
    "org create": set(),
    "org add-member": {"--permission"},
    "org set-state": set(),
    "org list": set(),
    "org remove-member": set(),
    "org set-permissions": {"--permission"},
    "org members": set(),
    "credit add": {"--user", "--org", "--note"},
    "credit take": {"--user", "--org", "--note"},
    "credit transfer": {"--user", "--org", "--back", "--note"},
    "credit statement": {
        *("--user", "--org", "--since", "--until", "--kind", "--csv", "--limit", "--older-than"),
        *("--bom", "--semicolons"),
    },
    "credit show": {"--user", "--org"},
    "carrier create": {"--host", "--port", "--system-id", "--password", "--window", "--throughput"},
    "carrier set": {"--host", "--port", "--system-id", "--password", "--window", "--throughput"},
    "carrier list": set(),
    "service create": {
        *("--price", "--currency", "--carrier", "--billing", "--refund", "--unsure", "--sender"),
        "--validity-minutes",
    },
    "service list": set(),
    "service set": set(),
    "service set-state": set(),
    "sender set": {"--service", "--org", "--user"},
    "message show": set(),
    "message find": {"--limit"},
    "status": set(),
    "audit-log": {"--actor", "--action", "--subject", "--limit"},
    "message export": {
        *(
            "--user",
            "--org",
            "--sending",
            "--start-date",
            "--end-date",
            "--status",
            "--source",
            "--text",
            "--out",
        ),
        *("--bom", "--semicolons", "--exact"),
    },
    "price add": {"--service", "--org", "--user", "--kind", "--value", "--from-volume", "--starts", "--ends"},
    "price remove": set(),
    "price explain": {"--service", "--user", "--org"},
    "price list": set(),
    "secrets generate": set(),
    "secrets rotate": set(),
}


def commands(group: Any, before: str = "") -> Iterator[tuple[str, Any]]:
    for name, command in group.commands.items():
        path = f"{before} {name}".strip()
        if hasattr(command, "commands"):
            yield from commands(command, path)
        else:
            yield path, command


COMMANDS: dict[str, Any] = dict(commands(typer.main.get_command(app)))


def options(name: str) -> set[str]:
    return {option for parameter in COMMANDS[name].params for option in parameter.opts}


def test_what_scripts_rely_on_is_there() -> None:
    missing = {name: wanted - options(name) for name, wanted in RELIED_ON.items() if wanted - options(name)}

    assert missing == {}


@pytest.mark.parametrize("name", sorted(COMMANDS))
def test_every_command_has_help_with_an_example_and_takes_json(name: str) -> None:
    done = CliRunner().invoke(app, [*name.split(), "--help"])

    assert done.exit_code == 0
    assert f"Example: ulak {name}" in done.stdout
    assert "--json" in options(name)


@pytest.mark.parametrize(
    "group",
    [
        "",
        "user",
        "operator",
        "key",
        "org",
        "credit",
        "carrier",
        "service",
        "sender",
        "price",
        "message",
        "secrets",
    ],
)
def test_a_group_alone_lists_its_commands(group: str) -> None:
    done = CliRunner().invoke(app, [*group.split(), "--help"])

    assert done.exit_code == 0
    for name in COMMANDS:
        if name.startswith(group) and name.count(" ") == (1 if group else 0):
            assert name.split()[-1] in done.stdout


@pytest.mark.parametrize(
    "words",
    [
        "nothing",
        "user nothing",
        "user create",
        "operator create",
        "operator create ayse --role=king",
        "operator set-state ayse asleep",
        "user create mark --colour=red --email=m@example.com",
        "credit add 5 --port=3",
        "org set-state X open",
        "service create X --price=1 --currency=USD --carrier=main --billing=yearly",
        "serve --only=kitchen",
        "serve --port=eighty",
        "simulate-carrier --undelivered=101",
    ],
)
def test_wrong_usage_ends_with_2_and_says_what_is_wrong(words: str) -> None:
    done = CliRunner().invoke(app, words.split())

    assert done.exit_code == 2
    assert done.stdout == ""
    assert "Usage:" in done.stderr


def test_the_version() -> None:
    done = CliRunner().invoke(app, ["--version"])

    assert done.exit_code == 0
    assert done.stdout.startswith("ulak ")
