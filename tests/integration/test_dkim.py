"""DKIM with real keys, real signatures and a real name server, on loopback."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest

from shared.mail.message import parse
from shared.mail.sender.verdict import DkimCheck, judge_sender
from shared.servers import dkim_check
from shared.servers.dkim_check import DkimChecker
from tests.support.dnsserver import DnsServer
from tests.support.signing import DOMAIN, KEY_NAME, MAIL, SELECTOR, ed25519_key, ed25519_record, record, rsa_key, signed
from tests.support.signing import signed_by_hand as by_hand

NOW = datetime(2025, 11, 3, tzinfo=UTC)


class Clock:
    """Seconds that pass when told to, on top of those that do."""

    def __init__(self) -> None:
        self.ahead = 0.0

    def __call__(self) -> float:
        return time.monotonic() + self.ahead


def strings(data: bytes) -> str:
    """A TXT record in zone file form: strings of 255 bytes (RFC 1035 section 3.3.14)."""
    text = data.decode("ascii").replace('"', '\\"')
    return " ".join(f'"{text[start : start + 255]}"' for start in range(0, len(text), 255)) or '""'


@pytest.fixture
def dns() -> Iterator[DnsServer]:
    with DnsServer() as made:
        yield made


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def check(dns: DnsServer, clock: Clock) -> DkimChecker:
    return DkimChecker(dns.nameservers, clock)


def outcome(checks: tuple[DkimCheck, ...]) -> list[str]:
    return [f"{check.result} {check.reason}".strip() for check in checks]


def test_a_genuine_mail_makes_its_sender_real(dns: DnsServer, check: DkimChecker) -> None:
    dns.say(KEY_NAME, "TXT", strings(record()))
    raw = signed()
    checks = check(raw, NOW)
    assert checks == (DkimCheck(DOMAIN, SELECTOR, "pass", ""),)
    assert dns.asked == [(KEY_NAME, "TXT")]
    assert judge_sender(parse(raw), (), checks).result == "pass"


def test_a_key_too_long_for_one_datagram_comes_by_tcp(dns: DnsServer, check: DkimChecker) -> None:
    dns.say(KEY_NAME, "TXT", strings(record(rsa_key(4096))))
    assert outcome(check(signed(key=rsa_key(4096)), NOW)) == ["pass"]


def test_a_key_behind_an_alias_is_found(dns: DnsServer, check: DkimChecker) -> None:
    dns.say(KEY_NAME, "CNAME", "s1.keys.provider.example.")
    dns.say("s1.keys.provider.example", "TXT", strings(record()))
    assert outcome(check(signed(), NOW)) == ["pass"]


def test_both_kinds_of_keys_are_found(dns: DnsServer, check: DkimChecker) -> None:
    plain = b"from: ann@firm.example\r\nsubject: s\r\n\r\nHello\r\n"
    tags = f"v=1; a={{}}; c=relaxed/relaxed; d={DOMAIN}; s={{}}; h=from:subject"
    raw = by_hand(tags.format("ed25519-sha256", "e"), ed25519_key(), plain)
    raw = raw.removesuffix(plain) + by_hand(tags.format("rsa-sha256", SELECTOR), rsa_key(), plain)
    dns.say(KEY_NAME, "TXT", strings(record()))
    dns.say(f"e._domainkey.{DOMAIN}", "TXT", strings(ed25519_record()))
    assert outcome(check(raw, NOW)) == ["pass", "pass"]


@pytest.mark.parametrize(
    ("old", "new", "why"),
    [
        (b"burns.", b"burned.", "fail body altered"),
        (b"The  printer", b"The invoice", "fail header altered, or another key"),
        (b"Ann <ann@firm", b"Ann <eve@firm", "fail header altered, or another key"),
    ],
)
def test_an_altered_mail_proves_nothing(dns: DnsServer, check: DkimChecker, old: bytes, new: bytes, why: str) -> None:
    dns.say(KEY_NAME, "TXT", strings(record()))
    raw = signed().replace(old, new)
    assert outcome(checks := check(raw, NOW)) == [why]
    assert judge_sender(parse(raw), (), checks).result == "none"


def test_text_appended_to_a_signed_length_proves_nothing(dns: DnsServer, check: DkimChecker) -> None:
    dns.say(KEY_NAME, "TXT", strings(record()))
    assert outcome(check(signed(length=True) + b"Pay here.\r\n", NOW)) == [
        "none l= signs only the beginning of the body"
    ]


@pytest.mark.parametrize(
    ("texts", "why"),
    [
        ([], "fail no key"),
        (['""'], "none key unreadable"),
        (['"v=DKIM1; p="'], "fail key revoked"),
        ([strings(record(tags="t=y; "))], "none key says t=y: only testing"),
        ([strings(b"v=DKIM1; p=" + b"A" * 8192)], "none key unreadable"),
        ([strings(record()), strings(record(rsa_key(3072)))], "none key not found out: several keys under one name"),
        (['"v=spf1 -all"', strings(record())], "pass"),
        ([strings(record(rsa_key(3072)))], "fail header altered, or another key"),
        ([strings(record(rsa_key(1024)))], "fail header altered, or another key"),
    ],
    ids=lambda value: value if isinstance(value, str) else "records",
)
def test_what_dns_says_of_the_key_decides(dns: DnsServer, check: DkimChecker, texts: list[str], why: str) -> None:
    if texts:
        dns.say(KEY_NAME, "TXT", *texts)
    assert outcome(check(signed(), NOW)) == [why]


def test_sha1_is_refused_without_asking(dns: DnsServer, check: DkimChecker) -> None:
    assert outcome(check(signed(algorithm="rsa-sha1"), NOW)) == ["fail SHA-1"]
    assert dns.asked == []


@pytest.mark.parametrize("what", ["SERVFAIL", "REFUSED", "garbage"])
def test_a_name_server_in_trouble_is_none_not_an_error(dns: DnsServer, check: DkimChecker, what: str) -> None:
    dns.odd("*", "*", what)
    (found,) = check(signed(), NOW)
    assert found.result == "none"
    assert found.reason.startswith("key not found out: ")


def test_silent_name_servers_hold_up_a_mail_no_longer_than_its_budget(dns: DnsServer, check: DkimChecker) -> None:
    dns.odd("*", "*", "silent")
    raw = MAIL
    for number in range(6):
        raw = signed(raw, domain=f"d{number}.example")
    start = time.monotonic()
    found = outcome(check(raw, NOW))
    # A second more for a busy machine; without the budget five look-ups would take fifteen.
    assert time.monotonic() - start < dkim_check.BUDGET_SECONDS + 1
    assert len(found) == dkim_check.MOST_SIGNATURES
    assert found[0] == "none key not found out: no answer in time"
    assert found[-1] == "none key not found out: out of time"


def test_several_signatures_are_each_checked(dns: DnsServer, check: DkimChecker) -> None:
    dns.say(KEY_NAME, "TXT", strings(record()))
    dns.say("l._domainkey.list.example", "TXT", strings(record(rsa_key(3072))))
    raw = signed(signed(), domain="list.example", selector="l", key=rsa_key(3072))
    checks = check(raw, NOW)
    assert [(found.domain, found.result) for found in checks] == [("list.example", "pass"), (DOMAIN, "pass")]
    assert judge_sender(parse(raw), (), checks).result == "pass"


def test_a_signature_of_somebody_else_makes_nobody_real(dns: DnsServer, check: DkimChecker) -> None:
    dns.say(f"{SELECTOR}._domainkey.evil.example", "TXT", strings(record()))
    raw = signed(domain="evil.example")
    checks = check(raw, NOW)
    assert outcome(checks) == ["pass"]
    assert judge_sender(parse(raw), (), checks).result == "none"


def test_a_key_is_asked_for_once_an_hour(dns: DnsServer, check: DkimChecker, clock: Clock) -> None:
    dns.say(KEY_NAME, "TXT", strings(record()))
    for _ in range(3):
        assert outcome(check(signed(), NOW)) == ["pass"]
    assert len(dns.asked) == 1
    clock.ahead = dkim_check.KEY_SECONDS + 1
    assert outcome(check(signed(), NOW)) == ["pass"]
    assert len(dns.asked) == 2


def test_a_key_that_was_missing_is_asked_for_again(dns: DnsServer, check: DkimChecker) -> None:
    assert outcome(check(signed(), NOW)) == ["fail no key"]
    dns.say(KEY_NAME, "TXT", strings(record()))
    assert outcome(check(signed(), NOW)) == ["pass"]


def test_names_that_cannot_be_asked_for_are_none(check: DkimChecker) -> None:
    long = ".".join(["a" * 63] * 3)
    tags = f"v=1; a=rsa-sha256; c=relaxed/relaxed; d={long}.example; s={long}; h=from"
    assert outcome(check(by_hand(tags, rsa_key(), b"from: ann@firm.example\r\n\r\nHello\r\n"), NOW)) == [
        "none key not found out: no sensible answer"
    ]
