from __future__ import annotations

import logging
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from shared import log, telemetry, trace
from shared.flows import convert, hooks, mailboxes, send, webhooks
from shared.mail.message import parse
from shared.model.doorbell import InboundBell, OutboundBell, WebhookBell
from shared.model.webhook import SUBSCRIBABLE
from tests.support.app import World
from tests.support.mails import mail
from tests.unit.infra import test_queries

ROOT = Path(__file__).parents[2]
CORPUS = ROOT / "tests" / "corpus"
SENDS = {"enabled": True, "host": "smtp.example.org"}


class Heard:
    """Spans and metrics of what happens, in memory."""

    def __init__(self) -> None:
        self._spans, self._reader = InMemorySpanExporter(), InMemoryMetricReader()
        self.telemetry = telemetry.Telemetry(SimpleSpanProcessor(self._spans), self._reader)

    @property
    def spans(self) -> list[Any]:
        return list(self._spans.get_finished_spans())

    def named(self, name: str) -> list[Any]:
        return [span for span in self.spans if span.name == name]

    def metrics(self) -> dict[str, list[tuple[dict[str, Any], Any]]]:
        """Points by name: attributes, and the sum."""
        data = self._reader.get_metrics_data()
        assert data is not None
        return {
            metric.name: [
                (dict(point.attributes or {}), point.value if hasattr(point, "value") else point.sum)
                for point in metric.data.data_points
            ]
            for resource in data.resource_metrics
            for scope in resource.scope_metrics
            for metric in scope.metrics
        }


@pytest.fixture
def heard() -> Iterator[Heard]:
    made = Heard()
    stop = log.listen(made.telemetry)
    yield made
    stop()
    made.telemetry.close()


def convert_as_the_function_does(world: World) -> None:
    while world.queues.inbound:
        bell = InboundBell.decode(world.queues.inbound.popleft())
        with trace.caused_by(trace.traceparent(bell.id, trace.ACCEPTED)):
            convert.convert(world.app, bell.tenant, bell.id)


def send_as_the_function_does(world: World) -> None:
    while world.queues.outbound:
        bell = OutboundBell.decode(world.queues.outbound.popleft())
        with trace.caused_by(bell.cause):
            send.send(world.app, bell.tenant, bell.incident, bell.note)


def is_child(child: Any, parent: Any) -> bool:
    return bool(
        child.parent is not None
        and child.parent.span_id == parent.context.span_id
        and child.context.trace_id == parent.context.trace_id
    )


def test_a_mail_its_incident_and_its_acknowledgement_are_one_trace(world: World, heard: Heard) -> None:
    tenant, _ = world.tenant()
    world.mailbox(tenant, acknowledge=True, outgoing=SENDS)
    world.folders["support"].deliver(mail(), world.clock.now)
    world.poll(tenant)
    convert_as_the_function_does(world)
    send_as_the_function_does(world)
    (kept,), (converted,), (out,) = map(heard.named, ("kept", "converted", "mail_out"))
    assert kept.parent is None
    assert is_child(converted, kept)
    assert is_child(out, converted)
    assert f"{kept.context.trace_id:032x}" == world.ledger(tenant)[0].id


def test_a_mail_that_waited_for_a_person_is_one_trace_without_a_span_told_twice(world: World, heard: Heard) -> None:
    from shared.flows import held

    tenant, _ = world.tenant()
    world.mailbox(tenant, whitelist_enabled=True, whitelist="somebody.else@example.net")
    world.folders["support"].deliver(mail(), world.clock.now)
    world.poll(tenant)
    convert_as_the_function_does(world)
    (row,) = world.ledger(tenant)
    held.release(world.app, tenant, row.id, "Kim")
    convert_as_the_function_does(world)
    first, second = heard.named("converted")
    (released,) = heard.named("mail_released")
    assert [span.attributes["outcome"] for span in (first, second)] == ["held", "delivered"]
    assert is_child(released, first)
    assert is_child(second, released)
    ids = [span.context.span_id for span in heard.spans]
    assert len(ids) == len(set(ids))


def test_what_webhooks_are_told_of_a_mail_is_in_its_trace(world: World, heard: Heard) -> None:
    tenant, _ = world.tenant()
    world.mailbox(tenant)
    hooks.make(world.app, tenant, hooks.Wish("https://one.example/in", SUBSCRIBABLE))
    world.folders["support"].deliver(mail(), world.clock.now)
    world.poll(tenant)
    convert_as_the_function_does(world)
    while world.queues.webhooks:
        bell = WebhookBell.decode(world.queues.webhooks.popleft())
        with trace.caused_by(bell.cause):
            webhooks.deliver(world.app, bell.tenant, bell.event)
    (kept,) = heard.named("kept")
    told = heard.named("webhook_out")
    assert told
    assert all(is_child(span, kept) for span in told)


def test_a_collector_that_is_away_stops_nothing_and_raises_nothing(caplog: pytest.LogCaptureFixture) -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        address = f"http://127.0.0.1:{closed.getsockname()[1]}"
    exporter = telemetry.otlp(address)
    stop = log.listen(exporter)
    log.event("kept", tenant="acme.1", mailbox="support", inbound="0123456789abcdef" * 2)
    stop()
    began = time.monotonic()
    exporter.close()
    assert time.monotonic() - began < 5 * telemetry.PATIENCE_SECONDS
    assert any("Failed to export" in record.getMessage() for record in caplog.records)


def test_a_bell_of_an_older_version_or_with_nonsense_in_it_is_heard_all_the_same(world: World) -> None:
    for said in ("", "nonsense", "00-1-2-3", "\ud800"):
        with trace.caused_by(said):
            assert trace.cause() == ""
    bell = '{"v": 1, "tenant": "acme.1", "incident": "7", "note": "2", "traceparent": 5}'
    assert OutboundBell.decode(bell) == OutboundBell("acme.1", 7, 2)
    assert OutboundBell.decode(bell).cause == ""


def test_what_a_mail_causes_is_over_with_its_execution() -> None:
    with trace.caused_by(trace.traceparent("0123456789abcdef" * 2, trace.ACCEPTED)):
        assert trace.cause()
    assert trace.cause() == ""


def test_mails_are_counted_by_outcome_and_reason_and_delays_and_polls_are_measured(world: World, heard: Heard) -> None:
    tenant, _ = world.tenant()
    world.mailbox(tenant)
    for number in range(3):
        raw = mail(f"p{number}@example.com", message_id=f"<{number}@e>")
        world.folders["support"].deliver(raw, world.clock.now)
    world.poll(tenant)
    world.clock.advance(seconds=7)
    convert_as_the_function_does(world)
    log.count("operations")
    log.count("round_trips")
    log.event("usage")
    found = heard.metrics()
    assert found["inbound.mails"] == [({"outcome": "delivered", "reason": "new_incident"}, 3)]
    assert found["inbound.mail.delay"] == [({"outcome": "delivered"}, 21.0)]
    assert found["inbound.poll.duration"] == [({}, 0.0)]
    assert ({"event": "usage"}, 1) in found["inbound.storage.operations"]
    assert ({"event": "usage"}, 1) in found["inbound.mail_server.round_trips"]
    assert found.keys() <= {one.name for one in telemetry.METRICS}


def test_no_line_of_log_and_no_span_holds_words_addresses_or_secrets_of_any_mail_of_the_corpus(
    world: World, heard: Heard, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    tenant, _ = world.tenant()
    world.mailbox(tenant, acknowledge=True, outgoing=SENDS)
    settings = world.app.mailboxes.all(tenant)[0].settings
    mailboxes.save(world.app, tenant, "support", settings, {"password": "canary-of-a-password"})
    raws = [path.read_bytes() for path in sorted(CORPUS.rglob("*.eml"))]
    for raw in raws:
        world.folders["support"].deliver(raw, world.clock.now)
    while len(world.ledger(tenant)) < len(raws):
        world.poll(tenant)
    convert_as_the_function_does(world)
    send_as_the_function_does(world)
    said = [record.getMessage() for record in caplog.records]
    said += [f"{span.name} {dict(span.attributes)}" for span in heard.spans]
    assert len(said) > 3 * len(raws)
    everything = "\n".join(said).lower()
    assert "@" not in everything
    assert "canary" not in everything
    for raw in raws:
        message = parse(raw)
        lines = (message.subject, *message.text.splitlines(), message.sender.name if message.sender else "")
        for line in (" ".join(one.split()).lower() for one in lines):
            assert len(line) < 12 or line not in everything, line


def test_every_metric_is_made_of_what_the_code_says_and_asked_for_by_a_query() -> None:
    emitted = test_queries.emitted()
    queries = " ".join(text for path, text in test_queries.QUERIES.items() if "/show-" in path)
    for metric in telemetry.METRICS:
        assert not metric.event or metric.event in emitted, metric.name
        fields = emitted[metric.event] if metric.event else set(log.COUNTED)
        assert set(filter(None, [metric.field, *metric.attributes])) - {"event"} <= fields, metric.name
        assert not metric.event or f'"{metric.event}"' in queries, metric.name
        assert all(f"e.{name}" in queries for name in (metric.field, *metric.attributes) if name not in ("", "event"))


def test_a_metric_tells_no_tenant_and_no_mailbox_apart() -> None:
    assert {name for one in telemetry.METRICS for name in one.attributes} <= {
        *("outcome", "reason", "state", "code", "event")
    }


def test_without_an_endpoint_nothing_of_it_is_imported() -> None:
    code = (
        "import sys, function_app, shared.bootstrap, shared.log; from shared.config import Config, Storage;"
        "shared.bootstrap._export(Config(Storage()));"
        "print([name for name in sys.modules if name.startswith(('opentelemetry.sdk', 'opentelemetry.exporter'))])"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, env={}, capture_output=True, text=True, timeout=60)
    assert done.stdout.splitlines()[-1] == "[]", done.stderr
