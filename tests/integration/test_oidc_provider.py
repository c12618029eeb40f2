"""The sign-in's redirects against oidc-provider, which the OpenID Foundation certified and nobody here wrote.

What our own stand-in of Entra believes about codes, PKCE, nonces and rotated refresh tokens is what we believe; this
provider has its own opinion. Graph, behind it, opens mailboxes only for tokens that the provider signed.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from shared.flows import tenants
from tests.support.app import World
from tests.support.microsoft.server import Microsoft
from tests.support.oidc import Browser, Provider, missing
from tests.support.oidc.browser import altered, query
from tests.support.oidc.desk import (
    ACME,
    ACME_ID,
    ANNA,
    CALLBACK,
    EVE,
    GLOBEX,
    GLOBEX_ID,
    GUEST,
    OWN,
    Desk,
    assert_refused,
    come_back,
    connect,
    make_desk,
)
from tests.support.oidc.graph import trust

pytestmark = pytest.mark.xdist_group("oidc")  # one provider for all of them

NOT_BEGUN = "This sign-in was not begun here, or it was finished already."


@pytest.fixture(scope="module")
def microsoft(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Microsoft]:
    with Microsoft(tmp_path_factory.mktemp("graph")) as running:
        yield running


@pytest.fixture(scope="module")
def running(microsoft: Microsoft, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Provider]:
    if why := missing():
        pytest.skip(why)
    with Provider(tmp_path_factory.mktemp("oidc"), ACME, GLOBEX) as provider:
        trust(microsoft, provider, ACME, GLOBEX)
        yield provider


@pytest.fixture
def provider(running: Provider, microsoft: Microsoft) -> Iterator[Provider]:
    running.forget()
    yield running
    assert running.bugs() == []
    assert microsoft.violations == []


@pytest.fixture
def desk(world: World, provider: Provider, microsoft: Microsoft) -> Desk:
    return make_desk(world, provider, microsoft)


@pytest.fixture
def unchanged(desk: Desk) -> Iterator[None]:
    """The test must leave no token cache behind, and no row of a desk as it was not before."""
    before = _rows(desk)
    yield
    assert desk.sealed == ""
    assert _rows(desk) == before


def _rows(desk: Desk) -> dict[tuple[str, str, str], tuple[str, str]]:
    """All but those that signing in to the page writes: sessions, and when a key was used last."""
    return {key: row for key, row in desk.rows.items() if key[0] == "desk" and not key[2].startswith(("KS:", "KU:"))}


# ── signing in, and staying signed in ─────────────────────────────────────────────────────────────────────────────


def test_who_comes_back_is_signed_in_and_a_mail_becomes_an_incident(desk: Desk) -> None:
    desk.deliver("Printer on fire")
    answer = desk.sign_in()
    assert answer.status_code == 200
    assert OWN.username in answer.text
    assert desk.begun == 0
    assert desk.poll() == ["Printer on fire"]
    assert desk.provider.verdicts() == ["ok"]


def test_the_token_cache_is_stored_and_nobody_can_read_it_there(desk: Desk) -> None:
    assert desk.sign_in().status_code == 200
    stored = repr(desk.rows)
    assert desk.sealed in stored
    for readable in (desk.refresh_token, "RefreshToken", OWN.oid):
        assert readable not in stored


def test_the_provider_shows_whose_mailbox_it_is_and_asks_to_choose(desk: Desk) -> None:
    _, address = desk.start()
    asked = query(address)
    assert asked["prompt"] == "select_account"
    assert asked["login_hint"] == OWN.username
    assert asked["code_challenge_method"] == "S256"


def test_refresh_tokens_rotate_and_the_mailbox_goes_on_with_the_newest(desk: Desk) -> None:
    desk.sign_in()
    seen = {desk.refresh_token}
    assert desk.poll() == []
    for number in range(1, 4):
        desk.deliver(f"mail {number}")
        desk.microsoft.entra.revoke_tokens()
        assert len(desk.poll()) == number
        seen.add(desk.refresh_token)
    assert len(seen) == 4
    assert desk.provider.verdicts("refresh_token") == ["ok"] * 3


def test_an_access_token_that_is_about_to_end_is_renewed_before_graph_refuses_it(desk: Desk) -> None:
    connect(desk.house, email=EVE.username, tenant_id=GLOBEX_ID)
    desk.microsoft.graph.add_mailbox(EVE.username, GLOBEX_ID).owner = EVE.oid
    assert desk.sign_in(EVE).status_code == 200
    first = desk.refresh_token
    desk.poll()
    assert desk.refresh_token != first
    assert set(desk.provider.verdicts("refresh_token")) == {"ok"}


def test_a_refresh_token_that_was_used_is_refused_and_ends_the_sign_in_until_somebody_signs_in_again(
    desk: Desk,
) -> None:
    desk.sign_in()
    old = desk.refresh_token
    desk.poll()
    desk.microsoft.entra.revoke_tokens()
    desk.poll()
    assert desk.refresh_token != old
    stolen = desk.provider.token(ACME, grant_type="refresh_token", refresh_token=old)
    assert stolen["error"] == "invalid_grant"
    assert desk.provider.verdicts("refresh_token") == ["ok", "refresh token already used"]

    desk.microsoft.entra.revoke_tokens()
    desk.deliver("while signed out")
    assert desk.poll() == []
    error = desk.house.client().get("/api/mailboxes/support/status").json()["last_error"]
    assert error["code"] == "consent_needed"
    assert "sign in with Microsoft again" in error["fix"]

    assert desk.sign_in().status_code == 200
    assert desk.poll() == ["while signed out"]


# ── state: forged, replayed, somebody else's ──────────────────────────────────────────────────────────────────────


@pytest.mark.usefixtures("unchanged")
@pytest.mark.parametrize("state", ["forged", "", None, "é\u0000\u202e%00"], ids=["other", "empty", "none", "odd"])
def test_a_forged_state_is_refused_and_its_code_is_not_redeemed(desk: Desk, state: str | None) -> None:
    browser, address = desk.start()
    callback = desk.at_provider(address)
    assert_refused(come_back(browser, altered(callback, state=state)), 403, NOT_BEGUN)
    assert desk.provider.verdicts() == []


@pytest.mark.usefixtures("unchanged")
def test_a_callback_without_a_sign_in_that_was_begun_is_refused(desk: Desk) -> None:
    _, address = desk.start()
    callback = altered(desk.at_provider(altered(address, state="of-an-attacker")), state="of-an-attacker")
    assert_refused(come_back(desk.house.browser(), callback), 403, NOT_BEGUN)
    assert desk.provider.verdicts() == []


def test_a_callback_that_is_replayed_is_refused_and_the_sign_in_stays(desk: Desk) -> None:
    browser, address = desk.start()
    callback = desk.at_provider(address)
    assert come_back(browser, callback).status_code == 200
    kept = desk.sealed
    assert_refused(come_back(browser, callback), 403, NOT_BEGUN, "Begin it again")
    assert desk.sealed == kept
    # A provider ends the whole sign-in when a code is redeemed twice (RFC 6749 4.1.2): it must not hear of the second.
    assert desk.provider.verdicts("authorization_code") == ["ok"]
    desk.poll()
    desk.microsoft.entra.revoke_tokens()
    desk.deliver("still signed in")
    assert desk.poll() == ["still signed in"]
    assert desk.provider.verdicts("refresh_token") == ["ok"]


def test_of_callbacks_that_come_at_the_same_moment_one_is_taken(desk: Desk) -> None:
    _, address = desk.start()
    callback = desk.at_provider(address)
    browsers = [desk.house.browser() for _ in range(4)]
    with ThreadPoolExecutor(len(browsers)) as pool:
        answers = list(pool.map(lambda one: come_back(one, callback).status_code, browsers))
    assert sorted(answers) == [200, 403, 403, 403]
    assert desk.provider.verdicts("authorization_code") == ["ok"]


@pytest.mark.usefixtures("unchanged")
@pytest.mark.parametrize("who", [("admin", "other"), ("agent", "acme"), ("second admin", "acme")], ids=" of ".join)
def test_a_callback_in_another_persons_browser_is_refused(desk: Desk, who: tuple[str, str]) -> None:
    house = desk.house
    _, address = desk.start()
    callback = desk.at_provider(address)
    assert come_back(house.browser(*who), callback).status_code == 403
    assert house.app.sign_ins.cache(tenants.get(house.app, "other").key, "support") == ("", "")
    assert desk.provider.verdicts() == []


def test_another_tenant_whose_key_has_the_same_id_is_still_another_tenant(desk: Desk) -> None:
    house = desk.house
    _, slug, id, secret = house.keys["acme", "admin"].split("_", 3)
    key = house.app.tenants.key(tenants.get(house.app, slug).key, id)
    assert key is not None
    other = tenants.get(house.app, "other").key
    house.app.tenants.add_key(other, key)
    house.keys["other", "twin"] = f"inb_other_{id}_{secret}"
    _, address = desk.start()
    callback = desk.at_provider(address)
    assert_refused(come_back(house.browser("twin", "other"), callback), 403, NOT_BEGUN)
    assert desk.sealed == ""
    assert house.app.sign_ins.cache(other, "support") == ("", "")
    assert desk.provider.verdicts() == []


@pytest.mark.usefixtures("unchanged")
def test_an_attackers_own_callback_does_not_bind_the_attackers_account(desk: Desk) -> None:
    """Login CSRF: the victim, signed in at acme, is lured to a callback of a sign-in that other's admin began."""
    _, address = desk.start(desk.house.browser("admin", "other"))
    callback = desk.at_provider(address, ANNA)
    assert_refused(come_back(desk.house.browser(), callback), 403, NOT_BEGUN)
    assert desk.provider.verdicts() == []


# ── PKCE: codes of other sign-ins ─────────────────────────────────────────────────────────────────────────────────


@pytest.mark.usefixtures("unchanged")
def test_a_code_of_another_sign_in_fails_at_pkce(desk: Desk) -> None:
    """Code injection: a stolen code is brought home under a state of the thief's own."""
    _, victims = desk.start()
    thief, thiefs = desk.start()
    stolen = query(desk.at_provider(victims))["code"]
    answer = come_back(thief, altered(desk.at_provider(thiefs), code=stolen))
    assert_refused(answer, 422, "belongs to another")
    assert desk.provider.verdicts() == ["PKCE verification failed"]


@pytest.mark.usefixtures("unchanged")
def test_a_code_that_another_inbound_tenant_stole_fails_at_pkce(desk: Desk) -> None:
    """Both use the same app of the same Entra tenant: the client's secret is no help there."""
    house = desk.house
    other, address = desk.start(house.browser("admin", "other"))
    stolen = query(desk.at_provider(desk.start()[1]))["code"]
    answer = come_back(other, altered(desk.at_provider(address), code=stolen))
    assert_refused(answer, 422, "belongs to another")
    assert house.app.sign_ins.cache(tenants.get(house.app, "other").key, "support") == ("", "")
    assert desk.provider.verdicts() == ["PKCE verification failed"]


@pytest.mark.usefixtures("unchanged")
def test_two_sign_ins_whose_codes_were_swapped_both_fail(desk: Desk) -> None:
    (one, first), (two, second) = desk.start(), desk.start()
    back_one, back_two = desk.at_provider(first), desk.at_provider(second)
    for browser, mine, foreign in ((one, back_one, back_two), (two, back_two, back_one)):
        assert_refused(
            come_back(browser, altered(mine, code=query(foreign)["code"])),
            422,
            "took too long, was used already, or belongs to another",
        )
    assert desk.provider.verdicts() == ["PKCE verification failed"] * 2


@pytest.mark.usefixtures("unchanged")
def test_a_code_for_another_challenge_is_worth_nothing(desk: Desk) -> None:
    browser, address = desk.start()
    callback = desk.at_provider(altered(address, code_challenge=secrets.token_urlsafe(32)))
    assert_refused(come_back(browser, callback), 422, "belongs to another")
    assert desk.provider.verdicts() == ["PKCE verification failed"]


@pytest.mark.usefixtures("unchanged")
@pytest.mark.parametrize(
    "downgraded", [{"code_challenge": None, "code_challenge_method": None}, {"code_challenge_method": "plain"}]
)
def test_a_sign_in_robbed_of_its_pkce_is_refused_by_the_provider_and_ends(
    desk: Desk, downgraded: dict[str, str | None]
) -> None:
    browser, address = desk.start()
    callback = desk.at_provider(altered(address, **downgraded))
    assert query(callback)["error"] == "invalid_request"
    assert_refused(come_back(browser, callback), 409, "Microsoft did not sign you in", "Begin again")
    assert desk.begun == 0


# ── the ID token: nonce, issuer, tenant, person ───────────────────────────────────────────────────────────────────


@pytest.mark.usefixtures("unchanged")
@pytest.mark.parametrize("nonce", ["another-nonce-of-another-sign-in", None])
def test_an_id_token_for_another_nonce_is_refused_although_its_code_was_good(desk: Desk, nonce: str | None) -> None:
    browser, address = desk.start()
    callback = desk.at_provider(altered(address, nonce=nonce))
    assert_refused(come_back(browser, callback), 403, NOT_BEGUN)
    assert desk.provider.verdicts() == ["ok"]


@pytest.mark.usefixtures("unchanged")
def test_a_code_of_another_issuer_is_sent_nowhere(desk: Desk) -> None:
    """The mix-up attack (RFC 9207): globex' provider answers a sign-in that was begun at acme's."""
    browser, address = desk.start()
    callback = desk.at_provider(address.replace(ACME_ID, GLOBEX_ID), EVE)
    assert GLOBEX_ID in query(callback)["iss"]
    assert_refused(come_back(browser, callback), 403, NOT_BEGUN)
    assert desk.provider.verdicts() == []


@pytest.mark.usefixtures("unchanged")
def test_a_code_of_another_issuer_that_hides_its_name_is_unknown_to_ours(desk: Desk) -> None:
    browser, address = desk.start()
    callback = desk.at_provider(address.replace(ACME_ID, GLOBEX_ID), EVE)
    assert_refused(come_back(browser, altered(callback, iss=None)), 422, "belongs to another")
    assert desk.provider.verdicts() == ["authorization code not found"]


@pytest.mark.usefixtures("unchanged")
def test_an_account_of_another_entra_tenant_is_refused(desk: Desk) -> None:
    assert_refused(desk.sign_in(GUEST), 422, "belongs to another tenant", "whose Tenant ID is in the settings")
    assert desk.provider.verdicts() == ["ok"]


def test_an_account_that_cannot_open_the_mailbox_is_refused_and_the_sign_in_before_stays(desk: Desk) -> None:
    desk.sign_in()
    kept = desk.sealed
    assert_refused(desk.sign_in(ANNA), 422, f"You signed in as {ANNA.username}", OWN.username)
    assert desk.sealed == kept
    desk.deliver("still signed in")
    assert desk.poll() == ["still signed in"]


# ── no, in other ways ─────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.usefixtures("unchanged")
def test_whoever_declines_changes_nothing_and_the_sign_in_is_over(desk: Desk) -> None:
    browser, address = desk.start()
    with Browser(CALLBACK) as person:
        callback = person.cancel(address)
    assert query(callback)["error"] == "access_denied"
    assert_refused(come_back(browser, callback), 409, "The sign-in was cancelled. Nothing changed.")
    assert desk.begun == 0
    # Back and accept after all: the state was used up.
    assert_refused(come_back(browser, desk.at_provider(address)), 403, NOT_BEGUN)


@pytest.mark.usefixtures("unchanged")
def test_a_refusal_that_nobody_asked_for_ends_no_sign_in(desk: Desk) -> None:
    browser, address = desk.start()
    with Browser(CALLBACK) as person:
        callback = person.cancel(address)
    assert_refused(come_back(browser, altered(callback, state="forged")), 403, NOT_BEGUN)
    assert desk.begun == 1


@pytest.mark.usefixtures("unchanged")
def test_a_sign_in_begun_under_another_host_name_never_leaves_the_provider(desk: Desk) -> None:
    browser = desk.house.browser()
    answer = browser.get("/oauth/start?mailbox=support", headers={"Host": "evil.example"})
    with Browser(CALLBACK) as person:
        assert "redirect_uri" in person.refused(answer.headers["location"])
    assert desk.provider.refusals() == ["invalid_redirect_uri"]


def test_a_wrong_client_secret_is_named(desk: Desk) -> None:
    connect(desk.house, client_secret="mistyped~Value")
    browser, address = desk.start()
    answer = come_back(browser, desk.at_provider(address))
    assert_refused(answer, 422, "does not accept the app", "Client ID, Tenant ID and client secret")
    assert desk.sealed == ""
    assert desk.provider.verdicts() == ["invalid secret provided"]
