"""Browsers by the names that people know them by."""

import pytest

from ulak.edge.panel.browsers import named

CHROME = (
    "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/156.0.0.0 Safari/537.36"
)
EDGE = CHROME.replace("X11; Linux x86_64", "Windows NT 10.0; Win64; x64") + " Edg/156.0.0.0"
FIREFOX = "Mozilla/5.0 (Macintosh; Intel Mac OS X 14.5; rv:150.0) Gecko/20100101 Firefox/150.0"
SAFARI = (
    "Mozilla/5.0 (iPhone; CPU iPhone OS 19_0 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) "
    "Version/19.0 Mobile/15E148 Safari/604.1"
)


@pytest.mark.parametrize(
    ("agent", "name"),
    [
        (CHROME, "Chrome 156, Linux"),
        (EDGE, "Edge 156, Windows"),
        (FIREFOX, "Firefox 150, macOS"),
        (SAFARI, "Safari 19, iPhone"),
        ("curl/8.1", "curl/8.1"),
        ("", ""),
        ("x" * 300, "x" * 60),
    ],
)
def test_a_browser_has_a_name(agent: str, name: str) -> None:
    assert named(agent) == name
