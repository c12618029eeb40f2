"""What Entra ID answers when it gives no token, in words of who must do what.

Microsoft's numbers (AADSTS…) "should never be used by the client, they change": ``error`` and ``suberror`` decide who
must act, the number only chooses better words. Its text is never shown: it names accounts, and may quote input.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from shared.errors import ConsentNeeded, InboundError, LoginRefused, ProtocolViolation, SecretExpired, Unreachable

_GUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.I)
_NUMBER = re.compile(r"AADSTS(\d{4,8})")
_TRACE = re.compile(r"[0-9A-Za-z-]{8,64}")
_NAME = re.compile(r"[A-Za-z_]{3,60}")

_CONSENT = "An administrator of your Microsoft 365 opens Entra > Enterprise applications > the app > Permissions"

_CLIENT_ID = "<Client ID>"
_ADD = (
    "an administrator of your Microsoft 365 opens Entra > App registrations > the app > API permissions and chooses "
    "Grant admin consent; or, for an app of another tenant, opens "
    f"https://login.microsoftonline.com/organizations/adminconsent?client_id={_CLIENT_ID} and accepts."
)


@dataclass(frozen=True, slots=True)
class _Words:
    """An error class with a sentence, what to do, and the setting to blame."""

    kind: type[InboundError]
    message: str
    fix: str
    field: str = ""


_TENANT_UNKNOWN = _Words(
    LoginRefused,
    "Microsoft knows no tenant of this Tenant ID.",
    "Copy the Directory (tenant) ID from Entra > Overview. Tenants of a government or China cloud are known only to "
    "that cloud: the administrator of this service sets it.",
    "tenant_id",
)
_SECRET_WRONG = _Words(
    LoginRefused,
    "Microsoft does not accept the client secret.",
    "Paste the secret's Value from Entra > App registrations > the app > Certificates & secrets, not its Secret ID. "
    "The value is shown only once: make a new secret if it is lost.",
    "client_secret",
)
_SECRET_EXPIRED = _Words(
    SecretExpired,
    "The client secret has expired.",
    "Make a new one in Entra > App registrations > the app > Certificates & secrets, and paste its Value here.",
    "client_secret",
)
_APP_UNKNOWN = _Words(
    LoginRefused,
    "This tenant has no app with this Client ID.",
    "Copy the Application (client) ID from Entra > App registrations > the app, not its Object ID. If it is right, the "
    f"app is of another tenant and not added to this one yet: {_ADD}",
    "client_id",
)
_APP_WITHOUT_CONSENT = _Words(
    ConsentNeeded, "The app has not been added to this tenant yet.", _ADD[0].upper() + _ADD[1:]
)
_CONSENT_MISSING = _Words(
    ConsentNeeded,
    "Nobody has allowed the app to read this mailbox yet.",
    f"{_CONSENT} and chooses Grant admin consent; or sign in with Microsoft again and accept.",
)
_SIGNED_OUT = _Words(
    ConsentNeeded,
    "The sign-in with Microsoft has ended: the password changed, it was revoked, or it was unused for long.",
    "Open the mailbox's settings and sign in with Microsoft again.",
)
_POLICY = _Words(
    ConsentNeeded,
    "Microsoft asks the account to prove itself again, or a Conditional Access policy stops it.",
    "Sign in with Microsoft again. If it stays so, an administrator checks Entra > Protection > Conditional Access.",
)
_NOT_IN_TENANT = _Words(
    ConsentNeeded,
    "The account that signed in does not belong to this tenant.",
    "Sign in with an account of the tenant whose Tenant ID is in the settings, or correct the Tenant ID.",
    "email",
)
_REDIRECT = _Words(
    LoginRefused,
    "The app does not know the address that Microsoft is to send the browser back to.",
    "Add this service's callback address under Entra > App registrations > the app > Authentication > Web.",
)
_CANCELLED = _Words(
    ConsentNeeded, "The sign-in with Microsoft was cancelled; nothing changed.", "Start it again when you are ready."
)
_CERTIFICATE = _Words(
    LoginRefused,
    "Microsoft does not accept the certificate or federated credential of the app.",
    "Upload the certificate, or add the federated credential, under Entra > App registrations > the app > "
    "Certificates & secrets.",
    "client_secret",
)
_CLIENT_REFUSED = _Words(
    LoginRefused,
    "Microsoft does not accept the app's credentials.",
    "Check Client ID, Tenant ID and client secret against Entra > App registrations > the app.",
    "client_secret",
)
_SIGN_IN_REFUSED = _Words(
    LoginRefused,
    "Microsoft refused the sign-in.",
    "Check the app in Entra > App registrations; the number and trace given here help Microsoft's support to find why.",
    "client_id",
)
_SCOPE_REFUSED = _Words(
    ProtocolViolation,
    "Microsoft does not know the permission that was asked for.",
    "The administrator of this service checks that sign-in address and Graph address are of the same cloud.",
)

_BY_NUMBER = {
    7000215: _SECRET_WRONG,
    7000222: _SECRET_EXPIRED,
    700016: _APP_UNKNOWN,
    7000229: _APP_WITHOUT_CONSENT,
    700027: _CERTIFICATE,
    700211: _CERTIFICATE,
    700212: _CERTIFICATE,
    700213: _CERTIFICATE,
    90002: _TENANT_UNKNOWN,
    900023: _TENANT_UNKNOWN,
    50059: _TENANT_UNKNOWN,
    500011: _APP_WITHOUT_CONSENT,
    65001: _CONSENT_MISSING,
    65004: _CANCELLED,
    90094: _CONSENT_MISSING,
    50011: _REDIRECT,
    50020: _NOT_IN_TENANT,
    50034: _NOT_IN_TENANT,
    16000: _NOT_IN_TENANT,
    50076: _POLICY,
    50079: _POLICY,
    50158: _POLICY,
    53003: _POLICY,
    530031: _POLICY,
    50173: _SIGNED_OUT,
    700082: _SIGNED_OUT,
    70043: _SIGNED_OUT,
    70008: _SIGNED_OUT,
    70000: _SIGNED_OUT,
}

_BY_ERROR = {
    "invalid_client": _CLIENT_REFUSED,
    "unauthorized_client": _APP_UNKNOWN,
    "invalid_tenant": _TENANT_UNKNOWN,
    "invalid_grant": _SIGNED_OUT,
    "interaction_required": _POLICY,
    "login_required": _SIGNED_OUT,
    "consent_required": _CONSENT_MISSING,
    "access_denied": _CANCELLED,
    "invalid_resource": _APP_WITHOUT_CONSENT,
    "invalid_scope": _SCOPE_REFUSED,
}

_BY_SUBERROR = {
    "consent_required": _CONSENT_MISSING,
    "basic_action": _POLICY,
    "additional_action": _POLICY,
    "bad_token": _SIGNED_OUT,
    "token_expired": _SIGNED_OUT,
}

TRANSIENT = ("temporarily_unavailable", "server_error")
"""``error`` values that judge nothing (RFC 6749 4.1.2.1)."""


def refusal(answer: Mapping[str, Any], client_id: str = "") -> InboundError:
    """Our error for an error answer (RFC 6749 5.2) of Entra's. ``client_id``: of the refused app, for a link."""
    error = str(answer.get("error") or "")
    number = _number(answer)
    reference = _reference(error, number, answer)
    if error in TRANSIENT:
        return Unreachable(
            f"Microsoft's sign-in does not work just now{reference}.",
            "The next poll tries again; nothing was judged about your settings.",
        )
    words = _choose(error, str(answer.get("suberror") or ""), number)
    return words.kind(
        f"{words.message.removesuffix('.')}{reference}.", _filled(words.fix, client_id), field=words.field
    )


def _filled(fix: str, client_id: str) -> str:
    return fix.replace(_CLIENT_ID, client_id) if _GUID.fullmatch(client_id) else fix


def _choose(error: str, suberror: str, number: int) -> _Words:
    by_error = _BY_ERROR.get(error, _SIGN_IN_REFUSED)
    by_suberror = _BY_SUBERROR.get(suberror, by_error)
    better = _BY_NUMBER.get(number, by_suberror)
    # Whoever must act according to ``error`` stays the one; a number alone never turns a dead grant, which a person
    # can mend by signing in, into a wrong setting.
    if error in ("invalid_grant", "interaction_required", "login_required", "consent_required"):
        return better if better.kind is ConsentNeeded else by_suberror
    return better


def _number(answer: Mapping[str, Any]) -> int:
    codes = answer.get("error_codes")
    if isinstance(codes, list) and codes and isinstance(codes[0], int):
        return codes[0]
    found = _NUMBER.search(str(answer.get("error_description") or ""))
    return int(found.group(1)) if found else 0


def _reference(error: str, number: int, answer: Mapping[str, Any]) -> str:
    """What Microsoft's support asks for."""
    parts = [f"AADSTS{number}" if number else error if _NAME.fullmatch(error) else ""]
    for name in ("trace_id", "correlation_id"):
        value = str(answer.get(name) or "")
        parts.append(f"{name.replace('_id', '')} {value}" if _TRACE.fullmatch(value) else "")
    said = ", ".join(part for part in parts if part)
    return f" ({said})" if said else ""
