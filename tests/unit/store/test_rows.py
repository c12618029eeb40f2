from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.mail.address import Address
from shared.model.inbound import Inbound, Step
from shared.model.incident import AttachmentRef, Body, Incident, Note, NoteKind, Status
from shared.model.reason import Outcome
from shared.store import rows
from shared.store.tables import Insert, Row, check_limits

NOON = datetime(2026, 11, 16, 12, tzinfo=UTC)
ANN = Address("Ann", "ann@example.com")
MAIL = Inbound("0a", "support", NOON, NOON, 7, "ff", False, Outcome.DELIVERED, "new_incident", "ann@x", "Fire", 3, 1)
INCIDENT = Incident(3, "Fire", Status.OPEN, "Support", "support", ANN, (ANN,), NOON, NOON, 1, (1, 2))
LETTERS = st.text(st.characters(blacklist_categories=["Cs"]), max_size=120)


@pytest.mark.parametrize(
    "mail",
    [MAIL, replace(MAIL, incident=None, note=None, outcome=Outcome.HELD), replace(MAIL, truncated=True, sender="")],
)
def test_a_mail_reads_back_from_its_row(mail: Inbound) -> None:
    trace = (Step("own_mail", False, "no"), Step("new_incident", True, "“yes”"))
    values = {**rows.inbound_values(mail), "trace": rows.trace_value(trace)}
    assert rows.read_inbound(Row("p", f"S:{mail.id}", values, "v")) == replace(mail, trace=trace, version="v")


def test_an_incident_reads_back_from_its_row_and_from_the_list() -> None:
    for key in ("I:0000000003", "L:open:99:0000000003"):
        assert rows.read_incident(Row("p", key, rows.incident_values(INCIDENT), "v")) == replace(INCIDENT, version="v")


def test_a_note_and_its_body_read_back() -> None:
    ref = AttachmentRef("0a-0", "a.txt", "text/plain", 3, "ff", "cid", True)
    body = Body("text", "quoted", "<p>html</p>", (ref,))
    note = Note(2, NoteKind.INBOUND, ANN, NOON, body, "0a")
    again = rows.decode_body(rows.encode_body(body))
    assert rows.read_note(Row("p", "N:0000000003:000002", rows.note_values(note), "v"), again) == note


@given(st.lists(st.builds(Address, LETTERS, LETTERS), max_size=400), LETTERS.map(lambda text: text * 60))
def test_no_people_and_no_subject_make_an_incident_too_large_for_its_row(people: list[Address], subject: str) -> None:
    incident = replace(INCIDENT, subject=subject, participants=tuple(people), related=tuple(range(500)))
    check_limits([Insert("k", rows.incident_values(incident))])


@pytest.mark.parametrize("letter", ["x", "😀", '"', "\\", "\t"], ids=["ascii", "emoji", "quote", "backslash", "tab"])
@pytest.mark.parametrize("count", [1, 150, 500])
def test_people_with_the_longest_names_and_addresses_fit(letter: str, count: int) -> None:
    people = tuple(
        Address(letter * 998, f"{n}{'a' * 60}@{'d' * 60}.{'e' * 60}.{'f' * 60}.example") for n in range(count)
    )
    check_limits([Insert("k", rows.incident_values(replace(INCIDENT, participants=people)))])


@pytest.mark.parametrize("letter", ["x", "😀", '"'], ids=["ascii", "emoji", "quote"])
def test_the_longest_trace_fits(letter: str) -> None:
    trace = [Step("reply_by_reference", False, letter * 2000) for _ in range(7)]
    check_limits(
        [Insert("k", {**rows.inbound_values(replace(MAIL, subject=letter * 998)), "trace": rows.trace_value(trace)})]
    )


def test_an_address_is_stored_whole_because_it_is_who_may_answer() -> None:
    # RFC 5321 allows 64 + 1 + 255; whoever is cut takes no part in his own incident any more.
    long = Address("", "a" * 64 + "@" + ".".join(["d" * 60] * 4) + ".example.com")
    assert 254 < len(long.address) <= 320
    again = rows.read_incident(Row("p", "I:1", rows.incident_values(replace(INCIDENT, participants=(long,))), "v"))
    assert again.takes_part(long)


def test_text_for_a_list_is_cut_visibly() -> None:
    assert rows.short("x" * 500) == "x" * 500
    assert rows.short("x" * 501) == "x" * 499 + "…"
