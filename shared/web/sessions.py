"""Sessions: signed cookies that name a key or a person, and hold nothing else. What they name is looked up at each
request, so a session ends at once when somebody signs out, its key is revoked, its person is removed, or its time is
over."""

from __future__ import annotations

import hashlib
import hmac
from datetime import UTC, datetime, timedelta
from functools import cached_property

from itsdangerous import BadData, URLSafeSerializer

from shared.errors import NotSignedIn
from shared.flows import person, tenants
from shared.flows.tenants import Caller
from shared.ports import App

SESSION_SECONDS = 12 * 60 * 60
"""A working day: nobody signs in twice in one, and a forgotten browser is signed out the next morning."""

ROLE_SECONDS = 60 * 60
"""Of people whom an app role let in: whether they still hold it only Microsoft knows, and says at the next sign-in. Its
own tokens last as long."""

CLOUD_SECONDS = 30 * 60
"""The cloud admin makes a tenant and goes: a forgotten browser must not stay the master of all desks."""

CLOUD = "cloud"
"""Under whom the cloud admin's sessions are kept. No tenant can be called so: tenant keys hold a dot."""


class _Tickets:
    """Cookies' values, and the rows without which they are worth nothing."""

    def __init__(self, app: App, purpose: str, seconds: int) -> None:
        self._app = app
        self._purpose = purpose
        self._seconds = seconds

    def begin(self, tenant: str, slug: str, key_id: str, seconds: int = 0) -> str:
        """A new one; ``seconds``: shorter than they are by themselves."""
        now = self._app.now().replace(microsecond=0)
        until, id = now + timedelta(seconds=seconds or self._seconds), self._app.random(16).hex()
        self._app.tenants.begin_session(tenant, key_id, id, until, now)
        return str(self._serializer.dumps([slug, key_id, id, int(until.timestamp())]))

    def read(self, token: str) -> tuple[str, str, str, datetime]:
        """Slug, key, session and end, which has not come. Raises ``NotSignedIn``."""
        try:
            slug, key_id, id, until = self._serializer.loads(token)
        except (BadData, ValueError, TypeError):
            raise over() from None
        end = datetime.fromtimestamp(until, UTC)
        if end < self._app.now():
            raise over()
        return slug, key_id, id, end

    @cached_property
    def _serializer(self) -> URLSafeSerializer:
        return URLSafeSerializer(
            self._app.secrets.app_key(self._purpose),
            salt=self._purpose,
            signer_kwargs={"key_derivation": "hmac", "digest_method": hashlib.sha256},
        )


class Sessions:
    """Of people who signed in with an API key or with Entra ID."""

    def __init__(self, app: App) -> None:
        self._app = app
        self._tickets = _Tickets(app, "session", SESSION_SECONDS)

    def issue(self, caller: Caller) -> str:
        """A cookie's value for this caller, good for ``SESSION_SECONDS``."""
        return self._tickets.begin(caller.tenant, caller.slug, caller.key_id)

    def issue_to(self, caller: Caller, by_role: bool) -> str:
        """The same for a person; ``by_role``: an app role let them in."""
        return self._tickets.begin(caller.tenant, caller.slug, caller.key_id, ROLE_SECONDS if by_role else 0)

    def caller(self, token: str) -> Caller:
        """Who the cookie belongs to; raises ``NotSignedIn`` when it is forged or over, or its key or person is gone."""
        slug, key_id, id, until = self._tickets.read(token)
        look_up = person.still_valid if person.PERSON_ID.fullmatch(key_id) else tenants.still_valid
        found = look_up(self._app, slug, key_id)
        if not self._app.tenants.has_session(found.tenant, key_id, id, until):
            raise over()
        return found

    def end(self, token: str) -> None:
        """Nobody can use this cookie any more, whoever kept a copy; nothing if it was not valid."""
        try:
            slug, key_id, id, until = self._tickets.read(token)
        except NotSignedIn:
            return
        if (tenant := self._app.tenants.get(slug)) is not None:
            self._app.tenants.end_session(tenant.key, key_id, id, until)


class CloudSessions:
    """Of the cloud admin: for the page only, not for the API. They end when the cloud admin's key is changed."""

    def __init__(self, app: App, admin_key: str) -> None:
        self._app = app
        self._admin_key = admin_key
        self._tickets = _Tickets(app, "cloud-session", CLOUD_SECONDS)

    def issue(self) -> str:
        """A cookie's value, good for ``CLOUD_SECONDS``."""
        return self._tickets.begin(CLOUD, CLOUD, self._fingerprint)

    def check(self, token: str) -> None:
        """Raises ``NotSignedIn``."""
        _, fingerprint, id, until = self._tickets.read(token)
        if fingerprint != self._fingerprint or not self._app.tenants.has_session(CLOUD, fingerprint, id, until):
            raise over()

    def end(self, token: str) -> None:
        """Nobody can use this cookie any more; nothing if it was not valid."""
        try:
            _, fingerprint, id, until = self._tickets.read(token)
        except NotSignedIn:
            return
        self._app.tenants.end_session(CLOUD, fingerprint, id, until)

    @cached_property
    def _fingerprint(self) -> str:
        # The app's own key goes in as well, so that nobody can try cloud admin's keys on a stored session.
        ours = self._app.secrets.app_key("cloud-session")
        return hmac.new(ours, self._admin_key.encode("utf-8", "surrogateescape"), "sha256").hexdigest()[:32]


def over() -> NotSignedIn:
    """What somebody is told whose session is over, or never was one."""
    return NotSignedIn("Your session has ended.", "Sign in again.")
