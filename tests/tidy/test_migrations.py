"""Migrations only add: each after the last one that is older than this rule is read for what older code cannot bear."""

import re
from importlib import resources
from pathlib import Path
from typing import Final

import pytest

ROOT = Path(__file__).parents[2]
FOLDER = Path(str(resources.files("ulak.base").joinpath("migrations")))
#: The last one before the rule; docs/operations.md says so.
BEFORE_THE_RULE: Final = "0018_secrets"
#: What a migration says that takes something away which nobody has used since this version.
UNUSED: Final = re.compile(r"^--.*\bunused since \d+\.\d+\.\d+", re.M)

TAKING: Final = {
    "renames": re.compile(r"\bRENAME\b"),
    "drops": re.compile(
        r"\bDROP\s+(COLUMN|TABLE|TYPE|VIEW|DEFAULT)\b|\bDROP\s+(?!COLUMN|NOT|CONSTRAINT|INDEX)\w+$"
    ),
    "changes a type": re.compile(r"\bALTER\s+(COLUMN\s+)?\w+\s+(SET\s+DATA\s+)?TYPE\b"),
    "forbids NULL": re.compile(r"\bSET\s+NOT\s+NULL\b"),
}
ADDING: Final = re.compile(r"\bADD\s+(?:COLUMN\s+)?(?!CONSTRAINT|CHECK|PRIMARY|UNIQUE|FOREIGN|EXCLUDE)[^,;]*")


def bare(sql: str) -> str:
    """Statements in capitals without comments, texts, bodies of functions and what stands in parentheses."""
    sql = re.sub(r"--[^\n]*|/\*.*?\*/", " ", sql, flags=re.S)
    sql = re.sub(r"\$(\w*)\$.*?\$\1\$|'(?:[^']|'')*'", "''", sql, flags=re.S)
    while (less := re.sub(r"\([^()]*\)", " ", sql)) != sql:
        sql = less
    return sql.upper()


def faults(sql: str) -> list[str]:
    """What an older version would not bear of a migration."""
    if UNUSED.search(sql):
        return []
    found = []
    for statement in bare(sql).split(";"):
        actions = statement.split(",") if "ALTER TABLE" in statement else [statement]
        for action in map(str.strip, actions):
            found += [f"{what}: {action}" for what, pattern in TAKING.items() if pattern.search(action)]
            added = ADDING.search(action) if "ALTER TABLE" in statement else None
            if added and "NOT NULL" in added[0] and not re.search(r"\b(DEFAULT|GENERATED)\b", added[0]):
                found.append(f"wants a value: {action}")
    return found


def kept() -> list[Path]:
    return [path for path in sorted(FOLDER.glob("*.sql")) if path.stem > BEFORE_THE_RULE]


@pytest.mark.parametrize("path", kept(), ids=lambda path: path.stem)
def test_a_migration_takes_nothing_away(path: Path) -> None:
    assert faults(path.read_text("utf-8")) == []


def test_the_docs_name_the_last_one_that_does() -> None:
    text = (ROOT / "docs/operations.md").read_text("utf-8")
    assert f"**The migrations up to {BEFORE_THE_RULE[:4]} do not keep this rule**" in text
    assert faults((FOLDER / f"{BEFORE_THE_RULE}.sql").read_text("utf-8"))


@pytest.mark.parametrize(
    "sql",
    [
        "ALTER TABLE users RENAME COLUMN name TO title;",
        "ALTER TABLE users RENAME TO people",
        "ALTER TABLE users\n  ADD COLUMN a int,\n  DROP COLUMN b;",
        "ALTER TABLE users DROP b;",
        "alter table users drop column if exists b",
        "DROP TABLE users;",
        "ALTER TABLE users ALTER COLUMN a TYPE bigint;",
        "ALTER TABLE users ALTER a SET DATA TYPE numeric(10, 2);",
        "ALTER TABLE users ALTER COLUMN a SET NOT NULL;",
        "ALTER TABLE users ALTER COLUMN a DROP DEFAULT;",
        "ALTER TABLE users ADD COLUMN a numeric(10, 2) NOT NULL;",
        "ALTER TABLE users ADD a int NOT NULL CHECK (a > 0);",
        "-- nobody has needed it since long ago\nDROP TABLE users;",
    ],
)
def test_what_takes_something_away_is_found(sql: str) -> None:
    assert faults(sql)


@pytest.mark.parametrize(
    "sql",
    [
        "ALTER TABLE users ADD COLUMN a int NOT NULL DEFAULT 0, ADD COLUMN b text;",
        "ALTER TABLE users ADD CONSTRAINT c CHECK (a IS NOT NULL) NOT VALID;",
        "ALTER TABLE users ALTER COLUMN a DROP NOT NULL;",
        "ALTER TABLE users DROP CONSTRAINT c;",
        "CREATE TABLE t (a int NOT NULL, drop_at int); -- DROP TABLE users",
        "INSERT INTO t VALUES ('DROP TABLE users; RENAME');",
        "CREATE FUNCTION f() RETURNS int AS $$ DROP TABLE x; $$ LANGUAGE sql;",
        "-- unused since 0.3.0\nALTER TABLE users DROP COLUMN b;",
    ],
)
def test_what_adds_is_let_pass(sql: str) -> None:
    assert faults(sql) == []
