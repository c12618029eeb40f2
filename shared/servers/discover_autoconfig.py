"""Mozilla's autoconfig format (config-v1.1.xml): which servers a domain, or Mozilla's directory, names.

The file is a stranger's. There is no DOCTYPE in the format, so one is refused: without it XML has no entities, and so
neither bombs nor outside files.
"""

from __future__ import annotations

import re
import xml.parsers.expat
from dataclasses import dataclass, field

from shared.errors import ProtocolViolation
from shared.model.discovery import Offer, Protocol, Security
from shared.servers.discover_dns import is_host

MOST_OFFERS = 8
"""Of each direction; Mozilla's own files have up to five."""

_PROTOCOLS: dict[tuple[str, str], Protocol] = {
    ("incomingServer", "imap"): "imap",
    ("incomingServer", "pop3"): "pop3",
    ("outgoingServer", "smtp"): "smtp",
}
_PLACE = re.compile("%(EMAILADDRESS|EMAILLOCALPART|EMAILDOMAIN)%")
_SECURITY: dict[str, Security] = {"SSL": "ssl", "STARTTLS": "starttls", "plain": "none"}


@dataclass
class _Server:
    """One element as it is read."""

    protocol: Protocol | None
    fields: dict[str, str] = field(default_factory=dict)


class _Reader:
    """Takes down the servers of a file; expat calls it."""

    def __init__(self) -> None:
        self.servers: list[_Server] = []
        self._path: list[str] = []

    def start(self, name: str, attributes: dict[str, str]) -> None:
        self._path.append(name)
        # clientConfig/emailProvider/incomingServer
        if len(self._path) == 3 and name in ("incomingServer", "outgoingServer"):
            self.servers.append(_Server(_PROTOCOLS.get((name, attributes.get("type", "")))))

    def text(self, text: str) -> None:
        if len(self._path) == 4 and self.servers and self._path[2] in ("incomingServer", "outgoingServer"):
            fields = self.servers[-1].fields
            fields[self._path[3]] = fields.get(self._path[3], "") + text

    def end(self, name: str) -> None:
        self._path.pop()

    def doctype(self, *what: object) -> None:
        raise ValueError("a DOCTYPE")


def read(content: bytes, address: str) -> list[Offer]:
    """The servers in an autoconfig file, for this address, in the file's order. Raises ``ProtocolViolation``."""
    reader = _Reader()
    parser = xml.parsers.expat.ParserCreate()
    parser.StartElementHandler = reader.start
    parser.EndElementHandler = reader.end
    parser.CharacterDataHandler = reader.text
    parser.StartDoctypeDeclHandler = reader.doctype
    try:
        parser.Parse(content, True)
    except (xml.parsers.expat.ExpatError, ValueError, LookupError):
        # LookupError: an encoding that nobody knows.
        raise ProtocolViolation("These mail settings cannot be read.") from None
    offers = [offer for server in reader.servers if (offer := _offer(server, address))]
    incoming = [offer for offer in offers if offer.server_type != "smtp"]
    outgoing = [offer for offer in offers if offer.server_type == "smtp"]
    return incoming[:MOST_OFFERS] + outgoing[:MOST_OFFERS]


def _offer(server: _Server, address: str) -> Offer | None:
    fields = {name: text.strip() for name, text in server.fields.items()}
    host = _filled(fields.get("hostname", ""), address).lower().rstrip(".")
    port = fields.get("port", "")
    security = _SECURITY.get(fields.get("socketType", ""))
    if server.protocol is None or security is None or not is_host(host):
        return None
    if not (port.isascii() and port.isdigit() and len(port) <= 5 and 0 < int(port) <= 65535):
        return None
    username = _filled(fields.get("username", ""), address) or address
    if len(username) > 200 or not username.isprintable():
        username = address  # a form's field is to be filled, not a page to be written
    return Offer(server.protocol, host, int(port), security, username, "autoconfig")


def _filled(text: str, address: str) -> str:
    local, _, domain = address.rpartition("@")
    parts = {"EMAILADDRESS": address, "EMAILLOCALPART": local, "EMAILDOMAIN": domain}
    return _PLACE.sub(lambda found: parts[found[1]], text)
