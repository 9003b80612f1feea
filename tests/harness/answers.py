"""What the server answered, noted by every client of the harness, for tests that compare it with `openapi.yaml`.

In: responses (an httpx event hook). Out: a list of `Answer`. It never changes a response.
"""

from dataclasses import dataclass, field

import httpx


@dataclass(frozen=True, slots=True)
class Answer:
    """One answer: the request's method and path, and what came back, body and all."""

    method: str
    path: str
    status: int
    headers: httpx.Headers
    body: bytes


@dataclass(slots=True)
class Answers:
    """All answers so far; `note` is the hook."""

    noted: list[Answer] = field(default_factory=list)

    def note(self, response: httpx.Response) -> None:
        """Read the whole response and keep it."""
        body = response.read()
        request = response.request
        self.noted.append(
            Answer(request.method, request.url.path, response.status_code, response.headers, body)
        )
