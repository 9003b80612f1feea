"""A real Ulak: its own data directory, its own PostgreSQL, `ulak serve` on a free port, and the command line beside it.

In: what should exist, through the commands an operator types. Out: HTTP clients of customers, the server's log.
It never reaches into the database, and leaves neither a process nor a file behind.
"""

import contextlib
import json
import os
import shutil
import signal
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import httpx

from tests.harness.answers import Answers
from tests.harness.process import ULAK, Process
from tests.harness.waiting import await_true

CLI_SECONDS = 60
HTTP_SECONDS = 30


class CliFailed(AssertionError):
    """A command ended with another exit code than 0."""

    def __init__(self, arguments: tuple[str, ...], exit_code: int, stdout: str, stderr: str) -> None:
        super().__init__(f"ulak {' '.join(arguments)}: exit {exit_code}\n{stdout}\n{stderr}")
        self.exit_code, self.stdout, self.stderr = exit_code, stdout, stderr


@dataclass(frozen=True, slots=True)
class User:
    """A customer user and a key of theirs."""

    id: str
    username: str
    email: str
    created_at: str
    key: str
    key_id: str


@dataclass(frozen=True, slots=True)
class Organization:
    """An organization."""

    id: str
    name: str


class Installation:
    """One Ulak in a temporary directory; keyword arguments are its settings: `rate_per_second=2` is
    `ULAK_RATE_PER_SECOND=2`. With `with`, everything is stopped and removed at the end."""

    def __init__(self, **settings: object) -> None:
        self.home = Path(tempfile.mkdtemp(prefix="ulak-"))
        self.base_path = str(settings.get("base_path", "/v1"))
        self.answers = Answers()
        self._clients: list[httpx.Client] = []
        self._server: Process | None = None
        self.environment = {n: v for n, v in os.environ.items() if not n.startswith("ULAK_")}
        self.environment["ULAK_DATA_DIR"] = str(self.home / "data")
        self.environment |= {f"ULAK_{name.upper()}": str(value) for name, value in settings.items()}

    # --- the processes

    def start(self, *arguments: str) -> Self:
        """`ulak serve` on a free port; returns when it is ready."""
        assert self._server is None, "already started"
        self._server = Process(["serve", "--port=0", *arguments], self.environment, self.log_path)
        return self

    @property
    def url(self) -> str:
        """Where the server listens, without the base path."""
        assert self._server
        return str(self._server.ready["url"])

    @property
    def pid(self) -> int:
        """The id of the `ulak serve` process."""
        assert self._server
        return self._server.pid

    @property
    def log_path(self) -> Path:
        """The file all servers of this installation wrote their logs to."""
        return self.home / "serve.log"

    @property
    def log(self) -> str:
        """The log so far."""
        return self.log_path.read_text(errors="replace")

    def stop(self) -> None:
        """SIGTERM; the server must end with exit code 0, in time."""
        assert self._server
        self._forget_clients()
        server, self._server = self._server, None
        server.stop()

    def kill(self) -> None:
        """SIGKILL to `ulak serve` and its workers; PostgreSQL is left running."""
        assert self._server
        self._forget_clients()
        server, self._server = self._server, None
        server.kill()

    def kill_postgres(self) -> None:
        """SIGKILL to the PostgreSQL server, as if the machine had lost it."""
        os.kill(self.postgres_pid, signal.SIGKILL)

    @property
    def postgres_pid(self) -> int:
        """The id of the PostgreSQL server's first process."""
        return int((self.home / "data/postgres/postmaster.pid").read_text().splitlines()[0])

    def close(self) -> None:
        """Stop what runs, remove what was written."""
        try:
            if self._server:
                self.stop()
        finally:
            self.stop_postgres()
            shutil.rmtree(self.home, ignore_errors=True)

    def stop_postgres(self) -> None:
        """After a `kill` its PostgreSQL may still be there; nobody else will stop it."""
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):
            os.kill(self.postgres_pid, signal.SIGINT)
            await_true(
                lambda: not (self.home / "data/postgres/postmaster.pid").exists(), "PostgreSQL stopped"
            )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    # --- the command line

    def cli(self, *arguments: object, stdin: str | None = None, seconds: float = CLI_SECONDS) -> Any:
        """Run `ulak ARGUMENTS --json`, for so long at most; returns what it printed. Raises `CliFailed`."""
        words = tuple(map(str, arguments))
        done = subprocess.run(
            [ULAK, *words, "--json"],
            input=stdin or "",
            capture_output=True,
            text=True,
            env=self.environment,
            timeout=seconds,
            check=False,
        )
        if done.returncode != 0:
            raise CliFailed(words, done.returncode, done.stdout, done.stderr)
        return json.loads(done.stdout)

    def carrier(self, name: str, port: int, **options: object) -> None:
        """A carrier on this machine."""
        self.cli(
            *("carrier", "create", name, "--host", "127.0.0.1", "--port", port),
            *("--system-id", "ulak", "--password", "secret", *_options(options)),
        )

    def service(self, name: str, carrier: str, price: object = 1, **options: object) -> str:
        """A service at this price over this carrier; returns its id."""
        answer = self.cli(
            *("service", "create", name, "--price", price, "--currency", "USD", "--carrier", carrier),
            *_options(options),
        )
        return str(answer["id"])

    def user(self, username: str, *, allow_ip: str | None = None) -> User:
        """A user with a key."""
        made = self.cli("user", "create", username, "--email", f"{username}@example.com")
        key = self.key(username, allow_ip=allow_ip)
        return User(made["id"], made["username"], made["email"], made["createdAt"], key["key"], key["id"])

    def key(self, username: str, *, allow_ip: str | None = None) -> dict[str, Any]:
        """Another key of a user: `{"id", "key", …}`."""
        answer: dict[str, Any] = self.cli("key", "create", username, *_options({"allow_ip": allow_ip}))
        return answer

    def organization(self, name: str, *members: User, permissions: tuple[str, ...] = ()) -> Organization:
        """An organization with these members, each with these permissions (none given: the default ones)."""
        made = self.cli("org", "create", name)
        for member in members:
            named = [word for permission in permissions for word in ("--permission", permission)]
            self.cli("org", "add-member", name, member.username, *named)
        return Organization(made["id"], name)

    def credit(self, amount: object, *, user: User | None = None, org: Organization | None = None) -> None:
        """Add credit to a user, to an organization's pool, or (both) to a member."""
        self.cli("credit", "add", amount, *_target(user, org))

    def balance(self, *, user: User | None = None, org: Organization | None = None) -> str:
        """The credit there: "120.000000"."""
        return str(self.cli("credit", "show", *_target(user, org))["balance"])

    # --- HTTP

    def as_user(self, user: User, org: Organization | None = None) -> httpx.Client:
        """A client with the user's key, in the organization's context if one is given."""
        headers = {"x-api-key": user.key} | ({"x-org-id": org.id} if org else {})
        return self.client(self.base_path, headers)

    def client(self, base_path: str = "", headers: dict[str, str] | None = None) -> httpx.Client:
        """A client that notes every answer in `answers`."""
        client = httpx.Client(
            base_url=self.url + base_path,
            headers=headers,
            timeout=HTTP_SECONDS,
            trust_env=False,
            event_hooks={"response": [self.answers.note]},
        )
        self._clients.append(client)
        return client

    def _forget_clients(self) -> None:
        for client in self._clients:
            client.close()
        self._clients.clear()


def _options(values: dict[str, object]) -> list[str]:
    return [f"--{name.replace('_', '-')}={value}" for name, value in values.items() if value is not None]


def _target(user: User | None, org: Organization | None) -> list[str]:
    return [*(["--org", org.id] if org else []), *(["--user", user.username] if user else [])]
