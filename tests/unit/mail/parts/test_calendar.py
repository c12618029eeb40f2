import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.mail import limits
from shared.mail.parts.calendar import describe_calendar


def _calendar(*lines: str, method: str = "REQUEST", kind: str = "VEVENT") -> str:
    head = ["BEGIN:VCALENDAR", f"METHOD:{method}"] if method else ["BEGIN:VCALENDAR"]
    return "\r\n".join([*head, f"BEGIN:{kind}", *lines, f"END:{kind}", "END:VCALENDAR", ""])


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        (["SUMMARY:Umzug"], "Invitation: Umzug"),
        (["SUMMARY;LANGUAGE=de:Umzug\\, Teil 1\\;\\nmehr"], "Invitation: Umzug, Teil 1; mehr"),
        (["SUMMARY:Um", " zug"], "Invitation: Umzug"),
        (["SUMMARY:a", "DTSTART;TZID=Europe/Berlin:20260504T100000"], "Start: 2026-05-04 10:00 (Europe/Berlin)"),
        (["SUMMARY:a", 'DTSTART;TZID="W. Europe, x":20260504T100030'], "Start: 2026-05-04 10:00:30 (W. Europe, x)"),
        (["SUMMARY:a", "DTSTART:20260504T080000Z"], "Start: 2026-05-04 08:00 (UTC)"),
        (["SUMMARY:a", "DTSTART:20260504T080000"], "Start: 2026-05-04 08:00"),
        (["SUMMARY:a", "DTSTART;VALUE=DATE:20260504"], "Start: 2026-05-04"),
        (["SUMMARY:a", "DTSTART:tomorrow"], "Start: tomorrow"),
        (["SUMMARY:a", "DTEND;TZID=Europe/Berlin:20260504T113000"], "End: 2026-05-04 11:30 (Europe/Berlin)"),
        (["SUMMARY:a", "DURATION:PT1H30M"], "Duration: 1 hour, 30 minutes"),
        (["SUMMARY:a", "RRULE:FREQ=WEEKLY;COUNT=4"], "Repeats: weekly, 4 times"),
        (["SUMMARY:a", "RRULE:FREQ=DAILY;UNTIL=20261231T000000Z"], "Repeats: daily, until 2026-12-31 00:00 (UTC)"),
        (["SUMMARY:a", "LOCATION:Raum 3"], "Place: Raum 3"),
        (["ORGANIZER;CN=Anna:MAILTO:anna@kunde.example"], "Organizer: Anna <anna@kunde.example>"),
        (["ORGANIZER:mailto:anna@kunde.example"], "Organizer: anna@kunde.example"),
        (["ORGANIZER;CN=anna@kunde.example:mailto:anna@kunde.example"], "Organizer: anna@kunde.example"),
        (["LOCATION:Raum 3"], "Invitation: (no title)"),
        (["SUMMARY:a", "BEGIN:VALARM", "SUMMARY:b", "LOCATION:c", "END:VALARM"], "Invitation: a"),
    ],
)
def test_what_an_event_says_is_said_in_words(lines: list[str], said: str) -> None:
    assert said in describe_calendar(_calendar(*lines)).split("\n")


@pytest.mark.parametrize(
    ("method", "heading"),
    [
        ("REQUEST", "Invitation: a"),
        ("CANCEL", "Cancelled: a"),
        ("REPLY", "Answer to an invitation: a"),
        ("COUNTER", "Proposal of a new time: a"),
        ("PUBLISH", "Event: a"),
        ("", "Event: a"),
        ("X-ODD", "Event: a"),
    ],
)
def test_the_method_is_the_heading(method: str, heading: str) -> None:
    assert describe_calendar(_calendar("SUMMARY:a", method=method)) == heading


def test_a_cancelled_event_is_said_to_be_whatever_the_method() -> None:
    assert describe_calendar(_calendar("SUMMARY:a", "STATUS:CANCELLED")) == "Cancelled: a"


@pytest.mark.parametrize(
    ("state", "answer"),
    [("ACCEPTED", "accepted"), ("DECLINED", "declined"), ("TENTATIVE", "accepted tentatively")],
)
def test_an_answer_says_who_answered_what(state: str, answer: str) -> None:
    attendee = f"ATTENDEE;PARTSTAT={state};CN=Bea:mailto:bea@kunde.example"
    said = describe_calendar(_calendar("SUMMARY:a", attendee, method="REPLY"))
    assert said == f"Answer to an invitation: a\nAnswer: Bea <bea@kunde.example> {answer}"


def test_the_time_zones_own_times_are_not_the_events() -> None:
    zone = ["END:VEVENT", "BEGIN:VTIMEZONE", "BEGIN:STANDARD", "DTSTART:16010101T030000", "END:STANDARD"]
    said = describe_calendar(_calendar("SUMMARY:a", *zone, "END:VTIMEZONE", "BEGIN:VEVENT", "SUMMARY:b"))
    assert said == "Invitation: a\n\nInvitation: b"


@pytest.mark.parametrize("count", [limits.CALENDAR_COMPONENTS, limits.CALENDAR_COMPONENTS + 1])
def test_of_a_whole_calendar_the_first_events_are_told(count: int) -> None:
    events = "".join(f"BEGIN:VEVENT\nSUMMARY:{number}\nEND:VEVENT\n" for number in range(count))
    said = describe_calendar(f"BEGIN:VCALENDAR\n{events}END:VCALENDAR\n")
    assert said.count("Event: ") == limits.CALENDAR_COMPONENTS
    assert ("More is in the attached calendar file." in said) == (count > limits.CALENDAR_COMPONENTS)


@pytest.mark.parametrize("source", ["", "x", "BEGIN:VCALENDAR", _calendar(), "BEGIN:VEVENT\nSUMMARY:a", "\n ", ":;"])
def test_what_says_nothing_is_nothing(source: str) -> None:
    assert describe_calendar(source) == ""


def test_nothing_in_it_can_make_a_line_of_its_own() -> None:
    said = describe_calendar(_calendar("SUMMARY:a\\nOrganizer: b", "LOCATION:c\u2028d", "ORGANIZER;CN=e^nf:mailto:g"))
    assert said.count("\n") == 2


_WORDS = st.sampled_from(
    ["BEGIN:VCALENDAR\n", "BEGIN:VEVENT\n", "END:VEVENT\n", "SUMMARY", ";CN=", '"', ":", ",", "\n ", "\n", "DTSTART:",
     "20260504T100000Z", "RRULE:FREQ=;COUNT=;=", "DURATION:P9W", "\\n", "\x00", "\ud800", "METHOD:REPLY\n", "ATTENDEE"]
)  # fmt: skip


@given(st.lists(_WORDS, max_size=40).map("".join))
def test_any_words_are_some_calendar(source: str) -> None:
    assert isinstance(describe_calendar(source), str)
