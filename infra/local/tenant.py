"""The demo tenant of `make run`, made through the HTTP API as a customer's would be, and its secrets."""

import json
import os
import secrets
from pathlib import Path
from typing import Any

import httpx

from infra.local import addresses


class TenantError(Exception):
    """The API did not let us make the demo tenant. The message holds its answer."""


def secret(path: Path) -> str:
    """The secret kept in `path`, made at the first call; the file is for its owner's eyes only."""
    if not path.exists():
        _keep(path, secrets.token_urlsafe(32))
    return path.read_text().strip()


class Secrets:
    """The demo mailbox's password and the demo tenant's API key, kept in a file from run to run."""

    def __init__(self, path: Path) -> None:
        self._path = path
        kept = json.loads(path.read_text()) if path.exists() else {}
        self.password = str(kept.get("password") or secrets.token_urlsafe(12))
        self.key = str(kept.get("key") or "")  # empty until there is a tenant

    def keep_key(self, key: str) -> None:
        """Remember the tenant's new key, which the API shows once."""
        self.key = key
        _keep(self._path, json.dumps({"password": self.password, "key": key}))


def make(http: httpx.Client, admin_key: str, kept: Secrets, imap_port: int, smtp_port: int) -> None:
    """Make sure that there is a tenant `demo` with a mailbox `support`, and that `kept` holds a good key.

    What the user has changed of the mailbox stays. Raises TenantError.
    """
    _call(http, admin_key, "PUT", "/api/tenants/demo", {"name": "Demo"})
    fresh = not kept.key or _status(http, kept.key, "/api/mailboxes") != 200
    if fresh:
        answer = _call(http, admin_key, "POST", "/api/tenants/demo/keys", {"role": "admin", "name": "make run"})
        kept.keep_key(str(answer["key"]))
    if fresh or not _is_ours(http, kept.key, imap_port):
        _call(http, kept.key, "PUT", "/api/mailboxes/support", _mailbox(kept.password, imap_port, smtp_port))


def _is_ours(http: httpx.Client, key: str, imap_port: int) -> bool:
    """Whether the mailbox is there and asks this run's mail server."""
    answer = http.get("/api/mailboxes/support", headers={"Authorization": f"Bearer {key}"})
    return answer.status_code == 200 and answer.json().get("port") == imap_port


def _mailbox(password: str, imap_port: int, smtp_port: int) -> dict[str, Any]:
    return {
        "group": "Support",
        "server_type": "imap",
        "host": addresses.HOST,
        "port": imap_port,
        "security": "none",
        "username": addresses.USER,
        "password": password,
        "email": addresses.ADDRESS,
        "polling_minutes": 1,
        "folder": "INBOX",
        "outgoing": {"enabled": True, "host": addresses.HOST, "port": smtp_port, "security": "none"},
    }


def _status(http: httpx.Client, key: str, path: str) -> int:
    return http.get(path, headers={"Authorization": f"Bearer {key}"}).status_code


def _call(http: httpx.Client, key: str, method: str, path: str, body: dict[str, Any]) -> dict[str, Any]:
    try:
        answer = http.request(method, path, json=body, headers={"Authorization": f"Bearer {key}"})
    except httpx.TransportError as error:
        raise TenantError(f"{method} {path}: {error}") from error
    if not answer.is_success:
        raise TenantError(f"{method} {path} answered {answer.status_code}: {answer.text[:500]}")
    return dict(answer.json()) if answer.content else {}


def _keep(path: Path, text: str) -> None:
    """Write a file that only its owner may read, whole or not at all."""
    part = path.with_name(path.name + ".part")
    with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        file.write(text)
    part.replace(path)
