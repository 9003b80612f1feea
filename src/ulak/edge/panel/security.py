"""What keeps strangers out of the panel: cookies, form tokens, and the headers every page carries.

A form counts only when it comes from one of our own pages: the browser says so itself (Origin, Sec-Fetch-Site), and
the form holds a token made from the secret in the visitor's cookie, which no other site can read.
"""

import base64
import hmac
import secrets
from collections.abc import Mapping
from typing import Final, Literal

from starlette.requests import Request
from starlette.responses import Response

from ulak.edge.panel.languages import N_
from ulak.rules.refusal import Code, Refused

Door = Literal["customer", "operator"]

#: The cookie of a session, and where it is sent. One browser may hold both.
COOKIES: Final[Mapping[Door, tuple[str, str]]] = {
    "customer": ("ulak_panel", "/panel"),
    "operator": ("ulak_operator", "/operator"),
}
#: Ties the form of the sign-in page to the browser that it was shown in.
VISIT: Final = "ulak_visit"

#: Nothing from another host, nothing inline, in nobody's frame.
HEADERS: Final[Mapping[str, str]] = {
    "content-security-policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
    "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
    "cache-control": "no-store",
}

_SECONDS_KEPT: Final = 14 * 24 * 3600


def new_secret() -> str:
    """256 random bits."""
    return secrets.token_urlsafe(32)


def form_token(secret: str) -> str:
    """What a form has to bring along to be one of ours."""
    digest = hmac.digest(secret.encode("utf-8", "surrogateescape"), b"ulak form", "sha256")
    return base64.urlsafe_b64encode(digest).decode()


def check_sender(request: Request, secret: str | None) -> None:
    """Refuse a form of which the headers alone say that it does not come from one of our pages; nothing of it was read
    yet."""
    site = request.headers.get("sec-fetch-site", "same-origin")
    origin = request.headers.get("origin")
    if (
        not secret
        or site not in ("same-origin", "none")
        or (origin is not None and not _ours(request, origin))
    ):
        raise _not_ours()


def check_token(secret: str | None, token: str) -> None:
    """Refuse a form that lacks what only one of our pages could put into it."""
    if not secret or not hmac.compare_digest(form_token(secret).encode(), token.encode()):
        raise _not_ours()


def _not_ours() -> Refused:
    return Refused(
        Code.NOT_ALLOWED,
        N_("This form has expired, or did not come from this site. Go back, reload the page and try again."),
    )


def _ours(request: Request, origin: str) -> bool:
    return origin.partition("://")[2] == request.headers.get("host", "")


def keep(response: Response, name: str, value: str, path: str, *, secure: bool, strict: bool = False) -> None:
    """Set a cookie that no script can read and no other site can send."""
    response.set_cookie(
        name,
        value,
        max_age=_SECONDS_KEPT,
        path=path,
        secure=secure,
        httponly=True,
        samesite="strict" if strict else "lax",
    )
