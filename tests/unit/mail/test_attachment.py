import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.mail import limits
from shared.mail.attachment import Attachment, safe_name


@pytest.mark.parametrize(
    ("name", "safe"),
    [
        ("report.pdf", "report.pdf"),
        ("Grüße an alle.pdf", "Grüße an alle.pdf"),
        ("U\u0308ber.txt", "Über.txt"),
        ("../../etc/passwd", "passwd"),
        ("..\\..\\boot.ini", "boot.ini"),
        ("C:\\Users\\x\\a.txt", "a.txt"),
        ("C:a.txt", "a.txt"),
        ("php://foo", "foo"),
        ("folder/", "folder"),
        ("a\r\nContent-Type: x.txt", "a Content-Type: x.txt"),
        ("invoice\u202efdp.exe", "invoicefdp.exe"),
        ("\u200b.htaccess", "htaccess"),
        (".\u200b./.\u200bhtaccess", "htaccess"),
        ("a\x00.txt", "a.txt"),
        ("a\ud800.txt", "a\ufffd.txt"),
        ("name. . ", "name"),
        ("con", "_con"),
        ("NUL.txt", "_NUL.txt"),
        ("com1.tar.gz", "_com1.tar.gz"),
        ("console.txt", "console.txt"),
        ("", "attachment"),
        ("..", "attachment"),
        ("///", "attachment"),
        ("\u200b\u202e", "attachment"),
        ("x" * 130 + ".pdf", "x" * 116 + ".pdf"),
        ("x" * 120, "x" * 120),
        ("x" * 121, "x" * 120),
        (" a   b ", "a b"),
    ],
)
def test_a_name_is_made_safe(name: str, safe: str) -> None:
    assert safe_name(name) == safe


_TRICKY = st.sampled_from(
    [*"./\\: aAc", "\u200b", "\u202e", "\u0301", "\u0338", "con", "..", ".txt", "\x00", "\ud800", "x" * 60]
)


@given(st.one_of(st.text(st.characters(), max_size=300), st.lists(_TRICKY, max_size=20).map("".join)))
def test_a_safe_name_is_one_short_line_without_paths_and_stays_as_it_is(name: str) -> None:
    safe = safe_name(name)
    assert safe_name(safe) == safe
    assert 0 < len(safe) <= limits.NAME_CHARS
    assert safe.isprintable() or "\ufffd" in safe or any(ord(letter) > 127 for letter in safe)
    assert not set(safe) & set("/\\\r\n\x00")
    assert not safe.startswith(".")
    safe.encode("utf-8")


def test_size_and_hash_are_those_of_the_content() -> None:
    attachment = Attachment("a.txt", "text/plain", b"abc", None, False)
    assert attachment.size == 3
    assert attachment.sha256 == hashlib.sha256(b"abc").hexdigest()
