"""What pip-audit's answers mean: a weakness is a line and an end with 1, silence is said and never taken for health."""

import pytest

from tests.tidy import advisories

CLEAN = {"name": "starlette", "version": "1.10.0", "vulns": []}
WEAK = {
    "name": "jinja2",
    "version": "3.1.0",
    "vulns": [{"id": "PYSEC-2099-1", "fix_versions": ["3.1.9"]}, {"id": "PYSEC-2099-2", "fix_versions": []}],
}
UNASKED = {"name": "uvloop", "skip_reason": "Dependency not found"}


def test_each_known_weakness_is_a_line_with_the_version_to_take() -> None:
    assert advisories.judge([CLEAN, WEAK]) == (
        [
            "jinja2 3.1.0: PYSEC-2099-1, mended in 3.1.9",
            "jinja2 3.1.0: PYSEC-2099-2, mended in no version yet",
        ],
        "",
    )


@pytest.mark.parametrize(
    ("packages", "said"),
    [
        ([], "no source of advisories answers"),
        ([UNASKED, UNASKED], "no source of advisories answers"),
        ([CLEAN, UNASKED], "could be read for uvloop"),
    ],
)
def test_what_could_not_be_asked_is_said(packages: list[dict[str, object]], said: str) -> None:
    weak, missed = advisories.judge(packages)
    assert weak == []
    assert said in missed


@pytest.mark.parametrize(
    ("packages", "words", "code"),
    [([CLEAN], [], 0), ([CLEAN, WEAK], [], 1), ([UNASKED], [], 0), ([UNASKED], ["--strict"], 1)],
)
def test_the_check_ends_with_1_when_something_must_be_done(
    monkeypatch: pytest.MonkeyPatch, packages: list[dict[str, object]], words: list[str], code: int
) -> None:
    monkeypatch.setattr(advisories, "ask", lambda: packages)
    monkeypatch.setattr("sys.argv", ["advisories", *words])
    with pytest.raises(SystemExit) as ended:
        advisories.main()
    assert ended.value.code == code


@pytest.mark.slow
def test_every_package_that_is_pinned_is_asked_about() -> None:
    """Whether anybody answers depends on where this runs; that all are asked does not."""
    asked = {package["name"] for package in advisories.ask()}
    if not asked:
        pytest.skip("no source of advisories answers from here, not even with a no")
    pinned = {
        line.partition("==")[0] for line in advisories.PINS.read_text().splitlines() if line[:1].isalpha()
    }
    assert pinned - asked <= {"colorama", "pywin32", "tomli", "exceptiongroup"}  # of other systems
