"""A log-in that the outgoing server refuses counts for the mailbox: however many mails wait, no account is locked."""

from __future__ import annotations

import threading
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from shared.errors import ConsentNeeded, LoginRefused, StoreError, Unreachable
from shared.flows import logins, mailboxes, poll, send
from shared.flows.reply import Draft, add
from shared.model import schedule
from shared.model.incident import Note
from shared.model.logins import LOOK_AGAIN, PAUSE
from shared.model.outbound import SendState
from shared.model.schedule import Slot
from shared.store import keys
from shared.store.desk import TableDesk
from shared.store.tables import Replace
from tests.support.app import World, make_app
from tests.support.courier import MemoryPost
from tests.support.failing import FailingTables, Fault, Kind
from tests.support.memory import MemoryTables
from tests.unit.flows.test_conversation import OUT, Talk
from tests.unit.flows.test_send import QUESTION, at, write

MAILS = 10
REFUSED = LoginRefused("smtp.example.org does not accept this user name and password.", "Check both.")


class Died(BaseException):
    """The process ends here."""


@pytest.fixture
def talk(world: World) -> Talk:
    """Ten answers wait, and the password is wrong."""
    return waiting(world)


def waiting(world: World, mails: int = MAILS) -> Talk:
    made = Talk(world)
    made.open()
    made.world.posts["support"] = MemoryPost(closed_with=REFUSED)
    made.receive(QUESTION)
    for _ in range(mails):
        write(made)
    return made


def post(talk: Talk) -> MemoryPost:
    return talk.world.posts["support"]


def states(talk: Talk) -> set[SendState]:
    return {at(talk, note).state for note in range(2, MAILS + 2)}


def said(talk: Talk, note: int) -> str:
    return at(talk, note).said


def slot(talk: Talk) -> Slot:
    found = talk.world.app.schedule.get(talk.tenant, "support")
    assert found is not None
    return found


def go_on(talk: Talk, **by: float) -> None:
    """Time goes by; whatever rings is heard, and the rescue looks for the rest."""
    end = talk.world.clock.now + timedelta(**by)
    while talk.world.clock.now < end:
        talk.world.clock.advance(minutes=1)
        send.rescue(talk.world.app, talk.tenant)
        talk.send_all()


def save(talk: Talk, **settings: str) -> None:
    """A person corrects the settings."""
    talk.mailbox(outgoing={**OUT, **settings})


def test_ten_mails_with_a_wrong_password_mean_three_log_ins_in_a_day(talk: Talk) -> None:
    talk.send_all()
    assert post(talk).logins == 1, "the others wait for what becomes of the first"
    go_on(talk, hours=20)
    assert (post(talk).logins, states(talk)) == (3, {SendState.QUEUED})
    assert "does not accept" in said(talk, 2)
    for note in range(2, MAILS + 2):
        assert "It waits" in said(talk, note)
        assert "save them; then it is sent by itself" in said(talk, note)


def test_they_are_sent_once_each_after_the_settings_were_saved(talk: Talk) -> None:
    talk.send_all()
    go_on(talk, hours=1)
    post(talk).closed_with = None
    save(talk, username="right")
    talk.send_all()
    assert states(talk) == {SendState.SENT}
    assert len(post(talk).sent) == MAILS


def test_settings_that_are_wrong_again_mean_three_more_log_ins(talk: Talk) -> None:
    talk.send_all()
    go_on(talk, hours=1)
    save(talk, username="wrong as well")
    talk.send_all()
    assert post(talk).logins == 3 + 1, "one tries, and the others wait"
    go_on(talk, hours=10)
    assert (post(talk).logins, states(talk)) == (3 + 3, {SendState.QUEUED})


def test_poll_now_tries_the_same_settings_again(talk: Talk) -> None:
    """The password was right all the time: the account was locked at the server, and is no more."""
    talk.send_all()
    go_on(talk, hours=1)
    post(talk).closed_with = None
    go_on(talk, hours=1)
    assert post(talk).sent == [], "nobody can know that"
    mailboxes.poll_now(talk.world.app, talk.tenant, "support")
    talk.send_all()
    assert len(post(talk).sent) == MAILS


def test_a_refusal_that_passes_costs_five_minutes(talk: Talk) -> None:
    talk.send_all()
    post(talk).closed_with = None
    go_on(talk, minutes=PAUSE.total_seconds() / 60 + 4)  # three of them until a lost bell is rung again
    assert (states(talk), len(post(talk).sent)) == ({SendState.SENT}, MAILS)
    assert slot(talk).out_refusals == 0


def test_a_server_that_is_not_there_is_no_refusal(talk: Talk) -> None:
    talk.send_all()
    post(talk).closed_with = Unreachable("It is not there.")
    go_on(talk, hours=2)
    assert slot(talk).out_refusals == 1
    post(talk).closed_with = None
    go_on(talk, hours=2)
    assert states(talk) == {SendState.SENT}


def test_one_mailbox_does_not_stop_another(talk: Talk) -> None:
    talk.mailbox("sales", group="Sales", outgoing=OUT)
    talk.world.posts["sales"] = MemoryPost()
    talk.send_all()
    go_on(talk, hours=1)
    talk.receive(QUESTION.replace(b"q@example.com", b"r@example.com").replace(b"support@", b"sales@"), "sales")
    number = talk.incidents()[-1].number
    add(talk.world.app, talk.tenant, number, Draft("Sand.", True, "Kim"))
    talk.send_all()
    assert len(talk.world.posts["sales"].sent) == 1


def test_after_a_day_without_other_settings_they_are_given_up_and_say_why(talk: Talk) -> None:
    go_on(talk, hours=26)
    assert (states(talk), post(talk).logins) == ({SendState.FAILED}, 3)
    assert said(talk, 5).startswith("Given up after a day.")
    assert "does not accept" in said(talk, 5)


def test_who_dies_in_the_middle_of_a_log_in_is_counted(talk: Talk) -> None:
    """In doubt a try is counted before it is made: nobody can know how far it came."""
    talk.send_all()
    post(talk).closed_with = Died()
    for _ in range(60):
        talk.world.clock.advance(minutes=1)
        try:
            send.send(talk.world.app, talk.tenant, 1, 3)
        except Died:
            continue
    assert post(talk).logins == 3


def test_many_functions_at_once_make_one_try_once_it_is_in_doubt(talk: Talk) -> None:
    talk.send_all()
    talk.world.clock.advance(minutes=PAUSE.total_seconds() / 60 + 1)
    start = threading.Barrier(MAILS)

    def run(note: int) -> None:
        start.wait()
        send.send(talk.world.app, talk.tenant, 1, note)

    threads = [threading.Thread(target=run, args=(note,)) for note in range(2, MAILS + 2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert post(talk).logins == 2
    assert states(talk) == {SendState.QUEUED}


def test_a_crash_between_saving_the_settings_and_the_schedule_stops_nothing(talk: Talk) -> None:
    """The count belongs to the settings that it was made with."""
    talk.send_all()
    go_on(talk, hours=1)
    before = slot(talk)
    post(talk).closed_with = None
    save(talk, username="right")
    # As if the function had died before the slot was written: nothing rang, and the old count stands there.
    talk.world.queues.outbound.clear()
    talk.world.app.schedule.put(replace(before, version=slot(talk).version))
    go_on(talk, minutes=LOOK_AGAIN.total_seconds() / 60 + 5)
    assert (states(talk), len(post(talk).sent)) == ({SendState.SENT}, MAILS)


def test_polls_keep_the_count_and_do_not_add_to_it(talk: Talk) -> None:
    talk.send_all()
    talk.world.clock.advance(minutes=10)
    poll.poll(talk.world.app, talk.tenant, "support")
    assert (slot(talk).out_refusals, slot(talk).refusals, slot(talk).failures) == (1, 0, 0)


def test_a_mailbox_without_a_place_in_the_schedule_is_counted_as_well(talk: Talk) -> None:
    talk.world.unschedule(talk.tenant, "support")
    go_on(talk, hours=5)
    assert post(talk).logins == 3
    assert slot(talk).enabled


def test_a_mailbox_that_is_deleted_meanwhile_gets_no_place_in_the_schedule(talk: Talk) -> None:
    app = talk.world.app
    mailbox = mailboxes.get(app, talk.tenant, "support")
    mailboxes.remove(app, talk.tenant, "support")
    logins.refused(app, mailbox, logins.Turn(), REFUSED)
    assert app.schedule.get(talk.tenant, "support") is None


def test_a_slot_of_an_older_version_has_no_refusals(talk: Talk) -> None:
    key, part = f"{talk.tenant}:support", schedule.shard(talk.tenant, "support")
    row = talk.world.tables.get("schedule", part, key)
    assert row is not None
    assert {"out_refusals", "out_settings"} <= set(row.values)
    old = {name: value for name, value in row.values.items() if not name.startswith("out_")}
    talk.world.tables.commit("schedule", part, [Replace(key, old, row.etag)])
    assert slot(talk).out_refusals == 0
    assert logins.take_turn(talk.world.app, mailboxes.get(talk.world.app, talk.tenant, "support")) == logins.Turn()


# ── how it is told ────────────────────────────────────────────────────────────────────────────────────────────────


def stored(time: datetime) -> datetime:
    """To the millisecond."""
    return keys.read_stamp(keys.stamp(time))


def sending(talk: Talk) -> logins.Sending:
    return mailboxes.status(talk.world.app, talk.tenant, "support").sending


def test_nothing_is_told_of_a_mailbox_whose_mail_leaves_or_that_sends_none(talk: Talk) -> None:
    assert sending(talk) == logins.Sending("ok")
    talk.mailbox(outgoing={})
    assert sending(talk) == logins.Sending("off")


def test_a_refused_log_in_is_told_with_why_since_when_and_when_the_next_try_is(talk: Talk) -> None:
    since = stored(talk.world.clock.now)
    talk.send_all()
    told = sending(talk)
    assert (told.state, told.error) == ("waiting", ("login_refused", REFUSED.message, REFUSED.fix))
    assert told.waiting_since == since
    assert told.next_try == since + PAUSE
    go_on(talk, hours=5)
    assert sending(talk) == replace(told, next_try=None), "three tries later only a person can go on"


def test_the_reason_is_that_of_the_last_try(talk: Talk) -> None:
    talk.send_all()
    other = ConsentNeeded("Nobody signed in.", "Sign in.")
    post(talk).closed_with = other
    go_on(talk, hours=1)
    assert sending(talk).error == (other.code, other.message, other.fix)


def test_with_saved_settings_nothing_is_known_until_a_mail_tries_them(talk: Talk) -> None:
    talk.send_all()
    save(talk, username="wrong as well")
    assert sending(talk) == logins.Sending("ok")
    talk.send_all()
    told = sending(talk)
    assert (told.state, told.waiting_since) == ("waiting", stored(talk.world.clock.now))
    post(talk).closed_with = None
    save(talk, username="right")
    talk.send_all()
    assert sending(talk) == logins.Sending("ok")
    assert (slot(talk).out_since, slot(talk).out_code, slot(talk).out_message, slot(talk).out_fix) == (None, "", "", "")


def test_a_log_in_that_nobody_knows_the_end_of_is_told_as_that(talk: Talk) -> None:
    talk.send_all()
    save(talk, username="another")
    post(talk).closed_with = Died()
    with pytest.raises(Died):
        send.send(talk.world.app, talk.tenant, 1, 3)
    assert (sending(talk).state, sending(talk).error) == ("waiting", logins.IN_DOUBT)


def test_a_refusal_that_an_older_version_counted_is_told_without_its_beginning(talk: Talk) -> None:
    talk.send_all()
    old = replace(slot(talk), out_since=None, out_code="", out_message="", out_fix="")
    talk.world.app.schedule.put(old)
    assert (sending(talk).state, sending(talk).waiting_since) == ("waiting", None)


# ── a fault at every storage operation ────────────────────────────────────────────────────────────────────────────


def _trial(at_: int, kind: Kind) -> tuple[int, list[str]]:
    """Two answers, a wrong password, and right settings in the end, with one fault on the way. How many operations
    the part with the fault takes, and what is wrong afterwards."""
    fault = Fault()
    talk = waiting(make_app(tables=FailingTables(MemoryTables(), fault)), 2)

    def go(minutes: int) -> None:
        for _ in range(minutes):
            talk.world.clock.advance(minutes=1)
            bells = list(talk.world.queues.outbound)
            try:
                send.rescue(talk.world.app, talk.tenant)
                talk.send_all()
            except StoreError:
                fault.disarm()
                talk.world.queues.outbound.extend(bells)  # the queue hands them out again

    fault.arm(at_, kind)
    go(PAUSE.seconds // 60 + 2)
    count = fault.count
    fault.disarm()
    go(45)
    logins_made = post(talk).logins
    found = [] if logins_made <= 3 + 1 else [f"{logins_made} log-ins"]
    post(talk).closed_with = None
    save(talk, username="right")
    go(20)
    states_now = [at(talk, note).state for note in (2, 3)]
    if states_now != [SendState.SENT] * 2 or len(post(talk).sent) != 2:
        found.append(f"{states_now}, {len(post(talk).sent)} sent")
    return count, found + talk.problems()


@pytest.mark.parametrize("kind", ["before", "after", "outage", "again"])
def test_no_fault_at_any_storage_operation_makes_more_than_one_log_in_more_or_stops_a_mail_for_ever(kind: Kind) -> None:
    operations, found = _trial(0, kind)
    assert found == []
    assert operations > 30
    failures = {number: found for number in range(1, operations + 1) if (found := _trial(number, kind)[1])}
    assert failures == {}


class _Counting(TableDesk):
    """Counts how often a note is read, as it is where a mail is written."""

    reads = 0

    def notes(self, tenant: str, number: int, after: int, limit: int) -> tuple[Note, ...]:
        self.reads += 1
        return super().notes(tenant, number, after, limit)


def test_a_mail_that_only_waits_is_not_written_each_time_it_looks(talk: Talk) -> None:
    """With its attachments that would be megabytes, for thousands of mails, every quarter of an hour."""
    talk.send_all()
    go_on(talk, hours=1)
    counting = _Counting(talk.world.tables, talk.world.blobs)
    app = replace(talk.world.app, desk=counting)
    talk.world.clock.advance(minutes=LOOK_AGAIN.total_seconds() / 60 + 1)
    for note in range(2, MAILS + 2):
        send.send(app, talk.tenant, 1, note)
    assert (states(talk), counting.reads) == ({SendState.QUEUED}, 0)


def test_a_mail_that_cannot_be_written_takes_nobodys_turn(talk: Talk) -> None:
    talk.send_all()
    before = slot(talk).out_refusals
    tables: Any = talk.world.tables
    place = next(key for key in tables.rows if key[2] == keys.note(1, 3))
    del tables.rows[place]
    talk.world.clock.advance(minutes=PAUSE.total_seconds() / 60 + 1)
    send.send(talk.world.app, talk.tenant, 1, 3)
    assert at(talk, 3).state is SendState.FAILED
    assert slot(talk).out_refusals == before
    post(talk).closed_with = None
    send.send(talk.world.app, talk.tenant, 1, 4)
    assert at(talk, 4).state is SendState.SENT
