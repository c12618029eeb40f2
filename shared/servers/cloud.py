"""Microsoft's clouds: where people and apps sign in, and where Graph is."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Self
from urllib.parse import urlsplit

_GRAPH = "https://graph.microsoft.com"
_OUTLOOK = "https://outlook.office365.com"
_OUTLOOK_OF_PEOPLE = "https://outlook.office.com"
"""Exchange Online's other name in the global cloud: Microsoft's page on OAuth for IMAP, POP and SMTP names it for
people, the one above for apps. The national clouds have one name for both."""


@dataclass(frozen=True, slots=True)
class Cloud:
    """One of Microsoft's clouds. Tokens of one are worth nothing in another.

    ``authority``: where people and apps sign in. ``graph``: Graph's base with its version. ``graph_resource`` and
    ``outlook_resource``: what a token is for, which is not where it is sent when a stand-in or proxy answers there.
    ``outlook_of_people``: the same as ``outlook_resource`` for what a person grants.
    """

    authority: str
    graph: str
    graph_resource: str
    outlook_resource: str
    outlook_of_people: str

    @property
    def exchange(self) -> str:
        """What a token is for by which an identity of this cloud proves itself to an app registration
        (learn.microsoft.com/entra/workload-id/workload-identity-federation-config-app-trust-managed-identity)."""
        return f"api://AzureADTokenExchange{_EXCHANGES.get(self.authority, '')}"

    @classmethod
    def of(cls, name: str) -> Self:
        """A cloud by its name: global, usgov (GCC High), dod, china. Raises ``KeyError``."""
        authority, graph, outlook = _CLOUDS[name]
        return cls(authority, f"{graph}/v1.0", graph, outlook, _OUTLOOK_OF_PEOPLE if outlook == _OUTLOOK else outlook)

    @classmethod
    def custom(cls, authority: str = "", graph_url: str = "") -> Cloud:
        """The cloud of AZURE_AUTHORITY_HOST and GRAPH_URL; what is empty is that of the other's cloud.

        Raises ``ValueError`` naming the setting: only https is spoken, and to Graph also http on this machine.
        """
        signs_in = _authority(authority)
        base = graph_url.strip().rstrip("/")
        known = _known(signs_in, base)
        _check("GRAPH_URL", base)
        return replace(known, authority=signs_in or known.authority, graph=base or known.graph)

    @property
    def graph_scope(self) -> str:
        """All that was granted to the app at Graph; single permissions cannot be asked for without a person."""
        return f"{self.graph_resource}/.default"

    @property
    def outlook_scope(self) -> str:
        """The same for IMAP, POP and SMTP at Exchange Online."""
        return f"{self.outlook_resource}/.default"


_EXCHANGES = {"https://login.microsoftonline.us": "USGov", "https://login.chinacloudapi.cn": "China"}

_CLOUDS = {
    "global": ("https://login.microsoftonline.com", _GRAPH, _OUTLOOK),
    "usgov": ("https://login.microsoftonline.us", "https://graph.microsoft.us", "https://outlook.office365.us"),
    "dod": (
        "https://login.microsoftonline.us",
        "https://dod-graph.microsoft.us",
        "https://outlook-dod.office365.us",
    ),
    "china": (
        "https://login.chinacloudapi.cn",
        "https://microsoftgraph.chinacloudapi.cn",
        "https://partner.outlook.cn",
    ),
}


def _authority(text: str) -> str:
    """Azure's SDKs take AZURE_AUTHORITY_HOST with and without https://."""
    base = text.strip().rstrip("/")
    if base and "://" not in base:
        base = f"https://{base}"
    if base and (urlsplit(base).scheme != "https" or not urlsplit(base).hostname or urlsplit(base).path):
        raise ValueError("AZURE_AUTHORITY_HOST must be an https address without a path.")
    return base


def _known(authority: str, graph: str) -> Cloud:
    """The national cloud that these addresses belong to; a stand-in plays the global one."""
    for name, (known_authority, known_graph, _) in _CLOUDS.items():
        if graph.startswith(f"{known_graph}/") or (not graph and authority == known_authority):
            return Cloud.of(name)
    return Cloud.of("global")


def _check(setting: str, url: str) -> None:
    parts = urlsplit(url)
    local = parts.hostname in ("localhost", "127.0.0.1", "::1")
    secure = parts.scheme == "https" or (parts.scheme == "http" and local)
    if url and (not secure or not parts.hostname or not parts.path or parts.query or parts.fragment or parts.username):
        raise ValueError(f"{setting} must be an https address with its version, like https://graph.microsoft.com/v1.0.")
