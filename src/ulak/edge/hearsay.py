"""Proxies that nobody has named: they are noticed, so that somebody names them, and never believed.

In: requests, where `ULAK_TRUSTED_PROXIES` is empty. One that comes from this machine or a private network and says on
whose behalf is probably a proxy's. Then everybody behind it is one address to us: keys that are bound to addresses do
not work there, and one stranger's guesses at passwords keep everybody out. The log says so once for each process, and
`ulak status` for as long as it goes on.
"""

from typing import Final

import structlog
from starlette.types import Scope

from ulak.base.config import Config
from ulak.edge.origin import parsed
from ulak.flow import pulse

_NAMES: Final = frozenset({b"x-forwarded-for", b"forwarded"})

_log = structlog.get_logger(__name__)


class Hearsay:
    """What one process has heard of proxies that it does not know."""

    def __init__(self, config: Config) -> None:
        self._listens = not config.trusted_proxies.strip()
        self._told = False

    def look(self, scope: Scope) -> None:
        """Notice a request that a proxy seems to have passed on."""
        if not self._listens or not any(name in _NAMES for name, _ in scope["headers"]):
            return
        peer = parsed(scope["client"][0] if scope.get("client") else None)
        if peer is None or not peer.is_private:  # which the machine's own are too
            return
        pulse.count(pulse.What.PASSED_ON)
        if not self._told:
            self._told = True
            _log.warning(
                "proxy_not_trusted",
                address=str(peer),
                says=f"{peer} passes requests on, and to us they all come from there. "
                f"If that is your proxy, set ULAK_TRUSTED_PROXIES={peer}, and let it write X-Forwarded-For itself.",
            )
