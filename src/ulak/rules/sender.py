"""Sender headers: who an SMS says it is from.

In: a header as an operator writes it, or none. Out: its one form, and the source address that SMPP carries (type
of number, numbering plan, text). Whether a carrier has registered the header is the carrier's to say.
"""

import re
from typing import Final

from ulak.rules.refusal import Code, Refused

_NAME: Final = re.compile(r"(?=.*[A-Za-z])[A-Za-z0-9 .-]{3,11}")
_NUMBER: Final = re.compile(r"[0-9]{3,15}")
_SHORT_CODE_MAX: Final = 8
"""Digits; the shortest numbers of E.164 with a country code have more, or are not used to send SMS."""


def parse_header(raw: str) -> str:
    """A sender header without the spaces around it; raises `Refused(invalid_value)` when it is none.

    Either a name of 3 to 11 ASCII letters, digits, spaces, dots and dashes with at least one letter, or a number of
    3 to 15 digits: a short code, or a phone number in international form without the plus.
    """
    header = raw.strip(" ")
    if _NAME.fullmatch(header) or _NUMBER.fullmatch(header):
        return header
    raise Refused(
        Code.INVALID_VALUE,
        "A sender header is 3 to 11 letters (A to Z), digits, spaces, dots and dashes with at least one letter, "
        "or a number of 3 to 15 digits.",
    )


def address(header: str | None) -> tuple[int, int, str]:
    """The source address of a header: `source_addr_ton`, `source_addr_npi` (SMPP 3.4, 5.2.5 and 5.2.6), text.

    Without a header all is empty and the carrier fills in its own. A name is alphanumeric (5, 0). A number is a
    short code (network specific, 3, 0) up to eight digits, as the large aggregators document it; one with a leading
    zero is in the local dialling format, of which nobody says more (unknown, in the telephone plan: 0, 1; compare
    3GPP TS 23.040, 9.1.2.5); else it is international (1, 1).
    """
    if header is None:
        return 0, 0, ""
    if not _NUMBER.fullmatch(header):
        return 5, 0, header
    if len(header) <= _SHORT_CODE_MAX:
        return 3, 0, header
    return (0, 1, header) if header.startswith("0") else (1, 1, header)
