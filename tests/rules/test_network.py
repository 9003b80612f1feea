"""Where receipts name the network."""

import pytest

from ulak.rules.network import USUAL_FIELDS, Source, parse_source
from ulak.rules.refusal import Refused


@pytest.mark.parametrize(
    ("setting", "source"),
    [
        ("none", ()),
        ("text", USUAL_FIELDS),
        ("text:Vendor_Net", ("Vendor_Net",)),
        ("tlv:0x1403", 0x1403),
        ("tlv:0xffff", 0xFFFF),
    ],
)
def test_what_an_operator_may_say(setting: str, source: Source) -> None:
    assert parse_source(setting) == source


@pytest.mark.parametrize(
    "setting", ["", "tlv", "tlv:1403", "tlv:0x10000", "text:", "text:a b", "text:(", "TLV:0x1"]
)
def test_what_says_nothing(setting: str) -> None:
    with pytest.raises(Refused):
        parse_source(setting)
