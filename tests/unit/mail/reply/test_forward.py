from __future__ import annotations

import pytest

from shared.mail.message import parse
from shared.mail.reply.forward import Forward, read_forward


def forwarded(text: str, subject: str = "Fwd: Printer") -> Forward | None:
    head = f"From: Bob <bob@desk.example>\nTo: support@desk.example\nSubject: {subject}\nContent-Type: text/plain; charset=utf-8\n\n"
    return read_forward(parse((head + text).encode()))


GMAIL = """Please take this one.

---------- Forwarded message ---------
From: Anna Kunde <anna@kunde.example>
Date: Mon, 16 Nov 2026 at 09:12
Subject: Printer on fire
To: Bob <bob@desk.example>


It burns.

Anna
"""

OUTLOOK = """Kannst du das bitte übernehmen?

Von: Kunde, Anna <anna@kunde.example>
Gesendet: Montag, 16. November 2026 09:12
An: Bob <bob@desk.example>
Betreff: Drucker brennt

Er brennt.
"""

APPLE = """
Début du message réexpédié :

De: Anna Kunde <anna@kunde.example>
Objet: Imprimante en feu
Date: 16 novembre 2026 à 09:12:00 UTC+1
À: bob@desk.example

Elle brûle.
"""


@pytest.mark.parametrize(
    ("text", "subject", "words", "preface"),
    [
        (GMAIL, "Printer on fire", "It burns.\n\nAnna", "Please take this one."),
        (OUTLOOK, "Drucker brennt", "Er brennt.", "Kannst du das bitte übernehmen?"),
        (APPLE, "Imprimante en feu", "Elle brûle.", ""),
    ],
    ids=["Gmail", "Outlook, German, a comma in the name", "Apple Mail, French"],
)
def test_a_forwarded_mail_tells_its_author_its_words_and_what_stands_above(
    text: str, subject: str, words: str, preface: str
) -> None:
    found = forwarded(text)
    assert found is not None
    assert found.author.address == "anna@kunde.example"
    assert "Anna" in found.author.name
    assert (found.subject, found.text, found.preface) == (subject, words, preface)


def test_an_attached_mail_is_read_with_its_message_id() -> None:
    raw = (
        b"From: bob@desk.example\nSubject: WG: Drucker\nMIME-Version: 1.0\n"
        b"Content-Type: multipart/mixed; boundary=b\n\n--b\nContent-Type: text/plain\n\nFor you.\n--b\n"
        b"Content-Type: message/rfc822\n\nFrom: Anna <anna@kunde.example>\nSubject: Drucker\n"
        b"Message-ID: <1@kunde.example>\nDate: Mon, 16 Nov 2026 09:12:00 +0100\n\nEr brennt.\n--b--\n"
    )
    found = read_forward(parse(raw))
    assert found is not None
    assert (found.author.address, found.message_id, found.text, found.preface) == (
        "anna@kunde.example",
        "<1@kunde.example>",
        "Er brennt.",
        "For you.",
    )


@pytest.mark.parametrize(
    ("text", "subject"),
    [
        (GMAIL, "Re: Printer"),
        ("Just words.", "Fwd: Printer"),
        (GMAIL.replace("<anna@kunde.example>", ""), "Fwd: Printer"),
        (GMAIL.replace("<anna@kunde.example>", "<a@x.example>, <b@y.example>"), "Fwd: Printer"),
        ("", "Fwd:"),
    ],
    ids=["an answer", "nothing inside", "no address", "two addresses without clear owner", "empty"],
)
def test_what_does_not_say_clearly_who_wrote_it_is_no_forward(text: str, subject: str) -> None:
    found = forwarded(text, subject)
    assert found is None or found.author.address == "b@y.example"
