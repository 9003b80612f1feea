"""One installation for the whole package: carriers prompt, slow, silent and absent, and people in every role.

In: commands an operator types. Out: a `World`. At its end the books must balance and the log must be discreet.
"""

import socket
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.contract import Caller, World, assert_discreet
from tests.harness import CarrierProcess, Installation

READ, SEND, USERS = "organization.sms.read", "organization.sms.send", "organization.users.read"

#: name: (carrier, price, options)
SERVICES: dict[str, tuple[str, str, tuple[str, ...]]] = {
    "BobSMS": ("prompt", "1", ()),
    "HalfSMS": ("prompt", "2.5", ()),
    "ThirdSMS": ("prompt", "0.333333", ()),
    "SegmentSMS": ("prompt", "0.5", ("--billing=segment",)),
    "KeepsSMS": ("prompt", "1", ("--refund=none",)),
    "NotSentSMS": ("prompt", "1", ("--refund=not_sent",)),
    "WorldSMS": ("prompt", "1", ("--foreign",)),
    "RuledSMS": ("prompt", "2", ()),
    "TinySMS": ("prompt", "0.000005", ()),
    "WaitingSMS": ("silent", "1", ()),
    "PendingSMS": ("absent", "1", ()),
    "ChangingSMS": ("slow", "1", ()),
    "AsleepSMS": ("prompt", "1", ()),
}

#: username: their own credit. Lale's own sendings are made in test_queries only: it counts them.
USERS_CREDIT = {
    "mark": "1000000",
    "lale": "1000",
    "kemal": "100",
    "poor": "0",
    "ayse": "0",
    "reader": "5",
    "writer": "0",
    "onlooker": "0",
    "banned": "0",
}

#: organization: {member: (permissions, member credit)}
ORGS: dict[str, dict[str, tuple[tuple[str, ...], str]]] = {
    "Main Organization": {
        "ayse": ((READ, SEND, USERS), "100000"),
        "reader": ((READ,), "7"),
        "writer": ((SEND,), "100"),
        "onlooker": ((USERS,), "0"),
    },
    "Second": {"ayse": ((READ, SEND, USERS), "1000")},
    "Third": {"lale": ((), "1000"), "mark": ((READ, SEND), "1000")},
    "Closed": {"ayse": ((READ, SEND), "10")},
    "Small": {"poor": ((READ, SEND), "0")},
    "Elsewhere": {"mark": ((), "0")},
}


@pytest.fixture(scope="package")
def world() -> Iterator[World]:
    """The world, and what must be true at its end."""
    with (
        CarrierProcess(delay_ms=5) as prompt,
        CarrierProcess(delay_ms=2500) as slow,
        CarrierProcess(receipts=0) as silent,
        socket.socket() as absent,
        Installation(log_level="debug") as ulak,
    ):
        absent.bind(("127.0.0.1", 0))  # bound and not listening: connections are refused
        ulak.start()
        ports = {"prompt": prompt.port, "slow": slow.port, "silent": silent.port}
        ports["absent"] = absent.getsockname()[1]
        made = _make(ulak, ports)
        yield made
        assert_discreet(ulak, *(user.key for user in made.users.values()))
        ulak.cli("audit")


def _make(ulak: Installation, ports: dict[str, int]) -> World:
    world = World(ulak)

    def service(name: str) -> None:
        carrier, price, options = SERVICES[name]
        words = ("--price", price, "--currency=USD", "--carrier", carrier, *options)
        world.services[name] = ulak.cli("service", "create", name, *words)["id"]

    def user(name: str) -> None:
        world.users[name] = ulak.user(name)
        if USERS_CREDIT[name] != "0":
            ulak.credit(USERS_CREDIT[name], user=world.users[name])

    def org(name: str) -> None:
        world.orgs[name] = made = ulak.organization(name)
        for member, (permissions, credit) in ORGS[name].items():
            named = [f"--permission={permission}" for permission in permissions]
            ulak.cli("org", "add-member", name, member, *named)
            if credit != "0":
                ulak.credit(credit, user=world.users[member], org=made)

    def price(rule: str) -> None:
        ulak.cli("price", "add", *rule.split(" "))

    with ThreadPoolExecutor(3) as hands:

        def each(work: Callable[[str], None], names: list[str]) -> None:
            list(hands.map(work, names))

        each(lambda name: ulak.carrier(name, ports[name]), list(ports))
        each(service, list(SERVICES))
        each(user, list(USERS_CREDIT))
        each(org, list(ORGS))
        each(
            price,
            [
                "--service=RuledSMS --kind=percent --value=-10",
                "--service=RuledSMS --kind=fixed --value=1.5 --org=Second",
                "--service=RuledSMS --kind=amount --value=0.25 --user=mark",
                "--service=TinySMS --kind=percent --value=-50",
            ],
        )
        rest: list[Callable[[], object]] = [
            lambda: world.keys.update(second=ulak.key("mark")),
            lambda: world.keys.update(sends=ulak.cli("key", "create", "mark", "--scope=sms:send")),
            lambda: world.keys.update(revoked=_revoked(ulak)),
            lambda: world.keys.update(far=ulak.key("mark", allow_ip="203.0.113.0/24")),
            lambda: world.keys.update(near=ulak.key("mark", allow_ip="127.0.0.0/8")),
            lambda: ulak.cli("user", "set-state", "banned", "disabled"),
            lambda: ulak.cli("org", "set-state", "Closed", "inactive"),
            lambda: ulak.cli("service", "set-state", "AsleepSMS", "inactive"),
        ]
        list(hands.map(lambda work: work(), rest))
    return world


def _revoked(ulak: Installation) -> dict[str, object]:
    key = ulak.key("mark")
    ulak.cli("key", "revoke", key["id"])
    return key


@pytest.fixture(scope="package")
def mark(world: World) -> Caller:
    """A customer user with much credit, in their own context."""
    return world.caller("mark")


@pytest.fixture(scope="package")
def lale(world: World) -> Caller:
    """Another one, in their own context."""
    return world.caller("lale")


@pytest.fixture(scope="package")
def member(world: World) -> Caller:
    """A member of Main Organization who may do everything."""
    return world.caller("ayse", "Main Organization")


@pytest.fixture(scope="package")
def second(world: World) -> Caller:
    """The same user in Second, where nothing is ever refunded, so that a refusal's silence can be seen."""
    return world.caller("ayse", "Second")
