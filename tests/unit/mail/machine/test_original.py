from shared.mail.machine.original import enclosed_original, find_original, pasted_original
from shared.mail.message import parse

HEADERS = "From: support@desk.example\nTo: anna@kunde.example\nSubject: =?utf-8?Q?Gr=C3=BC=C3=9Fe?=\nMessage-ID: <ours@desk.example>\n"


def _enclosing(content_type: str, content: str) -> bytes:
    return (
        "From: postmaster@mx.example\nIn-Reply-To: <answered@desk.example>\nContent-Type: multipart/report; boundary=b\n\n"
        f"--b\nContent-Type: text/plain\n\nhello\n--b\nContent-Type: {content_type}\n\n{content}\n--b--\n"
    ).encode()


def test_an_enclosed_mail_or_its_headers_are_read() -> None:
    for content_type in ("message/rfc822", "text/rfc822-headers", "message/rfc822-headers", "message/global"):
        original = enclosed_original(parse(_enclosing(content_type, HEADERS)))
        assert original is not None
        assert (original.message_id, original.subject) == ("<ours@desk.example>", "Grüße")
        assert (original.sender, original.recipients) == ("support@desk.example", ("anna@kunde.example",))


def test_an_enclosed_mail_that_was_removed_is_none() -> None:
    assert enclosed_original(parse(_enclosing("message/rfc822", "\n"))) is None


def test_headers_pasted_into_the_text_are_read_folded_and_indented() -> None:
    original = pasted_original(
        "junk\n   Message-Id:\n <ours@desk.example>\n  To: anna@kunde.example\nReferences: <a@b>\n\t<c@d>\n"
    )
    assert original is not None
    assert (original.message_id, original.references) == ("<ours@desk.example>", ("<a@b>", "<c@d>"))
    assert pasted_original("nothing here") is None


def test_what_the_report_answers_is_the_last_resort() -> None:
    assert find_original(parse(_enclosing("message/rfc822", HEADERS))).message_id == "<ours@desk.example>"
    assert find_original(parse(_enclosing("image/png", ""))).message_id == "<answered@desk.example>"
