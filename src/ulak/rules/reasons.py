"""Why something happened on the way, as it was written down once, read again as a sentence.

Connections and incidents keep their reasons as text, for logs and for the command line. In: such a text. Out: the same
text as a `Sentence` where it is one of ours, which other languages have words for; anything else, like what an
operating system or a carrier says, stays what it is.
"""

import re
from typing import Final

from ulak.rules.refusal import Sentence

_VALUE: Final = re.compile(r"\\\{([a-z]+)\\\}")


def kept(template: str) -> tuple[str, re.Pattern[str]]:
    """A sentence that is kept as text, and what recognises it."""
    return template, re.compile(_VALUE.sub(r"(?P<\1>.+)", re.escape(template)))


#: As `flow` and `edge/carrier` write them, and what `smpp` calls the end of a connection.
KNOWN: Final = (
    kept("it was refused"),
    kept("it is paused"),
    kept("it has been down since {time}"),
    kept("it has been throttling since {time}"),
    kept("no answer came: {why}"),
    kept("no answer in time"),
    kept("the carrier answered {status}"),
    kept("not bound: {why}"),
    kept("not bound"),
    kept("unbound"),
    kept("closed"),
    kept("the other side closed the connection"),
    kept("Connection refused"),
    kept("Connect call failed {address}"),
)


def read(text: str) -> str:
    """A reason that was kept; equal to `text`, whatever it is made of."""
    for template, pattern in KNOWN:
        if found := pattern.fullmatch(text):
            sentence = Sentence(text)
            sentence.template = template
            sentence.values = {name: read(value) for name, value in found.groupdict().items()}
            return sentence
    return text
