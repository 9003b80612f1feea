"""Who does something on purpose, as the audit log will say it.

A name with the door they came in by before it ("cli:root", "operator:ayse", "user:mark"), and the address they came
from, where the door knows one.
"""

from typing import Literal, NamedTuple

Door = Literal["customer", "operator"]
"""By which door of the panel somebody comes in: customers at /panel, operators at /operator."""


class Actor(NamedTuple):
    """By whom, and from where."""

    name: str
    address: str | None = None
