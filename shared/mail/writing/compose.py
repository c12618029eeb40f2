"""The mail that we send, as bytes: RFC 5322, MIME (RFC 2045 to 2047, 2231), RFC 3834 for what a machine writes.

Pure, and the same bytes for the same mail: date and Message-ID come in, and the boundaries are made of the latter.
ASCII in every header but for addresses beyond it (RFC 6531), so that no server needs SMTPUTF8 for a name or a subject.
"""

import unicodedata

from shared.mail import limits
from shared.mail.subject import incident_numbers, plain_subject
from shared.mail.writing.compose_body import body
from shared.mail.writing.compose_check import Miswritten, check
from shared.mail.writing.compose_headers import head
from shared.mail.writing.outgoing import File, Outgoing, cleaned, header_text

__all__ = ["File", "Miswritten", "Outgoing", "answer_subject", "compose"]

SUBJECT_CHARS = 200
"""Of the subject in an answer. Exchange takes 255 (Exchange Online limits), and whoever answers adds prefixes."""


def compose(mail: Outgoing) -> bytes:
    """The mail with CR LF at its line ends, ready for SMTP and for Graph.

    Raises ``NotSent`` (permanent, 5.1.3) for an address that is none; ``Miswritten`` or ValueError for a bug of ours.
    """
    mail = cleaned(mail)
    part = body(mail)
    fields = [*head(mail), *part.fields]
    written = b"".join(value for _, value in fields)
    check(written, [name for name, _ in fields], mail)
    return b"%s\r\n%s" % (written, part.body)


def answer_subject(subject: str, number: int, prefix: str = "INC") -> str:
    """``Re: Printer on fire [INC-000123]``, whatever prefixes and tags of ours it had before. Idempotent."""
    bare, before = header_text(subject, limits.LINE_CHARS), ""
    while bare != before:  # a tag inside a tag appears when that one is gone, and a prefix behind a tag
        before, bare = bare, plain_subject(bare, prefix)
        if incident_numbers(bare, prefix):  # in other letters that are read alike
            bare = plain_subject(unicodedata.normalize("NFKC", bare), prefix)
    tag = f"[{prefix}-{number:06d}]"
    most = SUBJECT_CHARS - len(f"Re:  {tag}")
    if len(bare) > most:
        bare = bare[: most - 1].rstrip() + "…"
    return " ".join(part for part in ("Re:", bare, tag) if part)
