"""The house rules: which way imports point, who opens transactions, and what a file looks like."""

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SOURCE = ROOT / "src"
ROOMS = ["base", "rules", "store", "flow", "admin", "edge"]  # each may import those before it

#: Imports inside a room that are part of its design; every other sibling import is a mistake.
SIBLINGS = {
    "rules": None,
    "base": None,
    "edge": None,
    "store": {
        ("closings", "credits"),
        ("depths", "queue"),
        ("everyone", "credits"),
        ("everyone", "hours"),
        ("incidents", "messages"),
        ("keys", "users"),
        ("listing", "search"),
        ("listing", "sendings"),
        ("search", "blocks"),
        ("search", "sendings"),
        ("message_pages", "sendings"),
        ("organizations", "users"),
        ("statements", "closings"),
        ("statements", "credits"),
        ("sessions", "operators"),
        ("sessions", "users"),
    },
    "admin": {
        ("entrance", "second_factor"),
        ("pulse", "carriers"),
        ("operators", "accounts"),
    },
    "flow": {
        ("accept", "directory"),
        ("offers", "directory"),
        ("directory", "recognise"),
        ("directory", "ways"),
        ("dispatch", "fallback"),
        ("dispatch", "unsure"),
        ("fallback", "unsure"),
        ("fallback", "ways"),
        ("unsure", "settle"),
        ("accept", "order"),
        ("accept", "quote"),
        ("accept", "traced"),
        ("dispatch", "traced"),
        ("quote", "directory"),
        ("quote", "order"),
        ("accept", "till"),
        ("dispatch", "receipt"),
        ("dispatch", "settle"),
        ("order", "directory"),
        ("sweep", "dispatch"),
        ("sweep", "settle"),
        ("payment", "order"),
        ("payment", "pulse"),
        ("receipt", "pulse"),
        ("settle", "pulse"),
        ("till", "order"),
        ("till", "payment"),
    },
}

#: Every module of a room may use these.
SHARED = {"admin": {"guessing", "lookup", "passwords", "terms", "vault"}}

#: Modules that may speak SMPP: the links, and the command that starts the simulated carrier.
SPEAKS_SMPP = re.compile(r"ulak\.edge\.(carrier\.|cli\.)")

LINES_MAX = 500
FORBIDDEN_NAMES = {"utils", "util", "helpers", "helper", "common", "manager", "misc"}


def files() -> list[Path]:
    return sorted(SOURCE.rglob("*.py"))


def module_of(path: Path) -> str:
    return ".".join(path.relative_to(SOURCE).with_suffix("").parts).removesuffix(".__init__")


def imports_of(path: Path) -> Iterator[str]:
    """Every module a file imports, those inside functions included."""
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: imports are absolute"
            assert node.module
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def rooms_of(module: str) -> tuple[str, str] | None:
    """(room, module in the room) of `ulak.room.module`."""
    parts = module.split(".")
    return (parts[1], parts[2]) if len(parts) > 2 and parts[0] == "ulak" and parts[1] in ROOMS else None


def test_imports_point_down_only() -> None:
    wrong = []
    for path in files():
        here = rooms_of(module_of(path))
        for imported in imports_of(path):
            there = rooms_of(imported)
            if here and there and ROOMS.index(there[0]) > ROOMS.index(here[0]):
                wrong.append(f"{module_of(path)} imports {imported}")
    assert wrong == []


def test_siblings_import_each_other_only_where_said() -> None:
    modules = {module_of(path) for path in files()}
    wrong = set()
    for path in files():
        here = rooms_of(module_of(path))
        for imported in imports_of(path):
            there = rooms_of(imported)
            if not here or not there or here[0] != there[0] or here[1] == there[1]:
                continue
            if there[1] in SHARED.get(there[0], set()):
                continue
            allowed = SIBLINGS.get(here[0], set())
            known = f"ulak.{there[0]}.{there[1]}" in modules
            if allowed is not None and known and (here[1], there[1]) not in allowed:
                wrong.add(f"{module_of(path)} imports {imported}")
    assert sorted(wrong) == []


def test_smpp_is_an_island() -> None:
    wrong = []
    for path in files():
        module = module_of(path)
        for imported in imports_of(path):
            top = imported.split(".")[0]
            if module.startswith("smpp"):
                if top != "smpp" and top not in sys.stdlib_module_names:
                    wrong.append(f"{module} imports {imported}")
            elif top == "smpp" and not SPEAKS_SMPP.match(module):
                wrong.append(f"{module} imports {imported}")
    assert wrong == []


@pytest.mark.parametrize("room", ["rules", "smpp"])
def test_the_pure_rooms_import_nothing_that_waits(room: str) -> None:
    folder = SOURCE / room if room == "smpp" else SOURCE / "ulak" / room
    wrong = [
        f"{module_of(path)} imports {imported}"
        for path in folder.rglob("*.py")
        for imported in imports_of(path)
        if imported.split(".")[0] in {"asyncpg", "starlette", "uvicorn", "httpx", "subprocess"}
    ]
    assert wrong == []


def test_only_flow_and_admin_open_a_transaction() -> None:
    wrong = [
        f"{module_of(path)}:{node.lineno}"
        for path in files()
        if (rooms_of(module_of(path)) or ("",))[0] in {"edge", "store", "rules"}
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.Attribute) and node.attr in {"transaction", "snapshot"}
    ]
    assert wrong == []


def test_sql_stands_in_store_and_base_only() -> None:
    statement = re.compile(r"\s*(SELECT|INSERT INTO|UPDATE|DELETE FROM|WITH \w+ AS)\s")
    wrong = [
        f"{module_of(path)}:{node.lineno}"
        for path in files()
        if (rooms_of(module_of(path)) or ("store",))[0] not in {"store", "base"}
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and statement.match(node.value)
    ]
    assert wrong == []


@pytest.mark.parametrize("path", files(), ids=module_of)
def test_a_file_opens_with_prose_and_stays_readable(path: Path) -> None:
    text = path.read_text("utf-8")
    tree = ast.parse(text)
    if tree.body:
        assert ast.get_docstring(tree), "a module opens with what it is, what comes in and what goes out"
    assert len(text.splitlines()) <= LINES_MAX
    assert path.stem not in FORBIDDEN_NAMES


def test_public_things_say_what_they_are() -> None:
    wrong = []
    for path in files():
        for node in ast.parse(path.read_text("utf-8")).body:
            if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
                continue
            if not node.name.startswith("_") and not ast.get_docstring(node):
                wrong.append(f"{module_of(path)}.{node.name}")
    assert wrong == []


def test_exceptions_are_caught_broadly_only_where_it_is_said_why() -> None:
    wrong = [  # ruff refuses a broad except that does not raise, unless it is told not to
        f"{module_of(path)}:{number}"
        for path in files()
        for number, line in enumerate(path.read_text("utf-8").splitlines(), 1)
        if re.search(r"# noqa: BLE001(?! - \w)", line)
    ]
    assert wrong == []


def tracked() -> list[Path]:
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        check=True,
    )
    names = listed.stdout.decode().split("\0")
    return [ROOT / name for name in names if name and (ROOT / name).is_file()]


def test_no_file_names_a_package_index_or_somebodys_machine() -> None:
    index = re.compile(
        r"index-url|find-links\s|https?://[\w.-]*(?:pypi|pythonhosted|npmjs|deb\.debian)|/root/|/home/\w+/",
        re.IGNORECASE,
    )
    wrong = [
        f"{path.relative_to(ROOT)}:{number}: {line.strip()[:80]}"
        for path in tracked()
        if path.suffix not in {".png"} and path != Path(__file__) and path.name != "Makefile"
        for number, line in enumerate(path.read_text("utf-8", "replace").splitlines(), 1)
        if index.search(line)
    ]
    assert wrong == []


def test_every_locked_package_has_hashes() -> None:
    for lock in (ROOT / "requirements").glob("*.lock"):
        entries = re.split(r"\n(?=\S)", lock.read_text("utf-8").strip())
        assert entries
        assert [entry.split()[0] for entry in entries if "--hash=sha256:" not in entry] == []


def test_every_setting_has_its_line_in_the_docstring() -> None:
    from dataclasses import fields

    from ulak.base.config import Config

    assert Config.__doc__
    words = set(re.findall(r"[a-z_]+", Config.__doc__))
    assert [field.name for field in fields(Config) if field.name not in words] == []
