"""The clock that Ulak's processes see: the machine's, and so many seconds more or less, at once in all of them.

In: how far it should be ahead. Out: the environment for a process that is to be told so (`clock.c`, loaded before
everything else). Where there is no C compiler there is no such clock, and `available` says so. PostgreSQL keeps the
machine's time: it is another machine's clock that jumps.
"""

import shutil
import subprocess
from pathlib import Path
from typing import Final

SOURCE: Final = Path(__file__).with_name("clock.c")
COMPILER: Final = shutil.which("cc") or shutil.which("gcc")


class Clock:
    """`environment` for processes; `jump(seconds)` from where the clock is now."""

    def __init__(self, home: Path) -> None:
        self._file = home / "clock"
        self._file.write_bytes(bytes(8))
        self.ahead = 0
        self.environment: dict[str, str] = {}
        if COMPILER:
            library = home / "clock.so"
            subprocess.run([COMPILER, "-shared", "-fPIC", "-O1", "-o", library, SOURCE, "-ldl"], check=True)
            self.environment = {"LD_PRELOAD": str(library), "STORM_CLOCK": str(self._file)}

    @property
    def available(self) -> bool:
        """Whether it can jump."""
        return bool(self.environment)

    def jump(self, seconds: int) -> None:
        """Forward, or back."""
        self.ahead += seconds
        with self._file.open("r+b") as file:
            file.write(self.ahead.to_bytes(8, "little", signed=True))
