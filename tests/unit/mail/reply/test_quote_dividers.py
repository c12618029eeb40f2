import pytest

from shared.mail.reply.quote_dividers import is_dashed, is_forward, is_original, is_rule, is_undashed_original


@pytest.mark.parametrize(
    "line",
    [
        "-----Original Message-----",
        "------- Original Message -------",
        "\u2010\u2010\u2010\u2010\u2010\u2010 Original Message \u2010\u2010\u2010\u2010\u2010\u2010",
        "-----Ursprüngliche Nachricht-----",
        "-------- Message d'origine --------",
        "------------------ 原始邮件 ------------------",
        "----- Reply message -----",
        "##- Please type your reply above this line -##",
        "--- Bitte antworten Sie oberhalb dieser Linie ---",
    ],
)
def test_an_older_mail_is_announced(line: str) -> None:
    assert is_original(line)
    assert not is_forward(line)


@pytest.mark.parametrize(
    "line",
    [
        "---------- Forwarded message ---------",
        "-------- Weitergeleitete Nachricht --------",
        "-------- Message transféré --------",
        "Begin forwarded message:",
        "Anfang der weitergeleiteten Nachricht:",
        "Début du message réexpédié :",
        "下面是被转发的邮件：",
        "----- Forwarded by Anna Beispiel/Desk on 05/03/2021 -----",
    ],
)
def test_a_forwarded_mail_is_announced(line: str) -> None:
    assert is_forward(line)
    assert not is_original(line)


@pytest.mark.parametrize(
    "line",
    [
        "Original message: print 40 copies",
        "The original message",
        "Begin forwarded message",
        "-----",
        "- a",
        "",
        "-" * 1000,
    ],
)
def test_words_without_dashes_and_dashes_without_words_announce_nothing(line: str) -> None:
    assert not is_original(line)
    assert not is_forward(line)


def test_a_rule_has_dashes_only() -> None:
    assert is_rule("_" * 32)
    assert is_rule("* * *")
    assert not is_rule("--")
    assert not is_rule("--- a ---")


def test_words_between_dashes_divide_if_a_header_follows() -> None:
    assert is_dashed("----- Qqq zzz -----")
    assert not is_dashed("----- Qqq zzz")
    assert is_undashed_original("Original Message")
