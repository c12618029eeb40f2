"""Which addresses a tenant's settings may make this service connect to.

The judgement is on the resolved address, and the connection goes to the address that was judged: a name is looked up
once, so it cannot answer differently the second time. ``ipaddress.is_global`` is no such filter: it lets through
Azure's 168.63.129.16, multicast and the NAT64 form of 169.254.169.254.
"""

from __future__ import annotations

import socket
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

from shared.errors import AddressForbidden

Network = IPv4Network | IPv6Network
Address = IPv4Address | IPv6Address

FORBIDDEN_V4 = tuple(
    IPv4Network(text)
    for text in (
        "0.0.0.0/8",  # "this network" (RFC 1122)
        "10.0.0.0/8",  # private (RFC 1918)
        "100.64.0.0/10",  # carrier-grade NAT (RFC 6598)
        "127.0.0.0/8",  # loopback
        "168.63.129.16/32",  # Azure's WireServer
        "169.254.0.0/16",  # link-local, with the metadata service
        "172.16.0.0/12",  # private (RFC 1918)
        "192.0.0.0/24",  # protocol assignments (RFC 6890)
        "192.0.2.0/24",  # documentation (RFC 5737)
        "192.31.196.0/24",  # AS112 (RFC 7535)
        "192.52.193.0/24",  # AMT (RFC 7450)
        "192.88.99.0/24",  # 6to4 relays (RFC 7526)
        "192.168.0.0/16",  # private (RFC 1918)
        "192.175.48.0/24",  # AS112 (RFC 7534)
        "198.18.0.0/15",  # benchmarks (RFC 2544)
        "198.51.100.0/24",  # documentation (RFC 5737)
        "203.0.113.0/24",  # documentation (RFC 5737)
        "224.0.0.0/4",  # multicast
        "240.0.0.0/4",  # reserved, and broadcast
    )
)

ALLOWED_V6 = IPv6Network("2000::/3")
"""Global unicast (RFC 4291): everything else of IPv6 is local, mapped, translated or not assigned."""

FORBIDDEN_V6 = tuple(
    IPv6Network(text)
    for text in (
        "2001::/23",  # protocol assignments, with Teredo (RFC 2928, RFC 4380)
        "2001:db8::/32",  # documentation (RFC 3849)
        "2002::/16",  # 6to4: an IPv4 address in disguise (RFC 3056)
        "3fff::/20",  # documentation (RFC 9637)
    )
)

NEVER = tuple(
    ip_network(text)
    for text in (
        "0.0.0.0/8",  # this machine, by another name
        "168.63.129.16/32",
        "169.254.0.0/16",
        "224.0.0.0/4",
        "240.0.0.0/4",
        "::/128",
        "::ffff:0:0/96",  # IPv4 in disguise: who opens an IPv4 network writes it as such
        "64:ff9b::/96",  # likewise, through NAT64
        "2002::/16",  # likewise, through 6to4
        "fd00:ec2::254/128",  # Amazon's metadata service
        "fd20:ce::254/128",  # Google's
        "fe80::/10",
        "ff00::/8",
    )
)
"""No setting opens these: nobody keeps mail there, and what is there hands out this service's own credentials."""

Resolve = Callable[[str, int], Sequence[str]]
"""Every address of a name, as text. Raises what ``socket.getaddrinfo`` raises."""


def resolve(host: str, port: int) -> list[str]:
    """The system's answer for a name, each address once, in its order of preference."""
    answers = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(answer[4][0]) for answer in answers))


@dataclass(frozen=True, slots=True)
class AddressGuard:
    """Judges names. ``allowed``: networks that the cloud admin opened although they are not public."""

    allowed: tuple[Network, ...] = ()
    resolve: Resolve = resolve

    def addresses(self, host: str, port: int) -> list[str]:
        """The addresses of a name, if this service may reach every one of them.

        One bad address is enough to refuse: which one is connected to may be up to whoever answers DNS. Raises
        ``AddressForbidden``, and what ``resolve`` raises.
        """
        found = list(self.resolve(host, port))
        if not found or not all(self.permits(text) for text in found):
            raise AddressForbidden(
                f"{host} is not a public mail server's address.",
                "This service reaches only public servers. If the server is in your own network, the operator of this "
                "service can open it (ALLOW_ADDRESSES).",
            )
        return found

    def permits(self, text: str) -> bool:
        """Whether this address may be connected to. Anything that is not plainly an address may not."""
        try:
            address = ip_address(text.partition("%")[0])
        except ValueError:
            return False
        if "%" in text:
            return False  # a zone makes sense only on a link of our own
        if any(address in network for network in NEVER):
            return False
        return _is_public(address) or any(address in network for network in self.allowed)


def _is_public(address: Address) -> bool:
    if isinstance(address, IPv4Address):
        return not any(address in network for network in FORBIDDEN_V4)
    return address in ALLOWED_V6 and not any(address in network for network in FORBIDDEN_V6)
