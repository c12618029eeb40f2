from __future__ import annotations

import json
import logging
import threading

import pytest

from shared import log
from shared.model.doorbell import InboundBell, OutboundBell


@pytest.fixture
def lines(caplog: pytest.LogCaptureFixture) -> pytest.LogCaptureFixture:
    caplog.set_level(logging.DEBUG, "inbound")
    return caplog


@pytest.mark.parametrize("field", ["subject", "body", "sender", "address", "password", "key", "message", "text"])
def test_what_may_hold_mail_or_secrets_is_refused_and_nothing_is_written(
    lines: pytest.LogCaptureFixture, field: str
) -> None:
    with pytest.raises(ValueError, match=field) as refused:
        log.event("polled", **{field: "the secret"})
    assert "the secret" not in str(refused.value)
    assert lines.records == []


def test_an_event_is_one_line_of_json_with_its_name_and_fields(lines: pytest.LogCaptureFixture) -> None:
    log.event("polled", logging.WARNING, tenant="acme.1", kept=3, seconds=0.5, more=False, incident=None)
    (record,) = lines.records
    assert (record.name, record.levelno) == ("inbound", logging.WARNING)
    assert json.loads(record.getMessage()) == {
        "event": "polled",
        "tenant": "acme.1",
        "kept": 3,
        "seconds": 0.5,
        "more": False,
    }


@pytest.mark.parametrize(
    "hostile", ["a\nb", "a\r\nb", "a\u2028b", "a\x85b", "\x1b[31mred", "%s %d %(x)s", '"}', "\ud800"]
)
def test_no_value_can_start_a_line_of_its_own(lines: pytest.LogCaptureFixture, hostile: str) -> None:
    log.event("polled", mailbox=hostile)
    (record,) = lines.records
    message = record.getMessage()
    assert len(message.splitlines()) == 1
    assert message.isascii()
    assert message.isprintable()
    assert json.loads(message)["mailbox"] == hostile


def test_an_event_without_fields_is_an_event(lines: pytest.LogCaptureFixture) -> None:
    log.event("started")
    assert [record.getMessage() for record in lines.records] == ['{"event": "started"}']


MAIL = "0123456789abcdef0123456789abcdef"


def said(lines: pytest.LogCaptureFixture) -> list[dict[str, object]]:
    return [json.loads(record.getMessage()) for record in lines.records]


def test_everything_about_one_mail_is_one_trace_whose_steps_are_spans(lines: pytest.LogCaptureFixture) -> None:
    for name in ("kept", "converted", "kept"):
        log.event(name, tenant="acme.1", inbound=MAIL, incident=7)
    first, second, again = said(lines)
    assert {event["trace"] for event in (first, second, again)} == {MAIL}
    assert first["span"] == again["span"] != second["span"]
    assert InboundBell("acme.1", "support", MAIL).traceparent == f"00-{MAIL}-{first['span']}-01"


def test_a_mail_that_goes_out_has_a_trace_of_its_own_that_its_bell_carries(lines: pytest.LogCaptureFixture) -> None:
    log.event("mail_out", tenant="acme.1", incident=7, note=2)
    log.event("mail_out", tenant="acme.1", incident=7, note=3)
    one, other = said(lines)
    assert str(one["trace"]) in OutboundBell("acme.1", 7, 2).traceparent
    assert one["trace"] != other["trace"]


def test_what_is_about_no_mail_has_no_trace(lines: pytest.LogCaptureFixture) -> None:
    log.event("polled", tenant="acme.1", mailbox="support")
    log.event("status_changed", tenant="acme.1", incident=7)
    assert all("trace" not in event and "span" not in event for event in said(lines))


def test_what_is_counted_is_told_by_the_next_event_of_its_thread_and_once(lines: pytest.LogCaptureFixture) -> None:
    for _ in range(3):
        log.count("operations")
    log.count("round_trips")

    def elsewhere() -> None:
        log.count("operations")
        log.event("converted")

    thread = threading.Thread(target=elsewhere)
    thread.start()
    thread.join()
    log.event("polled")
    log.event("polled")
    assert said(lines) == [
        {"event": "converted", "operations": 1},
        {"event": "polled", "operations": 3, "round_trips": 1},
        {"event": "polled"},
    ]


def test_a_thread_without_events_tells_what_it_counted_from_time_to_time(lines: pytest.LogCaptureFixture) -> None:
    for _ in range(log.TELL_AT * 2 + 5):
        log.count("operations")
    log.event("polled")
    assert [event["operations"] for event in said(lines)] == [log.TELL_AT, log.TELL_AT, 5]
