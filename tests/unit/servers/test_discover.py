"""What needs no network: the table, the order, the file format."""

from __future__ import annotations

import itertools
import time

import pytest

from shared.errors import ProtocolViolation
from shared.model import providers
from shared.model.discovery import Offer, Protocol, Security, ranked
from shared.model.mailbox import Settings
from shared.servers import discover_autoconfig as autoconfig
from shared.servers.discover_dns import is_host
from shared.servers.discover_probe import MAIL_PORTS

ADDRESS = "ann@firm.example"


# ── the table ───────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("domain", "kind", "host"),
    [
        ("gmail.com", "google", "imap.gmail.com"),
        ("googlemail.com", "google", "imap.gmail.com"),
        ("outlook.com", "office365", "outlook.office365.com"),
        ("hotmail.co.uk", "office365", "outlook.office365.com"),
        ("live.de", "office365", "outlook.office365.com"),
        ("icloud.com", "imap", "imap.mail.me.com"),
        ("yahoo.com", "imap", "imap.mail.yahoo.com"),
        ("aol.com", "imap", "imap.aol.com"),
        ("gmx.de", "imap", "imap.gmx.net"),
        ("gmx.com", "imap", "imap.gmx.com"),
        ("web.de", "imap", "imap.web.de"),
        ("t-online.de", "imap", "secureimap.t-online.de"),
        ("fastmail.com", "imap", "imap.fastmail.com"),
        ("zoho.eu", "imap", "imap.zoho.eu"),
        ("yandex.ru", "imap", "imap.yandex.com"),
        ("mail.ru", "imap", "imap.mail.ru"),
        ("proton.me", "unknown", ""),
        ("tuta.com", "unknown", ""),
    ],
)
def test_big_providers_are_known_by_their_domains(domain: str, kind: str, host: str) -> None:
    found = providers.by_domain(domain.upper())
    assert found is not None
    assert found.kind == kind
    assert next((offer.host for offer in found.offers(f"ann@{domain}")), "") == host


@pytest.mark.parametrize("domain", ["firm.example", "gmail.com.evil.example", "notgmail.com", "mail.gmail.com", ""])
def test_a_domain_that_only_looks_like_a_providers_is_not_known(domain: str) -> None:
    assert providers.by_domain(domain) is None


@pytest.mark.parametrize(
    ("exchanger", "name"),
    [
        ("contoso-com.mail.protection.outlook.com", "Microsoft 365"),
        ("contoso-com.p-v1.mx.microsoft", "Microsoft 365"),
        ("agency.mail.protection.outlook.us", "Microsoft 365 (US government)"),
        ("firma.mail.protection.partner.outlook.cn", "Microsoft 365 (China)"),
        ("aspmx.l.google.com", "Google"),
        ("alt1.aspmx.l.google.com", "Google"),
        ("smtp.google.com", "Google"),
        ("aspmx2.googlemail.com", "Google"),
        ("in1-smtp.messagingengine.com", "Fastmail"),
        ("mx.zoho.eu", "Zoho"),
        ("mx.yandex.net", "Yandex"),
        ("mx00.ionos.de", "IONOS"),
        ("smtpin.rzone.de", "Strato"),
        ("mail.protonmail.ch", "Proton Mail"),
    ],
)
def test_providers_are_known_by_their_exchangers(exchanger: str, name: str) -> None:
    found = providers.by_exchangers(["mx.unknown.example", exchanger])
    assert found is not None
    assert found.name == name


@pytest.mark.parametrize(
    "exchanger",
    [
        "mail.protection.outlook.com.evil.example",
        "evilmail.protection.outlook.company",
        "google.com.evil.example",
        "notgoogle.com",
        "xmx.microsoft.example",
        "mx.firm.example",
    ],
)
def test_an_exchanger_that_only_looks_like_a_providers_is_not_known(exchanger: str) -> None:
    assert providers.by_exchangers([exchanger]) is None


def test_filters_are_known_and_are_no_providers() -> None:
    for host, name in (
        ("mxa-00123.gslb.pphosted.com", "Proofpoint"),
        ("eu-smtp-inbound-1.mimecast.com", "Mimecast"),
        ("d1.ess.barracudanetworks.com", "Barracuda"),
    ):
        assert providers.filter_behind([host]) == name
        assert providers.by_exchangers([host]) is None
    assert providers.filter_behind(["mx.firm.example"]) == ""


def test_the_first_exchanger_that_is_known_decides() -> None:
    found = providers.by_exchangers(["aspmx.l.google.com", "x.mail.protection.outlook.com"])
    assert found is providers.GOOGLE


@pytest.mark.parametrize("provider", providers.PROVIDERS, ids=lambda one: one.name)
def test_every_line_of_the_table_can_be_used(provider: providers.Provider) -> None:
    assert provider.domains or provider.mx
    assert all(is_host(domain) for domain in provider.domains)
    for offer in provider.offers(ADDRESS):
        assert is_host(offer.host)
        assert offer.port in MAIL_PORTS
        assert offer.security in ("ssl", "starttls")
        assert offer.username in (ADDRESS, "ann")
    assert all(note.endswith(".") and "{" not in note for note in provider.notes)
    # Who has no server says why; who has one has it for reading and for sending.
    kinds = {offer.server_type for offer in provider.offers(ADDRESS)}
    assert {"imap", "smtp"} <= kinds or (provider.kind == "unknown" and provider.notes)


def test_no_domain_is_in_the_table_twice() -> None:
    domains = [domain for provider in providers.PROVIDERS for domain in provider.domains]
    assert len(domains) == len(set(domains))


def test_what_is_proposed_can_be_saved_as_settings() -> None:
    gmx = providers.by_domain("gmx.de")
    assert gmx is not None
    offer = gmx.offers(ADDRESS)[0]
    saved = Settings(group="g", host=offer.host, port=offer.port, security=offer.security, username=offer.username)
    assert (saved.host, saved.effective_port) == ("imap.gmx.net", 993)


# ── the order ───────────────────────────────────────────────────────────────────────────────────────────────────────


def _offer(protocol: Protocol, host: str, security: Security = "ssl", verified: bool = False, **more: str) -> Offer:
    return Offer(protocol, host, 993, security, ADDRESS, more.get("source", "srv"), verified)  # type: ignore[arg-type]


def test_what_answered_comes_first_then_who_says_so_then_the_protocol() -> None:
    best_to_worst = [
        _offer("imap", "a", verified=True),
        _offer("imap", "b", "starttls", verified=True),
        _offer("pop3", "c", verified=True),
        _offer("imap", "d", verified=True, source="autoconfig"),
        _offer("imap", "e", verified=True, source="guess"),
        _offer("imap", "f", source="table"),
        _offer("pop3", "g"),
    ]
    for mixed in itertools.permutations(best_to_worst):
        assert list(ranked(list(mixed))) == best_to_worst


def test_equals_stay_in_the_order_of_dns() -> None:
    offers = [_offer("imap", host) for host in "cab"]
    assert list(ranked(offers)) == offers


def test_a_place_that_two_sources_name_is_proposed_once() -> None:
    offers = [_offer("imap", "a", source="guess", verified=True), _offer("imap", "a", source="srv", verified=True)]
    assert ranked(offers) == (offers[1],)


# ── host names ──────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    "name", ["imap.firm.example", "a-b.c_d.example", "xn--bcher-kva.example", "x.xn--p1ai", "1.a.de"]
)
def test_names_of_servers(name: str) -> None:
    assert is_host(name)


@pytest.mark.parametrize(
    "name",
    [
        "",
        "localhost",
        "127.0.0.1",
        "127.1",
        "0x7f.1",
        "0x7f000001",
        "2130706433",
        "::1",
        "[::1]",
        "1.2.3.4.",
        "IMAP.example",
        "a b.example",
        "a..example",
        ".example.org",
        "bücher.example",
        "①②⑦.0.0.1",
        "a.example/x",
        "a.example:993",
        "user@a.example",
        "a.example\n",
        f"{'a' * 64}.example",
        f"{'a.' * 130}example",
    ],
)
def test_what_is_no_name_of_a_server(name: str) -> None:
    assert not is_host(name)


# ── autoconfig files ────────────────────────────────────────────────────────────────────────────────────────────────

SERVER = (
    '<incomingServer type="{type}"><hostname>{host}</hostname><port>{port}</port>'
    "<socketType>{socket}</socketType><username>{user}</username></incomingServer>"
)


def _file(*servers: str, before: str = "") -> bytes:
    inner = "".join(servers)
    return f"{before}<clientConfig><emailProvider>{inner}</emailProvider></clientConfig>".encode()


def _server(
    type: str = "imap",
    host: str = "imap.firm.example",
    port: str = "993",
    socket: str = "SSL",
    user: str = "%EMAILADDRESS%",
) -> str:
    return SERVER.format(type=type, host=host, port=port, socket=socket, user=user)


def test_a_file_is_read_in_its_order() -> None:
    found = autoconfig.read(
        _file(_server("pop3", port="110", socket="STARTTLS"), _server(), _server(port="143", socket="plain")), ADDRESS
    )
    assert [(one.server_type, one.port, one.security) for one in found] == [
        ("pop3", 110, "starttls"),
        ("imap", 993, "ssl"),
        ("imap", 143, "none"),
    ]


@pytest.mark.parametrize(
    ("template", "address", "name"),
    [
        ("%EMAILADDRESS%", ADDRESS, ADDRESS),
        ("%EMAILLOCALPART%", ADDRESS, "ann"),
        ("%EMAILLOCALPART%@%EMAILDOMAIN%", ADDRESS, ADDRESS),
        ("%EMAILDOMAIN%\\%EMAILLOCALPART%", ADDRESS, "firm.example\\ann"),
        ("%EMAILADDRESS%", "%EMAILDOMAIN%@firm.example", "%EMAILDOMAIN%@firm.example"),
        ("  ann  ", ADDRESS, "ann"),
        ("", ADDRESS, ADDRESS),
        ("ann\nbob", ADDRESS, ADDRESS),
        ("a" * 201, ADDRESS, ADDRESS),
    ],
)
def test_user_names_are_filled_in_once(template: str, address: str, name: str) -> None:
    assert autoconfig.read(_file(_server(user=template)), address)[0].username == name


def test_a_host_may_be_named_by_the_domain() -> None:
    assert autoconfig.read(_file(_server(host="imap.%EMAILDOMAIN%")), ADDRESS)[0].host == "imap.firm.example"


@pytest.mark.parametrize(
    "server",
    [
        _server(type="exchange"),
        _server(type=""),
        _server(host=""),
        _server(host="127.0.0.1"),
        _server(host="localhost"),
        _server(host="https://imap.firm.example/"),
        _server(port=""),
        _server(port="0"),
        _server(port="65536"),
        _server(port="-1"),
        _server(port="99999999999"),
        _server(port="９９３"),
        _server(socket="TLS"),
        _server(socket=""),
        '<outgoingServer type="imap"><hostname>a.example</hostname></outgoingServer>',
        "<incomingServer/>",
    ],
)
def test_a_server_that_makes_no_sense_is_left_out(server: str) -> None:
    assert [one.port for one in autoconfig.read(_file(server, _server()), ADDRESS)] == [993]


def test_servers_elsewhere_in_the_file_do_not_count() -> None:
    assert autoconfig.read(f"<a>{_server()}</a>".encode(), ADDRESS) == []
    assert autoconfig.read(_file(f"<old>{_server()}</old>"), ADDRESS) == []


def test_a_file_may_name_some_servers_not_hundreds() -> None:
    assert len(autoconfig.read(_file(*[_server(port=str(port)) for port in range(1, 400)]), ADDRESS)) == 8


BOMB = "<!DOCTYPE x [" + '<!ENTITY a0 "ha">' + "".join(f'<!ENTITY a{n} "{f"&a{n - 1};" * 10}">' for n in range(1, 10))


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"not xml",
        b"<clientConfig>",
        b"<a></b>",
        b"\xff\xfe\x00",
        BOMB.encode() + b"]><x>&a9;</x>",
        BOMB.encode("utf-16") + "]><x>&a9;</x>".encode("utf-16-le"),
        _file(_server(user="&passwd;"), before='<!DOCTYPE x [<!ENTITY passwd SYSTEM "file:///etc/passwd">]>'),
        _file(_server(), before="<!DOCTYPE x>"),
        _file(_server(user="&undefined;")),
        b'<?xml version="1.0" encoding="x-no-such"?><a/>',
        b'<?xml version="1.0" encoding="utf-7"?><a/>',
    ],
    ids=range(12),
)
def test_what_is_no_file_of_settings_is_an_error_of_ours_at_once(content: bytes) -> None:
    began = time.monotonic()
    with pytest.raises(ProtocolViolation) as raised:
        autoconfig.read(content, ADDRESS)
    assert time.monotonic() - began < 1
    assert "passwd" not in raised.value.message


def test_nothing_outside_the_file_is_asked_for_styles_or_schemas() -> None:
    before = '<?xml version="1.0"?><?xml-stylesheet href="http://169.254.169.254/"?>'
    assert len(autoconfig.read(_file(_server(), before=before), ADDRESS)) == 1
