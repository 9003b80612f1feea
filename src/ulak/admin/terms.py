"""What may be said: names and numbers that people give, checked in one way for every room of `admin`."""

from typing import Any, Final

from ulak.rules.refusal import Code, Refused

NAME_LENGTH_MAX: Final = 100


def name(text: str) -> str:
    """A name that can be one; refused otherwise."""
    if not text.strip() or len(text) > NAME_LENGTH_MAX or not text.isprintable():
        raise Refused(
            Code.INVALID_VALUE, f"A name has 1 to {NAME_LENGTH_MAX} printable characters, not only spaces."
        )
    return text


def within(what: str, value: int, least: int, most: int) -> None:
    """Refuse a number out of its bounds."""
    if not least <= value <= most:
        raise Refused(Code.INVALID_VALUE, f"The {what} must be {least} to {most}.")


def given(settings: dict[str, Any]) -> dict[str, Any]:
    """Those that are not None."""
    return {key: value for key, value in settings.items() if value is not None}
