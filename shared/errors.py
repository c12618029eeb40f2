"""Every error that crosses a seam, by who must act.

    InboundError                    code, message (a tenant understands it), fix (what to do)
    ├── SettingsError               the tenant acts; never retried; Test Settings shows it word for word
    │   ├── HostNotFound            the server's name does not exist
    │   ├── CertificateRefused      the server's certificate cannot be trusted
    │   ├── TlsRequired             the server does not offer the encryption that was asked for
    │   ├── LoginRefused            user name, password or app credential not accepted
    │   ├── ConsentNeeded           somebody must sign in at Microsoft (again) or grant consent there
    │   ├── SecretExpired           the app's client secret or certificate has ended
    │   ├── MailboxNotFound         no mailbox of that address
    │   ├── AccessDenied            signed in, but not allowed to open this mailbox
    │   ├── SignInNotOffered        the server knows no OAuth 2.0
    │   ├── SecretLost              the stored password cannot be read any more
    │   ├── FolderNotFound          no folder of that name
    │   ├── WrongServer             something answers there, but no mail server of the chosen type
    │   ├── ServerUnfit             it lacks what it takes to take in each mail once
    │   └── AddressForbidden        the server's address is one this service may not reach
    ├── ServerError                 the far side or the road; the next poll tries again; carries retry_after
    │   ├── Unreachable             no connection, or it broke
    │   ├── TimedOut                no answer in time
    │   ├── Throttled               asked to wait
    │   ├── MailRefused             this one mail is not handed over; the connection is fine
    │   ├── NotSent                 the outgoing server did not take a mail, or nobody knows whether it did
    │   └── ProtocolViolation       an answer that makes no sense
    ├── StoreError                  our own storage; the queue or the timer tries again
    │   ├── StoreUnavailable        it did not answer, or refused for now
    │   ├── RowChanged              somebody was faster: read again, decide again
    │   └── TooLarge                more than one row or one commit may hold: a bug of ours
    └── CallerError                 the HTTP caller acts; becomes 4xx problem+json (RFC 9457)
        ├── NotSignedIn             401
        ├── NotAllowed              403
        ├── NotFound                404
        ├── Conflict                409, 412
        ├── TooManyRequests         429, says when to try again
        └── Invalid                 422, names the fields

A bad message is never an error, and an outcome (held, discarded, duplicate) is a value. Anything that is not an
``InboundError`` is a bug of ours: it propagates, the queue tries again, then the row says ``failed``.
"""

from __future__ import annotations

from typing import ClassVar


class InboundError(Exception):
    """Base of the tree; not raised itself.

    ``message`` and ``fix`` are whole sentences that may be shown to a tenant: they hold no secret, no mail
    content and no text of a library. ``field``: the setting to blame; empty where none is, None where ``code`` says it.
    """

    code: ClassVar[str] = "error"

    def __init__(self, message: str, fix: str = "", *, field: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.fix = fix
        self.field = field


class SettingsError(InboundError):
    """What the tenant configured does not work; trying again without a change is useless."""

    code = "settings"


class HostNotFound(SettingsError):
    """DNS knows no such name."""

    code = "host_not_found"


class CertificateRefused(SettingsError):
    """The TLS certificate is expired, self-made, of an unknown issuer or for another name."""

    code = "certificate_refused"


class TlsRequired(SettingsError):
    """Encryption was asked for and the server does not offer it there (RFC 8314)."""

    code = "tls_required"


class LoginRefused(SettingsError):
    """The server refused the user name and password."""

    code = "login_refused"


class ConsentNeeded(SettingsError):
    """A person must sign in at Microsoft (again), or an administrator must grant consent there."""

    code = "consent_needed"


class SecretExpired(SettingsError):
    """The client secret or certificate of the app has ended."""

    code = "secret_expired"


class MailboxNotFound(SettingsError):
    """There is no mailbox of the configured address on that server."""

    code = "mailbox_not_found"


class AccessDenied(SettingsError):
    """The sign-in worked, but it does not open this mailbox, or not for what is to be done."""

    code = "access_denied"


class SignInNotOffered(SettingsError):
    """OAuth 2.0 was chosen and the server offers no such way to log in."""

    code = "sign_in_not_offered"


class SecretLost(SettingsError):
    """A stored secret does not open: its key changed, or it was moved."""

    code = "secret_lost"


class FolderNotFound(SettingsError):
    """The configured folder does not exist."""

    code = "folder_not_found"


class WrongServer(SettingsError):
    """Another kind of server answers at this place: POP3 for IMAP, SMTP, a web server."""

    code = "wrong_server"


class ServerUnfit(SettingsError):
    """The server speaks the protocol, but cannot tell mails apart (no UIDL, no UIDVALIDITY)."""

    code = "server_unfit"


class AddressForbidden(SettingsError):
    """The host resolves to an address that tenants may not reach (loopback, private, metadata)."""

    code = "address_forbidden"


class ServerError(InboundError):
    """The mail server or the way to it failed; ``retry_after`` is in seconds where the server said so."""

    code = "server"

    def __init__(
        self, message: str, fix: str = "", retry_after: float | None = None, *, field: str | None = None
    ) -> None:
        super().__init__(message, fix, field=field)
        self.retry_after = retry_after


class Unreachable(ServerError):
    """No connection, or it broke in the middle."""

    code = "unreachable"


class TimedOut(ServerError):
    """No answer within our time limit."""

    code = "timed_out"


class Throttled(ServerError):
    """The server asks for fewer requests or connections."""

    code = "throttled"


class MailRefused(ServerError):
    """The server lists a mail and does not hand it over; others may well come."""

    code = "mail_refused"


class NotSent(ServerError):
    """A mail that the outgoing server did not take.

    ``permanent``: trying again is useless; ``status``: the server's enhanced status code, such as "5.1.1" (RFC 3463),
    empty where it gave none; ``in_doubt``: the connection was lost between the end of the mail and the answer, so that
    it may well have been sent, and must not be sent again without asking.
    """

    code = "not_sent"

    def __init__(
        self,
        message: str,
        fix: str = "",
        retry_after: float | None = None,
        *,
        permanent: bool = False,
        status: str = "",
        in_doubt: bool = False,
        field: str | None = None,
    ) -> None:
        super().__init__(message, fix, retry_after, field=field)
        self.permanent = permanent
        self.status = status
        self.in_doubt = in_doubt


class ProtocolViolation(ServerError):
    """The server said something that the protocol does not allow."""

    code = "protocol_violation"


class StoreError(InboundError):
    """Our own storage."""

    code = "store"


class StoreUnavailable(StoreError):
    """Storage did not answer or refused for now; whether a write happened is unknown: read again."""

    code = "store_unavailable"


class RowChanged(StoreError):
    """A row was there already, or is not as it was read: read again and decide again.

    It may even be our own write whose answer was lost, so it never means "failed".
    """

    code = "row_changed"


class TooLarge(StoreError):
    """A row over 1 MiB or 252 properties, or a commit over 100 operations or 4 MiB."""

    code = "too_large"


class CallerError(InboundError):
    """The HTTP caller did something that cannot be done; ``status`` is the HTTP status (RFC 9110)."""

    code = "caller"
    status: ClassVar[int] = 400


class NotSignedIn(CallerError):
    """No credential, or one that is not valid (any more)."""

    code = "not_signed_in"
    status = 401


class NotAllowed(CallerError):
    """The credential is valid, but not for this."""

    code = "not_allowed"
    status = 403


class NotFound(CallerError):
    """There is no such thing for this caller; another tenant's things do not exist either."""

    code = "not_found"
    status = 404


class Conflict(CallerError):
    """What is there does not allow it, or somebody changed it meanwhile."""

    code = "conflict"
    status = 409


class TooManyRequests(CallerError):
    """More than this caller may ask for in a while; ``retry_after``: seconds until the next request is taken."""

    code = "too_many_requests"
    status = 429

    def __init__(self, message: str, fix: str, retry_after: int) -> None:
        super().__init__(message, fix)
        self.retry_after = retry_after


class Invalid(CallerError):
    """The input is wrong; ``errors`` names each field and says what to do."""

    code = "invalid"
    status = 422

    def __init__(self, errors: list[tuple[str, str]]) -> None:
        super().__init__(errors[0][1] if len(errors) == 1 else "Some fields need another value.")
        self.errors = errors
