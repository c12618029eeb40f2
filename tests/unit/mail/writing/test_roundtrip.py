"""What Python's own library writes correctly, we read back exactly."""

from email.headerregistry import Address as Written
from email.message import EmailMessage
from email.policy import SMTP

from hypothesis import given, settings
from hypothesis import strategies as st

from shared.mail.message import parse

_LETTERS = st.sampled_from(list("abcXYZ0123 .,;:!?'()[]_=-/äöüßéñ日本語привет€“”"))
_WORDS = st.text(_LETTERS, min_size=1, max_size=60).map(lambda text: " ".join(text.split())).filter(bool)
_LINES = st.lists(st.text(_LETTERS, max_size=120).map(str.rstrip), min_size=1, max_size=8).map("\n".join)
_FILE_NAMES = st.text(st.sampled_from(list("abcXYZ019 ._-äöü日本語")), min_size=1, max_size=40).map(
    lambda name: f"a{' '.join(name.split())}.pdf"
)
_ENCODINGS = st.sampled_from(["base64", "quoted-printable", "8bit"])


@given(
    _WORDS,
    _WORDS,
    _LINES,
    st.lists(st.tuples(_FILE_NAMES, st.binary(max_size=300)), max_size=3),
    _ENCODINGS,
    st.booleans(),
)
@settings(max_examples=150, deadline=None)
def test_a_well_formed_mail_is_read_as_it_was_written(
    subject: str, name: str, text: str, files: list[tuple[str, bytes]], encoding: str, with_html: bool
) -> None:
    written = EmailMessage(policy=SMTP)
    written["From"] = Written(f"Anna {name}", "anna", "kunde.example")
    written["To"] = [Written(f"Anna {name}", "a", "desk.example"), Written("", "b", "desk.example")]
    written["Subject"] = subject
    text = f"Hallo,\n{text}"
    written.set_content(text, cte=encoding)
    if with_html:
        written.add_alternative("<p>html</p>", subtype="html")
    for file_name, content in files:
        written.add_attachment(content, maintype="application", subtype="pdf", filename=file_name)
    read = parse(written.as_bytes())
    assert read.subject == subject
    assert read.sender
    assert (read.sender.name, read.sender.address) == (f"Anna {name}", "anna@kunde.example")
    assert [address.address for address in read.to] == ["a@desk.example", "b@desk.example"]
    assert read.text == text.rstrip()
    assert (read.html or "").strip() == ("<p>html</p>" if with_html else "")
    assert [(one.name, one.content) for one in read.attachments] == files
    assert read.defects == ()
