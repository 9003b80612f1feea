"""Logs: one JSON object a line, whoever wrote it, naming its request and nothing that is nobody's business."""

import json
import logging
from collections.abc import Iterator
from uuid import UUID

import asyncpg
import pytest
import structlog

from ulak.base import logs

ID = UUID("01980000-0000-7000-8000-000000000000")


@pytest.fixture(autouse=True)
def _as_before() -> Iterator[None]:
    """Logging as it was."""
    root = logging.getLogger()
    before = root.handlers[:], root.level
    yield
    root.handlers, level = before
    root.setLevel(level)
    structlog.reset_defaults()


def configure(level: str, form: str) -> None:
    """As a process does; without the handlers that pytest has put in its way."""
    logging.getLogger().handlers = []
    logs.configure(level, form)


def lines(capsys: pytest.CaptureFixture[str]) -> list[dict[str, object]]:
    return [json.loads(line) for line in capsys.readouterr().err.splitlines()]


def test_a_line_names_its_request_and_ids_are_written_out(capsys: pytest.CaptureFixture[str]) -> None:
    configure("info", "json")
    token = logs.REQUEST.set("abc")
    structlog.get_logger().info("accepted", sending=ID)
    structlog.get_logger().debug("not this one")
    logs.REQUEST.reset(token)
    structlog.get_logger().info("later")
    [first, second] = lines(capsys)
    assert (first["event"], first["request_id"], first["sending"]) == ("accepted", "abc", str(ID))
    assert first["level"] == "info"
    assert str(first["timestamp"]).endswith("Z")
    assert "request_id" not in second


def test_libraries_write_the_same_form(capsys: pytest.CaptureFixture[str]) -> None:
    configure("debug", "json")
    logging.getLogger("asyncio").error("something broke")
    logging.getLogger("asyncio").debug("nothing of this")
    [line] = lines(capsys)
    assert (line["event"], line["logger"], line["level"]) == ("something broke", "asyncio", "error")


@pytest.mark.parametrize("form", ["json", "console"])
def test_an_exception_says_where_and_quotes_nothing(form: str, capsys: pytest.CaptureFixture[str]) -> None:
    configure("info", form)
    secret = "905551112233"
    try:
        try:
            int(f"my secret {secret}")
        except ValueError as error:
            raise LookupError(f"no message to {secret}") from error
    except LookupError:
        structlog.get_logger().exception("failed")
        logging.getLogger("lib").exception("failed too")
    written = capsys.readouterr().err
    assert written.count("LookupError: no message to …") == 2
    assert written.count("ValueError: invalid literal") == 2
    assert "test_logs.py" in written
    assert secret not in written
    assert "my secret 9" not in written


def test_the_database_s_details_are_left_out() -> None:
    error = asyncpg.CheckViolationError.new(
        {"C": "23514", "M": 'new row violates "credits_check"', "D": "Failing row contains (secret)."}
    )
    assert "secret" in str(error)
    assert "secret" not in logs.words(error)
    assert logs.words(error).startswith("23514 new row violates")


@pytest.mark.parametrize("form", ["json", "console"])
def test_nothing_gives_orders_to_a_terminal(form: str, capsys: pytest.CaptureFixture[str]) -> None:
    configure("info", form)
    hostile = "a\x1b]0;owned\x07\x9b31m\x7f\u202e\rb"

    structlog.get_logger().warning(hostile, who=hostile, several=[hostile])
    logging.getLogger("lib").error(hostile)
    try:
        raise ValueError(hostile)
    except ValueError:
        structlog.get_logger().exception("failed")

    written = capsys.readouterr().err
    assert "owned" in written
    assert sorted({char for char in written if not char.isprintable()}) == ["\n"]
    if form == "json":
        first = json.loads(written.splitlines()[0])
        assert (first["event"], first["who"], first["several"]) == (hostile, hostile, [hostile])
