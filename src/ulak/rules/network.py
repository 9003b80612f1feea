"""Where a carrier's receipts name the handset's network: an operator's setting.

In: words like `text`, `text:operator`, `tlv:0x1403`, `none`. Out: the names of fields of a receipt's text to look
for, or the tag of an optional parameter. Which network a prefix was given to is never a guess of ours.
"""

import re
from typing import Final

from ulak.rules.refusal import Code, Refused

Source = tuple[str, ...] | int
"""Names of fields, of which the first that is there counts; or a tag. No names: nowhere."""

USUAL_FIELDS: Final = ("network", "operator", "mccmnc")
_FIELD: Final = re.compile(r"text:([A-Za-z][A-Za-z0-9_-]{0,31})")
_TAG: Final = re.compile(r"tlv:0x([0-9A-Fa-f]{1,4})")


def parse_source(setting: str) -> Source:
    """What a setting says; raises `Refused(invalid_value)` when it says nothing of the kind."""
    if setting == "none":
        return ()
    if setting == "text":
        return USUAL_FIELDS
    if found := _FIELD.fullmatch(setting):
        return (found[1],)
    if found := _TAG.fullmatch(setting):
        return int(found[1], 16)
    raise Refused(
        Code.INVALID_VALUE,
        "A network is read from `text` (the usual fields), `text:FIELD`, `tlv:0xTAG` (four hexadecimal digits) or "
        "`none`.",
    )
