"""What we send is read back as it was meant, by our own parser and by Python's, whatever strangers put into it."""

import re
import string
from email import message_from_bytes
from email.policy import default
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from shared.errors import NotSent
from shared.mail.address import Address
from shared.mail.machine.automatic import classify
from shared.mail.message import parse
from shared.mail.subject import incident_numbers
from shared.mail.text import clean_text
from shared.mail.writing.compose import SUBJECT_CHARS, File, Outgoing, answer_subject, compose
from shared.mail.writing.outgoing import NAME_CHARS, cleaned
from tests.unit.mail.outgoing import ANNA, REFERENCE, SUPPORT, outgoing

HOSTILE = [
    "hello\r\nBcc: victim@evil.example",
    "hello\nBcc: victim@evil.example",
    "hello\rBcc: victim@evil.example",
    "hello\r\n\r\n<script>alert(1)</script>",
    "hello\r\n Bcc: victim@evil.example",
    "hello\0Bcc: victim@evil.example",
    "hello\x0bBcc: x@evil.example\x0c\x1c\x1d\x1e\x85\u2028\u2029x",
    "=?utf-8?q?a=0D=0ABcc:_victim@evil.example?=",
    "=?utf-8?b?YQ0KQmNjOiB2aWN0aW1AZXZpbC5leGFtcGxl?=",
    "=?utf-8?q?=3D=3Futf-8=3Fq=3Fa=3D0D=3D0ABcc:=3F=3D?=",
    "=?utf-8?q?open",
    "ä =?utf-8?q?=0D=0ABcc:?= ö",
    "victim@evil.example, boss@bank.example",
    "Boss <boss@bank.example>",
    '" <boss@bank.example>, "',
    "\\",
    '\\"',
    '"\\',
    '"',
    "''",
    "a, b; c: d@e <f>;",
    "undisclosed-recipients:;",
    "(comment",
    "comment) <x@evil.example>",
    "(((((((((",
    "<" * 50,
    ">" * 50,
    "," * 90,
    "a" * 2000,
    "ä" * 2000,
    "日本語" * 300,
    "👩‍👩‍👧‍👦" * 100,
    "e\u0301" * 200,
    "\ud800\udfff lone",
    "\ufeffmark",
    "\ufffe\uffff",
    "\u202egnp.exe\u2066",
    " \t leading and trailing \t ",
    "Re: Re: [INC-000001] =?",
    "?=",
    "\x1b$B$3$s",
    "a" * 75 + " " + "b" * 76 + " " + "c" * 77,
    "é" * 19 + "=?x?q?y?=",
    ".",
    "--",
    "",
    "From: x",
    "\u00a0\u3000",
]

NAMES = [
    "Date", "From", "To", "Subject", "Message-ID", "X-Mailer", "MIME-Version", "Content-Type",
    "Content-Transfer-Encoding",
]  # fmt: skip


def _read(raw: bytes) -> Any:
    """By Python's newer parser, whose bugs our writer must not meet."""
    return message_from_bytes(raw, policy=default)


def _check_wire(raw: bytes) -> None:
    assert raw.endswith(b"\r\n")
    assert raw.count(b"\r\n") == raw.count(b"\r") == raw.count(b"\n")
    assert max(map(len, raw.split(b"\r\n"))) <= 998
    assert raw.isascii()


@pytest.mark.parametrize("text", HOSTILE)
def test_a_hostile_subject_or_name_writes_no_field_and_no_recipient_of_its_own(text: str) -> None:
    raw = compose(outgoing(subject=text, to=(Address(text, ANNA.address),), sender=Address(text, SUPPORT.address)))
    _check_wire(raw)
    message, other = parse(raw), _read(raw)
    wanted = [name for name in NAMES if name != "Subject" or cleaned(outgoing(subject=text)).subject]
    assert [name for name, _ in message.headers] == wanted
    assert list(other.keys()) == wanted
    assert [one.address for one in message.to] == [ANNA.address]
    assert [one.addr_spec for one in other["to"].addresses] == [ANNA.address]
    assert [one.addr_spec for one in other["from"].addresses] == [SUPPORT.address]
    assert message.sender is not None
    assert message.sender.address == SUPPORT.address
    assert message.cc == ()
    assert message.text.startswith("Hello Anna,")


@pytest.mark.parametrize("text", HOSTILE)
def test_a_hostile_file_name_text_or_loop_token_stays_where_it_belongs(text: str) -> None:
    mail = outgoing(
        text=text + "\nend",
        html="<p>x</p>",
        attachments=(File(text, text, b"\r\n--x\r\nBcc: v@evil.example\r\n"),),
        reference_line=text,
        loop_token=text,
        automatic="notification",
    )
    raw = compose(mail)
    _check_wire(raw)
    message, other = parse(raw), _read(raw)
    assert {"bcc", "cc"}.isdisjoint(name.lower() for part in other.walk() for name in part)
    (file,) = message.attachments
    assert (file.name, file.content, file.content_type) == (
        cleaned(mail).attachments[0].name,
        b"\r\n--x\r\nBcc: v@evil.example\r\n",
        "application/octet-stream",
    )
    assert message.defects == ()


@pytest.mark.parametrize(
    "address",
    [
        "victim@evil.example\r\nBcc: x@evil.example",
        "a\nb@kunde.example",
        "a\0b@kunde.example",
        "a@kunde.example, b@kunde.example",
        "a@kunde.example> <b@kunde.example",
        "=?utf-8?q?a?=@kunde.example",
        "anna",
        "",
        "@kunde.example",
        "'anna@kunde.example",
        "anna@[127.0.0.1]",
        "a" * 400 + "@kunde.example",
    ],
)
@pytest.mark.parametrize("place", ["to", "cc", "reply_to", "sender"])
def test_an_address_is_not_mended_as_it_would_be_somebody_elses(address: str, place: str) -> None:
    one = Address("x", address)
    with pytest.raises(NotSent) as raised:
        compose(outgoing(**{place: (one,) if place in ("to", "cc") else one}))
    assert raised.value.permanent
    assert raised.value.status == "5.1.3"
    assert address.strip() == "" or address not in raised.value.message


_ANY = st.text(max_size=200) | st.text(st.sampled_from("\r\n\t =?_\"'\\<>@,;:()[]aä日\0\x85\u2028"), max_size=60)
_LOCAL = st.text(string.ascii_letters + string.digits + "._-+'=/!#$", min_size=1, max_size=30).filter(
    lambda local: "=?" not in local and local[0] not in ".'" and not local.endswith(".") and ".." not in local
)
_DOMAIN = st.sampled_from(["kunde.example", "acme.example", "xn--mller-kva.example", "müller.example"])
_ADDRESSES = st.builds(lambda name, local, domain: Address(name, f"{local}@{domain}"), _ANY, _LOCAL, _DOMAIN)
_IDS = st.text(string.ascii_letters + string.digits + "._-+=$%/", min_size=1, max_size=90).map(
    lambda id: f"<{id}@id.example>"
)
_FILES = st.builds(
    File,
    _ANY,
    st.sampled_from(["application/pdf", "text/plain", "text/csv", "text/html", "image/png", "TEXT/X-Log", "nonsense",
                     "message/rfc822", "multipart/mixed", "text/plain; charset=x", ""]),
    st.binary(max_size=300) | st.text(max_size=100).map(str.encode),
)  # fmt: skip
_MAILS = st.builds(
    outgoing,
    sender=_ADDRESSES,
    reply_to=st.none() | _ADDRESSES,
    to=st.lists(_ADDRESSES, max_size=4).map(tuple),
    cc=st.lists(_ADDRESSES, max_size=4).map(tuple),
    subject=_ANY,
    text=_ANY | st.lists(_ANY, max_size=5).map("\n".join),
    html=st.none() | st.text("<p>äö日 =.\n", max_size=300),
    in_reply_to=st.none() | _IDS | _ANY,
    references=st.lists(_IDS | _ANY, max_size=14).map(tuple),
    attachments=st.lists(_FILES, max_size=3).map(tuple),
    automatic=st.sampled_from(["no", "acknowledgement", "notification"]),
    reference_line=st.just("") | st.just(f"Ref: {REFERENCE}") | _ANY,
    quoted=st.just("") | _ANY,
)


@given(_MAILS)
@settings(max_examples=300, deadline=None)
def test_a_mail_is_read_back_as_it_was_meant(mail: Outgoing) -> None:
    raw = compose(mail)
    _check_wire(raw)
    assert compose(mail) == raw
    meant, message, other = cleaned(mail), parse(raw), _read(raw)
    assert message.sender == meant.sender
    assert message.to == meant.to
    assert message.cc == meant.cc
    assert message.reply_to == ((meant.reply_to,) if meant.reply_to else ())
    assert message.subject == meant.subject
    assert message.date == mail.date
    assert message.references == meant.references
    assert message.in_reply_to == ((meant.in_reply_to,) if meant.in_reply_to else ())
    assert list(other.keys()) == [name for name, _ in message.headers]
    assert [one.addr_spec for one in other["from"].addresses] == [meant.sender.address]
    for name, addresses in (("to", meant.to), ("cc", meant.cc)):
        found = other[name].addresses if name in other else ()
        assert [one.addr_spec for one in found] == [one.address for one in addresses]
    assert (message.html is None) == (mail.html is None)
    assert clean_text(mail.html or "").strip() in (message.html or "")
    files = [(file.name, file.content) for file in meant.attachments]
    assert [(file.name, file.content) for file in message.attachments] == files
    assert [part.get_payload(decode=True) for part in other.iter_attachments()] == [content for _, content in files]
    assert message.defects == ()


_LINES = st.lists(st.text("abc ,.-=_>äöü日本\t", max_size=120), min_size=1, max_size=12).map("\n".join)


@given(_LINES)
@example("-- ")
@example("From here\n.\n..\n--\n--=_x\n \n\t\nx ")
@example("日" * 3000)
@example("a" * 3000)
@example(".a" * 3000)
@example(" " * 3000 + "x")
@settings(max_examples=200, deadline=None)
def test_text_is_read_back_to_the_letter(text: str) -> None:
    for subtype in (None, "<p>x</p>"):
        raw = compose(outgoing(text=f"begin\n{text}\nend", html=subtype))
        _check_wire(raw)
        assert max(map(len, raw.split(b"\r\n"))) <= 78
        assert parse(raw).text == f"begin\n{text}\nend"
        body = _read(raw).get_body(("plain",))
        assert body.get_content().replace("\r\n", "\n").startswith("begin\n")


def test_the_reference_stands_above_the_signature_and_the_quote_which_programs_do_not_quote() -> None:
    line = f"Ref: {REFERENCE}"
    mail = outgoing(text="Hello.\n\n-- \nBob\n", quoted="Anna wrote:\n> Hi", reference_line=line, html="<p>Hello.</p>")
    message = parse(compose(mail))
    assert message.text == f"Hello.\n\n{line}\n\n-- \nBob\n\nAnna wrote:\n> Hi"
    assert message.html is not None
    assert f">{line}</p>" in message.html
    only_signature = outgoing(text="-- \nBob", reference_line=line)
    assert parse(compose(only_signature)).text == f"{line}\n\n-- \nBob"


def test_what_a_mail_says_is_written_as_every_reader_knows_it() -> None:
    raw = compose(outgoing(subject="Re: Drücker [INC-000123]", to=(Address("Grüße, Anna", "anna@kunde.example"),)))
    head = raw.partition(b"\r\n\r\n")[0].decode("ascii").split("\r\n")
    assert head == [
        "Date: Mon, 16 Nov 2026 10:11:12 +0000",
        "From: Acme Support <support@acme.example>",
        "To: =?utf-8?q?Gr=C3=BC=C3=9Fe=2C_Anna?= <anna@kunde.example>",
        "Subject: =?utf-8?q?Re:_Dr=C3=BCcker_[INC-000123]?=",
        f"Message-ID: {outgoing().message_id}",
        "X-Mailer: Inbound",
        "MIME-Version: 1.0",
        "Content-Type: text/plain; charset=utf-8",
        "Content-Transfer-Encoding: 7bit",
    ]


def test_a_long_subject_is_cut_into_words_of_whole_characters() -> None:
    subject = "Прошу помочь с принтером на третьем этаже 👩‍👩‍👧‍👦 " * 4
    raw = compose(outgoing(subject=subject))
    assert max(map(len, raw.split(b"\r\n"))) <= 78
    words = re.findall(rb"=\?utf-8\?([bq])\?[^?]+\?=", raw)
    assert len(words) > 4
    assert parse(raw).subject == subject.strip()
    assert _read(raw)["subject"] == subject.strip()


def test_only_an_address_beyond_ascii_needs_more_than_ascii_in_the_header() -> None:
    raw = compose(outgoing(to=(Address("Jürgen", "jürgen@kunde.example"),), subject="Grüße"))
    lines = [line for line in raw.split(b"\r\n") if not line.isascii()]
    assert lines == ["To: =?utf-8?q?J=C3=BCrgen?= <jürgen@kunde.example>".encode()]
    assert parse(raw).to == (Address("Jürgen", "jürgen@kunde.example"),)


def test_nobody_is_named_twice() -> None:
    mail = outgoing(to=(ANNA, Address("A", "ANNA@kunde.example")), cc=(SUPPORT, Address("", "Anna@kunde.example")))
    message = parse(compose(mail))
    assert (message.to, message.cc) == ((ANNA,), (SUPPORT,))


def test_an_acknowledgement_is_known_as_a_machines_and_is_not_answered() -> None:
    message = parse(
        compose(outgoing(automatic="acknowledgement", in_reply_to="<q@kunde.example>", loop_token=REFERENCE))
    )
    assert message.header("auto-submitted") == "auto-replied"
    assert message.header("x-auto-response-suppress") == "All"
    assert message.header("precedence") == "auto_reply"
    assert message.header("x-inbound-loop") == REFERENCE
    machine = classify(message, None)
    assert (machine.kind, machine.no_answer) == ("auto_reply", True)


def test_a_notification_is_known_as_a_machines_and_is_not_answered() -> None:
    message = parse(compose(outgoing(automatic="notification")))
    assert message.header("auto-submitted") == "auto-generated"
    assert message.header("precedence") is None
    machine = classify(message, None)
    assert (machine.kind, machine.no_answer) == ("automatic", True)


def test_a_persons_answer_is_a_persons_and_may_be_answered() -> None:
    message = parse(compose(outgoing(in_reply_to="<q@kunde.example>", reference_line=f"Ref: {REFERENCE}")))
    for name in ("auto-submitted", "x-auto-response-suppress", "precedence", "x-inbound-loop"):
        assert message.header(name) is None
    machine = classify(message, None)
    assert (machine.kind, machine.no_answer) == ("human", False)


@pytest.mark.parametrize(
    ("subject", "wanted"),
    [
        ("Printer", "Re: Printer [INC-000123]"),
        ("Re: AW: Printer [INC-000123]", "Re: Printer [INC-000123]"),
        ("WG: [inc-7] Re: Printer", "Re: Printer [INC-000123]"),
        ("[INC-[INC-1]2] x", "Re: x [INC-000123]"),
        ("[INC-[INC-[INC-[INC-1]2]3]4] x", "Re: x [INC-000123]"),
        ("[ＩＮＣ-7] x", "Re: x [INC-000123]"),
        ("a\r\nBcc: b@evil.example", "Re: a Bcc: b@evil.example [INC-000123]"),
        ("", "Re: [INC-000123]"),
        ("Re: [INC-000123]", "Re: [INC-000123]"),
        ("[JIRA-12] x", "Re: [JIRA-12] x [INC-000123]"),
    ],
)
def test_an_answers_subject_names_its_incident_once(subject: str, wanted: str) -> None:
    assert answer_subject(subject, 123) == wanted


@given(
    st.text(max_size=400) | st.lists(st.sampled_from(["[INC-", "1", "]", "Re:", " ", "ＩＮＣ", "－", "x"])).map("".join)
)
@example("[INC-" * 100 + "1]" * 100)
@example("Re: " * 100 + "x" * 500)
@settings(max_examples=300, deadline=None)
def test_an_answers_subject_is_bounded_names_one_incident_and_stays_as_it_is_when_answered(subject: str) -> None:
    answer = answer_subject(subject, 123)
    assert len(answer) <= SUBJECT_CHARS
    assert answer.endswith("[INC-000123]")
    assert incident_numbers(answer) == (123,)
    assert answer_subject(answer, 123) == answer
    assert parse(compose(outgoing(subject=answer))).subject == answer


def test_a_large_attachment_comes_through_whole() -> None:
    content = bytes(range(256)) * 20_000  # 5 MB
    raw = compose(outgoing(attachments=(File("all.bin", "application/x-all", content),)))
    assert max(map(len, raw.split(b"\r\n"))) <= 78
    assert parse(raw).attachments[0].content == content


def test_a_long_name_is_cut() -> None:
    message = parse(compose(outgoing(to=(Address("x" * 5000, ANNA.address),))))
    assert len(message.to[0].name) == NAME_CHARS
