"""The demo mail server's mail: a pymap backend over one SQLite file.

pymap's own backends do not serve: its dict backend forgets UIDs at a restart, and its maildir backend
re-writes each mail through Python's email package (not byte for byte), gives UIDs in the directory's order
instead of arrival's, and fails when the state directory and /tmp are on different file systems. Here SQLite
is the only truth: UIDs are never given twice, UIDVALIDITY stays (RFC 9051 2.3.1.1), and a mail is kept as it
came.
"""

import secrets
import sqlite3
import time
from collections.abc import AsyncIterator, Iterable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from pymap.backend.mailbox import MailboxDataInterface, MailboxSetInterface
from pymap.bytes import Writeable
from pymap.concurrent import Event
from pymap.flags import FlagOp
from pymap.interfaces.message import CachedMessage
from pymap.listtree import ListTree
from pymap.mailbox import MailboxSnapshot
from pymap.message import BaseLoadedMessage, BaseMessage
from pymap.mime import MessageContent
from pymap.parsing.message import AppendMessage
from pymap.parsing.specials import FetchRequirement, ObjectId
from pymap.parsing.specials.flag import Flag, Seen
from pymap.selected import SelectedMailbox, SelectedSet

SCHEMA = """
CREATE TABLE IF NOT EXISTS folder (
    name TEXT PRIMARY KEY, id TEXT NOT NULL, uid_validity INTEGER NOT NULL, next_uid INTEGER NOT NULL
) STRICT;
CREATE TABLE IF NOT EXISTS mail (
    folder TEXT NOT NULL, uid INTEGER NOT NULL, arrived REAL NOT NULL, flags TEXT NOT NULL, raw BLOB NOT NULL,
    PRIMARY KEY (folder, uid)
) STRICT;
"""
IDLE_SECONDS = 1.0  # how often IDLE looks for new mail


class Maildrop:
    """The file with all folders and mails. Each method is one transaction, on disk when it returns."""

    def __init__(self, path: Path) -> None:
        self._db = sqlite3.connect(path)
        self._db.executescript(SCHEMA)
        if "INBOX" not in self.folders():
            self.create("INBOX")

    def close(self) -> None:
        """Close the file."""
        self._db.close()

    def folders(self) -> list[str]:
        """The names of all folders."""
        return [name for (name,) in self._db.execute("SELECT name FROM folder ORDER BY name")]

    def folder(self, name: str) -> tuple[str, int, int]:
        """A folder's object id, UIDVALIDITY and next UID; KeyError if there is none of that name."""
        query = "SELECT id, uid_validity, next_uid FROM folder WHERE name = ?"
        row = self._db.execute(query, [name]).fetchone()
        if row is None:
            raise KeyError(name)
        return str(row[0]), int(row[1]), int(row[2])

    def create(self, name: str) -> None:
        """Make a folder; ValueError if it exists."""
        if name in self.folders():
            raise ValueError(name)
        # Greater than that of a deleted folder of the same name, even one of this second (RFC 9051 2.3.1.1).
        (last,) = self._db.execute("PRAGMA user_version").fetchone()
        validity = max(int(time.time()), int(last) + 1)
        self._db.execute(f"PRAGMA user_version = {validity}")
        with self._db:
            row = [name, f"F{secrets.token_hex(8)}", validity]
            self._db.execute("INSERT INTO folder VALUES (?, ?, ?, 1)", row)

    def delete(self, name: str) -> None:
        """Delete a folder with its mail; KeyError if there is none of that name."""
        self.folder(name)
        with self._db:
            self._db.execute("DELETE FROM mail WHERE folder = ?", [name])
            self._db.execute("DELETE FROM folder WHERE name = ?", [name])

    def rename(self, before: str, after: str) -> None:
        """Rename a folder; KeyError, ValueError as for delete and create."""
        self.folder(before)
        if after in self.folders():
            raise ValueError(after)
        with self._db:
            self._db.execute("UPDATE mail SET folder = ? WHERE folder = ?", [after, before])
            self._db.execute("UPDATE folder SET name = ? WHERE name = ?", [after, before])

    def add(self, folder: str, raw: bytes, arrived: float, flags: str = "") -> int:
        """Keep a mail as it is; its UID. `arrived` in seconds since 1970."""
        with self._db:
            (uid,) = self._db.execute(
                "UPDATE folder SET next_uid = next_uid + 1 WHERE name = ? RETURNING next_uid - 1", [folder]
            ).fetchone()
            self._db.execute("INSERT INTO mail VALUES (?, ?, ?, ?, ?)", [folder, uid, arrived, flags, raw])
        return int(uid)

    def mails(self, folder: str) -> list[tuple[int, float, str]]:
        """UID, arrival and flags of all mails of a folder, oldest UID first."""
        query = "SELECT uid, arrived, flags FROM mail WHERE folder = ? ORDER BY uid"
        return list(self._db.execute(query, [folder]))

    def mail(self, folder: str, uid: int) -> tuple[float, str] | None:
        """Arrival and flags of one mail."""
        query = "SELECT arrived, flags FROM mail WHERE folder = ? AND uid = ?"
        row: tuple[float, str] | None = self._db.execute(query, [folder, uid]).fetchone()
        return row

    def raw(self, folder: str, uid: int) -> bytes | None:
        """A mail's bytes."""
        row = self._db.execute("SELECT raw FROM mail WHERE folder = ? AND uid = ?", [folder, uid]).fetchone()
        return bytes(row[0]) if row else None

    def flag(self, folder: str, uid: int, flags: str) -> None:
        """Set a mail's flags, separated by blanks."""
        with self._db:
            self._db.execute("UPDATE mail SET flags = ? WHERE folder = ? AND uid = ?", [flags, folder, uid])

    def copy(self, folder: str, uid: int, target: str, *, keep: bool) -> int | None:
        """Copy a mail (move it, unless `keep`); its UID there, None if it is gone."""
        found, raw = self.mail(folder, uid), self.raw(folder, uid)
        if found is None or raw is None:
            return None
        copied = self.add(target, raw, *found)
        if not keep:
            self.remove(folder, [uid])
        return copied

    def remove(self, folder: str, uids: Iterable[int]) -> None:
        """Delete mails for good."""
        with self._db:
            self._db.executemany("DELETE FROM mail WHERE folder = ? AND uid = ?", [(folder, uid) for uid in uids])


class Loaded(BaseLoadedMessage):
    """A mail's content: whole as it came; taken apart by pymap only if a client asks for a part of it."""

    __slots__ = ("_raw",)

    def __init__(self, message: BaseMessage, requirement: FetchRequirement, raw: bytes | None) -> None:
        super().__init__(message, requirement, None)
        self._raw = raw or b""

    @property
    def content(self) -> MessageContent:
        """The parsed mail; raises for some hostile ones, which is why whole mails do without it."""
        return MessageContent.parse(self._raw)

    def __bytes__(self) -> bytes:
        return self._raw

    def get_body(self, section: Sequence[int] | None = None, binary: bool = False) -> Writeable:
        """BODY[] and RFC822 as they came; a part by pymap."""
        return super().get_body(section, binary) if section else Writeable.wrap(self._raw)

    def get_size(self, section: Sequence[int] | None = None) -> int:
        """RFC822.SIZE."""
        return super().get_size(section) if section else len(self._raw)


class Message(BaseMessage):
    """One mail of a folder."""

    __slots__ = ("_drop", "_folder")

    def __init__(self, drop: Maildrop, folder: str, uid: int, arrived: float, flags: str, **more: Any) -> None:
        when = datetime.fromtimestamp(arrived, UTC)
        super().__init__(uid, when, [Flag(flag.encode()) for flag in flags.split()], **more)
        self._drop = drop
        self._folder = folder

    async def load_content(self, requirement: FetchRequirement) -> Loaded:
        """Its bytes, if the request needs them."""
        wanted = not requirement.has_none(FetchRequirement.CONTENT)
        return Loaded(self, requirement, self._drop.raw(self._folder, self.uid) if wanted else None)


class Folder(MailboxDataInterface[Message]):
    """One folder, as pymap asks for it."""

    def __init__(self, drop: Maildrop, name: str) -> None:
        self._drop = drop
        self._name = name
        self._id, self._uid_validity, _ = drop.folder(name)
        self._selected_set = SelectedSet()

    @property
    def mailbox_id(self) -> ObjectId:
        """RFC 8474's MAILBOXID."""
        return ObjectId(self._id.encode())

    @property
    def readonly(self) -> bool:
        """No."""
        return False

    @property
    def uid_validity(self) -> int:
        """Stays for the folder's life."""
        return self._uid_validity

    @property
    def selected_set(self) -> SelectedSet:
        """The sessions that have it open."""
        return self._selected_set

    async def update_selected(self, selected: SelectedMailbox, *, wait_on: Event | None = None) -> SelectedMailbox:
        """Tell a session what is in the folder now."""
        if wait_on is not None:
            await wait_on.wait(timeout=IDLE_SECONDS)
        selected.set_messages([message async for message in self.messages()])
        return selected

    async def append(self, append_msg: AppendMessage, *, recent: bool = False) -> Message:
        """APPEND."""
        arrived = (append_msg.when or datetime.now(UTC)).timestamp()
        uid = self._drop.add(self._name, append_msg.literal, arrived, _text(append_msg.flag_set))
        return self._message(uid, arrived, _text(append_msg.flag_set))

    async def copy(self, uid: int, destination: "Folder", *, recent: bool = False) -> int | None:
        """COPY."""
        return self._drop.copy(self._name, uid, destination._name, keep=True)

    async def move(self, uid: int, destination: "Folder", *, recent: bool = False) -> int | None:
        """MOVE."""
        return self._drop.copy(self._name, uid, destination._name, keep=False)

    async def get(self, uid: int, cached_msg: CachedMessage) -> Message:
        """One mail; one that is gone is marked so."""
        found = self._drop.mail(self._name, uid)
        if found is None:
            gone = cached_msg.internal_date.timestamp() if isinstance(cached_msg, Message) else 0.0
            return Message(self._drop, self._name, uid, gone, "", expunged=True)
        return self._message(uid, *found)

    async def update(self, uid: int, cached_msg: CachedMessage, flag_set: frozenset[Flag], mode: FlagOp) -> Message:
        """STORE."""
        message = await self.get(uid, cached_msg)
        message.permanent_flags = mode.apply(message.permanent_flags, flag_set)
        self._drop.flag(self._name, uid, _text(message.permanent_flags))
        return message

    async def delete(self, uids: Iterable[int]) -> None:
        """EXPUNGE."""
        self._drop.remove(self._name, uids)

    async def claim_recent(self, selected: SelectedMailbox) -> None:
        """RFC 9051 has no \\Recent any more."""

    async def cleanup(self) -> None:
        """Nothing to clean."""

    async def messages(self) -> AsyncIterator[Message]:
        """All mails, oldest UID first."""
        for row in self._drop.mails(self._name):
            yield self._message(*row)

    async def snapshot(self) -> MailboxSnapshot:
        """What SELECT and STATUS tell."""
        messages = [message async for message in self.messages()]
        unseen = [number for number, message in enumerate(messages, 1) if Seen not in message.permanent_flags]
        return MailboxSnapshot(
            self.mailbox_id,
            self.readonly,
            self.uid_validity,
            self.permanent_flags,
            self.session_flags,
            len(messages),
            0,
            len(unseen),
            unseen[0] if unseen else None,
            self._drop.folder(self._name)[2],
        )

    def _message(self, uid: int, arrived: float, flags: str) -> Message:
        ids = {
            "email_id": ObjectId(f"M{self._id}{uid}".encode()),
            "thread_id": ObjectId(f"T{self._id}{uid}".encode()),
        }
        return Message(self._drop, self._name, uid, arrived, flags, **ids)


class Folders(MailboxSetInterface[Folder]):
    """All folders, as pymap asks for them. Folders are not nested and all are subscribed."""

    def __init__(self, drop: Maildrop) -> None:
        self._drop = drop
        self._open: dict[str, Folder] = {}  # kept, because sessions meet in a folder's selected_set

    @property
    def delimiter(self) -> str:
        """RFC 9051 wants one."""
        return "/"

    async def set_subscribed(self, name: str, subscribed: bool) -> None:
        """SUBSCRIBE and UNSUBSCRIBE change nothing."""

    async def list_subscribed(self) -> ListTree:
        """LSUB."""
        return await self.list_mailboxes()

    async def list_mailboxes(self) -> ListTree:
        """LIST."""
        return ListTree(self.delimiter).update(*self._drop.folders())

    async def get_mailbox(self, name: str) -> Folder:
        """The folder of that name; KeyError if there is none."""
        name = "INBOX" if name.upper() == "INBOX" else name
        if name not in self._open:
            self._open[name] = Folder(self._drop, name)
        return self._open[name]

    async def add_mailbox(self, name: str) -> ObjectId:
        """CREATE."""
        self._drop.create(name)
        return (await self.get_mailbox(name)).mailbox_id

    async def delete_mailbox(self, name: str) -> None:
        """DELETE."""
        self._drop.delete(name)
        self._open.pop(name, None)

    async def rename_mailbox(self, before: str, after: str) -> None:
        """RENAME."""
        self._drop.rename(before, after)
        self._open.pop(before, None)


def _text(flags: Iterable[Flag]) -> str:
    return " ".join(sorted(flag.value.decode("ascii", "replace") for flag in flags))
