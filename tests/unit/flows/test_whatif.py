"""What kept mail would become under other settings."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from shared.flows import held
from shared.flows.whatif import MAX_MAILS, WhatIf, what_if
from shared.model.incident import Status
from shared.model.reason import Outcome
from tests.support.app import World
from tests.support.mails import mail
from tests.support.memory import MemoryBlobs, MemoryTables
from tests.unit.flows.given import ANN, BOB, EVE, Desk, answer, attached, bounce, forged, proved, vacation


@pytest.fixture
def desk(world: World) -> Desk:
    return Desk(world)


def ask(desk: Desk, days: int = 30, **changed: Any) -> WhatIf:
    """What would be with these settings; and that asking changed nothing at all."""
    saved = desk.world.app.mailboxes.get(desk.tenant, "support")
    assert saved is not None
    assert isinstance(desk.world.tables, MemoryTables)
    assert isinstance(desk.world.blobs, MemoryBlobs)
    before = dict(desk.world.tables.rows), dict(desk.world.blobs.content), list(desk.world.queues.inbound)
    proposed = replace(saved, settings=saved.settings.model_copy(update=changed))
    found = what_if(desk.world.app, saved, proposed, days)
    assert before == (dict(desk.world.tables.rows), dict(desk.world.blobs.content), list(desk.world.queues.inbound))
    return found


def differences(found: WhatIf) -> list[tuple[str, str, str]]:
    """Who wrote, what it is, what it would be; the oldest first."""
    return [(one.mail.sender, one.mail.reason, one.would.reason.code) for one in reversed(found.differences)]


def test_one_of_everything_and_the_same_settings_are_no_difference(desk: Desk) -> None:
    desk.mailbox(agents="kim@desk.example", closed_reply="new")
    desk.mailbox("sales", group="Sales")
    desk.receive(mail(references="<0@x>"))
    desk.receive(mail(), "sales")
    desk.receive(mail())
    desk.receive(answer(in_reply_to="<1@example.com>", subject="Re: [INC-000001]"))
    desk.receive(answer(EVE, to=desk.reply_address()))
    desk.receive(answer("support@example.org"))
    desk.receive(vacation())
    desk.receive(vacation(to=desk.reply_address()))
    desk.receive(bounce(desk.our_id()))
    desk.receive(bounce("<nothing@x>"))
    desk.receive(answer(BOB, make=forged))
    desk.receive(attached("kim@desk.example", mail(message_id="<k@x>"), make=proved))
    desk.receive(answer("a@b.example, c@d.example"))
    desk.close(1)
    desk.receive(answer(in_reply_to="<1@example.com>"))
    found = ask(desk)
    assert differences(found) == []
    assert found.before == found.after
    assert (found.looked_at, found.complete) == (12, True), "all but the copy, and those of the other mailbox"
    assert found.before == {Outcome.DELIVERED: 9, Outcome.HELD: 2, Outcome.DISCARDED: 1}


def test_a_whitelist_that_is_switched_on_shows_exactly_whom_it_would_hold(desk: Desk) -> None:
    desk.receive(mail())
    desk.receive(answer(BOB))
    desk.receive(answer(in_reply_to="<1@example.com>"))
    desk.receive(answer("a@b.example, c@d.example"))
    found = ask(desk, whitelist_enabled=True, whitelist="example.com")
    assert differences(found) == [
        ("bob@example.net", "new_incident", "not_on_whitelist"),
        ("a@b.example, c@d.example", "new_incident", "sender_unreadable"),
    ]
    assert (found.before, found.after) == ({Outcome.DELIVERED: 4}, {Outcome.DELIVERED: 2, Outcome.HELD: 2})


def test_a_longer_whitelist_shows_exactly_whom_it_would_let_in(desk: Desk) -> None:
    desk.mailbox(whitelist_enabled=True, whitelist="example.com")
    for sender in (ANN, BOB, EVE):
        desk.receive(answer(sender))
    found = ask(desk, whitelist="example.com, example.net")
    assert differences(found) == [("bob@example.net", "not_on_whitelist", "new_incident")]


def test_a_held_mail_that_somebody_released_is_still_released(desk: Desk) -> None:
    desk.mailbox(whitelist_enabled=True)
    row = desk.receive(answer())
    held.release(desk.world.app, desk.tenant, row.id, "Kim")
    desk.world.convert_all()
    desk.receive(answer(BOB))
    assert differences(ask(desk, whitelist_enabled=False)) == [("bob@example.net", "not_on_whitelist", "new_incident")]


def test_unverified_senders_that_are_to_be_held_are_named_and_proved_ones_are_not(desk: Desk) -> None:
    desk.mailbox(whitelist_enabled=True, whitelist="example.com, example.net")
    desk.receive(answer(make=proved))
    desk.receive(answer(BOB))
    found = ask(desk, unverified_senders="hold")
    assert differences(found) == [("bob@example.net", "new_incident", "sender_unverified")]


def test_other_agents_show_whose_forwards_would_have_another_reporter(desk: Desk) -> None:
    desk.receive(attached("kim@desk.example", mail(message_id="<k@x>"), make=proved))
    desk.receive(attached("lee@desk.example", mail(message_id="<l@x>"), make=proved))
    desk.receive(answer("kim@desk.example", make=proved))
    (difference,) = ask(desk, agents="kim@desk.example").differences
    assert difference.mail.sender == "kim@desk.example"
    assert difference.would.forward is not None
    assert difference.would.forward.author.key == "ann@example.com"


def test_another_judge_of_senders_is_asked_anew(desk: Desk) -> None:
    desk.mailbox(authserv_id="mx.example.org", whitelist_enabled=True, whitelist="example.com")
    desk.receive(answer(make=forged))
    found = ask(desk, authserv_id="mx.another.example")
    assert differences(found) == [("ann@example.com", "sender_forged", "new_incident")]


@pytest.mark.parametrize(
    ("was", "wish", "would"),
    [
        ("reopen", "new", "new_after_closed"),
        ("reopen", "keep", "reply_by_reference"),
        ("new", "keep", "reply_by_reference"),
    ],
)
def test_what_happens_to_answers_to_closed_incidents_is_shown_for_those_that_are_closed_now(
    desk: Desk, was: str, wish: str, would: str
) -> None:
    desk.mailbox(closed_reply=was)
    desk.receive(mail())
    desk.close()
    desk.receive(answer(in_reply_to="<1@example.com>"))
    desk.change(1, status=Status.CLOSED) if was == "reopen" else None
    found = ask(desk, closed_reply=wish)
    assert [one.would.reason.code for one in found.differences] == [would]


def test_old_mail_that_would_be_skipped_or_closed_is_named(desk: Desk) -> None:
    desk.receive(mail(), at=desk.world.clock.now - timedelta(days=40))
    desk.receive(answer(BOB))
    assert differences(ask(desk, old_mail="skip")) == [("ann@example.com", "new_incident", "before_connection")]
    assert differences(ask(desk, old_mail="closed")) == [("ann@example.com", "new_incident", "old_incident")]


def test_the_mail_that_opened_an_incident_does_not_find_itself_there(desk: Desk) -> None:
    desk.receive(mail(references="<0@x>"))
    desk.receive(answer(in_reply_to="<1@example.com>"))
    assert differences(ask(desk, closed_reply="new")) == []
    desk.receive(answer(message_id="<q2@example.com>"))
    desk.change(1, merged_into=2)
    desk.close(2)
    # Only the answer is one; whoever opened an incident answered nothing, wherever it was merged into.
    assert [one.mail.note for one in ask(desk, closed_reply="new").differences] == [2]


def test_only_the_days_that_were_asked_for_are_looked_at(desk: Desk) -> None:
    for days in (3, 2, 1):
        desk.receive(answer())
        desk.world.clock.advance(days=1, minutes=days)
    assert [ask(desk, days=days).looked_at for days in (1, 2, 3, 4, 5)] == [0, 1, 2, 3, 3]


def test_no_more_mails_than_anybody_waits_for_and_it_says_so(desk: Desk) -> None:
    at = desk.world.clock.now
    for number in range(MAX_MAILS + 3):
        raw = mail(text=str(number), message_id=f"<{number}@example.com>")
        desk.world.folders["support"].deliver(raw, at)
    for _ in range(30):
        desk.world.poll(desk.tenant)
        desk.world.convert_all()
    found = ask(desk, whitelist_enabled=True)
    assert (found.looked_at, found.complete, len(found.differences)) == (MAX_MAILS, False, MAX_MAILS)


def test_a_question_that_takes_too_long_is_answered_with_what_was_found(desk: Desk) -> None:
    for _ in range(5):
        desk.receive(answer())
    saved = desk.world.app.mailboxes.get(desk.tenant, "support")
    assert saved is not None
    ticks = iter(range(0, 1000, 10))
    app = replace(desk.world.app, now=lambda: desk.world.clock.now + timedelta(seconds=next(ticks)))
    found = what_if(app, saved, saved, 30)
    assert found.complete is False
    assert 0 < found.looked_at < 5


def test_a_mail_whose_raw_is_gone_is_passed_over(desk: Desk) -> None:
    row = desk.receive(answer())
    desk.receive(answer(BOB))
    assert isinstance(desk.world.blobs, MemoryBlobs)
    del desk.world.blobs.content["raw", f"{desk.tenant}/{row.id}.eml"]
    assert ask(desk).looked_at == 1


def test_an_empty_mailbox_has_an_answer_as_well(desk: Desk) -> None:
    assert ask(desk, whitelist_enabled=True) == WhatIf(0, True, {}, {}, ())
