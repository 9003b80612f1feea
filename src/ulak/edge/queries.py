"""Query parameters: text to typed values, with every parameter at fault named; unknown ones are ignored."""

import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Final, NamedTuple, TypeVar

from ulak.rules.refusal import Code, Fault, Refused, said
from ulak.rules.status import Status
from ulak.rules.text import clean, fold
from ulak.store.listing import Filter
from ulak.store.sendings import Source

LIMIT_MAX: Final = 1000
LIMIT_DEFAULT: Final = 10
OFFSET_MAX: Final = 2**62

T = TypeVar("T")


class Page(NamedTuple):
    """Which page, and how long a page is."""

    page: int
    limit: int

    @property
    def offset(self) -> int:
        """How many rows stand before it."""
        return min(self.page * self.limit, OFFSET_MAX)

    def pages(self, total: int) -> int:
        """How many pages there are."""
        return -(-total // self.limit)


class _Reader:
    """Reads parameters one after the other and remembers what was wrong with them."""

    def __init__(self, values: Mapping[str, str]) -> None:
        self._values = values
        self._faults: list[Fault] = []

    def read(self, name: str, parse: Callable[[str], T], default: T) -> T:
        raw = self._values.get(name)
        if raw is None:
            return default
        try:
            return parse(raw)
        except _Unfit as unfit:
            self._faults.append(Fault(name, unfit.args[0]))
            return default

    def page(self) -> Page:
        return Page(
            self.read("page", _integer(0), 0), min(self.read("limit", _integer(1), LIMIT_DEFAULT), LIMIT_MAX)
        )

    def refuse_faults(self) -> None:
        if self._faults:
            names = ", ".join(fault.field for fault in self._faults)
            raise Refused(
                Code.VALIDATION_FAILED,
                said("The query does not fit: {names}.", names=names),
                faults=tuple(self._faults),
            )


class _Unfit(ValueError):
    """What a parameter must be instead."""


def sendings_query(values: Mapping[str, str]) -> tuple[Page, Filter]:
    """`GET /sms-sendings`."""
    reader = _Reader(values)
    page = reader.page()
    which = Filter(
        starts=reader.read("startDate", _instant, None),
        ends=reader.read("endDate", _instant, None),
        completed=reader.read("completed", _boolean, None),
        search=reader.read("text", _search, ""),
        source=reader.read("source", _source, None),
    )
    reader.refuse_faults()
    return page, which


def messages_query(values: Mapping[str, str]) -> tuple[Page, Status | None, str]:
    """`GET /sms-sendings/{id}`: page, status, folded text."""
    reader = _Reader(values)
    page = reader.page()
    status = reader.read("status", _status, None)
    search = reader.read("text", _search, "")
    reader.refuse_faults()
    return page, status, search


def _integer(least: int) -> Callable[[str], int]:
    def parse(raw: str) -> int:
        if not re.fullmatch(r"[0-9]{1,4000}", raw) or int(raw) < least:
            raise _Unfit(said("must be an integer of at least {least}", least=least))
        return int(raw)

    return parse


_INSTANT: Final = re.compile(
    r"(\d{4}-\d\d-\d\d)[Tt](\d\d:\d\d(?::\d\d)?)(?:\.(\d+))?(?:([Zz])|([ +-]\d\d:\d\d))?", re.ASCII
)


def _instant(raw: str) -> datetime:
    found = _INSTANT.fullmatch(raw)
    try:
        if found is None:
            raise ValueError(raw)
        date, time, fraction, _, offset = found.groups()
        at = datetime.fromisoformat(f"{date}T{time}{(offset or '+00:00').replace(' ', '+')}")
        return at.replace(microsecond=int((fraction or "0").ljust(6, "0")[:6])).astimezone(UTC)
    except (ValueError, OverflowError):
        raise _Unfit(said("must be a date-time like {example}", example="2026-03-10T10:22:31.338Z")) from None


def _boolean(raw: str) -> bool:
    if raw not in ("true", "false"):
        raise _Unfit(said("must be true or false"))
    return raw == "true"


def _source(raw: str) -> Source:
    sources: dict[str, Source] = {"api": "api", "panel": "panel"}
    if raw not in sources:
        raise _Unfit(said("must be one of {known}", known=", ".join(sources)))
    return sources[raw]


def _status(raw: str) -> Status:
    try:
        return Status(raw)
    except ValueError:
        raise _Unfit(said("must be one of {known}", known=", ".join(Status))) from None


def _search(raw: str) -> str:
    if "\0" in raw:
        raise _Unfit(said("must not hold a NUL character"))
    return fold(clean(raw))
