"""The wrapping key in Key Vault (or a managed HSM): the key itself never leaves it.

By REST (learn.microsoft.com/rest/api/keyvault/keys): three requests are all that is needed, and azure-keyvault-keys
would bring its own pipeline and models to every cold start. Nothing of what is sent or received is ever logged or put
into an error.
"""

from __future__ import annotations

import base64
import re
import time
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

import requests
from azure.core.exceptions import AzureError

from shared.config import ConfigError
from shared.errors import StoreUnavailable

API_VERSION = "7.4"
"""Stable, and years old: national clouds and managed HSMs get new ones late."""

ALGORITHM = "RSA-OAEP-256"

KEY_BYTES = 32
"""Of a data key; an answer of another length is none of ours."""

TIME_OUTS = (3.05, 5.0)
"""Seconds to connect and to wait for an answer. A data key is unwrapped once per process: nobody waits long for it."""

RETRIES = 2
PAUSES = (0.5, 1.0)
LONGEST_PAUSE = 5.0
"""Seconds. What ``Retry-After`` asks beyond this is for the queue's or the timer's next try."""

TRY_AGAIN = frozenset({429, 500, 502, 503, 504})

_WRAPPED = re.compile(r"kv1\.([0-9A-Za-z-]{1,127})\.([0-9A-Za-z_-]{1,2000})")
"""What is stored: a mark, the key's version, and the wrapped key (base64url). The vault's host is not in it, so that
a vault that was restored in another region serves as well."""

_KEY_ID = re.compile(r"https://[^/?#]+/keys/[^/?#]+/([0-9A-Za-z-]{1,127})")


def scope(key_url: str) -> str:
    """What a token for the vault of this key is asked for: that differs between clouds, as the vault's host does."""
    return f"https://{(urlsplit(key_url).hostname or '').partition('.')[2]}/.default"


class KeyVaultKey:
    """``store.secrets.Wrapper`` on a key in Key Vault.

    ``key_url``: ``https://<vault>/keys/<name>`` or with ``/<version>``, which then wraps all new data keys; without
    one, the newest version does. Each wrapped key names the version that wrapped it, so after a rotation the older
    versions must stay enabled. ``token``: an access token for the vault; ``ca``: a file of certificate authorities.
    """

    def __init__(
        self,
        key_url: str,
        token: Callable[[], str],
        sleep: Callable[[float], None] = time.sleep,
        ca: str | bool = True,
    ) -> None:
        parts = urlsplit(key_url)
        name, _, self._version = parts.path.removeprefix("/keys/").strip("/").partition("/")
        self._base = f"https://{parts.netloc}/keys/{name}"
        self._token = token
        self._sleep = sleep
        self._ca = ca

    def wrap(self, key: bytes) -> bytes:
        """Encrypt a data key. Raises ``StoreUnavailable``."""
        version = self.newest()
        answer = self._ask("POST", f"{self._base}/{version}/wrapkey", {"alg": ALGORITHM, "value": _text(key)})
        wrapped = f"kv1.{version}.{answer.get('value')}"
        if not _WRAPPED.fullmatch(wrapped):
            raise _makes_no_sense()
        return wrapped.encode()

    def unwrap(self, wrapped: bytes) -> bytes:
        """Decrypt a data key. Raises ``StoreUnavailable``, and ``ConfigError`` for one that no vault has wrapped."""
        read = _WRAPPED.fullmatch(wrapped.decode("latin-1"))
        if read is None:
            raise ConfigError("This storage was used with KEY_FILE: set it, with the right file, and no KEY_VAULT_KEY.")
        version, value = read.groups()
        answer = self._ask("POST", f"{self._base}/{version}/unwrapkey", {"alg": ALGORITHM, "value": value})
        key = _bytes(answer.get("value"))
        if len(key) != KEY_BYTES:
            raise _makes_no_sense()
        return key

    def newest(self) -> str:
        """The version that wraps new data keys. Raises ``StoreUnavailable``."""
        return self._version or self._newest()

    def version_of(self, wrapped: bytes) -> str:
        """The version that wrapped this; empty for what no vault has wrapped."""
        read = _WRAPPED.fullmatch(wrapped.decode("latin-1"))
        return read[1] if read else ""

    def _newest(self) -> str:
        # Asked for each new data key, which is once per tenant: a rotation counts at once.
        key = self._ask("GET", self._base, None).get("key")
        named = _KEY_ID.fullmatch(str(key.get("kid") if isinstance(key, dict) else ""))
        if named is None:
            raise _makes_no_sense()
        return named[1]

    def _ask(self, method: str, url: str, body: dict[str, str] | None) -> dict[str, Any]:
        for pause in (*PAUSES[:RETRIES], None):
            status, wait, answer = self._once(method, url, body)
            if status == 200 and answer is not None:
                return answer
            if pause is None or (status and status not in TRY_AGAIN):
                break
            self._sleep(pause if wait is None else min(wait, LONGEST_PAUSE))
        raise _refused(status)

    def _once(
        self, method: str, url: str, body: dict[str, str] | None
    ) -> tuple[int, float | None, dict[str, Any] | None]:
        """Status (0: none came), the seconds that it asks to wait, and the JSON object in it."""
        try:
            token = self._token()
        except AzureError as error:
            raise StoreUnavailable(f"No token for Key Vault: {type(error).__name__}.") from None
        try:
            response = requests.request(
                method,
                url,
                params={"api-version": API_VERSION},
                json=body,
                headers={"Authorization": f"Bearer {token}"},
                timeout=TIME_OUTS,
                verify=self._ca,
                allow_redirects=False,
            )
        except requests.RequestException:
            return 0, None, None
        wait = response.headers.get("Retry-After", "")
        seconds = float(wait) if wait.isascii() and wait.isdigit() and len(wait) < 6 else None
        return response.status_code, seconds, _object(response)


def _object(response: requests.Response) -> dict[str, Any] | None:
    try:
        value = response.json()
    except ValueError:
        return None
    return value if isinstance(value, dict) else None


def _refused(status: int) -> StoreUnavailable:
    """For whoever reads the log: what to do about it."""
    said = {
        0: "Key Vault does not answer: check its firewall and private endpoint.",
        200: "Key Vault gave an answer that makes no sense.",
        400: "Key Vault cannot unwrap a data key (400): another key has wrapped it. Check KEY_VAULT_KEY.",
        401: "Key Vault does not take this app's token (401): check the vault's tenant.",
        403: "Key Vault refuses this app (403): its identity needs the role Key Vault Crypto Service Encryption User, "
        "the vault's firewall must let it in, and every version of the key must stay enabled.",
        404: "Key Vault has no such key or version (404): recover it, or no stored password can ever be read again.",
    }
    return StoreUnavailable(said.get(status, f"Key Vault did not answer as it should ({status})."))


def _makes_no_sense() -> StoreUnavailable:
    return _refused(200)


def _text(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def _bytes(text: object) -> bytes:
    if not isinstance(text, str) or not re.fullmatch(r"[0-9A-Za-z_-]*", text):
        return b""
    try:
        return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    except ValueError:
        return b""
