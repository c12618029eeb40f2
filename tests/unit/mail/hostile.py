"""Mails made to hang, exhaust or confuse a parser. Each generator takes a size, so that growth can be measured."""

import base64
from collections.abc import Callable

from tests.unit.mail import containers as made

HEAD = b"From: a@b.example\r\nTo: c@d.example\r\nSubject: s\r\n"


def _header(name: bytes, value: bytes) -> bytes:
    return HEAD + name + b": " + value + b"\r\n\r\nhello\r\n"


def _replace_from(value: bytes) -> bytes:
    return b"From: " + value + b"\r\nSubject: s\r\n\r\nhello\r\n"


def _typed(content_type: bytes, body: bytes, more: bytes = b"") -> bytes:
    return HEAD + b"Content-Type: " + content_type + b"\r\n" + more + b"\r\n" + body


def nested(levels: int) -> bytes:
    """Multiparts in multiparts, each with its own boundary, the text innermost."""
    head = b"".join(b'Content-Type: multipart/mixed; boundary="b%d"\r\n\r\n--b%d\r\n' % (n, n) for n in range(levels))
    return HEAD + head + b"\r\ninnermost\r\n"


def nested_alike(levels: int) -> bytes:
    """Multiparts in multiparts, all with one boundary."""
    head = b'Content-Type: multipart/mixed; boundary="b"\r\n\r\n--b\r\n' * levels
    return HEAD + head + b"\r\ninnermost\r\n" + b"--b--\r\n" * (2 * levels)


def nested_messages(levels: int) -> bytes:
    return HEAD + b"Content-Type: message/rfc822\r\n\r\n" * levels + b"\r\ninnermost\r\n"


def wide(parts: int) -> bytes:
    return _typed(b"multipart/mixed; boundary=b", b"--b\r\n\r\nhello\r\n" * parts + b"--b--\r\n")


def guessing(levels: int) -> bytes:
    """Multiparts whose declared boundary never comes."""
    part = b"Content-Type: multipart/mixed; boundary=never%d\r\n\r\n--other%d\r\n"
    return HEAD + b"".join(part % (n, n) for n in range(levels)) + b"\r\ninnermost\r\n"


def html(body: bytes) -> bytes:
    return _typed(b"text/html; charset=utf-8", body)


def winmail(stream: bytes) -> bytes:
    return _typed(b"application/ms-tnef", base64.encodebytes(stream), b"Content-Transfer-Encoding: base64\r\n")


def winmail_body(identity: int, value: bytes) -> bytes:
    return winmail(made.tnef(made.attribute(made.MESSAGE, 0x9003, made.props(made.prop(identity, value)))))


def rich(rtf: bytes, n: int) -> bytes:
    """A winmail.dat with that rich text, n bytes or more of it."""
    return winmail_body(
        0x1009, made.plain_rtf(b"{\\rtf1\\fromhtml1{\\fonttbl{\\f1\\fcharset204;}}" + rtf * (n // len(rtf) + 1))
    )


def winmails_in_one_another(content: bytes, levels: int) -> bytes:
    stream = made.tnef(made.tnef_file(b"a", content))
    for _ in range(levels):
        stream = made.tnef(made.tnef_message(stream))
    return winmail(stream)


def smime(content: bytes) -> bytes:
    return _typed(b"application/pkcs7-mime", base64.encodebytes(content), b"Content-Transfer-Encoding: base64\r\n")


def signed_in_one_another(content: bytes, levels: int) -> bytes:
    inner = b"Content-Type: text/plain\r\n\r\n" + content
    for _ in range(levels):
        inner = b"Content-Type: application/pkcs7-mime\r\n\r\n" + made.signed(inner)
    return HEAD + inner


def signed_parts(count: int) -> bytes:
    """Many signed parts, each with many parts in it."""
    inner = (
        b"Content-Type: multipart/mixed; boundary=c\r\n\r\n" + b"--c\r\nContent-Type: a/b\r\n\r\nx\r\n" * 50 + b"--c--"
    )
    part = b"--b\r\nContent-Type: application/pkcs7-mime\r\n\r\n" + made.signed(inner) + b"\r\n"
    return _typed(b"multipart/mixed; boundary=b", part * count + b"--b--\r\n")


def calendar(body: bytes) -> bytes:
    return _typed(b"text/calendar", b"BEGIN:VCALENDAR\r\nBEGIN:VEVENT\r\n" + body)


_YENC = b"=ybegin line=128 size=1 name=a\r\n"

GENERATORS: dict[str, Callable[[int], bytes]] = {
    "to of commas": lambda n: _header(b"To", b"," * n),
    "to of quotes": lambda n: _header(b"To", b'"' * n),
    "to of escaped quotes": lambda n: _header(b"To", b'"' + b'\\"' * n),
    "to of open comments": lambda n: _header(b"To", b"(" * n),
    "to of open brackets": lambda n: _header(b"To", b"<" * n),
    "to of brackets with words": lambda n: _header(b"To", b"a <" * n),
    "to of ats": lambda n: _header(b"To", b"@" * n),
    "to of at words": lambda n: _header(b"To", b"a@ " * n),
    "to of colons and semicolons": lambda n: _header(b"To", b"a:" * n + b";"),
    "to of words and commas": lambda n: _header(b"To", b"a," * n + b" <a@b.example>"),
    "to of surnames": lambda n: _header(b"To", b"a," * n + b" x <a@b.example>"),
    "to of words": lambda n: _header(b"To", b"a " * n),
    "to of many": lambda n: _header(b"To", b", ".join(b"u%d@b.example" % i for i in range(n // 10))),
    "from of commas": lambda n: _replace_from(b"," * n),
    "from of words and commas": lambda n: _replace_from(b"a," * n + b" <a@b.example>"),
    "from of quotes": lambda n: _replace_from(b'"' * n),
    "from of dots": lambda n: _replace_from(b"a@" + b"b." * n),
    "from of encoded words": lambda n: _replace_from(b"=?utf-8?q?a?= " * n + b"<a@b.example>"),
    "from many times": lambda n: b"From: a@b.example\r\n" * n + b"\r\nhello\r\n",
    "one long header line": lambda n: _header(b"X-Long", b"x" * (16 * n)),
    "one long header line of spaces": lambda n: _header(b"X-Long", b" " * (16 * n) + b"x"),
    "header of continuation lines": lambda n: _header(b"X-Long", b"x" + b"\r\n x" * n),
    "header lines without end": lambda n: b"X: y\r\n" * n,
    "junk lines": lambda n: HEAD + b"junk line here\r\n" * n + b"X-Last: 1\r\n\r\nhello\r\n",
    "subject of open encoded words": lambda n: _header(b"Subject", b"=?utf-8?q?" * n),
    "subject of encoded word marks": lambda n: _header(b"Subject", b"=?" * n),
    "subject of single letters": lambda n: _header(b"Subject", b"=?utf-8?q?a?= " * n),
    "subject of charsets": lambda n: _header(b"Subject", b"".join(b"=?x%d?q?=FF?=" % i for i in range(n // 8))),
    "subject of prefixes": lambda n: _header(b"Subject", b"Re: " * n),
    "subject of brackets": lambda n: _header(b"Subject", b"[INC-" * n),
    "references of many": lambda n: _header(b"References", b" ".join(b"<%d@b>" % i for i in range(n))),
    "references of open brackets": lambda n: _header(b"References", b"<" * n),
    "references of spaces": lambda n: _header(b"References", b"<" + b" \t" * n),
    "message-id of a bracket": lambda n: _header(b"Message-ID", b"<"),
    "date of digits": lambda n: _header(b"Date", b"1" * n),
    "date of months": lambda n: _header(b"Date", b"1 Jan " * n),
    "type of semicolons": lambda n: _typed(b"text/plain" + b";" * n, b"hello"),
    "type of quotes": lambda n: _typed(b"text/plain; a=" + b'"' * n, b"hello"),
    "type of escaped quotes": lambda n: _typed(b'text/plain; a="' + b'\\"' * n, b"hello"),
    "type of comments": lambda n: _typed(b"text/plain " + b"(" * n, b"hello"),
    "type of closed comments": lambda n: _typed(b"text/plain; a=b " + b"(x)" * n, b"hello"),
    "type of parameters": lambda n: _typed(b"text/plain" + b"; a=b" * n, b"hello"),
    "type of segments": lambda n: _typed(
        b"application/x" + b"".join(b"; name*%d*=%%41" % (i % 1000) for i in range(n // 4)), b"hello"
    ),
    "boundary lines of nobody": lambda n: _typed(b"multipart/mixed; boundary=b", b"--b\r\n\r\n" + b"--c\r\n" * n),
    "final boundaries": lambda n: _typed(b"multipart/mixed; boundary=b", b"--b\r\n\r\nx\r\n" + b"--b--\r\n" * n),
    "open and close": lambda n: _typed(b"multipart/mixed; boundary=b", b"--b\r\n\r\nx\r\n--b--\r\n" * n),
    "dashes": lambda n: _typed(b"multipart/mixed; boundary=b", b"--b\r\n\r\n" + b"--" * n + b"\n" + b"-" * n),
    "parts": lambda n: wide(n // 4),
    "parts without newline": lambda n: _typed(b"multipart/mixed; boundary=b", b"--b\n" * n),
    "nesting": lambda n: nested(n // 40),
    "nesting alike": lambda n: nested_alike(n // 40),
    "nesting without empty lines": lambda n: nested(n // 40).replace(b"\r\n\r\n", b"\r\n"),
    "nesting with junk": lambda n: nested(n // 40).replace(b"\r\n\r\n", b"\r\njunk\r\n"),
    "nesting of messages": lambda n: nested_messages(n // 40),
    "nesting of guesses": lambda n: guessing(n // 40),
    "base64 of padding": lambda n: _typed(b"application/x", b"YQ==" * n, b"Content-Transfer-Encoding: base64\r\n"),
    "base64 of equals": lambda n: _typed(b"application/x", b"=" * n, b"Content-Transfer-Encoding: base64\r\n"),
    "quoted-printable of equals": lambda n: _typed(
        b"text/plain", b"=" * n, b"Content-Transfer-Encoding: quoted-printable\r\n"
    ),
    "quoted-printable of spaces": lambda n: _typed(
        b"text/plain", b"= " * n + b" " * n, b"Content-Transfer-Encoding: quoted-printable\r\n"
    ),
    "uuencode begins": lambda n: _typed(b"text/plain", b"begin 644 a\r\n" * n),
    "uuencode begins and ends": lambda n: _typed(b"text/plain", b"begin 644 a\r\nend\r\n" * n),
    "flowed lines": lambda n: _typed(b"text/plain; format=flowed", b"a \r\n" * n),
    "flowed quotes": lambda n: _typed(b"text/plain; format=flowed", b">" * n + b" \r\n" + b"> \r\n>> \r\n" * n),
    "punycode": lambda n: _typed(b"text/plain; charset=punycode", b"a" * n),
    "unicode_escape": lambda n: _typed(b"text/plain; charset=unicode_escape", b"\\ud800" * n),
    "idna": lambda n: _typed(b"text/plain; charset=idna", b"xn--a." * n),
    "utf-7": lambda n: _typed(b"text/plain; charset=utf-7", b"+AGE-" * n),
    "iso-2022-jp escapes": lambda n: _typed(b"text/plain; charset=iso-2022-jp", b"\x1b$B\x1b(B" * n),
    "hz": lambda n: _typed(b"text/plain; charset=hz-gb-2312", b"~{" * n),
    "8-bit bytes": lambda n: _typed(b"text/plain; charset=utf-8", b"\xff\xfe\x80 " * n),
    "8-bit bytes called gb2312": lambda n: _typed(b"text/plain; charset=gb2312", b"\xff\x80a " * n),
    "html tags": lambda n: html(b"<b>" * n),
    "html open tags": lambda n: html(b"<a " * n),
    "html less-than": lambda n: html(b"<" * n),
    "html quotes": lambda n: html(b'<a href="' * n),
    "html single quotes": lambda n: html(b"<a href='x\" " * n),
    "html comments": lambda n: html(b"<!--" * n),
    "html comment ends": lambda n: html(b"<!---->" * n),
    "html declarations": lambda n: html(b"<!x" * n),
    "html scripts": lambda n: html(b"<script>" * n),
    "html styles": lambda n: html(b"<style></style" * n),
    "html mixed open": lambda n: html(b"<script><style><title><svg>" * (n // 4)),
    "html divs": lambda n: html(b"<div>a" * n),
    "html lists": lambda n: html(b"<ul><li>" * n),
    "html breaks": lambda n: html(b"<br>" * n),
    "html anchors": lambda n: html(b"<a href=http://x.example/y>a" * n),
    "html one anchor": lambda n: html(b"<a href=http://x.example/y>" + b"a <b>" * n),
    "html entities": lambda n: html(b"&amp;" * n),
    "html long entity": lambda n: html(b"&#" + b"9" * n + b";"),
    "html open entities": lambda n: html(b"&" * n),
    "html attributes": lambda n: html(b"<a " + b"a=b " * n + b">"),
    "html attribute words": lambda n: html(b"<a " + b"a" * n + b">x</a>"),
    "html spaces in tag": lambda n: html(b"<a a" + b" " * n + b">x</a>"),
    "html spaces": lambda n: html(b" " * n + b"x"),
    "html nbsp lines": lambda n: html(b"<p>&nbsp; " * n),
    "html cids": lambda n: html(b"cid:" * n),
    "html meta": lambda n: html(b"<meta " * n),
    "nul bytes": lambda n: b"\x00" * n,
    "newlines": lambda n: b"\n" * n,
    "carriage returns": lambda n: b"\r" * n,
    "crcrlf": lambda n: HEAD + b"\r\r\n" * n,
    "colons": lambda n: b":" * n,
    "spaces": lambda n: b" " * n,
    "space lines": lambda n: b" \n" * n,
    "spaces and lines": lambda n: _typed(b"text/plain", b" " * n + b"x\n" + b"\n \n" * n),
    "base64 file": lambda n: _typed(
        b"application/x", base64.encodebytes(b"x" * n), b"Content-Transfer-Encoding: base64\r\n"
    ),
    "base64 file without lines": lambda n: _typed(
        b"application/x", base64.b64encode(b"x" * n), b"Content-Transfer-Encoding: base64\r\n"
    ),
    "uuencoded file": lambda n: _typed(
        b"application/x",
        b"M" + b"!" * 60 + b"\r\n" + b"M!\r\n" * (n // 4),
        b"Content-Transfer-Encoding: x-uuencode\r\n",
    ),
    "winmail file": lambda n: winmail(made.tnef(made.tnef_file(b"a", b"x" * n))),
    "winmail files": lambda n: winmail(made.tnef(made.tnef_file(b"a", b"x") * (n // 60))),
    "winmail attributes": lambda n: winmail(made.tnef(made.attribute(made.ATTACHMENT, 0x8010, b"a") * (n // 12))),
    "winmail properties": lambda n: winmail(
        made.tnef(made.attribute(made.ATTACHMENT, 0x9005, made.props(made.prop(1, 1) * (n // 8), count=2**31)))
    ),
    "winmail values": lambda n: winmail(
        made.tnef(
            made.attribute(made.MESSAGE, 0x9003, b"\1\0\0\0\x02\x11\1\0" + b"\xff\xff\xff\x7f" + b"\0\0\0\0" * (n // 4))
        )
    ),
    "winmail property blocks": lambda n: winmail(
        made.tnef(
            (made.tnef_file(b"a", b"", made.prop(1, b"")) + made.attribute(made.ATTACHMENT, 0x9005, b"")) * (n // 80)
        )
    ),
    "winmail in winmail": lambda n: winmails_in_one_another(b"x" * n, 2),
    "winmail deep in winmail": lambda n: winmails_in_one_another(b"", min(n // 100, 300)),
    "winmail text": lambda n: winmail_body(0x1000, b"x" * n),
    "winmail html": lambda n: winmail_body(0x1013, b"<b><p>" * (n // 6)),
    "rich text groups": lambda n: rich(b"{", n),
    "rich text fonts": lambda n: rich(b"\\f1 a\\f2 \\'e4", n),
    "rich text letters": lambda n: rich(b"\\u1?\\'e4", n),
    "rich text tags": lambda n: rich(b"{\\*\\htmltag <b>}", n),
    "rich text bombs": lambda n: winmail_body(
        0x1009, b"\xff\xff\xff\xff" * 2 + b"LZFu\0\0\0\0" + (b"\xff" + b"\x00\x1f" * 8) * (n // 17)
    ),
    "signed": lambda n: smime(made.signed(b"Content-Type: text/plain\r\n\r\n" + b"x" * n)),
    "signed file": lambda n: smime(made.signed(b"Content-Type: application/x\r\n\r\n" + b"x" * n)),
    "signed in pieces": lambda n: smime(
        made.signed_in_pieces(b"Content-Type: text/plain\r\n\r\n", *[b"x"] * min(n // 3, 90_000))
    ),
    "signed without end": lambda n: smime(b"\x30\x80" + made.SIGNED_DATA + b"\xa0\x80" + b"\x30\x80" * (n // 2)),
    "signed in signed": lambda n: signed_in_one_another(b"x" * n, 3),
    "signed deep in signed": lambda n: signed_in_one_another(b"x", min(n // 500, 300)),
    "signed parts": lambda n: signed_parts(n // 1000),
    "calendar lines": lambda n: calendar(b"A:b\r\n" * n),
    "calendar folds": lambda n: calendar(b"SUMMARY:" + b"\r\n a" * n),
    "calendar parameters": lambda n: calendar(b"ATTENDEE" + b";A=b" * n),
    "calendar quotes": lambda n: calendar(b'ATTENDEE;A="' * n),
    "calendar components": lambda n: calendar(b"BEGIN:VEVENT\r\n" * n),
    "calendar escapes": lambda n: calendar(b"SUMMARY:" + b"\\" * n),
    "calendars": lambda n: _typed(
        b"multipart/mixed; boundary=b",
        (b"--b\r\nContent-Type: text/calendar\r\n\r\n" + b"BEGIN:VCALENDAR\r\n" * 20) * (n // 400),
    ),
    "yenc begins": lambda n: _typed(b"text/plain", _YENC * (n // 30)),
    "yenc begins and ends": lambda n: _typed(b"text/plain", (_YENC + b"=yend\r\n") * (n // 40)),
    "yenc escapes": lambda n: _typed(b"text/plain", _YENC + b"=" * n + b"\r\n=yend\r\n"),
    "yenc file": lambda n: _typed(b"text/plain", _YENC + b"=J" * n + b"\r\n=yend\r\n"),
    "pgp begins": lambda n: _typed(b"text/plain", b"-----BEGIN PGP MESSAGE-----\r\n" * (n // 30)),
    "pgp signed begins": lambda n: _typed(b"text/plain", b"-----BEGIN PGP SIGNED MESSAGE-----\r\n" * (n // 30)),
    "pgp begins and one end": lambda n: _typed(
        b"text/plain", b"-----BEGIN PGP MESSAGE-----\r\n" * (n // 30) + b"-----END PGP MESSAGE-----\r\n"
    ),
    "pgp headers": lambda n: _typed(
        b"text/plain", b"-----BEGIN PGP MESSAGE-----\r\n" + b"A: b\r\n" * n + b"-----END PGP MESSAGE-----\r\n"
    ),
    "pgp messages": lambda n: _typed(
        b"text/plain", b"-----BEGIN PGP MESSAGE-----\r\n\r\na\r\n-----END PGP MESSAGE-----\r\n" * (n // 60)
    ),
    "html no-break spaces": lambda n: html(b"&nbsp;" * n + b"x"),
    "html preformatted spaces": lambda n: html(b"<pre>" + b" " * n + b"x"),
    "html quotes in quotes": lambda n: html(b"<blockquote>a" * n),
    "html quotes in turn": lambda n: html(b"</blockquote><blockquote>a<br>" * n),
    "html bordered cells": lambda n: html(b"<table border=1><tr><td>" * n),
    "html hidden": lambda n: html(b"<div style=display:none>" * n),
    "html hidden and shown": lambda n: html(b"<font style=font-size:0><p style=font-size:1>a" * n),
    "html styles of spaces": lambda n: html(b"<div style='" + b" " * n + b"x'>a"),
    "html images": lambda n: html(b"<img alt=abc>" * n),
    "html sources": lambda n: html(b"<img src=" * n),
}
