"""`ulak message export`: what is in the file, where it goes, and what is left when it does not get there."""

import asyncio
import csv
import io
import os
import pty
import signal
import subprocess
from pathlib import Path
from typing import Any
from uuid import UUID

import openpyxl
import pytest

from tests.conftest import SECRETS
from tests.edge.cli.conftest import CommandLine
from tests.flow.conftest import inhabited
from tests.harness.process import ULAK, heed_ctrl_c
from ulak.base.db import Database
from ulak.edge.export import COLUMNS
from ulak.flow.accept import Request
from ulak.rules import ids
from ulak.rules.csv import unguarded
from ulak.rules.status import Status
from ulak.rules.tenancy import Context
from ulak.store import services

HOSTILE = [
    'He said "hi", twice; "really"',
    "two\r\nlines\nand\ttabs",
    '=HYPERLINK("https://example.com/?"&A1)',
    "+905550000000",
    "-2+3",
    "@SUM(1)",
    "\t=1+1",
    "gel;=1+1;gel",
    "'quoted'",
    "Şişli'de çay 5 € ☕ 👩‍👩‍👧 İıĞğ",
    " spaces ",
    "NULL",
]


def send(dsn: str, username: str, texts: list[str] | str, to: int = 0) -> UUID:
    """One sending of this user's with BobSMS; returns its id."""

    async def work() -> UUID:
        db = await Database.open(dsn)
        db.secrets = SECRETS
        try:
            async with db.reading() as tx:
                user_id = await tx.fetchval("SELECT id FROM users WHERE username = $1", username)
                service = await services.by_name(tx, "BobSMS")
            assert service
            async with inhabited(db) as world:
                who = Context(user_id)
                await world.fund(who, 10**12)
                numbers = [f"9055{n:08d}" for n in range(to or len(texts))]
                return (await world.accept(Request(who, service.id, numbers, texts, "api"))).sending_id
        finally:
            async with db.transaction() as tx:
                await tx.execute(
                    "DELETE FROM carriers WHERE name = 'c'"
                )  # the world's; the next one makes it again
            await db.close()

    return asyncio.run(work())


def end(dsn: str, position: int, status: Status, network: str | None = None) -> None:
    """A message ended so."""

    async def work() -> None:
        db = await Database.open(dsn)
        db.secrets = SECRETS
        async with db.transaction() as tx:
            await tx.execute(
                "UPDATE messages SET status = $2::text::message_status, network = $3, "
                "ended_at = '2026-03-10T10:22:31.338Z', refunded = $2::text <> 'sent' WHERE position = $1",
                position,
                status,
                network,
            )
        await db.close()

    asyncio.run(work())


def read(text: str, delimiter: str = ",") -> list[dict[str, str]]:
    """The records by the columns' names."""
    return list(csv.DictReader(io.StringIO(text, newline=""), delimiter=delimiter))


def test_hostile_texts_come_back_and_none_is_a_formula(shop: CommandLine, dsn: str, tmp_path: Path) -> None:
    send(dsn, "mark", HOSTILE)
    out = tmp_path / "out.csv"

    shop("message", "export", "--user=mark", "--out", out)

    found = [record["message"] for record in read(out.read_bytes().decode())]
    assert [unguarded(text) for text in found] == HOSTILE
    assert not [text for text in found if text.startswith(tuple("=+-@\t\r"))]
    shop("message", "export", "--user=mark", "--exact", "--out", out)
    assert [record["message"] for record in read(out.read_bytes().decode())] == HOSTILE


def test_the_fields_of_a_record(shop: CommandLine, dsn: str) -> None:
    sending = send(dsn, "mark", "merhaba", to=3)
    end(dsn, 1, Status.SENT, "286,01")
    end(dsn, 2, Status.NO_SIGNAL)

    first, second, third = read(shop.text("message", "export", "--user=mark"))

    assert tuple(first) == COLUMNS
    assert first.pop("createdAt").endswith("Z")
    assert first == {
        "to": "905500000000",
        "message": "merhaba",
        "status": "pending",
        "network": "unknown",
        "price": "1.000000",
        "currency": "USD",
        "refunded": "false",
        "endedAt": "",
        "service": "BobSMS",
        "sender": "",
        "source": "api",
        "username": "mark",
        "sendingId": str(sending),
        "id": str(ids.message_id(sending, 0)),
    }
    assert (second["status"], second["network"]) == ("sent", "286,01")
    assert (second["endedAt"], second["refunded"]) == ("2026-03-10T10:22:31.338Z", "false")
    assert (third["status"], third["network"], third["refunded"]) == ("no_signal", "unknown", "true")
    assert shop("message", "show", third["id"])["to"] == third["to"]


def test_records_end_with_crlf_and_an_empty_export_has_the_header(shop: CommandLine, dsn: str) -> None:
    header = ",".join(COLUMNS) + "\r\n"

    done = shop.run("message", "export", "--user=mark")

    assert (done.exit_code, done.stdout_bytes.decode(), done.stderr) == (0, header, "")
    send(dsn, "mark", "merhaba", to=1)
    written = shop.run("message", "export", "--user=mark").stdout_bytes.decode()
    assert written.startswith(header)
    assert written.endswith("\r\n")
    assert written.count("\r\n") == written.count("\n") == 2


def test_for_a_turkish_excel(shop: CommandLine, dsn: str) -> None:
    send(dsn, "mark", "çay; şeker", to=1)

    written = shop.run("message", "export", "--user=mark", "--bom", "--semicolons").stdout_bytes

    assert written.startswith(b"\xef\xbb\xbfcreatedAt;to;")
    [record] = read(written.decode("utf-8-sig"), ";")
    assert (record["message"], record["price"]) == ("çay; şeker", "1,000000")


def test_the_answer_and_the_file(shop: CommandLine, dsn: str, tmp_path: Path) -> None:
    send(dsn, "mark", "merhaba", to=3)
    out = tmp_path / "out.csv"
    out.write_text("what was there before")

    answer = shop("message", "export", "--user=mark", "--out", out)

    assert answer == {"file": str(out), "messages": 3, "bytes": out.stat().st_size}
    assert out.stat().st_mode & 0o777 == 0o600
    assert len(read(out.read_text())) == 3
    assert [path.name for path in tmp_path.iterdir()] == ["out.csv"]
    assert "3 messages" in shop.text("message", "export", "--user=mark", "--out", out)
    assert "--out" in shop.fails("message", "export", "--user=mark", "--json", code=2)


def test_a_link_still_leads_to_its_file_and_a_device_stays_one(shop: CommandLine, tmp_path: Path) -> None:
    link, target = tmp_path / "link.csv", tmp_path / "target.csv"
    link.symlink_to(target)

    shop("message", "export", "--user=mark", "--out", link)
    shop("message", "export", "--user=mark", "--out", os.devnull)

    assert link.is_symlink()
    assert target.read_text().startswith("createdAt")
    assert Path(os.devnull).is_char_device()


def test_filters_at_the_command_line(shop: CommandLine, dsn: str) -> None:
    sending = send(dsn, "mark", HOSTILE)
    send(dsn, "mark", "merhaba", to=2)
    [record, *_] = read(shop.text("message", "export", "--user=mark"))
    day = record["createdAt"][:10]

    def n(*words: object) -> int:
        return len(read(shop.text("message", "export", "--user=mark", *words)))

    assert n() == len(HOSTILE) + 2
    assert n("--sending", sending) == len(HOSTILE)
    assert n("--text=MERHABA", "--status=pending", "--source=api") == 2
    assert n("--status=sent") == n("--source=panel") == 0
    assert n("--start-date", day, "--end-date", day) == len(HOSTILE) + 2
    assert n("--end-date", f"{day}T00:00:00Z") == n("--start-date=2199-01-01") == 0


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ([], "--user"),
        (["--user=nobody"], "ulak user list"),
        (["--org=Nobody"], "ulak org list"),
        (["--user=mark", "--sending=that-one"], "no sending"),
        (["--user=mark", "--sending=01912c5e-0b1c-7c3a-8d4e-5f6a7b8c9d0e"], "no sending"),
        (["--user=mark", "--start-date=yesterday"], "yesterday"),
        (["--user=mark", "--end-date=2026-02-30"], "2026-02-30"),
        (["--user=mark", "--out=/"], "directory"),
        (["--user=mark", "--out=/nowhere/at/all.csv"], "/nowhere/at/all.csv"),
        (["--user=mark", "--out=" + "x" * 300], "too long"),
        (["--user=mark", "--text=a\0b"], "NUL"),
    ],
)
def test_what_cannot_be_exported_is_one_sentence(shop: CommandLine, words: list[str], said: str) -> None:
    assert said in shop.fails("message", "export", *words)


def test_a_file_that_cannot_be_finished_leaves_the_old_one(
    shop: CommandLine, dsn: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    send(dsn, "mark", "merhaba", to=2)
    out = tmp_path / "out.csv"
    out.write_text("what was there before")
    monkeypatch.setattr("ulak.store.exports.ROWS", "SELECT no_such_column")

    assert shop.run("message", "export", "--user=mark", "--out", out).exit_code == 1

    assert out.read_text() == "what was there before"
    assert [path.name for path in tmp_path.iterdir()] == ["out.csv"]
    assert "/dev/full cannot be written" in shop.fails("message", "export", "--user=mark", "--out=/dev/full")


# --- as a process of its own


def start(dsn: str, *words: str, **streams: Any) -> "subprocess.Popen[bytes]":
    environment = {name: value for name, value in os.environ.items() if not name.startswith("ULAK_")}
    return subprocess.Popen(
        [ULAK, "message", "export", "--user=mark", *words],
        env=environment | {"ULAK_DATABASE_URL": dsn, "ULAK_SECRET_KEYS": os.environ["ULAK_SECRET_KEYS"]},
        stdin=subprocess.DEVNULL,
        preexec_fn=heed_ctrl_c,
        **streams,
    )


PIPES: dict[str, Any] = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
MANY = 20_000


@pytest.mark.slow
def test_a_reader_that_has_had_enough_ends_it_quietly(shop: CommandLine, dsn: str) -> None:
    send(dsn, "mark", "merhaba", to=MANY)
    process = start(dsn, **PIPES)
    assert process.stdout
    assert process.stderr

    assert process.stdout.readline().startswith(b"createdAt,")
    process.stdout.close()

    assert process.stderr.read() == b""
    assert process.wait(30) == 128 + signal.SIGPIPE
    process.stderr.close()


@pytest.mark.slow
@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_it_can_be_stopped_while_its_reader_does_not_read(
    shop: CommandLine, dsn: str, number: signal.Signals, code: int
) -> None:
    send(dsn, "mark", "merhaba", to=MANY)
    with start(dsn, **PIPES) as process:
        assert process.stdout
        process.stdout.read(1)  # it has begun, and the pipe is soon full

        process.send_signal(number)

        assert process.wait(30) == code


@pytest.mark.slow
@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_stopped_in_the_middle_it_leaves_no_file(
    shop: CommandLine, dsn: str, tmp_path: Path, number: signal.Signals, code: int
) -> None:
    send(dsn, "mark", "merhaba", to=MANY)
    held = asyncio.new_event_loop()
    locker = held.run_until_complete(_lock(dsn))  # so that it has to wait for us
    out = tmp_path / "out.csv"
    try:
        with start(dsn, "--out", str(out), **PIPES) as process:
            held.run_until_complete(_until_waiting(locker))
            assert [path.suffix for path in tmp_path.iterdir()] == [".part"]

            process.send_signal(number)

            assert process.wait(30) == code
    finally:
        held.run_until_complete(locker.close())
        held.close()
    assert list(tmp_path.iterdir()) == []


async def _lock(dsn: str) -> Any:
    import asyncpg

    connection = await asyncpg.connect(dsn)
    await connection.execute("BEGIN; LOCK TABLE messages IN ACCESS EXCLUSIVE MODE")
    return connection


async def _until_waiting(connection: Any) -> None:
    for _ in range(600):
        if await connection.fetchval(
            "SELECT count(*) FROM pg_locks WHERE NOT granted AND database = "
            "(SELECT oid FROM pg_database WHERE datname = current_database())"
        ):
            return
        await asyncio.sleep(0.05)
    raise AssertionError("the export did not begin to read messages")


@pytest.mark.slow
def test_people_see_how_far_it_is(shop: CommandLine, dsn: str, tmp_path: Path) -> None:
    send(dsn, "mark", "merhaba", to=MANY)
    ours, its = pty.openpty()
    process = start(dsn, "--out", str(tmp_path / "out.csv"), stdout=subprocess.PIPE, stderr=its)
    os.close(its)
    seen = b""
    try:
        while part := os.read(ours, 65536):
            seen += part
    except OSError:  # the terminal's other end is closed
        pass
    said, _ = process.communicate(timeout=30)
    os.close(ours)

    assert f"{MANY}/{MANY}".encode() in seen
    assert process.returncode == 0
    assert b"20,000 messages" in said


def test_a_workbook_by_its_name_or_by_the_option(shop: CommandLine, dsn: str, tmp_path: Path) -> None:
    send(dsn, "mark", HOSTILE)

    shop("message", "export", "--user=mark", "--out", tmp_path / "out.XLSX")
    shop("message", "export", "--user=mark", "--xlsx", "--out", tmp_path / "out")
    piped = shop.run("message", "export", "--user=mark", "--xlsx").stdout_bytes

    for data in ((tmp_path / "out.XLSX").read_bytes(), (tmp_path / "out").read_bytes(), piped):
        [sheet] = openpyxl.load_workbook(io.BytesIO(data)).worksheets
        names, *rows = sheet.iter_rows(values_only=True)
        assert names == COLUMNS
        assert [row[2].replace("_x000D_", "\r") for row in rows] == HOSTILE


def test_a_workbook_has_no_dialect(shop: CommandLine, tmp_path: Path) -> None:
    done = shop.run("message", "export", "--user=mark", "--bom", "--out", tmp_path / "out.xlsx")

    assert done.exit_code == 2
    assert "are for CSV" in done.stderr
    assert not list(tmp_path.iterdir())
