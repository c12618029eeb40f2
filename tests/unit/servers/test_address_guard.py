"""Which addresses may be reached: every spelling of every address that may not."""

from __future__ import annotations

import socket
from collections.abc import Iterator, Sequence
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network

import pytest

from shared.errors import AddressForbidden
from shared.servers.address_guard import FORBIDDEN_V4, FORBIDDEN_V6, NEVER, AddressGuard, resolve

PUBLIC = [
    "1.1.1.1",
    "8.8.8.8",
    "9.255.255.255",
    "11.0.0.0",
    "40.101.1.1",
    "52.96.0.1",
    "100.63.255.255",
    "100.128.0.0",
    "126.255.255.255",
    "128.0.0.0",
    "168.63.129.15",
    "168.63.129.17",
    "169.253.255.255",
    "169.255.0.0",
    "172.15.255.255",
    "172.32.0.0",
    "191.255.255.255",
    "192.0.1.0",
    "192.167.255.255",
    "192.169.0.0",
    "198.17.255.255",
    "198.20.0.0",
    "223.255.255.255",
    "2001:200::1",
    "2003::1",
    "2603:1026::1",
    "2a00:1450:4001::1",
    "2606:4700::1111",
]

FORBIDDEN = {
    "this network": ["0.0.0.0", "0.0.0.1", "0.255.255.255"],
    "private": ["10.0.0.0", "10.1.2.3", "10.255.255.255", "172.16.0.1", "172.31.255.255", "192.168.0.1", "192.168.255.255"],
    "carrier": ["100.64.0.0", "100.100.100.200", "100.127.255.255"],
    "loopback": ["127.0.0.0", "127.0.0.1", "127.1.2.3", "127.255.255.255", "::1"],
    "azure": ["168.63.129.16"],
    "link-local": ["169.254.0.0", "169.254.130.1", "169.254.169.253", "169.254.169.254", "169.254.255.255", "fe80::1", "febf::1"],
    "assignments": ["192.0.0.0", "192.0.0.8", "192.0.0.171", "192.0.0.255"],
    "documentation": ["192.0.2.1", "198.51.100.1", "203.0.113.255", "2001:db8::1", "2001:db8:ffff::1", "3fff::1", "3fff:fff::1"],
    "as112": ["192.31.196.1", "192.175.48.1", "192.52.193.1"],
    "benchmarks": ["198.18.0.0", "198.19.255.255"],
    "multicast": ["224.0.0.1", "239.255.255.255", "ff00::1", "ff02::1", "ff0e::1"],
    "reserved": ["240.0.0.1", "254.255.255.255", "255.255.255.255"],
    "6to4": ["192.88.99.1", "2002::1", "2002:7f00:1::", "2002:a9fe:a9fe::1", "2002:0a00:0001::1"],
    "teredo": ["2001::1", "2001:0:4136:e378:8000:63bf:3fff:fdd2", "2001:0:7f00:1::"],
    "special 2001": ["2001:2::1", "2001:10::1", "2001:20::1", "2001:1ff::1"],
    "unspecified": ["::"],
    "mapped": ["::ffff:127.0.0.1", "::ffff:10.0.0.1", "::ffff:169.254.169.254", "::ffff:8.8.8.8", "::ffff:7f00:1", "::ffff:0:127.0.0.1"],
    "compatible": ["::127.0.0.1", "::a9fe:a9fe", "::8.8.8.8"],
    "nat64": ["64:ff9b::7f00:1", "64:ff9b::a9fe:a9fe", "64:ff9b::169.254.169.254", "64:ff9b:1::a00:1", "64:ff9b::8.8.8.8"],
    "unique local": ["fc00::1", "fd00::1", "fd00:ec2::254", "fd20:ce::254", "fdff:ffff::1"],
    "site local": ["fec0::1", "feff::1"],
    "discard and others": ["100::1", "100:0:0:1::1", "1000::1", "1fff::1", "4000::1", "5f00::1", "8000::1", "e000::1", "fb00::1"],
}  # fmt: skip
NOT_PLAIN = [
    "", " ", "localhost", "127.1", "127.0.1", "0", "1", "2130706433", "0x7f.1", "0x7f000001", "0177.0.0.1", "017700000001",
    "127.0.0.01", "127.0.0.1.", "127.0.0.1 ", " 8.8.8.8", "8.8.8.8\n", "8.8.8.8/32", "8.8.8.8:993", "[::1]", "[2003::1]",
    "①②⑦.0.0.1", "127。0。0。1", "１２７.0.0.1", "٨.8.8.8", "fe80::1%eth0", "2003::1%eth0", "2003::1%", "fe80::1%25eth0", "::1%lo",
    "8.8.8.8%lo", "2003::1::2", "2003::g", "256.8.8.8", "8.8.8", "8.8.8.8.8", "http://8.8.8.8", "8.8.8.8\x00",
]  # fmt: skip
ALL_FORBIDDEN = [address for group in FORBIDDEN.values() for address in group]


def _answers(*addresses: str) -> AddressGuard:
    return AddressGuard(resolve=lambda host, port: addresses)


@pytest.mark.parametrize("address", PUBLIC)
def test_public_addresses_are_reached(address: str) -> None:
    assert _answers(address).addresses("mail.example", 993) == [address]


@pytest.mark.parametrize("address", ALL_FORBIDDEN)
def test_an_address_that_is_not_public_is_refused(address: str) -> None:
    with pytest.raises(AddressForbidden):
        _answers(address).addresses("mail.example", 993)


@pytest.mark.parametrize("address", ALL_FORBIDDEN)
def test_one_bad_answer_among_good_ones_is_enough(address: str) -> None:
    for answers in (["8.8.8.8", address], [address, "8.8.8.8"], ["2003::1", "8.8.8.8", address]):
        with pytest.raises(AddressForbidden):
            _answers(*answers).addresses("mail.example", 993)


@pytest.mark.parametrize("text", NOT_PLAIN)
def test_what_is_not_plainly_an_address_may_not_be_reached(text: str) -> None:
    assert not AddressGuard().permits(text)
    assert not AddressGuard((ip_network("0.0.0.0/0"), ip_network("::/0"))).permits(text)


def test_there_are_enough_of_them() -> None:
    assert len({*ALL_FORBIDDEN, *NOT_PLAIN}) >= 120


def test_no_answer_at_all_is_refused() -> None:
    with pytest.raises(AddressForbidden):
        _answers().addresses("mail.example", 993)


def test_the_same_words_for_every_address_give_nothing_away() -> None:
    said = set()
    for address in ALL_FORBIDDEN:
        with pytest.raises(AddressForbidden) as raised:
            _answers(address).addresses("mail.example", 993)
        said.add((raised.value.message, raised.value.fix))
        assert address not in raised.value.message.replace("mail.example", "") or len(address) < 3
    assert len(said) == 1


@pytest.mark.parametrize("network", [*FORBIDDEN_V4, *FORBIDDEN_V6], ids=str)
def test_every_forbidden_network_begins_and_ends_where_it_says(network: IPv4Network | IPv6Network) -> None:
    guard = AddressGuard()
    assert not guard.permits(str(network.network_address))
    assert not guard.permits(str(network.broadcast_address))


# ── through getaddrinfo, as people type hosts ───────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1", "127.1", "127.0.1", "0", "0.0.0.0", "2130706433", "0x7f.1", "0x7f000001", "0x7f.0x0.0x0.0x1", "017700000001",
        "0177.0.0.1", "0177.1", "127.000.000.001", "①②⑦.0.0.1", "１２７.0.0.1", "127。0。0。1", "127．0．0．1", "127｡0｡0｡1",
        "localhost", "LOCALHOST", "ｌｏｃａｌｈｏｓｔ", "ⓛⓞⓒⓐⓛⓗⓞⓢⓣ", "::1", "0:0:0:0:0:0:0:1", "::ffff:127.0.0.1", "::ffff:7f00:1", "::",
        "10.1", "0xa.1", "012.0.0.1", "167772161", "192.168.257", "0xa9fea9fe", "2852039166", "169.254.43518", "0251.0376.0251.0376",
        "①⑥⑨.②⑤④.①⑥⑨.②⑤④", "168.63.33040", "0xa83f8110", "2822734096", "::ffff:169.254.169.254", "64:ff9b::a9fe:a9fe",
        "2002:7f00:1::", "fe80::1%lo", "fe80::1", "fec0::1", "fd00::1", "::ffff:0a00:0001",
    ],
)  # fmt: skip
def test_spellings_that_the_system_turns_into_an_inner_address_are_refused(host: str) -> None:
    """``getaddrinfo`` is the one that decides what they mean: refused by its answer, or not understood by it."""
    try:
        answers = resolve(host, 993)
    except (OSError, UnicodeError):
        return
    assert answers
    with pytest.raises(AddressForbidden):
        AddressGuard().addresses(host, 993)


@pytest.mark.parametrize("host", ["127.1", "0x7f.1", "2130706433", "017700000001", "①②⑦.0.0.1", "127。0。0。1"])
def test_the_system_does_understand_odd_spellings(host: str) -> None:
    """Else the test above would prove nothing."""
    assert resolve(host, 993) == ["127.0.0.1"]


def test_the_system_gives_each_address_once() -> None:
    answers = resolve("localhost", 993)
    assert len(answers) == len(set(answers))
    assert all(ip_address(answer).is_loopback for answer in answers)


@pytest.mark.parametrize("host", ["no-such-host.invalid", "a..b", "a" * 64 + ".example"])
def test_a_name_that_cannot_be_looked_up_raises_what_the_system_raises(host: str) -> None:
    with pytest.raises((socket.gaierror, UnicodeError)):
        AddressGuard().addresses(host, 993)


# ── what a cloud admin opens ────────────────────────────────────────────────────────────────────────────────────────

OPENED = AddressGuard((ip_network("10.1.0.0/16"), ip_network("fd12:3456::/32")))


@pytest.mark.parametrize("address", ["10.1.2.3", "10.1.255.255", "fd12:3456::1", "8.8.8.8"])
def test_an_opened_network_is_reached(address: str) -> None:
    assert OPENED.permits(address)


@pytest.mark.parametrize(
    "address",
    ["10.2.0.1", "10.0.255.255", "169.254.169.254", "127.0.0.1", "168.63.129.16", "fd12:3457::1", "::ffff:10.1.2.3", "64:ff9b::a01:203"],
)  # fmt: skip
def test_an_opened_network_opens_nothing_else(address: str) -> None:
    assert not OPENED.permits(address)


@pytest.mark.parametrize(
    "everything", [("0.0.0.0/0", "::/0"), ("169.254.0.0/16", "168.63.129.16/32", "fe80::/10", "fd00::/8")]
)
@pytest.mark.parametrize(
    "address",
    ["169.254.169.254", "169.254.130.1", "168.63.129.16", "0.0.0.0", "fe80::1", "fd00:ec2::254", "::", "224.0.0.1", "255.255.255.255",
     "ff02::1", "::ffff:169.254.169.254", "::ffff:127.0.0.1", "64:ff9b::a9fe:a9fe", "2002:a9fe:a9fe::1"],
)  # fmt: skip
def test_no_setting_opens_the_metadata_service(address: str, everything: Sequence[str]) -> None:
    assert not AddressGuard(tuple(ip_network(text) for text in everything)).permits(address)


def test_what_is_never_opened_is_not_what_a_local_run_needs() -> None:
    assert not any(ip_address(address) in network for address in ("127.0.0.1", "::1", "10.1.2.3") for network in NEVER)


def test_everything_opened_reaches_a_private_network_and_this_machine() -> None:
    guard = AddressGuard((ip_network("0.0.0.0/0"), ip_network("::/0")))
    assert all(guard.permits(address) for address in ("127.0.0.1", "10.1.2.3", "::1", "fd12::1"))


# ── rebinding ───────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_name_is_looked_up_once_and_judged_as_it_answered() -> None:
    flips: Iterator[list[str]] = iter([["8.8.8.8"], ["127.0.0.1"]])
    guard = AddressGuard(resolve=lambda host, port: next(flips))
    assert guard.addresses("rebind.example", 993) == ["8.8.8.8"]
    with pytest.raises(AddressForbidden):
        guard.addresses("rebind.example", 993)


def test_an_answer_that_can_be_read_once_only_is_judged_and_returned_whole() -> None:
    guard = AddressGuard(resolve=lambda host, port: iter(["8.8.8.8", "1.1.1.1"]))  # type: ignore[arg-type, return-value]
    assert guard.addresses("mail.example", 993) == ["8.8.8.8", "1.1.1.1"]
