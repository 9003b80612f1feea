"""Proxies that nobody has named: which requests give them away, and that it is said once."""

from collections.abc import Iterator

import pytest
import structlog

from ulak.base.config import Config
from ulak.edge.hearsay import Hearsay
from ulak.flow import pulse
from ulak.flow.pulse import What

PASSED_ON = (What.PASSED_ON, 0, "")


@pytest.fixture(autouse=True)
def counts() -> Iterator[None]:
    pulse._counts.clear()
    yield
    pulse._counts.clear()


def look(hearsay: Hearsay, peer: str | None, *names: str) -> int:
    """How many requests were noticed after this one."""
    headers = [(b"host", b"a"), *((name.encode(), b"203.0.113.5") for name in names)]
    hearsay.look({"type": "http", "headers": headers, "client": (peer, 1) if peer else None})
    return pulse._counts[PASSED_ON]


@pytest.mark.parametrize(
    ("peer", "names", "noticed"),
    [
        ("127.0.0.1", ["x-forwarded-for"], 1),
        ("10.1.2.3", ["forwarded"], 1),
        ("::1", ["x-forwarded-for", "forwarded"], 1),
        ("::ffff:172.18.0.1", ["x-forwarded-for"], 1),
        ("127.0.0.1", [], 0),
        ("8.8.8.8", ["x-forwarded-for"], 0),
        (None, ["x-forwarded-for"], 0),
    ],
)
def test_a_proxy_is_noticed_by_what_it_passes_on(peer: str | None, names: list[str], noticed: int) -> None:
    assert look(Hearsay(Config()), peer, *names) == noticed
    assert look(Hearsay(Config(trusted_proxies="192.0.2.1")), peer, *names) == noticed, "they are named"


def test_it_is_said_once() -> None:
    hearsay = Hearsay(Config())
    with structlog.testing.capture_logs() as told:
        for _ in range(3):
            look(hearsay, "127.0.0.1", "x-forwarded-for")
    assert [line["event"] for line in told] == ["proxy_not_trusted"]
    assert "ULAK_TRUSTED_PROXIES=127.0.0.1" in told[0]["says"]
    assert pulse._counts[PASSED_ON] == 3
