"""Mails made to hang, exhaust or confuse a parser. Each generator takes a size, so that growth can be measured."""

from collections.abc import Callable

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
}
