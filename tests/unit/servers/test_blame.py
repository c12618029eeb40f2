"""Whose fault an exception is, by whose code was at work."""

from __future__ import annotations

import imaplib
import json
import logging
import smtplib
import ssl
from collections.abc import Callable

import pytest
from imapclient.imapclient import as_pairs
from imapclient.response_parser import parse_message_list

from shared.errors import ProtocolViolation
from shared.ports import Nobody
from shared.servers import blame
from shared.servers.dial import Dialer
from shared.servers.pop3_client import Pop3Client
from shared.servers.translate import errors_translated
from tests.support import road


def _raised(act: Callable[[], object]) -> Exception:
    with pytest.raises(Exception) as raised:  # noqa: PT011 - of any kind
        act()
    return raised.value


class _Stumbling(Nobody):
    """A watch with a bug, called by code of ours."""

    def step(self, name: str) -> None:
        raise KeyError("pass!word")


def _our_bug() -> None:
    Pop3Client(Dialer(road.dialer().guard, watch=_Stumbling()), "127.0.0.1", 1, 1).connect("none")


def test_what_stumbles_in_our_code_is_ours_and_has_a_place() -> None:
    error = _raised(_our_bug)
    assert blame.is_ours(error)
    assert blame.place_of(error).startswith("shared.servers.dial:dial:")


@pytest.mark.parametrize(
    ("act", "kind"),
    [
        (lambda: parse_message_list([b"\xff"]), UnicodeDecodeError),
        (lambda: list(as_pairs(5)), TypeError),
    ],
)
def test_what_stumbles_in_a_library_on_what_a_server_said_is_not(
    act: Callable[[], object], kind: type[Exception]
) -> None:
    error = _raised(act)
    assert type(error) is kind
    assert not blame.is_ours(error)


@pytest.mark.parametrize(
    "error",
    [
        imaplib.IMAP4.error("x"),
        imaplib.IMAP4.abort("x"),
        ssl.SSLError(1, "x"),
        smtplib.SMTPException("x"),
        ConnectionResetError(),
        TimeoutError(),
        EOFError(),
    ],
)
def test_what_is_raised_on_purpose_never_is(error: Exception) -> None:
    assert not blame.is_ours(error)


def test_what_nobody_knows_the_place_of_is_ours_until_it_is_known() -> None:
    assert blame.is_ours(KeyError("x"))
    assert blame.place_of(KeyError("x")) == ""


def test_a_bug_is_written_down_without_its_words(caplog: pytest.LogCaptureFixture) -> None:
    with pytest.raises(ProtocolViolation, match="a mistake of its own") as raised, errors_translated("h", 1):
        _our_bug()
    (record,) = caplog.records
    assert record.levelno == logging.ERROR
    event = json.loads(record.getMessage())
    assert (event.pop("event"), event.pop("error")) == ("bug", "KeyError")
    assert event.pop("place").startswith("shared.servers.dial:dial:")
    assert event == {}
    assert "pass!word" not in caplog.text + raised.value.message + raised.value.fix
