from __future__ import annotations

from datetime import UTC, datetime

import pytest

from shared.mail.address import Address
from shared.mail.message import parse
from shared.mail.reply.quoting import split_reply
from shared.mail.writing.compose import compose
from shared.mail.writing.quote_original import QUOTE_CHARS, QUOTE_LINES, quote_original, quote_original_html
from shared.mail.writing.texthtml import plain_to_html
from tests.unit.mail.outgoing import ANNA, REFERENCE, outgoing

DATE = datetime(2026, 11, 16, 9, 2, tzinfo=UTC)


def test_a_quote_says_who_wrote_it_and_when_and_marks_each_line() -> None:
    assert quote_original(ANNA, DATE, "Hello,\n\n> older\n it burns.\n\n") == (
        "On 16 Nov 2026, Anna Beispiel <anna@kunde.example> wrote:\n> Hello,\n>\n>> older\n>  it burns."
    )
    assert quote_original(Address("", "a@b.example"), None, "x") == "<a@b.example> wrote:\n> x"


def test_a_name_in_the_attribution_looks_like_no_address() -> None:
    author = Address("Boss <boss@bank.example>: hello\nall", ANNA.address)
    assert quote_original(author, None, "x").startswith(
        "Boss boss@bank.example hello all <anna@kunde.example> wrote:\n"
    )


@pytest.mark.parametrize("text", ["", "\n \n", "\0"])
def test_nothing_is_quoted_of_a_mail_that_says_nothing(text: str) -> None:
    assert quote_original(ANNA, DATE, text) == ""
    assert quote_original_html(ANNA, DATE, text) == ""


@pytest.mark.parametrize("text", ["x\n" * 1000, "x " * 100_000, "\n" * 5000 + "x\n" * 5000])
def test_a_quote_is_bounded_and_says_that_it_is_shortened(text: str) -> None:
    quote = quote_original(ANNA, DATE, text)
    assert quote.count("\n") <= QUOTE_LINES + 1
    assert len(quote) <= QUOTE_CHARS + 3 * QUOTE_LINES + 200
    assert quote.endswith("\n> […]")
    assert "[…]</blockquote>" in quote_original_html(ANNA, DATE, text)


def test_the_html_quotes_a_strangers_words_without_their_meaning() -> None:
    quote = quote_original_html(Address("<b>A", "a@b.example"), DATE, "<script>x</script> https://evil.example\n&amp;")
    assert '<blockquote type="cite"' in quote
    assert "&lt;script&gt;x&lt;/script&gt; https://evil.example<br>\n&amp;amp;</blockquote>" in quote
    assert "<b>" not in quote
    assert "<a" not in quote


HOSTILE_NAMES = [
    "",
    "Anna\nFrom: boss@bank.example",
    "Anna wrote:\n\nYour account",
    "x" * 500,
    "Anna <other@evil.example> wrote:",
    "Grüße, Anna",
    "山田太郎",
    "A.B. (Sales) [x]",
    "Doe, John",
]


@pytest.mark.parametrize("name", HOSTILE_NAMES)
@pytest.mark.parametrize("date", [DATE, None])
@pytest.mark.parametrize("with_html", [True, False])
def test_our_own_reader_cuts_our_quote_off_again(name: str, date: datetime | None, with_html: bool) -> None:
    words = "Hello Anna,\n\nplease switch it off.\n\nKind regards\nBob"
    old = "Hello,\n\nmy printer burns. What shall I do?\n\nAnna"
    author = Address(name, ANNA.address)
    mail = outgoing(
        text=words,
        html=plain_to_html(words) if with_html else None,
        quoted=quote_original(author, date, old),
        quoted_html=quote_original_html(author, date, old),
        reference_line=f"Ref: {REFERENCE}",
    )
    message = parse(compose(mail))
    reply = split_reply(message.text, message.html, message.subject)
    assert reply.new == f"{words}\n\nRef: {REFERENCE}"
    assert "> my printer burns. What shall I do?" in reply.quoted
    assert "wrote:" in reply.quoted
