from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from shared.mail.address import Address
from shared.mail.reply.forward import Forward
from shared.model import reason
from shared.model.acknowledge import TEXT_MOST, TOO_OLD, Acknowledgement, limits_of, may_acknowledge
from shared.model.decide import decide
from shared.model.facts import Facts
from shared.model.incident import Status
from shared.model.limits import Tally, of_acknowledgement, of_new_incidents, of_reopening
from shared.model.reason import Reason
from tests.support.mails import mail
from tests.unit.model.given import (
    ALERT,
    ANN,
    BOUNCE,
    FORGED,
    FROM_NOBODY,
    NOON,
    PROVED,
    UNKNOWN,
    VACATION,
    facts,
    hit,
    incident,
    report,
    tally,
)

TEXT = "The printer on the second floor burns, and nobody knows where the extinguisher is."
SECOND = timedelta(seconds=1)


def given(raw: bytes = mail(text=TEXT), settings: dict[str, Any] | None = None, **looked_up: Any) -> Facts:
    """A proved person's mail to a mailbox that acknowledges."""
    made = facts(raw, {"email": "support@example.org", **(settings or {})}, **{"verdict": PROVED, **looked_up})
    # Acknowledgements are refused at the edge until something sends them.
    return replace(made, settings=made.settings.model_copy(update={"acknowledge": True}))


def asked(of: Facts, now: datetime = NOON, counts: dict[str, int] | None = None) -> Acknowledgement:
    """What is said when so many were counted, by a part of each limit's words."""
    looked_up = [
        Tally(limit, next((count for words, count in (counts or {}).items() if words in str(limit)), 0))
        for limit in limits_of(of, now)
    ]
    return may_acknowledge(of, decide(of), tuple(looked_up), now)


# ── who gets one ──────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_person_who_opens_an_incident_gets_one_and_it_is_counted() -> None:
    answer = asked(given())
    assert answer.send
    assert [one.limit for one in answer.count] == list(limits_of(given(), NOON))


def test_a_person_whose_closed_incident_goes_on_as_a_new_one_gets_one() -> None:
    old = incident(7, ANN, status=Status.CLOSED, updated=NOON - timedelta(days=30))
    continued = given(threads=(hit(old),))
    assert decide(continued).reason is reason.NEW_AFTER_CLOSED
    assert asked(continued).send


@pytest.mark.parametrize(
    ("of", "why"),
    [
        (facts(verdict=PROVED), "acknowledges nothing"),
        (given(machine=VACATION), "no person wrote it: Auto-Submitted: auto-replied"),
        (given(machine=ALERT), "no person wrote it"),
        (given(machine=BOUNCE), "no person wrote it"),
        (given(report=report()), "no person wrote it"),
        (given(machine=replace(VACATION, kind="human", why="List-Id: x")), "wants no automatic answer: List-Id: x"),
        (given(FROM_NOBODY), "names no single sender"),
        (given(own_addresses=frozenset({"ann@example.com"})), "one of this tenant's mailboxes"),
        (given(verdict=FORGED), "is forged: dmarc=fail"),
        (given(verdict=UNKNOWN, settings={"unverified_senders": "hold"}), "was not checked: nobody checked"),
        (given(received=NOON - SECOND), "before the mailbox was connected (2026-11-16)"),
        (given(forward=Forward(ANN, "Fire", "", "", None, None)), "an agent forwarded it"),
        (given(threads=(hit(incident()),)), "it opened no incident"),
        (given(truncated=True), "it opened no incident"),
        (given(duplicate_of=3), "it opened no incident"),
        (given(settings={"whitelist_enabled": True}), "it opened no incident"),
        (given(tallies=(tally(2),)), "it opened no incident"),
    ],
)
def test_whoever_gets_none_is_told_why_and_nothing_is_counted(of: Facts, why: str) -> None:
    answer = asked(of)
    assert (answer.send, answer.count) == (False, ())
    assert why in answer.why


def test_a_sender_whom_nobody_checked_gets_one_where_the_tenant_accepts_such_senders() -> None:
    assert asked(given(verdict=UNKNOWN, settings={"unverified_senders": "accept"})).send


def test_support_with_a_key_behind_its_plus_is_our_mailbox() -> None:
    raw = mail("support+inc-1-abc@example.org", text=TEXT)
    assert not asked(given(raw, own_addresses=frozenset({"support@example.org"}))).send


@pytest.mark.parametrize(
    "sender",
    [
        "MAILER-DAEMON@example.com",
        "Postmaster@example.com",
        '"Mail Delivery System" <x@example.com>',
        "noreply@example.com",
        "no-reply+x@example.com",
        "do.not.reply@example.com",
        "nicht-antworten@example.com",
        "root@example.com",
        "alerts@example.com",
        "LISTSERV@example.com",
        "majordomo@example.com",
        "owner-talk@example.com",
        "talk-owner@example.com",
        "talk-request@example.com",
        "talk-bounces@example.com",
    ],
)
def test_nobody_writes_to_an_address_that_nobody_reads(sender: str) -> None:
    # Even where all else says that a person wrote it.
    answer = asked(given(mail(sender, text=TEXT)))
    assert not answer.send
    assert "@example.com" in answer.why


@pytest.mark.parametrize("sender", ["ann.owner@example.com", "requests@example.com", "rooter@example.com"])
def test_people_whose_names_look_a_little_like_that_get_one(sender: str) -> None:
    assert asked(given(mail(sender, text=TEXT))).send


@pytest.mark.parametrize(
    ("reply_to", "sends"),
    [
        ("ann@example.com", True),
        ("Ann <ANN@example.com>", True),
        ("bob@example.com, ann@example.com", True),
        ("victim@other.example", False),
        ("ann.smith@example.com", False),
        ("no-reply@example.com", False),
    ],
)
def test_answers_go_to_the_sender_or_nowhere(reply_to: str, sends: bool) -> None:
    # A verified attacker would name his victim here.
    assert asked(given(mail(text=TEXT, reply_to=reply_to))).send is sends


# ── when ──────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(("age", "sends"), [(timedelta(), True), (TOO_OLD, True), (TOO_OLD + SECOND, False)])
def test_who_waited_for_more_than_a_day_gets_an_answer_and_no_receipt(age: timedelta, sends: bool) -> None:
    of = given(mail(text=TEXT).replace(b"16 Nov", b"17 Nov"))
    answer = asked(of, NOON + age)
    assert answer.send is sends
    assert sends or "more than a day ago (2026-11-16)" in answer.why


@pytest.mark.parametrize(
    ("date", "sends"),
    [
        (b"Mon, 16 Nov 2026 09:00:00", True),
        (b"Sun, 15 Nov 2026 12:00:00", True),
        (b"Sun, 15 Nov 2026 11:59:59", False),
        (b"Thu, 16 Nov 2017 09:00:00", False),
        (b"Tue, 16 Nov 2027 09:00:00", True),
        (b"yesterday", True),
    ],
)
def test_a_mail_that_was_moved_here_from_elsewhere_is_as_old_as_it_says(date: bytes, sends: bool) -> None:
    # Copied by a program, it arrives today.
    raw = mail(text=TEXT).replace(b"Mon, 16 Nov 2026 09:00:00", date)
    assert asked(given(raw)).send is sends


# ── how many ──────────────────────────────────────────────────────────────────────────────────────────────────────

MOST = [
    ("3 acknowledgements in an hour to ann@example.com", 3),
    ("10 acknowledgements in a day to ann@example.com", 10),
    ("100 acknowledgements in an hour to example.com", 100),
    ("500 acknowledgements in a day to example.com", 500),
    ("10 acknowledgements in 3 hours to mails of example.com about “printeronfire”", 10),
    ("2 acknowledgements in a day to mails of example.com with the same words", 2),
    ("5 acknowledgements in a week to mails of example.com with the same words", 5),
    ("200 acknowledgements in an hour from support@example.org", 200),
    ("1000 acknowledgements in a day from support@example.org", 1000),
    ("20 acknowledgements in an hour to unproved senders from support@example.org", 20),
]


@pytest.mark.parametrize(("words", "most"), MOST)
def test_each_limit_ends_them_when_it_is_full_and_not_before(words: str, most: int) -> None:
    of = given(verdict=UNKNOWN)
    assert asked(of, counts={words: most - 1}).send
    full = asked(of, counts={words: most})
    assert not full.send
    assert full.why.startswith(f"there were {words}")
    assert full.why.endswith(" already")


def test_the_limits_are_these_and_no_others() -> None:
    found = [str(limit) for limit in limits_of(given(verdict=UNKNOWN), NOON)]
    assert [words for (words, _), limit in zip(MOST, found, strict=True) if limit.startswith(words)] == [
        words for words, _ in MOST
    ]


def test_proved_senders_are_not_counted_with_those_whom_nobody_checked() -> None:
    assert not any("unproved" in str(limit) for limit in limits_of(given(), NOON))


def test_nobody_is_answered_when_nobody_looked_how_many_there_were() -> None:
    answer = may_acknowledge(given(), decide(given()), (), NOON)
    assert not answer.send


@pytest.mark.parametrize("of", [facts(verdict=PROVED), given(machine=VACATION), given(FROM_NOBODY)])
def test_nothing_is_looked_up_where_it_makes_no_difference(of: Facts) -> None:
    assert limits_of(of, NOON) == ()


def test_limits_whose_windows_end_together_have_names_of_their_own() -> None:
    # Their counts are rows of one transaction, which may touch each row once only.
    sunday = datetime(2026, 11, 15, 23, 59, tzinfo=UTC)
    of = given(verdict=UNKNOWN)
    all_ = [*limits_of(of, sunday), *of_new_incidents(ANN, 5, sunday), of_reopening(7, sunday)]
    assert {limit.end for limit in all_} == {datetime(2026, 11, 16, tzinfo=UTC)}
    assert len({(limit.name, limit.key) for limit in all_}) == len(all_) == 13


@pytest.mark.parametrize(
    ("window", "start"),
    [
        ("an hour", datetime(2026, 11, 18, 13, tzinfo=UTC)),
        ("3 hours", datetime(2026, 11, 18, 12, tzinfo=UTC)),
        ("a day", datetime(2026, 11, 18, tzinfo=UTC)),
        ("a week", datetime(2026, 11, 16, tzinfo=UTC)),
    ],
)
def test_windows_begin_where_clocks_and_weeks_do(window: str, start: datetime) -> None:
    now = datetime(2026, 11, 18, 13, 59, 59, 999_999, tzinfo=UTC)
    of = replace(given(), received=now, message=replace(given().message, date=now))
    found = {limit.start for limit in limits_of(of, now) if f" in {window} " in limit.name}
    assert found == {start}


# ── what is one and the same ──────────────────────────────────────────────────────────────────────────────────────


def keys(of: Facts, word: str) -> set[str]:
    return {limit.key for limit in limits_of(of, NOON) if word in limit.key}


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Printer on fire", "Automated Response: Re: Automated Response: Re: Printer on fire"),
        ("Printer on fire", "AW: [INC-000012] Printer on fire"),
        ("Order 4711", "Order 4712"),
    ],
)
def test_subjects_are_one_but_for_prefixes_and_numbers(one: str, other: str) -> None:
    first, second = (keys(given(mail(text=TEXT, subject=subject)), "about") for subject in (one, other))
    assert first == second != set()


@pytest.mark.parametrize(
    "other",
    [
        TEXT.upper(),
        f"{TEXT} 16.11.2026 12:00 (INC-000012)",
        TEXT.replace(", ", ",\n\n"),
        f"{TEXT}\n\nOn Mon, 16 Nov 2026 Support <support@example.org> wrote:\n> Your mail is with us.\n",
    ],
)
def test_texts_are_one_but_for_numbers_case_blanks_and_what_they_quote(other: str) -> None:
    assert keys(given(mail(text=other)), "words") == keys(given(), "words") != set()


@pytest.mark.parametrize("other", [TEXT.replace("second", "third"), f"{TEXT} Please come."])
def test_another_word_makes_another_text(other: str) -> None:
    assert keys(given(mail(text=other)), "words") != keys(given(), "words")


@pytest.mark.parametrize("text", ["", "See attachment. Kind regards", "1 2 3 4 5 6 7 8 9 10 " * 50, "?" * 5000])
def test_a_text_of_few_letters_is_nobodys(text: str) -> None:
    assert keys(given(mail(text=text)), "words") == set()


@pytest.mark.parametrize(
    ("sender", "domain"),
    [
        ("ann@mail7.crm.miller.example.co.uk", "example.co.uk"),
        ("ann@example.com", "example.com"),
        ("ann@[192.0.2.1]", "[192.0.2.1]"),
    ],
)
def test_an_organization_is_what_somebody_registered_whatever_stands_before_it(sender: str, domain: str) -> None:
    found = of_acknowledgement(Address("", sender), "support@example.org", "fire", "", True, NOON)
    assert {limit.key for limit in found if limit.most in (100, 500)} == {domain}


def test_a_mailbox_without_an_address_is_known_by_its_login() -> None:
    of = given(settings={"email": "", "username": "support", "host": "imap.example.org"})
    assert keys(of, " at ") == {"support at imap.example.org"}


def test_every_reason_but_two_is_no_reason_to_answer() -> None:
    opened = decide(given())
    tallies = tuple(Tally(limit) for limit in limits_of(given(), NOON))

    def sends(one: Reason) -> bool:
        return may_acknowledge(given(), replace(opened, reason=one), tallies, NOON).send

    assert [one.code for one in reason.ALL if sends(one)] == ["new_incident", "new_after_closed"]


def test_what_stands_beyond_the_length_that_is_compared_makes_no_other_text() -> None:
    first, second = (f"{TEXT} {' blank' * (TEXT_MOST // 6)}{end}" for end in ("", " other" * 100_000))
    assert keys(given(mail(text=first)), "words") == keys(given(mail(text=second)), "words") != set()


@pytest.mark.parametrize("worst", ["a" * 1_000_000, "1" * 1_000_000, "a1 " * 300_000, "> " * 500_000, "\n" * 1_000_000])
def test_a_megabyte_of_the_worst_letters_makes_short_keys(worst: str) -> None:
    of = replace(given(), message=replace(given().message, text=worst, subject=worst, html=worst))
    assert max(len(limit.key) for limit in limits_of(of, NOON)) < 200
