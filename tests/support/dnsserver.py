"""A name server of our own on loopback, UDP and TCP: says what it is told to, odd things too, and notes what it hears."""

from __future__ import annotations

import socket
import socketserver
import struct
import threading
from collections import defaultdict
from types import TracebackType
from typing import Any, Self

import dns.flags
import dns.message
import dns.name
import dns.rcode
import dns.rdata
import dns.rdatatype
import dns.rrset

UDP_BYTES = 512
"""Without EDNS, more than this is cut and the client comes again by TCP (RFC 1035, 4.2.1)."""

MOST_ALIASES = 8


class DnsServer:
    """``with DnsServer() as dns: dns.say("example.org", "MX", "10 mail.example.org.")``.

    A name of which nothing was said does not exist (NXDOMAIN); one of which something else was said has no such record.
    """

    def __init__(self) -> None:
        self.asked: list[tuple[str, str]] = []
        self._records: dict[tuple[str, str], list[str]] = defaultdict(list)
        self._instead: dict[tuple[str, str], str] = {}
        self._udp, self._tcp = _pair(self)

    @property
    def nameservers(self) -> list[tuple[str, int]]:
        """For ``Discoverer``."""
        return [self._udp.server_address[:2]]  # type: ignore[list-item]

    def say(self, name: str, kind: str, *texts: str) -> None:
        """Answer with these records, in zone file form."""
        self._records[name, kind] += texts

    def odd(self, name: str, kind: str, what: str) -> None:
        """Instead of an answer: "silent", "garbage", "cut" (truncated, and nothing by TCP), or an rcode's name.

        ``name`` or ``kind`` may be "*".
        """
        self._instead[name, kind] = what

    def __enter__(self) -> Self:
        for server in (self._udp, self._tcp):
            # 0.01 s: how long the end of a test waits for each.
            threading.Thread(target=server.serve_forever, args=[0.01], daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for server in (self._udp, self._tcp):
            server.shutdown()
            server.server_close()

    def answer(self, wire: bytes, by_tcp: bool) -> bytes | None:
        """What goes back for a question; None for silence."""
        query = dns.message.from_wire(wire)
        question = query.question[0]
        name, kind = str(question.name).rstrip(".").lower(), dns.rdatatype.to_text(question.rdtype)
        self.asked.append((name, kind))
        odd = next(
            (
                self._instead[key]
                for key in ((name, kind), (name, "*"), ("*", kind), ("*", "*"))
                if key in self._instead
            ),
            "",
        )
        if odd == "silent":
            return None
        if odd == "garbage":
            return wire[:2] + b"\x84\x00\xff\xff\xff\xff" + b"\xc0" * 40
        response = dns.message.make_response(query)
        response.flags |= dns.flags.RA
        if odd == "cut":
            response.flags |= dns.flags.TC
            return None if by_tcp else response.to_wire()
        if odd:
            response.set_rcode(dns.rcode.from_text(odd))
            return response.to_wire()
        self._fill(response, name, kind)
        full = response.to_wire(max_size=65535)
        if by_tcp or len(full) <= UDP_BYTES:
            return full
        response.answer.clear()
        response.flags |= dns.flags.TC
        return response.to_wire()

    def _fill(self, response: dns.message.Message, name: str, kind: str) -> None:
        for _ in range(MOST_ALIASES):
            alias = self._records.get((name, "CNAME"))
            if not alias:
                break
            response.answer.append(dns.rrset.from_text(f"{name}.", 60, "IN", "CNAME", alias[0]))
            name = alias[0].rstrip(".")
        if texts := self._records.get((name, kind)):
            response.answer.append(dns.rrset.from_text(f"{name}.", 60, "IN", kind, *texts))
        elif not response.answer and not any(known == name for known, _ in self._records):
            response.set_rcode(dns.rcode.NXDOMAIN)


class _Udp(socketserver.BaseRequestHandler):
    def handle(self) -> None:
        wire, sender = self.request
        if (reply := self.server.dns.answer(wire, False)) is not None:  # type: ignore[attr-defined]
            sender.sendto(reply, self.client_address)


class _Tcp(socketserver.BaseRequestHandler):
    def handle(self) -> None:
        while len(head := self.request.recv(2, socket.MSG_WAITALL)) == 2:
            wire = self.request.recv(struct.unpack("!H", head)[0], socket.MSG_WAITALL)
            if (reply := self.server.dns.answer(wire, True)) is None:  # type: ignore[attr-defined]
                return
            self.request.sendall(struct.pack("!H", len(reply)) + reply)


class _UdpServer(socketserver.ThreadingUDPServer):
    daemon_threads = True
    dns: DnsServer


class _TcpServer(socketserver.ThreadingTCPServer):
    daemon_threads = True
    dns: DnsServer

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that hung up is nothing to print."""


def _pair(owner: DnsServer) -> tuple[_UdpServer, _TcpServer]:
    """Both on one port."""
    while True:
        udp = _UdpServer(("127.0.0.1", 0), _Udp)
        try:
            tcp = _TcpServer(("127.0.0.1", udp.server_address[1]), _Tcp)
        except OSError:
            udp.server_close()  # somebody has that port by TCP: another one
            continue
        udp.dns = tcp.dns = owner
        return udp, tcp
