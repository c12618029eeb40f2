"""PGP in the text itself: RFC 4880 sections 6.2 and 7 (RFC 9580 likewise). Signatures are not checked here."""

import re
from typing import NamedTuple

_SIGNED = "-----BEGIN PGP SIGNED MESSAGE-----"
_SIGNATURE = "-----BEGIN PGP SIGNATURE-----"
_SIGNATURE_END = "-----END PGP SIGNATURE-----"
_MESSAGE = "-----BEGIN PGP MESSAGE-----"
_MESSAGE_END = "-----END PGP MESSAGE-----"
_ARMOUR_HEADER = re.compile(r"[A-Za-z]{1,20}: ?[^\n]{0,200}")
_RADIX64 = re.compile(r"[A-Za-z0-9+/=]{1,100}")


class Opened(NamedTuple):
    """The text without PGP's lines, and the encrypted messages that were in it, armour and all."""

    text: str
    encrypted: tuple[str, ...]


def open_armour(text: str) -> Opened:
    """Signed text becomes what was signed; encrypted messages are taken out. Other text stays as it is."""
    if "-----BEGIN PGP " not in text:
        return Opened(text, ())
    reader = _Reader(text.split("\n"))
    reader.run()
    return Opened("\n".join(reader.kept), tuple(reader.encrypted))


class _Reader:
    """Reads line by line. What is searched for in vain is not searched for again."""

    def __init__(self, lines: list[str]) -> None:
        self.kept: list[str] = []
        self.encrypted: list[str] = []
        self._lines = lines
        self._bare = [line.rstrip() for line in lines]
        self._absent: set[str] = set()

    def run(self) -> None:
        position = 0
        while position < len(self._lines):
            line = self._bare[position]
            after = -1
            if line == _SIGNED:
                after = self._signed(position + 1)
            elif line == _MESSAGE:
                after = self._message(position)
            if after < 0:
                self.kept.append(self._lines[position])
                after = position + 1
            position = after

    def _find(self, line: str, position: int) -> int:
        if line in self._absent:
            return -1
        try:
            return self._bare.index(line, position)
        except ValueError:
            self._absent.add(line)
            return -1

    def _signed(self, position: int) -> int:
        """Keep what was signed; the place behind the signature, or -1 if there is none."""
        end = self._find(_SIGNATURE, position)
        after = self._find(_SIGNATURE_END, end) if end >= 0 else -1
        if after < 0:
            return -1
        start = self._behind_headers(position, end)
        self.kept += [line.removeprefix("- ") for line in self._lines[start:end]]
        return after + 1

    def _message(self, position: int) -> int:
        """Take the message out; the place behind it, or -1 if it does not look like one."""
        end = self._find(_MESSAGE_END, position)
        if end < 0:
            return -1
        start = self._behind_headers(position + 1, end)
        if start >= end or not _RADIX64.fullmatch(self._bare[start]):
            return -1
        self.encrypted.append("\n".join(self._bare[position : end + 1]) + "\n")
        return end + 1

    def _behind_headers(self, position: int, end: int) -> int:
        """Past "Hash: SHA256" and the empty line behind such headers."""
        while position < end and _ARMOUR_HEADER.fullmatch(self._bare[position]):
            position += 1
        return position + 1 if position < end and not self._bare[position] else position
