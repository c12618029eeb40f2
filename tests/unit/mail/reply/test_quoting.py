"""Replies in tests/corpus/replies are split as the files beside them say; and what holds for every text."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.mail.message import parse
from shared.mail.reply.quoting import Reply, split_reply
from tests.support.growth import growth

CORPUS = Path(__file__).parents[3] / "corpus" / "replies"
MAILS = sorted(CORPUS.glob("*.eml"))
LINES = [
    "",
    "",
    " ",
    "Thanks, the printer works again.",
    "Kind regards",
    "Anna",
    "The log says:",
    "> quoted",
    "> quoted",
    ">> quoted twice",
    ">",
    ">>> print(1)",
    "> a quoted line that is so long that a gateway has to wrap it somewhere before",
    "its end",
    "| in a table",
    "On Mon, May 3, 2021 at 9:02 AM Support <support@desk.example> wrote:",
    "On Mon, May 3, 2021 at 9:02 AM Support",
    "<support@desk.example> wrote:",
    "Am 03.05.21 um 09:02 schrieb Support:",
    "Support wrote:",
    "-----Original Message-----",
    "---------- Forwarded message ---------",
    "________________________________",
    "From: Support <support@desk.example>",
    "Sent: Monday, May 3, 2021 9:02 AM",
    "To: Anna",
    "Subject: Printer",
    "Phone: 1234",
    "cc",
    "-- ",
    "--",
    "Sent from my iPhone",
    "Gesendet von Mail für Windows",
    "@@ -1,2 +1,2 @@",
    "-- x",
]
TEXTS = st.lists(st.sampled_from(LINES), max_size=14).map("\n".join)


def _words(text: str) -> list[str]:
    return [line.strip() for line in text.split("\n") if line.strip()]


def _split(path: Path) -> Reply:
    message = parse(path.read_bytes())
    return split_reply(message.text, message.html, message.subject)


@pytest.mark.parametrize("path", MAILS, ids=[path.stem for path in MAILS])
def test_a_reply_of_the_corpus_is_split_as_written_beside_it(path: Path) -> None:
    expected = json.loads(path.with_suffix(".json").read_text("utf-8"))
    reply = _split(path)
    assert reply.new == expected["new"]
    quoted = " ".join(reply.quoted.split())
    for words in expected["quoted_has"]:
        assert " ".join(words.split()) in quoted


def test_each_reply_has_its_expectation_and_each_expectation_its_reply() -> None:
    assert {path.stem for path in MAILS} == {path.stem for path in CORPUS.glob("*.json")}
    assert len(MAILS) >= 110


@pytest.mark.parametrize("path", MAILS, ids=[path.stem for path in MAILS])
def test_nothing_of_a_reply_is_lost_and_its_new_words_stay_as_they_are(path: Path) -> None:
    message = parse(path.read_bytes())
    reply = split_reply(message.text, message.html, message.subject)
    assert sorted(_words(reply.new) + _words(reply.quoted)) == sorted(_words(message.text))
    assert split_reply(reply.new, None, message.subject).new == reply.new


@settings(max_examples=500)
@given(TEXTS)
def test_no_line_is_lost_and_the_order_is_kept(text: str) -> None:
    reply = split_reply(text)
    all_lines, new, quoted = _words(text), _words(reply.new), _words(reply.quoted)
    starts = range(len(all_lines) - len(new) + 1)
    assert any(
        all_lines[start : start + len(new)] == new and all_lines[:start] + all_lines[start + len(new) :] == quoted
        for start in starts
    )


@settings(max_examples=500)
@given(TEXTS)
def test_the_new_words_split_again_are_the_same(text: str) -> None:
    new = split_reply(text).new
    assert split_reply(new).new == new


@settings(max_examples=500)
@given(TEXTS)
def test_the_new_words_are_never_empty_if_the_text_is_not(text: str) -> None:
    reply = split_reply(text)
    assert bool(reply.new) == bool(text.strip())
    assert reply.new == reply.new.strip()


@given(st.text(max_size=200), st.none() | st.text("<>/=\"' abdivqte:\n", max_size=200), st.text(max_size=20))
def test_any_text_with_any_html_is_split(text: str, html: str | None, subject: str) -> None:
    reply = split_reply(text, html, subject)
    assert bool(reply.new) == bool(text.strip())


@given(
    TEXTS, st.lists(st.sampled_from(["<blockquote type=cite>", "</blockquote>", "<div class=gmail_quote>", "</div>"]))
)
def test_html_that_says_something_else_loses_nothing(text: str, tags: list[str]) -> None:
    html = "".join(f"{line}<br>{tag}" for line, tag in zip(text.split("\n"), tags, strict=False))
    reply = split_reply(text, html)
    assert sorted(line.lstrip("> ") for line in _words(reply.new) + _words(reply.quoted)) == sorted(
        line.lstrip("> ") for line in _words(text)
    )
    assert bool(reply.new) == bool(text.strip())


HOSTILE: dict[str, Callable[[int], tuple[str, str | None]]] = {
    "newlines": lambda n: ("\n" * n, None),
    "quote marks": lambda n: (">\n" * (n // 2), None),
    "one line of quote marks": lambda n: (">" * n, None),
    "colons": lambda n: (":\n" * (n // 2), None),
    "digits": lambda n: ("1:\n" * (n // 3), None),
    "attributions": lambda n: ("On 3 May 2021 10:11 a@b.example wrote:\n> x\n" * (n // 44), None),
    "words for writing": lambda n: ("wrote wrote:\n" * (n // 13), None),
    "header fields": lambda n: ("From: a\nTo: b\nFoo: c\n" * (n // 22), None),
    "labels": lambda n: ("to\nsubject\nx\n" * (n // 13), None),
    "delimiters": lambda n: ("-- \n" * (n // 4), None),
    "signatures": lambda n: ("Sent from my iPhone\n" * (n // 20), None),
    "one line": lambda n: ("a" * n, None),
    "at signs": lambda n: ("1 " + "a@" * n + ":", None),
    "dashes": lambda n: ("-" * n, None),
    "answers in a row": lambda n: ("> a\nb\n" * (n // 6), None),
    "torn brackets": lambda n: ("<a@b\n> c\n" * (n // 9), None),
    "table lines": lambda n: ("wrote:\n| a\nb:\n" * (n // 14), None),
    "html quotes": lambda n: ("a b\n" * (n // 37), "<blockquote type=cite>a</blockquote>b" * (n // 37)),
    "html open quotes": lambda n: ("a\n" * (n // 24), "<div class=gmail_quote>a" * (n // 24)),
    "html end tags": lambda n: ("a\n", "<div>" * (n // 12) + "</span>" * (n // 12)),
    "html rules": lambda n: ("a\n", '<div style="border:none;border-top:solid #E1E1E1 1.0pt">a' * (n // 57)),
    "html attributes": lambda n: ("a\n", "<div " + "class=a " * (n // 8) + ">x"),
    "html of other words": lambda n: ("ab c\n" * (n // 5), "<div class=gmail_attr>a</div>b" * (n // 30)),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_time_grows_no_faster_than_the_mail(name: str) -> None:
    """Sixteen times the text may take forty times as long; quadratic work would take 256 times."""
    small, large = HOSTILE[name](20_000), HOSTILE[name](320_000)
    assert growth(lambda: split_reply(*small), lambda: split_reply(*large)) < 40


def test_two_megabytes_of_an_old_thread_are_split() -> None:
    attribution = "On Mon, May 3, 2021 at 9:02 AM Support <support@desk.example> wrote:\n"
    text = "Yes.\n\n" + attribution + "> an old line of the thread\n" * 80_000
    reply = split_reply(text)
    assert reply.new == "Yes."
    assert reply.quoted.count("\n") == 80_000
