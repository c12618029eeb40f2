"""What people do with mail that was held or failed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest

from shared.errors import CallerError, Conflict, Invalid, NotFound
from shared.flows import convert, held, mailboxes
from shared.model import whitelist
from shared.model.inbound import Inbound
from shared.model.mailbox import MAX_WHITELIST
from shared.model.reason import Outcome
from tests.support.app import World, make_app
from tests.support.checker import Stored
from tests.support.failing import FailingTables, Fault
from tests.support.mails import mail
from tests.unit.flows.given import ANN, BOB, EVE, Desk, answer, forged, vacation

NOBODY = "a@b.example, c@d.example"


@pytest.fixture
def desk(world: World) -> Desk:
    """A mailbox whose whitelist blocks everybody."""
    made = Desk(world)
    made.mailbox(whitelist_enabled=True)
    return made


def release(desk: Desk, mail: Inbound, by: str = "Kim") -> Inbound:
    held.release(desk.world.app, desk.tenant, mail.id, by)
    desk.world.convert_all()
    return desk.row(mail.id)


def discard(desk: Desk, mail: Inbound, by: str = "Kim") -> Inbound:
    return held.discard(desk.world.app, desk.tenant, mail.id, by)


def allow(desk: Desk, mail: Inbound, by: str = "Kim") -> int:
    released = held.always_allow(desk.world.app, desk.tenant, mail.id, by)
    desk.world.convert_all()
    return released


def listed(desk: Desk, mailbox: str = "support") -> str:
    found = desk.world.app.mailboxes.get(desk.tenant, mailbox)
    assert found is not None
    return found.settings.whitelist


# ── release ───────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_released_mail_is_an_incident_and_its_trace_says_who_wanted_that(desk: Desk) -> None:
    mail = desk.receive(answer())
    row = release(desk, mail)
    assert (row.outcome, row.reason, row.incident, row.released) == (Outcome.DELIVERED, "new_incident", 1, "Kim")
    assert "Kim" in desk.why(row, "released")
    assert "released by a person" in desk.why(row, "on_whitelist")
    assert listed(desk) == "", "this mail only"
    assert desk.receive(answer()).outcome is Outcome.HELD
    assert desk.problems() == []


def test_a_released_answer_is_a_note_of_its_incident(desk: Desk) -> None:
    desk.mailbox(whitelist_enabled=True, whitelist="bob@example.net")
    desk.receive(mail(BOB, cc="ann@example.com"))
    row = release(desk, desk.receive(answer(in_reply_to="<1@example.com>")))
    assert (row.reason, row.incident) == ("reply_by_reference", 1)


@pytest.mark.parametrize(
    ("raw", "code"),
    [
        (answer(), "not_on_whitelist"),
        (answer(NOBODY), "sender_unreadable"),
        (answer(make=forged), "sender_forged"),
        (answer("boss@example.org", make=forged), "sender_forged"),
    ],
)
def test_whatever_held_it_a_released_mail_is_delivered(desk: Desk, raw: bytes, code: str) -> None:
    row = desk.receive(raw)
    assert row.reason == code
    assert release(desk, row).outcome is Outcome.DELIVERED
    assert desk.problems() == []


def test_an_automatic_reply_that_is_released_is_an_incident_that_says_what_it_is(world: World) -> None:
    desk = Desk(world)
    row = release(desk, desk.receive(vacation()))
    assert row.outcome is Outcome.DELIVERED
    assert desk.last().marks == ("auto_reply",)


def test_a_mail_that_is_released_twice_is_one_incident_and_the_second_is_told(desk: Desk) -> None:
    mail = desk.receive(answer())
    held.release(desk.world.app, desk.tenant, mail.id, "Kim")
    with pytest.raises(Conflict, match="pending"):
        release(desk, mail, "Lee")
    desk.world.convert_all()
    with pytest.raises(Conflict, match="delivered"):
        release(desk, mail, "Lee")
    assert len(desk.incidents()) == 1
    assert desk.row(mail.id).released == "Kim"
    assert desk.problems() == []


def test_two_copies_of_a_mail_that_are_both_released_are_one_incident(desk: Desk) -> None:
    first = desk.receive(mail())
    second = desk.receive(mail())
    assert release(desk, first).reason == "new_incident"
    assert release(desk, second).reason == "same_mail"
    assert desk.problems() == []


def test_the_mail_of_a_mailbox_that_is_gone_is_held_again(desk: Desk) -> None:
    mail = desk.receive(answer())
    mailboxes.remove(desk.world.app, desk.tenant, "support")
    assert release(desk, mail).reason == "mailbox_removed"
    assert desk.problems() == []


def test_an_old_mail_that_is_released_is_not_skipped_after_all(desk: Desk) -> None:
    desk.mailbox(whitelist_enabled=True, old_mail="skip")
    row = release(desk, desk.receive(answer(), at=desk.world.clock.now - timedelta(days=9)))
    assert row.outcome is Outcome.DELIVERED


# ── discard ───────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_discarded_mail_is_kept_and_can_be_released_after_all(desk: Desk) -> None:
    mail = desk.receive(answer())
    gone = discard(desk, mail)
    assert (gone.outcome, gone.reason, gone.can_be_released) == (Outcome.DISCARDED, "discarded_by_person", True)
    assert "Kim" in gone.trace[-1].why
    assert desk.world.app.raw.get(desk.tenant, mail.id) is not None
    assert desk.problems() == []
    row = release(desk, mail, "Lee")
    assert (row.outcome, row.released) == (Outcome.DELIVERED, "Lee")
    assert desk.problems() == []


def test_what_is_not_held_is_not_discarded_and_not_allowed(desk: Desk) -> None:
    mail = desk.receive(answer("support@example.org"))
    assert mail.reason == "own_mail"
    for act in (discard, allow, release):
        with pytest.raises(Conflict, match="not held"):
            act(desk, mail)


@pytest.mark.parametrize("act", [held.release, held.discard, held.always_allow])
@pytest.mark.parametrize("id", ["0" * 32, ""])
def test_a_mail_that_never_was_is_not_found(desk: Desk, act: Callable[..., object], id: str) -> None:
    with pytest.raises(NotFound):
        act(desk.world.app, desk.tenant, id, "Kim")
    with pytest.raises(NotFound):
        held.retry(desk.world.app, desk.tenant, id)


def test_another_tenant_can_do_nothing_with_a_mail_of_ours(desk: Desk) -> None:
    mail = desk.receive(answer())
    other, _ = desk.world.tenant("globex")
    for act in (held.release, held.discard, held.always_allow):
        with pytest.raises(NotFound):
            act(desk.world.app, other, mail.id, "Eve")
    assert desk.row(mail.id).outcome is Outcome.HELD


# ── always allow ──────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_sender_who_is_always_allowed_gets_all_his_mail_out_and_nobody_elses(desk: Desk) -> None:
    desk.mailbox("sales", whitelist_enabled=True, group="Sales")
    his = [desk.receive(answer("Ann <ANN@example.com>" if number % 2 else ANN)) for number in range(3)]
    others = [
        desk.receive(answer(BOB)),
        desk.receive(answer("ann@example.com.evil.example")),
        desk.receive(answer("joann@example.com")),
        desk.receive(answer(NOBODY)),
        desk.receive(answer(ANN, make=forged)),
        desk.receive(answer(), "sales"),
    ]
    assert allow(desk, his[1]) == 3
    assert [desk.row(one.id).outcome for one in his] == [Outcome.DELIVERED] * 3
    assert [desk.row(one.id).outcome for one in others] == [Outcome.HELD] * len(others)
    assert (listed(desk), listed(desk, "sales")) == ("ann@example.com", "")
    assert desk.receive(answer()).outcome is Outcome.DELIVERED
    assert desk.problems() == []


def test_a_forged_mail_puts_nobody_on_the_whitelist_and_passes_none(desk: Desk) -> None:
    with pytest.raises(Conflict):
        allow(desk, desk.receive(answer(make=forged)))
    assert listed(desk) == ""
    assert allow(desk, desk.receive(answer())) == 1
    assert desk.receive(answer(make=forged)).reason == "sender_forged"


def test_more_mail_than_a_page_of_the_list_holds_is_released_at_once(desk: Desk) -> None:
    for number in range(230):
        raw = answer(ANN if number % 23 == 0 else f"p{number}@example.net")
        desk.world.folders["support"].deliver(raw, desk.world.clock.now)
    for _ in range(20):
        desk.world.poll(desk.tenant)
        desk.world.convert_all()
    mail = next(one for one in desk.world.ledger(desk.tenant) if one.sender == "ann@example.com")
    assert allow(desk, mail) == 10
    assert Stored(desk.world.tables, desk.world.blobs, desk.tenant).outcomes()["new_incident"] == 10


@pytest.mark.parametrize("before", ["bob@example.net", "bob@example.net,", "bob@example.net ,\n", "example.net"])
def test_a_sender_is_added_to_what_is_listed_already(desk: Desk, before: str) -> None:
    desk.mailbox(whitelist_enabled=True, whitelist=before)
    allow(desk, desk.receive(answer()))
    assert whitelist.entries(listed(desk)) == (*whitelist.entries(before), "ann@example.com")
    assert whitelist.unreadable(listed(desk)) == ()


def test_a_sender_whom_an_entry_lets_in_already_is_not_added_again(desk: Desk) -> None:
    first, second = desk.receive(answer()), desk.receive(answer())
    desk.mailbox(whitelist_enabled=True, whitelist="example.com")
    assert allow(desk, first) == 2
    assert desk.row(second.id).outcome is Outcome.DELIVERED
    assert listed(desk) == "example.com"


@pytest.mark.parametrize("size", [MAX_WHITELIST, MAX_WHITELIST - len(", ann@example.com") + 1])
def test_a_full_whitelist_says_so_and_the_mail_stays_held(desk: Desk, size: int) -> None:
    full = "a.example," * ((size - 20) // 10)
    full += "b" * (size - len(full) - len(".example")) + ".example"
    assert len(full) == size
    desk.mailbox(whitelist_enabled=True, whitelist=full)
    mail = desk.receive(answer())
    with pytest.raises(Invalid) as told:
        allow(desk, mail)
    assert "full" in str(told.value.errors)
    assert desk.row(mail.id).outcome is Outcome.HELD


def test_a_mail_without_a_clear_sender_allows_nobody(desk: Desk) -> None:
    mail = desk.receive(answer(NOBODY))
    with pytest.raises(Conflict):
        allow(desk, mail)
    assert listed(desk) == ""


@pytest.mark.parametrize(
    "sender",
    ['"x, evil.example, y"@ok.example', '"x evil.example"@ok.example', '"a;evil.example"@ok.example'],
)
def test_an_address_that_would_be_several_entries_is_refused(desk: Desk, sender: str) -> None:
    mail = desk.receive(answer(sender))
    assert mail.reason == "not_on_whitelist"
    with pytest.raises(Invalid):
        allow(desk, mail)
    assert listed(desk) == ""
    assert desk.receive(answer(EVE.replace("eve@evil", "x@evil"))).outcome is Outcome.HELD


@pytest.mark.parametrize(
    "sender", ["ann@bücher.example", "Ärne@example.com", "o'neil+x@example.com", '"a.b"@x.example']
)
def test_an_unusual_address_that_is_allowed_is_let_in_from_then_on(desk: Desk, sender: str) -> None:
    raw = b"From: " + sender.encode() + b"\r\nSubject: x\r\nMessage-ID: <%d@u>\r\n\r\nx\r\n"
    mail = desk.receive(raw % 1)
    assert mail.reason == "not_on_whitelist"
    assert allow(desk, mail) == 1
    assert desk.receive(raw % 2).outcome is Outcome.DELIVERED
    assert whitelist.unreadable(listed(desk)) == ()


def test_the_mailbox_of_the_mail_may_be_gone(desk: Desk) -> None:
    mail = desk.receive(answer())
    mailboxes.remove(desk.world.app, desk.tenant, "support")
    with pytest.raises(Conflict, match="deleted"):
        allow(desk, mail)


# ── two people at the same time ───────────────────────────────────────────────────────────────────────────────────


def at_each_step(first: Callable[[Desk, Inbound], object], second: Callable[[Desk, Inbound], object]) -> list[Desk]:
    """``second`` happens wholly before each storage operation of ``first``. The desks as they are after both."""
    ended: list[Desk] = []
    for at in range(1, 200):
        fault = Fault()
        desk = Desk(make_app(FailingTables(make_app().tables, fault)))
        desk.mailbox(whitelist_enabled=True)
        mail = desk.receive(answer())

        def elsewhere(desk: Desk = desk, mail: Inbound = mail) -> None:
            _try(second, desk, mail)

        fault.arm(at, instead=elsewhere)
        _try(first, desk, mail)
        if fault.armed:
            assert at > 2
            return ended
        desk.world.convert_all()
        ended.append(desk)
    raise AssertionError("it never ended")


def _try(act: Callable[[Desk, Inbound], object], desk: Desk, mail: Inbound) -> None:
    try:
        act(desk, mail)
    except CallerError:
        return


def _release(desk: Desk, mail: Inbound) -> object:
    return held.release(desk.world.app, desk.tenant, mail.id, "Kim")


def _discard(desk: Desk, mail: Inbound) -> object:
    return held.discard(desk.world.app, desk.tenant, mail.id, "Lee")


def _allow(desk: Desk, mail: Inbound) -> object:
    return held.always_allow(desk.world.app, desk.tenant, mail.id, "Lee")


@pytest.mark.parametrize("first", [_release, _allow])
@pytest.mark.parametrize("second", [_release, _allow])
def test_two_people_who_release_one_mail_make_one_incident(
    first: Callable[[Desk, Inbound], object], second: Callable[[Desk, Inbound], object]
) -> None:
    for desk in at_each_step(first, second):
        assert desk.problems() == []
        assert len(desk.incidents()) == 1


def test_of_one_who_releases_and_one_who_discards_the_mail_ends_in_one_place() -> None:
    for desk in (*at_each_step(_release, _discard), *at_each_step(_discard, _release)):
        assert desk.problems() == []
        (row,) = desk.world.ledger(desk.tenant)
        assert (row.outcome, len(desk.incidents())) in [(Outcome.DELIVERED, 1), (Outcome.DISCARDED, 0)]


def test_settings_that_are_saved_at_the_same_moment_keep_both_changes() -> None:
    def save(desk: Desk, mail: Inbound) -> None:
        box = desk.world.app.mailboxes.get(desk.tenant, "support")
        assert box is not None
        desk.mailbox(whitelist_enabled=True, whitelist=f"{box.settings.whitelist}, bob@example.net".strip(", "))

    for desk in at_each_step(_allow, save):
        assert set(whitelist.entries(listed(desk))) == {"ann@example.com", "bob@example.net"}
        assert len(desk.incidents()) == 1


def test_settings_that_never_stand_still_are_a_conflict_and_the_mail_stays_held(desk: Desk) -> None:
    mail = desk.receive(answer())
    inner = desk.world.app.mailboxes

    class Restless:
        """Somebody saves before each of our writes."""

        def __getattr__(self, name: str) -> object:
            return getattr(inner, name)

        def put(self, mailbox: object) -> object:
            desk.mailbox(whitelist_enabled=True)
            return inner.put(mailbox)  # type: ignore[arg-type]

    app = replace(desk.world.app, mailboxes=Restless())  # type: ignore[arg-type]
    with pytest.raises(Conflict, match="Somebody else"):
        held.always_allow(app, desk.tenant, mail.id, "Kim")
    assert desk.row(mail.id).outcome is Outcome.HELD


# ── try again ─────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_mail_whose_conversion_failed_is_tried_again_and_delivered(world: World) -> None:
    desk = Desk(world)
    world.folders["support"].deliver(mail())
    world.poll(desk.tenant)
    (key, _, _) = next(iter(world.app.desk.pending(desk.tenant)))
    world.queues.inbound.clear()
    convert.give_up(world.app, desk.tenant, key.id)
    assert held.retry(world.app, desk.tenant, key.id).outcome is Outcome.PENDING
    with pytest.raises(Conflict):
        held.retry(world.app, desk.tenant, key.id)
    world.convert_all()
    assert desk.row(key.id).reason == "new_incident"
    assert desk.problems() == []


def test_only_what_failed_is_tried_again(desk: Desk) -> None:
    mail = desk.receive(answer())
    with pytest.raises(Conflict, match="failed"):
        held.retry(desk.world.app, desk.tenant, mail.id)
