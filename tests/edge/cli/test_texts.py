"""`ulak text`: what outside scripts read of it, and whose style it takes."""

import pytest

from tests.edge.cli.conftest import CommandLine

TURKISH = "Şişli'de çay 5 €"


def test_what_scripts_read(cli: CommandLine) -> None:
    assert cli("text", TURKISH, "--turkish=locking") == {
        "encoding": "gsm7-turkish-locking",
        "characters": 16,
        "units": 16,
        "segments": 1,
        "unitsLeft": 139,
        "parts": ["032501011c691d6c692764652060617920352004"],
    }


@pytest.mark.parametrize(
    ("mode", "encoding", "units"),
    [
        ("locking", "gsm7-turkish-locking", 16),
        ("single", "gsm7-turkish-single", 20),
        ("ucs2", "ucs2", 16),
        ("transliterate", "gsm7", 17),
    ],
)
def test_each_mode(cli: CommandLine, mode: str, encoding: str, units: int) -> None:
    shown = cli("text", TURKISH, f"--turkish={mode}")

    assert (shown["encoding"], shown["units"]) == (encoding, units)
    assert shown["parts"][0] in cli.text("text", TURKISH, f"--turkish={mode}")


def test_a_text_of_any_length_in_its_parts(cli: CommandLine) -> None:
    shown = cli("text", "ş" * 10_000, "--turkish=locking")

    assert (shown["segments"], shown["characters"], shown["units"]) == (68, 10_000, 10_000)
    assert len(shown["parts"]) == 68
    assert {part[:8] for part in shown["parts"]} == {"08000300"}
    assert "255" in cli.fails("text", "ş" * 60_000)


def test_a_text_is_taken_in_its_composed_form(cli: CommandLine) -> None:
    assert cli("text", "C\u0327ay") == cli("text", "Çay")


def test_the_style_of_a_carrier_and_of_a_service(shop: CommandLine) -> None:
    shop("carrier", "set", "main", "--turkish=single", "--reserve=5", "--concatenation=udh16")

    for where in ("--carrier=main", "--service=BobSMS"):
        shown = shop("text", "ş" * 80, where)
        assert (shown["encoding"], shown["segments"]) == ("gsm7-turkish-single", 2)
        assert shown["parts"][0].startswith("0908040000020124" + "0101")
        assert shop("text", "çay", where, "--turkish=transliterate")["unitsLeft"] == 160 - 5 - 3
    shop.fails("text", "a", "--carrier=nobody")
    shop.fails("text", "a", "--carrier=main", "--service=BobSMS")


def test_a_carriers_style_is_shown_and_checked(shop: CommandLine) -> None:
    changed = shop(
        "carrier", "set", "main", "--turkish=locking", "--concatenation=sar", "--packed", "--reserve=30"
    )

    assert (changed["turkish"], changed["concatenation"], changed["packed"]) == ("locking", "sar", True)
    assert shop("carrier", "set", "main", "--unpacked")["packed"] is False
    shop.fails("carrier", "set", "main", "--reserve=31")
    assert "Usage" in shop.fails("carrier", "set", "main", "--turkish=klingon", code=2)
