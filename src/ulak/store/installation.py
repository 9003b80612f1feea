"""The installation's database itself: what PostgreSQL says of its version, its size and its connections."""

from typing import Final, NamedTuple

from ulak.base.db import Tx


class Server(NamedTuple):
    """A PostgreSQL server: its version ("16.4"), the bytes of our database, and how many of its connections are used,
    whoever uses them."""

    version: str
    bytes: int
    connections: int
    connections_max: int


READ: Final = """
SELECT split_part(current_setting('server_version'), ' ', 1), pg_database_size(current_database()),
       (SELECT sum(numbackends) FROM pg_stat_database)::int, current_setting('max_connections')::int"""


async def read(tx: Tx) -> Server:
    """What the server says now."""
    row = await tx.fetchrow(READ)
    assert row
    return Server(*row)
