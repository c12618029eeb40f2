"""DKIM without a network: the keys come from a table."""

from __future__ import annotations

import base64
import time
from collections.abc import Callable
from datetime import UTC, datetime

import dkim  # type: ignore[import-untyped]
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.mail.message import parse
from shared.mail.sender.verdict import DkimCheck, judge_sender
from shared.servers import dkim_check
from shared.servers.dkim_check import LookupFailed, check_dkim
from tests.support.signing import (
    DOMAIN,
    KEY_NAME,
    MAIL,
    SELECTOR,
    ed25519_key,
    ed25519_record,
    record,
    rsa_key,
    signed,
    signed_by_hand,
)

PLAIN = b"from: ann@firm.example\r\nsubject: s\r\n\r\nHello\r\n"
TAGS = f"v=1; a=rsa-sha256; c=relaxed/relaxed; d={DOMAIN}; s={SELECTOR}; h=from:subject"
FORMS = [f"{header}/{body}" for header in ("simple", "relaxed") for body in ("simple", "relaxed")]


def _without_keys(value: object) -> str:
    """Test names that are the same in every process, as keys are not."""
    return value if isinstance(value, str) else "key"


def end(raw: bytes, key: bytes | None = None, now: datetime | None = None) -> str:
    """How the mail's only signature ended: "pass", or the result and why."""
    checks = check_dkim(raw, {KEY_NAME: record() if key is None else key}.get, now)
    assert len(checks) == 1
    return f"{checks[0].result} {checks[0].reason}".strip()


# --- what is as it was signed -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("form", FORMS)
def test_a_mail_as_it_was_signed_passes(form: str) -> None:
    checks = check_dkim(signed(form=form), {KEY_NAME: record()}.get)
    assert checks == (DkimCheck(DOMAIN, SELECTOR, "pass", ""),)


@pytest.mark.parametrize("form", FORMS)
def test_lines_ended_without_carriage_returns_pass_too(form: str) -> None:
    assert end(signed(form=form).replace(b"\r\n", b"\n")) == "pass"


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"\r\n",
        b"\r\n\r\n",
        b" \r\n",
        b"x",
        b"\tx  y\t\r\n \r\n",
        b"x\r\r\n\r\n",
        b"\r\r\n",
        b"x\r",
        b"\x00\xff\r\n",
    ],
)
@pytest.mark.parametrize("form", FORMS)
def test_odd_bodies_are_hashed_as_dkimpy_hashes_them(body: bytes, form: str) -> None:
    raw = signed(MAIL.partition(b"\r\n\r\n")[0] + b"\r\n\r\n" + body, form=form)
    theirs = dkim.verify(raw, dnsfunc=lambda name, timeout=5: record())
    assert (end(raw) == "pass") == theirs


@pytest.mark.parametrize("last", [b"x", b"x \t", b" ", b""])
@pytest.mark.parametrize("form", FORMS)
def test_a_last_line_that_lost_its_end_on_the_way_passes(last: bytes, form: str) -> None:
    raw = signed(MAIL + last + b"\r\n", form=form)
    assert end(raw.removesuffix(b"\r\n")) == "pass"


def test_the_example_of_the_rfc_passes() -> None:
    # RFC 8463 appendix A: two signatures and their keys, as printed there.
    raw = (
        b"DKIM-Signature: v=1; a=ed25519-sha256; c=relaxed/relaxed;\r\n"
        b" d=football.example.com; i=@football.example.com;\r\n"
        b" q=dns/txt; s=brisbane; t=1528637909; h=from : to :\r\n"
        b" subject : date : message-id : from : subject : date;\r\n"
        b" bh=2jUSOH9NhtVGCQWNr9BrIAPreKQjO6Sn7XIkfJVOzv8=;\r\n"
        b" b=/gCrinpcQOoIfuHNQIbq4pgh9kyIK3AQUdt9OdqQehSwhEIug4D11Bus\r\n"
        b" Fa3bT3FY5OsU7ZbnKELq+eXdp1Q1Dw==\r\n"
        b"From: Joe SixPack <joe@football.example.com>\r\n"
        b"To: Suzie Q <suzie@shopping.example.net>\r\n"
        b"Subject: Is dinner ready?\r\n"
        b"Date: Fri, 11 Jul 2003 21:00:37 -0700 (PDT)\r\n"
        b"Message-ID: <20030712040037.46341.5F8J@football.example.com>\r\n"
        b"\r\nHi.\r\n\r\nWe lost the game.  Are you hungry yet?\r\n\r\nJoe.\r\n"
    )
    key = b"v=DKIM1; k=ed25519; p=11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo="
    (check,) = check_dkim(raw, {"brisbane._domainkey.football.example.com": key}.get)
    assert (check.result, check.reason) == ("pass", "")


def test_ed25519_signs_as_well() -> None:
    raw = signed_by_hand(TAGS.replace("rsa-sha256", "ed25519-sha256"), ed25519_key(), PLAIN)
    assert end(raw, ed25519_record()) == "pass"
    assert end(raw.replace(b"Hello", b"Hallo"), ed25519_record()) == "fail body altered"
    assert end(raw.replace(b"subject: s", b"subject: t"), ed25519_record()).startswith("fail header altered")
    assert end(raw, record()) == "fail key of another kind"


def test_a_key_without_a_frame_is_read() -> None:
    der = rsa_key().public_key().public_bytes(Encoding.DER, PublicFormat.PKCS1)
    assert end(signed(), b"p=" + base64.b64encode(der)) == "pass"


@pytest.mark.parametrize(
    "key",
    [
        record(tags=""),
        record(tags="v=DKIM1;k=RSA;"),
        record(tags="v=DKIM1; h=sha1:sha256; s=other:email; t=s:x; n=a note; g=*; "),
        record(tags="v=DKIM1; s=*; ").replace(b"p=MII", b"p= M\t\r\n II") + b" ;",
    ],
    ids=_without_keys,
)
def test_keys_in_all_their_forms_are_read(key: bytes) -> None:
    assert end(signed(), key) == "pass"


# --- what is not --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize(
    ("old", "new", "why"),
    [
        (b"burns.", b"burned.", "body altered"),
        (b"Ann\r\n\r\n\r\n", b"Ann\r\n\r\n\r\nP.S. pay", "body altered"),
        (b"The  printer", b"The invoice", "header altered, or another key"),
        (b"Ann <ann@", b"Eve <ann@", "header altered, or another key"),
        (b"From: Ann <ann@firm.example>\r\n", b"", "header altered, or another key"),
        # dkimpy signs the absence of a second From as well.
        (b"From: Ann", b"From: eve@evil.example\r\nFrom: Ann", "header altered, or another key"),
        (b"Subject: The", b"Subject: Pay\r\nSubject: The", "a second field of a kind was added"),
        (b"To: desk", b"To: eve@evil.example\r\nTo: desk", "a second field of a kind was added"),
        (b"Content-Type", b"Content-Type: text/html\r\nContent-Type", "a second field of a kind was added"),
    ],
)
def test_what_was_altered_fails(form: str, old: bytes, new: bytes, why: str) -> None:
    raw = signed(form=form)
    assert raw.count(old) == 1
    assert end(raw.replace(old, new)) == f"fail {why}"


def test_what_was_not_signed_may_change_on_the_way() -> None:
    assert end(b"X-Spam: no\r\n" + signed().replace(b"from a by b", b"from c by d")) == "pass"


def test_text_appended_to_a_mail_of_signed_length_proves_nothing() -> None:
    raw = signed(MAIL.rstrip() + b"\r\n", length=True)
    assert dkim.verify(raw + b"Pay here.\r\n", dnsfunc=lambda name, timeout=5: record())  # as the RFC wants it
    for sent in (raw, raw + b"Pay here.\r\n"):
        assert end(sent) == "none l= signs only the beginning of the body"


@pytest.mark.parametrize(
    ("tags", "why"),
    [
        ("x=1764000000", "fail expired"),
        ("x=9999999999", "pass"),
        ("t=1", "pass"),
        ("x=soon", "none signature of an unknown kind"),
        ("x=-1", "none signature of an unknown kind"),
        ("i=ann@firm.example", "pass"),
        ("i=@mail.firm.example", "pass"),
        ("i=@evil.example", "fail i= is not below d="),
        ("i=@notfirm.example", "fail i= is not below d="),
        ("q=dns/txt", "pass"),
        ("q=http", "none signature of an unknown kind"),
        ("z=From:ann@firm.example", "pass"),
        ("l=0", "none l= signs only the beginning of the body"),
    ],
)
def test_a_signature_says_more_of_itself(tags: str, why: str) -> None:
    now = datetime.fromtimestamp(1764000001, UTC)
    assert end(signed_by_hand(f"{TAGS}; {tags}", rsa_key(), PLAIN), now=now) == why


@pytest.mark.parametrize(("later", "why"), [(-1, "pass"), (0, "pass"), (1, "fail expired")])
def test_a_signature_ends_when_it_says_so(later: int, why: str) -> None:
    raw = signed_by_hand(f"{TAGS}; x=1764000000", rsa_key(), PLAIN)
    assert end(raw, now=datetime.fromtimestamp(1764000000 + later, UTC)) == why


@pytest.mark.parametrize(
    ("old", "new", "why"),
    [
        ("v=1", "v=2", "none signature of an unknown kind"),
        ("v=1; ", "", "none signature of an unknown kind"),
        ("rsa-sha256", "rsa-sha1", "fail SHA-1"),
        ("rsa-sha256", "RSA-SHA256", "pass"),
        ("rsa-sha256", "rsa-md5", "none signature of an unknown kind"),
        ("relaxed/relaxed", "nowsp", "none signature of an unknown kind"),
        ("h=from:subject", "h=from", "none Subject not signed"),
        ("h=from:subject", "h=subject", "fail From not signed"),
        ("h=from:subject", "h=", "fail From not signed"),
        ("h=from:subject", "h=subject:from:from:cc", "pass"),
        ("h=from:subject", "h=FROM : Subject", "fail header altered, or another key"),
        (f"d={DOMAIN}", "d=example", "none signature unreadable"),
        (f"d={DOMAIN}", "d=*.firm.example", "none signature unreadable"),
        (f"d={DOMAIN}", "d=firm.example d=x", "none signature unreadable"),
        (f"d={DOMAIN}", f"d={DOMAIN}; d=evil.example", "none signature unreadable"),
        (f"s={SELECTOR}", "s=../s1", "none signature unreadable"),
        (f"s={SELECTOR}", "s=", "none signature unreadable"),
    ],
)
def test_a_signature_of_another_kind_is_refused(old: str, new: str, why: str) -> None:
    tags = TAGS.replace(old, new)
    if "FROM : " in new:  # signed as written otherwise, then altered
        raw = signed_by_hand(TAGS, rsa_key(), PLAIN).replace(old.encode(), new.encode())
    else:
        raw = signed_by_hand(tags, rsa_key(), PLAIN)
    assert end(raw) == why


def test_a_signature_by_sha1_fails_though_it_is_right() -> None:
    assert end(signed(algorithm="rsa-sha1")) == "fail SHA-1"


@pytest.mark.parametrize(
    ("key", "why"),
    [
        (b"", "none key unreadable"),
        (b"v=DKIM1; p=", "fail key revoked"),
        (b"v=DKIM1; p= ", "fail key revoked"),
        (b"v=DKIM1", "none key unreadable"),
        (b"v=spf1 -all", "none key unreadable"),
        (b"p=!!!!", "none key unreadable"),
        (b"p=YWJj", "none key unreadable"),
        (b"p=YWJj; p=YWJj", "none key unreadable"),
        (b"\xff\x00;" * 99, "none key unreadable"),
        (b"v=DKIM1; p=" + b"A" * 8192, "none key unreadable"),
        (b"=" * 8192, "none key unreadable"),
        (record(tags="v=DKIM2; "), "none key unreadable"),
        (record(tags="v=DKIM1; t=y; "), "none key says t=y: only testing"),
        (record(tags="v=DKIM1; t=s:Y; "), "none key says t=y: only testing"),
        (record(tags="v=DKIM1; k=ed25519; "), "fail key of another kind"),
        (record(tags="v=DKIM1; k=dsa; "), "fail key of another kind"),
        (record(tags="v=DKIM1; s=tlsrpt; "), "fail key not for this use"),
        (record(tags="v=DKIM1; h=sha1; "), "fail key not for this use"),
        (ed25519_record(), "fail key of another kind"),
        (record(rsa_key(3072)), "fail header altered, or another key"),
    ],
    ids=_without_keys,
)
def test_a_hostile_key_proves_nothing(key: bytes, why: str) -> None:
    assert end(signed(), key) == why


def test_a_key_bound_to_its_very_domain_refuses_identities_below_it() -> None:
    strict = record(tags="t=s; ")
    assert end(signed_by_hand(f"{TAGS}; i=@firm.example", rsa_key(), PLAIN), strict) == "pass"
    below = signed_by_hand(f"{TAGS}; i=@mail.firm.example", rsa_key(), PLAIN)
    assert end(below, strict) == "fail key says t=s: i= is below d="


def test_short_keys_are_refused() -> None:
    # 512 bits: no library makes such a key any more; what matters is what is said of one.
    modulus, exponent = 2**511 + 187, 65537
    der = _der_key(modulus, exponent)
    assert end(signed(), b"p=" + base64.b64encode(der)) in ("fail key of 512 bits is too short", "none key unreadable")
    der = _der_key(2**1022 + 5, exponent)
    assert end(signed(), b"p=" + base64.b64encode(der)) in ("fail key of 1023 bits is too short", "none key unreadable")
    assert end(signed(key=rsa_key(1024)), record(rsa_key(1024))) == "pass"


@pytest.mark.parametrize(("bits", "exponent"), [(9000, 65537), (4096, 2**2000 + 1), (16000, 2**8000 + 1)])
def test_keys_made_to_cost_time_are_refused_at_once(bits: int, exponent: int) -> None:
    key = b"p=" + base64.b64encode(_der_key(2 ** (bits - 1) + 1, exponent))
    start = time.thread_time()
    assert end(signed(), key) in ("none key too large", "none key unreadable")
    assert time.thread_time() - start < 1  # the arithmetic alone would need far more


def _der_key(modulus: int, exponent: int) -> bytes:
    return rsa_numbers(modulus, exponent)


def rsa_numbers(modulus: int, exponent: int) -> bytes:
    """PKCS #1 RSAPublicKey in DER, whatever the numbers."""

    def wrapped(tag: int, data: bytes) -> bytes:
        size = len(data)
        length = bytes([size]) if size < 128 else b"\x82" + size.to_bytes(2, "big")
        return bytes([tag]) + length + data

    numbers = b"".join(
        wrapped(2, number.to_bytes(number.bit_length() // 8 + 1, "big")) for number in (modulus, exponent)
    )
    return wrapped(0x30, numbers)


# --- several, none, and who it is all for --------------------------------------------------------------------------------


def test_each_signature_is_checked_by_itself_topmost_first() -> None:
    once = signed(domain="list.example", selector="l")
    raw = signed(once.replace(b"burns.", b"burns!"))
    keys = {KEY_NAME: record(), "l._domainkey.list.example": record()}
    assert [(check.domain, check.result) for check in check_dkim(raw, keys.get)] == [
        (DOMAIN, "pass"),
        ("list.example", "fail"),
    ]


@pytest.mark.parametrize(("count", "checked"), [(4, 4), (5, 5), (6, 5), (500, 5)])
def test_only_so_many_signatures_are_checked(count: int, checked: int) -> None:
    asked: list[str] = []

    def lookup(name: str) -> bytes:
        asked.append(name)
        return record()

    raw = signed()
    signature = raw[: -len(MAIL)]
    assert len(check_dkim(signature * count + MAIL, lookup)) == len(asked) == checked


def test_a_mail_without_signature_has_no_checks() -> None:
    assert check_dkim(MAIL, lambda name: None) == ()


def test_the_key_is_asked_for_only_when_it_can_matter() -> None:
    def lookup(name: str) -> bytes:
        raise AssertionError(name)

    for raw in (signed(algorithm="rsa-sha1"), signed(length=True), MAIL, b"DKIM-Signature: junk\r\n" + MAIL):
        check_dkim(raw, lookup)  # would say so
        assert "the check itself failed" not in [check.reason for check in check_dkim(raw, lookup)]


def test_no_key_is_a_fail_and_no_answer_is_none() -> None:
    def silent(name: str) -> bytes:
        raise LookupFailed("no answer in time")

    assert check_dkim(signed(), lambda name: None) == (DkimCheck(DOMAIN, SELECTOR, "fail", "no key"),)
    assert check_dkim(signed(), silent) == (
        DkimCheck(DOMAIN, SELECTOR, "none", "key not found out: no answer in time"),
    )


def test_even_a_lookup_with_a_bug_stops_no_mail() -> None:
    def broken(name: str) -> bytes:
        raise RuntimeError(name)

    assert [check.result for check in check_dkim(signed(), broken)] == ["none"]


@pytest.mark.parametrize(
    "raw",
    [
        b"\r\n" + signed(),
        b"From ann Mon Nov  3\r\n" + signed(),
        b"junk\r\n" + signed(),
        signed().replace(b"To: ", b"--x: y\r\nTo: "),
        signed().replace(b"To: desk", b"To: de\rsk"),
        signed().replace(b"To: ", b"no colon here\r\nTo: "),
        b"X: y\r\n" * 1001 + signed(),
        b"X: " + b"y" * 1024 * 1024 + b"\r\n" + signed(),
        signed()[: -len(MAIL)],
    ],
)
def test_a_header_that_readers_may_take_apart_differently_proves_nothing(raw: bytes) -> None:
    assert "pass" not in [check.result for check in check_dkim(raw, {KEY_NAME: record()}.get)]


@pytest.mark.parametrize(("more", "result"), [(-1, "pass"), (0, "pass"), (1, "none")])
def test_a_mail_too_large_is_not_checked(more: int, result: str) -> None:
    raw = signed(MAIL + b"x" * (dkim_check.MOST_BYTES - 5000), form="simple/simple")
    raw += b"\n" * (dkim_check.MOST_BYTES + more - len(raw))  # empty lines at the end are not signed
    assert [check.result for check in check_dkim(raw, {KEY_NAME: record()}.get)] == [result]


@pytest.mark.parametrize(
    ("domain", "result"),
    [("firm.example", "pass"), ("mail.firm.example", "pass"), ("evil.example", "none")],
)
def test_only_a_signature_of_the_senders_domain_makes_him_real(domain: str, result: str) -> None:
    raw = signed(domain=domain)
    checks = check_dkim(raw, {f"{SELECTOR}._domainkey.{domain}": record()}.get)
    assert [check.result for check in checks] == ["pass"]
    assert judge_sender(parse(raw), (), checks).result == result


def test_the_reader_of_mails_and_the_check_see_the_same_from() -> None:
    raw = signed()
    for junk in (b"From: eve@evil.example\r\n", b"From : eve@evil.example\r\n", b"from:eve@evil.example\r\n"):
        for forged in (junk + raw, raw.replace(b"To: ", junk + b"To: ")):
            assert judge_sender(parse(forged), (), check_dkim(forged, {KEY_NAME: record()}.get)).result == "none"


# --- hostile mails --------------------------------------------------------------------------------------------------------


@given(
    st.one_of(st.binary(max_size=300), st.integers(0, 900).map(lambda at: signed()[:at] + b"\x00" + signed()[at + 1 :]))
)
@settings(max_examples=200, deadline=None)
def test_any_bytes_are_checked_without_an_error(raw: bytes) -> None:
    for check in check_dkim(raw, {KEY_NAME: record()}.get):
        assert check.result in ("pass", "fail", "none")
        assert bool(check.reason) == (check.result != "pass")
        assert check.reason != "the check itself failed"


@given(st.binary(max_size=200), st.sampled_from([b"v=DKIM1; p=", b"p=MII", b"", b"v=DKIM1; k=ed25519; p="]))
@settings(deadline=None)
def test_any_record_is_read_without_an_error(data: bytes, front: bytes) -> None:
    assert end(signed(), front + data) not in ("pass", "none the check itself failed")


GENERATORS: dict[str, Callable[[int], bytes]] = {
    "spaces": lambda n: signed() + b" " * n + b"x",
    "double spaces": lambda n: signed() + b"  x" * (n // 3),
    "tabs": lambda n: signed() + b"\tx" * (n // 2),
    "empty lines": lambda n: signed() + b"\r\n" * (n // 2),
    "newlines": lambda n: signed() + b"\n" * n + b"x",
    "carriage returns": lambda n: signed() + b"\r" * n,
    "spaces and lines": lambda n: signed() + b" \r\n" * (n // 3),
    "folded signature": lambda n: signed().replace(b" b=", b"\r\n " * (n // 3) + b" b=", 1),
    "signature of semicolons": lambda n: b"DKIM-Signature: v=1" + b";" * n + b"\r\n" + MAIL,
    "signature of names": lambda n: signed().replace(b"; h=", b"; h=" + b"a:" * (n // 2), 1),
    "folded field": lambda n: b"X: y" + b"\r\n x" * (n // 4) + b"\r\n" + signed(),
    "fields": lambda n: b"X: y\r\n" * (n // 6) + signed(),
    "field of spaces": lambda n: b"X:" + b" " * n + b"y\r\n" + signed(),
    "no end of header": lambda n: signed()[: -len(MAIL)] + b"X: y\r\n" * (n // 6),
    "signatures": lambda n: signed()[: -len(MAIL)] * (n // 600) + MAIL,
}


@pytest.mark.parametrize("generator", GENERATORS.values(), ids=GENERATORS.keys())
def test_time_grows_no_faster_than_the_mail(generator: Callable[[int], bytes]) -> None:
    def seconds(raw: bytes) -> float:
        start = time.thread_time()
        check_dkim(raw, {KEY_NAME: record()}.get)
        return time.thread_time() - start

    small, large = generator(500_000), generator(8 * 500_000)
    ratios = []
    for _ in range(5):
        took = seconds(large)
        if took < 0.2:
            return
        ratios.append(took / seconds(small))
        # Eight times the bytes: linear is 8, quadratic is 64.
        if ratios[-1] < 24:
            return
    raise AssertionError(ratios)


def test_our_own_rsa_frame_is_a_key() -> None:
    numbers = rsa_key().public_key().public_numbers()
    assert isinstance(numbers, rsa.RSAPublicNumbers)
    assert end(signed(), b"p=" + base64.b64encode(rsa_numbers(numbers.n, numbers.e))) == "pass"
