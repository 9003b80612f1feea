"""A browser without windows: cookies, forms and pages, against a site in the same process.

In: a database. Out: pages as they were answered. Follows no redirect by itself, so that a test sees each.
"""

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from html import unescape
from typing import Any, Final

import httpx

from ulak.base.config import Config
from ulak.base.db import Database
from ulak.edge.panel import security
from ulak.edge.rooms import Rooms
from ulak.edge.site import Site

ADDRESS: Final = "192.0.2.7"
HOST: Final = "https://panel.example"


class Browser:
    """One browser; `rooms` are those of the site that it looks at."""

    def __init__(self, db: Database, address: str = ADDRESS, **settings: Any) -> None:
        self.rooms = Rooms(Config(**settings), db)
        transport = httpx.ASGITransport(app=Site(self.rooms), client=(address, 4711))
        self.http = httpx.AsyncClient(transport=transport, base_url=HOST)

    async def sign_in(self, door: str, name: str, password: str) -> httpx.Response:
        """Come in by a door, "/panel" or "/operator"."""
        page = await self.get(f"{door}/sign-in")
        token = re.search(r'name="csrf" value="([^"]+)"', page.text)
        assert token
        form = {"csrf": token[1], "name": name, "password": password, "next": ""}
        return await self.http.post(f"{door}/sign-in", data=form)

    async def get(self, path: str) -> httpx.Response:
        """A page."""
        return await self.http.get(path)

    async def post(self, path: str, *, csrf: str | None = None, **fields: Any) -> httpx.Response:
        """Send a form as a page of ours would; `csrf` instead of what the page would say."""
        token = self.token(path) if csrf is None else csrf
        return await self.http.post(path, data={"csrf": token, **fields})

    def token(self, path: str) -> str:
        """What the forms of this door hold."""
        name = "ulak_operator" if path.startswith("/operator") else "ulak_panel"
        return security.form_token(self.http.cookies.get(name) or "")

    async def done(self, path: str, **fields: Any) -> str:
        """Send a form that has to be taken, and follow; returns what the next page begins with."""
        answer = await self.post(path, **fields)
        assert answer.status_code == 303, text_of(answer)
        page = await self.get(answer.headers["location"])
        assert page.status_code == 200, page.text
        return said(page)

    async def refused(self, path: str, **fields: Any) -> str:
        """Send a form that must not be taken; returns the reason."""
        answer = await self.post(path, **fields)
        assert 400 <= answer.status_code < 500, text_of(answer)
        return reason(answer)


def said(page: httpx.Response) -> str:
    """What was done, as the page says it."""
    found = re.search(r'class="said" role="status">([^<]*)<', page.text)
    return unescape(found[1]) if found else ""


def reason(page: httpx.Response) -> str:
    """Why something was refused, as the page says it."""
    found = re.search(r'role="alert">\s*(?:<p>)?([^<]*)<', page.text)
    assert found, page.text
    return unescape(found[1])


def text_of(page: httpx.Response) -> str:
    """What a reader sees of a page, words separated by single spaces."""
    main = page.text.partition("<main")[2]
    return " ".join(unescape(re.sub(r"<[^>]*>", " ", main)).split())


@asynccontextmanager
async def browsing(db: Database, address: str = ADDRESS, **settings: Any) -> AsyncIterator[Browser]:
    """A browser for as long as the block lasts, before a site with these settings."""
    browser = Browser(db, address, **settings)
    async with browser.http:
        yield browser
