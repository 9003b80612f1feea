"""The panel at the gate: what is too long or too much, and that nothing is read of a form before it may be sent.

No server, no sockets: requests go straight to the site, and their bodies come when the test says so.
"""

import asyncio
from typing import Any, Final, NamedTuple
from uuid import uuid4

import pytest

from tests.edge.clock import Clock
from tests.edge.panel.conftest import HOST, TEST, Browser, Town
from ulak.admin import accounts
from ulak.edge.gate import FILES_MAX, LIVE_OF_SESSION, Gate
from ulak.edge.panel.page import FORM_BYTES_MAX, STRANGERS_BYTES_MAX
from ulak.edge.panel.security import COOKIES, VISIT, form_token, new_secret
from ulak.store.operators import Operator
from ulak.store.users import User

MIB: Final = 2**20
ENCODED: Final = "application/x-www-form-urlencoded"


class Said(NamedTuple):
    """An answer."""

    status: int
    headers: dict[str, str]
    text: str


class Form:
    """A request whose body comes in pieces, and only when it is asked for; `asked` counts how often it was."""

    def __init__(self, town: Town, path: str, headers: dict[str, str], *, method: str = "POST") -> None:
        self.asked = 0
        self.began = asyncio.Event()
        self.reads = asyncio.Event()
        self.reads.set()
        self._pieces: asyncio.Queue[tuple[bytes, bool]] = asyncio.Queue()
        self._said: list[dict[str, Any]] = []
        scope = {
            "type": "http",
            "asgi": {"version": "3.0"},
            "http_version": "1.1",
            "method": method,
            "headers": [(b"host", HOST.encode()), *((n.encode(), v.encode()) for n, v in headers.items())],
            "scheme": "https",
            "path": path,
            "raw_path": path.encode(),
            "query_string": b"",
            "server": (HOST, 443),
            "client": (headers.get("from", "192.0.2.1"), 50000),
            "root_path": "",
        }
        self._answering = asyncio.ensure_future(town.site(scope, self._receive, self._send))

    async def _receive(self) -> dict[str, Any]:
        self.asked += 1
        self.began.set()
        body, more = await self._pieces.get()
        return {"type": "http.request", "body": body, "more_body": more}

    async def _send(self, message: dict[str, Any]) -> None:
        self._said.append(message)
        await self.reads.wait()

    def comes(self, body: bytes, *, more: bool = False) -> "Form":
        """A piece of the body."""
        self._pieces.put_nowait((body, more))
        return self

    async def on_its_way(self) -> "Form":
        """Wait until it is let in."""
        await asyncio.wait_for(self.began.wait(), 5)
        return self

    async def answer(self) -> Said:
        """What is answered."""
        await asyncio.wait_for(self._answering, 5)
        headers = {name.decode(): value.decode() for name, value in self._said[0]["headers"]}
        text = b"".join(message.get("body", b"") for message in self._said[1:]).decode(errors="replace")
        return Said(self._said[0]["status"], headers, text)


def head(n_bytes: int | None, cookies: dict[str, str], **more: str) -> dict[str, str]:
    """The headers of a form of so many bytes."""
    held = "; ".join(f"{name}={value}" for name, value in cookies.items())
    length = {} if n_bytes is None else {"content-length": str(n_bytes)}
    return {"content-type": ENCODED, "cookie": held, **length, **more}


async def signed_in(town: Town, owner: User | Operator) -> dict[str, str]:
    """The cookie of a session."""
    token, _ = await town.session(owner)
    return {COOKIES["customer" if isinstance(owner, User) else "operator"][0]: token}


async def test_a_form_of_anybody_is_short_and_a_long_one_is_not_read(town: Town) -> None:
    cookies = {VISIT: new_secret()}
    for n_bytes in (STRANGERS_BYTES_MAX + 1, 8 * MIB):
        form = Form(town, "/panel/sign-in", head(n_bytes, cookies))
        said = await form.answer()
        assert (said.status, form.asked) == (413, 0)
        assert "16 KiB" in said.text

    undeclared = Form(town, "/panel/sign-in", head(None, cookies))
    assert (await undeclared.comes(b"x" * (STRANGERS_BYTES_MAX + 1), more=True).answer()).status == 413


@pytest.mark.parametrize(
    ("path", "most"),
    [("/panel/keys", FORM_BYTES_MAX), ("/panel/send/quote", 8 * MIB), ("/panel/send", 33 * MIB)],
)
async def test_a_page_takes_what_its_fields_need(town: Town, path: str, most: int) -> None:
    cookies = await signed_in(town, await town.user("mark"))

    form = Form(town, path, head(most + 1, cookies))

    assert ((await form.answer()).status, form.asked) == (413, 0)
    assert town.site.rooms.gate.bytes == 0


async def test_nothing_is_read_before_it_is_known_whose_form_it_may_be(town: Town) -> None:
    mark, viewer = await town.user("mark"), await town.operator("eve", "viewer")
    cookies = await signed_in(town, mark)
    refused = {
        "no session": ("/panel/send", head(9 * MIB, {}), 303),
        "a session of nobody": ("/panel/send", head(9 * MIB, {COOKIES["customer"][0]: "x"}), 303),
        "from elsewhere": ("/panel/send", head(9 * MIB, cookies, origin="https://evil.example"), 403),
        "across sites": ("/panel/send", head(9 * MIB, cookies, **{"sec-fetch-site": "cross-site"}), 403),
        "no visit": ("/panel/sign-in", head(100, {}), 403),
        "who only looks": ("/operator/services/new", head(100, await signed_in(town, viewer)), 403),
    }
    for why, (path, headers, status) in refused.items():
        form = Form(town, path, headers)
        assert ((await form.answer()).status, form.asked) == (status, 0), why


async def test_a_full_gate_is_a_page_that_says_when_to_come_back(town: Town) -> None:
    cookies = await signed_in(town, await town.user("mark"))
    rooms = town.site.rooms
    for name in ("gate", "outer_gate"):
        gate: Gate = getattr(rooms, name)
        before, gate.requests = gate.requests, 10**6
        path = "/panel/keys" if name == "gate" else "/panel/sign-in"
        said = await Form(town, path, head(None, cookies), method="GET").answer()
        assert (said.status, said.headers["retry-after"]) == (503, "2")
        assert "more requests than it can answer" in said.text
        gate.requests = before


async def slow(town: Town, path: str, headers: dict[str, str]) -> Form:
    """A form that has begun, and does not end."""
    return await Form(town, path, headers).comes(b"to=", more=True).on_its_way()


async def test_slow_forms_of_one_user_leave_room_for_others(town: Town) -> None:
    mark, other = await town.user("mark"), await town.user("other")
    theirs, others = await signed_in(town, mark), await signed_in(town, other)
    again = await signed_in(town, mark)

    large = await slow(town, "/panel/send", head(30 * MIB, theirs))
    said = await Form(town, "/panel/send", head(30 * MIB, again)).answer()
    assert (said.status, said.headers["retry-after"]) == (429, "2")
    assert "more at once than one customer may" in said.text
    token = form_token(others[COOKIES["customer"][0]])
    fields = f"csrf={token}&name=mine&scope=sms%3Asend".encode()
    made = Form(town, "/panel/keys", head(len(fields), others)).comes(fields)
    assert (await made.answer()).status == 200

    await large.comes(b"").answer()
    assert (town.site.rooms.gate.bytes, town.site.rooms.gate.requests) == (0, 0)


async def test_who_signs_in_slowly_keeps_neither_users_nor_other_places_out(town: Town) -> None:
    rooms, cookies = town.site.rooms, {VISIT: new_secret()}
    rooms.outer_gate = Gate(requests_max=8, bytes_max=MIB)

    held = [await slow(town, "/panel/sign-in", head(100, cookies)) for _ in range(2)]
    assert (await Form(town, "/panel/sign-in", head(100, cookies)).answer()).status == 429
    elsewhere = await slow(town, "/panel/sign-in", head(100, cookies, **{"from": "192.0.2.2"}))
    assert rooms.gate.requests == 0

    for form in [*held, elsewhere]:
        assert (await form.comes(b"").answer()).status == 403
    assert (rooms.outer_gate.requests, rooms.outer_gate.bytes) == (0, 0)


async def test_streams_stand_in_nobodys_way_and_have_a_bound(town: Town) -> None:
    mark = await town.user("mark")
    cookies = await signed_in(town, mark)
    live = [Form(town, "/panel/live", head(None, cookies), method="GET") for _ in range(LIVE_OF_SESSION)]
    for one in live:
        await one.on_its_way()  # it listens for the reader to go, so it is being sent

    assert town.site.rooms.gate.requests == 0
    above = await Form(town, "/panel/live", head(None, cookies), method="GET").answer()
    assert (above.status, above.headers["retry-after"]) == (429, "31")
    assert (
        await Browser(town.site, {"customer": cookies[COOKIES["customer"][0]]}).get("/panel")
    ).status_code == 200
    elsewhere = Form(town, "/panel/live", head(None, await signed_in(town, mark)), method="GET")
    await elsewhere.on_its_way()

    town.site.rooms.stopping.set()
    for one in [*live, elsewhere]:
        assert (await one.answer()).status == 200
    assert not town.site.rooms.live_pages.open


async def download(town: Town, path: str, cookies: dict[str, str]) -> Form:
    """A file that is being sent to somebody who does not read."""
    form = Form(town, path, head(None, cookies), method="GET")
    form.reads.clear()
    return await form.on_its_way()


async def test_files_have_a_bound_and_who_makes_many_is_told(town: Town) -> None:
    people = [await town.user(f"user{n}") for n in range(4)]
    mark = await signed_in(town, people[0])
    held = [await download(town, path, mark) for path in ("/panel/sendings/export.xlsx", "/panel/credit.csv")]
    above = await Form(town, "/panel/sendings/export.csv", head(None, mark), method="GET").answer()
    assert (above.status, above.headers["retry-after"]) == (429, "31")
    assert "as many files or live pages open as one may" in above.text

    held.append(
        await download(town, "/panel/credit.csv", await signed_in(town, people[0]))
    )  # another browser
    more = await signed_in(town, people[0])
    assert (await Form(town, "/panel/credit.csv", head(None, more), method="GET").answer()).status == 429
    for n in range(FILES_MAX - len(held)):
        held.append(await download(town, "/panel/credit.csv", await signed_in(town, people[1 + n // 2])))
    late = await signed_in(town, people[3])
    full = await Form(town, "/panel/credit.csv", head(None, late), method="GET").answer()
    assert (full.status, full.headers["retry-after"]) == (503, "31")

    for form in held:
        form.reads.set()
        assert (await form.answer()).status == 200
    assert (town.site.rooms.files.open, town.site.rooms.gate.requests) == (0, 0)
    assert (await Form(town, "/panel/credit.csv", head(None, late), method="GET").answer()).status == 200


async def test_a_file_that_is_refused_gives_its_place_back(town: Town) -> None:
    mark = await signed_in(town, await town.user("mark"))
    for _ in range(5):
        nobodys = f"/panel/sendings/{uuid4()}/export.csv"
        assert (await Form(town, nobodys, head(None, mark), method="GET").answer()).status == 404
    assert town.site.rooms.files.open == 0


async def test_the_rate_of_a_user_counts_for_the_panel_and_their_keys_together(town: Town) -> None:
    its = await town.tenant("mark", "marked")
    clock = town.site.rooms.limiter = Clock()
    await accounts.set_user_rate(town.db, TEST, "mark", 2)
    browser = await town.browser(its.user)
    key = await accounts.create_key(town.db, TEST, "mark")
    typed = {"service": its.ids["service"], "to": "905550000001", "text": "Merhaba"}
    draft = f"/panel/send/{its.ids['send']}"

    asked = await browser.client.get("/v1/users/me", headers={"x-api-key": key.secret})
    assert asked.headers["ratelimit-remaining"] == "1"
    assert (await browser.post("/panel/send/quote", typed)).status_code == 200

    for path, more in {
        "/panel/send/quote": {},
        "/panel/send": {"intent": "send"},
        "/panel/send ": {"intent": "check"},
        f"{draft}/quote": {},
        draft: {"intent": "send"},
    }.items():
        page = await browser.post(path.strip(), typed | more)
        assert (page.status_code, page.headers["retry-after"]) == (429, "1"), path
        assert "You may ask 2 times a second." in page.text
        assert page.text.count("Merhaba") == (0 if path.endswith("quote") else 1)
    sent = await browser.client.post(
        "/panel/send", data={"csrf": browser.token("/panel")}, files={"file": b"9"}
    )
    assert sent.status_code == 429
    page = await browser.get(draft)
    assert (page.status_code, "You may ask 2 times a second." in page.text) == (200, True)
    api = await browser.client.get("/v1/users/me", headers={"x-api-key": key.secret})
    assert api.status_code == 429

    operator = await town.browser(await town.operator("eve"), looks_at=its.user)
    assert (await operator.post("/panel/send/quote", typed)).status_code == 200
    clock.at += 0.5
    assert (await browser.post("/panel/send", typed | {"intent": "send"})).status_code == 303
