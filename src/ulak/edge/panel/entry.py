"""The doors themselves: signing in, the second factor, signing out."""

from starlette.responses import Response

from ulak.admin import entrance
from ulak.edge.panel import security
from ulak.edge.panel.page import Page
from ulak.edge.panel.visit import Reader
from ulak.rules.refusal import Refused

LOCAL = frozenset({"localhost", "127.0.0.1", "::1"})


async def sign_in_page(reader: Reader) -> Response:
    """`GET /sign-in`."""
    return _with_secret(reader, "sign-in.html", next=reader.request.query_params.get("next", ""), name="")


async def sign_in(reader: Reader) -> Response:
    """`POST /sign-in`."""
    form = reader.form
    try:
        opened = await entrance.sign_in(
            reader.rooms.db,
            reader.door,
            name=form["name"],
            password=form.raw("password"),
            address=reader.address,
            agent=reader.agent,
        )
    except Refused as refused:
        return reader.refused(
            refused, "sign-in.html", next=form["next"], name=form["name"], unencrypted=_unencrypted(reader)
        )
    _, root = security.COOKIES[reader.door]
    where = _local(reader, form["next"])
    if opened.session.awaits_code:
        response = reader.go(f"{root}/sign-in/code" + (f"?next={where}" if where != root else ""))
    else:
        response = reader.go(where)
    _let_in(reader, response, opened.token)
    return response


async def code_page(reader: Reader) -> Response:
    """`GET /sign-in/code`."""
    name, root = security.COOKIES[reader.door]
    token = reader.request.cookies.get(name)
    if token is None or await entrance.half(reader.rooms.db, token) is None:
        return reader.go(f"{root}/sign-in")
    return _with_secret(reader, "code.html", next=reader.request.query_params.get("next", ""))


async def give_code(reader: Reader) -> Response:
    """`POST /sign-in/code`."""
    name, root = security.COOKIES[reader.door]
    try:
        opened = await entrance.give_code(
            reader.rooms.db, reader.request.cookies.get(name, ""), reader.form["code"], reader.address
        )
    except Refused as refused:
        return reader.refused(refused, "code.html", next=reader.form["next"])
    response = reader.go(_local(reader, reader.form["next"]) or root)
    _let_in(reader, response, opened.token)
    return response


async def sign_out(reader: Reader) -> Response:
    """`POST /sign-out`."""
    name, root = security.COOKIES[reader.door]
    token = reader.request.cookies.get(name)
    if token:
        await entrance.sign_out(reader.rooms.db, token)
    response = reader.go(f"{root}/sign-in", reader.language.say("You are signed out."))
    response.delete_cookie(name, path=root)
    return response


def _with_secret(reader: Reader, template: str, **values: str) -> Response:
    """A page with a form for somebody who has no session yet."""
    secret = reader.secret or security.new_secret()
    response = reader.page(
        template, csrf=security.form_token(secret), unencrypted=_unencrypted(reader), **values
    )
    security.keep(response, security.VISIT, secret, "/", secure=reader.secure)
    return response


def _let_in(reader: Reader, response: Response, token: str) -> None:
    name, root = security.COOKIES[reader.door]
    security.keep(response, name, token, root, secure=reader.secure)


def _local(reader: Reader, path: str) -> str:
    """Where to go on: only ever a page of this door."""
    _, root = security.COOKIES[reader.door]
    safe = path.isprintable() and "\\" not in path and "//" not in path
    return path if safe and (path == root or path.startswith((f"{root}/", f"{root}?"))) else root


def _unencrypted(reader: Reader) -> bool:
    """Whether a browser would not keep our cookies: they go over https only, except on this machine itself."""
    url = reader.request.url
    return reader.secure and not reader.rooms.origin.encrypted(reader.request) and url.hostname not in LOCAL


def of(door: security.Door) -> list[Page]:
    """The pages of one of the doors. Whoever only looks may sign out too."""
    return [
        Page("GET", "/sign-in", sign_in_page, "anybody"),
        Page("POST", "/sign-in", sign_in, "anybody"),
        Page("GET", "/sign-in/code", code_page, "anybody"),
        Page("POST", "/sign-in/code", give_code, "anybody"),
        Page("POST", "/sign-out", sign_out, door, computes=True),
    ]
