"""Who clicks through the panel: new people for each round, with something of everything, and an operator.

Made by the panel's own forms, filled in as a person would. In: a world. Out: browsers that are signed in, and where
they begin.
"""

from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from typing import Final

import httpx

from tests.fuzz.forms import Form, Page, encoded
from tests.fuzz.world import World
from tests.panel.counter import Counter

PASSWORD: Final = "correct horse battery"
PERMISSIONS: Final = (
    *("organization.sms.read", "organization.sms.send", "organization.users.read"),
    *("organization.users.manage", "organization.credit.manage"),
)

#: What somebody types where nothing is filled in, by the field's name; and where something must be, by its kind.
TYPED: Final = {
    "amount": "1",
    "header": "ULAK",
    "host": "127.0.0.1",
    "note": "Typed",
    "price": "1",
    "system_id": "ulak",
    "text": "Merhaba",
    "to": "905550000001",
    "value": "1",
}
REQUIRED: Final = {"password": "secret", "email": "typed@example.com"}
FORM: Final = {"content-type": "application/x-www-form-urlencoded"}


@dataclass
class Visitor:
    """Somebody, signed in or not, and where they begin."""

    name: str
    http: httpx.Client
    begin: list[str]


def typed(form: Form) -> Form:
    """The form with what somebody would type."""
    pairs = [(name, value.strip() or TYPED.get(name, "")) for name, value in form.pairs]
    for name in form.required:
        pairs = [(n, v or REQUIRED.get(form.kinds[n], "1")) if n == name else (n, v) for n, v in pairs]
    return replace(form, pairs=pairs)


@contextmanager
def visitors(world: World, n: int) -> Iterator[list[Visitor]]:
    """Nobody, a customer and an operator, for one round; from an address of its own, since guesses are counted."""
    url, address, operator = world.ulak.url, f"127.1.{n // 250}.{n % 250 + 1}", f"ayse{n}"
    world.ulak.cli("operator", "create", operator, "--password-stdin", stdin=f"{PASSWORD}\n")
    with closing(Counter(url, "/operator", operator, PASSWORD, address)) as counter:
        begin, name = _made(world, counter, n)
        with (
            closing(Counter(url, "/panel", name, PASSWORD, address)) as customer,
            httpx.Client(
                base_url=url,
                trust_env=False,
                transport=httpx.HTTPTransport(local_address=f"127.2.{n // 250}.{n % 250 + 1}"),
            ) as nobody,
        ):
            nobody.event_hooks = {"response": [lambda answer: _trust(nobody)]}
            yield [
                Visitor("nobody", nobody, ["/panel/sign-in", "/operator/sign-in"]),
                Visitor("customer", customer.http, _busy(world, customer, begin[1].rpartition("/")[2])),
                Visitor("operator", counter.http, [*begin, "/operator"]),
            ]


def _trust(http: httpx.Client) -> None:
    """Keep cookies for https over http as well: browsers do so on the machine itself."""
    for cookie in http.cookies.jar:
        cookie.secure = False


def _made(world: World, counter: Counter, n: int) -> tuple[list[str], str]:
    """A customer, an organization, a carrier and a service; where the operator finds them, and the customer's name."""
    name, other = f"mallory{n}", f"beside{n}"
    made = {
        "carriers": _filled(
            counter, "/carriers/new", name=f"Carrier {n}", password="secret", port=str(world.carrier_port)
        )
    }
    made["services"] = _filled(counter, "/services/new", name=f"Service {n}", route=f"Carrier {n}")
    for who in (other, name):
        made["users"] = counter.made(
            "/customers/users/new", username=who, email=f"{who}@example.com", way="typed", password=PASSWORD
        )
    made["organizations"] = counter.made("/customers/organizations/new", name=f"Organization {n}")
    org = f"/customers/organizations/{made['organizations']}"
    for who in (other, name):
        counter.post(f"{org}/members", username=who, permission=list(PERMISSIONS))
    for path in (org, f"/customers/users/{made['users']}"):
        counter.post(f"{path}/credit", way="topup", amount="1000", note="Paid in")
    counter.post(f"{org}/members/{made['users']}/credit", way="out", amount="500", note="")
    root = "/operator"
    service, carrier = f"{root}/services/{made['services']}", f"{root}/carriers/{made['carriers']}"
    counter.post(f"/services/{made['services']}/prices", kind="percent", value="1")
    return [
        *(f"{root}/customers/users/{made['users']}", f"{root}{org}", f"{root}{org}/members/{made['users']}"),
        *(service, f"{service}/prices", f"{service}/headers", f"{service}/explain", carrier),
    ], name


def _filled(counter: Counter, path: str, **fields: str) -> str:
    """Fill in the form of this page and send it; returns the id of what it makes."""
    page = Page(counter.http.get(f"/operator{path}").text, f"/operator{path}")
    form = next(form for form in page.forms if form.action == f"/operator{path}")
    answer = counter.http.post(form.action, content=encoded(typed(form).with_(fields)), headers=FORM)
    assert answer.status_code == 303, answer.text
    return answer.headers["location"].rpartition("/")[2]


def _busy(world: World, customer: Counter, org: str) -> list[str]:
    """Keys, sendings and drafts in both names; the pages where the customer begins."""
    key = customer.key()
    begin = ["/panel/keys", "/panel/account"]
    for base, headers in (("", {}), (f"/org/{org}", {"x-org-id": org})):
        client = world.ulak.client(world.description.base_path, {"x-api-key": key, **headers})
        body = {
            "to": "905550000055",
            "message": "Merhaba",
            "serviceId": client.get("/services").json()[0]["id"],
        }
        sending = client.post("/sms-sendings", json=body).json()["data"]
        send = f"/panel{base}/send"
        form = next(form for form in Page(customer.http.get(send).text, send).forms if form.files)
        file = {"file": ("numbers.csv", b"phone;name\n905550000000;Ada\n")}
        draft = customer.http.post(send, data=dict(form.pairs) | {"intent": "file"}, files=file)
        begin += [draft.headers["location"], f"/panel{base}/sendings/{sending}", f"/panel{base}"]
    return begin
