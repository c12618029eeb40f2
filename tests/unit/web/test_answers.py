"""Answers and internal notes by API: what is stored, what leaves, and what stops two people from doing it at once."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest

from shared.errors import NotSent
from shared.flows.reply import MAX_FILES, MAX_FILES_BYTES, MAX_TEXT
from shared.mail.address import Address
from shared.mail.message import parse
from shared.model.incident import Status
from shared.model.outbound import SendState
from tests.unit.web.house import House

OUT = {"enabled": True, "host": "smtp.acme.example"}
PDF = {"name": "plan.pdf", "type": "application/pdf", "content": base64.b64encode(b"%PDF").decode()}


@pytest.fixture
def desk(house: House) -> House:
    """Acme has a mailbox that sends, and one incident of Anna's."""
    house.mailbox(outgoing=OUT)
    house.deliver()
    return house


def write(house: House, **body: Any) -> Any:
    fields = {"kind": "answer", "text": "Use water."} | body
    return house.client("agent").post("/api/incidents/1/notes", json=fields)


def fields_of(answer: Any) -> list[str]:
    assert answer.status_code == 422, answer.text
    return [error["field"] for error in answer.json()["errors"]]


def test_an_answer_is_a_note_with_a_delivery_and_leaves_from_the_queue(desk: House) -> None:
    answer = write(desk, attachments=[PDF])
    assert answer.status_code == 201
    note = answer.json()
    (file,) = note.pop("attachments")
    assert note == {
        "seq": 2,
        "kind": "answer",
        "author": {"address": "", "name": "agent's laptop"},
        "created": "2026-11-16T12:00:01Z",
        "text": "Use water.",
        "quoted": "",
        "html": False,
        "mail": None,
        "marks": [],
        "delivery": {
            "kind": "answer",
            "state": "queued",
            "detail": "",
            "to": [{"address": "anna@customer.example", "name": "Anna Öz"}],
            "cc": [],
        },
    }
    assert (file["id"], file["name"], file["type"], file["size"]) == ("note-2-0", "plan.pdf", "application/pdf", 4)
    desk.send_all()
    ((raw, _, recipients),) = desk.world.posts["support"].sent
    message = parse(raw)
    assert recipients == ("anna@customer.example",)
    assert message.text.startswith("Use water.")
    assert [one.content for one in message.attachments] == [b"%PDF"]
    (_, shown) = desk.client().get("/api/incidents/1").json()["notes"]
    assert shown["delivery"]["state"] == "sent"
    assert desk.client().get("/api/incidents/1").json()["status"] == "waiting"


def test_an_internal_note_leaves_nothing(desk: House) -> None:
    answer = write(desk, kind="internal", text="He is a friend of the boss.", status="resolved", attachments=[PDF])
    assert answer.status_code == 201
    assert answer.json()["delivery"] is None
    desk.send_all()
    assert "support" not in desk.world.posts
    assert desk.incident(1).status is Status.RESOLVED


@pytest.mark.parametrize("field", ["to", "cc"])
def test_an_internal_note_that_names_recipients_is_refused(desk: House, field: str) -> None:
    answer = write(desk, kind="internal", **{field: ["anna@customer.example"]})
    assert fields_of(answer) == [field]
    assert "nobody" in answer.json()["detail"]
    assert desk.incident(1).notes_count == 1


def test_recipients_may_be_named_alone_in_lists_and_with_names(desk: House) -> None:
    to = ['Ann <ann@x.example>, bob@x.example; "Öz, Cem" <cem@x.example>', "dan@x.example"]
    note = write(desk, to=to, cc=["eve@x.example"]).json()
    assert [one["address"] for one in note["delivery"]["to"]] == [
        "ann@x.example",
        "bob@x.example",
        "cem@x.example",
        "dan@x.example",
    ]
    assert note["delivery"]["to"][2]["name"] == "Öz, Cem"
    assert note["delivery"]["cc"] == [{"address": "eve@x.example", "name": ""}]


@pytest.mark.parametrize(
    ("body", "fields"),
    [
        ({"kind": "public"}, ["kind"]),
        ({"kind": 1}, ["kind"]),
        ({"text": ""}, ["text"]),
        ({"text": " \n "}, ["text"]),
        ({"text": None}, ["text"]),
        ({"text": 5}, ["text"]),
        ({"text": "x" * (MAX_TEXT + 1)}, ["text"]),
        ({"text": "x" * (2 * MAX_TEXT + 1)}, ["text"]),
        ({"to": "anna@customer.example"}, ["to"]),
        ({"to": [1]}, ["to.0"]),
        ({"to": ["nobody"]}, ["to"]),
        ({"cc": ["a@b", "x y"]}, ["cc"]),
        ({"to": [f"a{number}@x.example" for number in range(101)]}, ["to"]),
        ({"status": "burning"}, ["status"]),
        ({"subject": "x"}, ["subject"]),
        ({"attachments": [{"name": "a"}]}, ["attachments.0.content"]),
        ({"attachments": [{"name": "a", "content": "%%%"}]}, ["attachments.0.content"]),
        ({"attachments": [{"name": "a", "content": "QUI"}]}, ["attachments.0.content"]),
        ({"attachments": [{"name": "a", "content": "QUJD\nQUJD"}]}, ["attachments.0.content"]),
        ({"attachments": [{"name": "", "content": ""}]}, ["attachments.0.name"]),
        ({"attachments": [{"name": "a", "content": ""}] * (MAX_FILES + 1)}, ["attachments"]),
    ],
)
def test_what_cannot_be_taken_is_named(desk: House, body: dict[str, Any], fields: list[str]) -> None:
    answer = write(desk, **body)
    assert fields_of(answer) == fields
    assert all(error["message"] != "This value cannot be used here." for error in answer.json()["errors"])
    assert desk.incident(1).notes_count == 1


def test_a_mailbox_that_sends_nothing_says_so_at_the_kind(house: House) -> None:
    house.mailbox()
    house.deliver()
    answer = write(house)
    assert fields_of(answer) == ["kind"]
    assert "sends no mail" in answer.json()["detail"]


@pytest.mark.parametrize("text", ["a\r\nb", "a\rb", "a\0\nb"])
def test_line_ends_are_ours_and_no_nul_is_kept(desk: House, text: str) -> None:
    assert write(desk, text=text).json()["text"] == "a\nb"


def test_lone_surrogates_are_no_json(desk: House) -> None:
    body = b'{"kind": "answer", "text": "\\ud800"}'
    answer = desk.client().post("/api/incidents/1/notes", content=body, headers={"Content-Type": "application/json"})
    assert answer.status_code == 400


def test_a_type_that_is_none_becomes_unknown(desk: House) -> None:
    for claimed, kept in (
        ("image/PNG; x=y", "image/png"),
        ("text/plain\r\nBcc: eve@x.example", "application/octet-stream"),
        ("", "application/octet-stream"),
    ):
        (file,) = write(desk, attachments=[PDF | {"type": claimed}]).json()["attachments"]
        assert file["type"] == kept


def test_attachments_of_agents_are_downloads_like_all_others(desk: House) -> None:
    write(desk, attachments=[PDF, PDF | {"name": "../x.html", "type": "text/html"}])
    client = desk.client("agent")
    assert client.get("/api/incidents/1/attachments/note-2-0").content == b"%PDF"
    second = client.get("/api/incidents/1/attachments/note-2-1")
    assert second.headers["content-type"] == "application/octet-stream"
    assert 'filename="x.html"' in second.headers["content-disposition"]
    desk.deliver()
    for wrong in (
        "1/attachments/note-2-2",
        "1/attachments/note-1-0",
        "1/attachments/note-9-0",
        "2/attachments/note-2-0",
    ):
        assert client.get(f"/api/incidents/{wrong}").status_code == 404
    assert desk.client("admin", "other").get("/api/incidents/1/attachments/note-2-0").status_code == 404


# ── as a form ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_form_with_files_is_taken_like_json(desk: House) -> None:
    answer = desk.client("agent").post(
        "/api/incidents/1/notes",
        data={"kind": "answer", "text": "Use\r\nwater.", "to": ["a@x.example", "b@x.example"], "status": "closed"},
        files=[
            ("attachments", ("Übersicht.pdf", b"%PDF", "application/pdf")),
            ("attachments", ("b.txt", b"", "text/plain; charset=utf-8")),
        ],
    )
    assert answer.status_code == 201, answer.text
    note = answer.json()
    assert note["text"] == "Use\nwater."
    assert [one["address"] for one in note["delivery"]["to"]] == ["a@x.example", "b@x.example"]
    assert [(one["name"], one["type"], one["size"]) for one in note["attachments"]] == [
        ("Übersicht.pdf", "application/pdf", 4),
        ("b.txt", "text/plain", 0),
    ]
    assert desk.incident(1).status is Status.CLOSED


def test_a_form_without_files_works_as_well(desk: House) -> None:
    answer = desk.client().post("/api/incidents/1/notes", data={"kind": "internal", "text": "Hm.", "status": ""})
    assert answer.status_code == 201
    # What programs and browsers send where no file was chosen.
    for disposition in (
        'name="attachments"',
        'name="attachments"; filename=""\r\nContent-Type: application/octet-stream',
    ):
        parts = {'name="kind"': "internal", 'name="text"': "Hm.", disposition: ""}
        body = "".join(
            f"--x\r\nContent-Disposition: form-data; {name}\r\n\r\n{value}\r\n" for name, value in parts.items()
        )
        headers = {"Content-Type": "multipart/form-data; boundary=x"}
        answer = desk.client().post("/api/incidents/1/notes", content=f"{body}--x--\r\n".encode(), headers=headers)
        assert (answer.status_code, answer.json()["attachments"]) == (201, [])


@pytest.mark.parametrize(
    ("data", "files", "fields"),
    [
        ({"text": "x"}, [], ["kind"]),
        ({"kind": "answer", "text": "x", "extra": "y"}, [], ["extra"]),
        ({"kind": "answer", "text": "x"}, [("photo", ("a.png", b"x", "image/png"))], ["photo"]),
        ({"kind": "answer", "text": "x"}, [("attachments", ("a", b"x", ""))] * (MAX_FILES + 1), ["attachments"]),
        ({"kind": "answer", "text": "x"}, [("attachments", ("a", b"x", ""))] * (MAX_FILES + 2), ["attachments"]),
        ({"kind": "answer", "text": "x" * 1_100_000}, [("attachments", ("a", b"x", ""))], ["text"]),
    ],
)
def test_a_form_that_cannot_be_taken_says_why(desk: House, data: Any, files: Any, fields: list[str]) -> None:
    assert fields_of(desk.client().post("/api/incidents/1/notes", data=data, files=files)) == fields


def test_files_of_twenty_megabytes_are_taken_and_one_byte_more_is_not(desk: House) -> None:
    def send(size: int) -> Any:
        file = {"attachments": ("a.bin", bytes(size), "application/octet-stream")}
        return desk.client().post("/api/incidents/1/notes", data={"kind": "internal", "text": "x"}, files=file)

    assert send(MAX_FILES_BYTES).status_code == 201
    refused = send(MAX_FILES_BYTES + 1)
    assert fields_of(refused) == ["attachments"]
    assert "20 MB" in refused.json()["detail"]
    whole = PDF | {"content": base64.b64encode(bytes(MAX_FILES_BYTES)).decode()}
    assert write(desk, text="\N{GRINNING FACE}" * MAX_TEXT, attachments=[whole]).status_code == 201


@pytest.mark.parametrize("type_", ["text/plain", "application/xml", ""])
def test_another_type_of_body_is_a_415_that_says_which_are_taken(desk: House, type_: str) -> None:
    answer = desk.client().post("/api/incidents/1/notes", content=b"hello", headers={"Content-Type": type_})
    assert (answer.status_code, answer.json()["code"]) == (415, "not_a_note")


@pytest.mark.parametrize("body", [b"", b"--x", b"--x\r\nContent-Disposition: form-data\r\n\r\nx\r\n--x--\r\n"])
def test_a_broken_form_is_refused(desk: House, body: bytes) -> None:
    headers = {"Content-Type": "multipart/form-data; boundary=x"}
    answer = desk.client().post("/api/incidents/1/notes", content=body, headers=headers)
    assert answer.status_code == 422, answer.text


def test_a_body_is_not_read_for_a_stranger(desk: House) -> None:
    answer = desk.client(None).post(
        "/api/incidents/1/notes", content=b"{", headers={"Content-Type": "application/json"}
    )
    assert answer.status_code == 401


# ── two people at once ────────────────────────────────────────────────────────────────────────────────────────────────


def test_an_incident_has_a_tag_that_changes_with_it(desk: House) -> None:
    client = desk.client("agent")
    first = client.get("/api/incidents/1").headers["etag"]
    assert client.get("/api/incidents/1").headers["etag"] == first
    write(desk, kind="internal")
    assert client.get("/api/incidents/1").headers["etag"] != first


def test_a_status_is_changed_by_whoever_read_the_incident_as_it_is(desk: House) -> None:
    client = desk.client("agent")
    tag = client.get("/api/incidents/1").headers["etag"]
    changed = client.patch("/api/incidents/1", json={"status": "resolved"}, headers={"If-Match": tag})
    assert (changed.status_code, changed.json()["status"]) == (200, "resolved")
    late = client.patch("/api/incidents/1", json={"status": "open"}, headers={"If-Match": tag})
    assert (late.status_code, late.headers["content-type"]) == (412, "application/problem+json")
    assert desk.incident(1).status is Status.RESOLVED
    again = client.patch("/api/incidents/1", json={"status": "open"}, headers={"If-Match": changed.headers["etag"]})
    assert again.status_code == 200
    assert client.patch("/api/incidents/1", json={"status": "closed"}).status_code == 200
    assert client.patch("/api/incidents/1", json={"status": "open"}, headers={"If-Match": "*"}).status_code == 200


def test_an_answer_to_what_has_changed_is_not_sent(desk: House) -> None:
    client = desk.client("agent")
    tag = client.get("/api/incidents/1").headers["etag"]
    desk.deliver("Re: Printer", "It is out again.", join=desk.incident(1))
    body = {"kind": "answer", "text": "Use water."}
    late = client.post("/api/incidents/1/notes", json=body, headers={"If-Match": tag})
    assert late.status_code == 412
    assert desk.incident(1).notes_count == 2
    assert not desk.world.queues.outbound
    tag = client.get("/api/incidents/1").headers["etag"]
    assert client.post("/api/incidents/1/notes", json=body, headers={"If-Match": tag}).status_code == 201


@pytest.mark.parametrize("body", [{}, {"status": "burning"}, {"status": ""}, {"status": "open", "subject": "x"}])
def test_a_change_that_is_none_is_named(desk: House, body: dict[str, str]) -> None:
    assert fields_of(desk.client().patch("/api/incidents/1", json=body)) in (["status"], ["subject"])


# ── again ─────────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("state", [SendState.FAILED, SendState.IN_DOUBT, SendState.BOUNCED])
def test_an_answer_that_did_not_arrive_is_sent_again_because_somebody_says_so(desk: House, state: SendState) -> None:
    seq = desk.failed_answer(state)
    desk.world.queues.outbound.clear()
    client = desk.client("agent")
    delivery = client.get("/api/incidents/1").json()["notes"][1]["delivery"]
    assert (delivery["state"], delivery["detail"]) == (state, "550 5.1.1 nobody here")
    answer = client.post(f"/api/incidents/1/notes/{seq}/send-again")
    assert (answer.status_code, answer.json()["delivery"]["state"]) == (200, "queued")
    desk.send_all()
    assert len(desk.world.posts["support"].sent) == 1
    assert client.post(f"/api/incidents/1/notes/{seq}/send-again").status_code == 409


@pytest.mark.parametrize("seq", ["1", "2", "0", "-1", "x", "1.0", "٣", "9" * 7, "9" * 30])
def test_what_was_never_sent_cannot_be_sent_again(desk: House, seq: str) -> None:
    write(desk, kind="internal")
    assert desk.client().post(f"/api/incidents/1/notes/{seq}/send-again").status_code == 404


def test_why_an_answer_did_not_leave_is_told(desk: House) -> None:
    write(desk)
    from tests.support.courier import MemoryPost

    refused = NotSent("The server said: 554 5.7.1 spam.", "Write less.", permanent=True)
    desk.world.posts["support"] = MemoryPost(refuses_mail=refused)
    desk.send_all()
    delivery = desk.client().get("/api/incidents/1").json()["notes"][1]["delivery"]
    assert delivery["state"] == "failed"
    assert "554 5.7.1 spam" in delivery["detail"]


def test_notes_of_a_page_have_their_own_deliveries(desk: House) -> None:
    desk.deliver(sender=Address("Ben", "ben@customer.example"))
    assert desk.client().post("/api/incidents/2/notes", json={"kind": "answer", "text": "x"}).status_code == 201
    for number in range(101):
        assert write(desk, text=str(number)).status_code == 201
    later = desk.client().get("/api/incidents/1?notes_after=100").json()["notes"]
    assert [one["seq"] for one in later] == [101, 102]
    assert all(one["delivery"]["to"][0]["address"] == "anna@customer.example" for one in later)


def test_the_description_shows_both_forms_of_a_note(house: House) -> None:
    described = house.client(None).get("/api/openapi.json").json()
    content = described["paths"]["/api/incidents/{number}/notes"]["post"]["requestBody"]["content"]
    as_json, as_form = (content[name]["schema"] for name in ("application/json", "multipart/form-data"))
    assert (
        set(as_json["properties"])
        == set(as_form["properties"])
        == {"kind", "text", "to", "cc", "status", "attachments"}
    )
    assert as_json["required"] == as_form["required"] == ["kind", "text"]
    assert as_form["properties"]["attachments"]["items"] == {"type": "string", "format": "binary"}
    assert "$ref" not in json.dumps(content)
