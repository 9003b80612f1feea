"""Where requests come from: whose word counts, from right to left."""

import pytest
from starlette.requests import Request

from ulak.base.config import Config, ConfigError
from ulak.edge.origin import Origin

PROXIES = Config(trusted_proxies="10.0.0.0/8, 2001:db8::1").proxies()
TRUSTED = Origin(PROXIES)
STANDARD = Origin(PROXIES, "forwarded")
NOBODY = Origin(())


def request(peer: str | None, *headers: tuple[str, str], scheme: str = "http") -> Request:
    raw = [(name.encode(), value.encode("latin-1")) for name, value in headers]
    client = (peer, 1) if peer else None
    return Request({"type": "http", "scheme": scheme, "path": "/", "headers": raw, "client": client})


@pytest.mark.parametrize(
    ("peer", "forwarded", "client"),
    [
        ("192.0.2.1", "203.0.113.5", "192.0.2.1"),
        ("10.0.0.1", "203.0.113.5", "203.0.113.5"),
        ("::ffff:10.0.0.1", "203.0.113.5", "203.0.113.5"),
        ("2001:db8::1", "203.0.113.5", "203.0.113.5"),
        ("2001:db8::2", "203.0.113.5", "2001:db8::2"),
        ("10.0.0.1", "198.51.100.7, 203.0.113.5", "203.0.113.5"),
        ("10.0.0.1", "127.0.0.1, 203.0.113.5, 10.9.9.9", "203.0.113.5"),
        ("10.0.0.1", "10.1.1.1, 10.2.2.2", "10.1.1.1"),
        ("10.0.0.1", "203.0.113.5:4711", "203.0.113.5"),
        ("10.0.0.1", "[2001:db8::7]:4711", "2001:db8::7"),
        ("10.0.0.1", "2001:db8::7", "2001:db8::7"),
        ("10.0.0.1", "::ffff:203.0.113.5", "203.0.113.5"),
        ("10.0.0.1", "203.0.113.5, unknown", None),
        ("10.0.0.1", "203.0.113.5, ", None),
        ("10.0.0.1", "1.2.3.4.5", None),
        ("10.0.0.1", "ü", None),
    ],
)
def test_the_rightmost_that_is_no_proxy(peer: str, forwarded: str, client: str | None) -> None:
    assert TRUSTED.address(request(peer, ("x-forwarded-for", forwarded))) == client
    assert NOBODY.address(request(peer, ("x-forwarded-for", forwarded))) == peer


def test_without_a_header_a_proxy_speaks_for_itself() -> None:
    assert TRUSTED.address(request("10.0.0.1")) == "10.0.0.1"
    assert TRUSTED.address(request(None)) is None


def test_several_lines_are_one() -> None:
    lines = (
        ("x-forwarded-for", "127.0.0.1"),
        ("x-forwarded-for", "203.0.113.5"),
        ("x-forwarded-for", "10.0.0.9"),
    )
    assert TRUSTED.address(request("10.0.0.1", *lines)) == "203.0.113.5"


@pytest.mark.parametrize(
    ("forwarded", "client"),
    [
        ("for=203.0.113.5", "203.0.113.5"),
        ('For="[2001:db8::7]:4711";proto=https', "2001:db8::7"),
        ("for=127.0.0.1, by=10.0.0.1 ; for=203.0.113.5;proto=http, for=10.0.0.2", "203.0.113.5"),
        ('for="203.0.113.5, for=127.0.0.1"', None),
        ("for=_hidden", None),
        ("proto=https", None),
        ("for=203.0.113.5, for=127.0.0.1 garbage", None),
        ("for=203.0.113.5, =", None),
    ],
)
def test_the_other_header(forwarded: str, client: str | None) -> None:
    assert STANDARD.address(request("10.0.0.1", ("forwarded", forwarded))) == client
    assert NOBODY.address(request("10.0.0.1", ("forwarded", forwarded))) == "10.0.0.1"


def test_only_the_header_that_the_proxies_write_counts() -> None:
    ours, theirs = ("x-forwarded-for", "203.0.113.5"), ("forwarded", "for=198.51.100.1;proto=https")
    for headers in ((ours, theirs), (theirs, ours)):
        assert TRUSTED.address(request("10.0.0.1", *headers)) == "203.0.113.5"
        assert STANDARD.address(request("10.0.0.1", *headers)) == "198.51.100.1"
    assert TRUSTED.address(request("10.0.0.1", theirs)) == "10.0.0.1"
    assert STANDARD.address(request("10.0.0.1", ours)) == "10.0.0.1"


def test_an_address_that_nobody_knows_counts_as_the_proxys() -> None:
    garbage = request("10.0.0.1", ("x-forwarded-for", "unknown"))
    assert (TRUSTED.address(garbage), TRUSTED.nearest(garbage)) == (None, "10.0.0.1")
    assert TRUSTED.nearest(request("10.0.0.1", ("x-forwarded-for", "203.0.113.5"))) == "203.0.113.5"
    assert TRUSTED.nearest(request(None)) is None


@pytest.mark.parametrize(
    ("peer", "headers", "encrypted"),
    [
        ("10.0.0.1", [("x-forwarded-proto", "https")], True),
        ("10.0.0.1", [("x-forwarded-proto", "https, http")], False),
        ("10.0.0.1", [("forwarded", "for=1.2.3.4;proto=https")], False),
        ("10.0.0.1", [], False),
        ("192.0.2.1", [("x-forwarded-proto", "https")], False),
    ],
)
def test_whether_it_came_encrypted(peer: str, headers: list[tuple[str, str]], encrypted: bool) -> None:
    assert TRUSTED.encrypted(request(peer, *headers)) is encrypted
    assert TRUSTED.encrypted(request(peer, *headers, scheme="https"))


@pytest.mark.parametrize(
    ("headers", "encrypted"),
    [
        ([("forwarded", "for=1.2.3.4;proto=https")], True),
        ([("forwarded", "proto=https, for=1.2.3.4")], False),
        ([("x-forwarded-proto", "https")], False),
    ],
)
def test_whether_the_other_header_says_so(headers: list[tuple[str, str]], encrypted: bool) -> None:
    assert STANDARD.encrypted(request("10.0.0.1", *headers)) is encrypted


def test_a_setting_that_is_no_network() -> None:
    with pytest.raises(ConfigError, match="ULAK_TRUSTED_PROXIES"):
        Config.from_environment({"ULAK_TRUSTED_PROXIES": "10.0.0.1/8"})
    with pytest.raises(ConfigError, match="ULAK_FORWARDED_HEADER must be x-forwarded-for or forwarded"):
        Config.from_environment({"ULAK_FORWARDED_HEADER": "x-real-ip"})
