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

TENANT, SENDING = UUID(int=1), UUID(int=2)


class Desk:
    """An outbox, and what it has to say."""

    def __init__(self) -> None:
        self.outcomes = Outcomes()
        self.outbox = Outbox(PLAIN, lambda: self.outcomes)

    def lease(
        self, run_id: int, n: int, *, text: str = "hi", resend: bool = True, single: bool = False
    ) -> Run:
        """A run of n messages comes in."""
        run = Run(
            id=run_id,
            priority=queue.SINGLE if single else queue.BULK,
            tenant_id=TENANT,
            sending_id=SENDING,
            first_position=0,
            end_position=n,
            marked_to=0,
            expires_at=datetime.now(UTC) + timedelta(hours=1),
            sender=None,
            resend_unsure=resend,
        )
        due = [Due(run_id, position, 905550000000 + position, text, 0) for position in range(n)]
        self.outbox.add([Work(run, due)], lambda: 0)
        return run

    def next(self, n: int = 1) -> list[tuple[Item, int]]:
        """The next parts to submit."""
        entries = [self.outbox.next() for _ in range(n)]
        return [entry for entry in entries if entry is not None]


@pytest.fixture
def desk() -> Desk:
    return Desk()


def test_a_run_is_finished_with_its_last_message(desk: Desk) -> None:
    desk.lease(7, 3)
    (first, _), (second, _), (third, _) = desk.next(3)

    desk.outbox.taken(first, 0, "a")
    desk.outbox.refused(second)
    assert desk.outcomes.finished == []
    desk.outbox.taken(third, 0, "c")

    assert desk.outcomes.finished == [7]
    assert [took.refs for took in desk.outcomes.took] == [("a",), ("c",)]
    assert desk.outbox.runs == []


def test_a_message_is_taken_with_its_last_part(desk: Desk) -> None:
    desk.lease(7, 1, text="ş" * 100)
    (item, first), (_, second) = desk.next(2)

    desk.outbox.taken(item, second, "b")
    assert desk.outcomes.took == []
    desk.outbox.taken(item, first, "a")

    assert [took.refs for took in desk.outcomes.took] == [("a", "b")]


def test_single_sends_go_first(desk: Desk) -> None:
    desk.lease(1, 2)
    desk.lease(2, 1, single=True)

    assert [item.run.id for item, _ in desk.next(3)] == [2, 1, 1]


def test_what_did_not_go_out_is_the_next(desk: Desk) -> None:
    desk.lease(1, 3)
    [(item, part)] = desk.next()

    desk.outbox.again(item, part)

    assert desk.next() == [(item, part)]


def test_what_is_left_of_a_run_does_not_count_when_the_run_comes_again(desk: Desk) -> None:
    desk.lease(7, 2)
    (late, part), _ = desk.next(2)
    assert [run.id for run in desk.outbox.clear()] == [7]

    desk.lease(7, 2)
    desk.outbox.again(late, part)
    desk.outbox.refused(late)
    (first, _), (second, _), *others = desk.next(3)
    desk.outbox.taken(first, 0, "a")

    assert others == []
    assert desk.outcomes.finished == []
    desk.outbox.taken(second, 0, "b")
    assert desk.outcomes.finished == [7]


def test_runs_that_are_somebody_elses_are_forgotten(desk: Desk) -> None:
    desk.lease(1, 2)
    desk.lease(2, 1)
    (item, part), *_ = desk.next()

    desk.outbox.drop({1})
    desk.outbox.again(item, part)

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
