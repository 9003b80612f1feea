"""Whether a host lies in a network of one's own, judged by what it is called: nothing is asked of anybody.

In: a host as an operator wrote it. Out: yes for this machine, private addresses (RFC 1918, RFC 4193, link-local) and
names without a domain or in one that never leaves a network (RFC 6761, RFC 6762, .internal).
"""

from ipaddress import ip_address
from typing import Final

OWN_DOMAINS: Final = (".internal", ".local", ".localhost", ".lan", ".home.arpa")


def is_own(host: str) -> bool:
    """Whether what is sent there stays in a network of one's own, as far as can be told."""
    try:
        return ip_address(host.strip("[]")).is_private  # loopback and link-local are among them
    except ValueError:
        name = host.rstrip(".").lower()
        return "." not in name or name.endswith(OWN_DOMAINS)
