"""Reading from a stranger: an end to the time and an end to the bytes, whatever it does."""

from __future__ import annotations

import io
import socket
import time
from typing import Any


class Stream(io.RawIOBase):
    """What comes in on a socket, until ``until`` (``time.monotonic``) and at most ``most`` bytes.

    A server that sends a byte a second never meets a socket's time limit, which starts anew with each byte. Raises
    ``TimeoutError`` when the time is over; too many bytes look like the end. ``readline`` takes byte by byte, so
    nothing that a server says ahead of its turn is taken for what comes after (nostarttls.secvuln.info).
    """

    def __init__(self, connection: socket.socket, until: float, most: int) -> None:
        self._connection = connection
        self._until = until
        self._left = most

    def readable(self) -> bool:
        """It is for reading only."""
        return True

    def readinto(self, buffer: Any) -> int:
        """See ``io.RawIOBase``."""
        left = self._until - time.monotonic()
        if left <= 0:
            raise TimeoutError("the time is over")
        self._connection.settimeout(left)
        count = self._connection.recv_into(memoryview(buffer)[: self._left])
        self._left -= count
        return count
