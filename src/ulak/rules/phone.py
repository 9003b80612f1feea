"""Phone numbers: what a number can look like, and whether an SMS can be sent to it.

In: what a caller wrote. Out: the digits of its E.164 form as an `int` (905550000000), or nothing. Turkish mobile
numbers are judged by their form alone, because new ranges appear before any library knows them; other countries'
by the numbering plans that `phonenumbers` carries. Never a guess at the network: numbers are portable.
"""

import re
from collections.abc import Sequence
from typing import Final, Literal

from ulak.rules.text import ERASED

_PLAIN: Final = re.compile(r"905[0-9]{9}")
_TURKISH: Final = re.compile(r"(?:(?:\+|00)?90|0)?(5[0-9]{9})")
_FOREIGN: Final = re.compile(r"(?:\+|00)([1-9][0-9]{6,14})|([1-46-9][0-9]{6,14})")
_SEPARATORS: Final = str.maketrans("", "", " .-()[]")
_RAW_MAX: Final = 40
"""Characters; an E.164 number with a separator after every digit is shorter."""
_DIGITS_LOST: Final = re.compile(r"[0-9](?:[.,][0-9]+)?E\+?[0-9]{1,2}", re.IGNORECASE)
_ABROAD: Final = re.compile(r"(?:\+|00)(?!90)[1-9][0-9]{6,14}|(?!90)[1-46-9][0-9]{10,14}")
_LANDLINE: Final = re.compile(r"(?:(?:\+|00)?90|0)?[1-46-9][0-9]{9}")
_ANY_DIGITS: Final = re.compile(r"\+?[0-9]+")

Reason = Literal[
    "empty",
    "digits_lost",
    "not_a_number",
    "foreign_not_allowed",
    "not_mobile",
    "unknown_number",
    "wrong_length",
]
"""Why nothing can be sent to what was written: nothing was; a spreadsheet has rounded it (9,05551E+11), so its last
digits are gone; other characters than a number has; another country's, which the service does not allow; a landline or
the like; of a country that has no such numbers; too few or too many digits."""


def normalise(raw: str, *, foreign: bool = False) -> int | None:
    """The digits of the E.164 form, or None where nothing can be sent to.

    Turkish: 5xxxxxxxxx (ten digits), alone or after 0, 90, +90 or 0090. ASCII spaces, dots, dashes and brackets
    may stand anywhere; anything else, other scripts' digits included, makes it no number. With `foreign` also
    other countries' mobile numbers, and those that could be mobile or fixed: after + or 00, or bare international
    digits as long as they don't begin like a Turkish number (0, 5 or 90).
    """
    if _PLAIN.fullmatch(raw):
        return int(raw)
    if len(raw) > _RAW_MAX:
        return None
    bare = raw.translate(_SEPARATORS)
    turkish = _TURKISH.fullmatch(bare)
    if turkish is not None:
        return 900000000000 + int(turkish[1])
    return _foreign(bare) if foreign else None


def normalise_all(raw: Sequence[str], *, foreign: bool = False) -> tuple[list[int], int]:
    """The numbers that can be sent to, in their order and without repeats, and how many fell out of the list.

    A repeat is the same number in whatever form. Both together are always as many as came in.
    """
    plain = _PLAIN.fullmatch
    numbers = dict.fromkeys([int(one) if plain(one) else normalise(one, foreign=foreign) for one in raw])
    numbers.pop(None, None)
    valid = [number for number in numbers if number is not None]
    return valid, len(raw) - len(valid)


def why_not(raw: str, *, foreign: bool = False) -> Reason:
    """Why `normalise` makes nothing of what was written; a guess at what was meant, where it could be several things.

    For people to read: whether a number can be sent to is for `normalise` alone to say.
    """
    bare = raw[: _RAW_MAX * 4].translate(_SEPARATORS).strip()
    if not bare:
        return "empty"
    if _DIGITS_LOST.fullmatch(raw.strip()):
        return "digits_lost"
    if not _ANY_DIGITS.fullmatch(bare):
        return "not_a_number"
    if _ABROAD.fullmatch(bare):
        return _why_not_abroad(bare) if foreign else "foreign_not_allowed"
    return "not_mobile" if _LANDLINE.fullmatch(bare) else "wrong_length"


def shown(number: int) -> str:
    """A number as it is answered: 905550000000; 0 is one that was erased."""
    return str(number or ERASED)


def _foreign(bare: str) -> int | None:
    """Another country's number, from + or 00 and digits, or from digits that are no Turkish ones."""
    found = _FOREIGN.fullmatch(bare)
    if found is None:
        return None
    digits = found[1] or found[2]
    return None if digits.startswith("90") else _mobile(digits)


def _mobile(digits: str) -> int | None:
    """These digits in E.164, when their country's numbering plan has them for mobile phones."""
    import phonenumbers  # its tables take a tenth of a second to load, and most installations never need them

    try:
        number = phonenumbers.parse("+" + digits)
    except phonenumbers.NumberParseException:
        return None
    kind = phonenumbers.number_type(number)  # UNKNOWN for a number that is not valid
    if kind not in (phonenumbers.PhoneNumberType.MOBILE, phonenumbers.PhoneNumberType.FIXED_LINE_OR_MOBILE):
        return None
    return int(phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)[1:])


def _why_not_abroad(bare: str) -> Reason:
    """Whether there is such a number in any country."""
    import phonenumbers

    try:
        number = phonenumbers.parse("+" + bare.removeprefix("+").removeprefix("00"))
    except phonenumbers.NumberParseException:
        return "unknown_number"
    return "not_mobile" if phonenumbers.is_valid_number(number) else "unknown_number"
