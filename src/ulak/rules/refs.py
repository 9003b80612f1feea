"""A carrier's ids of messages: the one form in which the id of an answer and that of a receipt are equal.

Some carriers answer a submit in hexadecimal and write the same id in decimal into the receipt, or the other way
round; some add zeros in front, or change the case. A rule for all would break those that do neither, so each
carrier has its own. An id that is not a number of the kind it should be stays as it is: it can still match itself.
"""

import re
from dataclasses import dataclass
from typing import Final, Literal

Conversion = Literal["as_is", "hex_to_dec", "dec_to_hex"]

_HEX: Final = re.compile(r"[0-9A-Fa-f]{1,64}")
_DEC: Final = re.compile(r"[0-9]{1,64}")


@dataclass(frozen=True, slots=True)
class RefForm:
    """How a carrier's ids are compared.

    `hex_to_dec`: hexadecimal in answers, decimal in receipts; `dec_to_hex` the reverse. Both, being numbers, ignore
    zeros in front and case; with `as_is` the two say so by themselves.
    """

    conversion: Conversion = "as_is"
    ignore_zeros: bool = False
    ignore_case: bool = False

    def of_answer(self, raw: str) -> str:
        """The form of an id that stood in a submit_sm_resp."""
        if self.conversion == "hex_to_dec":
            return str(int(raw, 16)) if _HEX.fullmatch(raw) else raw
        if self.conversion == "dec_to_hex":
            return f"{int(raw):x}" if _DEC.fullmatch(raw) else raw
        return self._loosened(raw)

    def of_receipt(self, raw: str) -> str:
        """The form of an id that stood in a receipt."""
        if self.conversion == "hex_to_dec":
            return str(int(raw)) if _DEC.fullmatch(raw) else raw
        if self.conversion == "dec_to_hex":
            return f"{int(raw, 16):x}" if _HEX.fullmatch(raw) else raw
        return self._loosened(raw)

    def _loosened(self, raw: str) -> str:
        if self.ignore_zeros:
            raw = raw.lstrip("0") or raw[:1]
        return raw.lower() if self.ignore_case else raw
