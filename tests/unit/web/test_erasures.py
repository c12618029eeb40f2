from __future__ import annotations

from shared.flows import forget
from tests.unit.web.house import ANNA, House


def test_without_a_confirmation_it_is_only_counted(house: House) -> None:
    house.mailbox()
    house.deliver("Printer", "It burns.", sender=ANNA)
    answer = house.client().post("/api/erasures", json={"address": ANNA.address})
    assert answer.status_code == 200
    found = answer.json()
    assert (found["state"], found["id"], found["counts"]["mails"], found["more"]) == ("preview", None, 1, False)
    assert house.app.desk.incident(house.acme, 1).reporter == ANNA  # type: ignore[union-attr]


def test_confirmed_it_is_erased_and_stands_in_the_list_without_the_address(house: House) -> None:
    house.mailbox()
    house.deliver("Printer", "It burns.", sender=ANNA)
    client = house.client()
    made = client.post("/api/erasures", json={"address": ANNA.address, "confirm": ANNA.address.upper()})
    assert (made.status_code, made.json()["state"]) == (201, "done")
    assert client.get(f"/api/erasures/{made.json()['id']}").json() == made.json()
    assert client.get("/api/erasures").json() == {"items": [made.json()], "next": None}
    assert ANNA.address not in client.get("/api/incidents/1").text + client.get("/api/mail").text + made.text


def test_another_address_as_confirmation_erases_nothing(house: House) -> None:
    answer = house.client().post("/api/erasures", json={"address": "a@b.example", "confirm": "b@b.example"})
    assert answer.status_code == 422
    assert [one["field"] for one in answer.json()["errors"]] == ["confirm"]
    assert forget.listed(house.app, house.acme) == ()


def test_what_is_no_address_is_refused_at_its_field(house: House) -> None:
    answer = house.client().post("/api/erasures", json={"address": "anna"})
    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, "address")


def test_the_page_counts_asks_for_the_address_and_shows_how_it_goes(house: House) -> None:
    house.mailbox()
    house.deliver("Printer", "It burns.", sender=ANNA)
    browser = house.browser("admin")
    head = {"sec-fetch-site": "same-origin"}
    assert "/tenant/erase" in browser.get("/tenant").text
    counted = browser.post("/tenant/erase", data={"address": ANNA.address}, headers=head).text
    assert "1 mail and 1 note" in counted
    assert "quotes this person" in counted
    refused = browser.post("/tenant/erase", data={"address": ANNA.address, "confirm": "x"}, headers=head)
    assert refused.status_code == 422
    assert 'aria-invalid="true"' in refused.text
    done = browser.post(
        "/tenant/erase", data={"address": ANNA.address, "confirm": ANNA.address}, headers=head, follow_redirects=True
    )
    assert "Done" in done.text
    assert ANNA.address not in done.text


def test_agents_and_other_sites_cannot_erase(house: House) -> None:
    body = {"address": "a@b.example", "confirm": "a@b.example"}
    assert house.client("agent").post("/api/erasures", json=body).status_code == 403
    browser = house.browser("admin")
    assert browser.post("/tenant/erase", data=body, headers={"sec-fetch-site": "cross-site"}).status_code == 403
    assert forget.listed(house.app, house.acme) == ()
