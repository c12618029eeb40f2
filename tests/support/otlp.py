"""A receiver of OTLP over HTTP: what an exporter of OpenTelemetry sends, decoded."""

from __future__ import annotations

import gzip
import threading
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self

from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest


@dataclass(frozen=True)
class Span:
    """A span as it came in; ids in hex, the parent empty at the root."""

    name: str
    trace: str
    id: str
    parent: str
    attributes: dict[str, Any]
    began: int
    ended: int


@dataclass
class Receiver:
    """``with Receiver() as receiver``: give ``receiver.address`` to an exporter."""

    spans: list[Span] = field(default_factory=list)
    metrics: dict[str, list[tuple[dict[str, Any], float]]] = field(default_factory=dict)
    raw: list[bytes] = field(default_factory=list)

    def __enter__(self) -> Self:
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                if self.headers.get("Content-Encoding") == "gzip":
                    body = gzip.decompress(body)
                outer.take(self.path, body)
                self.send_response(200)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, format: str, *arguments: Any) -> None:
                return None

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def take(self, path: str, body: bytes) -> None:
        """One request."""
        self.raw.append(body)
        if path == "/v1/traces":
            self._take_spans(body)
        elif path == "/v1/metrics":
            self._take_metrics(body)

    def _take_spans(self, body: bytes) -> None:
        for resource in ExportTraceServiceRequest.FromString(body).resource_spans:
            for scope in resource.scope_spans:
                for one in scope.spans:
                    ids = one.trace_id.hex(), one.span_id.hex(), one.parent_span_id.hex()
                    times = one.start_time_unix_nano, one.end_time_unix_nano
                    self.spans.append(Span(one.name, *ids, _plain(one.attributes), *times))

    def _take_metrics(self, body: bytes) -> None:
        for resource in ExportMetricsServiceRequest.FromString(body).resource_metrics:
            for scope in resource.scope_metrics:
                for one in scope.metrics:
                    found = self.metrics.setdefault(one.name, [])
                    found += [(_plain(point.attributes), float(point.as_int)) for point in one.sum.data_points]
                    found += [(_plain(point.attributes), float(point.count)) for point in one.histogram.data_points]


def _plain(attributes: Any) -> dict[str, Any]:
    return {one.key: getattr(one.value, str(one.value.WhichOneof("value"))) for one in attributes}
