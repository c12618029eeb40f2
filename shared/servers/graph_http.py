"""Requests to Microsoft Graph, one at a time: the headers that each must carry, and what may be tried again at once.

An answer that says something about the request comes back as an ``Answer``; what says that nothing can be said just
now (429, 5xx, a broken connection) is raised.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import unquote, urlsplit

import requests
import urllib3
from requests.auth import AuthBase

from shared import log
from shared.errors import (
    AccessDenied,
    InboundError,
    LoginRefused,
    MailboxNotFound,
    ProtocolViolation,
    ServerError,
    Throttled,
    Unreachable,
)
from shared.ports import NOBODY, Watch
from shared.servers import https
from shared.servers.cloud import Cloud
from shared.servers.token import claims_of
from shared.servers.words import duration

READ_SECONDS = 30
LIST_BYTES = 16 * 1024 * 1024
"""The longest page: some thousand ids are about one MiB."""

RAW_READ_SECONDS = 120
RAW_SECONDS = 240
"""Exchange makes the MIME at each call; over 25 MB that takes minutes before the first byte."""

PATIENCE_SECONDS = 2.0
"""What a session may wait in all when Graph asks for a moment; longer waits are the schedule's."""

SHORTEST_WAIT_SECONDS = 0.5
"""``Retry-After: 0`` must not become a busy loop."""

IMMUTABLE_IDS = 'IdType="ImmutableId"'
"""Holds for one request only, so it is on each: without it the id of a mail changes when somebody moves it."""

_WORD = re.compile(r"[A-Za-z0-9_.-]{1,80}")

_NO_MAILBOX = frozenset(
    {
        "ErrorInvalidUser",
        "ErrorNonExistentMailbox",
        "MailboxNotEnabledForRESTAPI",
        "MailboxNotSupportedForRESTAPI",
        "Request_ResourceNotFound",
        "ResourceNotFound",
    }
)
_GONE = frozenset({"ErrorItemNotFound", "ErrorMessageNotFound", "itemNotFound"})
_NO_FOLDER = _GONE | {"ErrorFolderNotFound", "ErrorInvalidIdMalformed", "ErrorInvalidFolderId"}


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer that is about the request. ``code`` is Graph's error code, empty where there is no error; ``body`` is
    None when it was longer than was asked for."""

    status: int
    code: str
    request_id: str
    said: str
    location: str
    body: bytes | None

    @property
    def ok(self) -> bool:
        """2xx."""
        return 200 <= self.status < 300

    @property
    def gone(self) -> bool:
        """The mail that was asked for is not in the mailbox (any more)."""
        return self.status == 404 and self.code in _GONE

    @property
    def no_folder(self) -> bool:
        """The folder that was asked for is not there."""
        return self.status in (400, 404) and self.code in _NO_FOLDER

    def json(self) -> dict[str, Any]:
        """The object that a good answer holds. Raises ``ProtocolViolation``."""
        value = https.json_object(self.body or b"")
        if value is None:
            raise ProtocolViolation(
                f"Microsoft 365 gave an answer that makes no sense{self.reference}.", "The next poll tries again."
            )
        return value

    @property
    def reference(self) -> str:
        """What Microsoft's support asks for, for the end of a sentence."""
        parts = [self.code, f"request {self.request_id}" if self.request_id else ""]
        said = ", ".join(part for part in parts if part)
        return f" ({said})" if said else f" (HTTP {self.status})"


class _Bearer(AuthBase):
    """Sets the header at the last moment: without an ``auth``, requests would take a password from .netrc instead."""

    def __init__(self, token: str) -> None:
        self._token = token

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        request.headers["Authorization"] = f"Bearer {self._token}"
        return request


class GraphHttp:
    """A session with Graph. ``token(force)`` gives an access token; ``force`` when the last one was refused."""

    def __init__(
        self,
        cloud: Cloud,
        token: Callable[[bool], str],
        now: Callable[[], datetime],
        watch: Watch = NOBODY,
    ) -> None:
        self.base = cloud.graph
        self._token = token
        self._now = now
        self.watch = watch
        self._session = https.session()
        self._value = ""
        self._step = "list"
        self._patience = PATIENCE_SECONDS

    def step(self, name: str) -> None:
        """A step begins; getting a token first is a step of its own."""
        self._step = name
        self.watch.step(name)

    @property
    def claims(self) -> Mapping[str, Any]:
        """What the token in use says about itself, not verified: for words only."""
        return claims_of(self._value)

    def close(self) -> None:
        """Hang up."""
        self._session.close()

    def get(self, url: str, page: int | None = None) -> Answer:
        """Read something; ``page``: how many items a page should hold."""
        return self._call("GET", url, {"Prefer": _prefer(page)}, None, LIST_BYTES)

    def raw(self, url: str, most: int) -> Answer:
        """Read a mail; its body is None when it is longer than ``most`` bytes."""
        return self._call("GET", url, {"Prefer": IMMUTABLE_IDS, "Accept": "*/*"}, None, most)

    def change(self, method: str, url: str, body: Mapping[str, Any] | None = None) -> Answer:
        """Change something: PATCH, POST or DELETE. Never repeated after a broken connection."""
        return self._call(method, url, {"Prefer": IMMUTABLE_IDS}, body, LIST_BYTES)

    def is_own(self, url: str) -> bool:
        """Whether a link leads to this Graph: only there may the token go."""
        link, base = urlsplit(url), urlsplit(self.base)
        path = unquote(link.path)
        return (
            (link.scheme, link.netloc.lower()) == (base.scheme, base.netloc.lower())
            and path.startswith(f"{base.path}/")
            and "\\" not in url
            and not {".", ".."} & set(path.split("/"))
        )

    def refused(self, answer: Answer, role: str = "Mail.Read") -> InboundError:
        """Our error for an answer that is not good. ``role``: the permission that it takes."""
        if answer.code in _NO_MAILBOX:
            return MailboxNotFound(
                f"There is no Exchange Online mailbox of this address{answer.reference}.",
                "Check the address for typing errors. The mailbox needs a licence, or must be a shared mailbox; one "
                "on your own Exchange server is read by IMAP instead.",
            )
        if answer.status == 401:
            return LoginRefused(
                f"Microsoft Graph does not accept the token that Microsoft's sign-in gave{answer.reference}.",
                "Token and Graph may be of different clouds: check that the Tenant ID is of the cloud that this "
                "service is set up for, and in Entra > Sign-in logs that nothing blocks the app.",
                field="tenant_id",
            )
        if answer.status == 403:
            return _denied(answer, claims_of(self._value), role)
        return ProtocolViolation(
            f"Microsoft 365 refused a request that it should know{answer.reference}.", "The next poll tries again."
        )

    # ── one request ───────────────────────────────────────────────────────────────────────────────────────────────

    def _call(
        self, method: str, url: str, headers: Mapping[str, str], body: Mapping[str, Any] | None, most: int
    ) -> Answer:
        if not self.is_own(url):
            raise ProtocolViolation(
                "Microsoft 365 sent a link to a place that is not its own.", "Nothing was sent there."
            )
        if not self._value:
            self._get_token(renew=False)
        renewed, broken = False, method != "GET"
        while True:
            try:
                answer, wait = self._exchange(method, url, headers, body, most)
            except Unreachable:
                # A kept connection may have been closed from the other side: reading can safely be tried once more.
                if broken:
                    raise
                broken = True
                continue
            if answer.status == 401 and not renewed:
                renewed = True
                self._get_token(renew=True)
            elif answer.status == 429 or answer.status >= 500:
                self._wait_or_raise(answer, wait)
            elif 300 <= answer.status < 400:
                raise ProtocolViolation(
                    "Something between this service and Microsoft 365 sends requests elsewhere.",
                    "The administrator of this service checks its proxy. The sign-in was not sent there.",
                )
            else:
                return answer

    def _get_token(self, renew: bool) -> None:
        self.watch.step("token")
        self._value = self._token(renew)
        self.watch.step(self._step)

    def _exchange(
        self, method: str, url: str, headers: Mapping[str, str], body: Mapping[str, Any] | None, most: int
    ) -> tuple[Answer, float | None]:
        """One request and its answer; the seconds that it asks to wait."""
        log.count("round_trips")
        is_raw = "Accept" in headers
        self.watch.secret(self._value)
        self.watch.sent(f"{method} {_shown(url)}".encode())
        began = time.monotonic()
        try:
            with self._session.request(
                method,
                url,
                headers={"Accept": "application/json", **headers},
                auth=_Bearer(self._value),
                json=body,
                timeout=(https.CONNECT_SECONDS, RAW_READ_SECONDS if is_raw else READ_SECONDS),
                allow_redirects=False,
                stream=True,
            ) as response:
                content = https.read(response, most, RAW_SECONDS if is_raw else READ_SECONDS)
        except (InboundError, requests.RequestException, urllib3.exceptions.HTTPError, OSError) as error:
            failed = https.translated(error)
            self.watch.note(failed.message)
            raise failed from None
        answer = _answer(response, content)
        size = "too long" if content is None else f"{len(content)} bytes"
        seconds = time.monotonic() - began
        why = "" if answer.ok else answer.reference
        self.watch.received(f"{answer.status}{why}, {size}, {seconds:.2f} s".encode())
        return answer, https.retry_after(response.headers, self._now())

    def _wait_or_raise(self, answer: Answer, wait: float | None) -> None:
        seconds = max(wait or 0.0, SHORTEST_WAIT_SECONDS)
        if wait is not None and seconds <= self._patience:
            self._patience -= seconds
            time.sleep(seconds)
            return
        raise _busy(answer, wait)


def _prefer(page: int | None) -> str:
    return IMMUTABLE_IDS if page is None else f"{IMMUTABLE_IDS}, odata.maxpagesize={page}"


def _answer(response: requests.Response, content: bytes | None) -> Answer:
    """Microsoft's own words end here: ``code`` and ``request_id`` only as they are meant to look."""
    error: Any = None
    if response.status_code >= 400:
        error = (https.json_object(content or b"") or {}).get("error")
    error = error if isinstance(error, dict) else {}
    inner = error.get("innerError") or error.get("innererror")
    request_id = inner.get("request-id") if isinstance(inner, dict) else None
    return Answer(
        status=response.status_code,
        code=_word(error.get("code")),
        request_id=_word(request_id or response.headers.get("request-id")),
        said=str(error.get("message") or ""),
        location=response.headers.get("Location", ""),
        body=content,
    )


def _word(value: Any) -> str:
    return value if isinstance(value, str) and _WORD.fullmatch(value) else ""


def _busy(answer: Answer, wait: float | None) -> ServerError:
    if answer.status in (429, 503, 504) or wait is not None:
        return Throttled(
            f"Microsoft 365 asks to wait{f' {duration(wait)}' if wait else ''}{answer.reference}.",
            "Polling slows down by itself and goes on by itself.",
            retry_after=wait,
        )
    return Unreachable(f"Microsoft 365 does not work just now{answer.reference}.", "The next poll tries again.")


def _denied(answer: Answer, claims: Mapping[str, Any], role: str) -> AccessDenied:
    """403 sounds the same for a missing permission and for a mailbox that the app may not open; the token tells."""
    granted = claims.get("roles")
    roles = {str(one) for one in granted} if isinstance(granted, list) else set()
    scopes = set(str(claims.get("scp") or "").split())
    enough = {role, "Mail.ReadWrite", *(f"{one}.Shared" for one in (role, "Mail.ReadWrite"))}
    if scopes:
        return _person_denied(answer, bool(scopes & enough), role)
    # An access policy names itself; a token without roles is also what RBAC for Applications leads to.
    if roles & enough or "AccessPolicy" in answer.said:
        return AccessDenied(
            f"The app may not open this mailbox: it is limited to other mailboxes{answer.reference}.",
            "In Exchange Online, add the mailbox to the group of the app's access policy (New-ApplicationAccessPolicy) "
            "or to the scope of its role assignment (New-ManagementScope). That takes over an hour to act.",
            field="email",
        )
    return AccessDenied(
        f"The app has no permission {role}{answer.reference}.",
        f"In Entra > App registrations > the app > API permissions, add Microsoft Graph > Application permissions > "
        f"{role} and choose Grant admin consent; it takes some minutes. If the app is limited by RBAC for "
        f"Applications instead, assign it the role Application {role} in Exchange Online for this mailbox.",
    )


def _person_denied(answer: Answer, has_scope: bool, role: str) -> AccessDenied:
    if has_scope:
        return AccessDenied(
            f"The account that signed in may not open this mailbox{answer.reference}.",
            "Sign in with the mailbox's own account; or give the account Full Access to the mailbox in the Exchange "
            "admin center > Mailboxes > Delegation.",
            field="email",
        )
    return AccessDenied(
        f"The sign-in does not include the permission {role}{answer.reference}.",
        f"In Entra > App registrations > the app > API permissions, add Microsoft Graph > Delegated permissions > "
        f"{role}; then sign in with Microsoft again.",
    )


def _shown(url: str) -> str:
    """A link for the transcript: without the mailbox's address, ids and state tokens cut."""
    parts = urlsplit(url)
    path = re.sub(r"/users/[^/]+", "/users/…", parts.path)
    path = re.sub(r"(/messages/|/mailFolders/|/childFolders/)([^/]{12})[^/]+", r"\1\2…", path)
    query = re.sub(r"(token=)[^&]+", r"\1…", parts.query)
    return f"{path}?{query}" if query else path
