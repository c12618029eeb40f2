import pytest

from shared.mail.machine.personal import has_prefix, is_daemon, is_null_sender, is_personal, mail_program
from shared.mail.message import Message, parse


def _mail(*headers: str) -> Message:
    return parse(("\n".join(headers) + "\n\nhello\n").encode())


@pytest.mark.parametrize(
    ("header", "is_program"),
    [
        ("User-Agent: Mozilla Thunderbird", True),
        ("X-Mailer: Microsoft Outlook 16.0", True),
        ("X-Mailer: iPhone Mail (21D61)", True),
        ("Mime-Version: 1.0 (Apple Mail 16.0)", True),
        ("User-Agent: Roundcube Webmail/1.6", True),
        ("X-Mailer: PHPMailer 6.8", False),
        ("X-Mailer: Microsoft CDO for Windows 2000", False),
        ("X-Mailer: Internet Mail Service (5.5.2656.59)", False),
        ("X-Other: Thunderbird", False),
    ],
)
def test_programs_for_people_are_told_from_libraries(header: str, is_program: bool) -> None:
    assert (mail_program(_mail(header)) is not None) is is_program


def test_a_mail_written_in_gmail_is_personal_though_it_names_no_program() -> None:
    assert is_personal(_mail("Message-ID: <CA1@mail.gmail.com>"))
    assert not is_personal(_mail("Message-ID: <CA1@kunde.example>"))


@pytest.mark.parametrize(
    ("sender", "daemon"),
    [
        ("MAILER-DAEMON@mx.example (Mail Delivery System)", True),
        ("MAILER-DAEMON", True),
        ("MAILER-DAEMON <>", True),
        ("<>", True),
        ("Postmaster@mx.example", True),
        ("Microsoft Outlook <MicrosoftExchange329e71ec88ae4615bbc36ab6ce41109e@x.example>", True),
        ('"Mail Delivery Subsystem" <x@mx.example>', True),
        ("Anna <anna@kunde.example>", False),
        ("Deamon Miller <daemon.miller@kunde.example>", False),
    ],
)
def test_mail_systems_are_known_by_their_names(sender: str, daemon: bool) -> None:
    assert is_daemon(_mail(f"From: {sender}")) is daemon


def test_a_mail_without_any_from_is_nobodys_report() -> None:
    assert not is_daemon(_mail("Subject: x"))


@pytest.mark.parametrize(
    ("value", "null"),
    [("<>", True), ("< >", True), ("<MAILER-DAEMON>", True), ("<mailer-daemon@mx.example>", True), ("<a@b>", False)],
)
def test_an_empty_envelope_sender_is_seen_in_any_return_path(value: str, null: bool) -> None:
    assert is_null_sender(_mail("From: a@b.example", f"Return-Path: {value}")) is null


@pytest.mark.parametrize(
    ("subject", "prefixed"),
    [
        ("Re: x", True),
        ("AW: WG: x", True),
        ("Fwd: x", True),
        ("回复：x", True),
        ("Report: x", False),
        ("x", False),
        ("", False),
    ],
)
def test_prefixes_of_answers_and_forwards_are_seen(subject: str, prefixed: bool) -> None:
    assert has_prefix(subject) is prefixed
