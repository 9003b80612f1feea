"""What a service manager hands over, and what it is told: systemd's two small protocols, spoken without its library.

In: the environment (sd_listen_fds(3), sd_notify(3)). Out: a socket that was listening before this process and will be
after it, and datagrams that say how it stands. Connections that come while one process has stopped and the next one
has not begun wait in such a socket: that is why a restart refuses nobody (docs/decisions/0021).
"""

import os
import socket
from contextlib import suppress
from typing import Final

FIRST_FD: Final = 3


def handed_socket() -> socket.socket | None:
    """The first listening socket that was handed to this very process; None where there is none. Taken once."""
    meant, n = os.environ.pop("LISTEN_PID", ""), os.environ.pop("LISTEN_FDS", "")
    os.environ.pop("LISTEN_FDNAMES", None)
    if meant != str(os.getpid()) or not n.isdecimal() or int(n) < 1:
        return None
    os.set_inheritable(FIRST_FD, False)
    listener = socket.socket(fileno=FIRST_FD)
    listener.setblocking(False)
    return listener


def tell(state: str) -> None:
    """Tell the service manager "READY=1" or "STOPPING=1", where one listens."""
    address = os.environ.get("NOTIFY_SOCKET", "")
    if not address:
        return
    with suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as manager:
        manager.connect(f"\0{address[1:]}" if address.startswith("@") else address)
        manager.send(state.encode())
