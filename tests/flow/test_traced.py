"""Which sendings are traced, and how spans find each other."""

import subprocess
import sys
from collections.abc import Iterator
from uuid import UUID

import pytest

from tests.flow.conftest import World
from ulak.base import traces
from ulak.base.config import Config, ConfigError
from ulak.base.traces import Span
from ulak.flow import traced
from ulak.rules import ids
from ulak.rules.status import Status


@pytest.fixture
def taken(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[Span]]:
    """The spans that would be sent."""
    spans: list[Span] = []
    monkeypatch.setattr(traces, "_exporter", traces._Exporter(spans.append, lambda: None))
    yield spans
    traced.choose(1.0)


async def test_a_bulk_is_traced_from_acceptance_to_the_ends_of_its_first_messages(
    world: World, taken: list[Span]
) -> None:
    service, who = await world.service(), await world.customer(1_000_000_000)
    sending = await world.send(who, service, to=150)
    refs: list[str] = []
    while work := await world.lease():
        refs += await world.take(*work)
    await world.receive(refs, Status.NOT_SENT)

    [accept] = [span for span in taken if span.name == "accept"]
    ends = [span for span in taken if span.name == "receipt"]
    assert (accept.trace, accept.parent, accept.attributes["ulak.messages"]) == (sending, None, 150)
    assert len(ends) == traced.MESSAGES_MAX
    assert all(end.trace == sending and end.failed for end in ends)
    told = {str(ids.message_id(sending, n)) for n in range(traced.MESSAGES_MAX)}
    assert {end.attributes["ulak.message"] for end in ends} == told
    assert len({span.id for span in taken}) == len(taken)
    assert all(0 < span.id < 1 << 64 for span in taken)


def test_a_share_is_chosen_alike_by_everybody(taken: list[Span]) -> None:
    sendings = [ids.new_id() for _ in range(4000)]
    traced.choose(0.25)
    chosen = {one for one in sendings if traced.traced(one)}
    assert 0.2 < len(chosen) / len(sendings) < 0.3
    assert chosen == {one for one in sendings if traced.traced(one)}
    traced.choose(0)
    assert not any(traced.traced(one) for one in sendings)


def test_nothing_is_traced_and_nothing_imported_where_nobody_asked() -> None:
    assert not traces.on()
    assert not traced.traced(UUID(int=0))
    code = "import sys, ulak.edge.server, ulak.edge.carrier.links, ulak.edge.processes; from ulak.base import traces;"
    code += " traces.start('', 'x'); sys.exit(any(name.startswith('opentelemetry') for name in sys.modules))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_settings_that_make_no_sense() -> None:
    for name, value in (("ULAK_TRACE_SHARE", "1.5"), ("ULAK_OTLP_ENDPOINT", "collector:4318")):
        with pytest.raises(ConfigError, match=name):
            Config.from_environment({name: value})
    shown = Config(metrics_token="abc", otlp_endpoint="http://u:pw@c").shown()
    assert (shown["metrics_token"], shown["otlp_endpoint"]) == ("***", "http://u:***@c")
