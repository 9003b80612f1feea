"""An upgrade of a version that there really was: its code, taken out of git, serves while today's migrates.

The newest commit of this history that lacks some of today's migrations, and has all that are older than the rule, is
the version before. It is served on a database of its own schema, under a small load.
"""

import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from tests.harness import CarrierProcess, Installation, await_true
from tests.harness.load import Load
from tests.tidy.test_migrations import BEFORE_THE_RULE, FOLDER

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
MIGRATIONS = "src/ulak/base/migrations/"
COMMITS_MAX = 1000


def git(*words: str) -> bytes:
    """What git says; nothing where there is none, or no history."""
    try:
        return subprocess.run(["git", "-C", ROOT, *words], capture_output=True, check=True).stdout
    except (OSError, subprocess.CalledProcessError):
        return b""


def migrations_of(commit: str) -> set[str]:
    return {Path(line).stem for line in git("ls-tree", "--name-only", commit, MIGRATIONS).decode().split()}


def version_before() -> tuple[str, set[str]]:
    """A commit, and which of today's migrations it does not know."""
    today = {path.stem for path in FOLDER.glob("*.sql")}
    for commit in git("rev-list", f"--max-count={COMMITS_MAX}", "HEAD").decode().split():
        its = migrations_of(commit)
        if BEFORE_THE_RULE in its and its < today:
            return commit, today - its
    pytest.skip("no earlier version in git's history here: a shallow clone, or none")


def test_an_earlier_version_serves_while_todays_migrates(tmp_path: Path) -> None:
    commit, missing = version_before()
    subprocess.run(
        ["tar", "-x", "-C", str(tmp_path)], input=git("archive", commit, "src"), check=True, timeout=60
    )
    with CarrierProcess(delay_ms=20) as carrier, Installation() as ulak:
        today = dict(ulak.environment)
        ulak.environment["PYTHONPATH"] = str(tmp_path / "src")
        ulak.start()
        ulak.carrier("simulated", carrier.port, window=20)
        service, user = ulak.service("BobSMS", "simulated"), ulak.user("mark")
        ulak.credit(100_000, user=user)

        with Load([int(ulak.url.rpartition(":")[2])], user.key, service, connections=4) as load:
            await_true(lambda: len(load.accepted) > 100, "the version before answers")
            done = subprocess.run(
                [sys.executable, "-m", "ulak", "migrate", "--json"],
                env=today,
                capture_output=True,
                check=True,
                cwd=tmp_path,
                timeout=60,
            )
            assert all(name.encode() in done.stdout for name in missing)
            n = len(load.accepted)
            await_true(lambda: len(load.accepted) > n + 300, "it goes on answering")
        assert load.failed == []
        with ulak.as_user(user) as client:
            assert httpx.get(f"{ulak.url}/readyz", trust_env=False).status_code == 200

            def waiting() -> int:
                listed = client.get("/sms-sendings", params={"limit": 1000, "page": 0}).json()["data"]
                return sum(not item["completed"] for item in listed["items"])

            await_true(lambda: waiting() == 0, "all ended")
        ulak.stop()

        ulak.environment = today
        ulak.start()
        assert ulak.cli("audit")["clean"]
        counters = carrier.stop()
    assert (counters["distinct"], counters["repeats"]) == (len(load.accepted), 0)
    print(f"{commit[:7]} without {', '.join(sorted(missing))}: {len(load.accepted)} accepted, none failed")
