"""Structured logs on standard error: one event a line, for people or as JSON.

Ids, codes and counts are logged; API keys, passwords, numbers and texts never are. A traceback shows code only, no
values of variables; of what an exception says, quoted words and long numbers are left out, and of what the database
says its details, which quote rows. Nothing that is written gives orders to a terminal. What libraries log comes out in
the same form. `REQUEST` is the id of the request that is being answered, and stands on every line that is written
meanwhile.
"""

import logging
import re
import sys
import traceback
from collections.abc import Iterator
from contextvars import ContextVar
from typing import Any, Final
from uuid import UUID

import structlog

from ulak.base.harmless import harmless

REQUEST: Final[ContextVar[str]] = ContextVar("request_id", default="")

_SAID_WITH_CARE: Final = re.compile(r"'[^']*'|\"[^\"]*\"|\d{7,}")
_ERRORS_MAX: Final = 10

Event = Any  # structlog's own type for what passes its processors differs from version to version


def configure(level: str, form: str) -> None:
    """Set up logging for this process. `form` is console or json."""
    numeric = getattr(logging, level.upper())
    last: list[Any] = (
        [structlog.processors.JSONRenderer(ensure_ascii=False), _harmless_line]
        if form == "json"
        else [_harmless_words, structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty())]
    )
    processors: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        _name_request,
        _write_ids,
        _code_only,
    ]
    structlog.configure(
        processors=[*processors, *last],
        wrapper_class=structlog.make_filtering_bound_logger(numeric),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[structlog.stdlib.add_logger_name, *processors],
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *last],
        )
    )
    logging.basicConfig(level=max(numeric, logging.WARNING), handlers=[handler])


def _name_request(logger: object, method: str, event: Event) -> Event:
    if request := REQUEST.get():
        event.setdefault("request_id", request)
    return event


def _write_ids(logger: object, method: str, event: Event) -> Event:
    """Ids are handed over as they are: written out only on a line that is written."""
    for name, value in event.items():
        if isinstance(value, UUID):
            event[name] = str(value)
    return event


def _harmless_words(logger: object, method: str, event: Event) -> Event:
    """What is said for people, before it gets its colours; what is no text is shown as Python writes it."""
    return {name: harmless(value) if isinstance(value, str) else value for name, value in event.items()}


def _harmless_line(logger: object, method: str, line: str) -> str:
    return harmless(line)


def _code_only(logger: object, method: str, event: Event) -> Event:
    """An exception as where it happened."""
    error = event.pop("exc_info", None)
    if isinstance(error, tuple):
        error = error[1]
    elif error is True:
        error = sys.exc_info()[1]
    if isinstance(error, BaseException):
        event["exception"] = "\n".join(_told(error))
    return event


def _told(error: BaseException) -> Iterator[str]:
    """An exception and what it came from, newest first: frames, then its name and its words as far as they may be
    repeated."""
    left = [error]
    for _ in range(_ERRORS_MAX):
        if not left:
            return
        one = left.pop(0)
        yield "".join(traceback.format_tb(one.__traceback__)).rstrip()
        yield f"{type(one).__module__}.{type(one).__qualname__}: {words(one)}"
        left += one.exceptions if isinstance(one, BaseExceptionGroup) else []
        if before := one.__cause__ or (None if one.__suppress_context__ else one.__context__):
            left.append(before)


def words(error: BaseException) -> str:
    """What an exception says, on one line, without what it quotes: rows, numbers and texts may be in there."""
    sqlstate = getattr(error, "sqlstate", None)
    said = f"{sqlstate} {error.args[0] if error.args else ''}" if sqlstate else str(error)
    return _SAID_WITH_CARE.sub("…", " ".join(said.split()))
