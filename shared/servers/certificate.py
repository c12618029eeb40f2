"""Why a server's certificate is refused, with what it says of itself: its dates, its names, who issued it.

What a certificate says is a stranger's text: only names and dates that look like such are shown.
"""

from __future__ import annotations

import re
import ssl

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.x509.oid import NameOID

from shared.errors import CertificateRefused

MOST_NAMES = 3
"""Names of a certificate that an error shows; some have a hundred."""

_NAME = re.compile(r"(\*\.)?[A-Za-z0-9_-]{1,63}(\.[A-Za-z0-9_-]{1,63}){0,8}")
_ISSUER = re.compile(r"[\w .,&'()#+/-]{1,60}")

_PUBLIC = "Ask the server's operator for a certificate of a public authority (there are free ones)"
_NO_WAY_AROUND = "Until then no mail is fetched, because anybody could pretend to be this server."


def refused(error: ssl.SSLCertVerificationError, host: str, seen: bytes | None = None) -> CertificateRefused:
    """Our error by OpenSSL's verify code (x509_vfy.h). ``seen``: the certificate (DER), where it could be had."""
    leaf = _read(seen)
    code = getattr(error, "verify_code", 0)
    what, fix = {
        9: _not_yet,
        10: _expired,
        18: _self_made,
        19: _unknown_authority,
        20: _unknown_authority,
        21: _unknown_authority,
        62: _other_name,
        64: _other_name,
    }.get(code, _untrusted)(leaf)
    return CertificateRefused(f"The certificate of {host} {what}.", fix, field="host" if code in (62, 64) else "")


def _read(seen: bytes | None) -> x509.Certificate | None:
    try:
        return x509.load_der_x509_certificate(seen) if seen else None
    except ValueError:
        return None


def _expired(leaf: x509.Certificate | None) -> tuple[str, str]:
    when = f" on {leaf.not_valid_after_utc:%Y-%m-%d}" if leaf else ""
    return f"has expired{when}", f"Ask the server's operator to renew it. {_NO_WAY_AROUND}"


def _not_yet(leaf: x509.Certificate | None) -> tuple[str, str]:
    when = f": it begins on {leaf.not_valid_before_utc:%Y-%m-%d}" if leaf else ""
    return f"is not valid yet{when}", (
        "Ask the server's operator for one that is valid now. If that day is past already, the clock of this service "
        "is wrong: tell its administrator."
    )


def _self_made(leaf: x509.Certificate | None) -> tuple[str, str]:
    mark = f" (its SHA-256 is {leaf.fingerprint(hashes.SHA256()).hex()})" if leaf else ""
    return "was made by the server itself, and nobody vouches for it", (
        f"{_PUBLIC}; or the administrator of this service trusts exactly this one{mark} by MAIL_CA_FILE."
    )


def _unknown_authority(leaf: x509.Certificate | None) -> tuple[str, str]:
    issuer = f" ({found})" if (found := _issuer(leaf)) else ""
    return (
        f"comes from an authority{issuer} that is not known here, or the server forgot its intermediate certificate",
        f"{_PUBLIC}, with all intermediate certificates installed; or the administrator of this service adds that "
        "authority by MAIL_CA_FILE.",
    )


def _other_name(leaf: x509.Certificate | None) -> tuple[str, str]:
    names = _names(leaf)
    if not names:
        return "is for another name", "Use the name that the certificate is for as server name."
    usable = next((name for name in names if not name.startswith("*")), "")
    shown = ", ".join(names[:MOST_NAMES])
    if usable:
        return f"is for another name: {shown}", f"If that is your provider's server, use {usable} as server name."
    return f"is for another name: {shown}", "Use a server name that matches it; your provider's help pages name it."


def _untrusted(leaf: x509.Certificate | None) -> tuple[str, str]:
    return "cannot be trusted", f"{_PUBLIC}. {_NO_WAY_AROUND}"


def _names(leaf: x509.Certificate | None) -> list[str]:
    if leaf is None:
        return []
    try:
        found = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        names = found.get_values_for_type(x509.DNSName)
    except (x509.ExtensionNotFound, ValueError):
        return []
    return [name.lower() for name in names if _NAME.fullmatch(name)]


def _issuer(leaf: x509.Certificate | None) -> str:
    if leaf is None:
        return ""
    for kind in (NameOID.COMMON_NAME, NameOID.ORGANIZATION_NAME):
        for one in leaf.issuer.get_attributes_for_oid(kind):
            if isinstance(one.value, str) and _ISSUER.fullmatch(one.value):
                return one.value
    return ""
