"""No loop goes on: weeks of virtual time against everything that answers what a machine sent.

Each run ends with what holds at any time (``Simulation.run``): every mail has one outcome, only mails accepted as a
person's are acknowledged, each once, and no limit is exceeded in any of its windows.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from shared.flows import convert
from shared.model.doorbell import InboundBell
from tests.support.inbounddesk import InboundDesk
from tests.support.responders import (
    AT_ONCE,
    BouncingServer,
    HelpDesk,
    Responder,
    Stripping,
    in_no_known_words,
    in_words,
    other_words,
    same,
    structured,
    without_number,
    without_original,
)
from tests.support.simulation import Letter, Numbers, Simulation

DESK, ANN = "support@desk.example", "ann@miller.example"
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
SHORT = "Gone."

# Written out here: a limit that is loosened shows in what a loop may cost.
FIRST = 1  # the person's mail that began it is acknowledged, too
SENDER_HOUR, SENDER_DAY = 3, 10
TEXT_DAY, TEXT_WEEK = 2, 5
SUBJECT = 10
DOMAIN_HOUR, DOMAIN_DAY = 100, 500
MAILBOX_HOUR = 200
UNPROVED = 20


def other_address(count: int) -> str:
    """One byte changes each time."""
    return f"office-{chr(97 + count % 26)}{chr(97 + count // 26 % 26)}@miller.example"


def other_subject(subject: str, count: int) -> str:
    return other_words(-count)


def other_text(count: int) -> str:
    return other_words(count + 10**6)


def once_more(subject: str, count: int) -> str:
    return f"Once more: {without_number(subject)}"[:400]


def after(delay: timedelta) -> dict[str, Any]:
    return {"delay": lambda count: delay}


def a_person_writes(simulation: Simulation, sender: str = ANN, to: str = DESK, at: timedelta = AT_ONCE) -> None:
    simulation.send(sender, to, "Printer on fire", "It burns, and nobody here knows what to do about it.", at)


def ends(simulation: Simulation, acknowledged: int, incidents: int) -> Numbers:
    """Within a week it is over, and three more weeks bring nothing."""
    week = simulation.run(7)
    assert 1 <= week.acknowledged <= acknowledged
    assert week.incidents <= incidents
    assert simulation.run(21) == week
    return week


# ── one program that answers ──────────────────────────────────────────────────────────────────────────────────────

THREADED: dict[str, dict[str, Any]] = {
    "In-Reply-To": {"threads": True},
    "In-Reply-To, from other addresses": {"threads": True, "sender": other_address},
    "our subject": {"subject": lambda subject, count: subject},
    "our subject behind words": {"subject": lambda subject, count: f"Once more: {subject}"},
}
TOLD: dict[str, dict[str, Any]] = {
    "Automated Response: Re:": {"subject": lambda subject, count: f"Automated Response: {without_number(subject)}"},
    "words of absence": {"text": same("Thank you for your mail. I am out of the office until Monday.")},
}
LOOPS: dict[str, tuple[dict[str, Any], int]] = {
    "always the same": ({}, FIRST + TEXT_DAY),
    "always the same, in one word": ({"text": same(SHORT)}, SENDER_HOUR),
    "another address each time": ({"sender": other_address}, FIRST + TEXT_DAY),
    "another address each time, in one word": ({"sender": other_address, "text": same(SHORT)}, FIRST + SUBJECT),
    "other address and words": ({"sender": other_address, "text": other_text}, FIRST + SUBJECT),
    "another subject each time": ({"subject": other_subject}, FIRST + TEXT_DAY),
    "our subject, longer each time": ({"subject": once_more, "text": same(SHORT)}, SENDER_HOUR),
    "other address and subject": ({"sender": other_address, "subject": other_subject}, FIRST + TEXT_DAY),
    "other subject and words": ({"subject": other_subject, "text": other_text}, SENDER_HOUR),
    "after a minute": (after(timedelta(minutes=1)), FIRST + TEXT_DAY),
    "after half an hour, other words": (
        {**after(HOUR / 2), "text": other_text, "subject": other_subject},
        SENDER_DAY,
    ),
    "after three hours": (after(3 * HOUR), FIRST + TEXT_DAY),
    "after twelve hours": (after(12 * HOUR), FIRST + TEXT_WEEK),
    "after a day": (after(DAY), FIRST + TEXT_WEEK),
    "after a minute to a day": (
        {"delay": lambda count: timedelta(minutes=1 + 97 * count * count % 1440)},
        FIRST + TEXT_WEEK,
    ),
}


@pytest.mark.parametrize("kind", LOOPS)
def test_a_program_that_answers_everything_and_says_so_nowhere_is_answered_a_few_times(kind: str) -> None:
    behaviour, most = LOOPS[kind]
    simulation = Simulation()
    InboundDesk(simulation, DESK)
    Responder(simulation, ANN, **behaviour)
    a_person_writes(simulation)
    week = ends(simulation, most, most + 1)
    assert week.arrived == week.acknowledged + 1


@pytest.mark.parametrize("kind", LOOPS)
def test_without_limits_the_same_program_is_answered_for_ever(kind: str) -> None:
    behaviour, most = LOOPS[kind]
    simulation = Simulation(limited=False)
    InboundDesk(simulation, DESK)
    Responder(simulation, ANN, **behaviour)
    a_person_writes(simulation)
    for _ in range(20 * 30):
        if simulation.run(1 / 20).acknowledged > 2 * most:
            return
    pytest.fail("it ended by itself, so the test above proves nothing")


@pytest.mark.parametrize("kind", [*THREADED, *TOLD])
def test_what_threads_or_tells_gets_one_acknowledgement_and_opens_no_incident(kind: str) -> None:
    simulation = Simulation()
    InboundDesk(simulation, DESK)
    Responder(simulation, ANN, **(THREADED | TOLD)[kind])
    a_person_writes(simulation)
    ends(simulation, 1, 1)


@pytest.mark.slow
def test_what_changes_its_address_its_subject_and_its_words_ends_with_its_domain() -> None:
    simulation = Simulation()
    InboundDesk(simulation, DESK)
    Responder(simulation, ANN, sender=other_address, subject=other_subject, text=other_text)
    a_person_writes(simulation)
    ends(simulation, DOMAIN_DAY, DOMAIN_DAY + 1)


@pytest.mark.parametrize("delay", [3 * HOUR, 12 * HOUR, 2 * DAY])
def test_what_takes_hours_and_never_repeats_itself_stays_below_what_one_sender_gets_a_day(delay: timedelta) -> None:
    simulation = Simulation()
    InboundDesk(simulation, DESK)
    Responder(simulation, ANN, subject=other_subject, text=other_text, **after(delay))
    a_person_writes(simulation)
    week, fortnight = simulation.run(7), simulation.run(7)
    assert week.acknowledged <= 7 * min(SENDER_DAY, DAY / delay) + 1
    assert fortnight.acknowledged <= 14 * min(SENDER_DAY, DAY / delay) + 1


def test_what_takes_two_days_costs_a_few_mails_a_week() -> None:
    simulation = Simulation()
    InboundDesk(simulation, DESK)
    Responder(simulation, ANN, **after(2 * DAY))
    a_person_writes(simulation)
    assert simulation.run(28).acknowledged <= FIRST + 4 * TEXT_WEEK


def test_a_person_with_such_a_program_who_writes_each_day_is_answered_each_day_and_the_program_five_times_a_week() -> (
    None
):
    simulation = Simulation()
    InboundDesk(simulation, DESK)
    Responder(simulation, ANN)
    for day in range(28):
        simulation.send(ANN, DESK, other_words(day), other_words(day + 100), day * DAY + 9 * HOUR)
    week, month = simulation.run(7), simulation.run(21)
    assert week.acknowledged <= 7 + TEXT_WEEK
    assert 28 <= month.acknowledged <= 28 + 4 * TEXT_WEEK
    assert month.incidents <= 2 * 28 + 4 * TEXT_WEEK


@pytest.mark.parametrize("closed_reply", ["new", "reopen", "keep"])
@pytest.mark.parametrize("threads", [True, False])
def test_who_closes_every_incident_at_once_starts_no_loop(closed_reply: str, threads: bool) -> None:
    simulation = Simulation()
    InboundDesk(simulation, DESK, closed_reply=closed_reply, closes=True)
    Responder(simulation, ANN, threads=threads)
    a_person_writes(simulation)
    ends(simulation, SENDER_HOUR, SENDER_HOUR + 1)


# ── two desks ─────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("stripped", [(), ("a",), ("b",), ("a", "b")])
def test_two_desks_of_ours_exchange_two_acknowledgements_at_most(stripped: tuple[str, ...]) -> None:
    simulation = Simulation()
    desks = {name: InboundDesk(simulation, f"support@{name}.example") for name in ("a", "b")}
    for name in stripped:
        simulation.parties[desks[name].address] = Stripping(simulation, desks[name])
    a_person_writes(simulation, "support@a.example", "support@b.example")
    ends(simulation, 2, 2)


FOREIGN: dict[str, dict[str, Any]] = {
    "keeps our subject": {},
    "keeps our subject and threads": {"threads": True},
    "forgets our number": {"subject": lambda tag, subject: f"{tag} {without_number(subject)}"},
    "forgets our number, threads": {
        "subject": lambda tag, subject: f"{tag} {without_number(subject)}",
        "threads": True,
    },
    "writes a subject of its own": {"subject": lambda tag, subject: f"{tag} is with us"},
    "tells nothing": {"subject": lambda tag, subject: "Foreign and Sons"},
}


@pytest.mark.parametrize("gateway", [False, True])
@pytest.mark.parametrize("kind", FOREIGN)
def test_a_foreign_help_desk_that_acknowledges_everything_is_answered_a_few_times(kind: str, gateway: bool) -> None:
    simulation = Simulation()
    desk = InboundDesk(simulation, DESK)
    HelpDesk(simulation, "help@foreign.example", **FOREIGN[kind])
    if gateway:
        simulation.parties[DESK] = Stripping(simulation, desk)
    a_person_writes(simulation, "help@foreign.example")
    ends(simulation, SENDER_HOUR, SENDER_HOUR + 1)


# ── forged senders ────────────────────────────────────────────────────────────────────────────────────────────────


def attack(
    simulation: Simulation, verdict: str, sender: Callable[[int], str], within: timedelta = HOUR, mails: int = 500
) -> None:
    """Mails whose senders never wrote them, each with words of its own."""
    for count in range(mails):
        at = within * count / mails
        simulation.send(sender(count), DESK, other_words(count), other_words(count + 500), at, verdict)


def anybody(count: int) -> str:
    return f"victim@{chr(97 + count % 26)}{chr(97 + count // 26)}.example"


@pytest.mark.parametrize(
    ("verdict", "unverified", "mails"), [("fail", "accept", 500), ("fail", "hold", 50), ("none", "hold", 50)]
)
def test_500_forged_senders_get_nothing(verdict: str, unverified: str, mails: int) -> None:
    simulation = Simulation()
    InboundDesk(simulation, DESK, unverified_senders=unverified)
    attack(simulation, verdict, anybody, mails=mails)
    week = simulation.run(7)
    assert week.acknowledged == 0
    assert simulation.nowhere == []
    assert week.arrived == mails


def test_500_senders_whom_nobody_checked_get_a_few_and_proved_senders_theirs() -> None:
    simulation = Simulation()
    InboundDesk(simulation, DESK)
    attack(simulation, "none", anybody)
    a_person_writes(simulation, at=HOUR * 0.9)
    simulation.run(7)
    assert 1 <= len(simulation.nowhere) - 1 <= 2 * UNPROVED
    assert ANN in {letter.recipient for letter in simulation.nowhere}


@pytest.mark.parametrize("verdict", ["none", "pass"])
def test_one_victim_gets_ten_mails_a_day_at_most(verdict: str) -> None:
    simulation = Simulation()
    InboundDesk(simulation, DESK)
    attack(simulation, verdict, lambda count: "victim@v.example", 7 * DAY, 7 * 3 * SENDER_DAY)
    week = simulation.run(8)
    assert week.acknowledged == 7 * SENDER_DAY
    assert week.incidents == 7 * 3 * SENDER_DAY


def test_500_real_senders_at_once_do_not_use_up_what_the_mailbox_may_send() -> None:
    simulation = Simulation()
    InboundDesk(simulation, DESK)
    attack(simulation, "pass", anybody, HOUR / 2)
    week = simulation.run(7)
    assert (week.acknowledged, week.incidents) == (MAILBOX_HOUR, 500)


# ── bounces ───────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("null_envelope", [True, False])
@pytest.mark.parametrize("form", [structured, without_original, in_words, in_no_known_words])
def test_bounces_and_bounces_of_bounces_are_never_answered(form: Any, null_envelope: bool) -> None:
    simulation = Simulation()
    InboundDesk(simulation, DESK, null_envelope=null_envelope)
    servers = [
        BouncingServer(simulation, domain, form, answers_null=True, nested=5)
        for domain in ("miller.example", "bounce.example")
    ]
    a_person_writes(simulation)
    week = ends(simulation, 1, 7)
    assert [server.bounced for server in servers] == [6, 0], "nothing went back to where bounces come from"
    assert week.arrived == 7


def test_a_server_that_keeps_the_rules_bounces_nothing_that_came_without_an_envelope_sender() -> None:
    simulation = Simulation()
    InboundDesk(simulation, DESK)
    server = BouncingServer(simulation, "miller.example", structured)
    a_person_writes(simulation)
    ends(simulation, 1, 1)
    assert server.bounced == 0


def test_500_bounces_of_mails_that_somebody_sent_in_our_name_open_nothing() -> None:
    simulation = Simulation()
    InboundDesk(simulation, DESK)
    for count in range(500):
        spam = Letter(simulation.write(DESK, anybody(count), "Win", "Win now."), anybody(count), DESK)
        simulation.post(Letter(structured(simulation, spam, DESK), DESK), count * AT_ONCE)
    week = simulation.run(7)
    assert (week.acknowledged, week.incidents) == (0, 0)
    assert week.outcomes == {"report_unmatched": 500}


# ── people ────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_who_writes_five_mails_within_an_hour_gets_three_numbers_and_five_incidents() -> None:
    simulation = Simulation()
    InboundDesk(simulation, DESK)
    for count in range(5):
        simulation.send(ANN, DESK, other_words(count), other_words(count + 50), count * timedelta(minutes=10))
    week = simulation.run(7)
    assert (week.acknowledged, week.incidents) == (SENDER_HOUR, 5)


def test_who_writes_five_mails_each_day_gets_every_number() -> None:
    simulation = Simulation()
    InboundDesk(simulation, DESK)
    for count in range(35):
        at = count // 5 * DAY + (8 + 2 * (count % 5)) * HOUR
        simulation.send(ANN, DESK, other_words(count), other_words(count + 50), at)
    assert simulation.run(7).acknowledged == 35


def test_80_customers_of_one_mail_provider_get_their_numbers_although_their_subjects_are_one() -> None:
    simulation = Simulation()
    InboundDesk(simulation, DESK)
    for count in range(80):
        sender = f"{other_words(count)[:12].replace(' ', '.')}{count}@freemail.example"
        simulation.send(sender, DESK, f"Order {4711 + count}", other_words(count), count * timedelta(minutes=20))
    assert simulation.run(7).acknowledged == 80


def test_80_colleagues_within_an_hour_get_their_numbers() -> None:
    simulation = Simulation()
    InboundDesk(simulation, DESK)
    for count in range(80):
        simulation.send(other_address(count), DESK, other_words(count), other_words(count + 80), count * AT_ONCE)
    assert simulation.run(7).acknowledged == 80


def test_120_colleagues_within_half_an_hour_get_a_hundred_numbers() -> None:
    simulation = Simulation()
    InboundDesk(simulation, DESK)
    for count in range(120):
        at = HOUR / 2 * count / 120
        simulation.send(other_address(count), DESK, other_words(count), other_words(count + 120), at)
    week = simulation.run(7)
    assert (week.acknowledged, week.incidents) == (DOMAIN_HOUR, 120)


def test_whoever_is_in_a_loop_takes_nobody_elses_number() -> None:
    simulation = Simulation()
    InboundDesk(simulation, DESK)
    Responder(simulation, ANN, sender=other_address, subject=other_subject, text=other_text)
    a_person_writes(simulation)
    simulation.send("bob@other.example", DESK, "Keyboard", "Three of its keys are gone since yesterday.", 2 * HOUR)
    simulation.run(0.2)
    assert [letter.recipient for letter in simulation.nowhere] == ["bob@other.example"]


def test_nobody_is_answered_about_a_mailbox_full_of_old_mail() -> None:
    simulation = Simulation()
    InboundDesk(simulation, DESK)
    for count in range(100):
        raw = simulation.write(anybody(count), DESK, other_words(count), other_words(count + 100))
        simulation.post(Letter(raw, DESK, anybody(count), age=timedelta(days=1 + count)))
    week = simulation.run(7)
    assert (week.arrived, week.acknowledged, week.incidents) == (100, 0, 100)


# ── at the same time ──────────────────────────────────────────────────────────────────────────────────────────────


def test_two_mails_that_are_decided_at_the_same_time_do_not_share_the_last_acknowledgement() -> None:
    simulation = Simulation()
    desk = InboundDesk(simulation, DESK)
    for count in range(SENDER_HOUR - 1):
        simulation.send(ANN, DESK, other_words(count), other_words(count + 50))
    assert simulation.run(0.01).acknowledged == SENDER_HOUR - 1
    world, other = simulation.world, simulation.desk
    for count in (7, 8):
        raw = simulation.write(ANN, DESK, other_words(count), other_words(count + 50))
        desk.receive(Letter(raw, DESK, ANN))
    world.poll(desk.tenant, desk.id)
    first, second = (InboundBell.decode(text) for text in world.queues.inbound)
    world.queues.inbound.clear()

    def meanwhile() -> None:
        other.between = lambda: None
        convert.convert(world.app, second.tenant, second.id)

    other.between = meanwhile
    convert.convert(world.app, first.tenant, first.id)
    assert [mail for _, _, mail, _ in other.outbox] == [second.id]
    assert {row.reason for row in world.ledger(desk.tenant)} == {"new_incident"}
