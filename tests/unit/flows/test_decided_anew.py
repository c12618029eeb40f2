"""What a reviewer found in the decisions, case by case."""

from __future__ import annotations

from datetime import timedelta

import pytest

from shared.flows import held
from shared.mail.address import parse_address
from shared.model.mailbox import Settings
from tests.support.app import World
from tests.support.mails import mail
from tests.unit.flows.given import ANN, Desk, answer, bounce, proved


@pytest.fixture
def desk(world: World) -> Desk:
    return Desk(world)


@pytest.mark.parametrize("written", ["<kim@desk.example>", "KIM@desk.example", "kim@bücher.example"])
def test_an_agent_is_known_however_his_address_was_typed(desk: Desk, written: str) -> None:
    saved = desk.world.app.mailboxes.get(desk.tenant, "support")
    parsed = parse_address(written)
    assert saved is not None
    assert parsed is not None
    assert Settings.model_validate({**saved.settings.model_dump(), "agents": written}).is_agent(parsed.key)


def test_a_bounce_whose_server_renamed_our_mail_is_found_by_the_ids_that_the_mail_carried(desk: Desk) -> None:
    desk.receive(mail())
    renamed = b"Message-ID: <0100018f@email.amazonses.com>"
    raw = bounce("<0100018f@email.amazonses.com>").replace(
        renamed, renamed + f"\r\nReferences: {desk.our_id()}".encode()
    )
    assert desk.receive(raw).reason == "report_noted"


def test_a_report_about_a_mail_that_only_others_wrote_is_no_note(desk: Desk) -> None:
    desk.receive(mail(message_id="<1@example.com>"))
    assert desk.receive(bounce("<1@example.com>")).reason == "report_unmatched"
    assert desk.incident().notes_count == 1


def test_a_mailbox_without_an_address_is_known_by_its_user_name(desk: Desk) -> None:
    desk.mailbox("sales", email="", username="sales@example.org", group="Sales")
    assert desk.receive(mail("sales@example.org")).reason == "own_mail"


def test_a_participant_whose_mail_a_person_released_is_believed(desk: Desk) -> None:
    desk.mailbox(whitelist_enabled=True, whitelist="example.com", unverified_senders="hold")
    desk.receive(proved(ANN, message_id="<1@example.com>"))
    unproved = desk.receive(answer(in_reply_to="<1@example.com>"))
    assert unproved.reason == "sender_unverified"
    held.release(desk.world.app, desk.tenant, unproved.id, "Kim")
    desk.world.convert_all()
    assert desk.row(unproved.id).incident == 1


def test_old_mail_that_is_skipped_is_not_held_by_a_whitelist_first(desk: Desk) -> None:
    desk.mailbox(whitelist_enabled=True, old_mail="skip")
    row = desk.receive(mail(), at=desk.world.clock.now - timedelta(days=9))
    assert row.reason == "before_connection"
    held.release(desk.world.app, desk.tenant, row.id, "Kim")
    desk.world.convert_all()
    assert desk.row(row.id).incident == 1


def test_a_new_incident_in_place_of_a_closed_one_does_not_bear_its_number(desk: Desk) -> None:
    desk.mailbox(closed_reply="new")
    desk.receive(mail())
    desk.close()
    desk.receive(answer(subject="Re: [INC-000001] Printer"))
    assert desk.incident(2).subject == "Printer"
