import pytest

from shared.mail.machine.deliverystatus import GROUPS, groups_of, read_groups, typed_address, typed_value


def test_groups_are_parted_by_blank_lines() -> None:
    assert read_groups(b"Reporting-MTA: dns; a\r\n\r\nFinal-Recipient: rfc822;x@y\r\nAction: failed\r\n") == [
        {"reporting-mta": "dns; a"},
        {"final-recipient": "rfc822;x@y", "action": "failed"},
    ]


def test_a_folded_field_is_one_value() -> None:
    assert read_groups(b"Final-Recipient: rfc822;x@y\nDiagnostic-Code: smtp; 550\n  5.1.1 no\n\tuser\n") == [
        {"final-recipient": "rfc822;x@y", "diagnostic-code": "smtp; 550 5.1.1 no user"}
    ]


def test_a_second_recipient_begins_a_group_although_the_blank_line_is_missing() -> None:
    groups = read_groups(b"Final-Recipient: rfc822;x@y\nAction: failed\nFinal-Recipient: rfc822;z@y\nAction: delayed\n")
    assert [(group["final-recipient"], group["action"]) for group in groups] == [
        ("rfc822;x@y", "failed"),
        ("rfc822;z@y", "delayed"),
    ]


def test_fields_behind_a_stray_blank_line_belong_to_the_recipient_above() -> None:
    text = "Reporting-MTA: a\n\nFinal-Recipient: rfc822;x@y\n\nAction: failed\n\nStatus: 5.1.1\n\nFinal-Recipient: rfc822;z@y\n"
    groups = groups_of(text)
    assert groups[1:] == [
        {"final-recipient": "rfc822;x@y", "action": "failed", "status": "5.1.1"},
        {"final-recipient": "rfc822;z@y"},
    ]


def test_a_block_that_is_indented_as_a_whole_is_read() -> None:
    assert groups_of("   Final-Recipient: rfc822;x@y\n   Action: failed\n") == [
        {"final-recipient": "rfc822;x@y", "action": "failed"}
    ]


def test_any_line_ends_will_do() -> None:
    for end in (b"\n", b"\r\n", b"\r"):
        assert len(read_groups(end.join([b"Reporting-MTA: a", b"", b"Final-Recipient: b@c", b"Action: failed"]))) == 2


def test_of_a_repeated_field_the_first_value_counts() -> None:
    assert groups_of("Final-Recipient: a@b\nAction: failed\nAction: delayed\n")[0]["action"] == "failed"


def test_the_number_of_groups_is_bounded() -> None:
    assert len(groups_of("Final-Recipient: a@b\n\n" * (2 * GROUPS))) == GROUPS


@pytest.mark.parametrize(
    ("value", "rest"),
    [
        ("rfc822; a@b", "a@b"),
        ("smtp;550 no; really", "550 no; really"),
        ("550 no; really", "550 no; really"),
        ("a@b", "a@b"),
        ("", ""),
    ],
)
def test_the_type_in_front_is_taken_off(value: str, rest: str) -> None:
    assert typed_value(value) == rest


@pytest.mark.parametrize(
    ("value", "address"),
    [
        ("rfc822;anna@kunde.example", "anna@kunde.example"),
        ("RFC822; <Anna@Kunde.Example>", "Anna@kunde.example"),
        ("anna@kunde.example (Anna)", "anna@kunde.example"),
        ("rfc822;mailto:anna@kunde.example", "anna@kunde.example"),
        ("x400; c=DE;a= ;dda:SMTP=anna@kunde.example;", "anna@kunde.example"),
        ("utf-8; jürgen@kunde.example", "jürgen@kunde.example"),
        ("rfc822;|/usr/bin/filter", None),
        ("local; anna", None),
        ("x400; /RFC-822=a(a)b.example/ADMD= /C=WW/", None),
        ("", None),
    ],
)
def test_an_address_is_taken_from_its_type(value: str, address: str | None) -> None:
    assert typed_address(value) == address
