"""The audit log in words: whatever is written into it has a name there."""

import ast
from collections.abc import Iterator
from pathlib import Path

import ulak
from ulak.edge.panel.operator import deeds
from ulak.store import carriers, services


def written() -> Iterator[ast.Call]:
    """The calls that add a line to the audit log."""
    for path in Path(ulak.__file__).parent.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Call) and ast.unparse(node.func) in {"audit_log.add", "trail.note"}:
                yield node


def test_every_action_that_is_written_down_has_words() -> None:
    actions = {call.args[2].value for call in written() if isinstance(call.args[2], ast.Constant)}

    assert len(actions) > 20
    assert actions - set(deeds.ACTIONS) == set()


def test_every_field_that_is_written_down_has_words() -> None:
    named = {str(word.arg) for call in written() for word in call.keywords if word.arg}
    settings = {*carriers.Settings.__dataclass_fields__, *services.Settings.__dataclass_fields__}

    assert len(named) > 10
    assert (named | settings) - set(deeds.FIELDS) == set()
