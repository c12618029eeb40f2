"""The events as spans and metrics of OpenTelemetry, sent by OTLP: only where ``OTEL_EXPORTER_OTLP_ENDPOINT`` is set.

Without it nothing here is imported by anybody, and the events reach Application Insights as lines of log, which the
workbook and the alerts ask. With it every event about one mail is also a span with the same ids, and ``METRICS`` are
counted from the same fields: one source, so both ways tell the same. The SDK costs a cold start 0.16 to 0.27 s;
Microsoft's distro (azure-monitor-opentelemetry) costs 0.41 s and takes the lines of log away from the host, so it is
not used.

Kept from OpenTelemetry's own names: a span is named like its event, its attributes are the event's fields.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from opentelemetry.sdk.metrics import Counter as SdkCounter
from opentelemetry.sdk.metrics import Histogram as SdkHistogram
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import AggregationTemporality, MetricReader, PeriodicExportingMetricReader
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, SpanProcessor
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import SpanContext, SpanKind, Status, StatusCode, TraceFlags

SCOPE = "inbound"

SECONDS_BETWEEN_METRICS = 15
"""An instance may end half a minute after its last execution: what it counted has to be out by then."""

PATIENCE_SECONDS = 3
"""With a collector that does not answer, tries and all: a worker that ends must not hang on it (10 s by default, for
each batch)."""

DELTAS: dict[type, AggregationTemporality] = {
    SdkCounter: AggregationTemporality.DELTA,
    SdkHistogram: AggregationTemporality.DELTA,
}
"""Instances come and go: what each counted since it told last adds up, totals of dead instances would not."""


@dataclass(frozen=True, slots=True)
class Metric:
    """A metric and the events it is made of.

    ``event``: which events, empty for all. ``field``: what is added up, empty for one each; an event without the field
    does not count. ``attributes``: the fields that tell its series apart; few values each, because every combination
    is kept in memory and billed: so no tenant and no mailbox, which spans carry.
    """

    name: str
    event: str
    field: str
    kind: Literal["counter", "histogram"]
    unit: str
    attributes: tuple[str, ...] = ()


METRICS = (
    Metric("inbound.mails", "converted", "", "counter", "{mail}", ("outcome", "reason")),
    Metric("inbound.mail.delay", "converted", "delay", "histogram", "s", ("outcome",)),
    Metric("inbound.mail.waited", "converted", "waited", "histogram", "s", ("outcome",)),
    Metric("inbound.mails.out", "mail_out", "", "counter", "{mail}", ("state",)),
    Metric("inbound.poll.duration", "polled", "seconds", "histogram", "s"),
    Metric("inbound.polls.failed", "poll_failed", "", "counter", "{poll}", ("code",)),
    Metric("inbound.storage.operations", "", "operations", "counter", "{request}", ("event",)),
    Metric("inbound.mail_server.round_trips", "", "round_trips", "counter", "{request}", ("event",)),
)
"""The parts of the workbook ask the same events for the same fields: a test compares."""

KINDS = {
    "kept": SpanKind.PRODUCER,
    "converted": SpanKind.CONSUMER,
    "mail_out": SpanKind.CONSUMER,
    "webhook_out": SpanKind.CLIENT,
}
"""By OpenTelemetry's conventions for messaging: who rings, and who hears it."""

FAILED = frozenset({"conversion_failed", "give_up_failed", "raw_lost", "send_gave_up", "ring_failed", "unfetchable"})
"""Steps of a mail that went wrong: a span's status says so."""


class _Begun(threading.local):
    """When what goes on on this thread began, in nanoseconds since 1970; None when nothing does."""

    at: int | None = None


class Telemetry:
    """Makes spans and metrics of events; a listener of ``log.listen``."""

    def __init__(
        self, spans: SpanProcessor, metrics: MetricReader, attributes: Mapping[str, str] | None = None
    ) -> None:
        self._resource = Resource.create({"service.name": SCOPE, **(attributes or {})})
        self._spans = spans
        self._provider = MeterProvider([metrics], self._resource, shutdown_on_exit=False)
        self._scope = InstrumentationScope(SCOPE)
        self._begun = _Begun()
        meter = self._provider.get_meter(SCOPE)
        self._instruments: list[tuple[Metric, Any]] = [
            (one, (meter.create_counter if one.kind == "counter" else meter.create_histogram)(one.name, one.unit))
            for one in METRICS
        ]

    def begins(self) -> None:
        """See ``log.Listener``."""
        self._begun.at = time.time_ns()

    def hears(self, name: str, fields: Mapping[str, str | int | float | bool]) -> None:
        """See ``log.Listener``."""
        for metric, instrument in self._instruments:
            if metric.event in ("", name) and (not metric.field or metric.field in fields):
                amount = fields[metric.field] if metric.field else 1
                series = {"event": name, **fields}
                attributes = {key: series[key] for key in metric.attributes if key in series}
                (instrument.add if metric.kind == "counter" else instrument.record)(amount, attributes)
        if "trace" in fields:
            self._spans.on_end(self._span(name, fields))
        self._begun.at = None

    def flush(self) -> None:
        """Send what waits."""
        self._spans.force_flush()
        self._provider.force_flush()

    def close(self) -> None:
        """Send what waits, and end."""
        self._spans.shutdown()
        self._provider.shutdown(timeout_millis=PATIENCE_SECONDS * 1000)

    def _span(self, name: str, fields: Mapping[str, str | int | float | bool]) -> ReadableSpan:
        now = time.time_ns()
        context = _context(str(fields["trace"]), str(fields["span"]))
        return ReadableSpan(
            name=name,
            context=context,
            parent=_context(str(fields["trace"]), str(fields["parent"])) if "parent" in fields else None,
            resource=self._resource,
            attributes={key: value for key, value in fields.items() if key not in ("trace", "span", "parent")},
            kind=KINDS.get(name, SpanKind.INTERNAL),
            status=Status(StatusCode.ERROR if name in FAILED else StatusCode.UNSET),
            start_time=self._begun.at or now,
            end_time=now,
            instrumentation_scope=self._scope,
        )


def otlp(endpoint: str, attributes: Mapping[str, str] | None = None) -> Telemetry:
    """Over HTTP to ``<endpoint>/v1/traces`` and ``/v1/metrics``; ``OTEL_EXPORTER_OTLP_HEADERS`` and the other
    variables of OpenTelemetry are read by its own exporters. What cannot be sent is dropped, and the log warns."""
    from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter

    base = endpoint.rstrip("/")
    metrics = OTLPMetricExporter(f"{base}/v1/metrics", timeout=PATIENCE_SECONDS, preferred_temporality={**DELTAS})
    spans = OTLPSpanExporter(f"{base}/v1/traces", timeout=PATIENCE_SECONDS)
    reader = PeriodicExportingMetricReader(metrics, export_interval_millis=SECONDS_BETWEEN_METRICS * 1000)
    return Telemetry(BatchSpanProcessor(spans), reader, attributes)


def names() -> Sequence[str]:
    """The names of the metrics."""
    return [one.name for one in METRICS]


def _context(trace: str, span: str) -> SpanContext:
    # Remote: each step is another execution, as a rule on another instance.
    return SpanContext(int(trace, 16), int(span, 16), is_remote=True, trace_flags=TraceFlags(TraceFlags.SAMPLED))
