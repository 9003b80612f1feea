"""What processes have used, from /proc: CPU seconds and memory of whole trees."""

import os
from pathlib import Path
from typing import NamedTuple

_TICK = os.sysconf("SC_CLK_TCK")


class Usage(NamedTuple):
    """CPU seconds so far, of living processes and of the dead that were waited for; resident memory in MiB."""

    cpu_seconds: float
    memory_mib: float

    def since(self, before: "Usage") -> float:
        """CPU seconds between the two."""
        return self.cpu_seconds - before.cpu_seconds


def tree(root: int) -> list[int]:
    """A process and all its descendants."""
    found, todo = [], [root]
    while todo:
        pid = todo.pop()
        found.append(pid)
        for task in Path(f"/proc/{pid}/task").glob("*/children"):
            try:
                todo += map(int, task.read_text().split())
            except OSError:
                continue
    return found


def of(*roots: int) -> Usage:
    """What these processes and their descendants have used. Memory is proportional: shared pages are shared out."""
    pids = {pid for root in roots for pid in tree(root)}
    return Usage(sum(map(cpu_seconds, pids)), sum(map(_memory, pids)))


def cpu_seconds(pid: int) -> float:
    """What one process has used so far, without its living children."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0.0
    return sum(int(field) for field in fields[11:15]) / _TICK


def _memory(pid: int) -> float:
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    except OSError:
        return 0.0
    return sum(int(line.split()[1]) for line in lines if line.startswith("Pss:")) / 1024
