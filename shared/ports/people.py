"""Tenants, their keys and their people, and Microsoft's sign-in."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any, Protocol

from shared.model.mailbox import Mailbox
from shared.ports.mailservers import Finding, Watch


@dataclass(frozen=True, slots=True)
class Tenant:
    """Our customer. ``key`` is the partition: slug and a generation that never comes back after a deletion.

    ``disabled``: nobody of it gets in and none of its mailboxes is polled; everything is kept. ``retention_days``: how
    long it wants raw mail to be kept, 0 for ever; None leaves it to the service. ``entra_tenant_id``: whose people may
    be let in, empty for nobody's; ``app_roles_of``: the Entra tenant whose app roles count, which was proven to agree.
    ``version`` names this state of it.
    """

    slug: str
    key: str
    name: str
    created: datetime
    disabled: bool = False
    retention_days: int | None = None
    entra_tenant_id: str = ""
    app_roles_of: str = ""
    version: str = field(default="", compare=False)

    @property
    def has_app_roles(self) -> bool:
        """Whether app roles of its Entra tenant let people in."""
        return bool(self.entra_tenant_id) and self.app_roles_of == self.entra_tenant_id


@dataclass(frozen=True, slots=True)
class ApiKey:
    """A credential without its secret: ``digest`` is the SHA-256 (hex) of it. ``role``: admin or agent.

    ``used``: the last day (UTC) on which it was; known only from ``Tenants.keys``.
    """

    id: str
    role: str
    name: str
    digest: str
    created: datetime
    used: date | None = None


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody who signs in to a desk with Entra ID. ``role``: admin or agent.

    ``oid`` within ``tid`` names an account for ever; both are empty until somebody has signed in as ``address``, which
    a listed person was given as, and which may be another's some day. ``by_role``: not listed, let in by an app role.
    ``used``: the last day (UTC) on which they were here; known only from ``People.all``. ``version`` names this state.
    """

    id: str
    address: str
    name: str
    role: str
    added: datetime
    tid: str = ""
    oid: str = ""
    by_role: bool = False
    used: date | None = None
    version: str = field(default="", compare=False)


@dataclass(frozen=True, slots=True)
class Identity:
    """An account of Entra's that has just signed in, as Microsoft says. ``address`` and ``name`` are for reading, and
    to find a listed person the first time. ``roles``: app roles given to it in its own tenant. ``is_guest``: its
    address is of somewhere else."""

    tid: str
    oid: str
    address: str
    name: str = ""
    roles: frozenset[str] = frozenset()
    is_guest: bool = False


class People(Protocol):
    """Who may sign in to a desk with Entra ID. Sessions are kept by ``Tenants``, under a person's id."""

    def get(self, tenant: str, id: str) -> Person | None: ...

    def listed(self, tenant: str, address: str) -> Person | None:
        """Who is listed under this address (small letters)."""
        ...

    def known(self, tenant: str, tid: str, oid: str) -> Person | None:
        """Who of the desk this account is."""
        ...

    def all(self, tenant: str) -> tuple[Person, ...]:
        """In order of their addresses."""
        ...

    def add(self, tenant: str, person: Person) -> None:
        """Somebody new. Raises ``RowChanged``, also when the address is listed or the account is known."""
        ...

    def bind(self, tenant: str, person: Person, instead_of: Person | None) -> None:
        """A listed person has an account from now on. ``instead_of``: that same account when an app role had let it in;
        this one goes. Raises ``RowChanged``."""
        ...

    def put(self, tenant: str, person: Person) -> None:
        """Another name or role, if it is still as it was read. Raises ``RowChanged``."""
        ...

    def remove(self, tenant: str, person: Person) -> None:
        """Gone, and the sessions too. Raises ``RowChanged``."""
        ...


class Tenants(Protocol):
    """Tenants, their API keys, and the sessions that were begun with these."""

    def get(self, slug: str) -> Tenant | None: ...

    def put(self, slug: str, name: str, generation: str, now: datetime) -> tuple[Tenant, bool]:
        """Create or rename; whether it was created. ``generation`` serves only a new one."""
        ...

    def switch(self, slug: str, disabled: bool) -> None:
        """Disable it or enable it again. Raises ``RowChanged``, also when it is not there."""
        ...

    def configure(self, before: Tenant, after: Tenant) -> Tenant:
        """Its retention and who of Entra ID gets in, if it is still as it was read. Raises ``RowChanged``."""
        ...

    def of_entra(self, tid: str) -> tuple[Tenant, ...]:
        """Those that let people of this Entra tenant in, in order of their slugs; disabled ones too."""
        ...

    def mails_kept(self, tenant: str, since: datetime, before: datetime, most: int) -> int:
        """How many mails were kept from ``since`` to just before ``before``, counted up to ``most``."""
        ...

    def remove(self, tenant: Tenant, now: datetime) -> None:
        """It, its keys and its sessions are gone; that it was there, and until when, stays written down. Raises
        ``RowChanged``."""
        ...

    def all(self) -> Iterator[Tenant]:
        """In order of their slugs, disabled ones too."""
        ...

    def add_key(self, tenant: str, key: ApiKey, once: bool = False) -> None:
        """A new key. ``once``: a key of this id can never be made again, not even when it was revoked. Raises
        ``RowChanged``."""
        ...

    def key(self, tenant: str, id: str) -> ApiKey | None: ...

    def keys(self, tenant: str) -> tuple[ApiKey, ...]:
        """All of a tenant, the oldest first."""
        ...

    def revoke(self, tenant: str, id: str, besides: str) -> None:
        """Remove a key, and with it its sessions. ``besides``: a key that must still be there when that happens; empty:
        none. Raises ``RowChanged``."""
        ...

    def note_use(self, tenant: str, id: str, day: date) -> None:
        """The key was used on this day: written once, whoever says it how often."""
        ...

    def begin_session(self, tenant: str, key: str, session: str, until: datetime, now: datetime) -> None:
        """Keep a session that was begun with a key; those of the same key that are over go."""
        ...

    def has_session(self, tenant: str, key: str, session: str, until: datetime) -> bool:
        """Whether it was begun, and not ended since. ``until`` as it was when it was begun."""
        ...

    def end_session(self, tenant: str, key: str, session: str, until: datetime) -> None:
        """Nobody can use it any more; nothing if it was over."""
        ...


class SignIns(Protocol):
    """Sign-ins at Microsoft that were begun, each taken once; and the sealed token caches of those that succeeded."""

    def begin(self, state: str, sealed: str, until: datetime, now: datetime) -> None:
        """Keep what is needed to finish it."""
        ...

    def take(self, state: str, now: datetime) -> str | None:
        """What ``begin`` kept, gone for everybody else from now on; None when unknown, taken or too old."""
        ...

    def cache(self, tenant: str, mailbox: str) -> tuple[str, str]:
        """The sealed token cache and its version; two empty strings where nobody signed in."""
        ...

    def put_cache(self, tenant: str, mailbox: str, sealed: str, version: str) -> str:
        """Replace it if it is still at ``version``; the new version. Raises ``RowChanged``."""
        ...

    def forget_cache(self, tenant: str, mailbox: str) -> None: ...


class Microsoft(Protocol):
    """Microsoft's sign-in page, for the app that a mailbox names. Raises ``SettingsError``, ``ServerError``."""

    def begin_sign_in(self, mailbox: Mailbox, redirect_uri: str) -> Mapping[str, Any]:
        """What is needed to finish it; ``auth_uri`` is where the browser goes, ``state`` comes back with it."""
        ...

    def finish_sign_in(self, mailbox: Mailbox, flow: Mapping[str, Any], params: Mapping[str, str]) -> tuple[str, str]:
        """Who signed in (for people to read), and the token cache. Raises ``NotAllowed`` for a forged callback."""
        ...

    def credential_end(self, mailbox: Mailbox, watch: Watch) -> Finding:
        """When the app's client secret or certificate ends, where that can be read. Never says that it failed."""
        ...


class Entra(Protocol):
    """Microsoft's sign-in for the page itself, by the app that the cloud admin registered. Raises ``SettingsError``
    and ``ServerError``."""

    def begin(self, redirect_uri: str, state: str) -> Mapping[str, Any]:
        """What is needed to finish it; ``auth_uri`` is where the browser goes, ``state`` comes back with it."""
        ...

    def finish(self, flow: Mapping[str, Any], params: Mapping[str, str]) -> Identity:
        """Who signed in. Raises ``NotAllowed`` for a callback that does not belong to ``flow``, and for an identity
        that is old, for another app or of another issuer."""
        ...
