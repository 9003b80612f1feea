"""Whole processes for tests: a real Ulak, a simulated carrier, and clients that note every answer.

In: what a test wants to exist (users, organizations, services, credit), said in the words of the command line.
Out: an HTTP client per customer, and what the processes printed. Nothing here imports `ulak`: the tests
that stand on this room see what an operator and a customer see, and no more.
"""

from tests.harness.answers import Answer, Answers
from tests.harness.carrier import CarrierProcess
from tests.harness.installation import CliFailed, Installation, Organization, User
from tests.harness.waiting import await_completed, await_true

__all__ = [
    "Answer",
    "Answers",
    "CarrierProcess",
    "CliFailed",
    "Installation",
    "Organization",
    "User",
    "await_completed",
    "await_true",
]
