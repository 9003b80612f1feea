"""Work in memory: runs come in, messages go out, and a run is finished exactly when all of its messages are."""

from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest

from ulak.edge.carrier.outbox import Item, Outbox
from ulak.flow.dispatch import Outcomes, Work
from ulak.rules.segments import PLAIN
from ulak.store import queue
from ulak.store.messages import Due
from ulak.store.queue import Run

TENANT, SENDING, SERVICE = UUID(int=1), UUID(int=2), UUID(int=3)
CARRIER = 7
NOW = datetime.now(UTC)


class Desk:
    """An outbox, and what it has to say."""

    def __init__(self) -> None:
        self.outcomes = Outcomes()
        self.outbox = Outbox(CARRIER, PLAIN, lambda: self.outcomes)

    def lease(
        self,
        run_id: int,
        n: int,
        *,
        text: str = "hi",
        resend: bool = True,
        single: bool = False,
        others: bool = False,
    ) -> Run:
        """A run of n messages comes in."""
        run = Run(
            id=run_id,
            priority=queue.SINGLE if single else queue.BULK,
            turn=0,
            tenant_id=TENANT,
            sending_id=SENDING,
            first_position=0,
            end_position=n,
            marked_to=0,
            expires_at=datetime.now(UTC) + timedelta(hours=1),
            positions=None,
            sender=None,
            service_id=SERVICE,
            resend_unsure=resend,
            lapsed=False,
            others=others,
        )
        due = [Due(run_id, position, 905550000000 + position, text, 0) for position in range(n)]
        self.outbox.add([Work(run, due)], lambda: 0)
        return run

    def next(self, n: int = 1) -> list[tuple[Item, int]]:
        """The next parts go out."""
        entries = [self.outbox.next() for _ in range(n)]
        gone = [entry for entry in entries if entry is not None]
        for item, part in gone:
            self.outbox.gone(item, part, NOW)
        return gone

    @property
    def took(self) -> list[tuple[str, ...]]:
        """The ids of each message that was taken."""
        return [tuple(part.ref for part in took.parts) for took in self.outcomes.took]


@pytest.fixture
def desk() -> Desk:
    return Desk()


def test_a_run_is_finished_with_its_last_message(desk: Desk) -> None:
    desk.lease(7, 3)
    (first, _), (second, _), (third, _) = desk.next(3)

    desk.outbox.taken(first, 0, "a", "a")
    desk.outbox.refused(second, 0x0B)
    assert desk.outcomes.finished == []
    desk.outbox.taken(third, 0, "c", "c")

    assert desk.outcomes.finished == [7]
    assert desk.took == [("a",), ("c",)]
    assert desk.outbox.runs == []


def test_a_message_is_taken_with_its_last_part(desk: Desk) -> None:
    desk.lease(7, 1, text="ş" * 100)
    (item, first), (_, second) = desk.next(2)

    desk.outbox.taken(item, second, "b", "b")
    assert desk.outcomes.took == []
    desk.outbox.taken(item, first, "a", "a")

    assert desk.took == [("b", "a")]


def test_single_sends_go_first(desk: Desk) -> None:
    desk.lease(1, 2)
    desk.lease(2, 1, single=True)

    assert [item.run.id for item, _ in desk.next(3)] == [2, 1, 1]


def test_what_did_not_go_out_is_the_next(desk: Desk) -> None:
    desk.lease(1, 3)
    [(item, part)] = desk.next()

    desk.outbox.not_gone(item, part)

    assert desk.next() == [(item, part)]


def test_what_is_left_of_a_run_does_not_count_when_the_run_comes_again(desk: Desk) -> None:
    desk.lease(7, 2)
    (late, part), _ = desk.next(2)
    assert [run.id for run in desk.outbox.clear()] == [7]

    desk.lease(7, 2)
    desk.outbox.not_gone(late, part)
    desk.outbox.refused(late, 0x0B)
    (first, _), (second, _), *others = desk.next(3)
    desk.outbox.taken(first, 0, "a", "a")

    assert others == []
    assert desk.outcomes.finished == []
    desk.outbox.taken(second, 0, "b", "b")
    assert desk.outcomes.finished == [7]


@pytest.mark.parametrize("resend", [True, False])
def test_a_run_that_lapsed_and_came_back_to_us_is_here_once(desk: Desk, resend: bool) -> None:
    desk.lease(1, 2, resend=resend)
    desk.lease(1, 2, resend=resend)

    desk.outbox.marked(desk.outbox.to_mark(9), {1})

    assert [item.due.position for item, _ in desk.next(9)] == [0, 1]


def test_a_message_of_which_some_parts_were_taken_is_known_until_its_end(desk: Desk) -> None:
    desk.lease(1, 1, text="x" * 300)
    (item, first), (_, second) = desk.next(2)
    desk.outbox.taken(item, first, "a", "a")
    assert desk.outbox.begun == [item]  # its other part was throttled, say: nothing is in flight

    desk.outbox.not_taken(item, "throttled", 0x58)
    desk.outbox.not_gone(item, second)
    desk.next()
    desk.outbox.taken(item, second, "b", "b")

    assert desk.outbox.begun == []


def test_runs_that_are_somebody_elses_are_forgotten(desk: Desk) -> None:
    desk.lease(1, 2)
    desk.lease(2, 1)
    (item, part), *_ = desk.next()

    desk.outbox.drop({1})
    desk.outbox.not_gone(item, part)

    assert [found.run.id for found, _ in desk.next(5)] == [2]


def test_what_must_not_go_twice_waits_for_its_mark(desk: Desk) -> None:
    desk.lease(1, 3, resend=False)
    assert desk.next() == []
    items = desk.outbox.to_mark(2)

    desk.outbox.marked(items, {1})

    assert [item.due.position for item, _ in desk.next(5)] == [0, 1]
    assert len(desk.outbox) == 1
    desk.outbox.marked(desk.outbox.to_mark(2), set())
    assert (len(desk.outbox), desk.outbox.runs) == (0, [])


def test_what_the_carrier_will_not_take_is_for_another_one(desk: Desk) -> None:
    desk.lease(1, 2, others=True)
    (first, _), (second, _) = desk.next(2)

    desk.outbox.turned_away(first, 0x0A)
    desk.outbox.taken(second, 0, "a", "a")

    assert [(turned.key.position, turned.status) for turned in desk.outcomes.turned_away] == [(0, 0x0A)]
    assert (desk.outcomes.refused, desk.outcomes.finished) == ([], [1])


def test_without_another_one_it_is_refused_and_kept_why(desk: Desk) -> None:
    desk.lease(1, 1)
    [(item, _)] = desk.next()

    desk.outbox.turned_away(item, 0x0401)

    assert desk.outcomes.turned_away == []
    assert [refusal.key.position for refusal in desk.outcomes.refused] == [0]
    assert [(one.kind, one.status) for one in desk.outcomes.incidents] == [("refused", 0x0401)]


def test_a_message_of_which_the_carrier_has_a_part_goes_to_no_other(desk: Desk) -> None:
    desk.lease(1, 1, text="ş" * 100, others=True)
    (item, first), (_, second) = desk.next(2)

    desk.outbox.turned_away(item, 0x0A)
    assert not desk.outcomes
    desk.outbox.taken(item, second, "b", "b")

    assert desk.outcomes.turned_away == []
    [refusal] = desk.outcomes.refused
    assert [(part.number, part.ref) for part in refusal.parts] == [(second, "b")]
    assert first != second


def test_parts_of_what_was_turned_away_do_not_go_out(desk: Desk) -> None:
    desk.lease(1, 1, text="ş" * 200, others=True)
    [(item, _)] = desk.next()

    desk.outbox.turned_away(item, 0x0A)

    assert desk.next(3) == []
    assert len(desk.outcomes.turned_away) == 1


def test_how_often_a_message_went_out_again_is_told_with_its_end(desk: Desk) -> None:
    desk.lease(1, 1)
    for status in (0x58, 0x58, 0x08):
        [(item, part)] = desk.next()
        desk.outbox.not_taken(item, "retried" if status == 0x08 else "throttled", status)
        desk.outbox.not_gone(item, part)
    assert desk.outcomes.incidents == []
    [(item, part)] = desk.next()

    desk.outbox.taken(item, part, "a", "A")

    told = [(one.kind, one.status, one.n) for one in desk.outcomes.incidents]
    assert told == [("throttled", 0x58, 2), ("retried", 0x08, 1)]
    [took] = desk.outcomes.took
    assert took.parts[0].answered_id == "A"


def test_or_when_its_link_is_lost(desk: Desk) -> None:
    desk.lease(1, 1)
    [(item, part)] = desk.next()
    desk.outbox.not_taken(item, "throttled", 0x58)
    desk.outbox.not_gone(item, part)

    desk.outbox.tell_troubles()
    desk.outbox.tell_troubles()

    assert [(one.kind, one.n) for one in desk.outcomes.incidents] == [("throttled", 1)]


def test_what_nothing_has_gone_out_of_can_be_given_away(desk: Desk) -> None:
    run = desk.lease(1, 10)
    desk.lease(2, 5, resend=False)
    desk.outbox.marked(desk.outbox.to_mark(2), {2})
    desk.next(3)

    tails = desk.outbox.set_aside(2)
    assert sorted((its.id, cut) for its, cut in tails) == [(1, 5), (2, 2)]
    desk.outbox.give_away(tails, {1, 2})

    left = desk.next(20)
    assert [(item.run.id, item.due.position) for item, _ in left] == [(1, 3), (1, 4), (2, 0), (2, 1)]
    for item, part in left[:2]:
        desk.outbox.taken(item, part, "x", "x")
    assert desk.outcomes.finished == []
    assert run in desk.outbox.runs


def test_something_is_kept_of_every_run_and_nothing_given_away_twice(desk: Desk) -> None:
    run = desk.lease(1, 6)
    positions = list(range(6))
    desk.outbox.drop({1})
    run = run._replace(positions=positions)
    desk.outbox.add(
        [Work(run, [Due(1, position, 905550000000, "hi", 0) for position in positions])], lambda: 0
    )

    assert desk.outbox.set_aside(0) == []
    assert len(desk.outbox) == 6
    first = desk.outbox.set_aside(4)
    desk.outbox.give_away(first, {1})
    second = desk.outbox.set_aside(2)

    assert [cut for _, cut in first + second] == [4, 2]
    assert second[0][0].positions == [0, 1, 2, 3]


def test_what_was_set_aside_can_be_taken_back(desk: Desk) -> None:
    desk.lease(1, 6)
    desk.lease(2, 3, resend=False)

    desk.outbox.set_aside(2)
    assert len(desk.outbox) == 2 + 3  # nothing of the second run may go yet, and something of it is kept
    desk.outbox.take_back()

    assert [item.due.position for item, _ in desk.next(9)] == [0, 1, 2, 3, 4, 5]
    assert len(desk.outbox) == 3
