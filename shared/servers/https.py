"""HTTPS towards Microsoft: one way to make a session, to read an answer, to say what went wrong on the road."""

from __future__ import annotations

import io
import json
import logging
import math
import os
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from http.cookiejar import DefaultCookiePolicy
from typing import Any

import requests
import urllib3

from shared.errors import InboundError, ProtocolViolation, TimedOut, Unreachable

CONNECT_SECONDS = 10

CHUNK_BYTES = 64 * 1024

MAX_WAIT_SECONDS = 24 * 3600.0
"""A ``Retry-After`` beyond a day is taken for a day: a wrong header must not silence a mailbox for good."""


def session() -> requests.Session:
    """A session that honours REQUESTS_CA_BUNDLE, SSL_CERT_FILE and the proxy variables, and keeps no cookies.

    Cookies of the sign-in pages would be shared by all tenants of this process.
    """
    # At DEBUG urllib3 writes every path into the log, and a path holds the mailbox's address.
    logging.getLogger("urllib3.connectionpool").setLevel(logging.ERROR)
    made = requests.Session()
    made.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
    # requests reads REQUESTS_CA_BUNDLE itself, and that one wins.
    made.verify = os.environ.get("SSL_CERT_FILE") or True
    # Read in parts with a limit: what is not compressed cannot grow.
    made.headers.update({"Accept-Encoding": "identity", "User-Agent": "Inbound"})
    return made


def read(response: requests.Response, most: int, seconds: float) -> bytes | None:
    """The body of a streamed answer; None when it is longer than ``most`` bytes.

    Raises ``TimedOut`` after ``seconds`` in all: a server that drips never runs into a read timeout. urllib3's errors
    come through; see ``translated``.
    """
    until = time.monotonic() + seconds
    body = io.BytesIO()  # hands its content out without a second copy: 50 MB stay 50 MB
    while chunk := response.raw.read1(CHUNK_BYTES, decode_content=True):
        body.write(chunk)
        if body.tell() > most:
            return None
        if time.monotonic() > until:
            raise TimedOut("Microsoft sends a mail or list too slowly.", "The next poll tries again.")
    return body.getvalue()


def translated(error: Exception) -> InboundError:
    """Our error for one of requests or urllib3. The road to Microsoft is nothing that a tenant can mend."""
    if isinstance(error, InboundError):
        return error
    if isinstance(error, (requests.Timeout, urllib3.exceptions.TimeoutError)):
        return TimedOut("Microsoft does not answer in time.", "The next poll tries again; no setting was judged.")
    if isinstance(error, (requests.exceptions.SSLError, urllib3.exceptions.SSLError)):
        return Unreachable(
            "The encrypted connection to Microsoft could not be set up.",
            "If this stays, the administrator of this service checks its certificate and proxy settings.",
        )
    if isinstance(error, (requests.RequestException, urllib3.exceptions.HTTPError, OSError)):
        return Unreachable("The connection to Microsoft broke.", "The next poll tries again; no setting was judged.")
    return ProtocolViolation("Microsoft gave an answer that makes no sense.", "The next poll tries again.")


def retry_after(headers: Mapping[str, str], now: datetime) -> float | None:
    """``Retry-After`` in seconds (RFC 9110 10.2.3): a number, for Microsoft also a fraction, or a date."""
    text = headers.get("Retry-After", "").strip()
    if not text:
        return None
    try:
        seconds = float(text)
    except ValueError:
        try:
            moment = parsedate_to_datetime(text)
        except (ValueError, OverflowError):  # the latter for a year of twenty digits
            return None
        seconds = (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp() - now.timestamp()
    if math.isnan(seconds):
        return None
    return min(max(seconds, 0.0), MAX_WAIT_SECONDS)


def json_object(text: str | bytes) -> dict[str, Any] | None:
    """The JSON object in a body; None when it is something else, such as a proxy's HTML page."""
    try:
        value = json.loads(text)
    except ValueError:
        return None
    return value if isinstance(value, dict) else None
