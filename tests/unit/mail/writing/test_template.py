from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.mail.machine.automatic import classify
from shared.mail.message import parse
from shared.mail.subject import incident_numbers
from shared.mail.writing.compose import compose
from shared.mail.writing.template import (
    DEFAULT_SUBJECT,
    DEFAULT_TEXT,
    SUBJECT_CHARS,
    TEMPLATE_CHARS,
    check_subject,
    check_template,
    fill,
    letters_of_name,
)
from tests.unit.mail.outgoing import outgoing

FIELDS = {"number": "INC-000123", "name": "Anna Beispiel", "group": "Acme Support", "subject": "Printer"}


def test_the_default_texts_are_right_and_name_the_incident() -> None:
    assert check_template(DEFAULT_TEXT) == []
    assert check_subject(DEFAULT_SUBJECT) == []
    assert incident_numbers(fill(DEFAULT_SUBJECT, FIELDS)) == (123,)
    text = fill(DEFAULT_TEXT, FIELDS)
    assert text.startswith("Hello Anna Beispiel,\n")
    assert "INC-000123" in text
    assert "{" not in text


def test_the_default_texts_say_nothing_that_a_stranger_wrote() -> None:
    words = "Buy at https://evil.example now"
    fields = FIELDS | {"name": words, "subject": words, "text": words}
    assert "evil" not in fill(DEFAULT_SUBJECT, fields) + fill(DEFAULT_TEXT, fields)


def test_an_acknowledgement_of_the_default_texts_is_known_as_one() -> None:
    mail = outgoing(subject=fill(DEFAULT_SUBJECT, FIELDS), text=fill(DEFAULT_TEXT, FIELDS), automatic="acknowledgement")
    assert classify(parse(compose(mail)), None).no_answer


@pytest.mark.parametrize(
    ("template", "problem"),
    [
        ("{nmae} hello", "{nmae} is no field. The fields are {number}, {name}, {group}, {subject}."),
        ("{text}", "{text} is no field."),
        ("{}", "{} is no field."),
        ("{name.__class__}", "A brace stands alone."),
        ("{name!r:>10}", "A brace stands alone."),
        ("{0[a]}", "A brace stands alone."),
        ("hello {name", "A brace stands alone."),
        ("hello }", "A brace stands alone."),
        ("{{name}}", "A brace stands alone."),
        ("{Name}", "{Name} is no field."),
        (" \n", "The text is empty."),
        ("x" * (TEMPLATE_CHARS + 1), "The text is too long: 4001 characters, 4000 at most."),
        ("a\0b", "There is a control character in it."),
    ],
)
def test_a_wrong_template_is_told_in_plain_words(template: str, problem: str) -> None:
    problems = check_template(template)
    assert any(problem in one for one in problems)


@pytest.mark.parametrize(
    ("template", "problem"),
    [
        ("", "The subject is empty."),
        ("[{number}]\nBcc: x@evil.example", "The subject must be one line."),
        ("We have it", "The subject needs [{number}], so that answers to it find their incident."),
        ("[{number}]" + "x" * SUBJECT_CHARS, "The subject is too long: 160 characters, 150 at most."),
        ("[{number}] {x}", "{x} is no field."),
    ],
)
def test_a_wrong_subject_is_told_in_plain_words(template: str, problem: str) -> None:
    assert any(problem in one for one in check_subject(template))


def test_many_wrong_fields_are_not_all_told() -> None:
    assert len(check_template("".join(f"{{f{number}}}" for number in range(300)))) == 5


def test_a_windows_text_is_a_text() -> None:
    assert check_template("Hello {name},\r\n\r\n\tbye") == []


def test_a_value_is_not_looked_through_for_fields() -> None:
    assert fill("{subject} {group}", {"subject": "{group}", "group": "{number}"}) == "{group} {number}"


def test_a_field_without_a_value_takes_its_space_along() -> None:
    assert fill("Hello {name},\n{name}.", {"name": "http://x"}) == "Hello,\n."
    assert fill("{number}{unknown}", {}) == "{unknown}"


def test_a_value_is_one_bounded_line() -> None:
    assert fill("{subject}", {"subject": "a\r\nBcc: b" + "x" * 1000}) == "a Bcc: b" + "x" * 142


@pytest.mark.parametrize(
    ("name", "wanted"),
    [
        ("Anna Beispiel", "Anna Beispiel"),
        ("Doe, John (Sales)", "Doe John Sales"),
        ("Dr. Jürgen O’Brien-Müller", "Dr Jürgen O’Brien-Müller"),
        ("María de los Ángeles García", "María de los Ángeles García"),
        ("山田太郎", "山田太郎"),
        ("नमस्ते", "नमस्ते"),
        ("anna@kunde.example", ""),
        ("Click https://evil.example", ""),
        ("www.evil.example", ""),
        ("J.R. Tolkien", "J R Tolkien"),
        ("Call 0900 123", ""),
        ("You have won a large prize", ""),
        ("x" * 41, ""),
        ("<b>Anna</b>", ""),
        ("-", ""),
        ("", ""),
        ("Anna\r\nBcc: x", ""),
        ("💰 Anna", ""),
    ],
)
def test_a_name_is_letters_or_nothing(name: str, wanted: str) -> None:
    assert letters_of_name(name) == wanted


@given(st.text(), st.dictionaries(st.sampled_from([*FIELDS, "text"]), st.text()))
def test_filling_never_fails_and_a_checked_template_leaves_no_brace_of_its_own(
    template: str, fields: dict[str, str]
) -> None:
    filled = fill(template, fields)
    if not check_template(template) and not any("{" in value or "}" in value for value in fields.values()):
        assert "{" not in filled
        assert "}" not in filled
