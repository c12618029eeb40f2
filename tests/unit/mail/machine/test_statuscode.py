import pytest

from shared.mail.machine.statuscode import better_status, find_status, has_reply_code, stated_status, status_of_text
from shared.mail.machine.statuswords import MEANINGS


@pytest.mark.parametrize(
    ("value", "code"),
    [
        ("5.1.1", "5.1.1"),
        (" 5.1.1 (bad destination mailbox address)", "5.1.1"),
        ("5.01.010", "5.1.10"),
        ("2.0.0", "2.0.0"),
        ("5.1", None),
        ("failed", None),
        ("", None),
        ("9.1.1", None),
    ],
)
def test_a_status_field_begins_with_its_code(value: str, code: str | None) -> None:
    assert stated_status(value) == code


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("550 5.1.1 <a@b>... User unknown", "5.1.1"),
        ("550-5.7.26 Unauthenticated", "5.7.26"),
        ("(#5.1.2)", "5.1.2"),
        ("<ex01.kunde.example #5.1.1>", "5.1.1"),
        ("#550 5.2.2 ##", "5.2.2"),
        ("the code is 5.4.1.", "5.4.1"),
        ("5.0.0, then 5.2.2", "5.2.2"),
        ("250 2.0.0 Ok, but 4.4.7", "4.4.7"),
        ("only 5.0.0", "5.0.0"),
        ("host 4.1.2.3 said no", None),
        ("Exim 4.92.3", None),
        ("v5.1.1", None),
        ("5.5.2653.19", None),
        ("Service (5.5.2656)", None),
        ("", None),
    ],
)
def test_a_code_in_a_text_is_no_address_and_no_version(text: str, code: str | None) -> None:
    assert find_status(text) == code


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("550 User unknown", "5.1.1"),
        ("452 mailbox is full", "4.2.2"),
        ("552 over quota", "5.2.2"),
        ("User is over quota", "5.2.2"),
        ("Das Postfach ist voll", "5.2.2"),
        ("550 administrative prohibition", "5.0.0"),
        ("451 try later", "4.0.0"),
        ("554 5.0.0 mailbox disabled", "5.2.1"),
        ("554 5.7.1 user unknown", "5.7.1"),
        ("Host unknown", "5.1.2"),
        ("Connection timed out", "4.4.1"),
        ("554 Too many hops 26 (25 max)", "5.4.6"),
        ("552 Message size exceeds fixed limit", "5.3.4"),
        ("554 rejected as spam", "5.7.1"),
        ("this message has been in the queue too long", "4.4.7"),
        ("Your parcel 550", "5.0.0"),
        ("Message from InterScan VirusWall", None),
        ("Hello", None),
    ],
)
def test_words_and_reply_codes_are_mapped_where_no_code_is_written(text: str, code: str | None) -> None:
    assert status_of_text(text) == code


@pytest.mark.parametrize(
    ("stated", "diagnostic", "code"),
    [
        ("5.1.1", "550 5.7.1 blocked", "5.1.1"),
        ("5.0.0", "550 5.7.1 blocked", "5.7.1"),
        ("5.0.0", "550 user unknown", "5.0.0"),
        ("5.0.0", "550 5.0.0 no", "5.0.0"),
        (None, "550 user unknown", "5.1.1"),
        (None, "", None),
    ],
)
def test_a_stated_code_stands_unless_it_says_nothing(stated: str | None, diagnostic: str, code: str | None) -> None:
    assert better_status(stated, diagnostic) == code


@pytest.mark.parametrize(
    ("text", "has"),
    [("550 no", True), ("said: 421-try", True), ("5.1.1", True), ("in 550", True), ("10.5.50.1", False)],
)
def test_a_failing_reply_code_is_seen(text: str, has: bool) -> None:
    assert has_reply_code(text) is has


def test_every_meaning_is_a_failure_code_and_every_phrase_can_match() -> None:
    for code, words in MEANINGS:
        assert code[0] in "45"
        assert words
        assert all(word == word.casefold().strip() and "’" not in word for word in words)
