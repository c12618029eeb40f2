"""What holds for every request and answer: size limit, security headers, no detail of our own faults."""

from __future__ import annotations

import logging
import re
import traceback
from pathlib import PurePath

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from shared import log
from shared.flows import reply
from shared.web import problems
from shared.web.troubles import OUR_FAULT

MAX_BODY_BYTES = 1_000_000
"""The longest whitelist is 30,000 characters; nothing but an answer with files needs a tenth of this."""

MAX_NOTE_BYTES = reply.MAX_FILES_BYTES * 4 // 3 + 4_000_000
"""Of an answer: its files in base64 (a third more), its text with every character escaped (12 bytes each, 2.4 MB), and
the rest."""

_NOTES = re.compile(r"/(?:api/)?incidents/[^/]+/notes")
"""Where answers are sent to."""

PAGE_POLICY = (
    "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; connect-src 'self'; frame-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
DATA_POLICY = "default-src 'none'; frame-ancestors 'none'; sandbox"
"""For everything that is no page: if a browser is made to show it, nothing in it runs."""

HSTS = "max-age=31536000"
"""One year: what the preload lists ask for at least. Subdomains are not ours to decide about."""


class TooLarge(Exception):
    """The request's body is over the limit, in bytes."""

    def __init__(self, limit: int) -> None:
        super().__init__(limit)
        self.limit = limit


class Edge:
    """ASGI middleware, pure: Starlette's BaseHTTPMiddleware streams, which ``AsgiMiddleware`` does not do."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        answer = _Answer(scope, send)
        if scope["method"] == "HEAD":
            # FastAPI's routes know GET only; HEAD is the same without the body (RFC 9110, 9.3.2).
            scope = {**scope, "method": "GET"}
        try:
            await self.app(scope, await _bounded(scope, receive), answer.send)
        except TooLarge as error:
            response = problems.answer(Request(scope), problems.too_large(error.limit))
            await response(scope, receive, answer.send)
        except Exception as error:  # noqa: BLE001 - the last resort: nothing may leave with details in it
            _log_fault(error)
            # Once the head is out there is no way back.
            if not answer.started:
                response = problems.answer(Request(scope), OUR_FAULT)
                await response(scope, receive, answer.send)


class _Answer:
    """The answer on its way out: adds the headers that all answers have, and leaves the body out for HEAD."""

    def __init__(self, scope: Scope, send: Send) -> None:
        self._scope = scope
        self._send = send
        self._is_head = scope["method"] == "HEAD"
        self.started = False

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.started = True
            self._secure(MutableHeaders(raw=message.setdefault("headers", [])))
        elif self._is_head:
            message = {**message, "body": b""}
        await self._send(message)

    def _secure(self, headers: MutableHeaders) -> None:
        is_page = headers.get("content-type", "").startswith("text/html")
        # A mail shown as HTML brings a stricter one of its own.
        headers.setdefault("content-security-policy", PAGE_POLICY if is_page else DATA_POLICY)
        headers["x-content-type-options"] = "nosniff"
        # Not "no-referrer": with it browsers say "Origin: null" on our own forms, and where they send no
        # Sec-Fetch-Site (plain http) nobody could sign in (Fetch standard, "append a request Origin header").
        headers["referrer-policy"] = "same-origin"
        headers["cross-origin-opener-policy"] = "same-origin"
        headers["cross-origin-resource-policy"] = "same-origin"
        headers.setdefault("cache-control", "no-store")
        if is_https(self._scope):
            headers["strict-transport-security"] = HSTS


def is_https(scope: Scope) -> bool:
    """Whether the browser spoke https: Azure's front end ends TLS and says so in X-Forwarded-Proto."""
    forwarded = Headers(scope=scope).get("x-forwarded-proto", "")
    return forwarded.partition(",")[0].strip().lower() == "https" or scope.get("scheme") == "https"


async def _bounded(scope: Scope, receive: Receive) -> Receive:
    """The body read whole (Azure's worker hands it over whole anyway) and at most as large as its address takes."""
    limit = _limit(scope)
    declared = Headers(scope=scope).get("content-length", "0")
    if declared.isascii() and declared.isdigit() and int(declared[:20]) > limit:
        raise TooLarge(limit)
    body = bytearray()
    more = True
    while more:
        message = await receive()
        if message["type"] != "http.request":
            break
        body += message.get("body", b"")
        more = message.get("more_body", False)
        if len(body) > limit:
            raise TooLarge(limit)
    whole: Message | None = {"type": "http.request", "body": bytes(body), "more_body": False}

    async def receive_whole() -> Message:
        nonlocal whole
        if whole is None:
            return await receive()
        message, whole = whole, None
        return message

    return receive_whole


def _limit(scope: Scope) -> int:
    is_note = scope["method"] == "POST" and _NOTES.fullmatch(scope["path"])
    return MAX_NOTE_BYTES if is_note else MAX_BODY_BYTES


def _log_fault(error: Exception) -> None:
    # The class and the place; never the text, which may quote a mail or a password.
    frames = traceback.extract_tb(error.__traceback__)
    place = f"{PurePath(frames[-1].filename).name}:{frames[-1].lineno}" if frames else ""
    log.event("http_failed", logging.ERROR, error=type(error).__name__, code=place)
