"""Invitations in plain words: RFC 5545 (iCalendar), RFC 5546 (what METHOD means).

Times are told as they are written, with the time zone they are written in; nothing is converted or guessed.
"""

import re
from dataclasses import dataclass, field

from shared.mail import limits
from shared.mail.text import clean_text, one_line

_NAME = re.compile(r"[A-Za-z0-9-]{1,60}")
_VALUE = r"(?:\"[^\"\n]{0,500}\"|[^;:\",\n]{0,500})"
_PARAMETER = re.compile(rf";([A-Za-z0-9-]{{1,60}})=({_VALUE})(?:,{_VALUE}){{0,50}}")
_TIME = re.compile(r"(\d{4})(\d{2})(\d{2})(?:T(\d{2})(\d{2})(\d{2})(Z?))?")
_ESCAPE = re.compile(r"\\([\\;,nN])")
_COMPONENTS = {"VEVENT": "Event", "VTODO": "Task", "VFREEBUSY": "Free/busy time"}
_METHODS = {
    "REQUEST": "Invitation",
    "PUBLISH": "Event",
    "REPLY": "Answer to an invitation",
    "CANCEL": "Cancelled",
    "COUNTER": "Proposal of a new time",
    "DECLINECOUNTER": "New time declined",
    "ADD": "Further dates of an event",
    "REFRESH": "Request for the latest state of an event",
}
_ANSWERS = {
    "ACCEPTED": "accepted",
    "DECLINED": "declined",
    "TENTATIVE": "accepted tentatively",
    "DELEGATED": "delegated",
    "NEEDS-ACTION": "not answered yet",
}
_FREQUENCIES = {"DAILY": "daily", "WEEKLY": "weekly", "MONTHLY": "monthly", "YEARLY": "yearly"}
_UNITS = (("W", "week"), ("D", "day"), ("H", "hour"), ("M", "minute"), ("S", "second"))
_DURATION = re.compile(
    r"P(?:(?P<W>\d{1,4})W)?(?:(?P<D>\d{1,4})D)?(?:T(?:(?P<H>\d{1,4})H)?(?:(?P<M>\d{1,4})M)?(?:(?P<S>\d{1,4})S)?)?"
)


@dataclass(slots=True)
class _Property:
    name: str
    parameters: dict[str, str]
    value: str


@dataclass(slots=True)
class _Component:
    kind: str
    properties: list[_Property] = field(default_factory=list)

    def first(self, name: str) -> _Property | None:
        return next((one for one in self.properties if one.name == name), None)

    def text(self, name: str, limit: int = limits.LINE_CHARS) -> str:
        """A text value on one line, "" if there is none."""
        found = self.first(name)
        return one_line(_unescaped(found.value), limit) if found else ""


def describe_calendar(source: str) -> str:
    """What the calendar object says, a line for each fact; "" if it is none or says nothing."""
    method, components = _read(source)
    blocks = [_block(component, method) for component in components[: limits.CALENDAR_COMPONENTS]]
    if len(components) > limits.CALENDAR_COMPONENTS:
        blocks.append("More is in the attached calendar file.")
    return "\n\n".join(dict.fromkeys(block for block in blocks if block))


def _read(source: str) -> tuple[str, list[_Component]]:
    """METHOD, and the events in order, without what stands in them (alarms) or around them (time zones)."""
    method, found = "", list[_Component]()
    open_names: list[str] = []
    for line in _unfolded(source):
        read = _property(line)
        if read is None:
            continue
        if read.name == "BEGIN":
            open_names.append(read.value.strip().upper())
            if len(open_names) == 2 and open_names[1] in _COMPONENTS:
                found.append(_Component(open_names[1]))
        elif read.name == "END":
            if open_names:
                open_names.pop()
        elif len(open_names) == 2 and open_names[1] in _COMPONENTS:
            found[-1].properties.append(read)
        elif len(open_names) == 1 and read.name == "METHOD":
            method = read.value.strip().upper()
        if len(found) > limits.CALENDAR_COMPONENTS or len(open_names) > limits.DEPTH:
            break
    return method, found


def _unfolded(source: str) -> list[str]:
    """Content lines: one that begins with a space goes on the one before it (RFC 5545 section 3.1)."""
    text = clean_text(source[: limits.CALENDAR_CHARS])
    return re.sub(r"\n[ \t]", "", text).split("\n")[: limits.CALENDAR_LINES]


def _property(line: str) -> _Property | None:
    name = _NAME.match(line)
    if name is None:
        return None
    parameters: dict[str, str] = {}
    position = name.end()
    while len(parameters) < limits.PARAMETERS and (match := _PARAMETER.match(line, position)):
        parameters.setdefault(match[1].upper(), match[2].strip('"'))
        position = match.end()
    if line[position : position + 1] != ":":
        return None
    return _Property(name[0].upper(), parameters, line[position + 1 :])


def _unescaped(value: str) -> str:
    """RFC 5545 section 3.3.11."""
    return _ESCAPE.sub(lambda match: "\n" if match[1] in "nN" else match[1], value)


def _block(component: _Component, method: str) -> str:
    heading = _METHODS.get(method, _COMPONENTS[component.kind])
    if component.text("STATUS").upper() == "CANCELLED":
        heading = _METHODS["CANCEL"]
    facts = [
        (heading, component.text("SUMMARY") or "(no title)"),
        ("Start", _moment(component.first("DTSTART"))),
        ("End", _moment(component.first("DTEND") or component.first("DUE"))),
        ("Duration", _duration(component.first("DURATION"))),
        ("Repeats", _repeats(component.first("RRULE"))),
        ("Place", component.text("LOCATION")),
        ("Organizer", _person(component.first("ORGANIZER"))),
    ]
    if method in ("REPLY", "COUNTER"):
        facts += [("Answer", answer) for answer in _answers(component)]
    facts.append(("Comment", component.text("COMMENT")))
    known = [fact for fact in facts[1:] if fact[1]]
    if not known and not component.text("SUMMARY"):
        return ""
    return "\n".join(f"{name}: {value}" for name, value in [facts[0], *known])


def _moment(found: _Property | None) -> str:
    """``2026-05-04 10:00 (Europe/Berlin)``; a date alone for a whole day."""
    if found is None:
        return ""
    value = found.value.strip()
    match = _TIME.fullmatch(value)
    if match is None:
        return one_line(value, 60)
    year, month, day, hour, minute, second, utc = match.groups()
    text = f"{year}-{month}-{day}"
    if hour:
        text += f" {hour}:{minute}" + (f":{second}" if second != "00" else "")
    zone = "UTC" if utc else one_line(found.parameters.get("TZID", ""), 100)
    return f"{text} ({zone})" if zone else text


def _duration(found: _Property | None) -> str:
    match = _DURATION.fullmatch(found.value.strip().lstrip("+")) if found else None
    if match is None:
        return ""
    counts = [(int(match[letter] or 0), unit) for letter, unit in _UNITS]
    return ", ".join(f"{count} {unit}{'' if count == 1 else 's'}" for count, unit in counts if count)


def _repeats(found: _Property | None) -> str:
    if found is None:
        return ""
    rule = dict(item.partition("=")[::2] for item in found.value.upper().split(";")[: limits.PARAMETERS])
    words = _FREQUENCIES.get(rule.get("FREQ", ""), "yes")
    if rule.get("COUNT", "").isdecimal():
        words += f", {one_line(rule['COUNT'], 10)} times"
    if "UNTIL" in rule:
        words += f", until {_moment(_Property('UNTIL', {}, rule['UNTIL']))}"
    return words


def _person(found: _Property | None) -> str:
    """``Anna Beispiel <anna@kunde.example>``."""
    if found is None:
        return ""
    address = one_line(found.value, limits.ADDRESS_CHARS)
    address = address[7:] if address.lower().startswith("mailto:") else address
    name = one_line(found.parameters.get("CN", ""), 200)
    return f"{name} <{address}>" if name and name.lower() != address.lower() else address


def _answers(component: _Component) -> list[str]:
    attendees = [one for one in component.properties if one.name == "ATTENDEE"][: limits.CALENDAR_ANSWERS]
    answers = [(_person(one), _ANSWERS.get(one.parameters.get("PARTSTAT", "").upper(), "")) for one in attendees]
    return [f"{person} {answer}" for person, answer in answers if answer]
