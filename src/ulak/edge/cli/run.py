"""The commands that run: serve, demo, simulate-carrier."""

import asyncio
import json
import signal
import ssl
import sys
from dataclasses import asdict, replace
from pathlib import Path
from typing import Annotated, Any, Final

import typer

from smpp.profiles import PROFILES
from ulak.base import logs
from ulak.edge.cli.session import Json, answer, attempt, config, fail

STATUS_MAX: Final = 0xFFFFFFFF


def register(app: typer.Typer) -> None:
    """Add the commands to the command line."""
    app.command()(serve)
    app.command()(demo)
    app.command("simulate-carrier")(simulate_carrier)


def serve(
    host: Annotated[str | None, typer.Option(help="Listen here instead of ULAK_HOST.")] = None,
    port: Annotated[
        int | None, typer.Option(help="Listen here instead of ULAK_PORT; 0 takes a free port.")
    ] = None,
    only: Annotated[str, typer.Option(help="Some of: api, carriers, courier.")] = "api,carriers,courier",
    listen_fd: Annotated[int | None, typer.Option(hidden=True)] = None,
    watch_fd: Annotated[int | None, typer.Option(hidden=True)] = None,
    keeper_fd: Annotated[int | None, typer.Option(hidden=True)] = None,
    name: Annotated[str, typer.Option(hidden=True)] = "",
    place: Annotated[Path | None, typer.Option(hidden=True)] = None,
    limits_fd: Annotated[int | None, typer.Option(hidden=True)] = None,
    json_: Json = False,
) -> None:
    """Serve the API, keep the links to the carriers, sweep up: until Ctrl-C or SIGTERM.

    A database that is away is waited for; the log says so.

    Example: ulak serve --port 8080
    """
    import uvloop

    from ulak.edge.keeper import Inherited
    from ulak.edge.processes import ROLES
    from ulak.edge.processes import serve as serve_roles

    settings = config()
    settings = replace(settings, host=host or settings.host, port=settings.port if port is None else port)
    roles = [role.strip() for role in only.split(",") if role.strip()]
    unknown = [role for role in roles if role not in ROLES]
    if unknown or not roles:
        raise typer.BadParameter(f"Choose from {', '.join(ROLES)}.", param_hint="--only")
    logs.configure(settings.log_level, settings.log_format)

    def ready(url: str) -> None:
        if keeper_fd is not None:
            return
        line = (
            json.dumps({"ready": True, "url": url})
            if json_
            else f"Ulak is ready{f' on {url}' if url else ''}."
        )
        print(line, flush=True)  # noqa: T201

    inherited = Inherited(listen_fd, watch_fd, keeper_fd, limits_fd, name, place)
    attempt(lambda: uvloop.run(serve_roles(settings, roles, inherited, ready)))


def demo(
    once: Annotated[
        bool, typer.Option("--once", envvar="ULAK_DEMO_ONCE", help="End when all came true; exit 1 if not.")
    ] = False,
    port: Annotated[int, typer.Option(min=0, max=65535, help="The API's port, or the next free one.")] = 8000,
    json_: Json = False,
) -> None:
    """Send real messages through a simulated carrier, show what becomes of them, and serve until Ctrl-C.

    Everything lives in a directory of its own, which is removed at the end.

    Example: ulak demo
    """
    import httpx
    from rich.console import Console

    from ulak.edge.demo.child import ChildError
    from ulak.edge.demo.play import DemoError, play

    def told(facts: dict[str, str]) -> None:
        if json_:
            answer(facts, json_)

    try:
        attempt(lambda: asyncio.run(play(Console(stderr=json_), port, once=once, told=told)))
    except asyncio.CancelledError:
        raise typer.Exit(130) from None
    except (DemoError, ChildError, httpx.HTTPError) as error:
        fail(f"The demo failed: {error}")


def _status(text: str) -> int:
    """A command_status as people write it."""
    try:
        status = int(text, 16 if text[:2].lower() == "0x" else 10)
    except ValueError:
        status = 0
    if not 0 < status <= STATUS_MAX:
        raise typer.BadParameter(
            f"{text!r} is no status: give a number from 1 to 0xFFFFFFFF, like 10 or 0x0A."
        )
    return status


def _tls(cert: Path | None, key: Path | None) -> ssl.SSLContext | None:
    """What a carrier with this certificate listens with; without one, nothing."""
    if cert is None and key is None:
        return None
    if cert is None or key is None:
        raise typer.BadParameter("Give --tls-cert and --tls-key together.")
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    try:
        context.load_cert_chain(cert, key, password=lambda: "")  # never ask at the terminal
    except (OSError, ValueError) as error:
        raise typer.BadParameter(
            f"{cert} and {key} are no certificate with its key, both in PEM and without a passphrase."
        ) from error
    return context


def simulate_carrier(
    port: Annotated[int, typer.Option(help="Listen on this port of 127.0.0.1; 0 takes a free one.")] = 2775,
    receipts: Annotated[
        float, typer.Option(min=0, max=100, help="Percent of messages that get a receipt.")
    ] = 100,
    delay_ms: Annotated[float, typer.Option(min=0, help="Milliseconds until the receipt.")] = 100,
    undelivered: Annotated[float, typer.Option(min=0, max=100, help="Percent reported undelivered.")] = 0,
    expired: Annotated[float, typer.Option(min=0, max=100, help="Percent reported expired.")] = 0,
    throttle: Annotated[
        int, typer.Option(min=0, help="Submits a second above which it throttles; 0: none.")
    ] = 0,
    seed: Annotated[int, typer.Option(help="The same seed gives the same fates.")] = 0,
    profile: Annotated[
        str, typer.Option(metavar="NAME", help=f"How it misbehaves: {', '.join(PROFILES)}.")
    ] = "polite",
    system_id: Annotated[
        str | None, typer.Option(metavar="NAME", help="Let in only who binds with this name.")
    ] = None,
    password: Annotated[str | None, typer.Option(help="Let in only who binds with this password.")] = None,
    status: Annotated[
        int | None,
        typer.Option(
            "--answer", parser=_status, metavar="0xNN", help="Refuse every message with this status."
        ),
    ] = None,
    bind_status: Annotated[
        int | None,
        typer.Option(
            "--refuse-bind", parser=_status, metavar="0xNN", help="Refuse every bind with this status."
        ),
    ] = None,
    tls_cert: Annotated[
        Path | None,
        typer.Option(
            exists=True, dir_okay=False, metavar="FILE", help="Speak TLS, with this certificate (PEM)."
        ),
    ] = None,
    tls_key: Annotated[
        Path | None,
        typer.Option(exists=True, dir_okay=False, metavar="FILE", help="The certificate's key (PEM)."),
    ] = None,
    json_: Json = False,
) -> None:
    """Be a carrier for tests: take messages over SMPP, send receipts, until Ctrl-C.

    Numbers ending in 0901 are reported undelivered, in 0902 expired. What happened is counted and told at the end;
    with --json where it listens on stdout, the counters on stderr. Anybody may bind unless --system-id, --password
    or --refuse-bind say otherwise, as transceiver or as transmitter and receiver; receipts go to the name that
    submitted. A status is decimal or hexadecimal.

    Example: ulak simulate-carrier --undelivered 8 --expired 4
    """
    import uvloop

    from smpp.simulator import Simulator, SimulatorOptions

    if profile not in PROFILES:
        raise typer.BadParameter(f"Choose from {', '.join(PROFILES)}.", param_hint="--profile")
    options = SimulatorOptions(
        receipts=receipts,
        delay_ms=delay_ms,
        undelivered=undelivered,
        expired=expired,
        throttle=throttle,
        seed=seed,
        system_id=system_id,
        password=password,
        profile=PROFILES[profile],
        answer=status,
        tls=_tls(tls_cert, tls_key),
        bind_status=bind_status or 0,
    )
    attempt(lambda: uvloop.run(_simulate(Simulator(options), port, json_)))


async def _simulate(simulator: Any, port: int, json_: bool) -> None:
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    bound = await simulator.start(port=port)
    told = (
        json.dumps({"ready": True, "port": bound})
        if json_
        else f"A carrier listens on 127.0.0.1 port {bound}."
    )
    print(told, flush=True)  # noqa: T201
    await stop.wait()
    await simulator.stop()
    counters = asdict(simulator.counters)
    if json_:  # beside the one value on stdout
        sys.stderr.write(json.dumps(counters) + "\n")
    else:
        print(_counted(counters))  # noqa: T201


def _counted(counters: dict[str, int]) -> str:
    return " · ".join(f"{name} {count:,}" for name, count in counters.items())
