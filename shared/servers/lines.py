"""A connection whose other side answers in lines: read with a bound on each line and a deadline for all of them.

What POP3 and SMTP have in common on the wire. Whatever goes wrong while reading ends the connection: what comes later
on it answers nobody knows which question.
"""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from shared.errors import TimedOut

CHUNK_BYTES = 64 * 1024
"""Read at once."""


class TooLong(Exception):
    """No end of a line within the bytes that one may have. The connection is closed."""


class Lines:
    """One conversation. Raises what sockets and TLS raise, and ``TimedOut`` when it lasted too long as a whole.

    ``buffer``: what has arrived and was not read yet; whoever reads more than lines takes it from here.
    """

    def __init__(self, seconds: float, too_slow: tuple[str, str]) -> None:
        """``seconds``: how long the conversation may take at most; ``too_slow``: what is said then, and what to do."""
        self._until = time.monotonic() + seconds
        self._too_slow = too_slow
        self._socket: socket.socket | None = None
        self.buffer = bytearray()

    @property
    def is_open(self) -> bool:
        """Whether something can still be sent."""
        return self._socket is not None

    @property
    def connection(self) -> socket.socket:
        """The connection; ``ConnectionResetError`` when it is closed."""
        if self._socket is None:
            raise ConnectionResetError("closed")
        return self._socket

    def begin(self, connection: socket.socket) -> None:
        """From now on this is the connection, with nothing read from it."""
        self._socket = connection
        self.buffer.clear()

    def close(self) -> None:
        """Hang up without a word."""
        connection, self._socket = self._socket, None
        if connection is not None:
            with suppress(OSError):  # it is closed already, which is all that we want
                connection.close()

    def line(self, most: int, seconds: float) -> bytes:
        """The next line with its end (LF or CR LF), however it arrives. ``seconds``: for each piece of it. Raises
        ``TooLong`` where there is no end within ``most`` bytes (and what one reading brought)."""
        while (end := self.buffer.find(b"\n")) < 0:
            if len(self.buffer) > most:
                self.close()
                raise TooLong
            self.fill(seconds)
        line = bytes(self.buffer[: end + 1])
        del self.buffer[: end + 1]
        return line

    def fill(self, seconds: float) -> None:
        """Some more bytes into the buffer, within so many seconds."""
        with self.closed_on_error() as connection:
            connection.settimeout(self.seconds_left(seconds))
            data = connection.recv(CHUNK_BYTES)
            if not data:
                raise ConnectionResetError("closed by the server")
        self.buffer += data

    @contextmanager
    def closed_on_error(self) -> Iterator[socket.socket]:
        """The connection; whatever goes wrong with it ends it."""
        try:
            yield self.connection
        except TimeoutError:
            self.close()
            self.seconds_left(0)  # which of the two it was: this read, or the whole conversation
            raise
        except BaseException:
            self.close()
            raise

    def seconds_left(self, most: float) -> float:
        """What is left of the conversation, at most ``most``. A server that sends a byte a second never meets a read
        timeout; it meets this."""
        left = self._until - time.monotonic()
        if left <= 0:
            raise TimedOut(*self._too_slow)
        return min(left, most)
