"""One process that says when it is ready: started, listened to, stopped, and never left behind.

In: a command and its environment. Out: the JSON lines it prints on stdout, its log (stderr, kept in a file),
and its exit code. It never waits without a bound.
"""

import json
import os
import select
import signal
import socket
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

ULAK = str(Path(sys.executable).with_name("ulak"))
READY_SECONDS = 60
STOP_SECONDS = 30


_HAND = 'export LISTEN_PID=$$ LISTEN_FDS=1; exec "$@"'


def heed_ctrl_c() -> None:
    """For `preexec_fn`: as in a terminal. A shell that started the tests in the background made everything below it
    deaf to it."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


class Process:
    """A running `ulak …` that printed `{"ready": true, …}`; `ready` holds that line."""

    def __init__(
        self,
        arguments: Sequence[str],
        environment: Mapping[str, str],
        log: Path,
        listener: socket.socket | None = None,
        cwd: Path | None = None,
    ) -> None:
        """With `listener` it is handed that socket, as systemd does; with `cwd` it begins in that directory."""
        self.log = log
        command, handed = [ULAK, *arguments, "--json"], []
        if listener:
            handed = [listener.fileno()]
            command = ["bash", "-c", f"{_HAND} 3<&{handed[0]}", "hand", *command]
        with log.open("ab") as stderr:
            self._process = subprocess.Popen(
                command,
                pass_fds=handed,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=stderr,
                env=dict(environment),
                cwd=cwd,
                start_new_session=True,  # Ctrl-C in the terminal of the tests is not for it
            )
        self.ready = self._await_ready()

    @property
    def pid(self) -> int:
        """The id of the process that was started."""
        return self._process.pid

    @property
    def running(self) -> bool:
        """Whether it has not ended yet."""
        return self._process.poll() is None

    def _await_ready(self) -> dict[str, Any]:
        line = self._line(READY_SECONDS)
        try:
            ready: dict[str, Any] = json.loads(line)
            assert ready["ready"] is True
        except (ValueError, LookupError, TypeError, AssertionError) as error:
            self.kill()
            raise AssertionError(f"not ready, said {line!r}\n{self.tail()}") from error
        return ready

    def _line(self, seconds: float) -> bytes:
        """One line of stdout, or nothing when none came in time."""
        assert self._process.stdout
        readable, _, _ = select.select([self._process.stdout], [], [], seconds)
        return self._process.stdout.readline() if readable else b""

    def stop(self, seconds: float = STOP_SECONDS) -> str:
        """SIGTERM; it must end by itself, in time, with exit code 0. Returns what it printed since it was ready."""
        self._process.terminate()
        try:
            rest, _ = self._process.communicate(timeout=seconds)
        except subprocess.TimeoutExpired:
            self.kill()
            raise AssertionError(f"did not end within {seconds} s of SIGTERM\n{self.tail()}") from None
        assert self._process.returncode == 0, f"exit code {self._process.returncode}\n{self.tail()}"
        return rest.decode()

    def kill(self) -> None:
        """SIGKILL to it and to the processes of its group; nobody gets to say goodbye."""
        if self.running:
            os.killpg(self.pid, signal.SIGKILL)
        self._process.wait(STOP_SECONDS)
        if self._process.stdout:
            self._process.stdout.close()

    def tail(self, lines: int = 40) -> str:
        """The end of its log, for the message of a failed assertion."""
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-lines:])
