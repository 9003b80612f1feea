"""The commands about the secret, and what a secret that does not fit looks like; TLS that is only named."""

import os

import pytest

from tests.conftest import SECRETS
from tests.edge.cli.conftest import CommandLine

WORDS = ("--host=127.0.0.1", "--port=1", "--system-id=s", "--password=hunter2")


def test_another_secret_is_refused_in_a_sentence(shop: CommandLine, monkeypatch: pytest.MonkeyPatch) -> None:
    made = shop("secrets", "generate")["secretKey"]
    monkeypatch.setenv("ULAK_SECRET_KEYS", made)

    for words in (("carrier", "list"), ("migrate",), ("secrets", "rotate")):
        said = shop.fails(*words)
        assert SECRETS.first.hex() in said
        assert made not in said
    monkeypatch.setenv("ULAK_SECRET_KEYS", "short")
    assert "32 random bytes" in shop.fails("carrier", "list")


def test_a_rotation_tells_what_is_still_needed(shop: CommandLine, monkeypatch: pytest.MonkeyPatch) -> None:
    shop("key", "create", "mark")
    made = shop("secrets", "generate")["secretKey"]
    before = SECRETS.first.hex()
    monkeypatch.setenv("ULAK_SECRET_KEYS", f"{made},{os.environ['ULAK_SECRET_KEYS']}")

    done = shop("secrets", "rotate")
    assert (done["carriers"], done["secondFactors"], done["forgotten"]) == (1, 0, [])
    assert done["keysWaiting"] == {before: 1}
    assert before in shop.text("secrets", "rotate")
    shop("key", "revoke", shop("key", "list", "mark")[0]["id"])
    assert shop("secrets", "rotate")["forgotten"] == [before]


def test_what_a_key_is_good_for_is_listed(shop: CommandLine) -> None:
    shop("key", "create", "mark", "--scope=sms:send", "--expires=2099-01-31", "--rate=5")

    [listed] = shop("key", "list", "mark")

    assert (listed["scopes"], listed["ratePerSecond"]) == (["sms:send"], 5)
    assert listed["expiresAt"] == "2099-01-31T23:59:59.999Z"
    assert listed["lastUsedAt"] is None


def test_a_rate_is_a_number_or_the_default(shop: CommandLine) -> None:
    assert shop("user", "set-rate", "mark", "50") == {"username": "mark", "ratePerSecond": 50}
    assert shop("user", "set-rate", "mark", "default")["ratePerSecond"] is None
    assert "default" in shop.fails("user", "set-rate", "mark", "fast")


def test_the_rate_of_a_key_can_be_changed_and_taken_off(shop: CommandLine) -> None:
    prefix = shop("key", "create", "mark")["prefix"]

    assert shop("key", "set-rate", prefix, "5")["ratePerSecond"] == 5
    assert "as often as its user" in shop.text("key", "set-rate", prefix, "off")
    assert shop("key", "list", "mark")[-1]["ratePerSecond"] is None
    assert "off" in shop.fails("key", "set-rate", prefix, "default")


@pytest.mark.parametrize(
    ("words", "tls"),
    [
        ([], "off"),
        (["--tls"], "verified"),
        (["--tls", "--window=5"], "verified"),
        (["--tls", "unverified"], "unverified"),
        (["--tls=off"], "off"),
    ],
)
def test_tls_alone_is_verified(shop: CommandLine, words: list[str], tls: str) -> None:
    assert shop("carrier", "create", "other", *WORDS, *words)["tls"] == tls
