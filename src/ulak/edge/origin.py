"""Where a request comes from: the one place that decides whose word on an address counts.

In: a request, the proxies that this installation trusts (`ULAK_TRUSTED_PROXIES`) and the header that they write
(`ULAK_FORWARDED_HEADER`). Out: the client's address, and whether it came encrypted. A peer that is no trusted proxy
speaks for itself alone. A trusted one is asked who came to it: the rightmost address that is no trusted proxy either,
since everything to the left of it was written by strangers. The header that they do not write is a stranger's, passed
through unseen, and says nothing. Where their own cannot be read the address is unknown: that is allowed nowhere, and
counts as the proxy's.
"""

import re
from collections.abc import Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address
from typing import Final

from starlette.requests import Request

Address = IPv4Address | IPv6Address

_PAIR: Final = re.compile(r'\s*([A-Za-z0-9!#$%&\'*+.^_`|~-]+)\s*=\s*("(?:[^"\\]|\\.)*"|[^;,\s"]*)\s*')
_PORT: Final = re.compile(r"(\d{1,3}(?:\.\d{1,3}){3}):\d{1,5}|\[([0-9A-Fa-f:.%\w]+)\](?::\d{1,5})?")


def parsed(text: str | None) -> Address | None:
    """An address as it is compared: without a zone, and an IPv4 one within IPv6 as itself; None where it is none."""
    try:
        ip = ip_address((text or "").partition("%")[0])
    except ValueError:
        return None
    return getattr(ip, "ipv4_mapped", None) or ip


class Origin:
    """Where requests come from, as far as these proxies are trusted, and in which header they say so."""

    def __init__(self, trusted: Sequence[IPv4Network | IPv6Network], header: str = "x-forwarded-for") -> None:
        self._trusted = tuple(trusted)
        self._header = header

    def address(self, request: Request) -> str | None:
        """The client's address; None where nobody knows, which is allowed nowhere."""
        peer = _peer(request)
        if not self._trusted or not self._trusts(parsed(peer)):
            return peer
        lines = request.headers.getlist(self._header)
        if self._header == "forwarded":
            lines = _for(lines)
        return self._client([part.strip() for part in ",".join(lines).split(",")]) if lines else peer

    def nearest(self, request: Request) -> str | None:
        """The address to count by and to write down: the client's, or of the last who passed the request on."""
        return self.address(request) or _peer(request)

    def encrypted(self, request: Request) -> bool:
        """Whether the client's connection is encrypted, as far as we can know."""
        if request.scope["scheme"] == "https":
            return True
        if not self._trusts(parsed(_peer(request))):
            return False
        if self._header == "forwarded":
            said = _last(request.headers.getlist("forwarded"), "proto")
        else:
            said = request.headers.get("x-forwarded-proto", "")
        return said.rpartition(",")[2].strip().lower() == "https"

    def _trusts(self, address: Address | None) -> bool:
        return address is not None and any(address in network for network in self._trusted)

    def _client(self, chain: Sequence[str]) -> str | None:
        """The rightmost address of a chain that is no trusted proxy; where all are, the first."""
        address = None
        for part in reversed(chain):
            address = parsed(_without_port(part))
            if address is None or not self._trusts(address):
                break
        return str(address) if address else None


def _peer(request: Request) -> str | None:
    return request.client.host if request.client else None


def _without_port(text: str) -> str:
    found = _PORT.fullmatch(text)
    return (found[1] or found[2]) if found else text


def _for(lines: Sequence[str]) -> list[str]:
    """Who each element of `Forwarded` (RFC 7239) was sent for; something unreadable where it does not say."""
    return [element.get("for", "?") for element in _elements(lines)]


def _last(lines: Sequence[str], name: str) -> str:
    elements = _elements(lines)
    return elements[-1].get(name, "") if elements else ""


def _elements(lines: Sequence[str]) -> list[dict[str, str]]:
    """The elements of `Forwarded`; one that cannot be read says nothing."""
    text = ",".join(lines)
    elements: list[dict[str, str]] = [{}] if text.strip() else []
    at = 0
    while at < len(text):
        found = _PAIR.match(text, at)
        if found:
            elements[-1].setdefault(found[1].lower(), found[2].strip('"'))
            at = found.end()
        if at < len(text) and text[at] == ",":
            elements.append({})
        elif at < len(text) and text[at] != ";":
            return [*elements, {}]
        at += 1
    return elements
