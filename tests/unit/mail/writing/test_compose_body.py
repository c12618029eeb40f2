from __future__ import annotations

import quopri

import pytest

from shared.mail.parameter import Parameters
from shared.mail.writing.compose_body import body, file_part, quoted_printable, text_part
from shared.mail.writing.outgoing import File, cleaned
from tests.unit.mail.outgoing import outgoing


def _encoding(text: str) -> bytes:
    return dict(text_part(text, "plain").fields)["Content-Transfer-Encoding"].split()[1]


@pytest.mark.parametrize(
    ("text", "encoding"),
    [
        ("Hello.\n\nBye", b"7bit"),
        ("Grüße aus Köln", b"quoted-printable"),
        ("a" * 77, b"quoted-printable"),
        ("ends in a space \nx", b"quoted-printable"),
        ("From here", b"quoted-printable"),
        (".", b"quoted-printable"),
        ("--=_boundary", b"quoted-printable"),
        ("日本語のテキスト", b"base64"),
        ("привет, принтер не печатает", b"base64"),
    ],
)
def test_text_goes_as_it_is_or_readable_or_short(text: str, encoding: bytes) -> None:
    assert _encoding(text) == encoding


@pytest.mark.parametrize("start", ["", ".", "From ", "--", "ü"])
@pytest.mark.parametrize("end", ["", " ", "\t", "=", "ü"])
@pytest.mark.parametrize("length", [0, 1, 68, 69, 70, 71, 72, 73, 74, 75, 76, 144, 145, 500])
def test_quoted_printable_keeps_every_letter_in_lines_of_76(start: str, end: str, length: int) -> None:
    text = start + "." * length + end
    written = quoted_printable(text)
    lines = written.split(b"\r\n")
    assert max(map(len, lines)) <= 76
    assert not any(line.startswith((b".", b"From ", b"--")) or line.endswith((b" ", b"\t")) for line in lines)
    assert quopri.decodestring(written).decode() == text + "\r\n"


@pytest.mark.parametrize("name", ["plain.pdf", "Übersicht.pdf", "日本語.pdf", "a b; c=d.pdf", "50%.pdf", 'x"y.pdf',
                                  "=_utf-8.pdf", "a" * 110 + ".pdf", "ä" * 110 + ".pdf", "it's (1).pdf"])  # fmt: skip
def test_a_file_name_is_read_by_new_readers_and_by_old_ones(name: str) -> None:
    fields = dict(file_part(File(name, "application/pdf", b"x")).fields)
    placed, typed = fields["Content-Disposition"], fields["Content-Type"]
    assert max(map(len, placed.split(b"\r\n"))) <= 78
    assert Parameters(placed.replace(b"\r\n", b"").partition(b": ")[2]).text("filename") == name
    assert Parameters(typed.replace(b"\r\n", b"").partition(b": ")[2]).text("name") == name


@pytest.mark.parametrize(
    ("declared", "wanted"),
    [
        ("application/pdf", b"application/pdf"),
        ("IMAGE/PNG ", b"image/png"),
        ("message/rfc822", b"application/octet-stream"),
        ("multipart/mixed; boundary=x", b"application/octet-stream"),
        ("text/plain; charset=x", b"application/octet-stream"),
        ("text/x\r\nBcc: a@b", b"application/octet-stream"),
        ("", b"application/octet-stream"),
    ],
)
def test_what_is_no_type_of_a_file_is_bytes(declared: str, wanted: bytes) -> None:
    kind = dict(file_part(File("a", declared, b"x")).fields)["Content-Type"]
    assert kind.split(b";")[0] == b"Content-Type: " + wanted


def test_a_text_file_says_its_charset_only_where_that_is_known() -> None:
    assert b"charset=utf-8" in file_part(File("a.csv", "text/csv", "ä".encode())).fields[0][1]
    assert b"charset" not in file_part(File("a.csv", "text/csv", "ä".encode("latin-1"))).fields[0][1]


def test_a_boundary_belongs_to_its_mail_and_stands_in_no_part() -> None:
    html = "<p>--=_</p>"
    part = body(cleaned(outgoing(html=html, text="--=_5feb\n--", attachments=(File("a", "", b"--=_" * 99),))))
    again = body(cleaned(outgoing(html=html, message_id="<other@acme.example>")))
    boundary = part.fields[0][1].partition(b'boundary="')[2].partition(b'"')[0]
    lines = part.body.split(b"\r\n")
    assert lines.count(b"--" + boundary) == 2
    assert lines.count(b"--" + boundary + b"--") == 1
    assert sum(line.startswith(b"--") for line in lines) == 3 + 3
    assert boundary not in again.fields[0][1] + again.body


def test_the_reference_in_html_is_escaped() -> None:
    part = body(cleaned(outgoing(html="<p>x</p>", reference_line="<b>&")))
    assert b"&lt;b&gt;&amp;</p>" in part.body
