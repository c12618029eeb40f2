"""What receivers of webhooks are told of a change: keys, and a small picture of how things stood; never a body.

An event's id is made of what changed and of the version that it changed, so the same change has the same id however
often it is told, and a receiver can drop repeats by it.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from shared.model.inbound import Inbound
from shared.model.incident import Incident, Note, label
from shared.model.webhook import Event, EventType

MAX_SUBJECT_CHARS = 500
"""As many as lists show; with all other fields the body stays far below what one property of a row holds."""

MAX_ADDRESS_CHARS = 320
"""Of an address or a group's name: 64 + @ + 255 (RFC 5321, 4.5.3.1)."""


def incident_created(tenant: str, incident: Incident, note: Note, at: datetime) -> Event:
    """A mail opened an incident; ``note`` is that mail."""
    data = {"incident": _incident(incident), "note": _note(note)}
    return _event(tenant, EventType.INCIDENT_CREATED, f"{incident.number}", at, data)


def note_added(tenant: str, incident: Incident, note: Note, at: datetime) -> Event:
    """A note came to an incident that was there: a mail, an answer, an internal note, an acknowledgement."""
    data = {"incident": _incident(incident), "note": _note(note)}
    return _event(tenant, EventType.NOTE_ADDED, f"{incident.number}:{note.seq}", at, data)


def status_changed(tenant: str, before: Incident, after: Incident, at: datetime) -> Event:
    """An incident stands in another way than ``before``."""
    data = {"incident": _incident(after), "previous_status": before.status.value}
    return _event(tenant, EventType.STATUS_CHANGED, f"{before.number}:{before.version}", at, data)


def mail_held(tenant: str, before: Inbound, after: Inbound, at: datetime) -> Event:
    """A mail is kept back until a person decides."""
    mail = {"id": after.id, "mailbox": after.mailbox, "reason": after.reason}
    # Held, released and held again are two changes.
    return _event(tenant, EventType.MAIL_HELD, f"{before.id}:{before.version}", at, {"mail": mail})


def ping(tenant: str, chance: bytes, at: datetime) -> Event:
    """A test event; ``chance`` makes each another one."""
    return _event(tenant, EventType.PING, chance.hex(), at, {})


def _event(tenant: str, type_: EventType, what: str, at: datetime, data: Mapping[str, Any]) -> Event:
    id = "evt_" + hashlib.sha256(f"{tenant}\n{type_}\n{what}".encode()).hexdigest()[:32]
    # To the millisecond, as it is stored.
    stamp = at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    slug = tenant.partition(".")[0]
    body = {"type": type_.value, "timestamp": stamp, "id": id, "tenant": slug, "data": data}
    return Event(id, type_.value, datetime.fromisoformat(stamp), json.dumps(body, ensure_ascii=False))


def _incident(incident: Incident) -> dict[str, Any]:
    return {
        "number": label(incident.number),
        "subject": _text(incident.subject, MAX_SUBJECT_CHARS),
        "status": incident.status.value,
        "group": _text(incident.group, MAX_ADDRESS_CHARS),
        "mailbox": incident.mailbox,
    }


def _note(note: Note) -> dict[str, Any]:
    author = _text(note.author.address, MAX_ADDRESS_CHARS)
    return {"seq": note.seq, "kind": note.kind.value, "author": author, "mail": note.mail or None}


def _text(text: str, most: int) -> str:
    # Half a surrogate pair is no text: not every receiver's JSON takes it.
    return text[:most].encode("utf-8", "replace").decode()
