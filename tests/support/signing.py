"""Signed mails: real keys, DKIM signatures made by dkimpy, and by hand where dkimpy would not make such a one."""

from __future__ import annotations

import base64
import hashlib
from functools import cache

import dkim  # type: ignore[import-untyped]
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

DOMAIN = "firm.example"
SELECTOR = "s1"
KEY_NAME = f"{SELECTOR}._domainkey.{DOMAIN}"

MAIL = (
    b"Received: from a by b\r\n"
    b"From: Ann <ann@firm.example>\r\n"
    b"To: desk@b.example\r\n"
    b"Subject: The  printer\r\n\tburns\r\n"
    b"Date: Mon, 3 Nov 2025 10:00:00 +0000\r\n"
    b"Content-Type: text/plain; charset=utf-8\r\n"
    b"\r\n"
    b"Hello  all \t\r\n\r\nthe printer burns.\r\n-- \r\nAnn\r\n\r\n\r\n"
)


@cache
def rsa_key(bits: int = 2048) -> rsa.RSAPrivateKey:
    """The same key for everyone who asks for this size."""
    return rsa.generate_private_key(65537, bits)


@cache
def ed25519_key() -> Ed25519PrivateKey:
    """The one key of this kind."""
    return Ed25519PrivateKey.generate()


def record(key: rsa.RSAPrivateKey | None = None, tags: str = "v=DKIM1; k=rsa; ") -> bytes:
    """What DNS says of the key."""
    der = (key or rsa_key()).public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return tags.encode() + b"p=" + base64.b64encode(der)


def ed25519_record() -> bytes:
    """What DNS says of the Ed25519 key (RFC 8463 section 4.2)."""
    raw = ed25519_key().public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
    return b"v=DKIM1; k=ed25519; p=" + base64.b64encode(raw)


def signed(
    mail: bytes = MAIL,
    key: rsa.RSAPrivateKey | None = None,
    form: str = "relaxed/relaxed",
    domain: str = DOMAIN,
    selector: str = SELECTOR,
    length: bool = False,
    algorithm: str = "rsa-sha256",
    headers: tuple[str, ...] | None = None,
) -> bytes:
    """The mail with a signature by dkimpy on top."""
    pem = (key or rsa_key()).private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption())
    header, _, body = form.partition("/")
    made = dkim.sign(
        mail,
        selector.encode(),
        domain.encode(),
        pem,
        canonicalize=(header.encode(), body.encode()),
        signature_algorithm=algorithm.encode(),
        include_headers=[name.encode() for name in headers] if headers else None,
        length=length,
    )
    return bytes(made) + mail


def signed_by_hand(tags: str, key: rsa.RSAPrivateKey | Ed25519PrivateKey, mail: bytes = MAIL) -> bytes:
    """The mail with a signature of relaxed form and these tags in front of its hashes; ``h=`` among them.

    Only for mails whose fields are on one line each and whose body is in canonical form.
    """
    head, _, body = mail.partition(b"\r\n\r\n")
    fields = dict(line.split(b": ", 1) for line in head.split(b"\r\n"))
    canonical = {name.decode().lower(): value for name, value in fields.items()}
    body_hash = base64.b64encode(hashlib.sha256(body).digest()).decode()
    own = f"{tags}; bh={body_hash}; b="
    names = dict(item.strip().split("=", 1) for item in tags.split(";"))["h"].split(":")
    # A name that comes again stands for a field that is not there.
    lines = [name.encode() + b":" + canonical.pop(name) + b"\r\n" for name in names if name in canonical]
    data = b"".join(lines) + b"dkim-signature:" + own.encode()
    if isinstance(key, Ed25519PrivateKey):
        signature = key.sign(hashlib.sha256(data).digest())
    else:
        signature = key.sign(data, padding.PKCS1v15(), hashes.SHA256())
    return f"DKIM-Signature: {own}".encode() + base64.b64encode(signature) + b"\r\n" + mail
