"""Mailboxes with folders, mails and the log of their changes that delta queries read."""

from __future__ import annotations

import base64
import secrets
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email import message_from_bytes
from email.message import Message as EmailMessage
from email.utils import getaddresses
from typing import Any

WELL_KNOWN = ("inbox", "sentitems", "deleteditems", "junkemail", "archive", "drafts")
_NAMES = {
    "inbox": "Inbox",
    "sentitems": "Sent Items",
    "deleteditems": "Deleted Items",
    "junkemail": "Junk Email",
    "archive": "Archive",
    "drafts": "Drafts",
}


@dataclass
class Folder:
    """A mail folder; ``parent`` is an id, empty at the top."""

    id: str
    name: str
    parent: str = ""


@dataclass
class Message:
    """A mail. ``id`` is the immutable one; ``size`` may lie."""

    id: str
    raw: bytes
    received: datetime
    folder: str
    read: bool = False
    size: int = 0

    def item(self, wanted: set[str], immutable: bool) -> dict[str, Any]:
        """As JSON with the selected properties."""
        parsed = message_from_bytes(self.raw)
        every = {
            "id": self.id if immutable else f"{self.id[:-2]}{self.folder[-6:]}==",
            "receivedDateTime": self.received.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
            "internetMessageId": str(parsed["Message-ID"] or ""),
            "subject": str(parsed["Subject"] or ""),
            "isRead": self.read,
            "parentFolderId": self.folder,
            "internetMessageHeaders": [{"name": name, "value": str(value)} for name, value in parsed.items()],
            "from": _recipients(parsed, "From")[0] if parsed["From"] else None,
            "toRecipients": _recipients(parsed, "To"),
            "ccRecipients": _recipients(parsed, "Cc"),
            "sentDateTime": self.received.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        }
        return {"@odata.etag": 'W/"1"', **{name: every[name] for name in every if name in wanted | {"id"}}}


@dataclass
class Change:
    """Something that happened to a mail in a folder: created, updated or deleted."""

    number: int
    folder: str
    message: str
    kind: str


@dataclass
class Mailbox:
    """A mailbox; ``enabled`` false: no licence, or not in Exchange Online. ``principal``: its user's name where that is
    not its address."""

    address: str
    tenant: str
    owner: str = ""
    enabled: bool = True
    principal: str = ""
    folders: dict[str, Folder] = field(default_factory=dict)
    messages: dict[str, Message] = field(default_factory=dict)
    changes: list[Change] = field(default_factory=list)
    generation: int = 1
    number: int = 0

    def __post_init__(self) -> None:
        for name in WELL_KNOWN:
            self.add_folder(_NAMES[name])

    def add_folder(self, name: str, parent: str = "") -> Folder:
        folder = Folder(_id("AAMkAG"), name, parent)
        self.folders[folder.id] = folder
        return folder

    def folder(self, name: str) -> Folder | None:
        """By id or well-known name."""
        if name in self.folders:
            return self.folders[name]
        display = _NAMES.get(name.lower())
        return next((one for one in self.folders.values() if not one.parent and one.name == display), None)

    def deliver(self, raw: bytes, received: datetime, folder: str = "inbox") -> Message:
        """A mail arrives (or is moved here, by whatever way, from outside of the folders that are known)."""
        into = self.folder(folder)
        assert into is not None
        message = Message(_id("AAkALg"), raw, received.replace(microsecond=0), into.id, size=len(raw))
        self.messages[message.id] = message
        self._note(into.id, message.id, "created")
        return message

    def move(self, id: str, folder: str) -> Message:
        """The immutable id stays."""
        message, into = self.messages[id], self.folder(folder)
        assert into is not None
        self._note(message.folder, id, "deleted")
        message.folder = into.id
        self._note(into.id, id, "created")
        return message

    def delete(self, id: str) -> None:
        self._note(self.messages.pop(id).folder, id, "deleted")

    def mark(self, id: str, read: bool) -> None:
        self.messages[id].read = read
        self._note(self.messages[id].folder, id, "updated")

    def within(self, folder: str) -> list[Message]:
        """Its mails in the order in which they came here."""
        order = {change.message: change.number for change in self.changes if change.kind == "created"}
        found = [one for one in self.messages.values() if one.folder == folder]
        return sorted(found, key=lambda one: order[one.id])

    def forget_sync(self) -> None:
        """All delta and next links die."""
        self.generation += 1

    def export_and_import(self) -> None:
        """The mailbox is restored: every mail has another id, also the immutable one."""
        self.forget_sync()
        old = [message for folder in list(self.folders) for message in self.within(folder)]
        self.messages.clear()
        self.changes.clear()
        for message in old:
            self.deliver(message.raw, message.received, message.folder)

    def _note(self, folder: str, message: str, kind: str) -> None:
        self.number += 1
        self.changes.append(Change(self.number, folder, message, kind))


def _recipients(parsed: EmailMessage, name: str) -> list[dict[str, Any]]:
    found = getaddresses([str(value) for value in parsed.get_all(name, [])])
    return [{"emailAddress": {"name": shown, "address": address}} for shown, address in found]


def _id(prefix: str) -> str:
    """As long as Microsoft's, with the letters that theirs have."""
    body = base64.urlsafe_b64encode(secrets.token_bytes(106)).decode().rstrip("=")
    return f"{prefix}{body}="
