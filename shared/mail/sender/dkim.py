"""DKIM signatures (RFC 6376, RFC 8301, RFC 8463), verified for one question only: did this domain sign *these* words?

Stricter than the RFC where a valid signature would not answer that. Written here because dkimpy 1.1.8 needs time
that grows with the square of the mail: 40 KB of spaces keep it busy for two seconds, 1 MB for half an hour. The tests
sign with dkimpy and compare both. The arithmetic is that of ``cryptography``. Keys are looked up elsewhere.
"""

import base64
import binascii
import hashlib
import re
from collections import Counter
from dataclasses import dataclass, field
from typing import Literal

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.serialization import load_der_public_key

from shared.mail.sender.canonical import Form, RawField, canonical_body, canonical_field, split_mail
from shared.mail.sender.tags import read_tags

LEAST_BITS = 1024
"""Of an RSA key: RFC 8301 section 3.2."""

MOST_BITS = 8192
"""Of an RSA key. 4096 is the largest in use; more only costs time."""

MOST_EXPONENT_BITS = 32
"""Of an RSA key's public exponent. All in use are 65537 (17 bits) or less; a long one costs time."""

RECORD_BYTES = 4096
"""Of a key record. One of 8192 bits has 1.5 KB."""

FIELD_BYTES = 16 * 1024
"""Of one DKIM-Signature. Real ones have up to 2 KB."""

Outcome = tuple[Literal["pass", "fail", "none"], str]
"""As in ``verdict.DkimCheck``: the result, and why it is not "pass"."""

_PASS: Outcome = ("pass", "")
_DOMAIN = re.compile(r"(?=.{1,253}$)[a-z0-9_-]{1,63}(\.[a-z0-9_-]{1,63})+")
_SELECTOR = re.compile(r"(?=.{1,253}$)[a-z0-9_-]{1,63}(\.[a-z0-9_-]{1,63})*")
_NUMBER = re.compile(r"[0-9]{1,12}")
_SPACE = re.compile(r"\s+")
_FORMS: dict[str, tuple[Form, Form]] = {
    "": ("simple", "simple"),
    "simple": ("simple", "simple"),
    "relaxed": ("relaxed", "simple"),
    "simple/simple": ("simple", "simple"),
    "simple/relaxed": ("simple", "relaxed"),
    "relaxed/simple": ("relaxed", "simple"),
    "relaxed/relaxed": ("relaxed", "relaxed"),
}
_KEY_TYPES = {"rsa-sha256": "rsa", "ed25519-sha256": "ed25519"}
# What a reader takes only one of. A second field above the signed one would be shown instead of it.
_ONCE = frozenset(
    {
        "from",
        "sender",
        "reply-to",
        "to",
        "cc",
        "subject",
        "date",
        "message-id",
        "in-reply-to",
        "references",
        "mime-version",
        "content-type",
        "content-transfer-encoding",
    }
)


@dataclass(slots=True)
class Mail:
    """A mail as DKIM sees it. Each form of the body is hashed once."""

    fields: list[RawField]
    body: bytes
    hashes: dict[Form, bytes] = field(default_factory=dict)

    def body_hash(self, form: Form) -> bytes:
        """SHA-256 of the canonical body."""
        if form not in self.hashes:
            self.hashes[form] = hashlib.sha256(canonical_body(self.body, form)).digest()
        return self.hashes[form]


@dataclass(frozen=True, slots=True)
class Signature:
    """A DKIM-Signature field. ``refused``: why it proves nothing, whatever its key."""

    field: RawField
    tags: dict[str, str]
    domain: str
    selector: str
    refused: Outcome | None

    @property
    def key_name(self) -> str:
        """Where DNS has the key, as a TXT record."""
        return f"{self.selector}._domainkey.{self.domain}"


def read_mail(raw: bytes) -> Mail | None:
    """The mail, or None if its header is so malformed that readers would differ about it."""
    found = split_mail(raw)
    return Mail(*found) if found else None


def signatures(mail: Mail, now: int) -> list[Signature]:
    """The signatures, topmost first. ``now``: seconds since 1970, for those that end."""
    present = Counter(each.name for each in mail.fields)
    return [_signature(each, present, now) for each in mail.fields if each.name == "dkim-signature"]


def verify(mail: Mail, signature: Signature, record: bytes | None) -> Outcome:
    """Whether the mail is as signed. ``record``: the TXT record of ``key_name``; None if there is none."""
    if signature.refused:
        return signature.refused
    if record is None:
        return "fail", "no key"
    tags = signature.tags
    key = _key(record, tags)
    if isinstance(key, tuple):
        return key
    header_form, body_form = _FORMS[tags.get("c", "").lower()]
    if mail.body_hash(body_form) != _bytes(tags["bh"]):
        return "fail", "body altered"
    signed = _signed_header(mail, signature, header_form)
    written = _bytes(tags["b"]) or b""
    try:
        if isinstance(key, RSAPublicKey):
            key.verify(written, signed, PKCS1v15(), hashes.SHA256())
        else:
            key.verify(written, hashlib.sha256(signed).digest())  # RFC 8463 section 3: the hash is what is signed
    except InvalidSignature:
        return "fail", "header altered, or another key"
    return _PASS


def _signature(found: RawField, present: Counter[str], now: int) -> Signature:
    tags = read_tags(found.value) if len(found.raw) <= FIELD_BYTES else None
    domain, selector = ((tags or {}).get(name, "").lower() for name in ("d", "s"))
    if tags is None or not _DOMAIN.fullmatch(domain) or not _SELECTOR.fullmatch(selector):
        return Signature(found, {}, "", "", ("none", "signature unreadable"))
    return Signature(found, tags, domain, selector, _refusal(tags, domain, present, now))


def _refusal(tags: dict[str, str], domain: str, present: Counter[str], now: int) -> Outcome | None:
    algorithm = tags.get("a", "").lower()
    identity = tags.get("i", "@" + domain).lower().rpartition("@")[2]
    numbers = [tags[name] for name in ("t", "x") if name in tags]
    signed = Counter(_signed_names(tags))
    if algorithm == "rsa-sha1":
        return "fail", "SHA-1"  # RFC 8301 section 3.1
    if (
        tags.get("v") != "1"
        or algorithm not in _KEY_TYPES
        or tags.get("c", "").lower() not in _FORMS
        or "dns/txt" not in tags.get("q", "dns/txt").lower().split(":")
        or not all(_NUMBER.fullmatch(number) for number in numbers)
        or _bytes(tags.get("bh", "")) is None
        or _bytes(tags.get("b", "")) is None
    ):
        return "none", "signature of an unknown kind"
    if identity != domain and not identity.endswith("." + domain):
        return "fail", "i= is not below d="
    if "l" in tags:
        return "none", "l= signs only the beginning of the body"
    if "x" in tags and int(tags["x"]) < now:
        return "fail", "expired"
    if not signed["from"]:
        return "fail", "From not signed"
    if present["subject"] and not signed["subject"]:
        return "none", "Subject not signed"
    if any(present[name] > signed[name] for name in _ONCE & set(signed)):
        return "fail", "a second field of a kind was added"
    return None


def _signed_names(tags: dict[str, str]) -> list[str]:
    return [name.strip().lower() for name in tags.get("h", "").split(":")]


def _signed_header(mail: Mail, signature: Signature, form: Form) -> bytes:
    """What ``b=`` signs (RFC 6376 section 3.7): the fields named by ``h=``, each the lowest not yet taken, and the
    signature itself without its ``b=``."""
    waiting: dict[str, list[RawField]] = {}
    for each in mail.fields:
        waiting.setdefault(each.name, []).append(each)
    names = _signed_names(signature.tags)
    chosen = [waiting[name].pop() for name in names if waiting.get(name)]
    items = signature.field.raw.split(b";")
    name, colon, items[0] = items[0].partition(b":")
    items = [item.partition(b"=")[0] + b"=" if item.partition(b"=")[0].strip() == b"b" else item for item in items]
    own = RawField(signature.field.name, name + colon + b";".join(items))
    return b"".join(canonical_field(each, form) for each in chosen) + canonical_field(own, form).removesuffix(b"\r\n")


def _key(record: bytes, signature: dict[str, str]) -> RSAPublicKey | Ed25519PublicKey | Outcome:
    """The key of a TXT record (RFC 6376 section 3.6.1) for this signature; or why there is none."""
    tags = read_tags(record.decode("ascii", "replace")) if len(record) <= RECORD_BYTES else None
    if tags is None or "p" not in tags or tags.get("v", "DKIM1") != "DKIM1":
        return "none", "key unreadable"
    kind = tags.get("k", "rsa").lower()
    flags = _words(tags.get("t", ""))
    if not _SPACE.sub("", tags["p"]):
        return "fail", "key revoked"
    if "y" in flags:
        return "none", "key says t=y: only testing"
    if kind != _KEY_TYPES[signature["a"].lower()]:
        return "fail", "key of another kind"
    if not {"*", "email"} & set(_words(tags.get("s", "*"))) or "sha256" not in _words(tags.get("h", "sha256")):
        return "fail", "key not for this use"
    identity = signature.get("i", "").lower().rpartition("@")[2]
    if "s" in flags and identity and identity != signature["d"].lower():
        return "fail", "key says t=s: i= is below d="
    return _load(_bytes(tags["p"]) or b"", kind)


def _words(text: str) -> list[str]:
    return [word.strip().lower() for word in text.split(":")]


def _load(data: bytes, kind: str) -> RSAPublicKey | Ed25519PublicKey | Outcome:
    try:
        if kind == "ed25519":
            return Ed25519PublicKey.from_public_bytes(data)
        key = load_der_public_key(data)
    except (ValueError, UnsupportedAlgorithm):
        return "none", "key unreadable"
    if not isinstance(key, RSAPublicKey):
        return "none", "key unreadable"
    if key.key_size < LEAST_BITS:
        return "fail", f"key of {key.key_size} bits is too short"
    if key.key_size > MOST_BITS or key.public_numbers().e.bit_length() > MOST_EXPONENT_BITS:
        return "none", "key too large"
    return key


def _bytes(text: str) -> bytes | None:
    """Base64, folded or not; None if it is none, or of nothing."""
    try:
        return base64.b64decode(_SPACE.sub("", text), validate=True) or None
    except (binascii.Error, ValueError):
        return None
