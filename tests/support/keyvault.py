"""A stand-in for Key Vault over HTTPS on this machine: it really wraps, and refuses what Azure's documented contract
(learn.microsoft.com/rest/api/keyvault/keys) does not allow."""

from __future__ import annotations

import base64
import json
import re
import ssl
import threading
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Self
from urllib.parse import parse_qsl, urlsplit

import trustme
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa

OAEP = padding.OAEP(padding.MGF1(hashes.SHA256()), hashes.SHA256(), None)
TOKEN = "the-access-token"
NAME = "wrapping"

_PATH = re.compile(rf"/keys/{NAME}(?:/([0-9a-f]{{32}}))?(?:/(wrapkey|unwrapkey))?")
_BASE64URL = re.compile(r"[0-9A-Za-z_-]+")


@dataclass
class Reply:
    """An answer. ``body``: JSON, or text as it is; None drops the connection."""

    status: int
    body: Any = field(default_factory=dict)
    headers: dict[str, str] = field(default_factory=dict)


class Vault:
    """``with Vault(folder) as vault``: one key with versions, the last of which is the newest.

    ``replies``: given instead of true answers, one after the other. ``violations``: what no client may do.
    """

    def __init__(self, folder: Path) -> None:
        self.versions: dict[str, rsa.RSAPrivateKey] = {}
        self.disabled: set[str] = set()
        self.replies: list[Reply] = []
        self.requests: list[tuple[str, str]] = []
        self.violations: list[str] = []
        self.ca_file = str(folder / "vault-ca.pem")
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self.rotate()

    def __enter__(self) -> Self:
        authority = trustme.CA()
        authority.cert_pem.write_to_path(self.ca_file)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        authority.issue_cert("localhost").configure_cert(context)
        self._server.socket = context.wrap_socket(self._server.socket, server_side=True)
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        return self

    def __exit__(self, *exception: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"https://localhost:{self._server.server_port}"

    @property
    def key_url(self) -> str:
        """The key, without a version."""
        return f"{self.url}/keys/{NAME}"

    @property
    def newest(self) -> str:
        """The version that is in use."""
        return list(self.versions)[-1]

    def rotate(self) -> str:
        """A new version; the older ones stay."""
        version = f"{len(self.versions) + 1:032x}"
        self.versions[version] = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        return version

    def answer(self, method: str, target: str, headers: Any, content: bytes) -> Reply:
        """One request."""
        url = urlsplit(target)
        path = _PATH.fullmatch(url.path)
        version, verb = path.groups() if path else (None, None)
        self.requests.append((method, verb or ("key" if path else url.path)))
        if parse_qsl(url.query, keep_blank_values=True) != [("api-version", "7.4")]:
            return self._refuse(400, "BadParameter", f"query {url.query}")
        if headers.get("Authorization") != f"Bearer {TOKEN}":
            return Reply(401, {"error": {"code": "Unauthorized"}})
        if self.replies:
            return self.replies.pop(0)
        if path is None or (method == "POST") is not bool(verb) or (verb and not version):
            return self._refuse(404, "KeyNotFound", f"{method} {url.path}")
        if version is not None and version not in self.versions:
            return Reply(404, {"error": {"code": "KeyNotFound"}})
        if version in self.disabled:
            return Reply(403, {"error": {"code": "Forbidden", "innererror": {"code": "KeyDisabled"}}})
        if not verb:
            named = f"{self.key_url}/{version or self.newest}"
            return Reply(200, {"key": {"kid": named, "kty": "RSA"}, "attributes": {"enabled": True}})
        return self._operate(str(version), str(verb), headers, content)

    def _operate(self, version: str, verb: str, headers: Any, content: bytes) -> Reply:
        body = json.loads(content)
        if headers.get("Content-Type") != "application/json" or set(body) != {"alg", "value"}:
            return self._refuse(400, "BadParameter", f"body {sorted(body)}")
        if body["alg"] != "RSA-OAEP-256" or not _BASE64URL.fullmatch(body["value"]):
            return self._refuse(400, "BadParameter", "alg or value")
        given = base64.urlsafe_b64decode(body["value"] + "=" * (-len(body["value"]) % 4))
        key = self.versions[version]
        try:
            made = key.public_key().encrypt(given, OAEP) if verb == "wrapkey" else key.decrypt(given, OAEP)
        except ValueError:
            return Reply(400, {"error": {"code": "BadParameter"}})
        value = base64.urlsafe_b64encode(made).rstrip(b"=").decode()
        return Reply(200, {"kid": f"{self.key_url}/{version}", "value": value})

    def _refuse(self, status: int, code: str, why: str) -> Reply:
        self.violations.append(why)
        return Reply(status, {"error": {"code": code}})


def _handler(vault: Vault) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self._serve()

        def do_POST(self) -> None:
            self._serve()

        def _serve(self) -> None:
            content = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            reply = vault.answer(self.command, self.path, self.headers, content)
            if reply.body is None:
                self.close_connection = True
                return
            body = reply.body if isinstance(reply.body, str) else json.dumps(reply.body)
            self.send_response(reply.status)
            for name, value in {"Content-Type": "application/json", **reply.headers}.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(body.encode())))
            self.end_headers()
            self.wfile.write(body.encode())

        def log_message(self, format: str, *args: Any) -> None:
            """Nothing: the test's own output is enough."""

    return Handler
