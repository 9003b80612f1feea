"""Who does something on purpose, as the audit log will say it.

A name with the door they came in by before it ("cli:root", "operator:ayse", "user:mark"), and the address they came
from, where the door knows one.
"""

from typing import NamedTuple


class Actor(NamedTuple):
    """By whom, and from where."""

    name: str
    address: str | None = None
