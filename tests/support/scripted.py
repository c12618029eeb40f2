"""Servers that say what they are told: IMAP by a script, TLS with a certificate of any kind, and none of them at all."""

from __future__ import annotations

import base64
import socket
import ssl
import tempfile
import threading
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

import trustme
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

BANNER = "Zanzibar"
"""In whatever a scripted server says: it must not turn up in words of ours."""

Talk = Callable[[socket.socket], None]


def says(line: str) -> Talk:
    """One line, and then it listens until the visitor goes."""

    def talk(connection: socket.socket) -> None:
        connection.sendall(f"{line}\r\n".encode())
        _listen(connection)

    return talk


def hangs_up(connection: socket.socket) -> None:
    """At once, without a word."""


def is_mute(connection: socket.socket) -> None:
    """It takes everything and says nothing."""
    _listen(connection)


def cuts_the_handshake(connection: socket.socket) -> None:
    """It hears the hello of TLS and goes."""
    connection.recv(1000)


def imap(answers: Mapping[str, str], capabilities: str = "AUTH=PLAIN", challenge: str = "") -> Talk:
    """An IMAP server. ``answers``: the tagged answer to a command, "" to hang up there; all others get OK.

    ``challenge``: sent base64 before the answer to AUTHENTICATE, as servers tell why a token is refused.
    """
    said = f"IMAP4rev1 {capabilities}".rstrip()

    def talk(connection: socket.socket) -> None:
        connection.sendall(f"* OK [CAPABILITY {said}] {BANNER} ready\r\n".encode())
        reader = connection.makefile("rb")
        while words := reader.readline().decode().split():
            tag, verb = words[0], words[1].upper()
            if verb == "CAPABILITY":
                connection.sendall(f"* CAPABILITY {said}\r\n".encode())
            for asked in ("", *([challenge] if challenge else ())) if verb == "AUTHENTICATE" else ():
                connection.sendall(b"+ " + base64.b64encode(asked.encode()) + b"\r\n")
                reader.readline()
            answer = answers.get(verb, "OK done")
            if not answer:
                return
            connection.sendall(f"{tag} {answer} {BANNER}\r\n".encode())

    return talk


def between(
    port: int, edit: Callable[[bytes], bytes] = lambda line: line, answers: Mapping[str, str] | None = None
) -> Talk:
    """A real IMAP server of this machine (in clear text), made worse: ``edit`` changes lines of its answers (b"" leaves
    one out); ``answers``: what is said to a command instead of asking it."""

    def talk(connection: socket.socket) -> None:
        with socket.create_connection(("127.0.0.1", port)) as server:
            back = threading.Thread(target=_forward, args=[server, connection, edit], daemon=True)
            back.start()
            reader = connection.makefile("rb")
            while line := reader.readline():
                tag, _, rest = line.partition(b" ")
                answer = (answers or {}).get(rest.split()[0].decode().upper() if rest.split() else "")
                if answer is None:
                    server.sendall(line)
                else:
                    connection.sendall(tag + f" {answer} {BANNER}\r\n".encode())
            with suppress(OSError):
                server.shutdown(socket.SHUT_RDWR)
            back.join(5)

    return talk


def _forward(source: socket.socket, target: socket.socket, edit: Callable[[bytes], bytes]) -> None:
    with suppress(OSError):
        for line in source.makefile("rb"):
            target.sendall(edit(line))


def _listen(connection: socket.socket) -> None:
    with suppress(OSError):
        while connection.recv(1000):
            pass


# ── certificates ──────────────────────────────────────────────────────────────────────────────────────────────────


def certified(
    authority: trustme.CA, *names: str, begins: datetime | None = None, ends: datetime | None = None
) -> ssl.SSLContext:
    """A server's context with a certificate of an authority."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(*names, not_before=begins, not_after=ends).configure_cert(context)
    return context


def self_signed(name: str) -> ssl.SSLContext:
    """A server's context with a certificate that it made itself."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder(subject, subject, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        .sign(key, hashes.SHA256())
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    with tempfile.TemporaryDirectory() as folder:
        pem = Path(folder) / "self.pem"
        form = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        pem.write_bytes(key.private_bytes(*form) + made.public_bytes(serialization.Encoding.PEM))
        context.load_cert_chain(pem)
    return context


def old(context: ssl.SSLContext) -> ssl.SSLContext:
    """The context with nothing newer than TLS 1.1."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # that it is old is the point
        context.minimum_version = ssl.TLSVersion.TLSv1
        context.maximum_version = ssl.TLSVersion.TLSv1_1
    context.set_ciphers("ALL:@SECLEVEL=0")
    return context


# ── nobody ────────────────────────────────────────────────────────────────────────────────────────────────────────


@contextmanager
def nobody() -> Iterator[int]:
    """A port where nothing listens."""
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        yield bound.getsockname()[1]


@contextmanager
def black_hole() -> Iterator[int]:
    """A port that takes no connection and refuses none: its queue is full, so SYNs are dropped (Linux), as a firewall
    would do it."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        waiting = [socket.socket() for _ in range(4)]
        try:
            for one in waiting:
                one.setblocking(False)
                one.connect_ex(listener.getsockname())
            yield listener.getsockname()[1]
        finally:
            for one in waiting:
                one.close()
