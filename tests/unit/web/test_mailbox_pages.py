from __future__ import annotations

import json
import re
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from shared.errors import LoginRefused
from shared.flows import logins
from shared.flows import mailboxes as flow
from shared.model.discovery import Discovery
from shared.model.mailbox import Settings
from shared.web.limits import PROBES
from shared.web.pages import mailbox_form, static
from tests.support.guarded import FIX, PASSWORD, REFUSED, Guarded, imap_found
from tests.unit.web.house import SETTINGS, House, make_house

CANARY = "canary-p4ssw0rd"

FORM = {
    "group": "Support",
    "email": "support@acme.example",
    "server_type": "imap",
    "host": "imap.acme.example",
    "username": "support@acme.example",
    "password": PASSWORD,
}


@pytest.fixture
def guarded() -> Guarded:
    return Guarded()


@pytest.fixture
def house(guarded: Guarded) -> House:
    return make_house(guarded.world)


def seen(page: str) -> str:
    found = re.search(r'name="seen" value="([^"]*)"', page)
    assert found is not None
    return found[1].replace("&#34;", '"')


def problems(page: str) -> list[str]:
    """The fields that the summary links to."""
    return re.findall(r'<li><a href="#([^"]+)">', page)


def saved(house: House, id: str = "support") -> Settings:
    mailbox = house.app.mailboxes.get(house.acme, id)
    assert mailbox is not None
    return mailbox.settings


def test_a_mailbox_is_connected_by_the_form_alone(house: House) -> None:
    answer = house.browser().post("/mailboxes/new", data=FORM)
    assert (answer.status_code, answer.headers["location"]) == (303, "/mailboxes/support?did=connected")
    settings = saved(house)
    assert (settings.polling_minutes, settings.days_to_download, settings.effective_port) == (2, 180, 993)
    assert house.world.queues.polls


def test_every_setting_has_an_input_that_brings_it_back_unchanged(house: House) -> None:
    """The form sends what it shows: nothing is lost or changed by saving without a change."""
    whole = Settings.model_validate(
        {
            **SETTINGS,
            "server_type": "imap",
            "port": 1993,
            "security": "starttls",
            "polling_minutes": 7,
            "days_to_download": 30,
            "folder": "Support",
            "after_import": "move",
            "move_to": "Done",
            "whitelist_enabled": True,
            "whitelist": "a.example,\nb@c.example",
            "unverified_senders": "hold",
            "authserv_id": "mx.acme.example",
            "agents": "eva@acme.example",
            "closed_reply": "new",
            "reopen_days": 3,
            "old_mail": "skip",
            "max_incidents_per_hour": 50,
            "outgoing": {"enabled": True, "host": "smtp.acme.example", "port": 2525, "from_name": "Desk"},
            "acknowledge": True,
            "acknowledge_subject": "Yours [{number}]",
            "acknowledge_text": "Hello {name},\nthanks.",
            "notify_agents": True,
        }
    )
    values = mailbox_form.shown(whole)
    house.mailbox(**json.loads(whole.model_dump_json()))
    page = house.browser().get("/mailboxes/support").text
    for name in values:
        assert f'name="{name}"' in page, name
    answer = house.browser().post("/mailboxes/support", data={**values, "seen": seen(page), "do": "save"})
    assert answer.status_code == 303
    assert saved(house) == whole


def test_what_cannot_be_saved_comes_back_with_every_problem_linked_and_nothing_lost(house: House) -> None:
    wrong = {**FORM, "group": "", "port": "many", "host": "https://x", "polling_minutes": "0"}
    answer = house.browser().post("/mailboxes/new", data=wrong)
    assert answer.status_code == 422
    assert set(problems(answer.text)) == {"group", "port", "host", "polling_minutes"}
    for field in problems(answer.text):
        assert re.search(rf'id="{field}"[^>]*aria-invalid="true"', answer.text), field
    assert 'value="many"' in answer.text
    assert 'value="https://x"' in answer.text
    assert "Type passwords and secrets again" in answer.text


def test_secrets_go_in_and_are_in_no_page(house: House) -> None:
    browser = house.browser()
    form = FORM | {"password": CANARY, "outgoing.password": CANARY, "client_secret": CANARY}
    answers = [
        browser.post("/mailboxes/new", data=form | {"group": ""}),
        browser.post("/mailboxes/new", data=form | {"do": "test"}),
        browser.post("/mailboxes/new", data=form | {"do": "discover"}),
        browser.post("/mailboxes/new", data=form),
        browser.post("/mailboxes/support", data=form | {"seen": '"old"'}),
        browser.get("/mailboxes/support"),
        browser.get("/mailboxes"),
    ]
    assert [answer.status_code for answer in answers] == [422, 200, 200, 303, 422, 200, 200]
    for answer in answers:
        assert CANARY not in answer.text
    assert "Leave it empty to keep it" in answers[5].text


def test_a_password_that_is_left_empty_is_kept_and_one_that_is_typed_replaces_it(house: House) -> None:
    browser = house.browser()
    browser.post("/mailboxes/new", data=FORM)
    for typed, kept in (("", PASSWORD), (CANARY, CANARY)):
        page = browser.get("/mailboxes/support").text
        data = FORM | {"password": typed, "seen": seen(page)}
        assert browser.post("/mailboxes/support", data=data).status_code == 303
        mailbox = house.app.mailboxes.get(house.acme, "support")
        assert mailbox is not None
        sealed = mailbox.secret("password")
        assert sealed is not None
        assert house.app.secrets.open(house.acme, "support", "password", sealed) == kept


def test_two_admins_do_not_overwrite_each_other_and_lose_nothing(house: House) -> None:
    browser = house.browser()
    browser.post("/mailboxes/new", data=FORM)
    page = browser.get("/mailboxes/support").text
    house.mailbox(polling_minutes=9, host="imap.acme.example")
    mine = FORM | {"password": "", "folder": "Mine", "polling_minutes": "2", "port": "993", "seen": seen(page)}
    answer = browser.post("/mailboxes/support", data=mine)
    assert answer.status_code == 422
    assert "Somebody else changed this mailbox meanwhile" in answer.text
    assert 'value="Mine"' in answer.text
    assert problems(answer.text) == ["polling_minutes", "folder"]
    assert saved(house).folder == "INBOX"
    again = browser.post("/mailboxes/support", data=mine | {"seen": seen(answer.text)})
    assert again.status_code == 303
    assert saved(house).folder == "Mine"


def test_the_usual_port_is_no_choice_of_its_own(house: House) -> None:
    """It goes along when the security is changed later, and is no difference between two admins."""
    house.browser().post("/mailboxes/new", data=FORM | {"port": "993", "outgoing.port": "587"})
    assert (saved(house).port, saved(house).outgoing.port) == (None, None)
    house.browser().post("/mailboxes/new", data=FORM | {"port": "1993", "id": "other"})
    assert saved(house, "other").port == 1993


def test_a_form_without_its_tag_changes_nothing(house: House) -> None:
    house.mailbox()
    assert house.browser().post("/mailboxes/support", data=FORM | {"folder": "Mine"}).status_code == 422
    assert saved(house).folder == "INBOX"


def test_a_new_mailbox_never_overwrites_an_old_one(house: House) -> None:
    house.mailbox(folder="Old")
    answer = house.browser().post("/mailboxes/new", data=FORM | {"id": "support"})
    assert problems(answer.text) == ["id"]
    assert saved(house).folder == "Old"
    # Without an id it gets another one.
    answer = house.browser().post("/mailboxes/new", data=FORM)
    assert answer.headers["location"].startswith("/mailboxes/support-2?")


@pytest.mark.parametrize("id", ["new", "Big", "a/b", "-x", "x" * 64])
def test_an_id_that_cannot_be_is_refused_at_its_field(house: House, id: str) -> None:
    assert problems(house.browser().post("/mailboxes/new", data=FORM | {"id": id}).text) == ["id"]


@pytest.mark.parametrize(
    ("address", "id"),
    [
        ("support@acme.example", "support-2"),
        ("Sales.EMEA@acme.example", "sales-emea"),
        ("new@acme.example", ""),
        ("täglich@acme.example", "t-glich"),
        ("nonsense", ""),
    ],
)
def test_an_id_is_made_from_the_address(address: str, id: str) -> None:
    assert mailbox_form.id_for(address, frozenset({"support"})) == id


def test_what_a_kind_of_mailbox_does_not_have_is_not_judged(house: House) -> None:
    office = FORM | {"server_type": "office365", "host": "https://left over", "port": "x", "outgoing.port": "x"}
    app = {"client_id": "1", "tenant_id": "2", "client_secret": "3"}
    assert house.browser().post("/mailboxes/new", data=office | app).status_code == 303
    assert saved(house).host == ""
    pop3 = FORM | {"server_type": "pop3", "id": "pop", "folder": "", "client_id": "x" * 300}
    assert house.browser().post("/mailboxes/new", data=pop3).status_code == 303
    assert saved(house, "pop").effective_port == 995


def test_what_the_form_hides_stays_as_it_is_stored(house: House) -> None:
    """Or a sign-in at Microsoft, which belongs to a user name, would be lost by saving the page."""
    app: dict[str, Any] = {"client_id": "1", "tenant_id": "2", "client_secret": "3"}
    house.mailbox(server_type="office365", username="kept@acme.example", **app)
    browser = house.browser()
    page = browser.get("/mailboxes/support").text
    data = {**FORM, "server_type": "office365", "username": "", "client_id": "1", "tenant_id": "2", "seen": seen(page)}
    assert browser.post("/mailboxes/support", data=data).status_code == 303
    assert saved(house).username == "kept@acme.example"


def test_discovery_fills_the_form(house: House, guarded: Guarded) -> None:
    guarded.found = imap_found()
    page = house.browser().post("/mailboxes/new", data={"email": "support@acme.example", "do": "discover"}).text
    for name, value in (("host", "imap.acme.example"), ("port", ""), ("id", "support"), ("outgoing.port", "")):
        assert re.search(rf'id="{name}" value="{value}"', page), name
    assert "autoconfiguration; it answered" in page
    assert "It wants an app password." in page


def test_discovery_of_office_365_fills_in_the_tenant_id(house: House, guarded: Guarded) -> None:
    guarded.found = Discovery("", "office365", tenant_id="8f14e45f-ceea-467f-9cb0-2ae4f8e0b1a1", sign_in=True)
    page = house.browser().post("/mailboxes/new", data={"email": "a@acme.example", "do": "discover"}).text
    assert '<option value="office365" selected>' in page
    assert 'value="8f14e45f-ceea-467f-9cb0-2ae4f8e0b1a1"' in page


def test_discovery_that_finds_nothing_leaves_the_form_as_it_was(house: House) -> None:
    typed = {"email": "a@acme.example", "host": "mail.acme.example", "do": "discover"}
    page = house.browser().post("/mailboxes/new", data=typed).text
    assert "Nothing was found for a@acme.example" in page
    assert 'value="mail.acme.example"' in page


def test_settings_are_tested_before_they_are_saved(house: House) -> None:
    browser = house.browser()
    page = browser.post("/mailboxes/new", data=FORM | {"password": "wrong", "do": "test"}).text
    assert "Something does not work yet." in page
    assert REFUSED in page
    assert FIX in page
    assert '<a href="#password">' in page
    assert "Everything works." in browser.post("/mailboxes/new", data=FORM | {"do": "test"}).text
    assert list(house.app.mailboxes.all(house.acme)) == []


@pytest.mark.parametrize("path", ["/mailboxes/new", "/api/mailboxes/support/test"])
def test_a_test_is_told_step_by_step_where_that_is_asked_for(house: House, path: str) -> None:
    headers = {"Accept": "application/x-ndjson"}
    if path.startswith("/api"):
        body = SETTINGS | {"password": PASSWORD}
        answer = house.client().post(path, json=body, headers=headers)
    else:
        answer = house.browser().post(path, data=FORM | {"do": "test"}, headers=headers)
    assert answer.headers["content-type"] == "application/x-ndjson"
    *steps, report = [json.loads(line) for line in answer.text.splitlines()]
    assert [(one["name"], one["state"]) for one in steps[:4]] == [
        ("dns", "running"),
        ("dns", "ok"),
        ("tcp", "running"),
        ("tcp", "ok"),
    ]
    assert report["ok"] is True
    assert {one["name"] for one in steps} <= {one["name"] for one in report["steps"]}
    told = {one["name"]: one for one in steps}
    assert all(told[one["name"]] == one for one in report["steps"] if one["name"] in told)


def test_a_fault_of_ours_while_a_test_is_told_ends_it_without_a_report(house: House, guarded: Guarded) -> None:
    guarded.stops_at = "tcp"
    guarded.go_on = None  # type: ignore[assignment]
    answer = house.browser().post(
        "/mailboxes/new", data=FORM | {"do": "test"}, headers={"Accept": "application/x-ndjson"}
    )
    told = [json.loads(line) for line in answer.text.splitlines()]
    assert [(one["name"], one["state"]) for one in told] == [("dns", "running"), ("dns", "ok"), ("tcp", "running")]


def test_a_test_that_cannot_begin_is_told_as_every_problem(house: House) -> None:
    headers = {"Accept": "application/x-ndjson"}
    answer = house.browser().post("/mailboxes/new", data=FORM | {"host": "", "do": "test"}, headers=headers)
    assert (answer.status_code, problems(answer.text)) == (422, ["host"])


def test_the_list_shows_each_group_with_how_its_mailboxes_do(house: House) -> None:
    house.mailbox()
    house.mailbox("billing", group="Billing", email="billing@acme.example", whitelist_enabled=True)
    slot = house.app.schedule.get(house.acme, "support")
    assert slot is not None
    at = slot.created + timedelta(minutes=2)
    house.app.schedule.put(
        replace(slot, last_poll=at, failures=1, error_code="x", error_message="It is away.", error_fix="Wait.")
    )
    page = house.browser("agent").get("/mailboxes").text
    assert page.index("Billing") < page.index("Support")
    for words in (
        "Polling fails",
        "It is away. Wait.",
        "Not polled yet",
        "every mail is held",
        'href="/mailboxes/support"',
    ):
        assert words in page
    assert "Connect a mailbox" not in page


def test_agents_read_the_settings_and_change_nothing(house: House) -> None:
    house.mailbox()
    agent = house.browser("agent")
    page = agent.get("/mailboxes/support").text
    assert "imap.acme.example" in page
    assert "<form" not in page.partition("<main")[2]
    assert agent.get("/mailboxes/new").status_code == 403
    for path in ("new", "support", "support/poll", "support/enabled", "support/transcript", "support/delete"):
        assert agent.post(f"/mailboxes/{path}", data=FORM | {"confirm": "support"}).status_code == 403, path
    assert house.app.mailboxes.get(house.acme, "support") is not None


def test_agents_read_only_what_has_an_effect(house: House) -> None:
    house.mailbox(whitelist="a.example", outgoing={"host": "smtp.acme.example"}, move_to="Done")
    page = house.browser("agent").get("/mailboxes/support").text
    for nothing in ("a.example", "smtp.acme.example", "Done", "Client ID"):
        assert f"<bdi>{nothing}" not in page
        assert f"<dt>{nothing}" not in page
    house.mailbox(whitelist="a.example", whitelist_enabled=True)
    assert "<bdi>a.example" in house.browser("agent").get("/mailboxes/support").text


def test_another_tenants_mailbox_is_not_there(house: House) -> None:
    house.mailbox()
    stranger = house.browser(tenant="other")
    assert stranger.get("/mailboxes/support").status_code == 404
    for path in ("support", "support/poll", "support/enabled", "support/transcript", "support/delete"):
        assert stranger.post(f"/mailboxes/{path}", data=FORM | {"confirm": "support"}).status_code == 404, path
    assert "support" not in stranger.get("/mailboxes").text.partition("<main")[2]


@pytest.mark.parametrize("path", ["new", "support", "support/poll", "support/delete"])
def test_another_site_cannot_send_these_forms(house: House, path: str) -> None:
    house.mailbox()
    browser = house.browser()
    data = FORM | {"confirm": "support", "id": "evil"}
    answer = browser.post(f"/mailboxes/{path}", data=data, headers={"Sec-Fetch-Site": "cross-site"})
    assert answer.status_code == 403
    assert [one.id for one in house.app.mailboxes.all(house.acme)] == ["support"]


def test_polling_is_disabled_and_enabled_without_touching_anything_else(house: House) -> None:
    house.mailbox(folder="Kept")
    browser = house.browser()
    for on in ("", "1"):
        page = browser.get("/mailboxes/support").text
        answer = browser.post("/mailboxes/support/enabled", data={"on": on, "seen": seen(page)})
        assert answer.status_code == 303
        assert (saved(house).enabled, saved(house).folder) == (bool(on), "Kept")
    assert browser.post("/mailboxes/support/enabled", data={"on": "", "seen": '"old"'}).status_code == 412


def test_saving_the_form_does_not_enable_what_is_disabled(house: House) -> None:
    house.mailbox(enabled=False)
    browser = house.browser()
    page = browser.get("/mailboxes/support").text
    browser.post("/mailboxes/support", data=FORM | {"seen": seen(page)})
    assert not saved(house).enabled


def test_a_mailbox_is_deleted_only_when_its_id_is_typed(house: House) -> None:
    house.mailbox()
    browser = house.browser()
    tag = seen(browser.get("/mailboxes/support").text)
    assert browser.post("/mailboxes/support/delete", data={"confirm": "sup", "seen": tag}).status_code == 422
    assert browser.post("/mailboxes/support/delete", data={"confirm": "support", "seen": '"x"'}).status_code == 412
    assert house.app.mailboxes.get(house.acme, "support") is not None
    answer = browser.post("/mailboxes/support/delete", data={"confirm": "support", "seen": tag})
    assert answer.headers["location"] == "/mailboxes?did=deleted"
    assert house.app.mailboxes.get(house.acme, "support") is None


def test_a_transcript_is_begun_and_ended(house: House) -> None:
    house.mailbox()
    browser = house.browser()
    browser.post("/mailboxes/support/transcript", data={"on": "1"})
    assert "is written down until" in browser.get("/mailboxes/support").text
    browser.post("/mailboxes/support/transcript", data={})
    assert "Write down 30 minutes" in browser.get("/mailboxes/support").text


def test_signing_in_with_microsoft_saves_first_and_goes_on_by_a_link(house: House) -> None:
    """A form that ends on Microsoft's pages would be blocked by our own policy (form-action)."""
    app = {"server_type": "office365", "client_id": "1", "tenant_id": "2", "client_secret": "3", "do": "sign-in"}
    browser = house.browser()
    answer = browser.post("/mailboxes/new", data=FORM | app)
    assert answer.headers["location"] == "/mailboxes/support?did=sign-in"
    assert 'href="/oauth/start?mailbox=support" data-go' in browser.get(answer.headers["location"]).text


def test_the_preview_is_the_acknowledgement_filled_in(house: House) -> None:
    house.mailbox(group="Billing", acknowledge_subject="Got it [{number}]")
    page = house.browser().get("/mailboxes/support").text
    assert "Got it [INC-000123]" in page
    assert "Kind regards\nBilling" in page


def test_what_tenants_type_stays_text(house: House) -> None:
    hostile = '"><script>alert(1)</script>'
    house.mailbox(group=hostile, folder=hostile, acknowledge_text=hostile)
    for path in ("/mailboxes", "/mailboxes/support", "/mailboxes/new"):
        assert "<script>" not in house.browser().get(path).text


def test_a_mailbox_page_weighs_little(house: House) -> None:
    house.mailbox()
    browser = house.browser()
    names = ("style.css", "mailbox.css", "page.js", "keys.js", "probe.js", "mailbox.js", "icon.svg")
    files = sum(len(browser.get(static.address(name)).content) for name in names)
    assert len(browser.get("/mailboxes/support").content) + files < 100_000


def test_no_mailbox_takes_the_name_of_the_page_that_connects_one(house: House) -> None:
    by_page = house.browser().post("/mailboxes/new", data=FORM | {"id": "new"})
    assert by_page.status_code == 422
    assert problems(by_page.text) == ["id"]
    by_api = house.client().put("/api/mailboxes/new", json=SETTINGS | {"password": PASSWORD})
    assert by_api.status_code == 422
    assert by_api.json()["errors"][0]["field"] == "mailbox"
    assert house.app.mailboxes.all(house.acme) == ()


def test_a_page_that_could_not_answer_says_so_where_scripts_find_it(house: House) -> None:
    for _ in range(PROBES):
        house.web.state.house.limits.probes.take(house.acme)
    answer = house.browser().post("/mailboxes/new", data=FORM | {"do": "test"})
    assert (answer.status_code, answer.headers["retry-after"]) == (429, "6")
    assert 'data-part="fix">Try again in 6 seconds.' in answer.text


# ── sending ───────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_mailbox_whose_outgoing_server_refuses_it_says_why_and_what_to_do(house: House) -> None:
    house.mailbox(outgoing={"enabled": True, "host": "smtp.acme.example"})
    mailbox = flow.get(house.app, house.acme, "support")
    page = house.browser("agent").get("/mailboxes/support").text
    assert "sending-waits" not in page
    refused = LoginRefused("smtp.acme.example does not accept <this> password.", "Give it again.")
    logins.refused(house.app, mailbox, logins.Turn(), refused)
    page = house.browser("agent").get("/mailboxes/support").text
    standing = page[page.index('id="live"') : page.index("</section>", page.index('id="live"'))]
    assert "Answers are not sent: the outgoing server does not accept the log-in." in standing
    assert "smtp.acme.example does not accept &lt;this&gt; password." in standing
    assert "Give it again." in standing
    assert "what waits is sent by itself" in standing
    assert "Sending waits since" in standing
    assert "2026-11-16T12:05" in standing, "the next try"
    for _ in range(2):
        logins.refused(house.app, mailbox, logins.Turn(), refused)
    assert "when you have acted" in house.browser("agent").get("/mailboxes/support").text
    sending = house.client("agent").get("/api/mailboxes/support/status").json()["sending"]
    assert (sending["state"], sending["next_try"]) == ("waiting", None)
    assert sending["last_error"] == {"code": "login_refused", "message": refused.message, "fix": refused.fix}
