"""Carriers: where messages go. Owns the table `carriers`."""

from dataclasses import dataclass, field, fields
from datetime import datetime
from typing import Any, Final, Literal

from ulak.base.db import Tx
from ulak.rules import reach
from ulak.rules.refs import Conversion, RefForm
from ulak.rules.segments import Concatenation, Style, Turkish

State = Literal["active", "paused"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What an operator says of a carrier, but for the password: how to bind to it, and how it wants its texts.

    `throughput` in submits a second over all connections, 0 for no limit; `window_max` is each connection's.
    `turkish` to `packed` are a `Style`, `message_ids` to `ignore_case` a `RefForm`; `network_from` says where its
    receipts name the network, see `rules.network`. A `pair` is a transmitter and a receiver for each connection;
    `tls_ca` is PEM, empty for the authorities that the system trusts; `statuses` are `Meanings`, see
    `rules.outcome`; with `headers` "approved" only those sender headers go over it that it has registered.
    """

    host: str
    port: int
    system_id: str
    window_max: int = 100
    throughput: int = 0
    turkish: Turkish = "ucs2"
    reserve: int = 0
    concatenation: Concatenation = "udh8"
    packed: bool = False
    message_ids: Conversion = "as_is"
    ignore_zeros: bool = False
    ignore_case: bool = False
    network_from: str = "text"
    system_type: str = ""
    bind: Literal["transceiver", "pair"] = "transceiver"
    connections: int = 1
    tls: Literal["off", "verified", "unverified"] = "off"
    tls_ca: str = field(default="", repr=False)
    statuses: str = ""
    headers: Literal["any", "approved"] = "any"
    state: State = "active"

    @property
    def in_the_clear(self) -> bool:
        """Whether its password and all texts go over networks of others without TLS."""
        return self.tls == "off" and not reach.is_own(self.host)

    @property
    def style(self) -> Style:
        """How it wants its texts."""
        return Style(self.turkish, self.reserve, self.concatenation, self.packed)

    @property
    def refs(self) -> RefForm:
        """How its ids of messages are compared."""
        return RefForm(self.message_ids, self.ignore_zeros, self.ignore_case)


@dataclass(frozen=True, slots=True, kw_only=True)
class Carrier(Settings):
    """A carrier. `password` is sealed for `place_of` it; None: it has none yet."""

    id: int
    name: str
    created_at: datetime
    password: bytes | None = field(default=None, repr=False)


def place_of(carrier_id: int) -> str:
    """The place for which a carrier's password is sealed."""
    return f"carriers.password/{carrier_id}"


_SETTINGS: Final = tuple(column.name for column in fields(Settings))
_COLUMNS: Final = ", ".join(("id", "name", "created_at", "password", *_SETTINGS))
_PLACES: Final = ", ".join(f"${n}" for n in range(2, len(_SETTINGS) + 2))


def _values(settings: Settings) -> list[Any]:
    return [getattr(settings, name) for name in _SETTINGS]


ADD: Final = f"""
INSERT INTO carriers (name, {", ".join(_SETTINGS)}) VALUES ($1, {_PLACES}) ON CONFLICT DO NOTHING
RETURNING {_COLUMNS}"""


async def add(tx: Tx, name: str, settings: Settings) -> Carrier | None:
    """Write a carrier; None when the name is taken."""
    row = await tx.fetchrow(ADD, name, *_values(settings))
    return Carrier(**row) if row else None


BY_NAME: Final = f"SELECT {_COLUMNS} FROM carriers WHERE lower(name) = lower($1)"


async def by_name(tx: Tx, name: str) -> Carrier | None:
    """The carrier of this name."""
    row = await tx.fetchrow(BY_NAME, name)
    return Carrier(**row) if row else None


ALL: Final = f"SELECT {_COLUMNS} FROM carriers ORDER BY id"


async def all(tx: Tx) -> list[Carrier]:
    """Every carrier, oldest first."""
    return [Carrier(**row) for row in await tx.fetch(ALL)]


LOCK: Final = f"SELECT {_COLUMNS} FROM carriers WHERE id = $1 FOR UPDATE"


async def lock(tx: Tx, id_: int) -> Carrier:
    """The carrier as it is once nobody else is changing it, for whoever is about to."""
    row = await tx.fetchrow(LOCK, id_)
    assert row
    return Carrier(**row)


UPDATE: Final = f"""
UPDATE carriers SET ({", ".join(_SETTINGS)}) = ROW ({_PLACES}) WHERE id = $1 RETURNING {_COLUMNS}"""


async def update(tx: Tx, carrier: Carrier) -> Carrier:
    """Write a carrier's settings as they stand in `carrier`."""
    row = await tx.fetchrow(UPDATE, carrier.id, *_values(carrier))
    assert row
    return Carrier(**row)


SET_PASSWORD: Final = f"UPDATE carriers SET password = $2 WHERE id = $1 RETURNING {_COLUMNS}"


async def set_password(tx: Tx, id_: int, password: bytes) -> Carrier:
    """Write a carrier's password, sealed."""
    row = await tx.fetchrow(SET_PASSWORD, id_, password)
    assert row
    return Carrier(**row)
