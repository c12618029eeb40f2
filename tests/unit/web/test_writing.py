"""The forms of an incident's page, as a browser without script sends them, and the page they stand on."""

from __future__ import annotations

import re
from typing import Any

import pytest

from shared.mail.address import Address
from shared.model import reason
from shared.model.incident import Status
from shared.model.outbound import SendState
from shared.web.pages.conversation import line
from shared.web.shapes.note import addresses
from tests.unit.web.house import ANNA, House
from tests.unit.web.test_note_html import PNG

OUT = {"enabled": True, "host": "smtp.acme.example"}


@pytest.fixture
def desk(house: House) -> House:
    house.mailbox(outgoing=OUT)
    house.deliver()
    return house


def write(house: House, files: Any = None, **fields: str) -> Any:
    """What a browser sends that shows the page as it is now."""
    page = house.browser("agent").get("/incidents/1").text
    kind = fields.get("kind", "answer")
    form = page[page.index(f'id="{kind}"') :]
    sent = {"kind": kind, "seen": _value(form, "seen"), "text": "Use\r\nwater."}
    if kind == "answer":
        sent |= {"to": _value(form, "to"), "cc": _value(form, "cc"), "status": "waiting"}
    return house.browser("agent").post("/incidents/1/notes", data=sent | fields, files=files or [NO_FILE])


NO_FILE = ("attachments", ("", b"", "application/octet-stream"))


def _value(form: str, name: str) -> str:
    import html

    match = re.search(rf'name="{name}"[^>]* value="([^"]*)"', form)
    assert match is not None
    return html.unescape(match[1])


def problems(answer: Any) -> str:
    assert answer.status_code == 422
    match = re.search(r"data-problems>(.*?)</div>", answer.text, re.DOTALL)
    assert match is not None
    return match[1]


def test_an_answer_is_sent_to_whom_the_form_shows_and_leads_back_to_itself(desk: House) -> None:
    answer = write(desk, files=[("attachments", ("a.txt", b"x", "text/plain"))])
    assert answer.status_code == 303
    assert answer.headers["location"] == "/incidents/INC-000001?note=2&written=2#note-2"
    page = desk.browser("agent").get("/incidents/1?note=2&written=2").text
    assert "Use\nwater." in page
    assert "Waiting to be sent" in page
    assert 'href="/api/incidents/INC-000001/attachments/note-2-0" download' in page
    desk.send_all()
    ((_, _, recipients),) = desk.world.posts["support"].sent
    assert recipients == (ANNA.address,)
    assert 'class="pill sent">Sent<' in desk.browser().get("/incidents/1").text
    assert desk.incident(1).status is Status.WAITING


def test_an_internal_note_goes_nowhere_and_looks_it(desk: House) -> None:
    assert write(desk, kind="internal", text="Hm.", status="").status_code == 303
    desk.send_all()
    assert "support" not in desk.world.posts
    page = desk.browser().get("/incidents/1").text
    assert 'class="note internal"' in page
    assert "For agents only. Nobody outside the desk sees it." in page
    assert desk.incident(1).status is Status.OPEN


def test_people_in_copy_are_shown_before_and_can_be_taken_out(desk: House) -> None:
    for one in (Address("Weiß, Ben", "ben@x.example"), Address('"Eve" \\', "eve@x.example")):
        desk.deliver(sender=one, join=desk.incident(1), why=reason.REPLY_BY_REFERENCE)
    from dataclasses import replace

    before = desk.incident(1)
    people = (ANNA, Address("Weiß, Ben", "ben@x.example"), Address('"Eve" \\', "eve@x.example"))
    desk.app.answers.change(desk.acme, before, replace(before, participants=people))
    page = desk.browser().get("/incidents/1").text
    assert _value(page, "to") == "Anna Öz <anna@customer.example>"
    assert _value(page, "cc") == '"Weiß, Ben" <ben@x.example>, Eve <eve@x.example>'
    write(desk, text="To all.")
    write(desk, text="To Ben and Dan.", to="ben@x.example; Dan <dan@x.example>", cc="")
    desk.send_all()
    assert [set(recipients) for _, _, recipients in desk.world.posts["support"].sent] == [
        {"anna@customer.example", "ben@x.example", "eve@x.example"},
        {"ben@x.example", "dan@x.example"},
    ]


@pytest.mark.parametrize(
    ("fields", "field", "said"),
    [
        ({"text": "  "}, "text", "Write something first."),
        ({"to": "nobody"}, "to", "Not an e-mail address: nobody"),
        ({"cc": "a@b@c"}, "cc", "Not an e-mail address: a@b@c"),
        ({"to": "", "cc": ""}, "to", "Name somebody who is to get it."),
        ({"status": "burning"}, "status", "Give one of"),
        ({"text": "x" * 200_001}, "text", "It is too long"),
    ],
)
def test_what_is_wrong_is_said_at_its_field_and_nothing_is_lost(
    desk: House, fields: dict[str, str], field: str, said: str
) -> None:
    answer = write(desk, files=[("attachments", ("a.txt", b"x", "text/plain"))], **fields)
    found = problems(answer)
    assert f'<a href="#answer-{field}">' in found
    assert said in found
    assert "Choose your files again." in found
    if field != "status":
        assert re.search(rf'name="{field}"[^>]*aria-invalid="true"', answer.text)
    assert '<details class="writing answer" name="write" id="answer" open>' in answer.text
    if "text" not in fields:
        assert "Use\r\nwater.</textarea>" in answer.text
    assert desk.incident(1).notes_count == 1


def test_what_came_in_meanwhile_is_looked_at_before_an_answer_leaves(desk: House) -> None:
    page = desk.browser().get("/incidents/1").text
    desk.deliver(text="It is out again.", join=desk.incident(1), why=reason.REPLY_BY_REFERENCE)
    answer = write(desk, seen=_value(page, "seen"))
    assert "Something new came in while you wrote" in problems(answer)
    assert "It is out again." in answer.text
    assert _value(answer.text, "seen") == "2"
    assert desk.incident(1).notes_count == 2
    assert write(desk).status_code == 303


def test_a_status_that_somebody_changed_meanwhile_stops_nobody(desk: House) -> None:
    page = desk.browser().get("/incidents/1").text
    desk.browser().post("/incidents/1/status", data={"status": "resolved"})
    assert write(desk, seen=_value(page, "seen")).status_code == 303


def test_pressing_twice_sends_once(desk: House) -> None:
    page = desk.browser().get("/incidents/1").text
    for _ in range(3):
        answer = write(desk, seen=_value(page, "seen"))
        assert answer.headers["location"] == "/incidents/INC-000001?note=2&written=2#note-2"
    assert desk.incident(1).notes_count == 2
    # The same words of somebody who saw the first are meant.
    assert write(desk).headers["location"].endswith("#note-3")


@pytest.mark.parametrize("seen", ["", "x", "-1", "٣", "99999999", "7"])
def test_a_form_that_saw_something_else_is_shown_again(desk: House, seen: str) -> None:
    assert "Something new" in problems(write(desk, seen=seen))


def test_a_mailbox_that_sends_nothing_offers_no_answer(house: House) -> None:
    house.mailbox()
    house.deliver()
    page = house.browser("agent").get("/incidents/1").text
    assert "Ask an admin of your desk to set up its outgoing server." in page
    assert 'name="to"' not in page
    assert 'id="internal"' in page


def test_addresses_that_mail_came_back_from_are_pointed_out(desk: House) -> None:
    desk.app.answers.note_undeliverable(desk.acme, ANNA.address, "550 5.1.1 <nobody>")
    page = desk.browser().get("/incidents/1").text
    assert "Mail to <bdi>anna@customer.example</bdi> came back (550 5.1.1 &lt;nobody&gt;)" in page


@pytest.mark.parametrize(
    ("state", "said", "asks"),
    [
        (SendState.FAILED, "Not sent", "It was not sent."),
        (SendState.IN_DOUBT, "Perhaps sent", "It may have been sent already: then it arrives twice."),
        (SendState.BOUNCED, "Came back", "It came back before."),
    ],
)
def test_an_answer_that_did_not_arrive_says_so_and_is_sent_again_after_a_question(
    desk: House, state: SendState, said: str, asks: str
) -> None:
    seq = desk.failed_answer(state, "550 <b>no</b>")
    browser = desk.browser("agent")
    page = browser.get("/incidents/1").text
    for text in (f">{said}<", asks, "550 &lt;b&gt;no&lt;/b&gt;", "<summary>Send again</summary>"):
        assert text in page
    answer = browser.post(f"/incidents/1/notes/{seq}/send-again")
    assert (answer.status_code, answer.headers["location"]) == (303, f"/incidents/INC-000001?note={seq}#note-{seq}")
    assert "Waiting to be sent" in browser.get("/incidents/1").text
    assert browser.post(f"/incidents/1/notes/{seq}/send-again").status_code == 409


def test_the_status_is_changed_by_a_button(desk: House) -> None:
    browser = desk.browser("agent")
    page = browser.get("/incidents/1").text
    assert re.findall(r'name="status" value="(\w+)">(\w+)<', page) == [
        ("waiting", "Wait"),
        ("resolved", "Resolve"),
        ("closed", "Close"),
    ]
    assert browser.post("/incidents/1/status", data={"status": "closed"}).status_code == 303
    assert desk.incident(1).status is Status.CLOSED
    assert ("open", "Reopen") in re.findall(r'name="status" value="(\w+)">(\w+)<', browser.get("/incidents/1").text)
    assert browser.post("/incidents/1/status", data={"status": "x"}).status_code == 422


FORMS = ["/incidents/1/notes", "/incidents/1/status", "/incidents/1/notes/2/send-again"]


@pytest.mark.parametrize("path", FORMS)
def test_forms_take_nothing_from_strangers_other_sites_or_other_tenants(desk: House, path: str) -> None:
    desk.failed_answer()
    fields = {"kind": "internal", "text": "x", "seen": "2", "status": "closed"}
    before = desk.incident(1)
    assert desk.client(None).post(path, data=fields).status_code == 401
    other = desk.browser("admin", "other").post(path, data=fields)
    assert other.status_code == 404
    for headers in ({"Sec-Fetch-Site": "cross-site"}, {"Sec-Fetch-Site": "same-site"}):
        assert desk.browser().post(path, data=fields, headers=headers).status_code == 403
    assert desk.incident(1) == before


def test_an_incident_that_went_on_elsewhere_says_where(desk: House) -> None:
    from dataclasses import replace

    desk.deliver("Twin")
    before = desk.incident(2)
    desk.app.answers.change(desk.acme, before, replace(before, merged_into=1))
    page = desk.browser().get("/incidents/2").text
    assert 'It was merged into <a href="/incidents/INC-000001">' in page
    assert "<textarea" not in page
    assert desk.browser().post("/incidents/2/status", data={"status": "closed"}).status_code == 409


# ── what the page shows ───────────────────────────────────────────────────────────────────────────────────────────────


def test_a_mail_with_html_offers_it_in_a_frame_that_can_do_nothing(desk: House) -> None:
    desk.deliver(html="<p>Hello")
    desk.deliver(html='<img src="https://x.example/a.png">')
    (frame,) = re.findall(r"<iframe[^>]*>", desk.browser().get("/incidents/2").text)
    assert 'sandbox="allow-popups allow-popups-to-escape-sandbox"' in frame
    assert 'src="/api/incidents/INC-000002/notes/1/html"' in frame
    assert 'loading="lazy"' in frame
    assert "Show them" not in desk.browser().get("/incidents/2").text
    assert 'html?images=1" target="html-1">Show them</a>' in desk.browser().get("/incidents/3").text
    assert "<iframe" not in desk.browser().get("/incidents/1").text


def test_pictures_of_the_text_are_shown_and_other_files_are_not(desk: House) -> None:
    desk.deliver(files=(("a.png", "image/png", PNG), ("b.svg", "image/svg+xml", b"<svg/>")), inline=True)
    desk.deliver(files=(("a.png", "image/png", PNG),))
    desk.deliver(files=(("large.png", "image/png", bytes(5_000_001)),), inline=True)
    browser = desk.browser()
    (address,) = re.findall(r'<img src="(/api/[^"]*)"', browser.get("/incidents/2").text)
    assert browser.get(address).content == PNG
    for number in (3, 4):
        assert '<img src="/api/' not in browser.get(f"/incidents/{number}").text


def test_a_page_that_did_not_change_is_answered_without_reading_its_notes(desk: House) -> None:
    browser = desk.browser()
    tag = browser.get("/incidents/1").headers["etag"]
    assert browser.get("/incidents/1", headers={"If-None-Match": tag}).status_code == 304
    seq = desk.failed_answer()
    changed = browser.get("/incidents/1", headers={"If-None-Match": tag})
    assert changed.status_code == 200
    browser.post(f"/incidents/1/notes/{seq}/send-again")
    again = browser.get("/incidents/1", headers={"If-None-Match": changed.headers["etag"]})
    assert again.status_code == 200
    desk.send_all()
    last = browser.get("/incidents/1", headers={"If-None-Match": again.headers["etag"]})
    assert (last.status_code, ">Sent<" in last.text) == (200, True)


def test_while_an_answer_is_on_its_way_the_page_asks_more_often(desk: House) -> None:
    assert 'data-every="10"' in desk.browser().get("/incidents/1").text
    write(desk)
    assert 'data-every="3"' in desk.browser().get("/incidents/1").text
    desk.send_all()
    assert 'data-every="10"' in desk.browser().get("/incidents/1").text


def test_a_held_mail_can_be_read_before_it_is_released(desk: House) -> None:
    raw = b"From: Eve <eve@x.example>\r\n\r\nLet me in.\r\n"
    desk.deliver("Let me in", why=reason.NOT_ON_WHITELIST, raw=raw)
    mail = desk.client().get("/api/mail").json()["items"][0]["id"]
    page = desk.browser("agent").get(f"/mail/{mail}").text
    assert f'href="/api/mail/{mail}/raw" download' in page
    answer = desk.client("agent").get(f"/api/mail/{mail}/raw")
    assert (answer.content, answer.headers["content-type"]) == (raw, "application/octet-stream")
    assert f'filename="mail-{mail[:8]}.eml"' in answer.headers["content-disposition"]
    assert desk.client("admin", "other").get(f"/api/mail/{mail}/raw").status_code == 404
    desk.world.blobs.content.clear()  # type: ignore[attr-defined]
    assert desk.client().get(f"/api/mail/{mail}/raw").status_code == 404


# ── lines of addresses ────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("", []),
        (" , ;; ", []),
        ("a@x.example", ["a@x.example"]),
        (
            "a@x.example, b@x.example;c@x.example\nd@x.example",
            ["a@x.example", "b@x.example", "c@x.example", "d@x.example"],
        ),
        ('"Öz, Anna" <a@x.example>, b', ['"Öz, Anna" <a@x.example>', "b"]),
        ('"never closed, a@x.example', ['"never closed, a@x.example']),
        ("<a,b>;c", ["<a,b>", "c"]),
    ],
)
def test_a_line_of_addresses_is_split_where_people_mean_it(text: str, found: list[str]) -> None:
    assert addresses(text) == found


@pytest.mark.parametrize(
    "name", ["Anna Öz", "Öz, Anna", 'A "B" C', "a@b.example", "<x>", "\\", "", "Dr. Who (IT)", "山田"]
)
def test_a_name_on_the_form_reads_back_as_the_same_address(name: str) -> None:
    from shared.mail.address import parse_address

    (shown,) = addresses(line((Address(name, "a@x.example"),)))
    read = parse_address(shown)
    assert read is not None
    assert read.address == "a@x.example"
