"""A mailbox: what a tenant configured so that mail of one address becomes incidents of one group."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints, model_validator
from pydantic_core import PydanticCustomError

from shared.mail.address import parse_address
from shared.mail.sender.authserv import known_ids
from shared.mail.writing.template import check_subject, check_template
from shared.model import whitelist

MAX_POLLING_MINUTES = 24 * 60
MAX_DAYS_TO_DOWNLOAD = 3650
MAX_REOPEN_DAYS = 3650
MAX_INCIDENTS_PER_HOUR = 5000
"""New incidents of one sender: more than any desk can read, and far more than any person or monitoring writes."""

MAX_WHITELIST = 30_000
"""UTF-16 units: below what one property of Azure Tables holds."""

DEFAULT_PORTS = {
    "imap": {"ssl": 993, "starttls": 143, "none": 143},
    "pop3": {"ssl": 995, "starttls": 110, "none": 110},
}
"""RFC 8314 (implicit TLS), RFC 9051 and RFC 1939 (the others)."""

OUTGOING_PORTS = {"ssl": 465, "starttls": 587, "none": 587}

EXCHANGE_ONLINE_HOST = "outlook.office365.com"

OAUTH_HOSTS = (
    EXCHANGE_ONLINE_HOST,
    "outlook.office365.us",
    "outlook-dod.office365.us",
    "partner.outlook.cn",
)
"""IMAP and POP3 of Exchange Online, in each of Microsoft's clouds. A token opens more than one mailbox, so it goes
nowhere else, whatever host a mailbox names."""

_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_HOST = re.compile(r"^(?=.{1,253}$)[A-Za-z0-9_]([A-Za-z0-9_-]{0,62})(\.[A-Za-z0-9_-]{1,63})*\.?$|^[0-9A-Fa-f:]{2,45}$")

MAILBOX_ID = re.compile(r"^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$")
"""Ids appear in addresses, row keys and function names: the letters that all of these allow."""

RESERVED_ID = "new"
"""The page that connects a mailbox has this name: a mailbox of it would have no page of its own."""


def _no_control(text: str) -> str:
    # imaplib sends line breaks to the wire, where they become commands: refused at the edge.
    if _CONTROL.search(text):
        raise PydanticCustomError("control", "It contains a line break or another control character. Paste it again.")
    return text


def _fits_a_property(text: str) -> str:
    if len(text.encode("utf-16-le", "surrogatepass")) // 2 > MAX_WHITELIST:
        raise PydanticCustomError("whitelist", f"It is too long: {MAX_WHITELIST} characters are possible.")
    return text


def _host(text: str) -> str:
    if text and not _HOST.match(text):
        raise PydanticCustomError(
            "host", "Give the server's name only, such as imap.example.com: no https://, no path, no port."
        )
    return text.lower()


def _address(text: str) -> str:
    if not text:
        return text
    if (parsed := parse_address(text)) is None:
        raise PydanticCustomError("email", "This is not an e-mail address. It looks like support@example.com.")
    return parsed.address


Line = Annotated[str, StringConstraints(max_length=200), AfterValidator(_no_control)]
Host = Annotated[str, StringConstraints(max_length=253), AfterValidator(_host)]
EmailAddress = Annotated[str, StringConstraints(max_length=254), AfterValidator(_no_control), AfterValidator(_address)]
Security = Literal["ssl", "starttls", "none"]


class Outgoing(BaseModel):
    """Where answers leave: an SMTP server, or Microsoft Graph for Office 365, which needs nothing but ``enabled``.

    Without a user name of its own it logs in as the mailbox does.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", str_strip_whitespace=True)

    enabled: bool = False
    host: Host = ""
    port: int | None = Field(default=None, ge=1, le=65535)
    security: Literal["ssl", "starttls", "none"] = "starttls"
    username: Line = ""
    from_name: Line = ""

    @property
    def effective_port(self) -> int:
        """The port, or the usual one for the chosen security: RFC 8314 (465), RFC 6409 (587)."""
        return self.port if self.port is not None else OUTGOING_PORTS[self.security]


class Settings(BaseModel):
    """A mailbox's settings as the API takes them, without secrets.

    ``authserv_id``: the name under which the mailbox's provider says whether a sender is real (RFC 8601); several are
    separated by commas; empty: the provider's usual one. ``unverified_senders``: what becomes of mail whose sender
    nobody checked, where that matters. ``agents``: addresses of the people who work on this group's incidents.
    ``closed_reply``: an answer to a closed incident reopens it (for ``reopen_days``, then it opens a new one), always
    opens a new one, or is kept there without opening it. ``old_mail``: what becomes of mail from before the
    connection. ``max_incidents_per_hour``: of one sender; the rest is held. ``acknowledge``: the sender of a new
    incident is told its number, by a template (empty: ours). ``notify_agents``: they are told of what comes in, and
    may answer by mail.

    Raises pydantic's ``ValidationError`` naming each field.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", str_strip_whitespace=True)

    group: Annotated[Line, StringConstraints(min_length=1, max_length=100)]
    server_type: Literal["imap", "pop3", "office365"] = "imap"
    host: Host = ""
    port: int | None = Field(default=None, ge=1, le=65535)
    security: Security = "ssl"
    username: Line = ""
    auth: Literal["password", "oauth2"] = "password"
    email: EmailAddress = ""
    client_id: Line = ""
    tenant_id: Line = ""
    polling_minutes: int = Field(default=2, ge=1, le=MAX_POLLING_MINUTES)
    days_to_download: int = Field(default=180, ge=0, le=MAX_DAYS_TO_DOWNLOAD)
    folder: Annotated[Line, StringConstraints(min_length=1)] = "INBOX"
    after_import: Literal["leave", "mark_read", "move", "delete"] = "leave"
    move_to: Line = ""
    delete_after_days: int = Field(default=7, ge=0, le=365)
    whitelist_enabled: bool = False
    whitelist: Annotated[str, AfterValidator(_fits_a_property)] = ""
    unverified_senders: Literal["accept", "hold"] = "accept"
    authserv_id: Line = ""
    agents: Annotated[str, AfterValidator(_fits_a_property)] = ""
    closed_reply: Literal["reopen", "new", "keep"] = "reopen"
    reopen_days: int = Field(default=14, ge=0, le=MAX_REOPEN_DAYS)
    old_mail: Literal["open", "closed", "skip"] = "open"
    max_incidents_per_hour: int = Field(default=MAX_INCIDENTS_PER_HOUR, ge=1, le=MAX_INCIDENTS_PER_HOUR)
    outgoing: Outgoing = Outgoing()
    acknowledge: bool = False
    acknowledge_subject: Annotated[Line, StringConstraints(max_length=150)] = ""
    acknowledge_text: Annotated[str, StringConstraints(max_length=4000)] = ""
    notify_agents: bool = False
    enabled: bool = True

    @model_validator(mode="after")
    def _can_acknowledge(self) -> Self:
        for name in ("acknowledge", "notify_agents"):
            if getattr(self, name) and not self.outgoing.enabled:
                raise _field_error(name, "This needs an outgoing server: set it up and enable it.")
        if self.acknowledge_subject and (wrong := check_subject(self.acknowledge_subject)):
            raise _field_error("acknowledge_subject", " ".join(wrong))
        if self.acknowledge_text and (wrong := check_template(self.acknowledge_text)):
            raise _field_error("acknowledge_text", " ".join(wrong))
        return self

    @model_validator(mode="after")
    def _is_complete(self) -> Self:
        for field, words in self._needed().items():
            if not getattr(self, field):
                raise _field_error(field, words)
        return self

    def _needed(self) -> dict[str, str]:
        """The fields that this kind of mailbox cannot do without, and what to say when one is empty."""
        needed: dict[str, str] = {}
        if self.server_type == "office365":
            needed["email"] = "Give the mailbox's address, such as support@example.com."
        else:
            needed["host"] = f"Give the server's name, such as {self.server_type}.example.com."
            needed["username"] = "Give the user name; often it is the whole e-mail address."
        if self.uses_sign_in:
            needed["client_id"] = "Give the Application (client) ID from Entra > App registrations > the app."
            needed["tenant_id"] = "Give the Directory (tenant) ID from Entra > Overview."
        return needed

    @model_validator(mode="after")
    def _outgoing_has_a_server(self) -> Self:
        if self.outgoing.enabled and not self.outgoing.host and self.server_type != "office365":
            raise _field_error("outgoing.host", "Give the outgoing server's name, such as smtp.example.com.")
        if self.outgoing.enabled and not self.email:
            raise _field_error("email", "Give the mailbox's address: answers are sent from it.")
        return self

    @model_validator(mode="after")
    def _tokens_go_to_microsoft_only(self) -> Self:
        if self.server_type != "office365" and self.auth == "oauth2":
            if self.host.rstrip(".") not in OAUTH_HOSTS:
                raise _field_error("host", f"OAuth 2.0 works with Exchange Online only: {OAUTH_HOSTS[0]}.")
            if self.security == "none":
                raise _field_error("security", "Tokens are sent over encryption only: choose ssl.")
        return self

    @model_validator(mode="after")
    def _pop3_can_only_leave_or_delete(self) -> Self:
        if self.server_type == "pop3" and self.after_import in ("mark_read", "move"):
            raise _field_error("after_import", "POP3 knows no folders and no read mark: use leave or delete.")
        return self

    @model_validator(mode="after")
    def _knows_where_to_move(self) -> Self:
        if self.after_import == "move" and not self.move_to:
            raise _field_error("move_to", "Give the folder that mail is to be moved to.")
        if self.after_import == "move" and self.move_to.lower() == self.folder.lower():
            raise _field_error("move_to", "This is the folder that mail is read from: name another one.")
        return self

    @model_validator(mode="after")
    def _agents_are_addresses(self) -> Self:
        if wrong := [one for one in whitelist.entries(self.agents) if parse_address(one) is None]:
            raise _field_error("agents", f"Not an e-mail address: {', '.join(wrong[:5])}")
        return self

    @model_validator(mode="after")
    def _whitelist_reads(self) -> Self:
        if wrong := whitelist.unreadable(self.whitelist):
            raise _field_error("whitelist", f"Not a domain or an e-mail address: {', '.join(wrong[:5])}")
        return self

    def judges_of_senders(self) -> tuple[str, ...]:
        """The names under which the mailbox's provider says whether a sender is real; none where nobody knows them."""
        named = tuple(one.strip() for one in self.authserv_id.split(",") if one.strip())
        return named or known_ids(EXCHANGE_ONLINE_HOST if self.server_type == "office365" else self.host)

    def is_agent(self, key: str) -> bool:
        """Whether this address key is one of the group's agents."""
        parsed = (parse_address(one) for one in whitelist.entries(self.agents))
        return key in {one.key for one in parsed if one is not None}

    @property
    def uses_sign_in(self) -> bool:
        """Whether it is opened by OAuth 2.0 tokens of Microsoft rather than by a password."""
        return self.server_type == "office365" or self.auth == "oauth2"

    @property
    def effective_port(self) -> int:
        """The port, or the usual one of the server type and the chosen security; 0 for Office 365, which needs none."""
        if self.server_type == "office365":
            return 0
        return self.port if self.port is not None else DEFAULT_PORTS[self.server_type][self.security]

    @classmethod
    def stored(cls, fields: dict[str, Any]) -> Self:
        """Settings as they were saved, without judging them again: a rule that came later, or a row that an older
        version wrote, must not make a mailbox unreadable."""
        defaults = {name: field.get_default() for name, field in cls.model_fields.items() if not field.is_required()}
        outgoing = Outgoing.model_construct(**fields.get("outgoing", {}))
        return cls.model_construct(**{**defaults, **fields, "outgoing": outgoing})

    def source_identity(self) -> tuple[str | int, ...]:
        """What names the place that mail is read from: another one starts with a new cursor."""
        if self.server_type == "office365":
            return (self.server_type, self.tenant_id, self.email, self.folder)
        return (self.server_type, self.host, self.effective_port, self.username, self.folder)

    def secret_target(self, field: str) -> tuple[str | int, ...]:
        """What a stored secret belongs to: a change of any of it asks for the secret again, so that it is never sent
        to somebody it was not meant for."""
        if field == "password":
            incoming = (self.server_type, self.host, self.effective_port, self.username, self.security)
            return (*incoming, *self._outgoing_server()) if self._lends_its_password() else incoming
        if field == "client_secret":
            return (self.tenant_id, self.client_id)
        if field == "sign_in":
            return (self.server_type, self.tenant_id, self.client_id, self.email, self.username)
        return (*self._outgoing_server(), self.outgoing.username)

    def _lends_its_password(self) -> bool:
        """Whether the outgoing server may be given the mailbox's own password."""
        return self.outgoing.enabled and self.outgoing.username in ("", self.username)

    def _outgoing_server(self) -> tuple[str | int, ...]:
        return (self.outgoing.host, self.outgoing.effective_port, self.outgoing.security)

    def sign_in_field(self) -> str:
        """What a token cache is sealed for: a change of app, tenant or address makes it unreadable."""
        return "sign_in " + hashlib.sha256(repr(self.secret_target("sign_in")).encode()).hexdigest()[:16]


def _field_error(field: str, message: str) -> PydanticCustomError:
    # A model-wide validator has no field of its own; the web layer reads it from here.
    return PydanticCustomError("field", "{message}", {"message": message, "field": field})


@dataclass(frozen=True, slots=True)
class Mailbox:
    """A stored mailbox.

    ``tenant`` is the tenant key. ``generation`` changes whenever mail is read from another place, and never comes
    back, so ids of the old place cannot be taken for ids of the new one. ``secrets`` maps a secret's field to its
    sealed text. ``version`` is the row's ETag.
    """

    tenant: str
    id: str
    settings: Settings
    generation: str
    created: datetime
    secrets: tuple[tuple[str, str], ...] = ()
    version: str = ""

    def secret(self, field: str) -> str | None:
        """The sealed text of a secret, or None when it is not set."""
        return dict(self.secrets).get(field)


def own_addresses(mailboxes: Iterable[Mailbox]) -> frozenset[str]:
    """Keys of these mailboxes' addresses; of one without an address its user name, where that is one."""
    named = (parse_address(one.settings.email or one.settings.username) for one in mailboxes)
    return frozenset(one.key for one in named if one is not None)
