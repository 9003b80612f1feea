"""Asks whether a known weakness is in anything that `requirements/dev.lock` pins, which is all that ever runs here.

`python -m tests.tidy.advisories` is a line of `make check`. pip-audit (decision 22) does the asking; this only decides
what its answer means. A weakness ends the check with 1 and a line that names the version to take. Where nobody can be
asked, because the machine has no way to a source of advisories, that is said in one line and nothing is claimed; with
`--strict`, as before a release, that ends with 1 too.
"""

import argparse
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

PINS = Path(__file__).parents[2] / "requirements" / "dev.lock"
SECONDS_MAX = 60


def ask() -> list[dict[str, Any]]:
    """What pip-audit says of each pinned package; nothing when it could not ask at all."""
    command = [
        "-m",
        "pip_audit",
        "--disable-pip",
        "--require-hashes",
        "--requirement",
        str(PINS),
        "--format",
        "json",
    ]
    try:
        done = subprocess.run([sys.executable, *command], capture_output=True, text=True, timeout=SECONDS_MAX)
        return list(json.loads(done.stdout)["dependencies"])
    except (subprocess.TimeoutExpired, json.JSONDecodeError):
        return []


def judge(packages: list[dict[str, Any]]) -> tuple[list[str], str]:
    """A line for each known weakness, and what could not be asked (empty when everything could)."""
    weak = [
        f"{package['name']} {package['version']}: {flaw['id']}, mended in "
        f"{', '.join(flaw['fix_versions']) or 'no version yet'}"
        for package in packages
        for flaw in package.get("vulns", [])
    ]
    missed = [package["name"] for package in packages if "skip_reason" in package]
    if len(missed) == len(packages):
        return weak, "no source of advisories answers from here, so none of the pinned packages was audited"
    return weak, f"no advisories could be read for {', '.join(missed)}" if missed else ""


def main() -> None:
    """Ask, print, and end with 1 when something must be done."""
    parser = argparse.ArgumentParser(prog="python -m tests.tidy.advisories", description=__doc__)
    parser.add_argument("--strict", action="store_true", help="what could not be asked is a failure as well")
    given = parser.parse_args()
    weak, missed = judge(ask())
    for line in weak:
        print(line)
    if missed:
        print(f"pip-audit: {missed}")
    sys.exit(bool(weak or (given.strict and missed)))


if __name__ == "__main__":
    main()
