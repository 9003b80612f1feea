"""The life of a message: which moves there are, and what carriers' words lead to. And members' rights."""

from itertools import product

import pytest

from ulak.rules.permission import DEFAULT, Permission
from ulak.rules.status import FINAL, OPEN, Status, can_move

MOVES = {
    ("pending", "waiting"),
    ("pending", "sent"),
    ("pending", "not_sent"),
    ("pending", "no_signal"),
    ("waiting", "sent"),
    ("waiting", "not_sent"),
    ("waiting", "no_signal"),
}


@pytest.mark.parametrize(("a", "b"), [*product(Status, Status)])
def test_a_message_moves_only_forward(a: Status, b: Status) -> None:
    assert can_move(a, b) == ((a.value, b.value) in MOVES)


def test_a_status_is_either_open_or_final() -> None:
    assert {status.value for status in OPEN} == {"pending", "waiting"}
    assert {status.value for status in FINAL} == {"sent", "not_sent", "no_signal"}
    assert set(Status) == OPEN | FINAL


def test_the_contracts_permissions_and_those_for_the_panel() -> None:
    of_the_contract = ["organization.sms.read", "organization.sms.send", "organization.users.read"]
    assert [permission.value for permission in Permission] == [
        *of_the_contract,
        "organization.users.manage",
        "organization.credit.manage",
    ]
    assert DEFAULT == ("organization.sms.read", "organization.sms.send")
