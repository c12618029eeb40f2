"""The desk's page of its webhooks: made, secret shown once, changed, tested, rotated, disabled, deleted; the log."""

from __future__ import annotations

import re
from typing import Any

import pytest
from starlette.testclient import TestClient

from shared.errors import TimedOut
from shared.flows import hooks
from shared.model.webhook import MAX_HOOKS
from tests.unit.web.house import House

FORM = {"url": "https://receiver.example/in?token=t0p", "description": "CRM", "events": ["incident.created"]}
HOSTILE = '"><img src=x onerror=alert(1)><script>alert(2)</script>'


def make(browser: TestClient, **changes: Any) -> tuple[str, str]:
    """A webhook made on the page: the page that shows its secret, and where it is found."""
    answer = browser.post("/tenant/webhooks", data=FORM | changes)
    assert answer.status_code == 200, answer.text
    (place,) = set(re.findall(r'href="(/tenant/webhooks/[0-9a-f]{12})"', answer.text))
    return answer.text, str(place)


def _hidden(page: str, name: str) -> str:
    return str(re.findall(rf'name="{name}" value="([0-9a-f]+)"', page)[0])


def test_the_desk_leads_there_and_agents_have_no_such_page(house: House) -> None:
    assert 'href="/tenant/webhooks"' in house.browser("admin").get("/tenant").text
    for path in ("/tenant/webhooks", "/tenant/webhooks/0123456789ab"):
        assert house.browser("agent").get(path).status_code == 403
    assert house.browser("agent").post("/tenant/webhooks", data=FORM).status_code == 403


def test_the_secret_is_shown_once(house: House) -> None:
    browser = house.browser()
    wish = _hidden(browser.get("/tenant/webhooks").text, "wish")
    page, place = make(browser, wish=wish)
    (secret,) = re.findall(r'value="(whsec_[^"]+)"', page)
    assert make(browser, wish=wish) == (page, place)  # reloaded
    for path in ("/tenant/webhooks", place):
        shown = browser.get(path).text
        assert secret not in shown
        assert "https://receiver.example/in" in shown
    assert len(house.app.webhooks.hooks(house.acme).all) == 1


def test_what_is_wrong_is_said_beside_what_was_typed(house: House) -> None:
    browser = house.browser()
    answer = browser.post("/tenant/webhooks", data={"url": "receiver.example" + HOSTILE, "description": "CRM"})
    assert answer.status_code == 422
    assert 'href="#hook-url"' in answer.text
    assert 'href="#hook-events"' in answer.text
    assert 'value="CRM"' in answer.text
    assert "<script>alert" not in answer.text
    assert "<img src=x" not in answer.text
    assert house.app.webhooks.hooks(house.acme).all == ()


def test_what_was_typed_as_a_description_runs_nowhere(house: House) -> None:
    browser = house.browser()
    _, place = make(browser, description=HOSTILE)
    for path in ("/tenant/webhooks", place):
        assert "onerror=alert(1)&gt;" in browser.get(path).text
        assert "<img src=x" not in browser.get(path).text


def test_it_is_changed_disabled_and_enabled_again(house: House) -> None:
    browser = house.browser()
    _, place = make(browser)
    version = _hidden(browser.get(place).text, "version")
    saved = browser.post(place, data={**FORM, "events": ["note.added", "mail.held"], "version": version})
    assert (saved.status_code, saved.headers["location"]) == (303, f"{place}?did=saved")
    assert "Saved." in browser.get(saved.headers["location"]).text
    assert browser.post(place, data={**FORM, "version": version}).status_code == 409
    assert browser.post(f"{place}/switch", data={"on": "false"}).headers["location"] == f"{place}?did=disabled"
    (hook,) = house.app.webhooks.hooks(house.acme).all
    assert (hook.enabled, hook.events) == (False, ("note.added", "mail.held"))
    assert browser.post(place, data=FORM).status_code == 303
    assert hooks.get(house.app, house.acme, hook.id).enabled is False
    browser.post(f"{place}/switch", data={"on": "true"})
    assert hooks.get(house.app, house.acme, hook.id).enabled is True
    assert browser.post(place, data={**FORM, "url": "x"}).status_code == 422


def test_a_test_event_tells_what_happened_in_words(house: House) -> None:
    browser = house.browser()
    _, place = make(browser)
    assert "The receiver took the test event. (HTTP 200" in browser.post(f"{place}/test").text
    house.world.receiver.answers = [TimedOut("receiver.example did not answer within 10 seconds.", "Answer at once.")]
    page = browser.post(f"{place}/test").text
    assert "did not answer within 10 seconds" in page
    assert "1 try failed." in browser.get(place).text
    house.world.receiver.forbidden = ("https://",)
    assert browser.post(f"{place}/test").status_code == 422


def test_the_log_tells_each_try_and_sends_again(house: House) -> None:
    browser = house.browser()
    _, place = make(browser)
    house.world.receiver.answers = [500]
    house.deliver()
    house.hear()
    page = browser.get(place).text
    assert 'class="pill held">Failed<' in page
    assert "next:" in page
    assert "The receiver answered 500" in page
    house.clock.advance(seconds=10)
    house.world.queues.webhooks.clear()
    (resend,) = re.findall(r'action="([^"]+/resend)"', page)
    answer = browser.post(resend)
    assert answer.headers["location"] == f"{place}?did=resent"
    house.hear()
    assert browser.get(place).text.count('class="pill delivered"') == 1
    lost = browser.post(f"{place}/deliveries/{'0' * 15}-evt_{'0' * 32}-01/resend")
    assert (lost.status_code, "There is no such delivery" in lost.text) == (404, True)


def test_the_log_is_paged(house: House) -> None:
    browser = house.browser()
    _, place = make(browser)
    for _ in range(60):
        browser_clock = house.clock
        browser_clock.advance(minutes=1)
        hooks.test(house.app, house.acme, place.rpartition("/")[2])
    first = browser.get(place).text
    (older,) = re.findall(r'href="([^"#]+)#log">Older', first)
    assert first.count("<code>ping</code>") == 50
    assert browser.get(older).text.count("<code>ping</code>") == 10
    assert browser.get(f"{place}?after=~~~").status_code == 422


def test_a_rotated_secret_is_shown_once_and_the_page_tells_until_when_both_hold(house: House) -> None:
    browser = house.browser()
    page, place = make(browser)
    wish = _hidden(browser.get(place).text, "wish")
    rotated = browser.post(f"{place}/rotate", data={"wish": wish}).text
    assert re.findall(r'value="(whsec_[^"]+)"', rotated) != re.findall(r'value="(whsec_[^"]+)"', page)
    assert browser.post(f"{place}/rotate", data={"wish": wish}).text == rotated
    assert "signed with the old secret as well until" in browser.get(place).text


def test_deleting_takes_it_from_the_list(house: House) -> None:
    browser = house.browser()
    _, place = make(browser)
    assert "This cannot be taken back" in browser.get(place).text
    answer = browser.post(f"{place}/delete")
    assert answer.headers["location"] == "/tenant/webhooks?did=deleted"
    assert "There is no webhook yet." in browser.get(answer.headers["location"]).text
    assert browser.get(place).status_code == 404


def test_a_receiver_that_is_gone_is_said_on_the_page(house: House) -> None:
    browser = house.browser()
    _, place = make(browser)
    house.world.receiver.always = 410
    house.deliver()
    house.hear()
    page = browser.get(place).text
    assert "It was disabled: Its receiver answered 410 Gone" in page
    assert ">Enable</button>" in page


def test_with_ten_there_is_no_form_for_another(house: House) -> None:
    browser = house.browser()
    for count in range(MAX_HOOKS):
        make(browser, description=str(count))
    page = browser.get("/tenant/webhooks").text
    assert "Make the webhook" not in page
    assert browser.post("/tenant/webhooks", data=FORM).status_code == 409


@pytest.mark.parametrize(
    "path", ["", "/switch", "/rotate", "/test", "/delete", "/deliveries/000000000000000-evt_" + "0" * 32 + "-01/resend"]
)
def test_another_desks_webhook_is_nowhere_and_another_sites_form_does_nothing(house: House, path: str) -> None:
    _, place = make(house.browser())
    before = house.app.webhooks.hooks(house.acme)
    data = FORM | {"on": "false", "wish": "w"}
    assert house.browser("admin", "other").post(f"{place}{path}", data=data).status_code == 404
    foreign = house.browser()
    answer = foreign.post(f"{place}{path}", data=data, headers={"Sec-Fetch-Site": "cross-site"})
    assert answer.status_code == 403
    assert house.app.webhooks.hooks(house.acme) == before
    assert house.world.receiver.got == []
