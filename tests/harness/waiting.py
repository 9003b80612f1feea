"""Waiting for what happens in another process: ask often, give up at a bound, say what was seen last."""

import time
from collections.abc import Callable
from typing import Any, TypeVar

import httpx

Seen = TypeVar("Seen")

ASK_EVERY_SECONDS = 0.05


def await_true(look: Callable[[], Seen], what: str, seconds: float = 30) -> Seen:
    """Look until what is seen is true, and return it."""
    until = time.monotonic() + seconds
    while not (seen := look()):
        assert time.monotonic() < until, f"{what}: not within {seconds} s; last seen: {seen!r}"
        time.sleep(ASK_EVERY_SECONDS)
    return seen


def await_completed(client: httpx.Client, sending_id: str, seconds: float = 30) -> dict[str, Any]:
    """Wait until the sending is completed; returns it as the list of sendings shows it."""

    def completed() -> dict[str, Any] | None:
        for page in range(100):
            answer = client.get("/sms-sendings", params={"limit": 1000, "page": page})
            assert answer.status_code == 200, answer.text
            listed = answer.json()["data"]
            for item in listed["items"]:
                if item["id"] == sending_id:
                    return item if item["completed"] else None
            if page + 1 >= listed["totalPages"]:
                break
        raise AssertionError(f"sending {sending_id} is not in the list")

    return await_true(completed, f"sending {sending_id} completed", seconds)
