"""Money: integers of a millionth of the currency unit, and the ways they are written.

Every amount inside the house is an `int` of micro-units, so that sums are exact and equal amounts look equal.
In: what people and configuration write ("120", "0.0425", "-3.5"). Out: micro-units, and the contract's two ways
of writing them. Never a float, never a currency: one installation has one.
"""

import re
from typing import Final

from ulak.rules.refusal import Code, Refused, said

MICRO: Final = 1_000_000
"""Micro-units in one unit of the currency."""

MAX_AMOUNT: Final = 10**15
"""The largest amount anybody may write, in micro-units: a thousand million units."""

_TEXT_MAX: Final = 40
_DECIMAL: Final = re.compile(r"([0-9]+)(?:\.([0-9]{1,6}))?")


def parse_amount(text: str) -> int:
    """An amount that is not negative, as micro-units: "120", "0.0425".

    Plain decimals with up to six places: no sign, no exponent, no separators, ASCII digits only. Raises
    `Refused(invalid_value)` for anything else and for amounts above `MAX_AMOUNT`.
    """
    found = _DECIMAL.fullmatch(text) if len(text) <= _TEXT_MAX else None
    if found is None:
        raise Refused(
            Code.INVALID_VALUE,
            said(
                "{text} is not an amount: write digits with up to six decimals, like 120 or 0.0425.",
                text=_quoted(text),
            ),
        )
    whole, decimals = found.groups(default="")
    micros = int(whole) * MICRO + int(decimals.ljust(6, "0"))
    if micros > MAX_AMOUNT:
        raise Refused(
            Code.INVALID_VALUE,
            said(
                "{text} is more than {most}, the most allowed.", text=_quoted(text), most=Amount(MAX_AMOUNT)
            ),
        )
    return micros


def parse_signed(text: str) -> int:
    """An amount with an optional sign, as micro-units: "-3.5", "+10", "2". Otherwise like `parse_amount`."""
    sign = -1 if text.startswith("-") else 1
    unsigned = text[1:] if text.startswith(("-", "+")) else text
    if unsigned.startswith(("-", "+")):
        raise Refused(
            Code.INVALID_VALUE, said("{text} is not an amount: write one sign at most.", text=_quoted(text))
        )
    return sign * parse_amount(unsigned)


def fixed(micros: int) -> str:
    """With six decimals, as prices and credits are answered: "120.000000"."""
    sign = "-" if micros < 0 else ""
    whole, rest = divmod(abs(micros), MICRO)
    return f"{sign}{whole}.{rest:06d}"


def short(micros: int) -> str:
    """Without trailing zeros, as totals are answered: "2.5", "3", "0"."""
    return fixed(micros).rstrip("0").rstrip(".")


class Amount(int):
    """Micro-units in a sentence: "2.5", or with all decimals as `fixed`; other languages have their own ways."""

    def __format__(self, form: str) -> str:
        return fixed(self) if form == "fixed" else short(self)


def _quoted(text: str) -> str:
    return f'"{text}"' if len(text) <= _TEXT_MAX else f'"{text[:_TEXT_MAX]}…"'
