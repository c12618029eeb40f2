"""Discovery against a small internet on this machine: a real name server, web servers, mail servers."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from shared.errors import Invalid
from shared.model.discovery import Discovery, Offer
from shared.servers.discover import ALL_SECONDS, MOST_AT_ONCE, PLACES
from tests.support import dovecot
from tests.support.discovering import Internet, Page, Talk, Web, internet, server_context
from tests.support.makerun import eventually

DOMAIN = "firm.example"
ADDRESS = f"ann@{DOMAIN}"
TENANT = "11111111-2222-3333-4444-555555555555"
NAMES = (
    DOMAIN,
    *(f"{label}.{DOMAIN}" for label in ("imap", "mail", "pop", "smtp", "autoconfig", "www", "in")),
    "autoconfig.thunderbird.net",
)
CONFIG = f"https://autoconfig.{DOMAIN}/mail/config-v1.1.xml"
FILE = b"""<?xml version="1.0"?><clientConfig version="1.1"><emailProvider id="firm.example">
<incomingServer type="imap"><hostname>in.firm.example</hostname><port>993</port><socketType>SSL</socketType>
<username>%EMAILLOCALPART%</username></incomingServer>
<outgoingServer type="smtp"><hostname>smtp.firm.example</hostname><port>465</port><socketType>SSL</socketType>
<username>%EMAILADDRESS%</username></outgoingServer></emailProvider></clientConfig>"""


@pytest.fixture
def net() -> Iterator[Internet]:
    with internet(None, *NAMES) as made:
        made.dns.say(DOMAIN, "MX", f"10 mx.{DOMAIN}.")
        yield made


class _Named(dovecot.Dovecot):
    """A Dovecot whose certificate is for the names of this internet."""

    def _write_files(self) -> None:
        super()._write_files()
        leaf = self.authority.issue_cert(*NAMES)
        home = Path(self.ca_file).parent
        leaf.private_key_pem.write_to_path(home / "key.pem")
        for count, blob in enumerate(leaf.cert_chain_pems):
            blob.write_to_path(home / "cert.pem", append=count > 0)


@pytest.fixture(scope="module")
def server() -> Iterator[dovecot.Dovecot]:
    if not dovecot.installed():
        pytest.skip("Dovecot is not installed (apt-get install dovecot-imapd dovecot-pop3d)")
    with _Named() as running:
        yield running


@pytest.fixture
def mail(server: dovecot.Dovecot) -> Iterator[Internet]:
    """An internet with a real IMAP and POP3 server behind the usual ports."""
    with internet(server.authority, *NAMES) as made:
        made.dns.say(DOMAIN, "MX", f"10 mx.{DOMAIN}.")
        ports = server.ports
        made.ports |= {993: ports.imaps, 143: ports.imap, 995: ports.pop3s, 110: ports.pop3}
        yield made


def _ask(net: Internet, address: str = ADDRESS, **how: Any) -> Discovery:
    began = time.monotonic()
    found = net.discoverer(**how).discover(address)
    took = time.monotonic() - began
    assert took < ALL_SECONDS
    assert found.seconds == pytest.approx(took, abs=0.2)
    assert all(note.endswith(".") and len(note) < 250 for note in found.notes)
    return found


def _places(offers: tuple[Offer, ...]) -> list[tuple[str, str, int, str, bool]]:
    return [(one.server_type, one.host, one.port, one.source, one.verified) for one in offers]


def _greets(line: bytes) -> Talk:
    def talk(connection: socket.socket) -> None:
        connection.sendall(line)
        connection.recv(1)

    return talk


# ── Microsoft and Google ────────────────────────────────────────────────────────────────────────────────────────────


def test_microsofts_exchanger_sends_the_user_to_microsofts_log_in(net: Internet) -> None:
    net.dns.say("tenant.example", "MX", "0 tenant-example.mail.protection.outlook.com.")
    net.knows("tenant.example", tenant_id=TENANT)
    found = _ask(net, "ann@tenant.example")
    assert (found.kind, found.sign_in, found.tenant_id) == ("office365", True, TENANT)
    assert found.incoming[0].host == "outlook.office365.com"
    assert "Sign in there" in found.notes[0]


def test_microsofts_exchanger_is_enough_when_microsoft_cannot_be_asked(net: Internet) -> None:
    net.dns.say("tenant.example", "MX", "0 tenant-example.p-v1.mx.microsoft.")
    net.microsoft.pages["127.0.0.1", "/tenant.example/v2.0/.well-known/openid-configuration"] = Page(b"<html>", 503)
    net.microsoft.pages["127.0.0.1", "/common/userrealm/ann@tenant.example?api-version=1.0"] = Page(b"<html>", 503)
    found = _ask(net, "ann@tenant.example")
    assert (found.kind, found.sign_in, found.tenant_id) == ("office365", True, None)
    assert any("could not be asked" in note for note in found.notes)


def test_microsofts_stand_in_is_reached_with_the_operators_authorities(
    net: Internet, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", net.ca_file)
    issuer = f'{{"issuer": "https://sts.windows.net/{TENANT.upper()}/"}}'.encode()
    net.dns.say("tenant.example", "MX", "0 tenant-example.mail.protection.outlook.com.")
    with Web(server_context(net.authority, "localhost")) as stand_in:
        stand_in.pages["localhost", "/tenant.example/v2.0/.well-known/openid-configuration"] = Page(issuer)
        found = _ask(net, "ann@tenant.example", authority=f"https://localhost:{stand_in.port}")
    assert found.tenant_id == TENANT


@pytest.mark.parametrize("account_type", ["Managed", "Federated"])
def test_behind_a_filter_the_realm_decides(net: Internet, account_type: str) -> None:
    net.dns.say("tenant.example", "MX", "10 eu-smtp-inbound-1.mimecast.com.")
    net.knows("tenant.example", account_type, TENANT)
    found = _ask(net, "ann@tenant.example")
    assert (found.kind, found.sign_in, found.tenant_id) == ("office365", True, TENANT)
    assert any("Mimecast" in note for note in found.notes)


def test_a_name_without_exchangers_may_sign_in_at_microsoft_all_the_same(net: Internet) -> None:
    net.host("upn.example")
    net.knows("upn.example", tenant_id=TENANT)
    found = _ask(net, "ann@upn.example")
    assert (found.kind, found.sign_in, found.tenant_id) == ("office365", True, TENANT)


def test_a_tenant_is_not_yet_a_mailbox_there(mail: Internet) -> None:
    mail.host(f"imap.{DOMAIN}")
    mail.knows(DOMAIN, tenant_id=TENANT)
    found = _ask(mail)
    assert (found.kind, found.sign_in, found.tenant_id) == ("imap", False, TENANT)
    assert found.incoming[0].verified
    assert any("also signs in at Microsoft" in note for note in found.notes)


def test_a_tenant_without_another_server_is_at_microsoft(net: Internet) -> None:
    net.knows(DOMAIN, tenant_id=TENANT)
    found = _ask(net)
    assert (found.kind, found.sign_in) == ("office365", True)
    assert any("probably at Microsoft 365" in note for note in found.notes)


def test_a_domain_that_microsoft_does_not_know_is_none_of_its(net: Internet) -> None:
    net.knows(DOMAIN, "Unknown")
    found = _ask(net)
    assert (found.kind, found.sign_in, found.tenant_id) == ("unknown", False, None)
    assert not any("Microsoft" in note for note in found.notes)


def test_autoconfig_that_names_microsofts_servers_is_microsoft_365(net: Internet) -> None:
    net.page(
        f"autoconfig.{DOMAIN}", "/mail/config-v1.1.xml", FILE.replace(b"in.firm.example", b"outlook.office365.com")
    )
    found = _ask(net)
    assert (found.kind, found.sign_in) == ("office365", True)


def test_googles_exchanger_means_google(net: Internet) -> None:
    net.dns.say("school.example", "MX", "1 smtp.google.com.")
    found = _ask(net, "ann@school.example")
    assert (found.kind, found.sign_in) == ("google", False)
    assert found.incoming[0].host == "imap.gmail.com"
    assert {one.port for one in found.outgoing} == {465, 587}
    assert "app password" in found.notes[0]


def test_a_provider_of_our_table_needs_no_look_up(net: Internet) -> None:
    found = _ask(net, "ann@gmx.de")
    assert _places(found.incoming)[0] == ("imap", "imap.gmx.net", 993, "table", False)
    assert net.microsoft.asked == []
    assert {name for name, _ in net.dns.asked} == {"imap.gmx.net", "pop.gmx.net", "mail.gmx.net"}
    assert any("none of them could be reached" in note for note in found.notes)


# ── SRV, RFC 6186 and 8314 ──────────────────────────────────────────────────────────────────────────────────────────


def test_srv_records_name_servers_that_are_verified_by_connecting(mail: Internet) -> None:
    mail.host(f"in.{DOMAIN}")
    mail.dns.say(f"_imaps._tcp.{DOMAIN}", "SRV", f"0 1 993 in.{DOMAIN}.")
    mail.dns.say(f"_imap._tcp.{DOMAIN}", "SRV", f"0 1 143 in.{DOMAIN}.")
    mail.dns.say(f"_pop3s._tcp.{DOMAIN}", "SRV", f"0 1 995 in.{DOMAIN}.")
    mail.dns.say(f"_pop3._tcp.{DOMAIN}", "SRV", f"0 1 110 in.{DOMAIN}.")
    found = _ask(mail)
    assert found.kind == "imap"
    assert [(one.server_type, one.port, one.security, one.source, one.verified) for one in found.incoming] == [
        ("imap", 993, "ssl", "srv", True),
        ("imap", 143, "starttls", "srv", True),
        ("pop3", 995, "ssl", "srv", True),
        ("pop3", 110, "starttls", "srv", True),
    ]
    assert {one.username for one in found.incoming} == {ADDRESS}


def test_a_domain_with_pop3_only_is_pop3(mail: Internet) -> None:
    mail.host(f"in.{DOMAIN}")
    mail.dns.say(f"_imaps._tcp.{DOMAIN}", "SRV", "0 0 0 .")
    mail.dns.say(f"_pop3s._tcp.{DOMAIN}", "SRV", f"0 1 995 in.{DOMAIN}.")
    found = _ask(mail)
    assert (found.kind, [one.server_type for one in found.incoming]) == ("pop3", ["pop3"])
    assert f"{DOMAIN} says in DNS that it offers no IMAP with SSL." in found.notes


def test_srv_goes_by_priority_then_by_weight(net: Internet) -> None:
    net.dns.say(
        f"_imaps._tcp.{DOMAIN}",
        "SRV",
        f"20 9 993 third.{DOMAIN}.",
        f"10 1 993 second.{DOMAIN}.",
        f"10 7 993 first.{DOMAIN}.",
    )
    found = _ask(net)
    assert [one.host for one in found.incoming] == [f"{name}.{DOMAIN}" for name in ("first", "second", "third")]
    assert not any(one.verified for one in found.incoming)
    assert any("There is no server called first" in note for note in found.notes)


def test_a_server_in_another_domain_asks_for_a_look(mail: Internet) -> None:
    mail.host("in.firm.example")
    mail.dns.say("small.example", "MX", "0 mx.small.example.")
    mail.dns.say("_imaps._tcp.small.example", "SRV", f"0 1 993 in.{DOMAIN}.")
    found = _ask(mail, "ann@small.example")
    assert found.incoming[0].verified
    assert any("in.firm.example is not part of small.example" in note for note in found.notes)


def test_a_certificate_for_another_name_is_no_verified_server(mail: Internet) -> None:
    mail.host(f"other.{DOMAIN}")
    mail.dns.say(f"_imaps._tcp.{DOMAIN}", "SRV", f"0 1 993 other.{DOMAIN}.")
    found = _ask(mail)
    assert _places(found.incoming) == [("imap", f"other.{DOMAIN}", 993, "srv", False)]
    assert any("is for another name" in note for note in found.notes)


def test_a_server_inside_is_neither_asked_nor_proposed(net: Internet) -> None:
    for label, address in (("loop", "127.0.0.1"), ("meta", "169.254.169.254"), ("wire", "168.63.129.16")):
        net.host(f"{label}.{DOMAIN}", address=address)
        net.dns.say(f"_imaps._tcp.{DOMAIN}", "SRV", f"0 1 993 {label}.{DOMAIN}.")
    with socket.create_server(("127.0.0.1", 0)) as recorder:
        recorder.settimeout(0.2)
        net.ports[993] = recorder.getsockname()[1]
        found = _ask(net, open_loopback=False)
        with pytest.raises(TimeoutError):
            recorder.accept()
    assert found.incoming == ()
    assert f"meta.{DOMAIN} does not point to a public server. It was not asked." in found.notes


def test_only_ports_of_mail_are_knocked_at(net: Internet) -> None:
    net.host(f"in.{DOMAIN}")
    net.dns.say(f"_imaps._tcp.{DOMAIN}", "SRV", f"0 1 22 in.{DOMAIN}.", f"1 1 6379 in.{DOMAIN}.")
    found = _ask(net)
    assert [(one.port, one.verified) for one in found.incoming] == [(22, False), (6379, False)]
    assert not any(port in (22, 6379) for _, port in net.dialled)


# ── autoconfig ──────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("host", "path"),
    [
        (f"autoconfig.{DOMAIN}", "/mail/config-v1.1.xml"),
        (DOMAIN, "/.well-known/autoconfig/mail/config-v1.1.xml"),
        ("autoconfig.thunderbird.net", f"/v1.1/{DOMAIN}"),
    ],
)
def test_an_autoconfig_file_names_servers_and_user_names(mail: Internet, host: str, path: str) -> None:
    mail.host(f"in.{DOMAIN}")
    mail.page(host, path, FILE)
    found = _ask(mail)
    assert _places(found.incoming) == [("imap", f"in.{DOMAIN}", 993, "autoconfig", True)]
    assert found.incoming[0].username == "ann"
    assert (found.outgoing[0].host, found.outgoing[0].username) == (f"smtp.{DOMAIN}", ADDRESS)
    assert not any(ADDRESS in asked or "ann" in asked for asked in mail.web.asked)


def test_redirects_are_followed_to_https_hosts_only(net: Internet) -> None:
    net.page(f"autoconfig.{DOMAIN}", "/mail/config-v1.1.xml", status=302, Location=f"https://www.{DOMAIN}/mail.xml")
    net.page(f"www.{DOMAIN}", "/mail.xml", FILE)
    assert [one.host for one in _ask(net).incoming] == [f"in.{DOMAIN}"]


@pytest.mark.parametrize(
    "location",
    [
        f"http://www.{DOMAIN}/mail.xml",
        f"https://www.{DOMAIN}:8443/mail.xml",
        f"https://user@www.{DOMAIN}/mail.xml",
        "https://127.0.0.1/mail.xml",
        "https://[::1]/mail.xml",
        "https://2130706433/mail.xml",
        "https://0x7f.1/mail.xml",
        "https://localhost/mail.xml",
        "https://[/",
        "file:///etc/passwd",
        "gopher://www.firm.example/_LOGIN",
        f"https://www.{DOMAIN}/a b\x7f",
    ],
)
def test_redirects_elsewhere_are_refused(net: Internet, location: str) -> None:
    net.host("www.firm.example")
    net.page(f"autoconfig.{DOMAIN}", "/mail/config-v1.1.xml", status=302, Location=location)
    found = _ask(net)
    assert found.incoming == ()
    assert f"The mail settings that autoconfig.{DOMAIN} publishes cannot be used." in found.notes
    assert len(net.web.asked) == 1


def test_a_redirect_inside_is_judged_as_the_first_address_was(net: Internet) -> None:
    net.page(f"autoconfig.{DOMAIN}", "/mail/config-v1.1.xml", status=301, Location=f"https://meta.{DOMAIN}/latest")
    net.host(f"meta.{DOMAIN}", address="169.254.169.254")
    found = _ask(net)
    assert found.incoming == ()
    assert any("does not point to a public server" in note for note in found.notes)


def test_redirects_in_circles_end(net: Internet) -> None:
    net.page(f"autoconfig.{DOMAIN}", "/mail/config-v1.1.xml", status=302, Location=CONFIG)
    assert _ask(net).incoming == ()
    assert 1 < len(net.web.asked) < 8


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<html><body>Not found<br></body></html>",
        b"\x00\xff\xfe garbage",
        b"<clientConfig>" * 5000,
        b'<!DOCTYPE x [<!ENTITY a "b">]>' + FILE.partition(b"?>")[2],
        b'<!DOCTYPE x SYSTEM "http://169.254.169.254/">' + FILE.partition(b"?>")[2],
        FILE + b" " * 70_000,
        b'<?xml version="1.0" encoding="x-unknown"?><a/>',
    ],
    ids=["empty", "html", "bytes", "deep", "entity", "outside", "large", "encoding"],
)
def test_a_file_that_is_no_settings_is_said_to_be_unusable(net: Internet, body: bytes) -> None:
    net.page(f"autoconfig.{DOMAIN}", "/mail/config-v1.1.xml", body)
    found = _ask(net)
    assert found.incoming == ()
    assert f"The mail settings that autoconfig.{DOMAIN} publishes cannot be used." in found.notes


# ── the usual names ─────────────────────────────────────────────────────────────────────────────────────────────────


def test_the_usual_names_are_proposed_when_they_answer(mail: Internet) -> None:
    mail.host(f"imap.{DOMAIN}", f"mail.{DOMAIN}", f"pop.{DOMAIN}")
    found = _ask(mail)
    assert found.kind == "imap"
    assert (
        _places(found.incoming)
        == [
            ("imap", f"imap.{DOMAIN}", 993, "guess", True),
            ("imap", f"mail.{DOMAIN}", 993, "guess", True),
            ("pop3", f"mail.{DOMAIN}", 995, "guess", True),
            ("pop3", f"pop.{DOMAIN}", 995, "guess", True),
        ]
        or _places(found.incoming)[2][1] == f"pop.{DOMAIN}"
    )


def test_usual_names_that_do_not_answer_are_not_proposed(net: Internet) -> None:
    net.host(f"imap.{DOMAIN}", f"mail.{DOMAIN}")
    found = _ask(net)
    assert (found.kind, found.incoming, found.outgoing) == ("unknown", (), ())
    assert found.notes == (
        f"No mail server was found for {DOMAIN}. Ask its provider for the server's name, and fill in the form.",
    )


def test_usual_names_that_lead_inside_say_why_nothing_was_found(net: Internet) -> None:
    net.host(f"imap.{DOMAIN}", address="10.1.2.3")
    assert f"imap.{DOMAIN} does not point to a public server. It was not asked." in _ask(net).notes


def test_a_server_for_sending_is_verified_with_and_without_starttls(net: Internet) -> None:
    context = server_context(net.authority, f"smtp.{DOMAIN}")

    def submission(connection: socket.socket) -> None:
        connection.sendall(b"220-hello\r\n220 hello\r\n")
        assert connection.recv(100).startswith(b"EHLO ")
        connection.sendall(b"250-smtp\r\n250-STARTTLS\r\n250 SIZE 1\r\n")
        assert connection.recv(100) == b"STARTTLS\r\n"
        connection.sendall(b"220 go\r\n")
        with context.wrap_socket(connection, server_side=True) as encrypted:
            encrypted.recv(1)

    net.host(f"smtp.{DOMAIN}")
    net.serve(465, _greets(b"220 hello\r\n"), f"smtp.{DOMAIN}", encrypted=True)
    net.serve(587, submission)
    found = _ask(net)
    assert _places(found.outgoing) == [
        ("smtp", f"smtp.{DOMAIN}", 465, "guess", True),
        ("smtp", f"smtp.{DOMAIN}", 587, "guess", True),
    ]


@pytest.mark.parametrize(
    "greeting",
    [b"", b"HTTP/1.1 400 Bad Request\r\n\r\n", b"220 smtp\r\n", b"+OK pop\r\n", b"* BYE no\r\n", b"* PREAUTH hi\r\n"],
)
def test_what_is_no_imap_server_is_not_verified(net: Internet, greeting: bytes) -> None:
    net.host(f"imap.{DOMAIN}")
    net.serve(993, _greets(greeting), f"imap.{DOMAIN}", encrypted=True)
    assert _ask(net).incoming == ()


@pytest.mark.parametrize(
    "answer", [b"a NO not now\r\n", b"a BAD what\r\n", b"* BYE\r\n", b"a OK go\r\na OK injected\r\n"]
)
def test_starttls_that_is_refused_or_forged_is_not_verified_and_nothing_else_is_said(
    net: Internet, answer: bytes
) -> None:
    heard: list[bytes] = []

    def talk(connection: socket.socket) -> None:
        connection.sendall(b"* OK ready\r\n")
        heard.append(connection.recv(100))
        connection.sendall(answer)
        heard.append(connection.recv(100))

    net.host(f"in.{DOMAIN}")
    net.dns.say(f"_imap._tcp.{DOMAIN}", "SRV", f"0 1 143 in.{DOMAIN}.")
    net.serve(143, talk)
    found = _ask(net)
    assert [one.verified for one in found.incoming] == [False]
    assert heard[0] == b"a STARTTLS\r\n"
    # Only a TLS handshake (record type 22) may follow, never a command.
    assert all(data[:1] in (b"", b"\x16") for data in heard[1:])


# ── odd answers, and none ───────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("what", "words"),
    [
        ("silent", "did not answer in time"),
        ("cut", "make no sense"),
        ("SERVFAIL", "do not answer properly"),
        ("REFUSED", "do not answer properly"),
        ("NOTIMP", "do not answer properly"),
        ("garbage", "did not answer in time"),
        ("NXDOMAIN", "knows no domain"),
    ],
)
def test_dns_that_goes_wrong_is_said_in_seconds(net: Internet, what: str, words: str) -> None:
    net.dns.odd("*", "*", what)
    found = _ask(net)
    assert (found.kind, found.incoming, found.outgoing) == ("unknown", (), ())
    assert found.seconds < 7
    assert any(words in note for note in found.notes), found.notes


@pytest.mark.parametrize("open_port", [True, False], ids=["mute", "closed"])
def test_a_name_server_that_is_not_there_is_said_in_seconds(net: Internet, open_port: bool) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as nobody:
        nobody.bind(("127.0.0.1", 0))
        address = nobody.getsockname()
        if not open_port:
            nobody.close()
        found = _ask(net, nameserver=address)
    assert any("did not answer in time" in note for note in found.notes)


def test_a_null_mx_is_said(net: Internet) -> None:
    net.dns.say("null.example", "MX", "0 .")
    assert any("takes no mail" in note for note in _ask(net, "ann@null.example").notes)


def test_a_domain_without_exchangers_is_said(net: Internet) -> None:
    net.host("web.example")
    assert any("no MX" in note for note in _ask(net, "ann@web.example").notes)


def test_aliases_in_a_circle_end(net: Internet) -> None:
    net.dns.say("circle.example", "CNAME", "other.example.")
    net.dns.say("other.example", "CNAME", "circle.example.")
    found = _ask(net, "ann@circle.example")
    assert found.kind == "unknown"
    assert any("make no sense" in note or "no MX" in note for note in found.notes)


def test_five_hundred_records_are_no_five_hundred_connections(net: Internet) -> None:
    net.dns.say("many.example", "MX", *(f"{number} mx{number}.many.example." for number in range(500)))
    net.dns.say("_imaps._tcp.many.example", "SRV", *(f"{n} 1 993 s{n}.many.example." for n in range(500)))
    net.host(*(f"s{number}.many.example" for number in range(500)))
    found = _ask(net, "ann@many.example")
    assert [one.host for one in found.incoming] == ["s0.many.example", "s1.many.example", "s2.many.example"]
    assert len([host for host, _ in net.dialled if host.startswith("s")]) < 10


def test_names_that_are_none_are_left_out(net: Internet) -> None:
    net.dns.say("bad.example", "MX", r"0 a\032b\013\010.bad.example.", "1 127.0.0.1.")
    net.dns.say(
        "_imaps._tcp.bad.example", "SRV", r"0 1 993 x\"y.bad.example.", "0 1 993 10.0.0.1.", "0 1 0 ok.example."
    )
    found = _ask(net, "ann@bad.example")
    assert found.incoming == ()
    assert any("make no sense" in note for note in found.notes)


def test_everybody_who_drips_is_left_behind_in_time(net: Internet) -> None:
    def drip(connection: socket.socket) -> None:
        for _ in range(40):
            connection.sendall(b"*")
            time.sleep(0.5)

    net.host(*NAMES)
    net.dns.say(f"_imap._tcp.{DOMAIN}", "SRV", f"0 1 143 in.{DOMAIN}.")
    net.dns.say(f"_pop3._tcp.{DOMAIN}", "SRV", f"0 1 110 in.{DOMAIN}.")
    for port in (993, 995, 465, 443):
        net.serve(port, drip, *NAMES, encrypted=True)
    for port in (143, 110, 587):
        net.serve(port, drip)
    found = _ask(net)
    assert found.seconds < 7.5
    assert not any(one.verified for one in found.incoming)
    assert {port for _, port in net.dialled} == {993, 995, 465, 443, 143, 110, 587}
    # What was left behind ends by itself: a thread for ever would be paid for with each discovery.
    eventually(lambda: not any(one.name.startswith("discover") for one in threading.enumerate()), 5)


def test_a_domain_beyond_ascii_is_asked_for_by_its_ascii_name(mail: Internet) -> None:
    mail.dns.say("xn--bcher-kva.example", "MX", "0 mx.firm.example.")
    mail.dns.say("_imaps._tcp.xn--bcher-kva.example", "SRV", "0 1 993 in.firm.example.")
    mail.host("in.firm.example")
    found = _ask(mail, "ann@Bücher.example")
    assert found.address == "ann@xn--bcher-kva.example"
    assert found.incoming[0].verified


@pytest.mark.parametrize("address", ["ann@localhost", "ann@[10.0.0.1]", "ann@10.0.0.1", f"ann@{'a' * 60}.{'b' * 63}"])
def test_an_address_that_dns_cannot_be_asked_about_is_no_error(net: Internet, address: str) -> None:
    found = _ask(net, address)
    assert found.kind == "unknown"
    assert found.notes


@pytest.mark.parametrize(
    "address",
    ["", " ", "ann", "@", "ann@", "@firm.example", "ann@firm..example", "ann@-firm.example", "ann@firm.example, bob@x.example",
     "ann@firm.example\r\nX: y", "a b@firm.example", "ann@firm.example/../x", "ann@" + "a" * 300 + ".example", "ann@fi\x00rm.example",
     "ann@①②⑦.0.0.1"],
)  # fmt: skip
def test_what_is_no_address_is_the_callers_to_mend(net: Internet, address: str) -> None:
    with pytest.raises(Invalid) as raised:
        net.discoverer().discover(address)
    assert [field for field, _ in raised.value.errors] == ["address"]
    assert net.dns.asked == []


def test_more_discoveries_at_once_than_are_good_say_so(net: Internet) -> None:
    with ExitStack() as others:
        for _ in range(MOST_AT_ONCE):
            others.enter_context(PLACES)
        found = _ask(net)
    assert found.kind == "unknown"
    assert any("Too many" in note for note in found.notes)
    assert not any("Too many" in note for note in _ask(net).notes)
