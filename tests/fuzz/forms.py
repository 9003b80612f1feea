"""The panel as somebody clicks through it: every page that its links lead to, and the forms on them.

In: somebody who is signed in, and where they begin. Out: one address for each of the panel's routes, and every form
with its fields as a browser would send them. What is not linked (streams, quotes) stands in attributes of the pages.
"""

import re
from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from html.parser import HTMLParser
from typing import Final
from urllib.parse import quote, urlencode, urljoin, urlsplit

import httpx

from ulak.edge.panel.app import PAGES, paths

Pairs = list[tuple[str, str]]

LEFT_OUT: Final = ("/sign-out", "/assets/")
"""Where nobody goes who has more to do."""
ENTRY: Final = {"name", "password", "code", "next"}
NOBODY: Final = "00000000-0000-7000-8000-000000000000"
CHOICES: Final = ("radio", "checkbox", "button", "submit", "option")


@dataclass(frozen=True, slots=True)
class Route:
    """One method of one path of the panel."""

    method: str
    path: str

    @classmethod
    def all(cls) -> "list[Route]":
        """Every one that there is."""
        return [
            cls(page.method, path) for door in PAGES for page in PAGES[door] for path in paths(door, page)
        ]

    def __str__(self) -> str:
        return f"{self.method} {self.path}"

    @property
    def pattern(self) -> re.Pattern[str]:
        """What its addresses look like; each part in braces is a group."""
        return re.compile(re.sub(r"\\\{\w+\\\}", "([^/]+)", re.escape(self.path)))

    def but_for(self, address: str | None, value: str) -> Iterator[str]:
        """The address with this value in each of its parts in braces, one after the other."""
        match = self.pattern.fullmatch(urlsplit(address).path) if address else None
        names = re.findall(r"\{\w+\}", self.path)
        for at in range(len(names)):
            parts = list(match.groups() if match else [NOBODY] * len(names))
            parts[at] = quote(value.encode("utf-8", "surrogatepass"), safe="")
            yield re.sub(r"\{\w+\}", "{}", self.path).format(*parts)


ROUTES: Final = sorted(Route.all(), key=lambda route: route.path.count("{"))  # the literal ones first


def route_of(method: str, path: str) -> Route | None:
    """The route that answers this address."""
    return next((one for one in ROUTES if one.method == method and one.pattern.fullmatch(path)), None)


@dataclass
class Form:
    """A form as it would be sent; `kinds` says of which type its fields are."""

    action: str
    method: str
    pairs: Pairs = field(default_factory=list)
    kinds: dict[str, str] = field(default_factory=dict)
    required: set[str] = field(default_factory=set)
    options: dict[str, list[str]] = field(default_factory=dict)
    """What its buttons, lists and choices can say."""
    parted: bool = False
    """Whether it is sent as multipart/form-data."""

    @property
    def files(self) -> list[str]:
        """Its fields for files."""
        return [name for name, kind in self.kinds.items() if kind == "file"]

    def with_(self, changed: dict[str, str]) -> Pairs:
        """What is sent once these fields hold something else."""
        return [pair for pair in self.pairs if pair[0] not in changed] + list(changed.items())


class Page(HTMLParser):
    """The forms on a page, and the addresses in it."""

    def __init__(self, html: str, at: str) -> None:
        super().__init__()
        self._at = at
        self._form: Form | None = None
        self._select = self._textarea = self._text = ""
        self.forms: list[Form] = []
        self.addresses: list[str] = []
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Addresses wherever they stand, and the fields of the form that is open."""
        its = {name: value or "" for name, value in attrs}
        for name, value in its.items():
            if name in ("href", "action", "src") or name.startswith("data-"):
                self._lead(value)
        if tag == "form":
            action = urljoin(self._at, its.get("action") or self._at)
            parted = its.get("enctype", "").startswith("multipart")
            self._form = Form(action, its.get("method", "get").upper(), parted=parted)
            self.forms.append(self._form)
            if quoted := its.get("data-quote"):  # what a script asks for with the same fields
                self.forms.append(replace(self._form, action=quoted))
        elif self._form and tag in ("input", "select", "textarea", "button", "option"):
            self._field(self._form, tag, its)

    def _lead(self, value: str) -> None:
        path = urljoin(self._at, value)
        if path.startswith(("/panel", "/operator")) and not any(one in path for one in LEFT_OUT):
            self.addresses.append(path)

    def _field(self, form: Form, tag: str, its: dict[str, str]) -> None:
        name, kind = its.get("name", self._select), its.get("type", tag)
        self._select = {"select": name, "option": self._select}.get(tag, "")
        self._textarea, self._text = (name if tag == "textarea" else ""), ""
        if not name:
            return
        if tag != "option":
            form.kinds.setdefault(name, kind)
            form.required |= {name} if "required" in its else set()
        first = all(name != there for there, _ in form.pairs)
        if kind in CHOICES:
            form.options.setdefault(name, []).append(its.get("value", ""))
        if "checked" in its or "selected" in its or (first and kind in CHOICES and kind != "checkbox"):
            form.pairs[:] = [pair for pair in form.pairs if pair[0] != name or kind == "checkbox"]
            form.pairs.append((name, its.get("value", "")))
        elif tag == "input" and kind not in CHOICES and kind != "file":
            form.pairs.append((name, its.get("value", "")))

    def handle_data(self, data: str) -> None:
        """What a textarea holds."""
        self._text += data

    def handle_endtag(self, tag: str) -> None:
        """The end of a form, and of what may be in it."""
        if tag == "textarea" and self._form and self._textarea:
            self._form.pairs.append((self._textarea, self._text.removeprefix("\n")))
        if tag == "form":
            self._form = None
        if tag == "select":
            self._select = ""


def get(http: httpx.Client, address: str) -> httpx.Response:
    """A page; of a stream the first thing that it says."""
    with http.stream("GET", address) as answer:
        if not answer.headers.get("content-type", "").startswith("text/event-stream"):
            answer.read()
            return answer
        said = next(answer.iter_raw(), b"")
        return httpx.Response(
            answer.status_code, headers=answer.headers, content=said, request=answer.request
        )


@dataclass
class Found:
    """What was found: an address for each route, and one form for each action and set of fields."""

    addresses: dict[Route, str] = field(default_factory=dict)
    forms: list[tuple[Route, Form]] = field(default_factory=list)

    def unlinked(self, root: str) -> Iterator[tuple[Route, Form]]:
        """A form for each route below `root` to which none leads, with every field that any form has."""
        names = sorted({name for _, form in self.forms for name in form.kinds} | ENTRY)
        csrf = next(pair for _, form in self.forms for pair in form.pairs if pair[0] == "csrf")
        known = {route for route, _ in self.forms}
        for route in ROUTES:
            left_out = any(one in route.path for one in LEFT_OUT)
            if route.method == "POST" and route.path.startswith(root) and route not in known and not left_out:
                pairs = [csrf, *((name, "") for name in names if name != "csrf")]
                yield (
                    route,
                    Form(re.sub(r"\{\w+\}", NOBODY, route.path), "POST", pairs, dict.fromkeys(names, "text")),
                )


def crawl(http: httpx.Client, begin: Iterable[str]) -> Found:
    """Follow every link from there, to one address of each route, the first that is found."""
    found, left, known = Found(), deque(begin), set[tuple[str, ...]]()
    while left:
        address = left.popleft()
        route = route_of("GET", urlsplit(address).path)
        if route is None or route in found.addresses:
            continue
        found.addresses[route] = address
        answer = get(http, address)
        if not answer.headers.get("content-type", "").startswith("text/html"):
            continue
        page = Page(answer.text, address)
        left.extend(page.addresses)
        for form in page.forms:
            at = route_of(form.method, urlsplit(form.action).path)
            key = (str(at), *sorted(form.kinds), *(v for n, v in form.pairs if form.kinds.get(n) == "submit"))
            if at and key not in known and not any(one in form.action for one in LEFT_OUT):
                known.add(key)
                found.forms.append((at, form))
    return found


def encoded(pairs: Pairs) -> bytes:
    """As a form's body or a query, whatever is in it."""
    return urlencode(pairs, encoding="utf-8", errors="surrogatepass").encode()
