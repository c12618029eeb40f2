from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from shared.flows import preview
from shared.flows.probe import probe
from shared.model.mailbox import Settings
from shared.ports import Arrival
from tests.support.app import World
from tests.support.mails import mail

NOW = datetime(2026, 11, 16, 12, tzinfo=UTC)


def arrival(days_ago: float) -> Arrival:
    return Arrival(f"imap:1:{days_ago}", 1, NOW - timedelta(days=days_ago))


def settings(**changes: object) -> Settings:
    return Settings.model_validate({"group": "Support", "host": "imap.example.org", "username": "support", **changes})


def test_waiting_mail_is_told_by_age_and_what_becomes_of_it() -> None:
    found = [arrival(days) for days in (0.1, 3, 4, 20, 100, 150)]
    said = preview.in_words(found, True, settings(), NOW)
    assert said.startswith(
        "6 mails of the last 180 days wait: 1 of the last day, 2 of the last week, 1 of the last month, 2 older."
    )
    assert "open incidents" in said


@pytest.mark.parametrize(("old", "words"), [("closed", "closed incidents"), ("skip", "skipped"), ("open", "open inc")])
def test_what_becomes_of_old_mail_is_what_the_setting_says(old: str, words: str) -> None:
    assert words in preview.in_words([arrival(1)], True, settings(old_mail=old), NOW)


def test_counting_ends_and_says_so() -> None:
    many = iter([arrival(1)] * (preview.MOST * 2))
    found, complete = preview.waiting(many, arrival(1), lambda: NOW)
    assert len(found) == preview.MOST
    assert not complete
    assert preview.in_words(found, complete, settings(), NOW).startswith("More than 2000 mails")
    clock = iter(NOW + timedelta(seconds=second) for second in range(100))
    found, complete = preview.waiting(iter([arrival(1)] * 50), arrival(1), lambda: next(clock))
    assert not complete
    assert len(found) < 50


def test_the_test_of_a_mailbox_counts_what_waits_and_learns_who_judges_senders(world: World) -> None:
    tenant, _ = world.tenant()
    mailbox = world.mailbox(tenant)
    head = b"Authentication-Results: mx.provider.example; dmarc=pass header.from=example.com\r\n"
    for count in range(4):
        world.folders["support"].deliver(head + mail(subject=f"mail {count}"))
    report = probe(world.app, mailbox)
    assert report.ok, report.steps
    waiting = next(step for step in report.steps if step.name == "waiting")
    assert waiting.detail.startswith("4 mails of the last 180 days wait")
    assert report.authserv_id == "mx.provider.example"
    assert "mx.provider.example" in waiting.detail


def test_where_no_server_judges_senders_nothing_is_learned(world: World) -> None:
    tenant, _ = world.tenant()
    mailbox = world.mailbox(tenant)
    for count in range(4):
        world.folders["support"].deliver(mail(subject=f"mail {count}"))
    report = probe(world.app, mailbox)
    assert report.authserv_id == ""
    assert any("No server says here whether senders are real" in step.detail for step in report.steps)
