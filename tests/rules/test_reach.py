"""Hosts that lie in a network of one's own, and those that do not."""

import pytest

from ulak.rules.reach import is_own


@pytest.mark.parametrize(
    "host",
    [
        *("127.0.0.1", "::1", "[fd00::7]", "10.1.2.3", "192.168.0.9", "172.16.0.1", "169.254.1.1"),
        *("localhost", "smsc", "smsc.internal", "SMSC.Local.", "a.lan"),
    ],
)
def test_a_network_of_ones_own(host: str) -> None:
    assert is_own(host)


@pytest.mark.parametrize(
    "host", ["8.8.8.8", "2a00:1450::1", "smpp.carrier.example.com", "172.32.0.1", "local.com", "10.1.2.3.com"]
)
def test_everywhere_else(host: str) -> None:
    assert not is_own(host)
