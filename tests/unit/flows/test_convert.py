from __future__ import annotations

import itertools
from dataclasses import replace

import pytest

from shared.errors import RowChanged, StoreUnavailable
from shared.flows import convert, mailboxes
from shared.model.doorbell import InboundBell
from shared.model.inbound import Filed, Filing, Inbound
from shared.model.reason import Outcome
from shared.store.bodies import INLINE_BODY
from shared.store.desk import TableDesk
from tests.support.app import World
from tests.support.checker import Stored, violations
from tests.support.mails import mail
from tests.support.memory import MemoryBlobs, MemoryTables

QUESTION = mail(text="The question.")


@pytest.fixture
def tenant(world: World) -> str:
    key, _ = world.tenant()
    world.mailbox(key)
    return key


def rows(world: World) -> dict[tuple[str, str, str], tuple[str, str]]:
    """Every row with its bytes and its ETag."""
    assert isinstance(world.tables, MemoryTables)
    return dict(world.tables.rows)


def threads(world: World, tenant: str) -> list[tuple[str, ...]]:
    """What became incidents, after everything else was found in order."""
    assert violations(world.tables, world.blobs, tenant) == []
    return Stored(world.tables, world.blobs, tenant).threads()


def latest(world: World, tenant: str) -> Inbound:
    """The mail that was kept last."""
    return world.ledger(tenant)[0]


def receive(world: World, tenant: str, raw: bytes, mailbox: str = "support") -> Inbound:
    """What became of a mail."""
    world.clock.advance(seconds=5)
    world.receive(tenant, raw, mailbox)
    return latest(world, tenant)


# ── what it becomes ───────────────────────────────────────────────────────────────────────────────────────────────


def test_a_first_mail_opens_incident_one_with_what_it_says(world: World, tenant: str) -> None:
    raw = mail(
        subject="Grüße", text="Schöne Grüße\n", cc="Bob <bob@example.net>", attachments=(("a.bin", b"\x00\x01"),)
    )
    row = receive(world, tenant, raw)
    (incident,) = world.incidents(tenant)
    (note,) = world.notes(tenant, 1)
    assert (row.outcome, row.reason, row.incident, row.note) == (Outcome.DELIVERED, "new_incident", 1, 1)
    assert (row.sender, row.subject) == ("ann@example.com", "Grüße")
    assert (incident.number, incident.subject, incident.status.value) == (1, "Grüße", "open")
    assert (incident.group, incident.mailbox, incident.reporter.address) == ("Support", "support", "ann@example.com")
    assert {person.address for person in incident.participants} == {"ann@example.com", "bob@example.net"}
    assert note.body.text.strip() == "Schöne Grüße"
    assert (note.seq, note.kind.value, note.mail, note.author.name) == (1, "inbound", row.id, "Ann Smith")
    (attachment,) = note.body.attachments
    assert (attachment.name, attachment.size) == ("a.bin", 2)
    assert world.app.raw.attachment(tenant, attachment.sha256) == b"\x00\x01"
    assert threads(world, tenant) == [("Schöne Grüße",)]


@pytest.mark.parametrize(
    "reply",
    [
        mail(text="Again.", message_id="<2@example.com>", in_reply_to="<1@example.com>"),
        mail(text="Again.", message_id="<2@example.com>", references="<x@y.example> <1@example.com> <z@y.example>"),
        mail(text="Again.", message_id="<2@example.com>", subject="AW: [INC-000001] Printer on fire"),
        mail(
            text="Again.", message_id="<2@example.com>", subject="AW: [INC-1] Printer", in_reply_to="<none@x.example>"
        ),
    ],
    ids=["In-Reply-To", "References", "number", "number although In-Reply-To is unknown"],
)
def test_the_reporters_answer_becomes_note_two(world: World, tenant: str, reply: bytes) -> None:
    receive(world, tenant, QUESTION)
    row = receive(world, tenant, reply)
    assert (row.incident, row.note) == (1, 2)
    assert row.reason.startswith("reply_by_")
    assert threads(world, tenant) == [("Again.", "The question.")]


@pytest.mark.parametrize(
    "claim",
    [
        {"in_reply_to": "<1@example.com>"},
        {"references": "<1@example.com>"},
        {"subject": "[INC-000001] let me in"},
        {"subject": "[INC-000001]", "in_reply_to": "<1@example.com>", "references": "<1@example.com>"},
    ],
)
def test_a_stranger_gets_an_incident_of_his_own_that_is_linked(
    world: World, tenant: str, claim: dict[str, str]
) -> None:
    receive(world, tenant, QUESTION)
    raw = mail("eve@evil.example", text="Let me in.", message_id="<e@evil.example>", **claim)  # type: ignore[arg-type]
    row = receive(world, tenant, raw)
    assert (row.reason, row.incident) == ("new_incident", 2)
    assert world.incidents(tenant)[1].related == (1,)
    assert world.incidents(tenant)[0].notes_count == 1
    assert threads(world, tenant) == [("Let me in.",), ("The question.",)]


def test_who_claims_an_id_in_advance_does_not_get_the_mail_of_that_id(world: World, tenant: str) -> None:
    receive(world, tenant, mail("eve@evil.example", text="A trap.", message_id="<e@x>", references="<1@example.com>"))
    receive(world, tenant, QUESTION)
    receive(world, tenant, mail(text="More.", message_id="<2@example.com>", in_reply_to="<1@example.com>"))
    assert threads(world, tenant) == [("A trap.",), ("More.", "The question.")]
    assert world.incidents(tenant)[1].related == (1,)


def test_the_incident_number_of_another_group_or_tenant_is_no_number_of_ours(world: World, tenant: str) -> None:
    world.mailbox(tenant, "sales", group="Sales")
    receive(world, tenant, QUESTION)
    named = mail(text="Mine.", message_id="<2@example.com>", subject="[INC-000001]", in_reply_to="<1@example.com>")
    assert receive(world, tenant, named, "sales").reason == "new_incident"
    other, _ = world.tenant("other")
    world.mailbox(other, "desk")
    assert receive(world, other, named, "desk").incident == 1
    assert len(world.incidents(tenant)) == 2


def test_two_mailboxes_of_one_group_share_their_threads(world: World, tenant: str) -> None:
    world.mailbox(tenant, "second")
    receive(world, tenant, QUESTION)
    reply = mail(text="Again.", message_id="<2@example.com>", in_reply_to="<1@example.com>")
    assert receive(world, tenant, reply, "second").incident == 1
    assert receive(world, tenant, QUESTION, "second").reason == "same_mail"


def test_a_reply_to_a_closed_incident_opens_it_and_is_dated_by_its_arrival(world: World, tenant: str) -> None:
    receive(world, tenant, QUESTION)
    (incident,) = world.incidents(tenant)
    receive(world, tenant, mail(text="Again.", message_id="<2@example.com>", in_reply_to="<1@example.com>"))
    assert world.incidents(tenant)[0].updated >= incident.updated
    assert world.incidents(tenant)[0].status.value == "open"


# ── the same again ────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    "raw",
    [QUESTION, mail("support@example.org"), mail(subject="[INC-000001]"), b"\x00 not a mail"],
    ids=["delivered", "discarded", "reply", "junk"],
)
def test_a_redelivered_queue_message_changes_not_one_byte(world: World, tenant: str, raw: bytes) -> None:
    receive(world, tenant, QUESTION)
    row = receive(world, tenant, raw)
    before = rows(world)
    for _ in range(3):
        convert.convert(world.app, tenant, row.id)
        convert.give_up(world.app, tenant, row.id)
    assert rows(world) == before
    assert not world.queues.inbound


def test_a_bell_for_a_mail_that_never_was_changes_nothing(world: World, tenant: str) -> None:
    before = rows(world)
    convert.convert(world.app, tenant, "0" * 32)
    convert.give_up(world.app, tenant, "0" * 32)
    assert rows(world) == before


def test_the_same_mail_under_another_source_id_is_a_duplicate_that_names_the_incident(
    world: World, tenant: str
) -> None:
    receive(world, tenant, mail("cat@example.com", text="Other.", message_id="<c@example.com>"))
    receive(world, tenant, QUESTION)
    row = receive(world, tenant, b"Received: by another way\r\n" + QUESTION)
    assert (row.outcome, row.reason, row.incident, row.note) == (Outcome.DUPLICATE, "same_mail", 2, None)
    assert threads(world, tenant) == [("Other.",), ("The question.",)]


@pytest.mark.parametrize(("sender", "incidents"), [("ann@example.com", 1), ("eve@evil.example", 2)])
def test_a_message_id_used_twice_with_other_content_hides_no_mail(
    world: World, tenant: str, sender: str, incidents: int
) -> None:
    receive(world, tenant, QUESTION)
    assert receive(world, tenant, mail(sender, text="Something else.")).outcome is Outcome.DELIVERED
    assert [text for thread in threads(world, tenant) for text in sorted(thread)].count("Something else.") == 1
    assert len(world.incidents(tenant)) == incidents


def test_mails_without_a_message_id_are_kept_apart_by_their_words(world: World, tenant: str) -> None:
    for text in ("One.", "Two.", "One."):
        receive(world, tenant, mail(text=text, message_id=None))
    assert threads(world, tenant) == [("One.",), ("Two.",)]


# ── order ─────────────────────────────────────────────────────────────────────────────────────────────────────────

TALK = [
    mail("ann@example.com", text="1", to="support@example.org, bob@example.net", message_id="<1@t>"),
    mail(
        "bob@example.net", text="2", to="support@example.org, ann@example.com", message_id="<2@t>", in_reply_to="<1@t>"
    ),
    mail(
        "ann@example.com",
        text="3",
        to="support@example.org",
        cc="bob@example.net",
        message_id="<3@t>",
        in_reply_to="<2@t>",
        references="<1@t> <2@t>",
    ),
    mail("bob@example.net", text="4", to="ann@example.com", message_id="<4@t>", references="<1@t> <2@t> <3@t>"),
]
ALONE = [
    mail(text="1", message_id="<1@t>"),
    mail(text="2", message_id="<2@t>", in_reply_to="<1@t>"),
    mail(text="3", message_id="<3@t>", in_reply_to="<1@t>"),
    mail(text="4", message_id="<4@t>", in_reply_to="<3@t>", references="<1@t> <3@t>"),
]


@pytest.mark.parametrize("talk", [TALK, ALONE, TALK[:3], ALONE[:3]], ids=["two talk", "one alone", "three", "alone 3"])
def test_in_whatever_order_a_thread_comes_it_is_one_incident(world: World, talk: list[bytes]) -> None:
    for count, order in enumerate(itertools.permutations(talk)):
        tenant, _ = world.tenant(f"t{count}")
        world.mailbox(tenant, f"m{count}")
        for raw in order:
            world.receive(tenant, raw, f"m{count}")
        expected = tuple(str(number) for number in range(1, len(talk) + 1))
        assert threads(world, tenant) == [expected], [talk.index(raw) + 1 for raw in order]


# ── what is not wanted, and what fails ────────────────────────────────────────────────────────────────────────────


def test_a_mail_of_one_of_our_own_mailboxes_is_discarded(world: World, tenant: str) -> None:
    world.mailbox(tenant, "sales", group="Sales")
    row = receive(world, tenant, mail("Sales <SALES@example.org>"))
    assert (row.outcome, row.reason, row.incident) == (Outcome.DISCARDED, "own_mail", None)
    assert threads(world, tenant) == []


def test_an_empty_whitelist_holds_everybody_and_loses_nobody(world: World, tenant: str) -> None:
    world.mailbox(tenant, whitelist_enabled=True)
    row = receive(world, tenant, QUESTION)
    assert (row.outcome, row.reason, row.incident) == (Outcome.HELD, "not_on_whitelist", None)
    assert world.app.raw.get(tenant, row.id) == QUESTION
    assert threads(world, tenant) == []
    again = receive(world, tenant, mail(text="Another.", message_id="<2@example.com>", in_reply_to="<1@example.com>"))
    assert again.reason == "not_on_whitelist", "a held mail leaves no thread that lets others in"


def test_the_mail_of_a_mailbox_that_was_removed_is_held_and_kept(world: World, tenant: str) -> None:
    world.folders["support"].deliver(QUESTION)
    world.poll(tenant)
    mailboxes.remove(world.app, tenant, "support")
    world.convert_all()
    row = latest(world, tenant)
    assert (row.outcome, row.reason, row.sender) == (Outcome.HELD, "mailbox_removed", "ann@example.com")
    assert world.app.raw.get(tenant, row.id) == QUESTION
    assert threads(world, tenant) == []


def test_a_mail_whose_raw_was_lost_says_so_and_is_healed_by_the_next_poll(world: World, tenant: str) -> None:
    receive(world, tenant, mail("cat@example.com", text="Other.", message_id="<c@example.com>"))
    world.folders["support"].deliver(QUESTION)
    world.poll(tenant)
    assert isinstance(world.blobs, MemoryBlobs)
    (id,) = [key.id for key, _, _ in world.app.desk.pending(tenant)]
    del world.blobs.content["raw", f"{tenant}/{id}.eml"]
    world.queues.polls.clear()
    world.convert_all()
    lost = world.app.desk.inbound(tenant, id)
    assert lost is not None
    assert (lost.outcome, lost.reason) == (Outcome.FAILED, "raw_lost")
    assert lost.trace
    assert len(world.queues.polls) == 1
    assert violations(world.tables, world.blobs, tenant) == []
    world.poll(tenant)
    world.convert_all()
    assert threads(world, tenant) == [("Other.",), ("The question.",)]
    assert world.folders["support"].fetched == [1, 2, 2]


def test_a_mail_whose_raw_was_lost_and_that_is_gone_from_the_server_stays_failed_and_stops_nothing(
    world: World, tenant: str
) -> None:
    world.folders["support"].deliver(QUESTION)
    world.poll(tenant)
    assert isinstance(world.blobs, MemoryBlobs)
    world.blobs.content.clear()
    world.folders["support"].mails.clear()
    world.convert_all()
    receive(world, tenant, mail("cat@example.com", text="Other.", message_id="<c@example.com>"))
    assert threads(world, tenant) == [("Other.",)]
    assert Stored(world.tables, world.blobs, tenant).outcomes() == {"raw_lost": 1, "new_incident": 1}


def test_a_raw_mail_that_was_changed_in_storage_never_becomes_a_note(world: World, tenant: str) -> None:
    # The row names the digest of what was fetched.
    world.folders["support"].deliver(QUESTION)
    world.poll(tenant)
    assert isinstance(world.blobs, MemoryBlobs)
    (name,) = world.blobs.content
    world.blobs.content[name] = QUESTION.replace(b"The question.", b"Pay at once! ")
    world.convert_all()
    assert Stored(world.tables, world.blobs, tenant).threads() in ([], [("The question.",)])


def test_what_the_queue_gave_up_is_failed_visible_and_kept(world: World, tenant: str) -> None:
    world.folders["support"].deliver(QUESTION)
    world.poll(tenant)
    bell = InboundBell.decode(world.queues.inbound.popleft())
    convert.give_up(world.app, bell.tenant, bell.id)
    row = latest(world, tenant)
    assert (row.outcome, row.reason) == (Outcome.FAILED, "conversion_failed")
    assert world.app.raw.get(tenant, row.id) == QUESTION
    assert threads(world, tenant) == []
    assert world.app.desk.retry(tenant, row.id, world.clock.now)
    assert not world.app.desk.retry(tenant, row.id, world.clock.now)
    convert.convert(world.app, tenant, row.id)
    assert threads(world, tenant) == [("The question.",)]


class _Refusing(TableDesk):
    """A desk that never commits an outcome."""

    error: Exception = RowChanged("Others were faster.")
    tries = 0

    def file(self, tenant: str, filing: Filing) -> Filed:
        self.tries += 1
        raise self.error

    def give_up(self, tenant: str, id: str, now: object) -> bool:
        raise StoreUnavailable("Table storage.")


def test_who_always_loses_gives_the_mail_back_to_the_queue(world: World, tenant: str) -> None:
    world.folders["support"].deliver(QUESTION)
    world.poll(tenant)
    desk = _Refusing(world.tables, world.blobs)
    app, before = replace(world.app, desk=desk), world.clock.now
    id = latest(world, tenant).id
    with pytest.raises(RowChanged):
        convert.convert(app, tenant, id)
    assert desk.tries == convert.TRIES
    assert 0 < (world.clock.now - before).total_seconds() < convert.TRIES * convert.LONGEST_PAUSE
    assert latest(world, tenant).outcome is Outcome.PENDING


def test_giving_up_never_raises_what_storage_does(world: World, tenant: str) -> None:
    world.folders["support"].deliver(QUESTION)
    world.poll(tenant)
    convert.give_up(replace(world.app, desk=_Refusing(world.tables, world.blobs)), tenant, latest(world, tenant).id)
    assert latest(world, tenant).outcome is Outcome.PENDING


# ── extremes ──────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("length", [INLINE_BODY - 200, INLINE_BODY, 200_000])
@pytest.mark.parametrize("letter", ["x", "ü", "😀", '"', "\\"], ids=["ascii", "umlaut", "emoji", "quote", "backslash"])
def test_a_text_of_any_length_comes_back_equal(world: World, tenant: str, length: int, letter: str) -> None:
    text = letter * length
    receive(world, tenant, mail(text=text))
    (note,) = world.notes(tenant, 1)
    assert note.body.text.strip() == text
    assert violations(world.tables, world.blobs, tenant) == []


def test_sixty_attachments_come_back_in_order(world: World, tenant: str) -> None:
    files = tuple((f"{'long name ' * 12}{n}.bin", bytes([n]) * 100) for n in range(60))
    receive(world, tenant, mail(attachments=files))
    (note,) = world.notes(tenant, 1)
    found = [world.app.raw.attachment(tenant, ref.sha256) for ref in note.body.attachments]
    assert found == [content for _, content in files]
    assert len({ref.id for ref in note.body.attachments}) == 60
    assert violations(world.tables, world.blobs, tenant) == []


RECIPIENTS = {
    "short": [f"p{n}@example.com" for n in range(500)],
    "long names": [f'"{"Long Name " * 10}" <p{n}@example.com>' for n in range(500)],
    "long addresses": [f"{'p' * 60}{n}@{'d' * 60}.example.com" for n in range(500)],
    "both": [f'"{"Long Name " * 10}" <{"p" * 60}{n}@{"d" * 60}.{"e" * 60}.example>' for n in range(500)],
}


@pytest.mark.parametrize("field", ["to", "cc"])
@pytest.mark.parametrize("kind", RECIPIENTS)
def test_five_hundred_recipients_stop_no_mail(world: World, tenant: str, kind: str, field: str) -> None:
    header = f"{field.title()}: ".encode() + ",\r\n ".join(RECIPIENTS[kind]).encode() + b"\r\n"
    row = receive(world, tenant, header + mail(to="support@example.org").replace(b"To: support@example.org\r\n", b""))
    assert row.reason == "new_incident"
    assert threads(world, tenant) == [("It burns.",)]


def test_names_of_emoji_and_quotes_stop_no_mail(world: World, tenant: str) -> None:
    people = ",\r\n ".join(f'"{chr(0x1F600) * 60}\\"\\"" <p{n}@example.com>' for n in range(200))
    receive(world, tenant, f"Cc: {people}\r\n".encode() + QUESTION)
    assert threads(world, tenant) == [("The question.",)]


def test_an_incident_that_gathers_people_takes_every_answer(world: World, tenant: str) -> None:
    receive(world, tenant, QUESTION)
    for number in range(12):
        people = ",\r\n ".join(f'"{"Name " * 18}" <{"p" * 50}.{number}.{n}@{"d" * 50}.example.com>' for n in range(15))
        raw = mail(text=f"{number}", message_id=f"<a{number}@example.com>", in_reply_to="<1@example.com>")
        assert receive(world, tenant, f"Cc: {people}\r\n".encode() + raw).incident == 1
    assert world.incidents(tenant)[0].notes_count == 13


@pytest.mark.parametrize("letter", ["s", "ü", "😀", '"'])
def test_a_subject_of_five_thousand_letters_is_cut_where_lists_show_it(world: World, tenant: str, letter: str) -> None:
    row = receive(world, tenant, b"Subject: " + (letter * 5000).encode() + b"\r\n" + mail().replace(b"Subject:", b"X:"))
    assert row.reason == "new_incident"
    assert row.subject.startswith(letter * 400)
    assert len(row.subject) <= 500
    assert threads(world, tenant) == [("It burns.",)]


HOSTILE = {
    "nul in subject": mail().replace(b"Printer", b"Pri\x00nter"),
    "nul in text": mail().replace(b"burns", b"bur\x00ns"),
    "surrogate in subject": mail().replace(b"Printer", b"=?utf-8?q?=ED=A0=80?="),
    "surrogate in utf-16 text": b"Content-Type: text/plain; charset=utf-16-le\r\n\r\n\x00\xd8a\x00",
    "surrogate by escape": b"Content-Type: text/plain; charset=unicode_escape\r\n\r\n\\ud800",
    "utf-7 surrogate": b"Content-Type: text/plain; charset=utf-7\r\n\r\n+2AA-",
    "surrogate in html": b"From: a@b.example\r\nContent-Type: text/html\r\n\r\n<p>&#xD800; &#0; x</p>",
    "surrogate in names": b"From: =?utf-8?b?7aCA?= <a@b.example>\r\nTo: =?utf-8?b?7aCA?= <b@b.example>\r\n\r\nx",
    "surrogate in ids": b"Message-ID: <\xed\xa0\x80@x>\r\nReferences: <\xed\xa0\x81@x> <\x00@x>\r\n\r\nx",
    "surrogate in attachment": b'Content-Type: application/x; name="\xed\xa0\x80\x00.bin"\r\nContent-ID: <\xed\xa0\x80\x00>\r\n'
    b"Content-Disposition: attachment\r\n\r\nx",
    "controls in type": b"Content-Type: app\x01lication/\xed\xa0\x80\r\nContent-Disposition: attachment\r\n\r\nx",
    "high bytes everywhere": bytes(range(256)) * 50,
    "nothing": b"",
    "only line ends": b"\r\n" * 1000,
}


@pytest.mark.parametrize("kind", HOSTILE)
def test_no_bytes_stop_a_conversion(world: World, tenant: str, kind: str) -> None:
    row = receive(world, tenant, HOSTILE[kind])
    assert row.outcome is Outcome.DELIVERED
    assert violations(world.tables, world.blobs, tenant) == []
    (note,) = world.notes(tenant, 1)
    said = f"{row.subject}{row.sender}{note.body.text}{note.body.html}{note.author.name}{note.body.attachments}"
    assert "\x00" not in said
    said.encode()  # no lone surrogate
