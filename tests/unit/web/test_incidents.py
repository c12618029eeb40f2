from __future__ import annotations

from dataclasses import replace
from typing import Any
from urllib.parse import unquote

import pytest

from shared.model import reason
from tests.unit.web.house import ANNA, House

HOSTILE_NAMES = [
    "a.svg",
    "ümläut 日本語.pdf",
    'quote"back\\slash.txt',
    "line\r\nSet-Cookie: x=1.txt",
    "../../etc/passwd",
    "C:\\Windows\\system.ini",
    "\u202egnp.exe",
    "zero\u200bwidth.js",
    "percent%0d%0a.txt",
    "semi;colon=.txt",
    ".",
    "",
    "x" * 500,
]


def test_an_incident_in_a_list_has_exactly_these_fields(house: House) -> None:
    house.deliver("Printer on fire")
    (item,) = house.client("agent").get("/api/incidents").json()["items"]
    anna = {"address": "anna@customer.example", "name": "Anna Öz"}
    assert item == {
        "number": "INC-000001",
        "subject": "Printer on fire",
        "status": "open",
        "group": "Support",
        "mailbox": "support",
        "reporter": anna,
        "participants": [anna],
        "created": "2026-11-16T12:00:01Z",
        "updated": "2026-11-16T12:00:01Z",
        "notes_count": 1,
        "related": [],
        "merged_into": None,
    }


def test_an_incident_that_went_on_elsewhere_names_the_other_one(house: House) -> None:
    house.deliver("Printer on fire")
    house.deliver("Twin")
    before = house.app.desk.incident(house.acme, 2)
    assert before is not None
    house.app.answers.change(house.acme, before, replace(before, merged_into=1))
    client = house.client("agent")
    assert client.get("/api/incidents/INC-000002").json()["merged_into"] == "INC-000001"
    listed = client.get("/api/incidents").json()["items"]
    assert {one["number"]: one["merged_into"] for one in listed} == {"INC-000001": None, "INC-000002": "INC-000001"}


def test_an_incident_by_itself_has_its_notes(house: House) -> None:
    house.deliver(
        text="It burns.", quoted="> Hello", html="<p>It burns.", files=(("a.pdf", "application/pdf", b"%PDF"),)
    )
    found = house.client("agent").get("/api/incidents/INC-000001").json()
    (note,) = found["notes"]
    (file,) = note.pop("attachments")
    mail = house.client().get("/api/mail").json()["items"][0]["id"]
    assert note == {
        "seq": 1,
        "kind": "inbound",
        "author": {"address": "anna@customer.example", "name": "Anna Öz"},
        "created": "2026-11-16T12:00:01Z",
        "text": "It burns.",
        "quoted": "> Hello",
        "html": True,
        "mail": mail,
        "marks": [],
        "delivery": None,
    }
    assert set(file) == {"id", "name", "type", "size", "sha256"}
    assert (file["name"], file["type"], file["size"]) == ("a.pdf", "application/pdf", 4)
    assert found["notes_next"] is None


@pytest.mark.parametrize("number", ["INC-000001", "1", "000001", "inc-1"])
def test_a_number_may_be_written_in_several_ways(house: House, number: str) -> None:
    house.deliver()
    assert house.client("agent").get(f"/api/incidents/{number}").json()["number"] == "INC-000001"


@pytest.mark.parametrize("number", ["2", "0", "-1", "INC-", "x", "1.0", "٣", "9" * 30, "1%0A", "INC-000001%20"])
def test_a_number_that_is_none_is_a_404(house: House, number: str) -> None:
    house.deliver()
    for suffix in ("", "/attachments/x", "/notes/1/raw"):
        assert house.client("agent").get(f"/api/incidents/{number}{suffix}").status_code == 404


def test_the_list_is_paged_newest_first_without_gaps_or_repeats(house: House) -> None:
    for number in range(7):
        house.deliver(f"Mail {number}")
    client, seen, query = house.client("agent"), [], "/api/incidents?limit=3"
    while query:
        page = client.get(query).json()
        seen += [item["number"] for item in page["items"]]
        query = f"/api/incidents?limit=3&after={page['next']}" if page["next"] else ""
    assert seen == [f"INC-00000{number}" for number in (7, 6, 5, 4, 3, 2, 1)]


def test_the_list_is_filtered_by_status_mailbox_and_group(house: House) -> None:
    house.deliver(group="Support", mailbox="support")
    house.deliver(group="Sales", mailbox="sales")

    def numbers(query: str) -> list[str]:
        return [item["number"] for item in house.client().get(f"/api/incidents?{query}").json()["items"]]

    assert numbers("group=Sales") == ["INC-000002"]
    assert numbers("mailbox=support") == ["INC-000001"]
    assert numbers("status=open") == ["INC-000002", "INC-000001"]
    assert numbers("status=closed") == []
    assert numbers("status=&mailbox=&group=&after=") == ["INC-000002", "INC-000001"]


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("limit=0", "limit"),
        ("limit=201", "limit"),
        ("limit=many", "limit"),
        ("status=burning", "status"),
        ("stauts=open", "stauts"),
    ],
)
def test_a_wrong_query_is_named(house: House, query: str, field: str) -> None:
    answer = house.client().get(f"/api/incidents?{query}")
    assert answer.status_code == 422
    assert [error["field"] for error in answer.json()["errors"]] == [field]


def test_limits_from_1_to_200_are_taken(house: House) -> None:
    for limit in (1, 200):
        assert house.client().get(f"/api/incidents?limit={limit}").status_code == 200


def test_more_than_a_hundred_notes_are_paged(house: House) -> None:
    house.deliver()
    for number in range(120):
        house.deliver(text=f"Note {number}", join=house.incident(1), why=reason.REPLY_BY_REFERENCE)
    first = house.client().get("/api/incidents/1").json()
    assert first["notes_count"] == 121
    assert [note["seq"] for note in first["notes"]] == list(range(1, 101))
    assert first["notes_next"] == 100
    rest = house.client().get("/api/incidents/1?notes_after=100").json()
    assert [note["seq"] for note in rest["notes"]] == list(range(101, 122))
    assert rest["notes_next"] is None


def test_attachments_of_any_note_are_found(house: House) -> None:
    house.deliver(files=(("one.txt", "text/plain", b"one"),))
    for number in range(101):
        house.deliver(join=house.incident(1), why=reason.REPLY_BY_REFERENCE, text=str(number))
    house.deliver(join=house.incident(1), why=reason.REPLY_BY_REFERENCE, files=(("two.txt", "text/plain", b"two"),))
    notes = house.client().get("/api/incidents/1?notes_after=100").json()["notes"]
    (file,) = notes[-1]["attachments"]
    assert house.client().get(f"/api/incidents/1/attachments/{file['id']}").content == b"two"


def test_an_attachment_of_another_incident_is_not_found_through_this_one(house: House) -> None:
    house.deliver(files=(("one.txt", "text/plain", b"one"),))
    house.deliver()
    (file,) = house.client().get("/api/incidents/1").json()["notes"][0]["attachments"]
    assert house.client().get(f"/api/incidents/2/attachments/{file['id']}").status_code == 404


@pytest.mark.parametrize("type_", ["image/svg+xml", "text/html", "application/xhtml+xml", "application/pdf", "x\r\ny"])
def test_whatever_a_sender_calls_it_an_attachment_is_only_a_download(house: House, type_: str) -> None:
    house.deliver(files=(("a.svg", type_, b"<svg onload=alert(1)>"),))
    (file,) = house.client().get("/api/incidents/1").json()["notes"][0]["attachments"]
    answer = house.client("agent").get(f"/api/incidents/1/attachments/{file['id']}")
    assert answer.content == b"<svg onload=alert(1)>"
    _assert_download(answer)


@pytest.mark.parametrize("name", HOSTILE_NAMES)
def test_a_hostile_name_stays_inside_its_header(house: House, name: str) -> None:
    house.deliver(files=((name, "text/plain", b"x"),))
    mail = house.app.desk.ledger(house.acme, None, None, None, "", 1).items[0].id
    answer = house.client("agent").get(f"/api/incidents/1/attachments/{mail}-0")
    _assert_download(answer)
    assert "set-cookie" not in answer.headers
    header = answer.headers["content-disposition"]
    plain, _, encoded = header.removeprefix('attachment; filename="').partition("\"; filename*=UTF-8''")
    assert plain.isascii()
    assert not set(plain) & set('"\\/%\r\n')
    saved = unquote(encoded)
    assert 1 <= len(saved) <= 120
    assert saved.isprintable()
    assert "/" not in saved


def test_a_name_with_umlauts_arrives_whole(house: House) -> None:
    house.deliver(files=(("Übersicht.pdf", "application/pdf", b"x"),))
    mail = house.app.desk.ledger(house.acme, None, None, None, "", 1).items[0].id
    header = house.client().get(f"/api/incidents/1/attachments/{mail}-0").headers["content-disposition"]
    assert header == "attachment; filename=\"_bersicht.pdf\"; filename*=UTF-8''%C3%9Cbersicht.pdf"


def test_the_original_mail_is_a_download_too(house: House) -> None:
    house.deliver(raw=b"Subject: <script>\r\n\r\n<script>alert(1)</script>")
    answer = house.client("agent").get("/api/incidents/1/notes/1/raw")
    assert answer.content == b"Subject: <script>\r\n\r\n<script>alert(1)</script>"
    _assert_download(answer)
    assert 'filename="INC-000001-1.eml"' in answer.headers["content-disposition"]


@pytest.mark.parametrize("seq", ["0", "2", "-1", "x", "1.0", "9" * 30])
def test_a_note_that_is_not_there_has_no_original(house: House, seq: str) -> None:
    house.deliver()
    assert house.client().get(f"/api/incidents/1/notes/{seq}/raw").status_code == 404


def test_a_real_mail_comes_through_whole(house: House) -> None:
    from tests.support.mails import mail

    house.world.mailbox(house.acme)
    raw = mail(subject="Grüße", text="Schöne Grüße\n", attachments=(("Plan.pdf", b"%PDF-1.7"),))
    house.world.receive(house.acme, raw)
    found = house.client().get("/api/incidents/1").json()
    assert found["subject"] == "Grüße"
    assert found["notes"][0]["text"].strip() == "Schöne Grüße"
    (file,) = found["notes"][0]["attachments"]
    assert house.client().get(f"/api/incidents/1/attachments/{file['id']}").content == b"%PDF-1.7"
    assert house.client().get("/api/incidents/1/notes/1/raw").content == raw


def _assert_download(answer: Any) -> None:
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "application/octet-stream"
    assert answer.headers["content-disposition"].startswith("attachment; ")
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert "sandbox" in answer.headers["content-security-policy"]
    assert answer.headers["cache-control"] == "no-store"


def test_the_reporter_of_an_unreadable_mail_may_have_no_address(house: House) -> None:
    from dataclasses import replace

    house.deliver(sender=replace(ANNA, name="", address=""))
    assert house.client().get("/api/incidents/1").json()["reporter"] == {"address": "", "name": ""}
    assert "unknown sender" in house.browser().get("/").text


@pytest.mark.parametrize(
    "after", ["x", "0" * 15, "0" * 15 + ":" + "0" * 32, "'", "0" * 15 + ":000000001\n", "9" * 5000]
)
def test_a_place_that_is_none_is_refused_by_name(house: House, after: str) -> None:
    answer = house.client().get("/api/incidents", params={"after": after})
    assert answer.status_code == 422
    assert [error["field"] for error in answer.json()["errors"]] == ["after"]
    assert house.browser().get("/", params={"after": after}).status_code == 422
