"""The desk's page of its keys, and the cloud admin's pages."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

import pytest
from starlette.testclient import TestClient

from shared.errors import SecretLost
from shared.flows import tenants
from tests.unit.web.house import ADMIN_KEY, House

HOSTILE = '"><img src=x onerror=alert(1)><script>alert(2)</script>'


@pytest.fixture
def cloud(house: House) -> TestClient:
    client = TestClient(
        house.web, base_url="http://inbound.test", headers={"Sec-Fetch-Site": "same-origin"}, follow_redirects=False
    )
    assert client.post("/cloud/sign-in", data={"key": ADMIN_KEY}).headers["location"] == "/cloud"
    return client


def _wish(page: str) -> str:
    (found,) = re.findall(r'name="wish" value="([0-9a-f]{32})"', page)
    return str(found)


def _shown_key(page: str) -> str:
    (found,) = re.findall(r'value="(inb_[^"]+)"', page)
    return str(found)


def _works(house: House, key: str) -> bool:
    answer = TestClient(house.web, headers={"Authorization": f"Bearer {key}"}).get("/api/me")
    return bool(answer.status_code == 200)


def test_the_page_says_who_is_signed_in_and_lists_the_keys(house: House) -> None:
    page = house.browser("admin").get("/tenant").text
    assert "Acme" in page
    assert "an admin" in page
    assert "admin&#39;s laptop" in page
    assert "agent&#39;s laptop" in page
    assert page.count("signed in with it") == 1
    assert not any(text.split("_", 3)[3] in page for text in house.keys.values())


def test_agents_have_no_such_page_and_no_link_to_it(house: House) -> None:
    browser = house.browser("agent")
    assert browser.get("/tenant").status_code == 403
    assert 'href="/tenant"' not in browser.get("/").text
    assert 'href="/tenant"' in house.browser("admin").get("/").text
    assert browser.post("/tenant/keys", data={"role": "admin", "name": "x"}).status_code == 403


def test_a_new_key_is_shown_once_and_reloading_makes_no_second_one(house: House) -> None:
    browser = house.browser("admin")
    form = {"role": "agent", "name": "Ann", "wish": _wish(browser.get("/tenant").text)}
    first, reloaded = (_shown_key(browser.post("/tenant/keys", data=form).text) for _ in range(2))
    assert first == reloaded
    assert _works(house, first)
    page = browser.get("/tenant").text
    assert first not in page
    assert page.count("Ann") >= 1
    assert len(house.app.tenants.keys(house.acme)) == 3


@pytest.mark.parametrize("form", [{"name": "", "role": "agent"}, {"name": "a\nb", "role": "agent"}, {"name": "Ann"}])
def test_a_form_that_is_not_right_comes_back_as_it_was_with_what_is_wrong(house: House, form: dict[str, str]) -> None:
    browser = house.browser("admin")
    answer = browser.post("/tenant/keys", data=form)
    assert answer.status_code == 422
    assert 'role="alert"' in answer.text
    assert f'value="{form["name"]}"' in answer.text
    assert len(house.app.tenants.keys(house.acme)) == 2


def test_a_key_is_revoked_on_the_page(house: House) -> None:
    browser = house.browser("admin")
    id = house.keys["acme", "agent"].split("_")[2]
    answer = browser.post(f"/tenant/keys/{id}/revoke")
    assert answer.headers["location"] == "/tenant?done=revoked"
    assert "The key was revoked" in browser.get(answer.headers["location"]).text
    assert not _works(house, house.keys["acme", "agent"])


def test_the_last_admin_key_has_no_such_button_and_stays(house: House) -> None:
    browser = house.browser("admin")
    id = house.keys["acme", "admin"].split("_")[2]
    assert f"/tenant/keys/{id}/revoke" not in browser.get("/tenant").text
    assert browser.post(f"/tenant/keys/{id}/revoke").status_code == 409
    assert _works(house, house.keys["acme", "admin"])


def test_whoever_revokes_his_own_key_is_signed_out(house: House) -> None:
    browser = house.browser("admin")
    tenants.make_key(house.app, "acme", "admin", "Spare")
    assert "will have to sign in with another one" in browser.get("/tenant").text
    id = house.keys["acme", "admin"].split("_")[2]
    browser.post(f"/tenant/keys/{id}/revoke")
    assert browser.get("/tenant").headers["location"] == "/sign-in?next=%2Ftenant"


def test_names_are_shown_as_text(house: House, cloud: TestClient) -> None:
    tenants.put(house.app, "acme", HOSTILE[:100])
    tenants.make_key(house.app, "acme", "agent", HOSTILE[:100])
    browser = house.browser("admin")
    pages = [browser.get("/tenant"), cloud.get("/cloud"), cloud.get("/cloud/tenants/acme")]
    form = {"role": "agent", "name": HOSTILE[:100]}
    pages += [browser.post("/tenant/keys", data=form), browser.post("/tenant/keys", data=form | {"role": HOSTILE})]
    pages += [cloud.post("/cloud/tenants", data={"tenant": HOSTILE, "name": HOSTILE})]
    for page in pages:
        assert "<img src=x" not in page.text
        assert "<script>alert" not in page.text


def test_the_cloud_admin_sees_how_every_desk_does(house: House, cloud: TestClient) -> None:
    house.mailbox()
    house.mailbox("billing", enabled=False)
    page = re.sub(r"\s+", " ", cloud.get("/cloud").text)
    assert '2<span class="unit"> mailboxes' in page
    assert house.cloud_admin().get("/api/tenants").json()["items"][0]["mailboxes"] == {"total": 2, "failing": 0}


def test_a_mailbox_that_fails_is_counted(house: House, cloud: TestClient) -> None:
    house.mailbox()
    slot = house.app.schedule.get(house.acme, "support")
    assert slot is not None
    house.app.schedule.put(replace(slot, failures=3))
    listed = house.cloud_admin().get("/api/tenants").json()["items"][0]
    assert listed["mailboxes"] == {"total": 1, "failing": 1}
    assert "1 failing" in cloud.get("/cloud/tenants/acme").text


def test_the_list_of_tenants_has_pages(house: House, cloud: TestClient) -> None:
    for count in range(30):
        tenants.put(house.app, f"t{count:02}", f"Tenant {count}")
    first = cloud.get("/cloud").text
    (next_,) = re.findall(r'href="(/cloud\?after=[^"]+)"', first)
    seen = re.findall(r'href="/cloud/tenants/([^"]+)"', first + cloud.get(next_).text)
    assert seen == sorted(["acme", "other", *(f"t{count:02}" for count in range(30))])
    listed, after = [], ""
    while after is not None:
        page = house.cloud_admin().get("/api/tenants", params={"after": after, "limit": 7}).json()
        listed += [one["tenant"] for one in page["items"]]
        after = page["next"]
    assert listed == seen


def test_a_tenant_is_made_with_its_first_admin_key(house: House, cloud: TestClient) -> None:
    form = {"tenant": "globex", "name": "Globex", "wish": _wish(cloud.get("/cloud").text)}
    first, reloaded = (_shown_key(cloud.post("/cloud/tenants", data=form).text) for _ in range(2))
    assert first == reloaded
    me = TestClient(house.web, headers={"Authorization": f"Bearer {first}"}).get("/api/me").json()
    assert (me["tenant"], me["role"], me["name"]) == ("globex", "admin", "Globex")


@pytest.mark.parametrize(
    ("tenant", "name"), [("acme", "Another Acme"), ("A b", "x"), ("", "x"), ("globex", ""), ("globex", "a\x00b")]
)
def test_a_tenant_that_cannot_be_is_not_made(house: House, cloud: TestClient, tenant: str, name: str) -> None:
    answer = cloud.post("/cloud/tenants", data={"tenant": tenant, "name": name, "wish": "0" * 32})
    assert answer.status_code == 422
    assert 'role="alert"' in answer.text
    assert [(one.slug, one.name) for one in house.app.tenants.all()] == [("acme", "Acme"), ("other", "Other")]
    assert len(house.app.tenants.keys(house.acme)) == 2


def test_the_cloud_admin_makes_and_revokes_keys_also_the_last_one(house: House, cloud: TestClient) -> None:
    id = house.keys["acme", "admin"].split("_")[2]
    assert cloud.post(f"/cloud/tenants/acme/keys/{id}/revoke").status_code == 303
    assert not _works(house, house.keys["acme", "admin"])
    made = cloud.post("/cloud/tenants/acme/keys", data={"role": "admin", "name": "New", "wish": "1" * 32})
    assert _works(house, _shown_key(made.text))


def test_disabling_stops_polling_and_enabling_polls_again(house: House, cloud: TestClient) -> None:
    house.mailbox()
    cloud.post("/cloud/tenants/acme/switch", data={"disabled": "true"})
    slot = house.app.schedule.get(house.acme, "support")
    assert slot is not None
    assert not slot.enabled
    assert "Disabled" in cloud.get("/cloud").text
    cloud.post("/cloud/tenants/acme/switch", data={"disabled": "false"})
    slot = house.app.schedule.get(house.acme, "support")
    assert slot is not None
    assert slot.enabled


def test_deleting_takes_the_name_typed(house: House, cloud: TestClient) -> None:
    house.mailbox()
    for confirm in ("", "Acme", "other"):
        answer = cloud.post("/cloud/tenants/acme/delete", data={"confirm": confirm})
        assert answer.status_code == 422
        assert "Type the tenant&#39;s name, acme, to confirm." in answer.text
    assert house.cloud_admin().delete("/api/tenants/acme").status_code == 422
    assert _works(house, house.keys["acme", "admin"])


def test_deleting_destroys_keys_mailboxes_passwords_and_the_data_key(house: House, cloud: TestClient) -> None:
    house.mailbox()
    acme = house.acme
    (sealed,) = [value for _, value in house.app.mailboxes.all(acme)[0].secrets]
    answer = cloud.post("/cloud/tenants/acme/delete", data={"confirm": " acme "})
    assert answer.headers["location"] == "/cloud?deleted=acme"
    assert "was deleted" in cloud.get(answer.headers["location"]).text
    assert not _works(house, house.keys["acme", "admin"])
    assert house.app.mailboxes.all(acme) == ()
    assert house.app.schedule.get(acme, "support") is None
    assert [one.slug for one in house.app.tenants.all()] == ["other"]
    with pytest.raises(SecretLost):
        house.app.secrets.open(acme, "support", "password", sealed)
    rows: Any = house.world.tables
    assert not [key for key in rows.rows if key[1] == acme and key[2][0] == "K"]
    assert _works(house, house.keys["other", "admin"])


def test_pages_of_a_tenant_that_is_not_there(house: House, cloud: TestClient) -> None:
    assert cloud.get("/cloud/tenants/nobody").status_code == 404
    for path in ("keys", "keys/0123456789ab/revoke", "delete"):
        form = {"role": "agent", "name": "x", "confirm": "nobody"}
        assert cloud.post(f"/cloud/tenants/nobody/{path}", data=form).status_code == 404
    assert cloud.post("/cloud/tenants/nobody/switch", data={"disabled": "true"}).status_code == 404


def test_the_pages_are_small_and_ask_nobody_else(house: House, cloud: TestClient) -> None:
    browser = house.browser("admin")
    for page in (browser.get("/tenant"), cloud.get("/cloud"), cloud.get("/cloud/tenants/acme")):
        assert len(page.content) < 100_000
        assert "http" not in page.text
        assert "style=" not in page.text
        assert page.headers["cache-control"] == "no-store"
