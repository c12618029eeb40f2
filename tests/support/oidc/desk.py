"""A desk whose mailbox is signed in for at the provider, and what its tests do over and over."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from httpx import Response

from shared.bootstrap import utc_now
from shared.flows import mailboxes, tenants
from shared.servers.address_guard import AddressGuard
from shared.servers.cloud import Cloud
from shared.servers.dial import Dialer
from shared.servers.doors import Doors
from shared.servers.imap_client import hang_up
from shared.servers.token import Tokens
from shared.servers.warm import WarmClients
from tests.support.app import World
from tests.support.mails import mail
from tests.support.memory import MemoryTables
from tests.support.microsoft.exchange import Mailbox
from tests.support.microsoft.server import Microsoft
from tests.support.oidc.browser import Browser, query
from tests.support.oidc.provider import Account, Client, Provider
from tests.unit.web.house import House, make_house

if TYPE_CHECKING:
    from starlette.testclient import TestClient

CALLBACK = "http://inbound.test/oauth/callback"
ACME_ID, GLOBEX_ID = "aaaaaaaa-1111-4111-8111-111111111111", "bbbbbbbb-1111-4111-8111-111111111111"
OWN = Account("support@acme.example", "aaaaaaaa-3333-4333-8333-000000000001", ACME_ID)
ANNA = Account("anna@acme.example", "aaaaaaaa-3333-4333-8333-000000000002", ACME_ID)
GUEST = Account("guest@acme.example", "bbbbbbbb-3333-4333-8333-000000000003", GLOBEX_ID)
EVE = Account("eve@globex.example", "bbbbbbbb-3333-4333-8333-000000000004", GLOBEX_ID)
SECRET = "s3cr3t~Value.of-the-app"
ACME = Client(ACME_ID, "aaaaaaaa-2222-4222-8222-222222222222", SECRET, CALLBACK, [OWN, ANNA, GUEST])
# The same client id and secret, so that only the tenant tells them apart: an app that serves several tenants. Its
# access tokens end within the five minutes in which MSAL does not trust them any more.
GLOBEX = Client(GLOBEX_ID, ACME.client_id, SECRET, CALLBACK, [EVE], access_token_seconds=60)


@dataclass
class Desk:
    """The desk of acme, with the mailbox support@acme.example that nobody signed in for yet."""

    house: House
    provider: Provider
    microsoft: Microsoft
    box: Mailbox

    def start(self, who: TestClient | None = None) -> tuple[TestClient, str]:
        """An admin begins: the admin's browser, and where it is sent."""
        browser = who or self.house.browser()
        answer = browser.get("/oauth/start?mailbox=support")
        assert answer.status_code == 303, answer.text
        return browser, answer.headers["location"]

    def at_provider(self, address: str, account: Account = OWN) -> str:
        """Sign in there, in a browser without a past: the callback."""
        with Browser(CALLBACK) as browser:
            return browser.sign_in(address, account.username)

    def sign_in(self, account: Account = OWN) -> Response:
        """From the beginning to the end."""
        browser, address = self.start()
        return come_back(browser, self.at_provider(address, account))

    def poll(self) -> list[str]:
        """Poll and convert: the subjects of all incidents afterwards."""
        self.house.world.poll(self.house.acme)
        self.house.world.convert_all()
        return [incident.subject for incident in self.house.world.incidents(self.house.acme)]

    def deliver(self, subject: str) -> None:
        """A mail arrives in Exchange."""
        self.box.deliver(mail(subject=subject, message_id=f"<{subject.replace(' ', '.')}@example.com>"), utc_now())

    @property
    def sealed(self) -> str:
        """The stored token cache as it lies in the table."""
        return self.house.app.sign_ins.cache(self.house.acme, "support")[0]

    @property
    def refresh_token(self) -> str:
        """The one in the stored token cache."""
        mailbox = mailboxes.get(self.house.app, self.house.acme, "support")
        field = mailbox.settings.sign_in_field()
        cache = json.loads(self.house.app.secrets.open(self.house.acme, "support", field, self.sealed))
        (kept,) = cache["RefreshToken"].values()
        return str(kept["secret"])

    @property
    def begun(self) -> int:
        """Sign-ins that were begun and not finished."""
        return sum(key[:2] == ("tenants", "sign-in") for key in self.rows)

    @property
    def rows(self) -> dict[tuple[str, str, str], tuple[str, str]]:
        """All that is stored."""
        tables = self.house.world.tables
        assert isinstance(tables, MemoryTables)
        return dict(tables.rows)


def come_back(browser: TestClient, callback: str) -> Response:
    """The provider's site sends the browser home."""
    answer: Response = browser.get(callback, headers={"Sec-Fetch-Site": "cross-site"})
    return answer


def connect(house: House, slug: str = "acme", **changes: Any) -> None:
    """Save the settings of the mailbox "support" in that Inbound tenant."""
    settings = {
        "group": "Support",
        "server_type": "office365",
        "email": OWN.username,
        "tenant_id": ACME_ID,
        "client_id": ACME.client_id,
        "client_secret": SECRET,
    }
    answer = house.client("admin", slug).put("/api/mailboxes/support", json=settings | changes)
    assert answer.status_code in (200, 201), answer.text


def make_desk(world: World, provider: Provider, microsoft: Microsoft) -> Desk:
    """The app wired as bootstrap does, with storage in memory: the sign-in at ``provider``, Graph at ``microsoft``."""
    cloud = Cloud.custom(provider.url, microsoft.graph_url)
    dialer = Dialer(AddressGuard(()), "")
    app, warm = world.app, WarmClients(hang_up)
    doors = Doors(app.secrets, app.sign_ins, dialer, cloud, Tokens(utc_now), warm, utc_now)
    world.app = replace(app, microsoft=doors, open=doors.open)
    world.clock.now = utc_now()
    house = make_house(world)
    house.keys["acme", "second admin"] = tenants.make_key(world.app, "acme", "admin", "second")[1]
    for slug in ("acme", "other"):
        connect(house, slug)
    box = microsoft.graph.add_mailbox(OWN.username, ACME_ID)
    box.owner = OWN.oid
    return Desk(house, provider, microsoft, box)


def assert_refused(answer: Response, status: int, *words: str) -> None:
    """Refused, on a page that says why in words and shows nothing of the callback."""
    assert answer.status_code == status, answer.text
    for word in words:
        assert word in answer.text
    assert "Traceback" not in answer.text
    assert query(str(answer.request.url)).get("code", "no code") not in answer.text
