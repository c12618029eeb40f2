"""The road to Entra's endpoints, as MSAL wants it (``http_client``), with what MSAL leaves out.

MSAL has no time limit, hides Retry-After, makes a ``ValueError`` without the reason of a mistyped tenant, writes
answers that are not JSON into the log, and remembers refusals for a minute. So
whatever is not an answer of the protocol is raised here as our error, before MSAL sees it.
"""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import requests
import urllib3

from shared.errors import InboundError, ProtocolViolation, ServerError, Throttled, Unreachable
from shared.servers import https
from shared.servers.entra import refusal
from shared.servers.words import duration

READ_SECONDS = 20
ANSWER_BYTES = 1024 * 1024
"""A token answer has some kilobytes."""

DISCOVERY_SECONDS = 24 * 3600.0
DISCOVERIES = 1000
"""openid-configuration hardly ever changes (MSAL keeps it for a day too); some kilobytes each."""

HOLD_SECONDS = 5.0
"""How long a busy endpoint is left alone when it does not say (MSAL's own number)."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What MSAL reads of an answer."""

    status_code: int
    text: str
    headers: Mapping[str, str] = field(default_factory=dict)

    def raise_for_status(self) -> None:
        """Nothing to raise: what is not of the protocol was raised before."""


class LoginWeb:
    """MSAL's ``http_client``. One for the process; threads may share it."""

    def __init__(self) -> None:
        self._session = https.session()
        self._lock = threading.Lock()
        self._discovered: OrderedDict[str, tuple[float, Answer]] = OrderedDict()
        self._held: dict[tuple[str, str], float] = {}

    def get(self, url: str, **options: Any) -> Answer:
        """Discovery: kept for a day when it went well."""
        with self._lock:
            kept = self._discovered.get(url)
        if kept and time.monotonic() - kept[0] < DISCOVERY_SECONDS:
            return kept[1]
        answer = self._send("GET", url, "", options)
        if answer.status_code != 200:
            raise refusal(https.json_object(answer.text) or {})
        with self._lock:
            self._discovered[url] = (time.monotonic(), answer)
            while len(self._discovered) > DISCOVERIES:
                self._discovered.popitem(last=False)
        return answer

    def post(self, url: str, **options: Any) -> Answer:
        """The token endpoint. An OAuth error answer is handed on: MSAL throws away a dead refresh token by it."""
        data = options.get("data")
        return self._send("POST", url, str(data.get("client_id", "")) if isinstance(data, dict) else "", options)

    def close(self) -> None:
        """Nothing: the session lives as long as the process."""

    def _send(self, method: str, url: str, client: str, options: dict[str, Any]) -> Answer:
        self._respect_hold(url, client)
        allowed = {name: options[name] for name in ("params", "data", "headers") if name in options}
        try:
            with self._session.request(
                method,
                url,
                timeout=(https.CONNECT_SECONDS, READ_SECONDS),
                allow_redirects=False,
                stream=True,
                **allowed,
            ) as response:
                body = https.read(response, ANSWER_BYTES, READ_SECONDS)
        except (InboundError, requests.RequestException, urllib3.exceptions.HTTPError, OSError) as error:
            raise https.translated(error) from None
        return self._judged(response, body or b"", url, client)

    def _judged(self, response: requests.Response, body: bytes, url: str, client: str) -> Answer:
        if response.status_code == 429 or response.status_code >= 500:
            raise self._busy(response, url, client)
        if https.json_object(body) is None or 300 <= response.status_code < 400:
            raise ProtocolViolation(
                "Microsoft's sign-in gave an answer that makes no sense.",
                "The next poll tries again. If it stays so, a proxy between this service and Microsoft may answer.",
            )
        return Answer(response.status_code, body.decode("utf-8", "replace"), dict(response.headers))

    def _busy(self, response: requests.Response, url: str, client: str) -> ServerError:
        """Note how long to stay away: requests made meanwhile count too."""
        wait = https.retry_after(response.headers, datetime.now(UTC))
        with self._lock:
            now = time.monotonic()
            self._held = {key: until for key, until in self._held.items() if until > now}
            self._held[url, client] = now + (HOLD_SECONDS if wait is None else wait)
        return _wait(response.status_code, wait)

    def _respect_hold(self, url: str, client: str) -> None:
        with self._lock:
            left = self._held.get((url, client), 0.0) - time.monotonic()
        if left > 0:
            raise _wait(429, left)


def _wait(status: int, seconds: float | None) -> ServerError:
    if status == 429 or seconds is not None:
        pause = f" {duration(seconds)}" if seconds else ""
        return Throttled(
            f"Microsoft's sign-in asks to wait{pause}.",
            "Polling goes on by itself; nothing was judged about your settings.",
            seconds,
        )
    return Unreachable(
        f"Microsoft's sign-in does not work just now (HTTP {status}).",
        "The next poll tries again; nothing was judged about your settings.",
    )
