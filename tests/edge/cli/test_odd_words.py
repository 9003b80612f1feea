"""Words that nobody should type: amounts that are none, text that cannot be kept, times and numbers beyond all bounds.

Each is refused in a sentence for people, and the books stay as they are.
"""

import pytest

from tests.edge.cli.conftest import CommandLine
from tests.edge.cli.test_audit import alter, live
from tests.edge.cli.test_every_command import query

pytestmark = pytest.mark.slow

#: what Python makes of an argument that is not UTF-8
NO_TEXT = b"\xff".decode("utf-8", "surrogateescape")

#: what only the driver or the server of the database would say
JARGON = ("query argument", "codec", "relation", "constraint", "byte sequence", "DETAIL", "$1")


def sentence(cli: CommandLine, *words: object) -> None:
    """Refused with a sentence that is made for people."""
    said = cli.fails(*words)
    assert not [word for word in JARGON if word in said], said


# --- amounts

NO_AMOUNTS = [
    *("0", "0.0", "-0", "+5", "-5", "--5", "1e3", "1E3", "NaN", "nan", "Infinity", "-inf", "abc", ""),
    *(" ", " 5", "5 ", "5\n", ".5", "5.", "1_000", "1,000", "1.2.3", "0.0000001", "0.1234567", "٣", "５"),
    *("1000000000.000001", "1" + "0" * 30, "9" * 400, "0x10", "$5", "5USD", NO_TEXT),
]
POOL = "--org=Main Organization"


@pytest.mark.parametrize(
    "words",
    [
        ("credit", "add", "--user=mark"),
        ("credit", "take", "--user=mark"),
        ("credit", "transfer", POOL, "--user=mark"),
    ],
    ids=lambda words: words[1],
)
def test_an_amount_that_is_none_moves_nothing(shop: CommandLine, dsn: str, words: tuple[str, ...]) -> None:
    shop("credit", "add", "50", "--user=mark")
    shop("credit", "add", "50", POOL)

    for amount in NO_AMOUNTS:
        sentence(shop, *words, "--", amount)

    assert shop("credit", "show", "--user=mark")["balance"] == "50.000000"
    assert shop("credit", "show", POOL)["balance"] == "50.000000"
    assert len(query(dsn, "SELECT FROM transfers")) == 2


def test_a_negative_amount_by_itself_is_wrong_usage(shop: CommandLine) -> None:
    shop.fails("credit", "add", "-5", "--user=mark", code=2)

    assert shop("credit", "show", "--user=mark")["balance"] == "0.000000"


@pytest.mark.parametrize(
    ("amount", "balance"),
    [
        ("1000000000", "1000000000.000000"),
        ("999999999.999999", "999999999.999999"),
        ("0.000001", "0.000001"),
        ("0.100000", "0.100000"),
        ("007", "7.000000"),
        ("0.3", "0.300000"),
    ],
)
def test_an_amount_is_taken_to_the_last_digit(shop: CommandLine, amount: str, balance: str) -> None:
    assert shop("credit", "add", amount, "--user=mark") == {"balance": balance, "currency": "USD"}


def test_tenths_add_up(shop: CommandLine) -> None:
    for _ in range(3):
        shop("credit", "add", "0.1", "--user=mark")

    assert shop("credit", "show", "--user=mark")["balance"] == "0.300000"


def test_a_price_that_is_none_is_refused(shop: CommandLine) -> None:
    for price in set(NO_AMOUNTS) - {"0", "0.0"}:
        sentence(shop, "service", "set", "BobSMS", f"--price={price}")

    assert shop("service", "list")[0]["price"] == "1.000000"


# --- text

TEXTS = [
    ("user", "create", NO_TEXT, "--email=m@example.com"),
    ("org", "create", NO_TEXT),
    ("org", "add-member", "Main Organization", "mark", f"--permission={NO_TEXT}"),
    ("carrier", "create", NO_TEXT, "--host=h", "--port=1", "--system-id=s", "--password=p"),
    ("carrier", "set", "main", f"--password={NO_TEXT}"),
    ("service", "set", "BobSMS", f"--sender={NO_TEXT}"),
    ("service", "create", "X", "--price=1", f"--currency={NO_TEXT}", "--carrier=main"),
    ("sender", "set", NO_TEXT, "--service=BobSMS", "--user=mark"),
    ("price", "remove", NO_TEXT),
    ("key", "revoke", NO_TEXT),
    ("key", "create", "mark", f"--allow-ip={NO_TEXT}"),
]


def test_text_that_is_none_is_refused(shop: CommandLine) -> None:
    for words in TEXTS:
        sentence(shop, *words)


@pytest.mark.parametrize(
    "words",
    [
        ("user", "create", "ece", f"--email={NO_TEXT}@example.com"),
        ("user", "set-state", NO_TEXT, "active"),
        ("key", "create", "mark", f"--name={NO_TEXT}"),
        ("credit", "add", "5", "--user=mark", f"--note={NO_TEXT}"),
        ("credit", "show", f"--org={NO_TEXT}"),
        ("carrier", "set", "main", f"--host={NO_TEXT}"),
        ("service", "set", "BobSMS", f"--carrier={NO_TEXT}"),
        ("price", "explain", f"--service={NO_TEXT}"),
    ],
    ids=lambda words: " ".join(words[:2]),
)
def test_text_that_is_none_is_refused_in_our_words(shop: CommandLine, words: tuple[str, ...]) -> None:
    sentence(shop, *words)


def test_a_keys_name_is_printable_like_every_other_name(shop: CommandLine) -> None:
    shop.fails("key", "create", "mark", "--name=a\x1b[2Jb")


def test_a_note_has_an_end(shop: CommandLine) -> None:
    shop.fails("credit", "add", "5", "--user=mark", "--note=" + "n" * 100_000)


def test_names_are_shown_as_they_are_in_tables_and_json(shop: CommandLine) -> None:
    for name in ("[red]Çiğdem[/red] & Oğulları :smile:", '"quoted"', "<b>"):
        shop("org", "create", name)

        assert name in [org["name"] for org in shop("org", "list")]
        assert name in shop.text("org", "list")


# --- passwords


@pytest.mark.parametrize("typed", ["", "\n", "short\n"])
def test_a_password_from_stdin_that_is_too_short_makes_no_user(shop: CommandLine, typed: str) -> None:
    said = shop.fails("user", "create", "ece", "--email=e@example.com", "--password-stdin", stdin=typed)

    assert "8" in said
    assert "short" not in said
    assert [user["username"] for user in shop("user", "list")] == ["mark"]


def test_only_the_first_line_of_stdin_is_the_password(shop: CommandLine, dsn: str) -> None:
    from argon2 import PasswordHasher

    words = ("user", "create", "ece", "--email=e@example.com", "--password-stdin")
    shop(*words, stdin=" with spaces \r\nmore\n")

    [row] = query(dsn, "SELECT password_hash FROM users WHERE username = 'ece'")
    assert PasswordHasher().verify(row["password_hash"], " with spaces ")


def test_without_the_option_stdin_is_left_alone(shop: CommandLine, dsn: str) -> None:
    shop("user", "create", "ece", "--email=e@example.com", stdin="correct horse battery\n")

    [row] = query(dsn, "SELECT password_hash FROM users WHERE username = 'ece'")
    assert row["password_hash"] is None


# --- rules

NO_TIMES = [
    *("", " ", "now", "yesterday", "2026", "2026-13-01", "2026-02-30", "2026-01-01T25:00:00Z"),
    *(
        "01.02.2026",
        "20260301",
        "2026-W10-1",
        "0001-01-01T00:00:00+14:00",
        "2026-01-01T00:00:00+99:00",
        NO_TEXT,
    ),
]


def test_a_time_that_is_none_makes_no_rule(shop: CommandLine) -> None:
    for time in NO_TIMES:
        for option in ("--starts", "--ends"):
            sentence(
                shop, "price", "add", "--service=BobSMS", "--kind=fixed", "--value=1", f"{option}={time}"
            )

    assert shop("price", "list") == []


@pytest.mark.parametrize(
    ("typed", "kept"),
    [
        ("2026-03-10", "2026-03-10T00:00:00.000Z"),
        ("2026-03-10T10:00:00", "2026-03-10T10:00:00.000Z"),
        ("2026-03-10T10:00:00Z", "2026-03-10T10:00:00.000Z"),
        ("2026-03-10T10:00:00.5+03:00", "2026-03-10T07:00:00.500Z"),
        ("2026-03-10 10:00", "2026-03-10T10:00:00.000Z"),
    ],
)
def test_times_are_kept_in_utc(shop: CommandLine, typed: str, kept: str) -> None:
    words = ("price", "add", "--service=BobSMS", "--kind=fixed", "--value=1", f"--starts={typed}")

    assert shop(*words)["starts"] == kept
    assert shop("price", "list")[0]["starts"] == kept


def test_a_volume_beyond_all_bounds_is_refused_in_our_words(shop: CommandLine) -> None:
    words = ("price", "add", "--service=BobSMS", "--kind=fixed", "--value=1")

    sentence(shop, *words, "--from-volume=99999999999999999999")


def test_an_interval_within_a_millisecond_is_refused_in_our_words(shop: CommandLine) -> None:
    interval = ("--starts=2026-03-10T10:00:00.0001Z", "--ends=2026-03-10T10:00:00.0002Z")

    sentence(shop, "price", "add", "--service=BobSMS", "--kind=fixed", "--value=1", *interval)


# --- services


def test_what_cannot_be_refunded(shop: CommandLine) -> None:
    for refund in ("none,not_sent", "not_sent;no_signal", "NONE", "all", NO_TEXT):
        sentence(shop, "service", "set", "BobSMS", f"--refund={refund}")

    assert shop("service", "list")[0]["refund"] == ["no_signal", "not_sent"]


@pytest.mark.parametrize(
    ("refund", "kept"),
    [
        ("none", []),
        ("no_signal", ["no_signal"]),
        ("not_sent, no_signal", ["no_signal", "not_sent"]),
        ("not_sent,not_sent", ["not_sent"]),
    ],
)
def test_what_can_be_refunded(shop: CommandLine, refund: str, kept: list[str]) -> None:
    words = ("--price=1", "--currency=USD", "--carrier=main", f"--refund={refund}")

    assert shop("service", "create", "Other", *words)["refund"] == kept
    assert shop("service", "set", "BobSMS", f"--refund={refund}")["refund"] == kept


@pytest.mark.parametrize("refund", ["", ",", " "])
def test_refunds_end_only_by_the_word_none(shop: CommandLine, refund: str) -> None:
    sentence(shop, "service", "set", "BobSMS", f"--refund={refund}")


@pytest.mark.parametrize(
    "option", ["--billing=yearly", "--unsure=perhaps", "--validity-minutes=x", "--validity-minutes=1.5"]
)
def test_a_choice_that_is_none_is_wrong_usage(shop: CommandLine, option: str) -> None:
    shop.fails("service", "set", "BobSMS", option, code=2)
    create = ("service", "create", "X", "--price=1", "--currency=USD", "--carrier=main")
    shop.fails(*create, option, code=2)

    assert len(shop("service", "list")) == 1


# --- the audit tells


def test_a_difference_is_told_with_its_ids_in_words_and_in_json(cli: CommandLine, dsn: str) -> None:
    live(dsn)
    [row] = query(dsn, "SELECT tenant_id, id FROM sendings WHERE n_refunded > 0 ORDER BY id LIMIT 1")
    alter(dsn, f"UPDATE sendings SET total_refunded = total_refunded - 1 WHERE id = '{row['id']}'")

    told, done = cli.run("audit"), cli.run("audit", "--json")

    assert (told.exit_code, done.exit_code) == (1, 1)
    words = " ".join(told.stdout.split())
    assert str(row["id"]) in words
    assert str(row["tenant_id"]) in words
    assert f'"id": "{row["id"]}"' in done.stdout
    assert '"clean": false' in done.stdout
    assert done.stdout.count("\n") == 1
