from __future__ import annotations

from dataclasses import replace

import pytest

from shared.mail.address import Address
from shared.mail.writing.compose_check import Miswritten, check
from shared.mail.writing.compose_headers import head
from shared.mail.writing.outgoing import cleaned
from tests.unit.mail.outgoing import outgoing

MAIL = cleaned(outgoing(cc=(Address("", "c@kunde.example"),), references=("<1@a.example>",)))
FIELDS = head(MAIL)
NAMES = [name for name, _ in FIELDS]
WRITTEN = b"".join(value for _, value in FIELDS)


def test_a_header_that_says_what_was_meant_passes() -> None:
    check(WRITTEN, NAMES, MAIL)


@pytest.mark.parametrize(
    ("head", "differs"),
    [
        (WRITTEN.replace(b"Subject: Re:", b"Subject: Re:\r\nBcc: x@evil.example\r\nX:"), "fields"),
        (WRITTEN.replace(b"Subject: Re:", b"Subject: Re:\nBcc: x@evil.example\nX:"), "fields"),
        (WRITTEN.replace(b"Subject: Re:", b"Subject: Re:\rBcc: x@evil.example\rX:"), "fields for the standard library"),
        (WRITTEN.replace(b"Subject:", b"\r\nSubject:"), "fields"),
        (WRITTEN.replace(b"<anna@", b"<other@"), "recipients"),
        (WRITTEN.replace(b"<anna@", b"<x@evil.example>, <anna@"), "recipients"),
        (WRITTEN.replace(b"support@", b"other@"), "sender"),
        (WRITTEN.replace(b"Printer", b"Scanner"), "subject"),
        (WRITTEN.replace(b"<1@a.example>", b"<2@a.example>"), "ids"),
        (WRITTEN.replace(b"<inc.", b"<ink."), "ids"),
    ],
)
def test_a_header_that_says_something_else_is_stopped(head: bytes, differs: str) -> None:
    with pytest.raises(Miswritten, match=differs):
        check(head, NAMES, MAIL)


def test_a_mail_that_was_meant_for_somebody_else_is_stopped() -> None:
    with pytest.raises(Miswritten, match="recipients"):
        check(WRITTEN, NAMES, replace(MAIL, to=()))
