from __future__ import annotations

import hashlib
import json
import logging
from contextlib import suppress
from dataclasses import replace
from typing import Any

import pytest

from shared.errors import Conflict, Invalid, NotFound, StoreUnavailable
from shared.flows import convert, forget, held, reply, send, tenants
from shared.flows.erase import erase
from shared.mail.address import Address
from shared.mail.message import parse
from shared.model.doorbell import OutboundBell
from shared.model.erasing import DataSubject, Erasure, Stretch
from shared.model.reason import Outcome
from shared.store.erasing import TableErasing
from shared.store.forgetting import TableForgetting
from tests.support.app import NOON, World, make_app
from tests.support.failing import FailingBlobs, FailingTables, Fault
from tests.support.mails import mail
from tests.support.memory import MemoryBlobs, MemoryTables
from tests.unit.flows.test_bounces import report

ANNA = "Anna.Canary@customer.example"
BOB = "bob@other.example"
CANARIES = ("canary", "zanzibar", "quokka")
"""Stand in the address and name, the subjects and the words of the person, and nowhere else."""
LONG = "quokka " * 20_000
FILE = b"quokka in a file"
SHARED = b"a price list that both have"


def by(who: str, number: int, text: str = "quokka", subject: str = "zanzibar", **more: Any) -> bytes:
    head = b"Authentication-Results: mx.example.org; dmarc=pass header.from=customer.example\r\n"
    return head + mail(sender=f"Anna Canary <{who}>", message_id=f"<{number}@x>", subject=subject, text=text, **more)


def receive(world: World, tenant: str, raw: bytes) -> None:
    """A mail arrives now."""
    world.clock.advance(minutes=1)
    world.folders["support"].deliver(raw, world.clock.now)
    world.poll(tenant)
    world.convert_all()


def fill(world: World, tenant: str) -> None:
    """What Anna wrote, in many ways, and what others did."""
    world.mailbox(
        tenant,
        outgoing={"enabled": True, "host": "smtp.example.org"},
        acknowledge=True,
        acknowledge_text="Dear {name}, we got {subject}: {number}",
        authserv_id="mx.example.org",
    )
    receive(world, tenant, by(ANNA, 1, attachments=(("a.bin", FILE), ("b.bin", SHARED))))
    receive(world, tenant, by(ANNA, 2, LONG, references="<1@x>"))
    receive(world, tenant, by(ANNA, 3, "quokka auto", subject="zanzibar 3"))
    world.receive(
        tenant,
        mail(
            sender=f"Bob <{BOB}>",
            message_id="<4@y>",
            subject="printer",
            text="It burns.",
            attachments=(("b.bin", SHARED),),
        ),
    )
    ring(world)


def ring(world: World) -> None:
    while world.queues.outbound:
        bell = OutboundBell.decode(world.queues.outbound.popleft())
        send.send(world.app, bell.tenant, bell.incident, bell.note)


def canaries(world: World) -> list[str]:
    """Where something of Anna is still stored, whatever it is."""
    tables: Any = world.tables
    blobs: Any = world.blobs
    rows = getattr(tables, "inner", tables).rows
    content = getattr(blobs, "inner", blobs).content
    found = [
        f"{key} {values}"
        for key, (values, _) in rows.items()
        if any(one in f"{key}{values}".lower() for one in CANARIES)
    ]
    return found + [
        f"{key}" for key, raw in content.items() if any(one in raw.lower().decode("latin-1") for one in CANARIES)
    ]


@pytest.fixture
def tenant(world: World) -> str:
    key, _ = world.tenant()
    fill(world, key)
    return key


def order(world: World, tenant: str, address: str = ANNA) -> Erasure:
    return forget.order(world.app, tenant, address, address, "key")


def test_a_preview_counts_and_changes_nothing(world: World, tenant: str) -> None:
    rows: Any = world.tables
    before = dict(rows.rows)
    found = forget.preview(world.app, tenant, ANNA.upper())
    assert {name: count for name, count in found.counts if count} == {
        "mails": 3,
        "notes": 3,
        "answers": len(world.posts["support"].sent),
        "incidents": 2,
    }
    assert not found.more
    assert rows.rows == before


def test_nothing_that_the_person_wrote_is_left_anywhere(world: World, tenant: str) -> None:
    assert len(canaries(world)) > 10
    done = order(world, tenant)
    assert done.done is not None
    assert canaries(world) == []
    counts = dict(done.counts)
    assert (counts["mails"], counts["incidents"], counts["attachments"]) == (3, 2, 1)


def test_numbers_outcomes_and_times_stay(world: World, tenant: str) -> None:
    before = {one.id: (one.outcome, one.reason, one.kept, one.incident, one.note) for one in world.ledger(tenant)}
    numbers = [(one.number, one.created, one.updated, one.notes_count) for one in world.incidents(tenant)]
    order(world, tenant)
    assert {
        one.id: (one.outcome, one.reason, one.kept, one.incident, one.note) for one in world.ledger(tenant)
    } == before
    assert [(one.number, one.created, one.updated, one.notes_count) for one in world.incidents(tenant)] == numbers
    first = world.incidents(tenant)[0]
    assert first.subject == first.reporter.name == "erased"
    assert [note.body.text for note in world.notes(tenant, 1) if note.mail] == ["erased", "erased"]


def test_what_others_wrote_stays_also_a_file_that_both_sent(world: World, tenant: str) -> None:
    order(world, tenant)
    (mine,) = [one for one in world.incidents(tenant) if one.reporter.address == BOB]
    note = world.notes(tenant, mine.number)[0]
    assert "It burns." in note.body.text
    assert world.app.raw.attachment(tenant, note.body.attachments[0].sha256) == SHARED
    assert world.app.raw.get(tenant, note.mail) is not None


def test_what_we_acknowledged_is_erased_as_it_quotes(world: World, tenant: str) -> None:
    sent = [note for note in world.notes(tenant, 1) if "acknowledgement" in note.marks]
    assert "zanzibar" in sent[0].body.text
    order(world, tenant)
    assert [note.body.text for note in world.notes(tenant, 1) if "acknowledgement" in note.marks] == ["erased"]


def test_an_agents_answer_stays_without_the_address_that_it_went_to(world: World, tenant: str) -> None:
    answer(world, tenant)
    ring(world)
    order(world, tenant)
    assert "Use water." in [note.body.text for note in world.notes(tenant, 1)]
    assert canaries(world) == []


def answer(world: World, tenant: str) -> None:
    reply.add(world.app, tenant, 1, reply.Draft(public=True, text="Use water.", author="Kim"))


def test_an_answer_that_is_on_its_way_is_waited_for(world: World, tenant: str) -> None:
    answer(world, tenant)
    going = order(world, tenant)
    assert (going.done, going.waiting) == (None, 1)
    assert not forget.forget(world.app)
    ring(world)
    assert forget.forget(world.app)
    assert canaries(world) == []


def test_the_report_that_mail_to_the_person_came_back_goes_with_it(world: World, tenant: str) -> None:
    answer(world, tenant)
    ring(world)
    sent = parse(world.posts["support"].sent[-1][0]).message_id
    receive(world, tenant, report(sent or "", (ANNA, "failed", "5.1.1")))
    assert any("could not be delivered" in note.body.text for note in world.notes(tenant, 1))
    order(world, tenant)
    assert canaries(world) == []
    receive(world, tenant, report(sent or "", (BOB, "failed", "5.1.1"), id="<r2@mx.example.com>"))
    order(world, tenant, "nobody@customer.example")
    assert [BOB in note.body.text for note in world.notes(tenant, 1)][-1]


def test_somebody_else_who_takes_part_in_the_persons_incident_still_does(world: World, tenant: str) -> None:
    world.receive(tenant, by(ANNA, 9, subject="zanzibar 9", cc=BOB))
    order(world, tenant)
    incident = world.incidents(tenant)[-1]
    assert incident.takes_part(Address("", BOB))
    assert not incident.takes_part(Address("", ANNA))


def test_a_person_who_only_took_part_is_taken_out_and_the_subject_stays(world: World, tenant: str) -> None:
    raw = mail(sender=f"Bob <{BOB}>", message_id="<7@y>", subject="lamp", text="dark", cc=ANNA)
    world.receive(tenant, raw)
    number = world.incidents(tenant)[-1].number
    order(world, tenant)
    (incident,) = [one for one in world.incidents(tenant) if one.number == number]
    assert (incident.subject, [one.address for one in incident.participants]) == ("lamp", [BOB])


def test_held_mail_of_the_person_goes_and_can_be_released_no_more(world: World) -> None:
    tenant, _ = world.tenant()
    world.mailbox(tenant, whitelist_enabled=True)
    world.receive(tenant, by(ANNA, 1))
    (row,) = world.ledger(tenant)
    assert row.outcome is Outcome.HELD
    order(world, tenant)
    assert canaries(world) == []
    with pytest.raises((Conflict, NotFound)):
        held.release(world.app, tenant, row.id, "Kim")


def test_a_mail_that_the_server_still_has_does_not_come_back(world: World, tenant: str) -> None:
    order(world, tenant)
    world.folders["support"].renumber()
    world.poll(tenant)
    world.convert_all()
    assert sorted(one.outcome for one in world.ledger(tenant)) == [Outcome.DELIVERED] * 4 + [Outcome.DUPLICATE] * 4
    assert len(world.incidents(tenant)) == 3


def test_the_same_address_writing_again_is_a_new_person(world: World, tenant: str) -> None:
    order(world, tenant)
    world.clock.advance(hours=1)
    world.receive(tenant, by(ANNA, 20, "hello again", subject="new", references="<1@x>"))
    newest = world.incidents(tenant)[-1]
    assert (newest.number, newest.reporter.address, newest.subject) == (4, ANNA, "new")
    assert forget.forget(world.app)
    assert world.incidents(tenant)[-1] == newest


def test_nobody_can_write_in_the_name_of_whoever_was_erased(world: World, tenant: str) -> None:
    done = order(world, tenant)
    other = order(world, tenant, BOB)
    assert done.alias != other.alias
    assert world.incidents(tenant)[0].reporter.address == done.alias
    with pytest.raises(Invalid, match="erased"):
        answer(world, tenant)


def test_the_order_itself_forgets_the_address_when_it_is_done(world: World, tenant: str) -> None:
    done = order(world, tenant)
    assert (done.sealed, done.by) == ("", "key")
    assert forget.get(world.app, tenant, done.id).counts == done.counts
    assert [one.id for one in forget.listed(world.app, tenant)] == [done.id]


def test_the_address_must_be_typed_twice_and_be_one(world: World, tenant: str) -> None:
    app = world.app
    with pytest.raises(Invalid) as wrong:
        forget.order(app, tenant, ANNA, "anna@customer.example", "key")
    assert dict(wrong.value.errors).keys() == {"confirm"}
    for address in ("", "anna", "a@b, c@d"):
        with pytest.raises(Invalid):
            forget.order(app, tenant, address, address, "key")
    with pytest.raises(NotFound):
        forget.get(app, tenant, "0" * 16)
    assert list(app.forgetting.all()) == []


def test_another_tenant_knows_nothing_of_it(world: World, tenant: str) -> None:
    other, _ = world.tenant("other")
    done = order(world, tenant)
    with pytest.raises(NotFound):
        forget.get(world.app, other, done.id)
    assert forget.listed(world.app, other) == ()


def test_asked_again_while_it_runs_it_is_the_same_order(world: World, tenant: str) -> None:
    answer(world, tenant)
    first, second = order(world, tenant), order(world, tenant, ANNA.lower())
    assert first.id == second.id


def test_its_end_is_told_without_any_address(world: World, tenant: str, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "inbound")
    done = order(world, tenant)
    told = [one for one in map(json.loads, caplog.messages) if one["event"] == "person_erased"]
    assert [(one["tenant"], one["erasure"], one["blobs"]) for one in told] == [(tenant, done.id, 1)]
    assert not any("canary" in line.lower() for line in caplog.messages)


def test_a_large_desk_is_gone_through_stretch_by_stretch(world: World, tenant: str) -> None:
    for number in range(100, 130):
        world.receive(tenant, by(ANNA, number, f"quokka {number}", subject=f"zanzibar {number}"))

    class Small(TableForgetting):
        def stretch(
            self, tenant: str, id: str, phase: str, person: DataSubject, place: str, most: int, dry: bool
        ) -> Stretch:
            world.clock.advance(seconds=30)
            return super().stretch(tenant, id, phase, person, place, 7, dry)

    app = replace(world.app, forgetting=Small(world.tables, world.blobs))
    going = forget.order(app, tenant, ANNA, ANNA, "key")
    assert going.done is None
    runs = 0
    while not forget.forget(app):
        runs += 1
        assert runs < 50
    assert runs > 2
    assert canaries(world) == []


def test_the_orders_go_with_their_tenant(world: World, tenant: str) -> None:
    answer(world, tenant)
    order(world, tenant)
    tenants.delete(world.app, "acme", "acme")
    forget.forget(world.app)
    erase(world.app, TableErasing(world.tables, world.blobs))
    assert list(world.app.forgetting.all()) == []


@pytest.mark.parametrize("kind", ["before", "after", "outage"])
def test_cut_off_anywhere_it_is_finished_by_the_timer(kind: str) -> None:
    at = 0
    while True:
        at += 3
        fault = Fault()
        world = make_app(FailingTables(MemoryTables(), fault), FailingBlobs(MemoryBlobs(), fault))
        tenant, _ = world.tenant()
        fill(world, tenant)
        fault.arm(at, kind)  # type: ignore[arg-type]
        with suppress(StoreUnavailable):
            order(world, tenant)
        hit = fault.count >= at
        fault.disarm()
        world.clock.advance(minutes=10)
        if not list(world.app.forgetting.all()):
            order(world, tenant)  # it was never ordered, and whoever asked was told so
        assert forget.forget(world.app)
        assert canaries(world) == []
        assert len(world.incidents(tenant)) == 3
        if not hit:
            break
    assert at > 30


# ── what goes on at the same moment ───────────────────────────────────────────────────────────────────────────────


def keep(world: World, raw: bytes, **settings: Any) -> str:
    """A mail was taken in and is not converted yet."""
    tenant, _ = world.tenant()
    world.mailbox(tenant, **settings)
    world.folders["support"].deliver(raw, world.clock.now)
    world.poll(tenant)
    return tenant


def test_a_mail_that_is_not_converted_yet_is_waited_for_as_nobody_knows_whose_it_is(world: World) -> None:
    tenant = keep(world, by(ANNA, 1, LONG, attachments=(("a.bin", FILE),)))
    going = order(world, tenant)
    assert (going.done, going.waiting) == (None, 1)
    world.clock.advance(minutes=1)
    world.convert_all()
    assert forget.forget(world.app)
    assert canaries(world) == []


def test_a_mail_that_was_released_at_that_moment_does_not_come_back(world: World) -> None:
    tenant = keep(world, by(ANNA, 1), whitelist_enabled=True)
    world.convert_all()
    held.release(world.app, tenant, world.ledger(tenant)[0].id, "Kim")
    order(world, tenant)
    for _ in range(2):
        world.convert_all()
        world.clock.advance(hours=1)
        world.poll(tenant)
    assert forget.forget(world.app)
    assert canaries(world) == []


def test_a_mail_that_could_not_be_converted_is_found_by_what_stands_in_it(world: World) -> None:
    tenant = keep(world, by(ANNA, 1, LONG, attachments=(("a.bin", FILE),)))
    (row,) = world.ledger(tenant)
    world.queues.inbound.clear()
    # What a conversion leaves that dies before its commit.
    world.blobs.write("bodies", f"{tenant}/{row.id}.json", LONG.encode())
    world.app.raw.keep_attachment(tenant, hashlib.sha256(FILE).hexdigest(), FILE)
    convert.give_up(world.app, tenant, row.id)
    assert dict(forget.preview(world.app, tenant, ANNA).counts)["mails"] == 1
    assert order(world, tenant).done is not None
    assert canaries(world) == []


def test_a_mail_that_came_before_and_is_taken_in_meanwhile_goes_as_a_whole(world: World, tenant: str) -> None:
    answer(world, tenant)
    world.folders["support"].deliver(by(ANNA, 30, subject="zanzibar 30"), world.clock.now)
    world.clock.advance(minutes=1)
    assert order(world, tenant).done is None
    world.clock.advance(minutes=1)
    world.poll(tenant)
    world.convert_all()
    ring(world)
    assert forget.forget(world.app)
    assert canaries(world) == []


def test_an_answer_that_is_written_meanwhile_goes_without_the_address_as_well(world: World, tenant: str) -> None:
    answer(world, tenant)
    assert order(world, tenant).done is None
    world.clock.advance(minutes=1)
    reply.add(world.app, tenant, 3, reply.Draft(public=True, text="More water.", author="Kim", to=(ANNA,)))
    ring(world)
    assert forget.forget(world.app)
    assert canaries(world) == []


def test_an_address_is_confirmed_as_it_is_written_also_beyond_ascii(world: World) -> None:
    tenant, _ = world.tenant()
    world.mailbox(tenant)
    world.receive(tenant, mail(sender="Quokka <quokka@xn--zanzibr-bxa.example>", message_id="<1@x>", text="quokka"))
    assert order(world, tenant, "quokka@ZANZIBÄR.example").done is not None
    assert [row.sender.rpartition("@")[2] for row in world.ledger(tenant)] == ["erased.invalid"]
    with pytest.raises(Invalid):
        forget.order(world.app, tenant, "quokka@zanzibär.example", "quokka@zanzibar.example", "key")


@pytest.mark.parametrize(
    "line",
    [
        f"Anna <{ANNA}>, Quokka <b@c.example>",
        f"Anna {ANNA}",
        f'"Anna <{ANNA}>',
        f"{'zanzibar ' * 20} {ANNA}",
    ],
)
def test_a_from_line_that_names_no_single_sender_is_the_persons_if_the_address_stands_in_it(
    world: World, line: str
) -> None:
    tenant, _ = world.tenant()
    world.mailbox(tenant)
    head = f"From: {line}\r\nTo: support@example.org\r\nMessage-ID: <1@x>\r\nSubject: zanzibar"
    world.receive(tenant, f"{head}\r\n\r\nquokka".encode())
    (row,) = world.ledger(tenant)
    assert (row.outcome, "@" in row.sender) == (Outcome.DELIVERED, True)
    assert dict(forget.preview(world.app, tenant, ANNA).counts)["notes"] == 1
    order(world, tenant)
    assert canaries(world) == []


@pytest.mark.parametrize("other", [f"x{ANNA}", f"{ANNA}.au", f"x.{ANNA}", f"{ANNA}-x", f"x+{ANNA}"])
def test_an_address_that_only_holds_the_persons_is_somebody_elses(other: str) -> None:
    person = DataSubject(ANNA.lower(), "", NOON)
    assert not person.wrote(f"Two <{other}>, people <b@c.example>")
    assert person.wrote(f"Two <{ANNA}>, people <b@c.example>")


def test_one_that_waits_does_not_take_the_time_of_all_others(world: World, tenant: str) -> None:
    other, _ = world.tenant("zulu")
    seen: list[str] = []

    class Slow(TableForgetting):
        def stretch(
            self, tenant: str, id: str, phase: str, person: DataSubject, place: str, most: int, dry: bool
        ) -> Stretch:
            seen.append(tenant)
            world.clock.advance(minutes=5)
            return Stretch("S:1")

    for one in (tenant, other):
        sealed = world.app.secrets.seal(one, "0" * 16, "erasure", "x@y.example")
        world.app.forgetting.save(Erasure("0" * 16, one, sealed, "key", world.clock.now))
    app = replace(world.app, forgetting=Slow(world.tables, world.blobs))
    for _ in range(2):
        forget.forget(app)
        world.clock.advance(minutes=5)
    assert set(seen) == {tenant, other}


def test_what_storage_refuses_of_one_tenant_holds_up_no_other(world: World, tenant: str) -> None:
    other, _ = world.tenant("aaa")

    class Stuck(TableForgetting):
        def stretch(
            self, tenant: str, id: str, phase: str, person: DataSubject, place: str, most: int, dry: bool
        ) -> Stretch:
            if tenant == other:
                raise StoreUnavailable("Blob storage: 409")
            return super().stretch(tenant, id, phase, person, place, most, dry)

    for one in (other, tenant):
        sealed = world.app.secrets.seal(one, "0" * 16, "erasure", ANNA.lower())
        world.app.forgetting.save(Erasure("0" * 16, one, sealed, "key", world.clock.now))
    with pytest.raises(StoreUnavailable, match="409"):
        forget.forget(replace(world.app, forgetting=Stuck(world.tables, world.blobs)))
    assert canaries(world) == []
