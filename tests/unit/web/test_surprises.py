from __future__ import annotations

from typing import Any

import pytest

from shared.model.mailbox import Settings
from shared.web.surprises import surprises

CALM = {
    "group": "Support",
    "host": "imap.example.org",
    "username": "support",
    "email": "a@example.org",
    "days_to_download": 30,
}
OFFICE = {"server_type": "office365", "email": "a@example.org", "client_id": "x", "tenant_id": "y"}
SMTP = {"enabled": True, "host": "smtp.example.org"}


def test_usual_settings_surprise_nobody() -> None:
    assert surprises(Settings.model_validate(CALM)) == []


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"whitelist_enabled": True}, "The whitelist is on and empty: every mail is held."),
        ({"whitelist_enabled": True, "whitelist": " ,\n"}, "The whitelist is on and empty: every mail is held."),
        ({"whitelist": "example.com"}, "The whitelist has entries, but is off: mail of every sender is let in."),
        ({"security": "none"}, "Passwords and mail travel in clear text."),
        (
            {"outgoing": {**SMTP, "security": "none"}},
            "Answers and the outgoing server's password travel in clear text.",
        ),
        ({"after_import": "delete"}, "Mail is deleted from the mailbox as soon as it is kept here."),
        (
            {"after_import": "delete", "server_type": "pop3"},
            "Mail is deleted from the mailbox 7 days after it is kept here.",
        ),
        (
            {"after_import": "delete", "server_type": "pop3", "delete_after_days": 1},
            "Mail is deleted from the mailbox 1 day after it is kept here.",
        ),
        (
            {"after_import": "delete", "server_type": "pop3", "delete_after_days": 0},
            "Mail is deleted from the mailbox as soon as it is kept here.",
        ),
        (
            {"days_to_download": 31},
            "At the first connection, mail of the last 31 days becomes open incidents."
            " If that is too much, choose fewer days, or let mail from before the connection become closed incidents"
            " or be skipped.",
        ),
    ],
)
def test_what_surprises_is_said_in_one_sentence(change: dict[str, Any], said: str) -> None:
    assert surprises(Settings.model_validate(CALM | change)) == [said]


@pytest.mark.parametrize(
    "change",
    [
        {"whitelist_enabled": True, "whitelist": "example.com"},
        {"security": "starttls"},
        {"outgoing": {"host": "smtp.example.org", "security": "none"}},
        OFFICE | {"security": "none", "outgoing": {"enabled": True, "security": "none"}},
        {"after_import": "mark_read"},
        {"days_to_download": 180, "old_mail": "closed"},
        {"days_to_download": 180, "old_mail": "skip"},
    ],
)
def test_what_does_not_surprise_is_not_said(change: dict[str, Any]) -> None:
    assert surprises(Settings.model_validate(CALM | change)) == []


def test_all_surprises_are_said_at_once() -> None:
    change = {"whitelist_enabled": True, "security": "none", "after_import": "delete", "days_to_download": 180}
    assert len(surprises(Settings.model_validate(CALM | change))) == 4
