import pytest

from shared.mail.machine.notice import folded, own_lines, phrases


def _own(text: str, **how: bool) -> str:
    return "\n".join(own_lines(text, **how)[0]).strip()


@pytest.mark.parametrize(
    "mark",
    [
        "--- Below this line is a copy of the message.",
        "------ This is a copy of the message, including all the headers. ------",
        "----- Original message -----",
        "   ----- Message header follows -----",
        "Original message headers:",
        "Ursprüngliche Nachrichtenkopfzeilen:",
        "En-têtes de message d'origine :",
        "En-têtes de message d’origine :",
        "-------- Weitergeleitete Nachricht --------",
        "Return-Path: <a@b.example>",
        "Received: from a by b",
        "Your original message follows",
        "From: A\nTo: B\nSubject: C",
        "Von: A <a@b.example>\nGesendet: heute\nAn: B\nBetreff: C",
        "差出人: A\n送信日時: B\n宛先: C\n件名: D",
    ],
)
def test_the_other_mail_begins_at_its_mark(mark: str) -> None:
    own, rest = own_lines(f"Mine.\n\n{mark}\n\nTheirs.\n")
    assert "\n".join(own).strip() == "Mine."
    assert rest.startswith(mark.split("\n")[0])


@pytest.mark.parametrize(
    "line",
    [
        "Original message was rejected by the server",
        "From: me, with love",
        "Received your letter",
        "An: alle",
        "Note: this is mine",
    ],
)
def test_a_sentence_is_no_mark(line: str) -> None:
    assert _own(f"Mine.\n{line}\nMore.") == f"Mine.\n{line}\nMore."


def test_quoted_lines_are_left_out_but_for_a_servers_transcript() -> None:
    assert _own("a\n> b\n |> c\nd") == "a\n |> c\nd"
    assert _own("a\n>>> RCPT TO:<x@y>\nb", quotes_are_original=False) == "a\n>>> RCPT TO:<x@y>\nb"


def test_a_mail_that_begins_with_a_mark_is_its_own() -> None:
    assert _own("Original message:\nhello") == "Original message:\nhello"


def test_phrases_are_compared_folded() -> None:
    assert folded("Couldn’t\u00a0BE\n  delivered") == "couldn't be delivered"
    assert folded("Re\u0301ponse AUSSER Außer") == "réponse ausser ausser"
    assert phrases(" a b |\n c  d | a b | ") == ("a b", "c d")
