"""Traces, where an operator wants them: spans in the OpenTelemetry form, sent to a collector in batches.

In: `start` with an address, then finished spans. Out: OTLP over HTTP, from a thread of its own. Nothing here waits for
the collector or fails because of it: spans that it does not take in time are dropped. Without an address nothing of
OpenTelemetry is imported. Which spans there are is `flow.traced`'s affair.
"""

import threading
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Any, Final, NamedTuple
from uuid import UUID

from ulak.base.config import ConfigError

QUEUE_SPANS_MAX: Final = 8192
BATCH_SPANS_MAX: Final = 512
BATCH_SECONDS: Final = 2.0
SEND_SECONDS: Final = 5.0
STOP_SECONDS: Final = 3.0
_PATH: Final = "/v1/traces"
_EPOCH: Final = datetime.fromisoformat("1970-01-01T00:00:00+00:00")


class Span(NamedTuple):
    """Something that took time, and is over. `trace` is the trace's id, `id` and `parent` 64 bits that are not 0; a
    span whose `parent` is None is the first of its trace."""

    name: str
    trace: UUID
    id: int
    parent: int | None
    started: datetime
    ended: datetime
    attributes: Mapping[str, str | int]
    failed: bool = False


class _Exporter(NamedTuple):
    take: Callable[[Span], None]
    stop: Callable[[], None]


_exporter: _Exporter | None = None


def check(endpoint: str) -> None:
    """Raise `ConfigError` where traces are wanted and what they need is not installed."""
    if not endpoint:
        return
    try:
        import opentelemetry.exporter.otlp.proto.http.trace_exporter
        import opentelemetry.sdk.trace.export  # noqa: F401
    except ImportError:
        raise ConfigError(
            "ULAK_OTLP_ENDPOINT needs what the extra `traces` brings: pip install 'ulak[traces]'."
        ) from None


def start(endpoint: str, process: str) -> None:
    """From now on, send spans of this process to a collector like http://collector:4318; nothing without one."""
    global _exporter
    if endpoint:
        check(endpoint)
        _exporter = _open(endpoint, process)


def on() -> bool:
    """Whether spans are wanted at all."""
    return _exporter is not None


def add(span: Span) -> None:
    """Have a span sent, some time."""
    if _exporter:
        _exporter.take(span)


def stop() -> None:
    """Send what is left, for a moment at most."""
    global _exporter
    if _exporter:
        leaving = threading.Thread(target=_exporter.stop, name="traces-stop", daemon=True)
        _exporter = None
        leaving.start()
        leaving.join(STOP_SECONDS)


def _open(endpoint: str, process: str) -> _Exporter:
    from importlib.metadata import version

    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace.export import BatchSpanProcessor

    url = endpoint if endpoint.endswith(_PATH) else endpoint.rstrip("/") + _PATH
    processor = BatchSpanProcessor(
        OTLPSpanExporter(endpoint=url, timeout=SEND_SECONDS),
        max_queue_size=QUEUE_SPANS_MAX,
        max_export_batch_size=BATCH_SPANS_MAX,
        schedule_delay_millis=BATCH_SECONDS * 1000,
    )
    resource = Resource(
        {"service.name": "ulak", "service.version": version("ulak"), "service.instance.id": process}
    )
    return _Exporter(lambda span: processor.on_end(_finished(span, resource)), processor.shutdown)


def _finished(span: Span, resource: Any) -> Any:
    """A span as OpenTelemetry has it. Its own tracer would make up the ids; ours say where a span belongs without
    anything being stored or passed on."""
    from opentelemetry.sdk.trace import ReadableSpan
    from opentelemetry.trace import SpanContext, Status, StatusCode, TraceFlags

    def context(id_: int) -> SpanContext:
        return SpanContext(span.trace.int, id_, is_remote=False, trace_flags=TraceFlags(TraceFlags.SAMPLED))

    return ReadableSpan(
        name=span.name,
        context=context(span.id),
        parent=context(span.parent) if span.parent else None,
        resource=resource,
        attributes=span.attributes,
        status=Status(StatusCode.ERROR if span.failed else StatusCode.UNSET),
        start_time=_nanoseconds(span.started),
        end_time=_nanoseconds(span.ended),
    )


def _nanoseconds(at: datetime) -> int:
    return (at - _EPOCH) // timedelta(microseconds=1) * 1000
