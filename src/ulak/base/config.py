"""Configuration: read once from the environment, frozen, and refused where it makes no sense.

Every setting is an environment variable `ULAK_…`. An unknown one is refused rather than ignored, because a
misspelt limit is a limit that is not there. Nothing in here touches the disk or the network.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from ipaddress import IPv4Network, IPv6Network, ip_network
from pathlib import Path
from typing import Any


class ConfigError(ValueError):
    """A setting that cannot be used; the message names the variable and says what it takes."""


@dataclass(frozen=True, slots=True)
class Config:
    """All settings. The field `x_y` is read from `ULAK_X_Y`; units stand last in the name.

    database_url            `postgresql://…`; None: the embedded server in `data_dir`
    data_dir                where the embedded database and the file secret.key live
    host, port              where the HTTP server listens; port 0 takes a free one
    base_path               under which the Customer API stands
    currency                the one currency of this installation, ISO 4217
    timezone                in which the panel shows times, like Europe/Istanbul
    secure_cookies          on: the panel's cookies go over https only, except on this machine; off: over http too
    log_level               debug, info, warning or error
    log_format              console or json
    secret_keys             what seals passwords and hashes API keys: 32 random bytes in base64 or hexadecimal, or
                            several with commas: the first seals, all open; empty: the file secret.key in `data_dir`
    trusted_proxies         addresses or networks, with commas, whose word on a client's address counts
    forwarded_header        the header in which they write it: x-forwarded-for or forwarded; the other one is ignored
    rate_per_second         requests a second for each customer who has no rate of their own, 0: no limit
    body_bytes_max          of a request; advanced_body_bytes_max for `advanced`
    requests_max            requests that a process answers at once; more wait a second for a place, or get a 503
    bodies_bytes_max        of the bodies of all of them together; one customer may have a quarter
    header_seconds_max      a connection whose next request has not said by then what it wants is ended
    body_seconds_max        likewise for the whole of a request, and for an answer of which nothing is read for so long
    wait_seconds_max        an order that has waited for so long to be paid gets a 503, and so do those behind it
    batch_requests_max      requests accepted together in one transaction
    bulk_recipients_min     above this a sending gets a transaction of its own
    queue_run_max           messages in one queue row
    lease_seconds           how long a process may hold a queue row without renewing it
    attempts_max            how often a message may go out when answers get lost
    response_seconds        how long a carrier may take to answer a submit
    enquire_seconds         silence on a link after which it is asked whether it lives
    reconnect_seconds_max   the longest pause between two tries to reach a carrier
    flush_ms                how long outcomes gather before they are written together
    grace_minutes           after its validity a message still waits this long for a receipt
    sweep_seconds           pause between two sweeps
    receipt_hours           how long a receipt without a message is kept
    history_days            how long the history of messages is kept: submits, receipts, incidents
    retention_days          whole days after which texts and numbers are erased, what they cost is kept; 0: never
    database_connections_max  of one process
    api_processes           processes that answer HTTP
    carrier_processes       processes that keep links; each has every carrier's connections
    notice_seconds          how long /readyz says no before a stop begins, for a proxy to look elsewhere
    drain_seconds           how long a stop waits for kept connections to bring one more request
    stop_seconds            how long a graceful stop may take after that
    metrics_port            where a `ulak serve` answers /metrics, /healthz and /readyz beside the API, 0: nowhere
    metrics_token           what whoever reads /metrics must present (Authorization: Bearer …); unset: anybody may
    low_balance             credits that hold less are counted in /metrics, in the currency's units; 0: none is
    otlp_endpoint           `http://collector:4318`: traces go there (needs the extra `traces`); unset: there are none
    trace_share             of the sendings, from 0 to 1, that are traced
    """

    database_url: str | None = None
    data_dir: Path = Path("ulak-data")
    host: str = "127.0.0.1"
    port: int = 8000
    base_path: str = "/v1"
    currency: str = "USD"
    timezone: str = "UTC"
    secure_cookies: str = "on"
    log_level: str = "info"
    log_format: str = "console"
    secret_keys: str = field(default="", repr=False)
    trusted_proxies: str = ""
    forwarded_header: str = "x-forwarded-for"
    rate_per_second: int = 0
    body_bytes_max: int = 8 * 1024 * 1024
    advanced_body_bytes_max: int = 32 * 1024 * 1024
    requests_max: int = 1000
    bodies_bytes_max: int = 64 * 1024 * 1024
    header_seconds_max: float = 15.0
    body_seconds_max: float = 60.0
    wait_seconds_max: float = 5.0
    batch_requests_max: int = 256
    bulk_recipients_min: int = 1000
    queue_run_max: int = 500
    lease_seconds: float = 15.0
    attempts_max: int = 5
    response_seconds: float = 60.0
    enquire_seconds: float = 30.0
    reconnect_seconds_max: float = 60.0
    flush_ms: float = 10.0
    grace_minutes: float = 60.0
    sweep_seconds: float = 5.0
    receipt_hours: float = 96.0
    history_days: float = 90.0
    retention_days: int = 0
    database_connections_max: int = 10
    api_processes: int = 1
    carrier_processes: int = 1
    notice_seconds: float = 0.0
    drain_seconds: float = 5.0
    stop_seconds: float = 30.0
    metrics_port: int = 0
    metrics_token: str = ""
    low_balance: float = 0.0
    otlp_endpoint: str = ""
    trace_share: float = 1.0

    @classmethod
    def from_environment(cls, environ: Mapping[str, str]) -> "Config":
        """Read every `ULAK_…` variable of `environ`; raise `ConfigError` naming the first that can't be used."""
        known = {f"ULAK_{its.name.upper()}": its for its in fields(cls)}
        values: dict[str, Any] = {}
        for name, text in environ.items():
            if not name.startswith("ULAK_") or name in _READ_ELSEWHERE:
                continue
            if name not in known:
                raise ConfigError(f"{name} is not a setting of Ulak. Did you mean {_nearest(name, known)}?")
            if text != "":
                values[known[name].name] = _read(name, text, getattr(cls(), known[name].name))
        return cls(**values)._checked()

    def _checked(self) -> "Config":
        for its in fields(self):
            value = getattr(self, its.name)
            if isinstance(value, int | float) and value < 0:
                raise ConfigError(f"ULAK_{its.name.upper()} must not be negative.")
            if isinstance(value, int | float) and value == 0 and its.name not in _MAY_BE_ZERO:
                raise ConfigError(f"ULAK_{its.name.upper()} must be above 0.")
        if not re.fullmatch(r"(/[A-Za-z0-9._~-]+)*", self.base_path):
            raise ConfigError("ULAK_BASE_PATH must look like /v1: segments that each begin with a slash.")
        if not re.fullmatch(r"[A-Z]{3}", self.currency):
            raise ConfigError("ULAK_CURRENCY must be three capital letters, like USD.")
        if self.secure_cookies not in {"on", "off"}:
            raise ConfigError("ULAK_SECURE_COOKIES must be on or off.")
        if not _is_zone(self.timezone):
            raise ConfigError("ULAK_TIMEZONE must be a time zone like UTC or Europe/Istanbul.")
        if self.log_level not in {"debug", "info", "warning", "error"}:
            raise ConfigError("ULAK_LOG_LEVEL must be debug, info, warning or error.")
        if self.log_format not in {"console", "json"}:
            raise ConfigError("ULAK_LOG_FORMAT must be console or json.")
        if self.forwarded_header not in {"x-forwarded-for", "forwarded"}:
            raise ConfigError("ULAK_FORWARDED_HEADER must be x-forwarded-for or forwarded.")
        if self.trace_share > 1:
            raise ConfigError("ULAK_TRACE_SHARE must be at most 1.")
        if self.otlp_endpoint and not re.match(r"https?://[^/]", self.otlp_endpoint):
            raise ConfigError("ULAK_OTLP_ENDPOINT must be a URL like http://collector:4318.")
        for name in ("port", "metrics_port"):
            if getattr(self, name) > 65535:
                raise ConfigError(f"ULAK_{name.upper()} must be at most 65535.")
        self.proxies()
        return self

    def proxies(self) -> tuple[IPv4Network | IPv6Network, ...]:
        """`trusted_proxies` as networks."""
        try:
            return tuple(ip_network(part) for part in self.trusted_proxies.replace(",", " ").split())
        except ValueError as error:
            raise ConfigError(
                f"ULAK_TRUSTED_PROXIES must be addresses or networks like 10.0.0.0/8: {error}."
            ) from None

    def shown(self) -> dict[str, str]:
        """The settings as text for people, with passwords and tokens masked."""
        values = {its.name: str(getattr(self, its.name)) for its in fields(self)}
        for name in ("database_url", "otlp_endpoint"):
            values[name] = re.sub(r"(://[^:/@]*:)[^@]*@", r"\1***@", values[name])
        values["metrics_token"] = "***" if self.metrics_token else ""
        values["secret_keys"] = "***" if self.secret_keys else ""
        return values


_MAY_BE_ZERO = frozenset(
    {
        *("port", "metrics_port", "rate_per_second", "retention_days", "notice_seconds", "drain_seconds"),
        *("low_balance", "trace_share"),
    }
)
_READ_ELSEWHERE = frozenset({"ULAK_DEMO_ONCE"})  # by `ulak demo`


def _read(name: str, text: str, default: object) -> object:
    """`text` in the type of `default`."""
    try:
        if isinstance(default, int):
            return int(text)
        if isinstance(default, float):
            return float(text)
    except ValueError:
        raise ConfigError(f"{name} must be a number, not {text!r}.") from None
    return Path(text) if isinstance(default, Path) else text


def _is_zone(name: str) -> bool:
    from zoneinfo import ZoneInfo

    try:
        ZoneInfo(name)
    except (ValueError, OSError, KeyError):
        return False
    return True


def _nearest(name: str, known: Mapping[str, object]) -> str:
    from difflib import get_close_matches

    return (get_close_matches(name, known, n=1, cutoff=0.0) or ["another name"])[0]
