from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest

from shared.mail.address import Address
from shared.mail.writing.outgoing import cleaned, is_usable_id
from tests.unit.mail.outgoing import outgoing


def test_a_long_thread_is_named_by_what_began_it_and_what_came_last() -> None:
    ids = tuple(f"<{number}@a.example>" for number in range(30))
    mail = cleaned(outgoing(references=ids, in_reply_to="<last@a.example>"))
    assert mail.references == (*ids[:4], *ids[-5:], "<last@a.example>")


def test_the_answered_mail_stands_last_and_once() -> None:
    mail = cleaned(
        outgoing(references=("<2@a.example>", "<1@a.example>", "<1@a.example>"), in_reply_to="<2@a.example>")
    )
    assert mail.references == ("<1@a.example>", "<2@a.example>")


def test_a_mail_does_not_answer_itself() -> None:
    mail = outgoing()
    assert cleaned(outgoing(references=(mail.message_id, "<1@a.example>"))).references == ("<1@a.example>",)


@pytest.mark.parametrize(
    "id",
    [
        "<a@b>\r\nBcc: x@evil.example",
        "<a b@c>",
        "a@b",
        "<ä@b>",
        "<=?utf-8?q?=3E=0D=0ABcc:?=@b>",
        "<>",
        "<a<b@c>",
        "<" + "a" * 990 + "@b>",
    ],
)
def test_an_id_that_cannot_be_written_is_left_out(id: str) -> None:
    assert not is_usable_id(id)
    mail = cleaned(outgoing(references=(id, "<1@a.example>"), in_reply_to=id))
    assert mail.in_reply_to is None
    assert mail.references == ("<1@a.example>",)


def test_our_own_id_and_date_must_be_right() -> None:
    with pytest.raises(ValueError, match="Message-ID"):
        cleaned(outgoing(message_id="<a b>"))
    with pytest.raises(ValueError, match="zone"):
        cleaned(outgoing(date=datetime(2026, 11, 16, 10, 11)))


def test_a_date_is_told_in_utc() -> None:
    eastern = timezone(timedelta(hours=-5))
    mail = cleaned(outgoing(date=datetime(2026, 12, 31, 23, 0, tzinfo=eastern)))
    assert mail.date == datetime(2027, 1, 1, 4, 0, tzinfo=UTC)
    assert mail.date.utcoffset() == timedelta(0)


@pytest.mark.parametrize(
    ("name", "wanted"),
    [
        ("'Anna'", "Anna"),
        ("\"'Anna'\"", "Anna"),
        ("Anna\r\nB", "Anna B"),
        ("\u202eannA", "annA"),
        ("O'Brien", "O'Brien"),
        ("'", "'"),
        ("\ufeff\ufeffAnna", "Anna"),
    ],
)
def test_a_name_is_one_line_without_quotes_around_it(name: str, wanted: str) -> None:
    assert cleaned(outgoing(to=(Address(name, "anna@kunde.example"),))).to[0].name == wanted


def test_a_domain_is_written_in_ascii() -> None:
    assert cleaned(outgoing(to=(Address("", " Anna@MÜLLER.example "),))).to[0].address == "Anna@xn--mller-kva.example"
