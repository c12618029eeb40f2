"""What the pages promise beside the great stories, one by one, in a real browser."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import timedelta

import pytest
from playwright.sync_api import FilePayload, Page, expect

from shared.model import reason
from shared.web.limits import PROBES
from tests.browser.conftest import Served
from tests.browser.test_conversation import ANNA, DESK, OUT, open_incident
from tests.browser.test_mailbox_page import fill_by_address, sign_in
from tests.browser.test_pages import shoot
from tests.support.app import World
from tests.support.guarded import FIX, PASSWORD, REFUSED, Guarded, imap_found
from tests.support.mails import mail

pytestmark = [pytest.mark.chromium, pytest.mark.xdist_group("browser")]


@pytest.fixture
def guarded() -> Guarded:
    return Guarded(found=imap_found())


@pytest.fixture
def world(guarded: Guarded) -> World:
    return guarded.world


def given_a_question(served: Served) -> None:
    served.house.mailbox(outgoing=OUT, password=PASSWORD)
    served.house.receive(mail(ANNA, "Printer on fire", "It burns.", to=DESK))


def test_testing_too_often_is_told_with_the_seconds_to_wait_and_costs_nothing(page: Page, served: Served) -> None:
    sign_in(page, served)
    page.goto(f"{served.address}/mailboxes/new")
    fill_by_address(page, PASSWORD)
    for _ in range(PROBES):
        served.house.web.state.house.limits.probes.take(served.house.acme)
    page.get_by_role("button", name="Test Settings").click()
    expect(page.locator("#failed")).to_have_text("That was too often. Try again in 6 seconds.")
    shoot(page, "too-often")
    expect(page.get_by_label("Password", exact=True)).to_have_value(PASSWORD)
    served.house.clock.advance(seconds=7)
    page.get_by_role("button", name="Test Settings").click()
    expect(page.get_by_text("Everything works.")).to_be_visible()
    expect(page.locator("#failed")).to_be_hidden()


def test_a_mailbox_cannot_take_the_name_of_a_page(page: Page, served: Served) -> None:
    sign_in(page, served)
    page.goto(f"{served.address}/mailboxes/new")
    fill_by_address(page, PASSWORD)
    page.get_by_label("Mailbox id").fill("new")
    page.get_by_role("button", name="Connect", exact=True).click()
    expect(page.get_by_role("alert")).to_contain_text('No mailbox can be named "new"')
    answer = served.house.client().put("/api/mailboxes/new", json={"group": "x"})
    assert answer.status_code == 422
    assert served.house.app.mailboxes.all(served.house.acme) == ()


def test_a_mailbox_says_when_it_was_polled_what_is_wrong_and_when_it_is_polled_next(page: Page, served: Served) -> None:
    house = served.house
    house.mailbox(password=PASSWORD)
    slot = house.app.schedule.get(house.acme, "support")
    assert slot is not None
    polled = slot.created + timedelta(minutes=2)
    house.app.schedule.put(
        replace(
            slot,
            last_poll=polled,
            last_success=slot.created,
            due=polled + timedelta(minutes=4),
            failures=1,
            error_code="timed_out",
            error_message=REFUSED,
            error_fix=FIX,
        )
    )
    sign_in(page, served)
    page.goto(f"{served.address}/mailboxes/support")
    standing = page.get_by_role("region", name="How it does")
    expect(standing).to_contain_text("Polling fails")
    expect(standing).to_contain_text(REFUSED)
    expect(standing).to_contain_text(FIX)
    for words in ("Last poll", "Last success", "Next poll"):
        row = standing.locator("dl div").filter(has_text=words)
        expect(row).to_contain_text(re.compile(r"16 Nov 2026, 13:0[0-9]"))


def test_the_acknowledgement_is_shown_as_its_reader_will_see_it_while_it_is_written(page: Page, served: Served) -> None:
    sign_in(page, served)
    page.goto(f"{served.address}/mailboxes/new")
    page.get_by_label("Group").fill("Support")
    expect(page.locator(".preview")).to_be_hidden()
    page.get_by_label("Acknowledgement").check()
    page.get_by_label("Subject", exact=True).fill("Got it [{number}] {subject}")
    page.get_by_label("Text", exact=True).fill("Dear {name},\n{group} reads <b>it</b> {unknown}.")
    expect(page.locator("#preview-subject")).to_have_text("Got it [INC-000123] Printer on fire")
    expect(page.locator("#preview-text")).to_have_text("Dear Anna,\nSupport reads <b>it</b> {unknown}.")


def test_the_transcript_is_switched_on_read_and_switched_off(page: Page, served: Served) -> None:
    served.house.mailbox(password=PASSWORD)
    sign_in(page, served)
    page.goto(f"{served.address}/mailboxes/support")
    page.get_by_role("button", name="Write down 30 minutes").click()
    expect(page.get_by_text("is written down until")).to_be_visible()
    served.house.receive(mail())
    with page.expect_download() as download:
        page.get_by_role("link", name="Download").click()
    assert PASSWORD.encode() not in download.value.path().read_bytes()
    page.get_by_role("button", name="Stop writing down").click()
    expect(page.get_by_text("Nothing is written down any more.")).to_be_visible()


def test_whose_permission_a_mailbox_uses_is_told_and_somebody_can_sign_in(page: Page, served: Served) -> None:
    some = "8f14e45f-ceea-467f-9cb0-2ae4f8e0b1a1"
    about = {"server_type": "office365", "client_id": some, "tenant_id": some, "client_secret": "secret-7"}
    served.house.mailbox(**about)
    sign_in(page, served)
    page.goto(f"{served.address}/mailboxes/support")
    standing = page.get_by_role("region", name="How it does")
    expect(standing).to_contain_text("Nobody signed in: the app's own permission is used")
    link = standing.get_by_role("link", name="Sign in with Microsoft")
    expect(link).to_have_attribute("href", "/oauth/start?mailbox=support")


def test_paging_stays_right_while_new_incidents_arrive(page: Page, served: Served) -> None:
    house = served.house
    for count in range(120):
        house.deliver(f"Number {count}")
    sign_in(page, served, "agent")
    seen: list[str] = []
    while True:
        seen += page.locator("#live .item").all_inner_texts()
        house.deliver(f"Meanwhile {len(seen)}")
        older = page.get_by_role("link", name="Older", exact=True)
        if not older.count():
            break
        older.click()
        page.wait_for_load_state()
    assert seen == [f"Number {count}" for count in reversed(range(120))]
    page.get_by_role("link", name="Newest", exact=True).click()
    expect(page.locator("#live .item").first).to_have_text(re.compile("Meanwhile"))


def test_keeping_up_costs_next_to_nothing_while_nothing_happens(page: Page, served: Served) -> None:
    given_a_question(served)
    page.clock.install()
    for path in ("/", "/incidents/1", "/mail"):
        open_incident(page, served)
        page.goto(served.address + path)
        statuses = []
        for _ in range(3):
            with page.expect_response(lambda one: one.request.resource_type == "fetch") as answer:
                page.clock.run_for(11_000)
            statuses.append(answer.value.status)
        assert 304 in statuses, path
        assert statuses.count(200) <= 1, path


def test_a_discarded_mail_is_let_in_after_all_and_a_failed_one_is_tried_again(page: Page, served: Served) -> None:
    house = served.house
    house.mailbox(password=PASSWORD, whitelist_enabled=True)
    house.receive(mail(subject="Let me in"))
    raw = mail(subject="Hard to read", message_id="<9@example.com>")
    house.deliver("Hard to read", why=reason.CONVERSION_FAILED, raw=raw)
    sign_in(page, served, "agent")
    page.goto(f"{served.address}/mail")
    row = page.get_by_role("row").filter(has_text="Let me in")
    row.get_by_role("button", name="Discard").click()
    expect(page.get_by_role("status")).to_contain_text("Discarded")
    row.get_by_role("button", name="Release").click()
    house.world.convert_all()
    expect(page.get_by_role("status")).to_contain_text("Delivered", timeout=10_000)
    page.get_by_role("row").filter(has_text="Hard to read").get_by_role("button", name="Try again").click()
    expect(page.get_by_role("status")).to_contain_text("Hard to read")
    house.world.convert_all()
    expect(page.get_by_role("status")).not_to_contain_text("Pending", timeout=10_000)


def test_an_internal_note_keeps_its_files_and_goes_to_nobody(page: Page, served: Served) -> None:
    given_a_question(served)
    open_incident(page, served)
    page.keyboard.press("n")
    page.keyboard.type("See the plan.")
    files: list[FilePayload] = [
        {"name": name, "mimeType": "text/plain", "buffer": b"x" * 1500} for name in ("plan.txt", "map.txt")
    ]
    page.locator("#internal-attachments").set_input_files(files)
    page.get_by_role("button", name="Keep internal note").click()
    note = page.get_by_role("article").nth(1)
    expect(note).to_contain_text("Internal")
    expect(note).to_contain_text("plan.txt")
    expect(note).to_contain_text("1.5 kB")
    served.house.send_all()
    assert not served.house.world.posts
    with page.expect_download() as download:
        note.get_by_role("link", name="map.txt").click()
    assert download.value.path().read_bytes() == b"x" * 1500


def test_many_mailboxes_that_want_nothing_are_folded_away_and_stay_as_the_reader_put_them(
    page: Page, served: Served
) -> None:
    for count in range(5):
        served.house.mailbox(f"box{count}", email=f"box{count}@acme.example", password=PASSWORD)
    served.house.mailbox("strict", email="strict@acme.example", password=PASSWORD, whitelist_enabled=True)
    page.clock.install()
    sign_in(page, served)
    expect(page.get_by_role("link", name="strict@acme.example").first).to_be_visible()
    folded = page.locator(".mailboxes").get_by_role("link", name="box1@acme.example", include_hidden=True)
    expect(folded).to_be_hidden()
    page.get_by_text("Mailboxes that need nothing: 5").click()
    expect(folded).to_be_visible()
    served.house.deliver("Something new")
    page.clock.run_for(11_000)
    expect(page.get_by_role("link", name="Something new")).to_be_visible()
    expect(folded).to_be_visible()


def test_an_error_page_says_what_happened_and_leads_back(page: Page, served: Served) -> None:
    sign_in(page, served)
    for path, said in (
        ("/incidents/999", "There is no such incident."),
        ("/mailboxes/nobody", "There is no mailbox of this name."),
        ("/nope", "There is nothing at this address."),
    ):
        page.goto(served.address + path)
        expect(page.get_by_role("main")).to_contain_text(said)
        page.get_by_role("link", name="Go to your incidents").click()
        expect(page.get_by_role("heading", name="Incidents")).to_be_visible()
