"""What customers and carriers write never gives orders to the operator's terminal.

Every field that they can fill holds control characters; then every command that shows something is run, for people and
for programs.
"""

import asyncio
import os
import pty
import shlex

import asyncpg
import pytest

from tests.edge.cli.conftest import CommandLine
from tests.edge.cli.test_every_command import LOOKED_AT, READING, query, sell
from ulak.base.harmless import harmless, on_a_line
from ulak.edge.cli import files

HOSTILE = "\x1b]0;owned\x07\x1b[2J\x9b31m\x9d0;owned\x9c\x7f\x08\u202e\r\nDone."
SPELLED = r"\u001b]0;owned\u0007"

#: What customers and carriers write, and some more. Names that the commands below type stay as they are.
WRITTEN = [
    *("users.username", "users.email", "organizations.name", "api_keys.name"),
    *("carriers.name", "carriers.host", "services.name", "services.sender", "senders.header"),
    *("sendings.text", "sendings.sender", "messages.text", "messages.network"),
    *("submits.ref", "receipts.ref", "receipts.error", "receipts.network"),
    *("receipts.raw", "incidents.reason", "transfers.note", "transfers.actor"),
    *("links.reason", "audit_log.actor", "audit_log.subject", "audit_log.address"),
]

#: Commands that show nothing which anybody else has written.
BARE = {
    *("operator list", "credit show --user mark", "audit", "price list", "price explain --service BobSMS"),
}


def poison(dsn: str) -> set[str]:
    """Write the hostile text behind whatever stands there; returns where anything stands."""
    found = set()

    async def work() -> None:
        connection = await asyncpg.connect(dsn)
        await connection.execute("ALTER TABLE transfers DISABLE TRIGGER transfers_stay")
        kept = "('mark', 'main', 'BobSMS', 'Main Organization')"
        for name in WRITTEN:
            table, column = name.split(".")
            text = HOSTILE[:20] if name == "senders.header" else HOSTILE
            done = await connection.execute(
                f"UPDATE {table} SET {column} = {column} || $1 WHERE {column} NOT IN {kept}", text
            )
            if done != "UPDATE 0":
                found.add(name)
        await connection.execute(
            "UPDATE audit_log SET detail = jsonb_build_object('note', $1::text)", HOSTILE
        )
        await connection.close()

    asyncio.run(work())
    return found


@pytest.fixture
def poisoned(shop: CommandLine, dsn: str) -> CommandLine:
    """Customers who sent, were charged and refunded, and every field of theirs."""
    sell(dsn)
    shop("carrier", "create", "other", "--host=127.0.0.1", "--port=1", "--system-id=s", "--password=p")
    shop("user", "create", "lale", "--email=lale@example.com")
    shop("org", "create", "Another")
    shop("org", "add-member", "Main Organization", "lale")
    shop("key", "create", "mark", "--name=shop")
    shop("credit", "add", "5", "--user=mark", "--note=cash")
    shop("sender", "set", "ACME", "--service=BobSMS", "--user=lale")
    shop("operator", "create", "ayse")
    found = poison(dsn)
    assert {
        "users.username",
        "organizations.name",
        "api_keys.name",
        "sendings.text",
        "transfers.note",
    } <= found
    assert {"carriers.name", "submits.ref", "receipts.ref", "receipts.raw", "audit_log.subject"} <= found
    return shop


def orders(text: str) -> set[str]:
    """The characters that a terminal could take for something else than letters."""
    return {char for char in text if not char.isprintable()} - {"\n"}


def test_every_command_that_shows_something_shows_it_harmlessly(poisoned: CommandLine, dsn: str) -> None:
    [message] = query(dsn, "SELECT recipient FROM messages WHERE status = 'sent'")
    number = f"0{str(message['recipient'])[2:]}"
    its_id = poisoned("message", "find", number)[0]["id"]
    assert {words.split()[1] for words in LOOKED_AT} == {"find", "show", "export"}, "the last is CSV, below"
    typed = [
        *READING,
        *(f"message find {number}", f"message show {its_id}"),
    ]
    bare = set()
    for words in typed:
        for more in ((), ("--json",)):
            done = poisoned.run(*shlex.split(words), *more)
            assert done.exit_code == 0, (words, done.stderr)
            assert orders(done.stdout + done.stderr) == set(), (words, more)
            if more and SPELLED not in done.stdout:
                bare.add(words)
    assert bare == BARE


def test_a_refusal_repeats_harmlessly(poisoned: CommandLine) -> None:
    for words in (
        ("user", "set-state", HOSTILE, "disabled"),
        ("user", "create", HOSTILE, "--email=x@example.com"),
        ("message", "show", HOSTILE),
        ("credit", "show", "--org", HOSTILE),
        ("message", "export", "--user=mark", f"--out=/nowhere/{HOSTILE}"),
    ):
        assert orders(poisoned.fails(*words)) == set(), words
    for words in ((HOSTILE,), ("user", HOSTILE), ("user", "list", f"--{HOSTILE}")):
        assert orders(poisoned.fails(*words, code=2)) <= {"\u202e"}, words


def test_csv_on_a_terminal_is_harmless_and_in_a_pipe_what_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    row = f'a,"{HOSTILE}"\r\n'.encode()
    reading, writing = os.pipe()
    screen, terminal = pty.openpty()
    for descriptor in (writing, terminal):
        with os.fdopen(descriptor, "wb", buffering=0, closefd=False) as raw, monkeypatch.context() as patched:
            patched.setattr("sys.stdout", raw)
            with files.written(None) as write:
                asyncio.run(write(row))
    try:
        assert os.read(reading, 1000) == row
        seen = os.read(screen, 1000).decode()
        assert SPELLED in seen
        assert orders(seen) == {"\r"}
    finally:
        for descriptor in (reading, writing, screen, terminal):
            os.close(descriptor)


def test_letters_stay_as_they_are() -> None:
    for text in ("Çiğdem 👩‍👩‍👧 مرحبا", "two\nlines", "a\r\nb"):
        assert harmless(text) == text
    assert on_a_line("two\r\nlines\x9b") == r"two\r\nlines\u009b"
