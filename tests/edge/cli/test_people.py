"""Users, keys, organizations and credit, as an operator types them."""

import asyncio
import re

import asyncpg
import pytest

from tests.edge.cli.conftest import CommandLine

UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


def rows(dsn: str, query: str, *values: object) -> list[asyncpg.Record]:
    """What stands in the database."""

    async def fetch() -> list[asyncpg.Record]:
        connection = await asyncpg.connect(dsn)
        try:
            return list(await connection.fetch(query, *values))
        finally:
            await connection.close()

    return asyncio.run(fetch())


def everything(dsn: str) -> str:
    """All text of all tables."""
    tables = rows(dsn, "SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
    return "\n".join(
        str(row[0]) for (table,) in tables for row in rows(dsn, f"SELECT t::text FROM {table} t")
    )


def test_a_user_is_made_and_listed(cli: CommandLine) -> None:
    made = cli("user", "create", "mark", "--email", "mark@example.com")

    assert list(made) == ["id", "username", "email", "createdAt"]
    assert UUID.fullmatch(made["id"])
    assert (made["username"], made["email"]) == ("mark", "mark@example.com")
    assert [user["username"] for user in cli("user", "list")] == ["mark"]
    assert "mark@example.com" in cli.text("user", "list")


def test_a_username_is_there_once(cli: CommandLine) -> None:
    cli("user", "create", "mark", "--email", "mark@example.com")

    assert "mark" in cli.fails("user", "create", "mark", "--email", "other@example.com")
    assert len(cli("user", "list")) == 1


NO_EMAILS = ["", "nobody", "a b@example.com", "@", "a@", "a\0@example.com"]


def test_an_email_that_is_none(cli: CommandLine) -> None:
    for email in NO_EMAILS:
        cli.fails("user", "create", "mark", "--email", email)

        assert cli("user", "list") == []


@pytest.mark.parametrize("username", ["", " ", "a\0b", "x" * 300])
def test_a_username_that_is_none(cli: CommandLine, username: str) -> None:
    cli.fails("user", "create", username, "--email", "mark@example.com")

    assert cli("user", "list") == []


def test_a_password_comes_from_stdin_and_is_kept_as_a_hash(cli: CommandLine, dsn: str) -> None:
    words = ("user", "create", "mark", "--email=mark@example.com", "--password-stdin")

    said = cli.text(*words, stdin="correct horse battery\n")

    assert "horse" not in said
    written = everything(dsn)
    assert "horse" not in written
    assert "argon2id" in written


def test_a_key_is_shown_once_and_kept_as_a_hash(shop: CommandLine, dsn: str) -> None:
    made = shop("key", "create", "mark", "--name=shop", "--allow-ip=203.0.113.0/24", "--allow-ip=::1")

    assert list(made)[:2] == ["id", "key"]
    assert len(made["key"]) >= 43
    assert made["allowedIps"] == ["203.0.113.0/24", "::1/128"]
    [listed] = shop("key", "list", "mark")
    assert (listed["id"], listed["name"], "key" in listed) == (made["id"], "shop", False)
    assert made["key"] not in everything(dsn)


def test_a_key_is_revoked(shop: CommandLine) -> None:
    made = shop("key", "create", "mark")

    shop("key", "revoke", made["id"])

    [listed] = shop("key", "list", "mark")
    assert listed["revokedAt"]


@pytest.mark.parametrize("network", ["everywhere", "300.0.0.1", "10.0.0.0/33"])
def test_an_address_that_is_none(shop: CommandLine, network: str) -> None:
    assert network in shop.fails("key", "create", "mark", "--allow-ip", network)
    assert shop("key", "list", "mark") == []


def test_an_organization_by_name_and_by_id(shop: CommandLine) -> None:
    [organization] = shop("org", "list")

    for org in ("Main Organization", organization["id"]):
        assert shop("org", "set-state", org, "inactive")["state"] == "inactive"
        assert shop("org", "set-state", org, "active")["state"] == "active"
    shop.fails("org", "create", "Main Organization")


def test_members_and_their_permissions(shop: CommandLine) -> None:
    words = ("org", "add-member", "Main Organization", "mark", "--permission=organization.sms.read")

    assert shop(*words)["permissions"] == ["organization.sms.read"]
    assert "organization.sms.send" in shop.fails(*words[:4], "--permission=everything")


def test_who_leaves_gives_the_rest_back_to_the_pool(shop: CommandLine) -> None:
    member = ("--org=Main Organization", "--user=mark")
    shop("credit", "add", "7.5", *member)

    assert shop("org", "remove-member", "Main Organization", "mark")["returned"] == "7.500000"

    assert shop("credit", "show", "--org=Main Organization")["balance"] == "7.500000"
    shop.fails("org", "remove-member", "Main Organization", "mark")


NOT_THERE = [
    "key create nobody",
    "key list nobody",
    "key revoke 00000000-0000-4000-8000-000000000000",
    "user set-state nobody active",
    "org set-state Nobody active",
    "org set-state 00000000-0000-4000-8000-000000000000 active",
    "org add-member Nobody mark",
    "credit add 5 --user nobody",
    "credit add 5 --org Nobody",
    "credit show --user nobody",
    "sender set ACME --service Nothing --user mark",
    "service set-state Nothing active",
    "carrier set nothing --window 5",
    "price remove 00000000-0000-4000-8000-000000000000",
    "price explain --service Nothing",
    "price add --service Nothing --kind fixed --value 1",
]


def test_what_is_not_there_is_said_in_a_sentence(shop: CommandLine) -> None:
    for words in NOT_THERE:
        name = next(word for word in reversed(words.split()) if word[0] in "nN0")

        assert name in shop.fails(*words.split())


# --- credit


@pytest.mark.parametrize(
    "target",
    [["--user=mark"], ["--org=Main Organization"], ["--org=Main Organization", "--user=mark"]],
)
def test_credit_is_added_shown_and_taken(shop: CommandLine, target: list[str]) -> None:
    assert shop("credit", "show", *target) == {"balance": "0.000000", "currency": "USD"}

    assert shop("credit", "add", "120", *target, "--note=invoice 17")["balance"] == "120.000000"
    assert shop("credit", "take", "0.000001", *target)["balance"] == "119.999999"
    shop.fails("credit", "take", "120", *target)

    assert shop("credit", "show", *target)["balance"] == "119.999999"
    shop("audit")


NO_AMOUNTS = ["0", "abc", "", "1.0000001", "1e3", "NaN", "inf", "1,5", "٣", "9" * 30, " ", "0x10"]


def test_an_amount_that_is_none(shop: CommandLine) -> None:
    for amount in NO_AMOUNTS:
        for verb in ("add", "take"):
            shop.fails("credit", verb, amount, "--user=mark")

        assert shop("credit", "show", "--user=mark")["balance"] == "0.000000"


def test_a_negative_amount_is_refused(shop: CommandLine) -> None:
    shop.fails("credit", "add", "--user=mark", "--", "-5")


def test_credit_of_nobody_in_particular(shop: CommandLine) -> None:
    shop.fails("credit", "add", "5")
    shop.fails("credit", "show")


def test_the_pool_is_handed_out_and_no_further(shop: CommandLine) -> None:
    shop("credit", "add", "100", "--org=Main Organization")
    hand_out = ("--org=Main Organization", "--user=mark")

    given = shop("credit", "transfer", "99.5", *hand_out)

    assert (given["balance"], given["pool"]) == ("99.500000", "0.500000")
    shop.fails("credit", "transfer", "0.500001", *hand_out)
    assert shop("credit", "show", *hand_out)["balance"] == "99.500000"
    shop("audit")


def test_only_members_have_credit_in_an_organization(shop: CommandLine) -> None:
    shop("user", "create", "lale", "--email=lale@example.com")

    shop.fails("credit", "add", "5", "--org=Main Organization", "--user=lale")


def test_every_change_leaves_a_line_in_the_audit_log(shop: CommandLine, dsn: str) -> None:
    key = shop("key", "create", "mark")
    shop("credit", "add", "5", "--user=mark", "--note=invoice 17")
    shop("key", "revoke", key["id"])

    lines = rows(dsn, "SELECT actor, action, detail::text FROM audit_log ORDER BY at, id")

    assert [line["action"] for line in lines][-3:] == ["key.create", "credit.topup", "key.revoke"]
    assert {line["actor"].split(":")[0] for line in lines} == {"cli"}
    assert "invoice 17" in lines[-2]["detail"]
    assert all(key["key"] not in line["detail"] for line in lines)


def test_what_was_handed_out_is_taken_back_and_no_more(shop: CommandLine) -> None:
    shop("credit", "add", "100", "--org=Main Organization")
    words = ("--org=Main Organization", "--user=mark")
    shop("credit", "transfer", "60", *words, "--note=March")

    back = shop("credit", "transfer", "59.5", *words, "--back", "--note=too much")

    assert (back["balance"], back["pool"]) == ("0.500000", "99.500000")
    shop.fails("credit", "transfer", "0.500001", *words, "--back")
    notes = [entry["note"] for entry in shop("credit", "statement", *words)["entries"]]
    assert notes == ["too much", "March"]
    shop("audit")


def test_who_belongs_to_an_organization(shop: CommandLine) -> None:
    shop("credit", "add", "7.5", "--org=Main Organization", "--user=mark")
    shop(
        *("org", "set-permissions", "Main Organization", "mark"),
        *("--permission=organization.users.manage", "--permission=organization.credit.manage"),
    )

    [member] = shop("org", "members", "Main Organization")

    assert (member["username"], member["email"], member["state"]) == ("mark", "mark@example.com", "active")
    assert member["permissions"] == ["organization.credit.manage", "organization.users.manage"]
    assert member["memberCredit"] == "7.500000"
    assert member["since"].endswith("Z")
    assert "7.500000" in shop.text("org", "members", "Main Organization")


def test_another_password(shop: CommandLine, dsn: str) -> None:
    words = ("user", "set-password", "mark", "--password-stdin")

    assert shop(*words, stdin="correct horse battery\n")["username"] == "mark"

    written = everything(dsn)
    assert "horse" not in written
    assert "argon2id" in written
    shop.fails(*words, stdin="short\n")
    shop.fails(*words, stdin="")
    shop.fails("user", "set-password", "nobody", "--password-stdin", stdin="correct horse battery\n")
    assert "--password-stdin" in shop.fails("user", "set-password", "mark", code=2)
