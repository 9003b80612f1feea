"""Where a Python process spends its time: py-spy looks at its stack some hundred times a second, from outside.

In: a process id, for as long as a `Recorder` runs. Out: `Stacks`: how often each function was the one that ran, and how
often each room (a part of Ulak, or a package) stood anywhere on the stack. Only moments in which the process ran are
counted; what C code does, it does in the name of the Python function that called it: uvloop and what it calls by itself
(reading PostgreSQL's answers, say) stand as asyncio's Runner.run.
"""

import re
import signal
import subprocess
import sys
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Self

PER_SECOND: Final = 400
END_SECONDS_MAX: Final = 30
_PY_SPY: Final = str(Path(sys.executable).with_name("py-spy"))
_FRAME: Final = re.compile(r"(?P<function>.+?) \((?P<path>.+?)(?::\d+)?\)")
_OURS: Final = re.compile(r".*/src/(?:ulak/(?P<room>edge/\w+|\w+)|(?P<island>smpp))[/.]")
_INSTALLED: Final = re.compile(r".*/site-packages/(?P<package>\w+)")
_STANDARD: Final = re.compile(r"(?:.*/lib/python[\d.]+/|<frozen )(?P<module>\w+)")
_MADE: Final = re.compile(r"<(?P<maker>string|smpp)\b")  # by NamedTuple and dataclass; by our codec


class Recorder:
    """py-spy, looking at one process from now on until `stop`; with `with`, it never stays behind."""

    def __init__(self, pid: int, file: Path) -> None:
        self._file = file
        options = [f"--pid={pid}", f"--rate={PER_SECOND}", "--format=raw", f"--output={file}"]
        self._process = subprocess.Popen(
            [_PY_SPY, "record", "--nonblocking", "--function", "--full-filenames", *options],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._process.poll() is None:
            self._process.kill()
        self._process.wait()
        assert self._process.stdout
        self._process.stdout.close()

    def stop(self) -> "Stacks":
        """What it has seen; raises RuntimeError where it could not look."""
        self._process.send_signal(signal.SIGINT)  # which is how py-spy is told to write what it has
        try:
            said, _ = self._process.communicate(timeout=END_SECONDS_MAX)
        except subprocess.TimeoutExpired:
            self._process.kill()
            said, _ = self._process.communicate()
        if not self._file.exists():
            raise RuntimeError(f"py-spy could not look into the process (it may need to be root): {said}")
        return read(self._file.read_text(errors="replace"))


@dataclass(slots=True)
class Stacks:
    """How often what was seen: functions and rooms by themselves, and with all that they called."""

    samples: int = 0
    functions: Counter[str] = field(default_factory=Counter)
    functions_with_called: Counter[str] = field(default_factory=Counter)
    rooms: Counter[str] = field(default_factory=Counter)
    rooms_with_called: Counter[str] = field(default_factory=Counter)

    def as_json(self, microseconds: float) -> dict[str, Any]:
        """For programs, in microseconds, of which all samples together are so many."""
        each = microseconds / max(1, self.samples)

        def of(counter: Counter[str]) -> dict[str, float]:
            return {name: round(n * each, 3) for name, n in counter.most_common()}

        return {
            "samples": self.samples,
            "functions": of(self.functions),
            "functionsWithCalled": of(self.functions_with_called),
            "rooms": of(self.rooms),
            "roomsWithCalled": of(self.rooms_with_called),
        }


def read(raw: str) -> Stacks:
    """py-spy's raw form: a line for each stack, outermost frame first, and how often it was seen."""
    stacks = Stacks()
    for line in raw.splitlines():
        stack, _, times = line.rpartition(" ")
        n = int(times)
        frames = [place_of(frame) for frame in stack.split(";")]
        stacks.samples += n
        room, function = frames[-1]
        stacks.rooms[room] += n
        stacks.functions[function] += n
        for room in {room for room, _ in frames}:
            stacks.rooms_with_called[room] += n
        for function in {function for _, function in frames}:
            stacks.functions_with_called[function] += n
    return stacks


def place_of(frame: str) -> tuple[str, str]:
    """The room a frame belongs to, and its function's name with the module's: ("flow", "flow/till.take")."""
    found = _FRAME.fullmatch(frame)
    if not found:
        return "elsewhere", frame
    path, function = found["path"], found["function"]
    module = Path(path).stem
    if ours := _OURS.match(path):
        # a module right in `edge` belongs to no room of it
        room = ours["island"] or ours["room"].removesuffix(f"/{module}")
        return room, f"{room}/{module}.{function}"
    if installed := _INSTALLED.match(path):
        return installed["package"], f"{installed['package']}: {module}.{function}"
    if standard := _STANDARD.match(path):
        # frozen ones are named <frozen abc>
        return (
            f"Python: {standard['module']}",
            f"{standard['module']}: {module.strip('<>').split()[-1]}.{function}",
        )
    if made := _MADE.match(path):
        room = "smpp" if made["maker"] == "smpp" else "Python: generated"
        return room, f"{room}: {function}"
    return "elsewhere", f"{module}.{function}"
