"""What may be said: names and numbers that people give, checked in one way for every room of `admin`."""

from collections.abc import Collection, Mapping
from typing import Any, Final

from ulak.rules.refusal import Code, Refused, said

NAME_LENGTH_MAX: Final = 100


def name(text: str) -> str:
    """A name that can be one; refused otherwise."""
    if not text.strip() or len(text) > NAME_LENGTH_MAX or not text.isprintable():
        raise Refused(
            Code.INVALID_VALUE,
            said("A name has 1 to {most} printable characters, not only spaces.", most=NAME_LENGTH_MAX),
        )
    return text


def within(what: str, value: int, least: int, most: int) -> None:
    """Refuse a number out of its bounds; `what` is `said` where it is shown in other languages."""
    if not least <= value <= most:
        raise Refused(
            Code.INVALID_VALUE,
            said("The {what} must be {least} to {most}.", what=what, least=least, most=most),
        )


def difference(
    before: Mapping[str, Any], after: Mapping[str, Any], *, secret: Collection[str] = ()
) -> dict[str, Any]:
    """What an audit line says of a change: in `before` and `after` the fields that differ, each with what it was and
    what it became. A secret stands only by its name, in `secrets`."""
    changed = [key for key in {**before, **after} if _said(before, key) != _said(after, key)]
    said: dict[str, Any] = {
        which: {key: its[key] for key in changed if key in its and key not in secret}
        for which, its in (("before", before), ("after", after))
    }
    hidden = sorted(key for key in changed if key in secret)
    return said | ({"secrets": hidden} if hidden else {})


def _said(its: Mapping[str, Any], key: str) -> tuple[bool, Any]:
    return key in its, its.get(key)


def given(settings: dict[str, Any]) -> dict[str, Any]:
    """Those that are not None."""
    return {key: value for key, value in settings.items() if value is not None}
