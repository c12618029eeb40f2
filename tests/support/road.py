"""A dialer for tests: may reach loopback, trusts the authority it is given."""

from __future__ import annotations

from ipaddress import ip_network

from shared.ports import NOBODY, Watch
from shared.servers.address_guard import AddressGuard
from shared.servers.dial import Dialer

LOOPBACK = (ip_network("127.0.0.0/8"), ip_network("::1/128"))


def dialer(ca_file: str = "", watch: Watch = NOBODY) -> Dialer:
    """To servers on this machine."""
    return Dialer(AddressGuard(LOOPBACK), ca_file, watch=watch)
