"""Carriers: where messages go. Owns the table `carriers`."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Final, Literal

from ulak.base.db import Tx

State = Literal["active", "paused"]


@dataclass(frozen=True, slots=True)
class Carrier:
    """A carrier and how to bind to it; `throughput` in submits a second, 0 for no limit."""

    id: int
    name: str
    host: str
    port: int
    system_id: str
    password: str = field(repr=False)
    window_max: int
    throughput: int
    state: State
    created_at: datetime


_COLUMNS: Final = "id, name, host, port, system_id, password, window_max, throughput, state, created_at"

ADD: Final = f"""
INSERT INTO carriers (name, host, port, system_id, password, window_max, throughput)
VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT DO NOTHING RETURNING {_COLUMNS}"""


async def add(
    tx: Tx,
    name: str,
    *,
    host: str,
    port: int,
    system_id: str,
    password: str,
    window_max: int,
    throughput: int,
) -> Carrier | None:
    """Write a carrier; None when the name is taken."""
    row = await tx.fetchrow(ADD, name, host, port, system_id, password, window_max, throughput)
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


UPDATE: Final = f"""
UPDATE carriers SET host = $2, port = $3, system_id = $4, password = $5, window_max = $6, throughput = $7, state = $8
 WHERE id = $1 RETURNING {_COLUMNS}"""


async def update(tx: Tx, carrier: Carrier) -> Carrier:
    """Write a carrier's settings as they stand in `carrier`."""
    row = await tx.fetchrow(
        UPDATE,
        carrier.id,
        carrier.host,
        carrier.port,
        carrier.system_id,
        carrier.password,
        carrier.window_max,
        carrier.throughput,
        carrier.state,
    )
    assert row
    return Carrier(**row)
