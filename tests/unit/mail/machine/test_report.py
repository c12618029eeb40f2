import pytest

from shared.mail.machine.report import Report, read_report
from shared.mail.message import Message, parse

HEAD = "To: support@desk.example\nDate: Tue, 05 Mar 2024 09:12:03 +0000\nMIME-Version: 1.0\n"
DAEMON = "From: MAILER-DAEMON@mx.example (Mail Delivery System)\nSubject: Undelivered Mail Returned to Sender\n" + HEAD
ORIGINAL = (
    "From: support@desk.example\nTo: anna@kunde.example\nSubject: Re: Printer\nMessage-ID: <ours@desk.example>\n"
    "In-Reply-To: <hers@kunde.example>\nReferences: <first@kunde.example> <hers@kunde.example>\n\nHello\n"
)


def _mail(headers: str, body: str) -> Message:
    return parse((headers + "Content-Type: text/plain; charset=utf-8\n\n" + body).encode())


def _parts(headers: str, *parts: tuple[str, str], kind: str = "report; report-type=delivery-status") -> Message:
    body = "".join(f"--b\nContent-Type: {content_type}\n\n{text}\n" for content_type, text in parts)
    return parse(f"{headers}Content-Type: multipart/{kind}; boundary=b\n\n{body}--b--\n".encode())


def _report(message: Message) -> Report:
    report = read_report(message)
    assert report is not None
    return report


def _status(*fields: str) -> tuple[str, str]:
    return "message/delivery-status", "Reporting-MTA: dns; mx\n\n" + "\n".join(fields) + "\n"


def test_a_report_names_each_address_with_its_code_and_words() -> None:
    message = _parts(
        DAEMON,
        ("text/plain", "Sorry."),
        _status(
            "Final-Recipient: rfc822;anna@kunde.example",
            "Action: failed",
            "Status: 5.1.1",
            "Diagnostic-Code: smtp; 550 5.1.1 no user",
            "",
            "Final-Recipient: rfc822;bert@kunde.example",
            "Action: delayed",
            "Status: 4.4.1",
        ),
        ("message/rfc822", ORIGINAL),
    )
    report = _report(message)
    assert report.kind == "failed"
    assert [(one.address, one.action, one.status, one.diagnostic) for one in report.recipients] == [
        ("anna@kunde.example", "failed", "5.1.1", "550 5.1.1 no user"),
        ("bert@kunde.example", "delayed", "4.4.1", ""),
    ]


def test_the_original_is_known_by_its_id_its_thread_and_its_subject() -> None:
    report = _report(
        _parts(DAEMON, _status("Final-Recipient: rfc822;a@b.example", "Action: failed"), ("message/rfc822", ORIGINAL))
    )
    assert report.original_id == "<ours@desk.example>"
    assert report.original_in_reply_to == ("<hers@kunde.example>",)
    assert report.original_references == ("<first@kunde.example>", "<hers@kunde.example>")
    assert report.original_subject == "Re: Printer"


def test_of_two_addresses_the_one_we_wrote_to_counts() -> None:
    report = _report(
        _parts(
            DAEMON,
            _status(
                "Original-Recipient: rfc822;anna@kunde.example",
                "Final-Recipient: rfc822;a1@intern.example",
                "Action: failed",
            ),
        )
    )
    assert [one.address for one in report.recipients] == ["anna@kunde.example"]


@pytest.mark.parametrize(
    ("fields", "kind"),
    [
        (["Action: failed"], "failed"),
        (["Action: Failed (user unknown)"], "failed"),
        (["Action: failure"], "failed"),
        (["Action: delayed", "Status: 4.4.7"], "delayed"),
        (["Action: delivered"], "delivered"),
        (["Action: relayed"], "relayed"),
        (["Action: expanded"], "expanded"),
        (["Status: 2.0.0"], "delivered"),
        (["Status: 5.1.1"], "failed"),
        (["Action: nonsense", "Status: 5.1.1"], "failed"),
        (["Action: failed", "Status: 4.4.7"], "failed"),
    ],
)
def test_the_action_decides_and_without_it_the_status(fields: list[str], kind: str) -> None:
    message = _parts(
        "From: postmaster@mx.example\nSubject: Report\n" + HEAD, _status("Final-Recipient: rfc822;a@b.example", *fields)
    )
    assert _report(message).kind == kind


@pytest.mark.parametrize(
    ("headers", "text"),
    [
        ("From: MAILER-DAEMON@mx.example\nSubject: Something\n", "Delivery failed: <anna@kunde.example>"),
        ("From: MAILER-DAEMON\nSubject: failure notice\n", "<anna@kunde.example>: gone"),
        ('From: "Mail Delivery System" <x@mx.example>\nSubject: ?\n', "anna@kunde.example could not be delivered"),
        ("From: <>\nSubject: Returned mail\n", "anna@kunde.example: User unknown"),
        ("From: Postmaster@mx.example\nSubject: ?\n", "550 5.1.1 anna@kunde.example"),
        ("Return-Path: <>\nFrom: gate@mx.example\nSubject: Delivery failed\n", "anna@kunde.example: undeliverable"),
        ("From: x@mx.example\nX-Failed-Recipients: anna@kunde.example\nSubject: ?\n", "Sorry."),
        (
            "From: x@mx.example\nSubject: Undeliverable: Printer\n",
            "Your message could not be delivered:\n\nanna@kunde.example\n550 5.1.1 no",
        ),
        ("From: x@mx.example\nSubject: ?\n", "Hi. This is the qmail-send program at mx.\n\n<anna@kunde.example>:\nno"),
    ],
)
def test_each_sign_of_a_bounce_is_enough(headers: str, text: str) -> None:
    report = _report(_mail(headers + HEAD, text))
    assert (report.kind, [one.address for one in report.recipients]) == ("failed", ["anna@kunde.example"])


@pytest.mark.parametrize(
    ("headers", "text"),
    [
        ("From: MAILER-DAEMON@mx.example\nSubject: Weekly statistics\n", "All is well."),
        (
            "From: anna@kunde.example\nSubject: Re: Undelivered Mail Returned to Sender\n",
            "<x@y.example>: 550 5.1.1 User unknown",
        ),
        ("From: anna@kunde.example\nSubject: Delivery failed\n", "The delivery failed, nobody rang."),
        (
            "From: anna@kunde.example\nSubject: Undeliverable\nX-Mailer: Microsoft Outlook 16.0\n",
            "Mail to x@y.example could not be delivered: 550 5.1.1",
        ),
        (
            "From: anna@kunde.example\nSubject: Undeliverable\nIn-Reply-To: <a@b>\n",
            "Mail to x@y.example could not be delivered: 550 5.1.1",
        ),
        (
            "From: postmaster@kunde.example\nSubject: Hello\nUser-Agent: Mutt/2\n",
            "Your mail was rejected by our filter, sorry.",
        ),
        (
            "Return-Path: <>\nFrom: anna@kunde.example\nSubject: Out of office: x\n",
            "Mail cannot be delivered to me, 550 a@b.example",
        ),
    ],
)
def test_a_person_who_writes_of_bounces_has_sent_none(headers: str, text: str) -> None:
    assert read_report(_mail(headers + HEAD, text)) is None


def test_a_forwarded_report_is_a_persons_mail_though_its_parts_came_along() -> None:
    status = _status("Final-Recipient: rfc822;a@b.example", "Action: failed")
    headers = "From: anna@kunde.example\nSubject: Fwd: Undelivered Mail Returned to Sender\n" + HEAD
    assert read_report(_parts(headers, ("text/plain", "Help!"), status, kind="mixed")) is None


def test_a_report_about_a_forwarded_mail_keeps_its_subject_and_is_one() -> None:
    status = _status("Final-Recipient: rfc822;a@b.example", "Action: failed")
    headers = "From: scanner@kunde.example\nSubject: Fwd: Printer\n" + HEAD
    assert _report(_parts(headers, status)).kind == "failed"


def test_a_report_inside_another_mail_is_not_this_mails() -> None:
    inner = DAEMON + "Content-Type: text/plain\n\n<a@b.example>: User unknown\n"
    headers = "From: anna@kunde.example\nSubject: Mail could not be delivered\n" + HEAD
    assert (
        read_report(
            _parts(headers, ("text/plain", "It could not be delivered."), ("message/rfc822", inner), kind="mixed")
        )
        is None
    )


def test_a_read_receipt_says_what_was_done_with_which_mail() -> None:
    message = _parts(
        "From: anna@kunde.example\nSubject: Read: Printer\n" + HEAD,
        (
            "message/disposition-notification",
            "Final-Recipient: rfc822;anna@kunde.example\nOriginal-Message-ID: <ours@desk.example>\n"
            "Disposition: manual-action/MDN-sent-manually; deleted/error\n",
        ),
        kind="report; report-type=disposition-notification",
    )
    report = _report(message)
    assert (report.kind, report.original_id, report.recipients[0].action) == ("read", "<ours@desk.example>", "deleted")


def test_a_read_receipt_without_its_part_is_known_by_subject_and_text() -> None:
    headers = "From: anna@kunde.example\nSubject: Gelesen: Drucker\nReferences: <ours@desk.example>\n" + HEAD
    report = _report(_mail(headers, "Ihre Nachricht\n\n  Betreff: Drucker\n\nwurde gelesen am 5.3.2024."))
    assert (report.kind, report.original_id) == ("read", "<ours@desk.example>")
    assert read_report(_mail(headers, "Ich habe das Handbuch gelesen.")) is None


def test_a_complaint_names_its_type_and_who_complained() -> None:
    message = _parts(
        "From: abuse@provider.example\nSubject: complaint\n" + HEAD,
        ("message/feedback-report", "Feedback-Type: abuse\nOriginal-Rcpt-To: anna@provider.example\n"),
        ("message/rfc822", ORIGINAL),
        kind="report; report-type=feedback-report",
    )
    report = _report(message)
    assert (report.kind, report.original_id) == ("complaint", "<ours@desk.example>")
    assert [(one.address, one.action) for one in report.recipients] == [("anna@provider.example", "abuse")]


def test_without_the_original_its_id_is_what_the_report_answers() -> None:
    headers = "In-Reply-To: <ours@desk.example>\nReferences: <first@x> <ours@desk.example>\n" + DAEMON
    assert _report(_mail(headers, "<anna@kunde.example>: User unknown")).original_id == "<ours@desk.example>"


def test_a_label_alone_makes_a_report_whatever_became_of_the_parts() -> None:
    headers = "From: gate@mx.example\nSubject: x\n" + HEAD
    report = read_report(_parts(headers, ("text/plain", "anna@kunde.example\n550 5.7.1 no")))
    assert report is not None
    assert [(one.address, one.status) for one in report.recipients] == [("anna@kunde.example", "5.7.1")]


def test_the_number_of_recipients_is_bounded() -> None:
    groups = [f"Final-Recipient: rfc822;a{number}@b.example\nAction: failed\n" for number in range(2000)]
    assert len(_report(_parts(DAEMON, _status(*groups))).recipients) <= 500
