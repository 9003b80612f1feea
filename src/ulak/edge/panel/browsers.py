"""What a browser calls itself, in words that people know their browsers by.

Only for people to recognise their own sessions by: browsers all claim to be each other, and nothing is decided by it.
"""

import re
from typing import Final

#: In this order: each of them also claims to be those behind it.
_BROWSERS: Final = (
    ("Edge", r"Edg(?:e|A|iOS)?/(\d+)"),
    ("Opera", r"OPR/(\d+)"),
    ("Samsung Internet", r"SamsungBrowser/(\d+)"),
    ("Firefox", r"(?:Firefox|FxiOS)/(\d+)"),
    ("Chrome", r"(?:Chrome|CriOS|HeadlessChrome)/(\d+)"),
    ("Safari", r"Version/(\d+).*Safari/"),
)
_SYSTEMS: Final = (
    ("Android", r"Android"),
    ("iPhone", r"iPhone"),
    ("iPad", r"iPad"),
    ("Windows", r"Windows"),
    ("macOS", r"Mac OS X|Macintosh"),
    ("Linux", r"Linux|X11"),
)
_UNKNOWN_LENGTH_MAX: Final = 60


def named(agent: str) -> str:
    """Like "Chrome 156, Linux"; what is not known is shown as it calls itself."""
    for name, pattern in _BROWSERS:
        if found := re.search(pattern, agent):
            system = next((word for word, its in _SYSTEMS if re.search(its, agent)), None)
            return f"{name} {found[1]}" + (f", {system}" if system else "")
    return agent[:_UNKNOWN_LENGTH_MAX]
