"""One mail through `make run` with an OpenTelemetry endpoint: one trace, from the poll to the mail that goes out."""

from __future__ import annotations

import time
from email.utils import formatdate
from pathlib import Path

import pytest

from infra.local.tenant import Secrets
from shared import telemetry
from tests.e2e.test_stories import Desk
from tests.support.mails import mail
from tests.support.makerun import Run, eventually
from tests.support.otlp import Receiver, Span
from tests.support.smtpserver import PASSWORD, USER, SmtpServer

pytestmark = [pytest.mark.azurite, pytest.mark.slow, pytest.mark.xdist_group("e2e")]


def test_one_trace_leads_from_the_poll_over_two_queues_to_the_acknowledgement(tmp_path: Path) -> None:
    with (
        Receiver() as receiver,
        SmtpServer(None, "none") as way_out,
        Desk(Run(tmp_path / "state", OTEL_EXPORTER_OTLP_ENDPOINT=receiver.address)) as desk,
    ):
        settings = desk.get("/api/mailboxes/support")
        smtp = {"enabled": True, "host": "127.0.0.1", "port": way_out.port, "security": "none"}
        smtp |= {"username": USER, "password": PASSWORD}
        kept = {name: value for name, value in settings.items() if name not in ("id", "created", "warnings")}
        password = Secrets(desk.run.state / "demo.json").password
        changed = {**kept, "password": password, "acknowledge": True, "outgoing": smtp}
        del changed["client_secret"]
        saved = desk.http.put("/api/mailboxes/support", json=changed)
        assert saved.status_code == 200, saved.text

        time.sleep(1.1)  # servers date mail by the second, and what came before the mailbox is not acknowledged
        desk.send(mail(to="support@demo.localhost").replace(b"Mon, 16 Nov 2026 09:00:00 +0000", formatdate().encode()))
        desk.poll()

        def sent() -> list[Span]:
            out = (span for span in list(receiver.spans) if span.name == "mail_out")
            return [span for span in out if span.attributes["state"] == "sent"]

        eventually(lambda: bool(sent()), within=30)
        (last,) = sent()
        trace = {span.name: span for span in receiver.spans if span.trace == last.trace and span.name != "mail_out"}
        assert set(trace) == {"kept", "converted"}
        assert trace["kept"].parent == ""
        assert trace["converted"].parent == trace["kept"].id
        assert last.parent == trace["converted"].id
        assert last.trace == trace["kept"].attributes["inbound"]
        assert trace["kept"].began < trace["kept"].ended <= trace["converted"].ended <= last.ended
        assert trace["kept"].began <= trace["converted"].began <= last.began < last.ended

        wanted = {"inbound.mails", "inbound.mail.delay", "inbound.mails.out", "inbound.poll.duration"}
        wanted |= {"inbound.storage.operations", "inbound.mail_server.round_trips"}
        eventually(lambda: wanted <= receiver.metrics.keys())
        assert receiver.metrics.keys() <= set(telemetry.names())
        assert any(series["outcome"] == "delivered" for series, _ in receiver.metrics["inbound.mails"])
        sent_over = b"".join(receiver.raw)
        assert b"It burns" not in sent_over
        assert b"ann@example.com" not in sent_over
        assert b"Printer" not in sent_over
