import pytest

from shared.mail import limits
from shared.mail.msgid import message_ids


@pytest.mark.parametrize(
    ("value", "ids"),
    [
        ("<a@b>", ["<a@b>"]),
        ("  <a@b>\t<c@d> ", ["<a@b>", "<c@d>"]),
        ("<a@b><c@d>,<e@f>", ["<a@b>", "<c@d>", "<e@f>"]),
        ("<a@\r\n b>", ["<a@b>"]),
        ('Your message of "Mon, 3 May" <a@b> (from Anna)', ["<a@b>"]),
        ('<"quoted string"@b>', ['<"quotedstring"@b>']),
        ("<no-at-sign>", ["<no-at-sign>"]),
        ("a@b", ["<a@b>"]),
        ("a@b, c@d", ["<a@b>", "<c@d>"]),
        ("<a@b", ["<a@b>"]),
        ("<<a@b>>", ["<a@b>"]),
        ("<AbC@Host.Example>", ["<AbC@Host.Example>"]),
        ("", []),
        ("<", []),
        ("<>", []),
        ("< >", []),
        ("just words", []),
        ("@", []),
        ("<a\x00@b>", []),
        ("<a\ud800@b>", []),
    ],
)
def test_every_message_id_of_a_value_is_found(value: str, ids: list[str]) -> None:
    assert list(message_ids(value)) == ids


@pytest.mark.parametrize(("length", "count"), [(997, 1), (998, 1), (999, 0)])
def test_an_id_longer_than_a_line_is_not_used(length: int, count: int) -> None:
    assert len(message_ids("<" + "a" * (length - 2) + "@b>")) == count


def test_the_number_of_ids_is_bounded() -> None:
    assert len(message_ids("<a@b>" * (limits.MESSAGE_IDS + 1))) == limits.MESSAGE_IDS
