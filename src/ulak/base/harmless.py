"""What people wrote, made fit for a terminal and a log: nothing in it gives orders or passes for something else.

In: a line or more of output, with names and texts of strangers in it. Out: the same, where every control character but
the newline (C0, DEL, C1), every line separator and every character that turns the direction of writing stands as
`\\u001b`, which inside JSON means the same. Emoji and every script's letters stay as they are.
"""

import re
from typing import Final

_ORDERS: Final = re.compile(
    "[\x00-\x09\x0b\x0c\x0e-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]|\r(?!\n)"
)


def harmless(text: str) -> str:
    """The text without what a terminal could take for an order; lines stay lines."""
    return text if text.isprintable() else _ORDERS.sub(_spelled, text)


def on_a_line(text: str) -> str:
    """The same on a single line."""
    return harmless(text.replace("\r", "\\r").replace("\n", "\\n"))


def _spelled(found: re.Match[str]) -> str:
    return f"\\u{ord(found[0]):04x}"
