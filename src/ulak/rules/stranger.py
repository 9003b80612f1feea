"""What strangers say of themselves, made fit to be counted by and written down.

In: a name, an address or a browser's description as they came over the wire: of any length, with NULs, control
characters or half surrogate pairs in them. Out: short text that every table, log and screen can hold. Never refuses.
"""

from ipaddress import IPv6Address, IPv6Network, ip_address
from typing import Final

PLACE_PREFIX_V6: Final = 64
"""Whoever has one IPv6 address has all of these."""

PLACE_LENGTH_MAX: Final = 64


def printable(text: str, length_max: int) -> str:
    """The first printable characters of a text, at most `length_max` of them."""
    return "".join(char for char in text[: 4 * length_max] if char.isprintable())[:length_max]


def place(address: str | None) -> str | None:
    """From where somebody comes, for counting: their IPv4 address, or the network of their IPv6 address."""
    if address is None:
        return None
    try:
        ip = ip_address(address.partition("%")[0])
    except ValueError:
        return printable(address, PLACE_LENGTH_MAX)
    if not isinstance(ip, IPv6Address):
        return str(ip)
    if ip.ipv4_mapped:
        return str(ip.ipv4_mapped)
    return str(IPv6Network((ip, PLACE_PREFIX_V6), strict=False))
