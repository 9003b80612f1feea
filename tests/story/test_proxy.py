"""The nginx of docs/operations.md, run as it stands there, in front of a real `ulak serve`.

Its block is taken out of the page; only ports and the certificate's files are this machine's. Clients come from
addresses of their own, since all of 127.0.0.0/8 is this machine.
"""

import contextlib
import json
import re
import shutil
import ssl
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests import certificates
from tests.harness import Installation, await_true
from tests.harness.postgres import free_port
from tests.panel.counter import TOKEN

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(shutil.which("nginx") is None, reason="no nginx here: apt-get install nginx-light"),
]

PAGE = Path(__file__).parents[2] / "docs/operations.md"
NAME = "sms.example.com"
MARKS, STRANGER = "127.0.0.2", "127.0.0.3"
PASSWORD = "correct horse battery"

AROUND = """
daemon off;
master_process off;
pid {home}/pid;
error_log {home}/error.log;
events {{ }}
http {{
access_log off;
client_body_temp_path {home}/body;
proxy_temp_path {home}/proxy;
fastcgi_temp_path {home}/fastcgi;
uwsgi_temp_path {home}/uwsgi;
scgi_temp_path {home}/scgi;
{block}
}}
"""


class Nginx:
    """An nginx with the page's block, in front of a port of this machine."""

    def __init__(self, home: Path, behind: int, *, without: str = "") -> None:
        self.port = free_port()
        cert, key = certificates.make(home, NAME, f"/CN={NAME}", f"subjectAltName=DNS:{NAME},IP:127.0.0.1")
        self.trusting = ssl.create_default_context(cafile=str(cert))
        found = re.search(r"```nginx\n(.*?)```", PAGE.read_text("utf-8"), re.S)
        assert found
        block = found[1]
        for theirs, ours in {
            "127.0.0.1:8001": f"127.0.0.1:{behind}",
            "127.0.0.1:8002": f"127.0.0.1:{behind}",
            "listen 443 ": f"listen 127.0.0.1:{self.port} ",
            f"/etc/ssl/{NAME}.pem": str(cert),
            f"/etc/ssl/{NAME}.key": str(key),
        }.items():
            assert theirs in block
            block = block.replace(theirs, ours)
        block = re.sub(without, "", block) if without else block
        conf = home / "nginx.conf"
        conf.write_text(AROUND.format(home=home, block=block))
        command = ["nginx", "-p", str(home), "-e", str(home / "error.log"), "-c", str(conf)]
        self._process = subprocess.Popen(command, start_new_session=True)
        try:
            await_true(self._answers, f"nginx answers; see {home}/error.log", 10)
        except BaseException:
            self.stop()
            raise

    def _answers(self) -> bool:
        assert self._process.poll() is None
        with self.client(STRANGER) as client:
            try:
                return client.get("/readyz").status_code == 200
            except httpx.TransportError:
                return False

    def client(self, address: str, **headers: str) -> httpx.Client:
        """Somebody at this address."""
        return httpx.Client(
            base_url=f"https://127.0.0.1:{self.port}",
            headers={"host": f"{NAME}:{self.port}"} | headers,
            transport=httpx.HTTPTransport(verify=self.trusting, local_address=address),
            timeout=60,
        )

    def stop(self) -> None:
        self._process.terminate()
        self._process.wait(10)


@pytest.fixture(scope="module")
def ulak() -> Iterator[Installation]:
    with Installation(trusted_proxies="127.0.0.1", body_seconds_max=120) as its:
        yield its.start()


@pytest.fixture(scope="module")
def nginx(ulak: Installation, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Nginx]:
    its = Nginx(tmp_path_factory.mktemp("nginx"), port_of(ulak))
    try:
        yield its
    finally:
        its.stop()


def port_of(ulak: Installation) -> int:
    return int(ulak.url.rpartition(":")[2])


def invented(address: str) -> list[dict[str, str]]:
    """What somebody may say of themselves to be taken for this address."""
    return [
        {},
        {"x-forwarded-for": address},
        {"forwarded": f"for={address}"},
        {"x-forwarded-for": address, "forwarded": f"for={address}"},
        {"x-real-ip": address, "x-forwarded-for": f"{address}, {address}"},
    ]


def test_an_address_is_the_one_that_nginx_saw(ulak: Installation, nginx: Nginx) -> None:
    mark = ulak.user("mark", allow_ip=f"{MARKS}/32")
    for said in invented(MARKS):
        with nginx.client(STRANGER, **said) as client:
            assert client.get("/v1/users/me", headers={"x-api-key": mark.key}).status_code == 401, said
    for said in invented(STRANGER):
        with nginx.client(MARKS, **said) as client:
            assert client.get("/v1/users/me", headers={"x-api-key": mark.key}).status_code == 200, said
    with nginx.client(MARKS) as client:
        assert client.get("/metrics").status_code == 403


def test_without_its_lines_anybody_would_choose_their_address(ulak: Installation, tmp_path: Path) -> None:
    anna = ulak.user("anna", allow_ip=f"{MARKS}/32")
    careless = Nginx(tmp_path, port_of(ulak), without=r"proxy_set_header (X-Forw|Forw|X-Real).*")
    try:
        with careless.client(STRANGER, **{"x-forwarded-for": MARKS}) as client:
            assert client.get("/v1/users/me", headers={"x-api-key": anna.key}).status_code == 200
    finally:
        careless.stop()


def signed_in(nginx: Nginx, name: str) -> httpx.Client:
    """A browser at Mark's address, in the panel."""
    client = nginx.client(MARKS, origin=f"https://{NAME}:{nginx.port}")
    page = client.get("/panel/sign-in")
    token = TOKEN.search(page.text)
    assert token
    assert "https" not in page.text.lower(), "it would say that the connection is not encrypted"
    form = {"csrf": token[1], "name": name, "password": PASSWORD, "next": ""}
    answer = client.post("/panel/sign-in", data=form)
    assert (answer.status_code, answer.headers["location"]) == (303, "/panel")
    assert "secure" in answer.headers["set-cookie"].lower()
    return client


def test_the_panel_is_signed_in_to_and_its_pages_move(ulak: Installation, nginx: Nginx) -> None:
    user = ulak.user("lale")
    ulak.cli("user", "set-password", "lale", "--password-stdin", stdin=PASSWORD + "\n")
    ulak.carrier("away", 1)
    service = ulak.service("Plain", "away")
    ulak.credit(10, user=user)

    with contextlib.closing(signed_in(nginx, "lale")) as browser:
        assert browser.get("/panel").status_code == 200
        assert MARKS in browser.get("/panel/account").text, "where the session was opened from"
        with browser.stream("GET", "/panel/sendings/live") as moving:
            lines = moving.iter_lines()
            first = next(line for line in lines if line.startswith("data:"))
            assert "Kodunuz" not in first
            body = {"to": "905550000000", "message": "Kodunuz", "serviceId": service}
            with nginx.client(MARKS) as client:
                answer = client.post("/v1/sms-sendings", json=body, headers={"x-api-key": user.key})
            assert answer.status_code == 201
            assert "Kodunuz" in next(line for line in lines if line.startswith("data:"))


def test_a_bulk_of_30_mb_passes(ulak: Installation, nginx: Nginx) -> None:
    user = ulak.user("bulk")
    ulak.carrier("nowhere", 1)
    service = ulak.service("Bulk", "nowhere")
    ulak.credit(1_000_000, user=user)
    messages: list[Any] = [{"to": f"90555{n:07d}", "message": "ş" * 159 + "!"} for n in range(85_000)]
    body = json.dumps({"messages": messages, "serviceId": service}, ensure_ascii=False).encode()
    assert 30_000_000 < len(body) < 32 * 1024 * 1024

    with nginx.client(MARKS, **{"x-api-key": user.key, "content-type": "application/json"}) as client:
        answer = client.post("/v1/sms-sendings/advanced", content=body)
        assert answer.status_code == 201, answer.text
        too_much = client.post("/v1/sms-sendings/advanced", content=b" " * (33 * 1024 * 1024))
        assert too_much.status_code == 413


def test_a_proxy_that_nobody_trusts_is_told_of_once(tmp_path: Path) -> None:
    with Installation() as ulak:
        ulak.start()
        nginx = Nginx(tmp_path, port_of(ulak))
        try:
            with nginx.client(MARKS) as client:
                for _ in range(3):
                    assert client.get("/v1/users/me").status_code == 401
            await_true(lambda: ulak.cli("status")["passedOn"] >= 3, "status tells")
        finally:
            nginx.stop()
        told = [line for line in ulak.log.splitlines() if "proxy_not_trusted" in line]
        assert len(told) == 1
        assert "ULAK_TRUSTED_PROXIES=127.0.0.1" in told[0]
