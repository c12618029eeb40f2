"""A tenant's data key is replaced: a new one, everything sealed anew, the old one destroyed; and the wrapping key's
new version takes over all data keys.

A process that still has the old key may seal something with it until it looks again. So the old key stays readable for
a while, and goes only after a look, later than that, that finds nothing sealed with it. Cut off anywhere, the timer
goes on: a rotation that has begun stands in storage.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial

from shared import log
from shared.errors import RowChanged, SecretLost, StoreError
from shared.flows import tenants
from shared.flows.webhooks import secret_place
from shared.model.mailbox import Mailbox
from shared.ports import App

SETTLE = timedelta(minutes=20)
"""From the new key to the end of the old one: a process looks at its keys again after 5 minutes at the latest, and a
function that has sealed something ends within 10 (host.json, functionTimeout)."""

MAX_KEYS = 2_000
"""Wrapped anew in one night: two requests to Key Vault each."""


def rotate(app: App, slug: str) -> int:
    """Begin, or go on; how many secrets were sealed anew. Raises ``NotFound``."""
    tenant = tenants.get(app, slug).key
    app.secrets.begin_rotation(tenant, app.now())
    done, _ = _reseal(app, tenant)
    log.event("key_rotated", tenant=tenant, state="begun", count=done)
    return done


def finish(app: App) -> int:
    """Go on with all rotations; how many came to their end. Raises ``StoreError`` at the end: what storage refuses of
    one tenant holds up no other."""
    ended, failed = 0, None
    for tenant, since in app.secrets.rotating():
        try:
            ended += _finish(app, tenant, since)
        except StoreError as error:
            failed = error
    if failed is not None:
        raise failed
    return ended


def _finish(app: App, tenant: str, since: datetime) -> bool:
    """Go on with one; whether it came to its end."""
    done, left = _reseal(app, tenant)
    # Of a look that still found something, the next one has to tell whether that was the last.
    if app.now() - since < SETTLE or done or left:
        return False
    app.secrets.end_rotation(tenant)
    log.event("key_rotated", tenant=tenant, state="done")
    return True


def rewrap(app: App) -> int:
    """Have data keys wrapped by the newest version of the wrapping key; how many were not."""
    count = app.secrets.rewrap(MAX_KEYS)
    if count:
        log.event("keys_rewrapped", count=count, more=count == MAX_KEYS)
    return count


def _reseal(app: App, tenant: str) -> tuple[int, int]:
    """Seal everything with the new key: how many were, and how many somebody else was changing at that moment."""
    anew = _Anew(app, tenant)
    for mailbox in app.mailboxes.all(tenant):
        anew.mailbox(mailbox)
        anew.sign_in(mailbox)
    anew.webhooks()
    anew.erasures()
    return anew.done, anew.left


class _Anew:
    """Everything of one tenant that is sealed, sealed with the newest key."""

    def __init__(self, app: App, tenant: str) -> None:
        self._app = app
        self._tenant = tenant
        self.done = 0
        self.left = 0

    def mailbox(self, mailbox: Mailbox) -> None:
        """Its passwords."""
        secrets = tuple((field, self._sealed(mailbox.id, field, text)) for field, text in mailbox.secrets)
        if secrets != mailbox.secrets:
            self._store(lambda: self._app.mailboxes.put(replace(mailbox, secrets=secrets)))

    def sign_in(self, mailbox: Mailbox) -> None:
        """The token cache of somebody who signed in for it."""
        sealed, version = self._app.sign_ins.cache(self._tenant, mailbox.id)
        again = self._sealed(mailbox.id, mailbox.settings.sign_in_field(), sealed) if sealed else ""
        if again != sealed:
            self._store(lambda: self._app.sign_ins.put_cache(self._tenant, mailbox.id, again, version))

    def webhooks(self) -> None:
        """What webhooks sign with."""
        before = after = self._app.webhooks.hooks(self._tenant)
        for hook in before.all:
            place = secret_place(hook.id)
            secret = self._sealed(place, "secret", hook.secret)
            old = self._sealed(place, "secret", hook.old_secret) if hook.old_secret else hook.old_secret
            after = after.put(replace(hook, secret=secret, old_secret=old))
        if after != before:
            self._store(lambda: self._app.webhooks.put(self._tenant, after))

    def erasures(self) -> None:
        """Addresses of those who are being erased."""
        for one in self._app.forgetting.all(self._tenant):
            again = self._sealed(one.id, "erasure", one.sealed) if one.sealed else ""
            if again != one.sealed:
                self._store(partial(self._app.forgetting.save, replace(one, sealed=again)))

    def _sealed(self, mailbox: str, field: str, text: str) -> str:
        """The same, sealed with the newest key; as it is where it is that already, or can be read by nobody."""
        secrets = self._app.secrets
        with suppress(SecretLost):
            if not secrets.is_current(self._tenant, mailbox, field, text):
                return secrets.seal(self._tenant, mailbox, field, secrets.open(self._tenant, mailbox, field, text))
        return text

    def _store(self, write: Callable[[], object]) -> None:
        try:
            write()
        except RowChanged:
            self.left += 1  # the next look finds how it is then
        else:
            self.done += 1
