"""A simulated carrier in a process of its own: `ulak simulate-carrier` on a free port.

In: the fates it should decide (percentages, throttle, seed). Out: its port, and at the end its counters.
"""

import json
import os
import shutil
import tempfile
from pathlib import Path
from types import TracebackType
from typing import Self

from tests.harness.process import Process


class CarrierProcess:
    """`CarrierProcess(undelivered=8, delay_ms=10)`; the names are those of the command line's options."""

    def __init__(self, *, port: int = 0, **options: float | str) -> None:
        self.home = Path(tempfile.mkdtemp(prefix="ulak-carrier-"))
        named = [f"--{name.replace('_', '-')}={value}" for name, value in options.items()]
        environment = {name: value for name, value in os.environ.items() if not name.startswith("ULAK_")}
        try:
            self._process = Process(
                ["simulate-carrier", f"--port={port}", *named], environment, self.home / "carrier.log"
            )
        except BaseException:
            shutil.rmtree(self.home)
            raise
        self.port: int = self._process.ready["port"]
        self.counters: dict[str, int] = {}

    @property
    def pid(self) -> int:
        """The id of its process."""
        return self._process.pid

    def stop(self) -> dict[str, int]:
        """SIGTERM; returns its counters: submits, taken, throttled, receipts, delivered, undelivered, expired,
        acknowledged, distinct (different messages taken) and repeats (taken again)."""
        if not self.counters:
            self._process.stop()
            self.counters = json.loads(self._process.tail(1))
            shutil.rmtree(self.home)
        return self.counters

    def kill(self) -> None:
        """SIGKILL: the carrier is gone from one moment to the next."""
        self._process.kill()
        shutil.rmtree(self.home, ignore_errors=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._process.running:
            self.stop()
