"""Microsoft Graph as a ``Courier`` (Office 365): ``sendMail`` with the whole mail as MIME
(learn.microsoft.com/graph/outlook-send-mime-message).

JSON cannot carry In-Reply-To or Auto-Submitted; MIME can. A mail must not be posted twice, so nothing is tried again in
here but a request whose token was refused; an answer that is lost leaves the mail in doubt.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, Self

import requests
import urllib3
from requests.auth import AuthBase

from shared.errors import (
    AccessDenied,
    InboundError,
    LoginRefused,
    MailboxNotFound,
    NotSent,
    ServerError,
    SettingsError,
    Throttled,
)
from shared.mail.address import parse_addresses
from shared.mail.header import read_block
from shared.ports import NOBODY, Sent, Watch
from shared.servers import https
from shared.servers.cloud import Cloud
from shared.servers.graph_folders import segment
from shared.servers.smtp_wire import wire_form
from shared.servers.token import claims_of
from shared.servers.words import duration

REQUEST_BYTES = 4 * 1024 * 1024
"""Of one request to Graph (learn.microsoft.com/graph/throttling-limits speaks of 4 MB): about 3 MB of mail."""

ANSWER_BYTES = 1024 * 1024
"""Of an answer; an error has some hundred bytes, a proxy's page some thousand."""

SEND_SECONDS = 120
"""For the answer: Exchange takes a mail in before it says 202."""

MAY_SEND = frozenset({"Mail.Send", "Mail.Send.Shared"})

CANNOT_BE_PROVED = (
    "The token does not say what the app may do, as is usual with RBAC for Applications: whether it may send shows "
    "only when a mail is sent."
)

_WORD = re.compile(r"[A-Za-z0-9_.-]{1,80}")
_NO_MAILBOX = frozenset(
    {"ErrorInvalidUser", "ErrorNonExistentMailbox", "MailboxNotEnabledForRESTAPI", "ResourceNotFound"}
)
_NO_RECIPIENT = frozenset({"ErrorInvalidRecipients", "ErrorRecipientNotFound"})
_TOO_BIG = frozenset({"ErrorMessageSizeExceeded", "RequestEntityTooLarge", "ErrorRequestSizeExceeded"})
_NOT_AS = frozenset({"ErrorSendAsDenied", "ErrorSendOnBehalfOfDenied"})

_NOT_THERE_YET = (
    urllib3.exceptions.NewConnectionError,
    urllib3.exceptions.ConnectTimeoutError,
    urllib3.exceptions.ProxyError,
    urllib3.exceptions.SSLError,
)
"""What goes wrong before a request leaves."""


class _Bearer(AuthBase):
    """Without an ``auth``, requests would take a password from .netrc instead."""

    def __init__(self, token: str) -> None:
        self._token = token

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        request.headers["Authorization"] = f"Bearer {self._token}"
        return request


class GraphCourier:
    """``ports.Courier`` on an Exchange Online mailbox.

    Graph knows no envelope: the sender is the mailbox, and the recipients are those that the mail names in To, Cc and
    Bcc. So they must be the same; what is missing is added as Bcc, which Exchange takes out again.
    """

    def __init__(
        self,
        mailbox_address: str,
        token: Callable[[bool], str],
        cloud: Cloud,
        now: Callable[[], datetime],
        watch: Watch = NOBODY,
    ) -> None:
        """``token(force)``: an access token; ``force`` when Graph refused the last one."""
        self._address = mailbox_address
        self._url = f"{cloud.graph}/users/{segment(mailbox_address)}/sendMail"
        self._token = token
        self._now = now
        self._watch = watch
        self._session = https.session()

    def __enter__(self) -> Self:
        """Nothing is asked yet."""
        return self

    def __exit__(self, *exception: object) -> None:
        self._session.close()

    def may_send(self) -> None:
        """See ``ports.Courier.may_send``. What was granted is in the token; a scoped app's token may say nothing."""
        self._watch.step("token")
        value = self._token(False)
        self._watch.secret(value)
        self._watch.step("permission")
        claims = claims_of(value)
        roles, scopes = _words(claims.get("roles")), _words(claims.get("scp"))
        if (roles | scopes) & MAY_SEND:
            self._watch.note("The token carries the permission to send mail.")
        elif not roles and not scopes:
            self._watch.note(CANNOT_BE_PROVED)
        else:
            raise _no_permission(by_person=bool(scopes), reference="")

    def send(self, message: bytes, sender: str, recipients: Sequence[str]) -> Sent:
        """See ``ports.Courier.send``. The answer is always about all recipients."""
        if not recipients:
            raise ValueError("a mail without recipients")
        body = base64.b64encode(_addressed(wire_form(message), recipients))
        if len(body) > REQUEST_BYTES:
            raise _too_big("")
        self._watch.step("token")
        self._watch.step("send")
        response, reference = self._post(body, renew=False)
        if response.status_code == 401:
            response, reference = self._post(body, renew=True)
        if response.status_code == 202:
            return Sent({}, f"202{reference}")
        raise self._refused(response, reference)

    def _post(self, body: bytes, renew: bool) -> tuple[_Reply, str]:
        value = self._token(renew)
        self._watch.secret(value)
        self._watch.sent(b"POST /users/.../sendMail (%d bytes)" % len(body))
        try:
            with self._session.post(
                self._url,
                data=body,
                headers={"Content-Type": "text/plain", "Accept": "application/json"},
                auth=_Bearer(value),
                timeout=(https.CONNECT_SECONDS, SEND_SECONDS),
                allow_redirects=False,
                stream=True,
            ) as response:
                # From here on the status is known: a body that breaks off takes nothing of that away.
                reply = _Reply(response, _body(response))
        except (requests.RequestException, urllib3.exceptions.HTTPError, OSError) as error:
            failed = https.translated(error) if _never_left(error) else _in_doubt("")
            self._watch.note(failed.message)
            raise failed from None
        self._watch.received(f"{reply.status_code}{reply.reference}".encode())
        return reply, reply.reference

    def _refused(self, reply: _Reply, reference: str) -> InboundError:
        status, code = reply.status_code, reply.code
        if status in (429, 503):
            wait = https.retry_after(reply.headers, self._now())
            return Throttled(
                f"Microsoft 365 asks to wait{f' {duration(wait)}' if wait else ''}{reference}.",
                "It is tried again by itself.",
                retry_after=wait,
            )
        if status >= 500:
            return _in_doubt(reference)  # the part that failed may stand behind the one that sends
        if status == 413 or code in _TOO_BIG:
            return _too_big(reference)
        return self._not_allowed(status, code, reference) or NotSent(
            f"Microsoft 365 does not take this mail{reference}.",
            "Check the recipients' addresses." if code in _NO_RECIPIENT else "Tell whoever runs this service.",
            permanent=status >= 400 and status != 408,
        )

    def _not_allowed(self, status: int, code: str, reference: str) -> InboundError | None:
        if code in _NOT_AS:
            return NotSent(
                f"Microsoft 365 does not let this app send as the mail's sender{reference}.",
                "The sender must be the mailbox itself, or an address that it has the right Send As for (Exchange "
                "admin center > Mailboxes > Delegation).",
                permanent=True,
                field="email",
            )
        if status == 401:
            return LoginRefused(
                f"Microsoft Graph does not accept the token that Microsoft's sign-in gave{reference}.",
                "Token and Graph may be of different clouds: check the Tenant ID, and in Entra > Sign-in logs that "
                "nothing blocks the app.",
                field="tenant_id",
            )
        if code in _NO_MAILBOX:
            return MailboxNotFound(
                f"There is no Exchange Online mailbox of this address{reference}.",
                "Check the address for typing errors. The mailbox needs a licence, or must be a shared mailbox.",
            )
        if status == 403:
            return self._denied(reference)
        return None

    def _denied(self, reference: str) -> SettingsError:
        """403 sounds the same for a missing permission and for a mailbox that the app may not use; the token tells."""
        claims = claims_of(self._token(False))
        roles, scopes = _words(claims.get("roles")), _words(claims.get("scp"))
        if not (roles | scopes) & MAY_SEND:
            return _no_permission(bool(scopes), reference)
        if scopes:
            return AccessDenied(
                f"The account that signed in may not send from this mailbox{reference}.",
                "Sign in with the mailbox's own account; or give the account the right Send As to the mailbox in the "
                "Exchange admin center > Mailboxes > Delegation.",
                field="email",
            )
        return AccessDenied(
            f"The app may not send from this mailbox: it is limited to other mailboxes{reference}.",
            "In Exchange Online, add the mailbox to the group of the app's access policy, or to the scope of its role "
            "assignment (Application Mail.Send). That takes over an hour to act.",
            field="email",
        )


class _Reply:
    """An answer of Graph's. Its own words end here: ``code`` and the request's id only as they are meant to look."""

    def __init__(self, response: requests.Response, body: bytes) -> None:
        self.status_code = response.status_code
        self.headers: Mapping[str, str] = response.headers
        error: Any = (https.json_object(body) or {}).get("error") if response.status_code >= 400 else None
        error = error if isinstance(error, dict) else {}
        inner = error.get("innerError")
        self.code = _word(error.get("code"))
        id = _word((inner.get("request-id") if isinstance(inner, dict) else "") or response.headers.get("request-id"))
        said = ", ".join(part for part in (self.code, f"request {id}" if id else "") if part)
        self.reference = f" ({said or f'HTTP {response.status_code}'})"


def _body(response: requests.Response) -> bytes:
    try:
        return https.read(response, ANSWER_BYTES, SEND_SECONDS) or b""
    except (InboundError, requests.RequestException, urllib3.exceptions.HTTPError, OSError):
        return b""


def _addressed(message: bytes, recipients: Sequence[str]) -> bytes:
    """The mail, naming exactly these recipients. Raises ``NotSent`` when it names more: they would get it, too."""
    fields = read_block(message, 0).fields
    named = {one.key for one in parse_addresses(f.value for f in fields if f.name.lower() in ("to", "cc", "bcc"))}
    wanted = {one.lower() for one in recipients}
    if named - wanted:
        raise NotSent(
            "Microsoft 365 sends a mail to everybody whom it names, and some of them are not to get it.",
            "Name only the recipients in To and Cc.",
            permanent=True,
        )
    missing = list(dict.fromkeys(one for one in recipients if one.lower() not in named))
    if any(re.search(r"[\x00-\x20,;<>\x7f]", one) for one in missing):
        raise NotSent("A recipient's address is none that mail can be sent to.", "Correct it.", permanent=True,
                      status="5.1.3")  # fmt: skip
    # One line each: a line may have 998 characters (RFC 5322, 2.1.1), and one field may have several lines.
    bcc = ",\r\n ".join(missing)
    return f"Bcc: {bcc}\r\n".encode() + message if missing else message


def _words(claim: object) -> set[str]:
    """Roles are a list, scopes a text with blanks."""
    if isinstance(claim, str):
        return set(claim.split())
    return {str(one) for one in claim} if isinstance(claim, list) else set()


def _word(value: Any) -> str:
    return value if isinstance(value, str) and _WORD.fullmatch(value) else ""


def _never_left(error: Exception) -> bool:
    """Whether the request had not begun: only then it is sure that no mail was sent."""
    if isinstance(error, (requests.ConnectTimeout, requests.exceptions.SSLError, requests.exceptions.ProxyError)):
        return True
    return any(isinstance(one, _NOT_THERE_YET) for one in _causes(error))


def _causes(error: BaseException) -> Iterator[BaseException]:
    """The error and what it wraps, as urllib3 (``reason``) and requests (first argument) do it."""
    waiting: list[object] = [error]
    for _ in range(10):  # they are nested three deep
        if not waiting or not isinstance(one := waiting.pop(), BaseException):
            return
        yield one
        waiting.append(getattr(one, "reason", None) or next(iter(one.args), None))


def _no_permission(by_person: bool, reference: str) -> AccessDenied:
    if by_person:
        return AccessDenied(
            f"The sign-in does not include the permission to send mail{reference}.",
            "In Entra > App registrations > the app > API permissions, add Microsoft Graph > Delegated permissions > "
            "Mail.Send; then sign in with Microsoft again.",
        )
    return AccessDenied(
        f"The app has no permission Mail.Send{reference}.",
        "In Entra > App registrations > the app > API permissions, add Microsoft Graph > Application permissions > "
        "Mail.Send and choose Grant admin consent; it takes some minutes. If the app is limited by RBAC for "
        "Applications instead, assign it the role Application Mail.Send in Exchange Online for this mailbox.",
    )


def _too_big(reference: str) -> NotSent:
    return NotSent(
        f"This mail is too large for Microsoft Graph{reference}.",
        "It takes about 3 MB with attachments: send it with fewer or smaller ones.",
        permanent=True,
        status="5.3.4",
    )


def _in_doubt(reference: str) -> ServerError:
    return NotSent(
        f"The mail was handed over to Microsoft 365, and no clear answer came{reference}: it may have been sent.",
        "Look into the mailbox's folder Sent Items before it is sent again.",
        in_doubt=True,
    )
