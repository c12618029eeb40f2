from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from shared.model.mailbox import MAILBOX_ID, Settings

GOOD: dict[str, Any] = {"group": "Support", "host": "imap.example.com", "username": "support@example.com"}


def wrong_fields(**changes: Any) -> set[str]:
    """The fields that the refusal names."""
    with pytest.raises(ValidationError) as refused:
        Settings.model_validate({**GOOD, **changes})
    return {
        ".".join(map(str, error["loc"])) or str(error.get("ctx", {}).get("field")) for error in refused.value.errors()
    }


def test_settings_without_choices_are_those_that_the_seed_asks_for() -> None:
    settings = Settings.model_validate(GOOD)
    assert (settings.polling_minutes, settings.days_to_download, settings.folder) == (2, 180, "INBOX")
    assert (settings.security, settings.effective_port) == ("ssl", 993)
    assert not settings.whitelist_enabled
    assert settings.after_import == "leave"


@pytest.mark.parametrize(("security", "port"), [("ssl", 993), ("starttls", 143), ("none", 143)])
def test_the_port_is_the_usual_one_of_the_security_or_the_given_one(security: str, port: int) -> None:
    assert Settings.model_validate({**GOOD, "security": security}).effective_port == port
    assert Settings.model_validate({**GOOD, "security": security, "port": 1143}).effective_port == 1143


@pytest.mark.parametrize("control", [*map(chr, range(0x20)), "\x7f", "\r\nX1 DELETE INBOX\r\n"], ids=repr)
@pytest.mark.parametrize("field", ["group", "host", "username", "email", "client_id", "tenant_id", "folder", "move_to"])
def test_a_control_character_inside_a_text_is_refused_by_the_name_of_its_field(field: str, control: str) -> None:
    assert wrong_fields(**{field: f"a{control}b"}) == {field}


@pytest.mark.parametrize("field", ["username", "from_name", "host"])
def test_a_control_character_in_the_outgoing_settings_is_refused_as_well(field: str) -> None:
    assert wrong_fields(outgoing={field: "a\r\nb"}) == {f"outgoing.{field}"}


@pytest.mark.parametrize("field", ["group", "username", "folder", "host"])
def test_line_ends_around_a_pasted_value_do_not_reach_the_wire(field: str) -> None:
    settings = Settings.model_validate({**GOOD, field: f" {GOOD.get(field, 'Inbox')}\r\n"})
    assert getattr(settings, field) == GOOD.get(field, "Inbox")


@pytest.mark.parametrize(
    "host",
    [
        "https://imap.example.com",
        "imap.example.com/inbox",
        "imap.example.com:993",
        "user@imap.example.com",
        "imap example.com",
        "imap..example.com",
        ".example.com",
        "[::1]",
        "a" * 254,
        "-imap.example.com",
        "imap.example.com?x",
        "imap.example.com#x",
        "bücher.example",
        "",
        "   ",
    ],
)
def test_what_is_no_host_name_is_refused(host: str) -> None:
    assert wrong_fields(host=host) == {"host"}


@pytest.mark.parametrize(
    "host", ["IMAP.Example.COM", "imap.example.com.", "localhost", "mail_1.corp", "10.0.0.1", "fe80::1"]
)
def test_a_host_name_is_taken_and_written_small(host: str) -> None:
    assert Settings.model_validate({**GOOD, "host": host}).host == host.lower()


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("polling_minutes", 0),
        ("polling_minutes", -1),
        ("polling_minutes", 1441),
        ("polling_minutes", 2.5),
        ("polling_minutes", "often"),
        ("days_to_download", -1),
        ("days_to_download", 3651),
        ("port", 0),
        ("port", 65536),
        ("port", -993),
        ("security", "tls"),
        ("server_type", "exchange"),
        ("after_import", "burn"),
        ("acknowledge", True),
        ("agents", "bob@desk.example, not an address"),
        ("closed_reply", "burn"),
        ("max_incidents_per_hour", 0),
        ("email", "support"),
        ("email", "a@b@c.example"),
        ("email", "a@example.com, b@example.com"),
        ("group", ""),
        ("group", "g" * 101),
        ("username", ""),
        ("username", "u" * 201),
        ("folder", ""),
        ("whitelist", "ok.com, not a domain!"),
        ("whitelist", "x" * 30_001),
        ("surprise", "unknown fields are refused"),
    ],
)
def test_a_value_that_cannot_be_used_is_refused_by_the_name_of_its_field(field: str, value: object) -> None:
    assert wrong_fields(**{field: value}) == {field}


def test_an_outgoing_server_needs_a_name_but_office_365_sends_by_itself() -> None:
    on = {"outgoing": {"enabled": True}}
    assert wrong_fields(**on) == {"outgoing.host"}
    assert wrong_fields(email="", outgoing={"enabled": True, "host": "smtp.example.org"}) == {"email"}
    office = {"server_type": "office365", "email": "a@b.example", "client_id": "c", "tenant_id": "t"}
    assert Settings.model_validate({**GOOD, **office, **on}).outgoing.enabled


@pytest.mark.parametrize(
    ("outgoing", "asks_again"),
    [
        ({"enabled": True, "host": "smtp.example.org"}, True),
        ({"enabled": True, "host": "smtp.example.org", "username": "support"}, True),
        ({"enabled": True, "host": "smtp.example.org", "username": "another"}, False),
        ({"enabled": False, "host": "smtp.example.org"}, False),
    ],
    ids=["borrows it", "borrows it by name", "has its own", "is off"],
)
def test_a_server_that_is_lent_the_mailboxs_password_is_part_of_what_it_was_given_for(
    outgoing: dict[str, object], asks_again: bool
) -> None:
    good = {**GOOD, "username": "support", "email": "support@example.org"}
    before, after = Settings.model_validate(good), Settings.model_validate({**good, "outgoing": outgoing})
    assert (before.secret_target("password") != after.secret_target("password")) is asks_again


@pytest.mark.parametrize("change", [{"host": "evil.example"}, {"port": 25}, {"security": "none"}, {"username": "b"}])
def test_the_outgoing_password_is_asked_again_for_another_server(change: dict[str, object]) -> None:
    mine = {"enabled": True, "host": "smtp.example.org", "username": "a"}
    good = {**GOOD, "email": "support@example.org"}
    before = Settings.model_validate({**good, "outgoing": mine})
    after = Settings.model_validate({**good, "outgoing": {**mine, **change}})
    assert before.secret_target("outgoing_password") != after.secret_target("outgoing_password")


def test_every_wrong_field_is_named_at_once() -> None:
    assert wrong_fields(port=0, polling_minutes=0, email="x") == {"port", "polling_minutes", "email"}


@pytest.mark.parametrize("minutes", [1, 2, 7, 1440])
def test_every_whole_number_of_minutes_up_to_a_day_is_taken(minutes: int) -> None:
    assert Settings.model_validate({**GOOD, "polling_minutes": minutes}).polling_minutes == minutes


def test_an_address_is_taken_as_it_is_compared_later() -> None:
    assert Settings.model_validate({**GOOD, "email": "Support@BÜCHER.example"}).email == "Support@xn--bcher-kva.example"


def test_an_enabled_and_empty_whitelist_is_a_choice_and_not_a_mistake() -> None:
    assert Settings.model_validate({**GOOD, "whitelist_enabled": True}).whitelist == ""


def test_what_was_saved_reads_back_equal() -> None:
    settings = Settings.model_validate({**GOOD, "port": 1143, "whitelist": "ok.com", "outgoing": {"from_name": "Desk"}})
    assert Settings.stored(settings.model_dump()) == settings


def test_a_row_of_an_older_or_newer_version_reads_with_defaults_and_without_judgement() -> None:
    stored = Settings.stored(
        {**GOOD, "whitelist": "no longer readable!", "a_field_of_tomorrow": 1, "outgoing": {"enabled": True}}
    )
    assert (stored.polling_minutes, stored.folder, stored.whitelist) == (2, "INBOX", "no longer readable!")
    assert stored.outgoing.enabled
    assert stored.outgoing.security == "starttls"
    assert "a_field_of_tomorrow" not in stored.model_dump()
    assert Settings.stored(dict(GOOD)).enabled


@pytest.mark.parametrize(
    ("change", "source", "target"),
    [
        ({"host": "other.example"}, True, True),
        ({"port": 1143}, True, True),
        ({"username": "other"}, True, True),
        ({"folder": "Support"}, True, False),
        ({"security": "starttls", "port": 993}, False, True),
        ({"security": "none"}, True, True),
        ({"port": 993}, False, False),
        ({"group": "Sales"}, False, False),
        ({"polling_minutes": 5}, False, False),
        ({"whitelist": "ok.com"}, False, False),
        ({"email": "x@example.com"}, False, False),
        ({"days_to_download": 7}, False, False),
        ({"enabled": False}, False, False),
    ],
    ids=lambda value: str(value),
)
def test_a_new_place_starts_a_new_cursor_and_a_new_server_asks_for_the_password(
    change: dict[str, Any], source: bool, target: bool
) -> None:
    before, after = Settings.model_validate(GOOD), Settings.model_validate({**GOOD, **change})
    assert (before.source_identity() != after.source_identity()) is source
    assert (before.secret_target("password") != after.secret_target("password")) is target


@pytest.mark.parametrize("id", ["a", "support", "sales-emea", "0", "a" * 63, "a--b"])
def test_a_mailbox_id_is_made_of_small_letters_digits_and_hyphens(id: str) -> None:
    assert MAILBOX_ID.fullmatch(id)


@pytest.mark.parametrize("id", ["", "-a", "a-", "A", "a_b", "a.b", "a/b", "a b", "ä", "a" * 64, "support\n", "a\nb"])
def test_nothing_else_is_a_mailbox_id(id: str) -> None:
    assert not MAILBOX_ID.fullmatch(id)
