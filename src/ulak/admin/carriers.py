"""Carriers: the connections an operator has to them, how they stand, and which sender headers they know."""

import ssl
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from hashlib import sha256
from typing import Any, Final, Literal

from ulak.admin import lookup, vault
from ulak.admin.terms import difference, given, within
from ulak.admin.terms import name as checked_name
from ulak.base.db import Database, Tx
from ulak.base.secrets import Secrets
from ulak.rules import network, outcome, segments, sender
from ulak.rules.actor import Actor
from ulak.rules.refusal import Code, Refused, said
from ulak.store import audit_log, carriers, links, notices, routes, senders

WINDOW_MAX: Final = 10_000
CONNECTIONS_MAX: Final = 32
THROUGHPUT_MAX: Final = 1_000_000
PASSWORD_LENGTH_MAX: Final = 8
SECRET: Final = frozenset({"password"})


async def create(
    db: Database, actor: Actor, name: str, *, password: str, **settings: Any
) -> carriers.Carrier:
    """A new carrier with these `carriers.Settings`; its connections are made within a second or two."""
    its = carriers.Settings(**given(settings))
    _check(its)
    _check_password(password)
    async with db.transaction() as tx:
        carrier = await carriers.add(tx, checked_name(name), its)
        if carrier is None:
            raise Refused(Code.ALREADY_EXISTS, said("There is a carrier {name!r} already.", name=name))
        carrier = await _keep_password(tx, db.secrets, carrier.id, password)
        await audit_log.add(
            tx, actor, "carrier.create", name, host=its.host, port=its.port, system_id=its.system_id
        )
        await notices.directory_changed(tx)
    return carrier


async def change(
    db: Database, actor: Actor, name: str, *, password: str | None = None, **changes: Any
) -> carriers.Carrier:
    """Change those of the `carriers.Settings` that are given and not None."""
    changed = given(changes)
    if password is not None:
        _check_password(password)
    async with db.transaction() as tx:
        before = await carriers.lock(tx, (await lookup.carrier(tx, name)).id)
        after = replace(before, **changed)
        _check(after)
        after = await carriers.update(tx, after)
        was, becomes = _told(before, changed), _told(after, changed)
        if password is not None:
            was["password"], becomes["password"] = password_of(before, db.secrets), password
            after = await _keep_password(tx, db.secrets, before.id, password)
        told = difference(was, becomes, secret=SECRET)
        await audit_log.add(tx, actor, "carrier.set", before.name, **told)
        await notices.directory_changed(tx)
    return after


def _told(its: carriers.Settings, names: Iterable[str]) -> dict[str, Any]:
    """Some of the settings for the audit log; authorities by their digest, which says whether they are the same."""
    told = {name: getattr(its, name) for name in names}
    if told.get("tls_ca"):
        told["tls_ca"] = f"SHA-256 {sha256(told['tls_ca'].encode()).hexdigest()}"
    return told


def _check(its: carriers.Settings) -> None:
    if not its.host.strip():
        raise Refused(Code.INVALID_VALUE, "The host must not be empty.")
    for what, text, most in (
        (said("system id"), its.system_id, 15),
        (said("system type"), its.system_type, 12),
    ):
        if not text.isascii() or len(text) > most:
            raise Refused(
                Code.INVALID_VALUE,
                said("SMPP allows a {what} of at most {most} ASCII characters.", what=what, most=most),
            )
    within(said("port"), its.port, 1, 65535)
    within(said("window"), its.window_max, 1, WINDOW_MAX)
    within(said("throughput"), its.throughput, 0, THROUGHPUT_MAX)
    within(said("number of connections"), its.connections, 1, CONNECTIONS_MAX)
    within(said("reserve"), its.reserve, 0, segments.RESERVE_MAX)
    network.parse_source(its.network_from)
    outcome.parse_meanings(its.statuses)
    _check_authorities(its.tls_ca)


def _check_password(password: str) -> None:
    if not password.isascii() or len(password) > PASSWORD_LENGTH_MAX:
        what, most = said("password"), PASSWORD_LENGTH_MAX
        raise Refused(
            Code.INVALID_VALUE,
            said("SMPP allows a {what} of at most {most} ASCII characters.", what=what, most=most),
        )


async def _keep_password(tx: Tx, ours: Secrets, carrier_id: int, password: str) -> carriers.Carrier:
    sealed = await vault.seal(tx, ours, password.encode(), carriers.place_of(carrier_id))
    return await carriers.set_password(tx, carrier_id, sealed)


def password_of(carrier: carriers.Carrier, ours: Secrets) -> str:
    """The password to bind with; `SecretsError` where it cannot be opened."""
    if carrier.password is None:
        return ""
    return ours.open(carrier.password, carriers.place_of(carrier.id)).decode()


def _check_authorities(pem: str) -> None:
    if not pem:
        return
    try:
        readable = pem.encode("ascii", "replace").decode()  # as a link reads it: remarks may be in any script
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(cadata=readable)
    except (ssl.SSLError, ValueError):
        raise Refused(
            Code.INVALID_VALUE,
            "The authorities to trust must be certificates in PEM, each from -----BEGIN CERTIFICATE----- to "
            "-----END CERTIFICATE-----.",
        ) from None


Up = Literal["bound", "partly bound", "connecting", "refused", "unreachable", "lost", "paused", "unattended"]


@dataclass(frozen=True, slots=True)
class Standing:
    """A carrier and how its connections stand: `bound` of `connections`, all processes together.

    `reason` says in words what is wrong, where something is, and `since` from when on.
    """

    carrier: carriers.Carrier
    up: Up
    reason: str | None
    since: datetime | None
    bound: int
    connections: int

    @property
    def alarm(self) -> bool:
        """Whether somebody should look at it."""
        return self.up not in ("bound", "paused", "connecting")


async def listed(db: Database) -> list[Standing]:
    """Every carrier, and how it stands."""
    async with db.reading() as tx:
        found = await links.all(tx)
        every = await carriers.all(tx)
    return [
        _standing(one, [link for link in found if link.carrier_id == one.id and link.fresh]) for one in every
    ]


def _standing(carrier: carriers.Carrier, its: list[links.Link]) -> Standing:
    bound = [link for link in its if link.state == "bound"]
    if carrier.state == "paused":
        return Standing(carrier, "paused", None, None, len(bound), len(its))
    if not its:
        reason = said("no process keeps its connections: is `ulak serve` running?")
        return Standing(carrier, "unattended", reason, None, 0, 0)
    worst = min((link for link in its if link.state != "bound"), key=lambda link: link.since, default=None)
    if worst is None:
        return Standing(carrier, "bound", None, min(link.since for link in its), len(its), len(its))
    up: Up = "partly bound" if bound else worst.state
    return Standing(carrier, up, worst.reason, worst.since, len(bound), len(its))


async def style(db: Database, *, carrier: str | None, service: str | None) -> segments.Style:
    """How a carrier wants its texts, or the first carrier of a service."""
    if carrier is not None and service is not None:
        raise Refused(Code.INVALID_VALUE, "Name a carrier or a service, not both.")
    async with db.reading() as tx:
        if carrier is not None:
            return (await lookup.carrier(tx, carrier)).style
        assert service is not None
        its = (await routes.all(tx))[(await lookup.service(tx, service)).id]
        return next(one.style for one in await carriers.all(tx) if one.id == its[0].carrier_id)


# sender headers that carriers have registered


async def approve(db: Database, actor: Actor, header: str, *, carrier: str) -> str:
    """Write down that a carrier has registered this sender header; returns it in its one form."""
    parsed = sender.parse_header(header)
    async with db.transaction() as tx:
        its = await lookup.carrier(tx, carrier)
        await senders.approve(tx, its.id, parsed)
        await audit_log.add(tx, actor, "sender.approve", parsed, carrier=its.name)
        await notices.directory_changed(tx)
    return parsed


async def withdraw(db: Database, actor: Actor, header: str, *, carrier: str) -> str:
    """Take back that a carrier has registered this sender header."""
    parsed = sender.parse_header(header)
    async with db.transaction() as tx:
        its = await lookup.carrier(tx, carrier)
        if not await senders.withdraw(tx, its.id, parsed):
            raise Refused(
                Code.NOT_KNOWN,
                said("{header} was not approved for {carrier}.", header=parsed, carrier=its.name),
            )
        await audit_log.add(tx, actor, "sender.withdraw", parsed, carrier=its.name)
        await notices.directory_changed(tx)
    return parsed
