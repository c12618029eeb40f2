import pytest

from shared.mail.reply.quote_headers import header_block, header_role, label_block
from shared.mail.reply.quote_labels import NAMES, ROLE_OF

BLOCK = [
    "From: Support <support@desk.example>",
    "Sent: Monday, May 3, 2021 9:02 AM",
    "To: Anna",
    "Subject: Printer",
    "",
    "Hello",
]


@pytest.mark.parametrize(
    ("line", "found"),
    [
        ("From: Anna", ("from", "Anna")),
        ("*From:* Anna", ("from", "Anna")),
        ("**Von:** Anna", ("from", "Anna")),
        ("De : Anna", ("from", "Anna")),
        ("Envoyé\u00a0: lundi", ("sent", "lundi")),
        ("发件人：安娜", ("from", "安娜")),
        ("> To:\tAnna", ("to", "Anna")),
        ("Subject:", ("subject", "")),
        ("Importance: High", ("other", "High")),
        ("Phone: 1", None),
        ("From Anna", None),
        (": x", None),
        ("x" * 100 + ": y", None),
        ("", None),
    ],
)
def test_a_field_is_known_by_its_name_in_any_language(line: str, found: tuple[str, str] | None) -> None:
    assert header_role(line) == found


def test_no_name_means_two_fields() -> None:
    assert sum(len(names) for names in NAMES.values()) == len(ROLE_OF)


def test_a_block_ends_behind_its_last_field() -> None:
    assert header_block(BLOCK, 0, announced=False) == 4
    assert header_block([line for field in BLOCK[:4] for line in (field, "")], 0, announced=False) == 7


@pytest.mark.parametrize("order", [(0, 1, 2, 3), (3, 2, 1, 0), (1, 0, 3, 2), (0, 2, 3), (0, 1, 2), (0, 1, 3)])
def test_the_fields_come_in_any_order_and_one_may_be_missing(order: tuple[int, ...]) -> None:
    assert header_block([BLOCK[place] for place in order], 0, announced=False) == len(order)


@pytest.mark.parametrize(
    "lines",
    [
        ["From: the manual", "the red light means no paper"],
        ["From: Anna", "Email: anna@kunde.example", "Phone: 1", "Subject: Printer", "Message: broken"],
        ["Von: Anna", "Datum: 3.5.2021 9:02", "Telefon: 1", "Betreff: Drucker"],
        ["From: Berlin", "To: Hamburg", "Date: 3.5.2021"],
        ["Sent: 3 May 2021 9:02", "To: Anna", "Subject: Printer"],
        ["From:", "Sent: 3 May 2021 9:02", "To: Anna", "Subject: Printer"],
        ["From: a@b.example", "X-Spam: yes"],
        ["Importance: High", *BLOCK],
        [""],
        [],
    ],
)
def test_a_form_or_a_sentence_is_no_block(lines: list[str]) -> None:
    assert header_block(lines, 0, announced=False) == 0


def test_below_an_announcement_two_fields_are_enough() -> None:
    assert header_block(["From: Anna", "Subject: Printer"], 0, announced=True) == 2
    assert header_block(["From: Anna", "Subject: Printer"], 0, announced=False) == 0


def test_a_field_may_go_on_in_the_next_lines() -> None:
    lines = [*BLOCK[:2], "To: Anna; Bernd;", " Carla; Dora;", " Emil", "Cc: Fritz", "Subject: Printer"]
    assert header_block(lines, 0, announced=False) == 7


def test_the_labels_of_older_notes_stand_on_lines_of_their_own() -> None:
    lines = ["To", "Anna", "cc", "", "Subject", "Printer", "", "Hello"]
    assert label_block(lines, 0) == 6
    assert label_block(["To", "do", "list"], 0) == 0
