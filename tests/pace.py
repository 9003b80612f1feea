"""How much of a long list of cases `make check` takes: a few from all over it; the rest comes with `make test`."""

from collections.abc import Sequence
from typing import Any

import pytest


def few_fast(cases: Sequence[Any], n: int = 2) -> list[Any]:
    """The cases for `parametrize`, all but `n` of them marked as slow; a case of several values is a tuple."""
    fast = {k * len(cases) // n for k in range(n)}
    return [case if k in fast else _slow(case) for k, case in enumerate(cases)]


def _slow(case: Any) -> Any:
    return pytest.param(*(case if isinstance(case, tuple) else (case,)), marks=pytest.mark.slow)
