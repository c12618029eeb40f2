from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from shared.errors import RowChanged
from shared.mail.address import Address
from shared.mail.reply.forward import Forward
from shared.model import reason
from shared.model.inbound import Content, Decision, Effect, Filing, Holder, Inbound, Kept, Step, ThreadEntry
from shared.model.incident import MARKS, Body, Incident, NoteKind, Status
from shared.model.limits import Limit, Tally, of_reopening
from shared.model.reason import Outcome, Reason
from shared.store import keys, rows
from shared.store.desk import KEEP_AT_ONCE, TableDesk
from shared.store.tables import Delete, Insert, Replace, Upsert
from tests.support.checker import violations
from tests.support.memory import MemoryBlobs, MemoryTables

NOON = datetime(2026, 11, 16, 12, tzinfo=UTC)
ANN, BOB = Address("Ann", "ann@example.com"), Address("Bob", "bob@desk.example")
CAT = Address("Cat", "cat@example.com")
TENANT = "acme.1"


class Desk(TableDesk):
    """A desk in memory, and quick ways to fill it."""

    def __init__(self) -> None:
        self.tables, self.blobs = MemoryTables(), MemoryBlobs()
        super().__init__(self.tables, self.blobs)
        self.count = 0

    def kept(self, mailbox: str = "support", at: datetime | None = None) -> Inbound:
        self.count += 1
        id, at = f"{self.count:032x}", at or NOON + timedelta(seconds=self.count)
        self.blobs.write("raw", f"{TENANT}/{id}.eml", b"")
        assert self.keep(TENANT, [kept(id, mailbox)], at) == (id,)
        return self.read(id)

    def read(self, id: str) -> Inbound:
        found = self.inbound(TENANT, id)
        assert found is not None
        return found

    def filed(
        self,
        why: Reason = reason.NEW_INCIDENT,
        join: Incident | None = None,
        mailbox: str = "support",
        group: str = "Support",
        at: datetime | None = None,
    ) -> Inbound:
        mail = self.kept(mailbox)
        decision = Decision(why, (Step("rule", True, "why"),), join)
        self.file(TENANT, filing(mail, decision, group, at or NOON + timedelta(seconds=self.count)))
        return self.read(mail.id)

    def numbers(self, after: str = "", limit: int = 1000, **only: object) -> tuple[list[int], str | None]:
        page = self.incidents(
            TENANT,
            only.get("status"),  # type: ignore[arg-type]
            only.get("mailbox"),  # type: ignore[arg-type]
            only.get("group"),  # type: ignore[arg-type]
            after,
            limit,
        )
        return [one.number for one in page.items], page.next

    def ids(self, outcome: Outcome | None = None, code: str | None = None, mailbox: str | None = None) -> list[str]:
        return [one.id for one in self.ledger(TENANT, outcome, code, mailbox, "", 1000).items]


def kept(id: str, mailbox: str = "support") -> Kept:
    empty = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    return Kept(id, mailbox, NOON, 0, empty)


def filing(mail: Inbound, decision: Decision, group: str = "Support", at: datetime = NOON) -> Filing:
    return Filing(mail, decision, group, at, "ann@example.com", "Fire", ANN, Body(mail.id), (ANN,), digest=mail.id)


@pytest.fixture
def desk() -> Desk:
    return Desk()


# ── keeping ───────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("count", [0, 1, KEEP_AT_ONCE - 1, KEEP_AT_ONCE, KEEP_AT_ONCE + 1, 3 * KEEP_AT_ONCE])
def test_any_number_of_mails_is_kept(desk: Desk, count: int) -> None:
    ids = tuple(f"{number:032x}" for number in range(count))
    assert desk.keep(TENANT, [kept(id) for id in ids], NOON) == ids
    assert sorted(desk.ids(Outcome.PENDING)) == list(ids)


def test_of_mails_that_are_there_already_only_the_new_ones_become_pending(desk: Desk) -> None:
    desk.keep(TENANT, [kept("1"), kept("3")], NOON)
    assert desk.keep(TENANT, [kept("1"), kept("2"), kept("2"), kept("3"), kept("4")], NOON) == ("2", "4")
    assert sorted(desk.ids()) == ["1", "2", "3", "4"]


def test_a_decided_mail_does_not_become_pending_again(desk: Desk) -> None:
    mail = desk.filed()
    assert desk.keep(TENANT, [kept(mail.id)], NOON) == ()
    assert desk.read(mail.id) == mail


def test_a_mail_without_raw_becomes_pending_when_it_is_kept_after_all(desk: Desk) -> None:
    desk.keep_unfetched(TENANT, kept("1"), NOON)
    desk.keep_unfetched(TENANT, kept("1"), NOON)
    assert (desk.read("1").outcome, desk.read("1").reason) == (Outcome.FAILED, "unfetchable")
    assert desk.known(TENANT, ["1"]) == frozenset()
    assert desk.keep(TENANT, [kept("1")], NOON + timedelta(hours=1)) == ("1",)
    assert desk.ids(Outcome.PENDING) == ["1"]
    assert desk.ids(Outcome.FAILED) == []
    assert desk.known(TENANT, ["1", "2"]) == {"1"}


def test_a_mail_that_is_kept_is_not_made_unfetchable(desk: Desk) -> None:
    mail = desk.kept()
    desk.keep_unfetched(TENANT, kept(mail.id), NOON)
    assert desk.read(mail.id) == mail


def test_the_cursor_moves_only_from_where_it_was_read(desk: Desk) -> None:
    assert desk.cursor(TENANT, "support", "g") == ("", "")
    version = desk.move_cursor(TENANT, "support", "g", "one", "")
    assert desk.cursor(TENANT, "support", "g") == ("one", version)
    desk.move_cursor(TENANT, "support", "g", "two", version)
    for old in ("", version):
        with pytest.raises(RowChanged):
            desk.move_cursor(TENANT, "support", "g", "three", old)
    assert desk.cursor(TENANT, "support", "g")[0] == "two"
    assert desk.cursor(TENANT, "support", "h") == ("", "")


def test_the_outbox_is_oldest_first_and_remembers_its_rings(desk: Desk) -> None:
    newer, older = desk.kept(at=NOON + timedelta(hours=1)), desk.kept(at=NOON)
    desk.note_ring(TENANT, older.id, NOON + timedelta(hours=2))
    assert [(key.id, ring, count) for key, ring, count in desk.pending(TENANT)] == [
        (older.id, NOON + timedelta(hours=2), 1),
        (newer.id, NOON + timedelta(hours=1), 0),
    ]
    desk.note_ring(TENANT, "nothing", NOON)
    desk.give_up(TENANT, older.id, NOON)
    desk.note_ring(TENANT, older.id, NOON)
    assert [key.id for key, _, _ in desk.pending(TENANT)] == [newer.id]


# ── filing ────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_mail_is_filed_once(desk: Desk) -> None:
    mail = desk.kept()
    desk.file(TENANT, filing(mail, Decision(reason.NEW_INCIDENT, ())))
    before = dict(desk.tables.rows)
    with pytest.raises(RowChanged):
        desk.file(TENANT, filing(mail, Decision(reason.NEW_INCIDENT, ())))
    with pytest.raises(RowChanged):
        desk.file(TENANT, filing(mail, Decision(reason.OWN_MAIL, ())))
    assert desk.tables.rows == before


def test_filing_into_an_incident_that_changed_meanwhile_changes_nothing(desk: Desk) -> None:
    desk.filed()
    read = desk.incident(TENANT, 1)
    assert read is not None
    desk.filed(reason.REPLY_BY_NUMBER, join=read)
    mail = desk.kept()
    stored = dict(desk.tables.rows)
    with pytest.raises(RowChanged):
        desk.file(TENANT, filing(mail, Decision(reason.REPLY_BY_NUMBER, (), read)))
    assert desk.tables.rows == stored


def test_two_mails_of_one_content_or_one_id_do_not_both_open_an_incident(desk: Desk) -> None:
    first, second = desk.kept(), desk.kept()
    claim = (ThreadEntry("<1@x>", 0, True),)
    opened = replace(filing(first, Decision(reason.NEW_INCIDENT, ())), claims=claim)
    desk.file(TENANT, opened)
    same_content = replace(filing(second, Decision(reason.NEW_INCIDENT, ())), digest=first.id)
    same_id = replace(filing(second, Decision(reason.NEW_INCIDENT, ())), claims=claim)
    for other in (same_content, same_id):
        with pytest.raises(RowChanged):
            desk.file(TENANT, other)
    assert desk.numbers()[0] == [1]


def test_threads_and_contents_are_those_of_a_group(desk: Desk) -> None:
    mail = desk.kept()
    claim = (ThreadEntry("<1@x>", 0, False, "ann@example.com"),)
    desk.file(TENANT, replace(filing(mail, Decision(reason.NEW_INCIDENT, ())), claims=claim))
    entry = desk.thread(TENANT, "Support", "<1@x>")
    assert entry is not None
    assert (entry.incident, entry.seen, entry.claimed_by) == (1, False, "ann@example.com")
    assert desk.thread(TENANT, "Sales", "<1@x>") is None
    assert desk.thread("other.1", "Support", "<1@x>") is None
    content = desk.content(TENANT, mail.id)
    assert content.of("Support") == Holder("Support", 1, mail.id)
    assert content.of("Sales") is None


@pytest.mark.parametrize("seconds", [-3600, 0, 0.0004, 1, 3600])
def test_a_note_of_any_date_moves_its_incident_in_the_list_and_never_back(desk: Desk, seconds: float) -> None:
    desk.filed(at=NOON)
    incident = desk.incident(TENANT, 1)
    desk.filed(reason.REPLY_BY_NUMBER, join=incident, at=NOON + timedelta(seconds=seconds))
    after = desk.incident(TENANT, 1)
    assert after is not None
    assert after.updated == NOON + timedelta(seconds=max(0, int(seconds)))
    assert desk.numbers()[0] == [1]
    assert violations(desk.tables, desk.blobs, TENANT) == []


# ── contents of two groups ────────────────────────────────────────────────────────────────────────────────────────


def same(mail: Inbound, group: str, content: Content, **decided: Any) -> Filing:
    """A filing of a new incident whose mail has the content that all of these have."""
    made = filing(mail, Decision(reason.NEW_INCIDENT, (), **decided), group)
    return replace(made, digest="the-content", content=content)


def test_of_two_groups_that_take_in_one_mail_at_once_the_second_loses_and_then_sees_the_first(desk: Desk) -> None:
    first, second = desk.kept(), desk.kept("sales")
    nobody = desk.content(TENANT, "the-content")
    assert nobody == Content()
    desk.file(TENANT, same(first, "Support", nobody))
    before = dict(desk.tables.rows)
    with pytest.raises(RowChanged):
        desk.file(TENANT, same(second, "Sales", nobody))
    assert desk.tables.rows == before
    seen = desk.content(TENANT, "the-content")
    assert seen.holders == (Holder("Support", 1, first.id),)
    desk.file(TENANT, same(second, "Sales", seen))
    assert desk.content(TENANT, "the-content").holders == (
        Holder("Support", 1, first.id),
        Holder("Sales", 2, second.id),
    )
    assert violations(desk.tables, desk.blobs, TENANT) == []


def test_a_third_group_that_read_before_the_second_wrote_loses_as_well(desk: Desk) -> None:
    mails = [desk.kept() for _ in range(3)]
    desk.file(TENANT, same(mails[0], "A", Content()))
    seen = desk.content(TENANT, "the-content")
    desk.file(TENANT, same(mails[1], "B", seen))
    with pytest.raises(RowChanged):
        desk.file(TENANT, same(mails[2], "C", seen))
    assert sorted(desk.numbers()[0]) == [1, 2]


def test_twins_are_linked_both_ways_and_keep_their_place_in_the_list(desk: Desk) -> None:
    for group in ("A", "B"):
        desk.filed(group=group)
    twins = tuple(one for one in (desk.incident(TENANT, 1), desk.incident(TENANT, 2)) if one)
    new = Decision(reason.NEW_INCIDENT, (), related=(1, 2), twins=twins)
    desk.file(TENANT, filing(desk.kept(), new, "C", NOON + timedelta(days=1)))
    linked = [desk.incident(TENANT, number) for number in (1, 2, 3)]
    assert [one.related for one in linked if one] == [(3,), (3,), (1, 2)]
    assert [one.updated for one in linked[:2] if one] == [twin.updated for twin in twins]
    assert desk.numbers()[0] == [3, 2, 1]
    assert violations(desk.tables, desk.blobs, TENANT) == []


def test_a_twin_that_changed_meanwhile_stops_the_link_and_everything_with_it(desk: Desk) -> None:
    desk.filed(group="A")
    twin = desk.incident(TENANT, 1)
    assert twin is not None
    change_status(desk, 1, Status.CLOSED)
    mail = desk.kept()
    before = dict(desk.tables.rows)
    with pytest.raises(RowChanged):
        desk.file(TENANT, filing(mail, Decision(reason.NEW_INCIDENT, (), twins=(twin,)), "B"))
    assert desk.tables.rows == before


# ── limits ────────────────────────────────────────────────────────────────────────────────────────────────────────

LIMIT = Limit("new incidents", "ann@example.com", 5, NOON, NOON + timedelta(hours=1))
OTHERS = (
    replace(LIMIT, key="example.com"),
    replace(LIMIT, name="times opened again"),
    replace(LIMIT, end=NOON + timedelta(hours=2)),
)


def counting(mail: Inbound, *tallies: Tally, why: Reason = reason.NEW_INCIDENT, join: Incident | None = None) -> Filing:
    return filing(mail, Decision(why, (), join, count=tallies))


def test_each_filing_that_counts_counts_once_and_for_its_own_limit(desk: Desk) -> None:
    for expected in (1, 2, 3):
        desk.file(TENANT, counting(desk.kept(), *desk.tallies(TENANT, [LIMIT])))
        assert [one.count for one in desk.tallies(TENANT, [LIMIT, *OTHERS])] == [expected, 0, 0, 0]
    assert desk.tallies("other.1", [LIMIT])[0].count == 0
    desk.filed()
    assert desk.tallies(TENANT, [LIMIT])[0].count == 3, "what does not count, does not"


@pytest.mark.parametrize("counted", [0, 1], ids=["the first of the hour", "a later one"])
def test_two_that_looked_at_once_are_both_counted(desk: Desk, counted: int) -> None:
    for _ in range(counted):
        desk.file(TENANT, counting(desk.kept(), *desk.tallies(TENANT, [LIMIT])))
    read = desk.tallies(TENANT, [LIMIT])
    desk.file(TENANT, counting(desk.kept(), *read))
    desk.file(TENANT, counting(desk.kept(), *read))
    assert desk.tallies(TENANT, [LIMIT])[0].count == counted + 2


def test_who_finds_the_limit_full_when_his_turn_comes_must_decide_again(desk: Desk) -> None:
    last = replace(LIMIT, most=1)
    read = desk.tallies(TENANT, [last])
    first, second = desk.kept(), desk.kept()
    desk.file(TENANT, counting(first, *read))
    before = dict(desk.tables.rows)
    with pytest.raises(RowChanged):
        desk.file(TENANT, counting(second, *read))
    assert desk.tables.rows == before


def test_opening_an_incident_again_is_counted_with_the_note_that_does_it(desk: Desk) -> None:
    desk.filed()
    limit = of_reopening(1, NOON)
    answer = counting(
        desk.kept(), *desk.tallies(TENANT, [limit]), why=reason.REPLY_BY_NUMBER, join=desk.incident(TENANT, 1)
    )
    desk.file(TENANT, answer)
    assert desk.tallies(TENANT, [limit])[0].count == 1


def test_limits_of_the_past_come_first_so_that_they_can_be_swept(desk: Desk) -> None:
    for hour in (2, 0, 1):
        limit = replace(LIMIT, end=NOON + timedelta(hours=hour))
        desk.file(TENANT, counting(desk.kept(), Tally(limit)))
    found = sorted(key for _, _, key in desk.tables.rows if key.startswith("R:"))
    assert [key.split(":")[1] for key in found] == sorted(key.split(":")[1] for key in found)
    assert found[0].startswith("R:2026-11-16T12")


# ── released, discarded, tried again ──────────────────────────────────────────────────────────────────────────────


def held_mail(desk: Desk) -> Inbound:
    return desk.filed(reason.NOT_ON_WHITELIST)


def test_a_released_mail_waits_again_and_remembers_who_released_it(desk: Desk) -> None:
    mail = held_mail(desk)
    assert desk.release(TENANT, mail.id, "Kim", NOON)
    row = desk.read(mail.id)
    assert (row.outcome, row.reason, row.released, row.trace) == (Outcome.PENDING, "waiting", "Kim", ())
    assert [(key.id, rings) for key, _, rings in desk.pending(TENANT)] == [(mail.id, 0)]
    assert desk.ids(Outcome.HELD) == []
    assert desk.ledger(TENANT, Outcome.PENDING, None, None, "", 10).items[0].released == "Kim"
    assert not desk.release(TENANT, mail.id, "Lee", NOON), "once"
    assert desk.read(mail.id).released == "Kim"


def test_a_discarded_mail_keeps_its_trace_says_who_and_can_be_released_after_all(desk: Desk) -> None:
    mail = held_mail(desk)
    assert desk.discard(TENANT, mail.id, "Kim")
    row = desk.read(mail.id)
    assert (row.outcome, row.reason) == (Outcome.DISCARDED, "discarded_by_person")
    assert row.trace[: len(mail.trace)] == mail.trace
    assert "Kim" in row.trace[-1].why
    assert not desk.discard(TENANT, mail.id, "Kim"), "once"
    assert violations(desk.tables, desk.blobs, TENANT) == []
    assert desk.release(TENANT, mail.id, "Lee", NOON)
    assert (desk.read(mail.id).outcome, desk.read(mail.id).released) == (Outcome.PENDING, "Lee")


def test_old_mail_that_was_skipped_can_be_released(desk: Desk) -> None:
    assert desk.release(TENANT, desk.filed(reason.BEFORE_CONNECTION).id, "Kim", NOON)


@pytest.mark.parametrize("why", [reason.NEW_INCIDENT, reason.OWN_MAIL, reason.SAME_MAIL])
def test_what_is_not_held_is_neither_released_nor_discarded_nor_tried_again(desk: Desk, why: Reason) -> None:
    mail = desk.filed(why)
    before = dict(desk.tables.rows)
    assert not desk.release(TENANT, mail.id, "Kim", NOON)
    assert not desk.discard(TENANT, mail.id, "Kim")
    assert not desk.retry(TENANT, mail.id, NOON)
    assert desk.tables.rows == before
    for id in ("0" * 32, "nothing"):
        assert not desk.release(TENANT, id, "Kim", NOON)
        assert not desk.discard(TENANT, id, "Kim")


def test_another_tenant_can_release_nothing_of_ours(desk: Desk) -> None:
    mail = held_mail(desk)
    assert not desk.release("other.1", mail.id, "Eve", NOON)
    assert not desk.discard("other.1", mail.id, "Eve")
    assert desk.read(mail.id) == mail


def test_a_released_mail_that_fails_and_is_tried_again_is_still_released(desk: Desk) -> None:
    mail = held_mail(desk)
    desk.release(TENANT, mail.id, "Kim", NOON)
    desk.give_up(TENANT, mail.id, NOON)
    assert not desk.release(TENANT, mail.id, "Lee", NOON), "it failed; it is not held"
    assert desk.retry(TENANT, mail.id, NOON)
    assert (desk.read(mail.id).outcome, desk.read(mail.id).released) == (Outcome.PENDING, "Kim")


def test_a_released_mail_whose_raw_was_lost_and_found_is_still_released(desk: Desk) -> None:
    mail = held_mail(desk)
    desk.release(TENANT, mail.id, "Kim", NOON)
    desk.lose_raw(TENANT, desk.read(mail.id), "g", Step("raw_lost", True, "gone"))
    assert desk.keep(TENANT, [kept(mail.id)], NOON) == (mail.id,)
    assert desk.read(mail.id).released == "Kim"


# ── what a note does to its incident ──────────────────────────────────────────────────────────────────────────────


def test_what_an_agent_wrote_above_a_forwarded_mail_is_the_note_behind_it(desk: Desk) -> None:
    mail = desk.kept()
    forwarded = Forward(ANN, "Fire", "It burns.", "For you.")
    opened = replace(
        filing(mail, Decision(reason.NEW_INCIDENT, (), forward=forwarded)), preface=(BOB, Body("For you."))
    )
    filed = desk.file(TENANT, opened)
    assert (filed.incident, filed.note) == (1, 1)
    assert (desk.read(mail.id).incident, desk.read(mail.id).note) == (1, 1)
    first, above = desk.notes(TENANT, 1, 0, 10)
    assert (first.seq, first.kind, first.author, first.body.text) == (1, NoteKind.INBOUND, ANN, mail.id)
    assert (above.seq, above.kind, above.author, above.body.text) == (2, NoteKind.INTERNAL, BOB, "For you.")
    assert above.marks == ("forwarded",)
    assert (first.mail, above.mail) == (mail.id, mail.id)
    desk.filed(reason.REPLY_BY_NUMBER, join=desk.incident(TENANT, 1))
    assert [note.seq for note in desk.notes(TENANT, 1, 0, 10)] == [1, 2, 3]
    assert violations(desk.tables, desk.blobs, TENANT) == []


def test_two_notes_of_one_mail_that_are_both_too_long_for_a_row_keep_their_own_words(desk: Desk) -> None:
    mail = desk.kept()
    long = replace(
        filing(mail, Decision(reason.NEW_INCIDENT, ())), body=Body("a" * 40_000), preface=(BOB, Body("b" * 40_000))
    )
    desk.file(TENANT, long)
    assert [note.body.text[:1] for note in desk.notes(TENANT, 1, 0, 10)] == ["a", "b"]


@pytest.mark.parametrize("before", list(Status))
@pytest.mark.parametrize("effect", [Status.OPEN, Status.CLOSED, None])
def test_a_note_leaves_its_incident_as_its_effect_says(desk: Desk, before: Status, effect: Status | None) -> None:
    desk.filed()
    change_status(desk, 1, before)
    answer = Decision(reason.REPLY_BY_NUMBER, (), desk.incident(TENANT, 1), effect=Effect(status=effect))
    desk.file(TENANT, filing(desk.kept(), answer, at=NOON + timedelta(hours=1)))
    expected = effect or before
    assert desk.numbers(status=expected)[0] == [1]
    assert sum(len(desk.numbers(status=one)[0]) for one in Status) == 1
    assert violations(desk.tables, desk.blobs, TENANT) == []


@pytest.mark.parametrize("adopt", [True, False])
def test_only_who_is_adopted_takes_part_from_then_on(desk: Desk, adopt: bool) -> None:
    desk.filed()
    answer = Decision(reason.REPLY_BY_TOKEN, (), desk.incident(TENANT, 1), effect=Effect(adopt=adopt))
    desk.file(TENANT, replace(filing(desk.kept(), answer), author=BOB, participants=(CAT,)))
    after = desk.incident(TENANT, 1)
    assert after is not None
    assert after.participants == ((ANN, BOB, CAT) if adopt else (ANN,))


def test_kind_and_marks_of_a_note_are_those_of_its_effect(desk: Desk) -> None:
    desk.filed()
    effect = Effect(kind=NoteKind.SYSTEM, status=None, marks=("failed", "closed"))
    desk.file(TENANT, filing(desk.kept(), Decision(reason.REPORT_NOTED, (), desk.incident(TENANT, 1), effect=effect)))
    note = desk.notes(TENANT, 1, 1, 1)[0]
    assert (note.kind, note.marks) == (NoteKind.SYSTEM, ("failed", "closed"))
    assert set(note.marks) <= set(MARKS)


def test_an_old_incident_begins_closed_and_stands_in_the_list_of_closed_ones(desk: Desk) -> None:
    old = Decision(reason.OLD_INCIDENT, (), effect=Effect(status=Status.CLOSED))
    desk.file(TENANT, filing(desk.kept(), old, at=NOON - timedelta(days=300)))
    desk.filed()
    assert desk.numbers(status=Status.CLOSED)[0] == [1]
    assert desk.numbers()[0] == [2, 1]
    assert violations(desk.tables, desk.blobs, TENANT) == []


def test_a_merged_incident_says_where_it_went_in_its_row_and_in_the_list(desk: Desk) -> None:
    desk.filed()
    desk.filed()
    before = desk.incident(TENANT, 1)
    assert before is not None
    assert before.merged_into is None
    values = rows.incident_values(replace(before, merged_into=2))
    place = keys.listed(before.status, before.updated, 1)
    desk.tables.commit("desk", TENANT, [Replace(keys.incident(1), values, before.version), Upsert(place, values)])
    page = desk.incidents(TENANT, None, None, None, "", 10)
    assert [one.merged_into for one in page.items] == [None, 2]
    after = desk.incident(TENANT, 1)
    assert after is not None
    assert after.merged_into == 2
    assert violations(desk.tables, desk.blobs, TENANT) == []


def test_a_private_entry_of_the_thread_index_stays_private(desk: Desk) -> None:
    claims = (ThreadEntry("<1@x>", 0, True, private=True), ThreadEntry("<2@x>", 0, True))
    desk.file(TENANT, replace(filing(desk.kept(), Decision(reason.NEW_INCIDENT, ())), claims=claims))
    entries = [desk.thread(TENANT, "Support", id) for id in ("<1@x>", "<2@x>")]
    assert [entry.private for entry in entries if entry] == [True, False]


def test_a_claimed_id_becomes_seen_once_only(desk: Desk) -> None:
    claimed = (ThreadEntry("<1@x>", 0, False, "ann@example.com"),)
    desk.file(TENANT, replace(filing(desk.kept(), Decision(reason.NEW_INCIDENT, ())), claims=claimed))
    entry = desk.thread(TENANT, "Support", "<1@x>")
    assert entry is not None
    seen = (replace(entry, seen=True),)
    desk.file(TENANT, replace(filing(desk.kept(), Decision(reason.NEW_INCIDENT, ())), claims=seen))
    with pytest.raises(RowChanged):
        desk.file(TENANT, replace(filing(desk.kept(), Decision(reason.NEW_INCIDENT, ())), claims=seen))
    after = desk.thread(TENANT, "Support", "<1@x>")
    assert after is not None
    assert (after.seen, after.incident) == (True, 2)


# ── pages ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def fill(desk: Desk, count: int) -> None:
    whys = [reason.NEW_INCIDENT, reason.NOT_ON_WHITELIST, reason.OWN_MAIL, reason.TOO_LARGE]
    for number in range(count):
        desk.filed(whys[number % 4], mailbox=("support", "sales")[number % 3 == 0], group=f"g{number % 2}")
    desk.kept()
    desk.give_up(TENANT, desk.kept().id, NOON)


@pytest.mark.parametrize("limit", [1, 2, 3, 7, 100])
def test_the_pages_of_the_ledger_hold_each_mail_once_newest_first(desk: Desk, limit: int) -> None:
    fill(desk, 21)
    after, found, pages = "", list[Inbound](), 0
    while True:
        page = desk.ledger(TENANT, None, None, None, after, limit)
        assert len(page.items) <= limit
        found += page.items
        pages += 1
        if page.next is None:
            break
        after = page.next
    assert [one.kept for one in found] == sorted((one.kept for one in found), reverse=True)
    assert [one.id for one in found] == desk.ids()
    assert len({one.id for one in found}) == 23
    assert pages == -(-23 // limit)


def test_pages_neither_repeat_nor_skip_while_new_mails_arrive_at_the_top(desk: Desk) -> None:
    fill(desk, 21)
    expected = desk.ids()
    after, found = "", list[str]()
    for _ in range(100):
        page = desk.ledger(TENANT, None, None, None, after, 4)
        found += [one.id for one in page.items]
        if page.next is None:
            break
        after = page.next
        desk.filed(at=NOON + timedelta(days=1))
    assert found == expected


def test_pages_of_incidents_neither_repeat_nor_skip_while_new_ones_arrive(desk: Desk) -> None:
    for _ in range(20):
        desk.filed()
    for number in range(1, 21, 3):
        change_status(desk, number, Status.CLOSED)
    after, found = "", list[int]()
    for _ in range(100):
        numbers, next_ = desk.numbers(after, 3)
        found += numbers
        if next_ is None:
            break
        after = next_
        desk.filed(at=NOON + timedelta(days=1))
    assert found == list(range(20, 0, -1))


def change_status(desk: Desk, number: int, status: Status) -> None:
    """As a later version will: incident and list in one transaction."""
    before = desk.incident(TENANT, number)
    assert before is not None
    after = replace(before, status=status)
    values = rows.incident_values(after)
    desk.tables.commit(
        "desk",
        TENANT,
        [
            Replace(keys.incident(number), values, before.version),
            *(
                [Upsert(keys.listed(status, before.updated, number), values)]
                if status is before.status
                else [
                    Delete(keys.listed(before.status, before.updated, number)),
                    Insert(keys.listed(status, before.updated, number), values),
                ]
            ),
        ],
    )


def test_a_list_can_be_narrowed_by_each_of_its_filters(desk: Desk) -> None:
    fill(desk, 24)
    change_status(desk, 2, Status.CLOSED)
    assert desk.numbers()[0] == [6, 5, 4, 3, 2, 1]
    assert desk.numbers(status=Status.CLOSED)[0] == [2]
    assert desk.numbers(status=Status.OPEN)[0] == [6, 5, 4, 3, 1]
    assert desk.numbers(mailbox="sales")[0] == [4, 1]
    assert desk.numbers(group="g1")[0] == []
    assert desk.numbers(mailbox="' or PartitionKey ne '")[0] == []
    assert len(desk.ids(Outcome.HELD)) == 12
    assert len(desk.ids(code="too_large")) == 6
    assert len(desk.ids(Outcome.HELD, "too_large", "sales")) == 2
    assert desk.ids(Outcome.DISCARDED, "too_large") == []


def test_a_page_of_a_narrow_list_says_whether_there_is_more(desk: Desk) -> None:
    fill(desk, 24)
    numbers, next_ = desk.numbers(mailbox="sales", limit=1)
    assert numbers == [4]
    assert next_ is not None
    assert desk.numbers(next_, 1, mailbox="sales") == ([1], None)


def test_counts_are_those_of_the_ledger(desk: Desk) -> None:
    fill(desk, 24)
    for mailbox in ("support", "sales", "nobody"):
        counts = desk.counts(TENANT, mailbox)
        assert counts.mails == {one: len(desk.ids(one, mailbox=mailbox)) for one in Outcome}
        assert counts.at_least == frozenset()
    assert sum(desk.counts(TENANT, "support").mails.values()) == 18


def test_notes_come_in_pages_in_order(desk: Desk) -> None:
    desk.filed()
    for _ in range(11):
        desk.filed(reason.REPLY_BY_NUMBER, join=desk.incident(TENANT, 1))
    assert [note.seq for note in desk.notes(TENANT, 1, 0, 5)] == [1, 2, 3, 4, 5]
    assert [note.seq for note in desk.notes(TENANT, 1, 5, 100)] == [6, 7, 8, 9, 10, 11, 12]
    assert desk.notes(TENANT, 1, 12, 5) == ()
    assert desk.notes(TENANT, 2, 0, 5) == ()


def test_another_tenant_sees_nothing(desk: Desk) -> None:
    mail = desk.filed()
    other = "other.1"
    assert desk.incident(other, 1) is None
    assert desk.inbound(other, mail.id) is None
    assert desk.incidents(other, None, None, None, "", 10).items == ()
    assert desk.ledger(other, None, None, None, "", 10).items == ()
    assert list(desk.pending(other)) == []
    assert desk.notes(other, 1, 0, 10) == ()


def test_a_note_whose_text_is_gone_says_so_instead_of_failing(desk: Desk) -> None:
    mail = desk.kept()
    long = replace(filing(mail, Decision(reason.NEW_INCIDENT, ())), body=Body("x" * 40_000))
    desk.file(TENANT, long)
    assert desk.notes(TENANT, 1, 0, 1)[0].body.text == "x" * 40_000
    lost = [name for name in desk.blobs.content if name[0] == "bodies"]
    for name in lost:
        del desk.blobs.content[name]
    assert "no longer stored" in desk.notes(TENANT, 1, 0, 1)[0].body.text
