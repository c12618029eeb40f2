"""The Date field: RFC 5322 section 3.3 and 4.3, and what is written in its place."""

import re
from datetime import UTC, datetime, timedelta, timezone

EARLIEST = datetime(1982, 8, 13, tzinfo=UTC)
"""The date of RFC 822. A mail that says it is older comes from a computer without a clock."""
LATEST = datetime(2100, 1, 1, tzinfo=UTC)

_MONTH_NAMES = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_MONTHS = {name: number for number, name in enumerate(_MONTH_NAMES, 1)}
# RFC 5322 section 4.3: the names that mean one offset; every other name is read as UTC.
_OFFSETS = {-8: "pst", -7: "pdt mst", -6: "mdt cst", -5: "cdt est", -4: "edt", 1: "bst cet met mez"}
_OFFSETS |= {2: "cest mest mesz eet", 3: "eest msk", 9: "jst kst"}
_ZONES = {name: hours for hours, names in _OFFSETS.items() for name in names.split()}

_TIME = r"(?P<hour>\d{1,2})[:.](?P<minute>\d{1,2})(?:[:.](?P<second>\d{1,2}))?(?:[.,]\d{1,9})?\s{0,3}(?P<noon>[ap]m\b)?"
_ZONE = r"(?:\s{0,5}(?P<zone>(?:gmt|utc?)?[+-]\d{1,2}:?\d{2}|[a-z]{1,5}\b))?"
_FORMS = (
    # Mon, 3 May 2021 10:11:12 +0200
    re.compile(
        rf"(?P<day>\d{{1,2}})[\s,/-]{{1,3}}(?P<month>[a-z]{{3}})[a-z]{{0,6}}\.?[\s,/-]{{1,3}}(?P<year>\d{{2,4}})[\s,]{{1,3}}{_TIME}{_ZONE}"
    ),
    # Mon May  3 10:11:12 2021 (asctime), and with the zone before the year
    re.compile(
        rf"(?P<month>[a-z]{{3}})[a-z]{{0,6}}\s{{1,3}}(?P<day>\d{{1,2}})\s{{1,3}}{_TIME}\s{{1,3}}(?:[a-z]{{3,4}}\s)?(?P<year>\d{{4}}){_ZONE}"
    ),
    # 2021-05-03T10:11:12Z
    re.compile(rf"(?P<year>\d{{4}})-(?P<month>\d{{1,2}})-(?P<day>\d{{1,2}})[t\s]{{1,3}}{_TIME}{_ZONE}"),
)


def parse_date(value: str) -> datetime | None:
    """The instant a Date field names, in UTC; None if it names none or one outside ``EARLIEST``..``LATEST``.

    A field without a zone is read as UTC.
    """
    value = value[:200].lower()
    for form in _FORMS:
        if match := form.search(value):
            return _instant(match)
    return None


def _instant(match: re.Match[str]) -> datetime | None:
    month = match["month"]
    number = int(month) if month.isdigit() else _MONTHS.get(month, 0)
    hour = int(match["hour"])
    if match["noon"]:
        hour = hour % 12 + (12 if match["noon"] == "pm" else 0)
    second = min(int(match["second"] or 0), 59)  # 60 is a leap second
    try:
        local = datetime(
            _year(match["year"]),
            number,
            int(match["day"]),
            hour,
            int(match["minute"]),
            second,
            tzinfo=_zone(match["zone"]),
        )
        instant = local.astimezone(UTC)
    except (ValueError, OverflowError):
        return None
    return instant if EARLIEST <= instant < LATEST else None


def _year(digits: str) -> int:
    """RFC 5322 section 4.3: two digits 00-49 are 20xx, 50-99 are 19xx; three digits count from 1900."""
    year = int(digits)
    if len(digits) == 2:
        return year + (2000 if year < 50 else 1900)
    return year + 1900 if len(digits) == 3 else year


def _zone(name: str | None) -> timezone:
    match = re.search(r"([+-])(\d{1,2}):?(\d{2})$", name or "")
    if not match:
        return timezone(timedelta(hours=_ZONES.get(name or "", 0)))
    minutes = int(match[2]) * 60 + int(match[3])
    if minutes > 14 * 60:  # the largest in use is +14:00, so this is no zone
        return UTC
    return timezone(timedelta(minutes=-minutes if match[1] == "-" else minutes))
