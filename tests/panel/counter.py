"""The counter: what an operator does for customers before a test, by the console's own forms.

In: who should be there, with what. Out: they are. The command line would do the same at a second and a half a command;
this is one signed-in client, at a few milliseconds a form.
"""

import re
from typing import Any, Final

import httpx

TOKEN: Final = re.compile(r'name="csrf" value="([^"]+)"')
SECRET: Final = re.compile(r'id="secret"[^>]*>([^<]+)<')


class Counter:
    """Somebody who is signed in at one of the two doors, and sends forms."""

    def __init__(self, url: str, door: str, name: str, password: str, address: str | None = None) -> None:
        """`address` is one of this machine's, from which they come."""
        transport = httpx.HTTPTransport(local_address=address)
        self.http = httpx.Client(base_url=url, timeout=30, trust_env=False, transport=transport)
        self.door = door
        try:
            self._token = self._read(f"{door}/sign-in")
            self.post("/sign-in", name=name, password=password, next="")
            self._token = self._read(f"{door}/account")
        except BaseException:
            self.close()
            raise

    def _read(self, path: str) -> str:
        answer = self.http.get(path)
        self._trust()
        found = TOKEN.search(answer.text)
        assert found, path
        return found[1]

    def _trust(self) -> None:
        """Take cookies for https over http as well: browsers do so on the machine itself."""
        for cookie in self.http.cookies.jar:
            cookie.secure = False

    def post(self, path: str, **fields: Any) -> httpx.Response:
        """Send a form that has to be taken."""
        answer = self.http.post(f"{self.door}{path}", data={"csrf": self._token, **fields})
        self._trust()
        assert answer.status_code in (200, 303), f"{path}: {answer.status_code}"
        return answer

    def made(self, path: str, **fields: Any) -> str:
        """Send a form that makes something; returns the id under which it stands."""
        return str(self.post(path, **fields).headers["location"]).rpartition("/")[2]

    def key(self) -> str:
        """A key of whoever is signed in, as a customer."""
        found = SECRET.search(
            self.post("/keys", name="tests", scope=["sms:send", "sms:read", "account:read"]).text
        )
        assert found
        return found[1]

    def close(self) -> None:
        """Leave; the session stays."""
        self.http.close()
