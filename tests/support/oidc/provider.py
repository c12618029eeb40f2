"""oidc-provider as a process of our own (server.mjs), with a tenant of Entra's at each of its issuers."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Self

import jwt
import requests
import trustme

from infra.local import processes

HOME = Path(__file__).parent
GRAPH = "https://graph.microsoft.com"
PERMISSIONS = ("Mail.Read", "Mail.Read.Shared", "Mail.ReadWrite", "Mail.ReadWrite.Shared")
START_SECONDS = 30.0  # 0.4 s on an idle machine; Azurite's number, for the same reason
STOP_SECONDS = 10.0
_CA_VARIABLE = "REQUESTS_CA_BUNDLE"


def missing() -> str:
    """Why it cannot run here; empty when it can."""
    if shutil.which("node") is None:
        return "oidc-provider needs Node.js 18 or newer: apt-get install nodejs npm"
    if not (HOME / "node_modules" / ".installed").exists():
        return "oidc-provider is not installed: tests/support/oidc/install.sh (npm must reach its registry)"
    return ""


@dataclass(frozen=True)
class Account:
    """A person. ``tid`` is the tenant the account is at home in, which is another one's for a guest."""

    username: str
    oid: str
    tid: str


@dataclass
class Client:
    """An app registration in one tenant, with the accounts of that tenant and how long its access tokens last."""

    tenant_id: str
    client_id: str
    secret: str
    redirect_uri: str
    accounts: list[Account] = field(default_factory=list)
    access_token_seconds: int = 3600  # Entra's last about an hour

    def as_json(self) -> dict[str, Any]:
        """As server.mjs reads a tenant (client metadata: OpenID Connect Dynamic Client Registration, section 2)."""
        registered = {
            "client_id": self.client_id,
            "client_secret": self.secret,
            "redirect_uris": [self.redirect_uri],
            "grant_types": ["authorization_code", "refresh_token"],
            "response_types": ["code"],
            "token_endpoint_auth_method": "client_secret_post",
        }
        people = {one.username: {"oid": one.oid, "tid": one.tid} for one in self.accounts}
        return {"clients": [registered], "people": people, "access_token_seconds": self.access_token_seconds}


class Provider:
    """Runs while it is entered (``with Provider(folder, clients) as provider``); ``url`` is for AZURE_AUTHORITY_HOST.

    Its authority is added to those that REQUESTS_CA_BUNDLE names.
    """

    def __init__(self, folder: Path, *clients: Client) -> None:
        self.ca_file = str(folder / "oidc-ca.pem")
        self._folder = folder
        self._clients = clients
        self._output: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115 - closed by __exit__
        self._process: subprocess.Popen[bytes] | None = None
        self._trusted_before: str | None = None
        self._from = 0
        self.url = ""

    def __enter__(self) -> Self:
        self._certify()
        command = ["node", str(HOME / "server.mjs"), str(self._configure())]
        self._process = processes.start(command, stdout=self._output, stderr=self._output)
        try:
            self.url = self._wait_for_url()
        except BaseException:
            self._stop()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop()

    # ── what it saw ───────────────────────────────────────────────────────────────────────────────────────────────

    def forget(self) -> None:
        """Verdicts count from here."""
        self._from = len(self._lines())

    def verdicts(self, grant: str = "") -> list[str]:
        """What its token endpoint said since ``forget``: "ok", or why not, in its own words. ``grant``: of that type."""
        said = [line for line in self._since() if "grant" in line and grant in ("", line["grant"])]
        return [line["verdict"] for line in said]

    def refusals(self) -> list[str]:
        """The errors of its authorization endpoint since ``forget``."""
        return [line["authorization"] for line in self._since() if "authorization" in line]

    def bugs(self) -> list[str]:
        """What went wrong inside server.mjs; a test that sees any proves nothing."""
        return [line["bug"] for line in self._lines() if "bug" in line]

    # ── what anybody may ask it ───────────────────────────────────────────────────────────────────────────────────

    def token(self, client: Client, **form: str) -> dict[str, Any]:
        """Its answer to a request at the token endpoint, made with the client's own secret."""
        form = {"client_id": client.client_id, "client_secret": client.secret, **form}
        answer = requests.post(f"{self.url}/{client.tenant_id}/v2.0/token", data=form, timeout=10)
        found: dict[str, Any] = answer.json()
        return found

    def verified(self, access_token: str) -> dict[str, Any]:
        """The claims of an access token for Graph, as Graph would check it. Raises ``jwt.PyJWTError``."""
        issuer = jwt.decode(access_token, options={"verify_signature": False})["iss"]
        if issuer not in {f"{self.url}/{client.tenant_id}/v2.0" for client in self._clients}:
            raise jwt.InvalidIssuerError(issuer)
        keys = jwt.PyJWKSet.from_dict(requests.get(f"{issuer}/jwks", timeout=10).json())
        key = keys[jwt.get_unverified_header(access_token)["kid"]]
        claims: dict[str, Any] = jwt.decode(access_token, key, algorithms=["RS256"], audience=GRAPH)
        return claims

    # ── the process ───────────────────────────────────────────────────────────────────────────────────────────────

    def _certify(self) -> None:
        authority = trustme.CA()
        issued = authority.issue_cert("localhost")
        issued.private_key_pem.write_to_path(str(self._folder / "key.pem"))
        for number, part in enumerate(issued.cert_chain_pems):
            part.write_to_path(str(self._folder / "certificate.pem"), append=number > 0)
        self._trusted_before = os.environ.get(_CA_VARIABLE)
        others = Path(self._trusted_before).read_bytes() if self._trusted_before else b""
        Path(self.ca_file).write_bytes(others + authority.cert_pem.bytes())
        os.environ[_CA_VARIABLE] = self.ca_file

    def _configure(self) -> Path:
        path = self._folder / "oidc.json"
        content = {
            "certificate": str(self._folder / "certificate.pem"),
            "key": str(self._folder / "key.pem"),
            "resource": GRAPH,
            "permissions": [f"{GRAPH}/{name}" for name in PERMISSIONS],
            "tenants": {client.tenant_id: client.as_json() for client in self._clients},
        }
        path.write_text(json.dumps(content))
        return path

    def _wait_for_url(self) -> str:
        assert self._process is not None
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline:
            ended = self._process.poll() is not None  # asked before reading, so that its last words are read
            for line in self._lines():
                if "url" in line:
                    return str(line["url"])
            if ended:
                raise AssertionError(f"server.mjs ended at once: {self._said()}")
            time.sleep(0.02)
        raise AssertionError(f"server.mjs did not listen within {START_SECONDS:.0f} s: {self._said()}")

    def _stop(self) -> None:
        if self._process is not None:
            processes.stop(self._process, STOP_SECONDS)
        self._output.close()
        if self._trusted_before is None:
            os.environ.pop(_CA_VARIABLE, None)
        else:
            os.environ[_CA_VARIABLE] = self._trusted_before

    def _said(self) -> str:
        # pread: the child shares our file offset, and a seek would make it overwrite itself
        return os.pread(self._output.fileno(), 1024 * 1024, 0).decode(errors="replace")

    def _lines(self) -> list[dict[str, Any]]:
        """Ours, among oidc-provider's own notices."""
        return [json.loads(line) for line in self._said().splitlines() if line.startswith("{")]

    def _since(self) -> list[dict[str, Any]]:
        return self._lines()[self._from :]
