"""What the demo desk sent, as its reporters would have got it: one .eml file each, the newest last.

A demo has no customers, so their mail is kept where you can look at it, and `infra.local.send --reply` answers it.
"""

from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from pathlib import Path


class Letterbox:
    """A folder of mails, numbered as they come."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def put(self, raw: bytes) -> Path:
        """Keep a mail; where."""
        self._folder.mkdir(parents=True, exist_ok=True)
        path = self._folder / f"{len(self._mails()) + 1:04}.eml"
        part = path.with_suffix(".part")
        part.write_bytes(raw)
        part.replace(path)
        return path

    def newest(self) -> Path | None:
        """The mail that came last."""
        return max(self._mails(), default=None)

    def _mails(self) -> list[Path]:
        return list(self._folder.glob("[0-9]*.eml"))


def read(path: Path) -> EmailMessage:
    """A mail that the desk wrote."""
    return message_from_bytes(path.read_bytes(), policy=default)
