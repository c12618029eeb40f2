from __future__ import annotations

import json
import logging

import pytest

from shared import log


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
