"""What happens to a mail on the IMAP server once it is kept: mark, move or delete, by UID, repeatable.

A UID that is gone is ignored by the server (RFC 9051, 6.4.9), so doing it again after a crash is harmless; only a MOVE
made of COPY and deletion may leave a second copy in the target folder.
"""

from __future__ import annotations

import imaplib
from typing import Any

from shared.errors import AccessDenied, FolderNotFound
from shared.model.mailbox import Settings
from shared.ports import Watch
from shared.servers.imap_folders import there_are

AT_ONCE = 200
"""UIDs of one command: a line stays far below the 8,192 bytes that servers must take (RFC 7162, 4)."""


def apply(client: Any, settings: Settings, uids: list[int]) -> None:
    """Do it. The folder is selected for writing. Raises ``FolderNotFound``, ``AccessDenied``."""
    for start in range(0, len(uids), AT_ONCE):
        some = uids[start : start + AT_ONCE]
        try:
            _apply(client, settings, some)
        except imaplib.IMAP4.abort:
            raise
        except imaplib.IMAP4.error as error:
            raise _refused(error, settings) from None


def check(client: Any, settings: Settings, watch: Watch) -> None:
    """Whether it could be done, as far as a server tells without changing anything: the target folder, and the rights
    where it knows ACL (RFC 4314). Raises ``FolderNotFound``, ``AccessDenied``."""
    if settings.after_import == "leave":
        watch.note("Mail is left as it is.")
        return
    if settings.after_import == "move" and not client.folder_exists(settings.move_to):
        raise _no_target(settings, there_are(client))
    if not client.has_capability("ACL"):
        watch.note("The server does not tell beforehand whether this account may change mail.")
        return
    wanted = {"mark_read": b"s", "move": b"te", "delete": b"te"}[settings.after_import]
    (rights,) = [answer.split()[-1] for answer in _my_rights(client, settings.folder)][:1] or [wanted]
    if not set(wanted) <= set(rights):
        raise _not_allowed()


def _my_rights(client: Any, folder: str) -> list[bytes]:
    client._imap.myrights(client._normalise_folder(folder))
    _, answers = client._imap.response("MYRIGHTS")
    return [answer for answer in answers if isinstance(answer, bytes) and answer.split()]


def _apply(client: Any, settings: Settings, uids: list[int]) -> None:
    if settings.after_import == "mark_read":
        client.add_flags(uids, [rb"\Seen"], silent=True)
    elif settings.after_import == "move":
        _move(client, uids, settings.move_to)
    elif settings.after_import == "delete":
        _delete(client, uids)


def _move(client: Any, uids: list[int], folder: str) -> None:
    if client.has_capability("MOVE"):
        client.move(uids, folder)
        return
    client.copy(uids, folder)
    _delete(client, uids)


def _delete(client: Any, uids: list[int]) -> None:
    """Never a bare EXPUNGE: it would remove what other people marked. Without UIDPLUS the mark is all there is."""
    client.add_flags(uids, [rb"\Deleted"], silent=True)
    if client.has_capability("UIDPLUS"):
        client.uid_expunge(uids)


def _refused(error: imaplib.IMAP4.error, settings: Settings) -> FolderNotFound | AccessDenied:
    text = str(error).upper()
    if settings.after_import == "move" and ("TRYCREATE" in text or "NONEXISTENT" in text or "EXIST" in text):
        return _no_target(settings)
    return _not_allowed()


def _no_target(settings: Settings, others: str = "") -> FolderNotFound:
    return FolderNotFound(
        f"There is no folder {settings.move_to} to move mail to.",
        f"Create it in the mailbox, or name another one. {others}".rstrip(),
        field="move_to",
    )


def _not_allowed() -> AccessDenied:
    return AccessDenied(
        "The server does not let this account change mail in the folder.",
        "The mails are kept here. Give the account the right to change them, or choose to leave mail where it is.",
        field="after_import",
    )
