"""The form of a mailbox: from settings to what stands in it, and from what was typed to settings."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from fastapi.exceptions import RequestValidationError
from pydantic import ValidationError

from shared.errors import Invalid
from shared.flows.probe import ProbeReport
from shared.mail.address import parse_address
from shared.mail.writing import template
from shared.model.discovery import Discovery
from shared.model.mailbox import DEFAULT_PORTS, MAILBOX_ID, OUTGOING_PORTS, RESERVED_ID, Mailbox, Outgoing, Settings
from shared.web.drafts import Form
from shared.web.shapes.mailbox import MailboxIn, etag

FLAGS = frozenset({"whitelist_enabled", "acknowledge", "notify_agents", "outgoing.enabled"})

NUMBERS = frozenset(
    {
        "port",
        "polling_minutes",
        "days_to_download",
        "delete_after_days",
        "reopen_days",
        "max_incidents_per_hour",
        "outgoing.port",
    }
)

SECRETS = {"password": "password", "client_secret": "client_secret", "outgoing.password": "outgoing_password"}
"""Inputs of secrets, and the name that each is stored under."""

NOT_HERE = frozenset({"enabled", "outgoing"})
"""``enabled`` has a button of its own; ``outgoing`` is an input for each of its fields."""

NAMES = (
    *(name for name in Settings.model_fields if name not in NOT_HERE),
    *(f"outgoing.{name}" for name in Outgoing.model_fields),
)
"""The inputs, named as the API names the fields."""

SERVER = frozenset({"host", "port", "security", "username", "auth"})
OUTGOING_SERVER = frozenset({"outgoing.host", "outgoing.port", "outgoing.security", "outgoing.username"})
APP = frozenset({"client_id", "tenant_id"})

MAX_DIGITS = 9
"""More is no number that any field takes."""

SAMPLE = {"number": "INC-000123", "name": "Anna", "subject": "Printer on fire"}
"""What the preview of an acknowledgement is filled with; its group is the mailbox's own."""

Values = Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Sheet:
    """The form as it is shown. ``id``: empty for a new mailbox without one. ``values``: by input; a switch that is on
    has "on". ``errors``: input and sentence. ``theirs``: what somebody else saved meanwhile, by input. ``lost``:
    secrets were typed and have to be typed again, because they are never sent back."""

    id: str
    values: Values
    stored: Mailbox | None = None
    errors: tuple[tuple[str, str], ...] = ()
    report: ProbeReport | None = None
    found: Discovery | None = None
    theirs: Values = field(default_factory=dict)
    lost: bool = False

    @property
    def seen(self) -> str:
        """The entity tag of the settings that the form was made of."""
        return etag(self.stored) if self.stored else ""

    def error(self, name: str) -> str:
        return " ".join(message for wrong, message in self.errors if wrong == name)

    def is_set(self, name: str) -> bool:
        """Whether a secret is stored."""
        return self.stored is not None and self.stored.secret(SECRETS[name]) is not None

    @property
    def in_use(self) -> dict[str, str]:
        """What says something to somebody who only reads."""
        unused = _unused(self.values) | _without_effect(self.values)
        return {name: value for name, value in self.values.items() if value and name not in unused}

    @property
    def preview(self) -> tuple[str, str]:
        """Subject and text of the acknowledgement, filled with a sample."""
        fields = {**SAMPLE, "group": self.values["group"]}
        subject = self.values["acknowledge_subject"] or template.DEFAULT_SUBJECT
        text = self.values["acknowledge_text"] or template.DEFAULT_TEXT
        return template.fill(subject, fields), template.fill(text, fields)


def shown(settings: Settings) -> dict[str, str]:
    """Settings as they stand in the form."""
    fields = {name: getattr(settings, name) for name in Settings.model_fields if name not in NOT_HERE}
    outgoing = {f"outgoing.{name}": getattr(settings.outgoing, name) for name in Outgoing.model_fields}
    return {name: _text(value) for name, value in {**fields, **outgoing}.items()}


def new() -> dict[str, str]:
    """The form of a new mailbox: the defaults."""
    return shown(Settings.model_construct(group=""))


def typed(form: Form, stored: Mailbox | None) -> dict[str, str]:
    """What stands in a form that came back. An input that was not sent is as it was; a switch that was not is off."""
    base = shown(stored.settings) if stored else new()
    sent = {name: form.value(name).replace("\r\n", "\n") for name in NAMES if name in form.values or name in FLAGS}
    return with_usual_ports(base | sent)


def with_usual_ports(values: Values) -> dict[str, str]:
    """A port that is the usual one stands for "the usual one": it goes along when the security changes."""
    usual = {
        "port": DEFAULT_PORTS.get(values["server_type"], {}).get(values["security"]),
        "outgoing.port": OUTGOING_PORTS.get(values["outgoing.security"]),
    }
    return {**values, **{name: "" for name, port in usual.items() if values[name].strip() == str(port)}}


def secrets(form: Form) -> dict[str, str]:
    """The secrets that were typed, by input; an empty one keeps what is stored."""
    return {name: form.value(name) for name in SECRETS if form.value(name)}


def settings(values: Values, secrets: Mapping[str, str], stored: Mailbox | None) -> MailboxIn:
    """What was typed as the API would take it. Raises ``RequestValidationError``.

    What the chosen kind of mailbox does not have is not judged: it stays as it is stored, or as it is by default.
    """
    before = stored.settings if stored else None
    base = shown(before) if before and before.server_type == values["server_type"] else new()
    unused = _unused(values)
    fields = {name: _value(name, (base if name in unused else values)[name]) for name in NAMES}
    sent = _nested({**fields, **{name: text for name, text in secrets.items() if name not in unused}})
    try:
        return MailboxIn.model_validate({**sent, "enabled": before.enabled if before else True})
    except ValidationError as error:
        found = error.errors(include_url=False, include_input=False)
        raise RequestValidationError([{**one, "loc": ("body", *one["loc"])} for one in found]) from None


def proposed(values: Values, found: Discovery) -> dict[str, str]:
    """The form with what was found filled in; what was not found stays."""
    filled = {**values, "email": found.address, "tenant_id": values["tenant_id"] or found.tenant_id or ""}
    if found.kind == "office365":
        return {**filled, "server_type": "office365"}
    username = values["username"]
    if found.incoming:
        best = found.incoming[0]
        username = best.username or found.address
        filled |= {"server_type": best.server_type, "host": best.host, "port": str(best.port)}
        filled |= {"security": best.security, "username": username}
    if found.outgoing:
        out = found.outgoing[0]
        filled |= {"outgoing.host": out.host, "outgoing.security": out.security}
        filled["outgoing.port"] = str(out.port)
        # Empty: the mailbox's own.
        filled["outgoing.username"] = "" if out.username in ("", username) else out.username
    return with_usual_ports(filled)


def id_for(address: str, taken: frozenset[str]) -> str:
    """An id for the mailbox of this address; empty where nothing fits."""
    parsed = parse_address(address)
    local = parsed.address.partition("@")[0].lower() if parsed else ""
    id = re.sub(r"[^a-z0-9]+", "-", local[:60]).strip("-")
    if not MAILBOX_ID.fullmatch(id) or id == RESERVED_ID:
        return ""
    return next((one for one in (id, *(f"{id}-{count}" for count in range(2, 10))) if one not in taken), "")


def differing(theirs: Values, mine: Values) -> dict[str, str]:
    """What is saved otherwise than it was typed."""
    return {name: value for name, value in with_usual_ports(theirs).items() if value != mine[name]}


def wrong_id() -> Invalid:
    """An id that cannot be."""
    return Invalid([("id", "Use 1 to 63 small letters, digits and inner hyphens, such as support or sales-emea.")])


def _unused(values: Values) -> frozenset[str]:
    """The inputs that this kind of mailbox does not have."""
    if values["server_type"] == "office365":
        return SERVER | OUTGOING_SERVER | {"password", "outgoing.password", "delete_after_days"}
    by_app = values["auth"] == "oauth2"
    unused = frozenset({"password"}) if by_app else APP | {"client_secret"}
    return unused | ({"folder", "move_to"} if values["server_type"] == "pop3" else {"delete_after_days"})


def _without_effect(values: Values) -> frozenset[str]:
    """The inputs that another one makes meaningless."""
    without: set[str] = set()
    if not values["outgoing.enabled"]:
        without |= {*OUTGOING_SERVER, "outgoing.from_name"}
    if not values["acknowledge"]:
        without |= {"acknowledge_subject", "acknowledge_text"}
    if not values["whitelist_enabled"]:
        without.add("whitelist")
    for name, needed, meaningless in (
        ("after_import", "move", "move_to"),
        ("after_import", "delete", "delete_after_days"),
        ("closed_reply", "reopen", "reopen_days"),
    ):
        if values[name] != needed:
            without.add(meaningless)
    return frozenset(without)


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "on" if value else ""
    return "" if value is None else str(value)


def _value(name: str, text: str) -> Any:
    if name in FLAGS:
        return text == "on"
    if name not in NUMBERS:
        return text
    text = text.strip()
    if not text and name in ("port", "outgoing.port"):
        return None
    # What is no number stays a text, so that it is refused in the words that the API has for it.
    return int(text) if text.isascii() and text.isdigit() and len(text) <= MAX_DIGITS else text


def _nested(flat: Mapping[str, Any]) -> dict[str, Any]:
    """``outgoing.host`` as the API has it: a host in ``outgoing``."""
    outgoing = {name.partition(".")[2]: value for name, value in flat.items() if name.startswith("outgoing.")}
    return {**{name: value for name, value in flat.items() if "." not in name}, "outgoing": outgoing}
