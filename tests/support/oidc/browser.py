"""Somebody at a browser: signs in at the provider, and comes back with the address it sends the browser to."""

from __future__ import annotations

from types import TracebackType
from typing import Any, Self
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

import requests

HOPS = 10
"""Authorize, interaction and resume are three; browsers give up at twenty."""


class Browser:
    """One browser with the provider's cookies in it, and no others. ``home``: where a callback begins."""

    def __init__(self, home: str) -> None:
        self._home = home
        self._session = requests.Session()
        self._session.headers["Accept"] = "text/html"

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._session.close()

    def sign_in(self, address: str, username: str) -> str:
        """Go to ``address`` and sign in as ``username``: the callback that the provider sends the browser to."""
        return self._through(address, {"username": username})

    def cancel(self, address: str) -> str:
        """Go there and decline."""
        return self._through(address, {"cancels": True})

    def page(self, address: str) -> dict[str, Any]:
        """What the provider's page at ``address`` asks (prompt, login_hint, scope)."""
        shown: dict[str, Any] = self._session.get(address, timeout=10).json()
        return shown

    def refused(self, address: str) -> str:
        """Go there and be told no by the provider itself, without a way back to us: its page."""
        answer = self._session.get(address, allow_redirects=False, timeout=10)
        assert answer.status_code == 400, (answer.status_code, answer.headers.get("location"))
        return answer.text

    def _through(self, address: str, decision: dict[str, Any]) -> str:
        answer = self._session.get(address, allow_redirects=False, timeout=10)
        for _ in range(HOPS):
            assert answer.status_code in (302, 303), f"{answer.status_code}: {answer.text[:300]}"
            place = requests.compat.urljoin(answer.url, answer.headers["Location"])
            if place.startswith(self._home):
                return place
            if "/interaction/" in place:
                answer = self._session.post(place, json=decision, allow_redirects=False, timeout=10)
            else:
                answer = self._session.get(place, allow_redirects=False, timeout=10)
        raise AssertionError(f"still not back after {HOPS} redirects")


def query(address: str) -> dict[str, str]:
    """The parameters of an address."""
    return dict(parse_qsl(urlsplit(address).query, keep_blank_values=True))


def altered(address: str, **values: str | None) -> str:
    """The address with other parameters; None takes one away."""
    changed = {**query(address), **values}
    kept = {name: value for name, value in changed.items() if value is not None}
    return urlunsplit(urlsplit(address)._replace(query=urlencode(kept)))
