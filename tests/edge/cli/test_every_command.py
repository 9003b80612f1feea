"""What holds for every command that works on the database: its answer, its line in the audit log, its refusals.

One use of each command stands here, in an order in which all of them work; a command that is missing is noticed.
"""

import asyncio
import json
import shlex
from pathlib import Path

import asyncpg
import pytest

from tests.conftest import SECRETS
from tests.edge.cli.conftest import CommandLine
from tests.edge.cli.test_tree import COMMANDS
from tests.flow.conftest import USD, inhabited
from ulak.base.db import Database
from ulak.rules import ids
from ulak.rules.status import Status
from ulak.rules.tenancy import Context

pytestmark = pytest.mark.slow

#: commands that run until they are stopped, make the schema, need no database, or whose answer
#: is a file
APART = {
    *("serve", "demo", "simulate-carrier", "migrate", "text"),
    "secrets generate",
    *("backup", "restore"),
}

READING = [
    "user list",
    "operator list",
    "key list mark",
    "org list",
    "org members 'Main Organization'",
    "credit show --user mark",
    "credit statement --user mark",
    "carrier list",
    "service list",
    "sender list",
    "price list",
    "price explain --service BobSMS",
    "audit",
    "status",
    "audit-log --limit 5",
]

#: (a command that reads what customers sent, what the audit log calls it, about whom or what); MESSAGE is an id
LOOKING = [
    ("message find 05550000000", "message.find", "05550000000"),
    ("message show MESSAGE", "message.show", "MESSAGE"),
    ("message export --user mark --text secret --status sent --out OUT", "message.export", "mark"),
]

#: (a command, what the audit log calls it, about whom or what); KEY and RULE are ids from the answers before
CHANGING = [
    ("user create lale --email lale@example.com --password-stdin", "user.create", "lale"),
    ("user set-state lale disabled", "user.set-state", "lale"),
    ("user set-rate mark 50", "user.set-rate", "mark"),
    ("user set-password mark --password-stdin", "user.set-password", "mark"),
    ("user reset-second-factor mark", "second-factor.reset", "mark"),
    ("operator create ayse --role viewer --password-stdin", "operator.create", "ayse"),
    ("operator set-password AYSE --password-stdin", "operator.set-password", "ayse"),
    ("operator reset-second-factor ayse", "second-factor.reset", "ayse"),
    ("operator set-state ayse disabled", "operator.set-state", "ayse"),
    (
        "key create mark --name shop --allow-ip 10.0.0.0/8 --scope sms:send --expires 2099-01-31 --rate 5",
        "key.create",
        "mark",
    ),
    ("key set-rate PREFIX 7", "key.set-rate", "KEY"),
    ("key revoke KEY", "key.revoke", "KEY"),
    ("org create Another", "org.create", "Another"),
    ("org add-member Another mark", "org.add-member", "Another"),
    ("org set-state Another inactive", "org.set-state", "Another"),
    ("credit add 120 --org Another --note 'invoice 17'", "credit.topup", "Another"),
    ("credit transfer 50 --org Another --user mark", "credit.handout", "mark in Another"),
    ("credit transfer 3 --org Another --user mark --back", "credit.take-back", "mark in Another"),
    (
        "org set-permissions Another mark --permission organization.credit.manage",
        "org.set-permissions",
        "Another",
    ),
    ("credit take 5 --org Another --user mark", "credit.correction", "mark in Another"),
    ("org remove-member Another mark", "org.remove-member", "Another"),
    (
        "carrier create other --host 127.0.0.1 --port 1 --system-id s --password hunter2",
        "carrier.create",
        "other",
    ),
    ("carrier set other --window 5 --password hunter3", "carrier.set", "other"),
    ("service create Second --price 1 --currency USD --carrier other", "service.create", "Second"),
    ("service set Second --price 0.5", "service.set", "Second"),
    ("service set-state Second inactive", "service.set", "Second"),
    ("sender set ACME --service BobSMS --user mark", "sender.set", "mark"),
    ("sender approve ACME --carrier other", "sender.approve", "ACME"),
    ("sender withdraw ACME --carrier other", "sender.withdraw", "ACME"),
    ("sender remove --service BobSMS --user mark", "sender.remove", "mark"),
    ("price add --service BobSMS --kind percent --value=-10", "price.add", "BobSMS"),
    ("price remove RULE", "price.remove", "RULE"),
    ("secrets rotate", "secrets.rotate", "SECRET"),
]

EVERY = [*READING, *(words for words, _, _ in CHANGING)]
LOOKED_AT = [words for words, _, _ in LOOKING]
NOBODY = "00000000-0000-4000-8000-000000000000"
PASSWORD = "correct horse battery\n"


def name_of(words: str) -> str:
    """Which command these words are."""
    return next(name for name in COMMANDS if words == name or words.startswith(f"{name} "))


def fill(words: str, ids: dict[str, str]) -> str:
    words = words.replace("SECRET", SECRETS.first.hex())
    for name in ("KEY", "PREFIX", "RULE"):
        words = words.replace(name, ids.get(name, NOBODY))
    return words


def note_ids(words: str, answer: dict[str, str], ids: dict[str, str]) -> None:
    """Remember what later commands need."""
    for name, command in (("KEY", "key create"), ("RULE", "price add")):
        if words.startswith(command):
            ids[name] = answer["id"]
            ids["PREFIX"] = answer.get("prefix", ids.get("PREFIX", NOBODY))


def query(dsn: str, statement: str) -> list[asyncpg.Record]:
    async def work() -> list[asyncpg.Record]:
        connection = await asyncpg.connect(dsn)
        try:
            return list(await connection.fetch(statement))
        finally:
            await connection.close()

    return asyncio.run(work())


def lines(dsn: str) -> list[asyncpg.Record]:
    """The audit log."""
    return query(dsn, "SELECT actor, action, subject, detail::text AS detail FROM audit_log ORDER BY id")


def sell(dsn: str) -> str:
    """mark sends; some is delivered, some fails and is refunded. Returns the id of the first message."""
    [mark] = query(dsn, "SELECT id FROM users WHERE username = 'mark'")

    async def work() -> str:
        db = await Database.open(dsn)
        db.secrets = SECRETS
        async with inhabited(db) as world:
            who = Context(mark["id"])
            await world.fund(who, 100 * USD)
            sending = await world.send(who, await world.service(), to=3)
            refs = await world.take(*await world.lease())
            await world.receive(refs[:1])
            await world.receive(refs[1:2], Status.NOT_SENT)
        await db.close()
        return str(ids.message_id(sending, 0))

    return asyncio.run(work())


def test_no_command_is_forgotten_here() -> None:
    assert {name_of(words) for words in EVERY + LOOKED_AT} == set(COMMANDS) - APART


def test_what_changes_something_leaves_one_line_in_the_audit_log(shop: CommandLine, dsn: str) -> None:
    ids: dict[str, str] = {}
    before = len(lines(dsn))

    for words, action, subject in CHANGING:
        answer = shop(*shlex.split(fill(words, ids)), stdin=PASSWORD)
        note_ids(words, answer, ids)

        written = lines(dsn)[before:]
        assert [(line["action"], line["subject"]) for line in written] == [(action, fill(subject, ids))], (
            words
        )
        assert written[0]["actor"].startswith("cli:")
        before += 1


def test_no_secret_is_in_the_audit_log_or_an_answer(shop: CommandLine, dsn: str) -> None:
    ids: dict[str, str] = {}
    answers = []
    for words, _, _ in CHANGING:
        answer = shop(*shlex.split(fill(words, ids)), stdin=PASSWORD)
        note_ids(words, answer, ids)
        if words.startswith("key create"):
            key = answer["key"]
        else:
            answers.append(json.dumps(answer))
    answers += [json.dumps(shop(*shlex.split(words))) + shop.text(*shlex.split(words)) for words in READING]

    for secret in (key, "hunter", "horse"):
        assert all(secret not in answer for answer in answers)
        assert all(secret not in line["detail"] + line["subject"] for line in lines(dsn))


def test_what_reads_what_customers_sent_leaves_one_line_without_a_text(
    shop: CommandLine, dsn: str, tmp_path: Path
) -> None:
    message = sell(dsn)
    before = len(lines(dsn))

    for words, action, subject in LOOKING:
        its = words.replace("OUT", str(tmp_path / "out.csv")).replace("MESSAGE", message)
        for more in ((), ("--json",)):
            shop.text(*shlex.split(its), *more)

            [written] = lines(dsn)[before:]
            assert (written["action"], written["subject"]) == (action, subject.replace("MESSAGE", message))
            assert written["actor"].startswith("cli:")
            assert "secret" not in written["detail"]
            before += 1
    assert json.loads(written["detail"]) == {"status": "sent", "by_text": True}
    for words in ("message find nobody", f"message show {NOBODY}", "message export --user nobody"):
        shop.fails(*words.split())
    assert len(lines(dsn)) == before, "who gets nothing leaves no line"


def test_what_reads_leaves_no_line(shop: CommandLine, dsn: str) -> None:
    before = lines(dsn)

    for words in READING:
        shop(*shlex.split(words))

    assert lines(dsn) == before


def test_each_command_answers_people_in_words_and_says_nothing_on_stderr(shop: CommandLine) -> None:
    ids: dict[str, str] = {}
    for words in EVERY:
        if "RULE" in words:
            ids["RULE"] = shop("price", "list")[-1]["id"]
        if "KEY" in words:
            ids["KEY"] = shop("key", "list", "mark")[-1]["id"]
        if "PREFIX" in words:
            ids["PREFIX"] = shop("key", "list", "mark")[-1]["prefix"]

        done = shop.run(*shlex.split(fill(words, ids)), stdin=PASSWORD)

        assert (done.exit_code, done.stderr) == (0, ""), words
        assert done.stdout.strip(), words
        assert not done.stdout.lstrip().startswith(("{", "[")), words


REFUSED = [
    "user create MARK --email mark@example.com",
    "user create lale --email nobody",
    "user set-state nobody disabled",
    "user reset-second-factor nobody",
    "user set-rate nobody 5",
    "user set-password nobody --password-stdin",
    "user set-rate mark often",
    "operator create 'a b'",
    "operator set-password nobody",
    "operator set-state nobody disabled",
    "operator reset-second-factor nobody",
    "key create mark --allow-ip everywhere",
    "key create nobody",
    "key create mark --expires 2020-01-31",
    "key create mark --expires soon",
    "key create mark --rate 0",
    "key set-rate ulak_nobody 5",
    "key set-rate ulak_nobody 0",
    "key set-rate ulak_nobody default",
    "key revoke KEY",
    "key revoke that-one",
    "org create 'MAIN organization'",
    "org add-member 'Main Organization' nobody",
    "org add-member 'Main Organization' mark --permission everything",
    "org set-state Nobody inactive",
    "org remove-member 'Main Organization' nobody",
    "org set-permissions 'Main Organization' nobody --permission organization.sms.read",
    "org set-permissions 'Main Organization' mark --permission everything",
    "credit add 0 --user mark",
    "credit add 5",
    "credit take 5 --user mark",
    "credit transfer 5 --org 'Main Organization' --user mark",
    "credit transfer 5 --org 'Main Organization' --user mark --back",
    "carrier create MAIN --host h --port 1 --system-id s --password p",
    "carrier set main --port 0",
    "carrier set nothing --port 1",
    "service create bobsms --price 1 --currency USD --carrier main",
    "service set BobSMS --price much",
    "service set-state Nothing inactive",
    "sender set '!' --service BobSMS --user mark",
    "sender set ACME --service BobSMS",
    "price add --service BobSMS --kind fixed --value=-1",
    "price remove RULE",
    "price remove that-one",
]


def test_what_is_refused_leaves_no_line_and_no_row(shop: CommandLine, dsn: str) -> None:
    counted = (
        "users operators api_keys organizations memberships credits transfers carriers services price_rules "
        "senders"
    )
    tables = " UNION ALL ".join(f"SELECT t::text AS row FROM {name} t" for name in counted.split())
    before, rows = lines(dsn), query(dsn, tables)

    for words in REFUSED:
        shop.fails(*shlex.split(fill(words, {})), "--json")

        assert lines(dsn) == before, words
    assert sorted(map(str, query(dsn, tables))) == sorted(map(str, rows))


def test_without_its_arguments_a_command_is_wrong_usage(cli: CommandLine) -> None:
    asking = [name for name, command in COMMANDS.items() if any(p.required for p in command.params)]

    assert len(asking) > 15
    for name in asking:
        assert "Usage:" in cli.fails(*name.split(), code=2)


def test_a_word_too_many_or_an_option_that_is_none_is_wrong_usage(cli: CommandLine) -> None:
    for name in COMMANDS:
        assert "Usage:" in cli.fails(*name.split(), "a", "b", "c", "d", code=2)
        assert "--nonsense" in cli.fails(*name.split(), "--nonsense", code=2)


@pytest.mark.parametrize("help_", ["--help", "-h"])
def test_help_needs_no_database(help_: str, cli: CommandLine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ULAK_DATABASE_URL", "postgresql://127.0.0.1:1/nowhere")

    for name in COMMANDS:
        assert name in cli.text(*name.split(), help_)


# --- databases that are not fit


def test_without_a_database_each_says_so_in_one_sentence(
    cli: CommandLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ULAK_DATABASE_URL", "postgresql://u:hunter2@127.0.0.1:1/nowhere")

    for words in [*EVERY, "migrate"]:
        said = cli.fails(*shlex.split(fill(words, {})), stdin=PASSWORD)

        assert "127.0.0.1:1" in said, words
        assert "hunter2" not in said


def test_on_a_database_without_migrations_each_says_what_to_do_and_makes_nothing(
    cli: CommandLine, dsn: str
) -> None:
    query(dsn, "DROP SCHEMA public CASCADE")
    query(dsn, "CREATE SCHEMA public")

    for words in EVERY:
        assert "ulak migrate" in cli.fails(*shlex.split(fill(words, {})), "--json", stdin=PASSWORD), words

    assert query(dsn, "SELECT tablename FROM pg_tables WHERE schemaname = 'public'") == []
