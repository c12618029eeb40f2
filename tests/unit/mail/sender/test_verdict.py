import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.mail.message import Message, parse
from shared.mail.sender import verdict
from shared.mail.sender.verdict import EXCHANGE_ONLINE, DkimCheck, judge_sender

GOOGLE = "mx.google.com"
APPLE = "*.icloud.com"
OURS = (GOOGLE,)
NAMES = {
    "AR": "Authentication-Results",
    "AAR": "ARC-Authentication-Results",
    "AS": "ARC-Seal",
    "AMS": "ARC-Message-Signature",
}


def mail(*headers: str, sender: str = "Ann <ann@a.example>") -> Message:
    """A mail with these headers, topmost first; ``AR: `` and the like are spelt out. An empty sender: no From."""
    lines = []
    for header in (*headers, *([f"From: {sender}"] if sender else []), "To: desk@b.example", "Subject: s"):
        name, _, value = header.partition(": ")
        lines.append(f"{NAMES.get(name, name)}: {value}")
    return parse(("\r\n".join(lines) + "\r\n\r\nHello\r\n").encode())


def judged(*headers: str, sender: str = "Ann <ann@a.example>", trusted: tuple[str, ...] = OURS) -> str:
    return judge_sender(mail(*headers, sender=sender), trusted).result


# What Gmail's header says of a mail from a.example → the verdict.
RESULTS = [
    ("dmarc=pass header.from=a.example", "pass"),
    ("dmarc=pass (p=NONE) header.from=A.EXAMPLE", "pass"),
    ("dmarc=pass header.from=ann@a.example", "pass"),
    ("dmarc=pass", "pass"),
    ("dmarc=pass header.from=a.example; spf=fail; dkim=fail header.d=a.example", "pass"),
    ("dmarc=pass header.from=evil.example", "none"),
    ("dmarc=pass header.from=a.example header.from=evil.example", "none"),
    ("dmarc=pass header.from=", "none"),
    ("dmarc=fail header.from=a.example", "fail"),
    ("dmarc=fail (p=NONE sp=NONE dis=NONE) header.from=a.example", "fail"),
    ("dmarc=fail header.from=a.example; dkim=pass header.d=a.example; spf=pass smtp.mailfrom=a.example", "fail"),
    ("dmarc=fail header.from=evil.example", "fail"),
    ("dmarc=pass header.from=a.example; dmarc=fail header.from=a.example", "fail"),
    ("dmarc=fail header.from=a.example; dmarc=pass header.from=a.example", "fail"),
    ("dmarc=pass header.from=a.example; dmarc=none header.from=a.example", "none"),
    ("dmarc=fail (dmarc=pass) header.from=a.example", "fail"),
    ("dmarc=fail (; dmarc=pass) header.from=a.example", "fail"),
    ('dmarc=fail reason="; dmarc=pass header.from=a.example"', "fail"),
    ("dmarc=temperror header.from=a.example; dkim=pass header.d=a.example", "none"),
    ("dmarc=permerror header.from=a.example; spf=pass smtp.mailfrom=a.example", "none"),
    ("dmarc=none header.from=a.example", "none"),
    ("dmarc=none header.from=a.example; dkim=pass header.d=a.example", "pass"),
    ("dmarc=none header.from=a.example; dkim=pass header.i=@a.example", "pass"),
    ("dmarc=none header.from=a.example; dkim=pass header.i=ann@mail.a.example", "pass"),
    ("dmarc=none header.from=a.example; dkim=pass header.d=mail.a.example", "pass"),
    ("dmarc=none header.from=a.example; dkim=pass header.d=evil.example", "none"),
    ("dmarc=none header.from=a.example; dkim=pass header.d=evil.example header.i=@a.example", "none"),
    ("dmarc=none header.from=a.example; dkim=pass", "none"),
    ("dmarc=none header.from=a.example; dkim=fail header.d=a.example", "none"),
    ("dmarc=none header.from=a.example; dkim=temperror header.d=a.example", "none"),
    ("dmarc=unknown header.from=a.example; dkim=pass header.d=a.example", "pass"),
    ("dmarc=bestguesspass header.from=a.example; spf=pass smtp.mailfrom=a.example", "pass"),
    ("dmarc=bestguesspass header.from=a.example", "none"),
    ("dkim=fail header.d=a.example; dkim=pass header.d=a.example", "pass"),
    ("dkim=pass header.d=evil.example; dkim=pass header.d=a.example", "pass"),
    ("spf=pass smtp.mailfrom=ann@a.example", "pass"),
    ("spf=pass smtp.mailfrom=a.example", "pass"),
    ("spf=pass smtp.mail=ann@a.example", "pass"),
    ("spf=pass smtp.mailfrom=<ann@a.example>", "pass"),
    ('spf=pass smtp.mailfrom="prvs=1=ann@bounce.a.example"', "pass"),
    ('spf=pass smtp.mailfrom="ann@a.example"@evil.example', "none"),
    ("spf=pass smtp.mailfrom=ann@a.example@evil.example", "none"),
    ("spf=pass smtp.mailfrom=evil.example", "none"),
    ("spf=pass smtp.mailfrom=a.example.evil.example", "none"),
    ("spf=pass smtp.mailfrom=nota.example", "none"),
    ("spf=pass smtp.mailfrom=", "none"),
    ("spf=pass smtp.helo=a.example", "none"),
    ("spf=pass", "none"),
    ("spf=softfail smtp.mailfrom=a.example", "none"),
    ("spf=neutral smtp.mailfrom=a.example", "none"),
    ("iprev=pass header.d=a.example; auth=pass smtp.auth=ann@a.example; bimi=pass header.d=a.example", "none"),
    ("arc=pass (i=1 spf=pass dkim=pass dmarc=pass fromdomain=a.example)", "none"),
    ("compauth=pass reason=100", "none"),
    ("none", "none"),
    ("", "none"),
]


@pytest.mark.parametrize(("results", "result"), RESULTS)
def test_what_the_provider_says_decides(results: str, result: str) -> None:
    assert judged(f"AR: {GOOGLE}; {results}") == result
    assert judged(f"AR: MX.Google.COM. 1; {results}") == result


@pytest.mark.parametrize(("results", "result"), RESULTS)
def test_without_a_configured_server_a_pass_is_none_and_a_fail_stays(results: str, result: str) -> None:
    assert judged(f"AR: {GOOGLE}; {results}", trusted=()) == ("fail" if result == "fail" else "none")


@pytest.mark.parametrize(
    ("sender", "signed", "result"),
    [
        ("ann@a.example", "a.example", "pass"),
        ("ann@mail.a.example", "a.example", "pass"),
        ("ann@a.example", "mail.a.example", "pass"),
        ("ann@x.a.example", "y.a.example", "pass"),
        ("ann@shop.co.uk", "mail.shop.co.uk", "pass"),
        ("ann@shop.co.uk", "evil.co.uk", "none"),
        ("ann@shop.co.uk", "co.uk", "none"),
        ("ann@co.uk", "evil.co.uk", "none"),
        ("ann@bob.github.io", "eve.github.io", "none"),
        ("ann@bob.github.io", "github.io", "none"),
        ("ann@example", "example", "pass"),
        ("ann@a.example", "example", "none"),
        ("ann@localhost", "localhost", "pass"),
        ("ann@[192.0.2.1]", "[192.0.2.1]", "pass"),
        ("ann@[192.0.2.1]", "192.0.2.1", "none"),
        ("ann@10.0.2.1", "11.0.2.1", "none"),
        ("ann@bücher.example", "xn--bcher-kva.example", "pass"),
        ("ann@xn--bcher-kva.example", "mail.Bücher.example", "pass"),
        ("ann@A.Example", "a.example.", "pass"),
        ("ann@a.example", "а.example", "none"),  # a Cyrillic letter
        ("ann@食狮.中国", "mail.食狮.中国", "pass"),
        ("ann@食狮.公司.cn", "狮食.公司.cn", "none"),
    ],
)
def test_domains_of_one_owner_are_aligned(sender: str, signed: str, result: str) -> None:
    assert judged(f"AR: {GOOGLE}; dkim=pass header.d={signed}", sender=sender) == result
    assert judged(f"AR: {GOOGLE}; spf=pass smtp.mailfrom=x@{signed}", sender=sender) == result


PASS = "dmarc=pass header.from=a.example"
FAIL = "dmarc=fail header.from=a.example"


@pytest.mark.parametrize(
    ("headers", "trusted", "result"),
    [
        # Nothing to believe
        ([], OURS, "none"),
        (["X-Authentication-Results: mx.google.com; " + PASS], OURS, "none"),
        ([f"AR: evil.example; {PASS}"], OURS, "none"),
        ([f"AR: evil.example; {FAIL}"], OURS, "none"),
        ([f"AAR: i=1; {GOOGLE}; {PASS}"], OURS, "none"),
        ([f"Received-SPF: pass (google.com) envelope-from=ann@a.example; receiver={GOOGLE}"], OURS, "none"),
        # Names like ours
        *(
            ([f"AR: {name}; {PASS}"], OURS, "none")
            for name in (
                "google.com",
                "mx.google.com.evil.example",
                "evil-mx.google.com",
                "xmx.google.com",
                "mx.google.co",
                "mx.googIe.com",
                "mx．google．com",
                "mx.gооgle.com",
                '"mx.google.com evil"',
                "mx.google.com/evil",
                "mx.google.com,evil",
                "=?utf-8?q?mx?=.google.com.evil.example",
                "(mx.google.com) evil.example",
                'evil.example (mx.google.com; dmarc=pass) "mx.google.com"',
            )
        ),
        ([f'AR: "mx.google.com"; {PASS}'], OURS, "pass"),
        ([f"AR: (x) mx.google.com (y); {PASS}"], OURS, "pass"),
        ([f"authentication-results: mx.google.com; {PASS}"], OURS, "pass"),
        ([f"AR: mx.google.com; {PASS}"], ("other.example", "MX.GOOGLE.COM"), "pass"),
        ([f"AR: mx.google.com; {PASS}"], ("",), "none"),
        # Ours on top, the sender's below
        ([f"AR: {GOOGLE}; {FAIL}", f"AR: {GOOGLE}; {PASS}"], OURS, "fail"),
        ([f"AR: {GOOGLE}; dmarc=none; dkim=none; spf=none", f"AR: {GOOGLE}; {PASS}"], OURS, "none"),
        (
            [f"AR: {GOOGLE}; dkim=none", "Received: from x by y", f"AR: {GOOGLE}; {PASS}"],
            OURS,
            "none",
        ),
        ([f"AR: {GOOGLE}; dkim=none", "To: x@y.example", f"AR: {GOOGLE}; {PASS}"], OURS, "none"),
        ([f"AR: {GOOGLE}; dkim=none", "AR: evil.example; none", f"AR: {GOOGLE}; {PASS}"], OURS, "none"),
        ([f"AR: {GOOGLE}; dkim=none", f"AAR: i=1; {GOOGLE}; {PASS}", f"AR: {GOOGLE}; {PASS}"], OURS, "none"),
        ([f"AR: {GOOGLE}; dkim=none", "AR: (", f"AR: {GOOGLE}; {PASS}"], OURS, "none"),
        ([f"AR: {GOOGLE}; {PASS}", f"AR: {GOOGLE}; {FAIL}"], OURS, "pass"),
        ([f"AR: {GOOGLE}; {PASS}", f"AR: evil.example; {FAIL}"], OURS, "pass"),
        # Somebody else's on top: a filter behind the provider, or a server of it that we do not know
        ([f"AR: filter.example; {FAIL}", f"AR: {GOOGLE}; {PASS}"], OURS, "pass"),
        ([f"AR: {FAIL}", f"AR: {GOOGLE}; {PASS}"], OURS, "pass"),
        ([f"AR: mx2.google.com; {FAIL}", f"AR: {GOOGLE}; {PASS}"], OURS, "none"),
        ([f"AR: mx2.google.com; {PASS}", f"AR: {GOOGLE}; {FAIL}"], OURS, "fail"),
        (["AR: (", f"AR: {GOOGLE}; {PASS}"], OURS, "none"),
        ([f"AR: {GOOGLE}; dkim=none (", f"AR: {GOOGLE}; {PASS}"], OURS, "pass"),
        # Several headers of one server
        ([f"AR: {GOOGLE}; dmarc=none", f"AR: {GOOGLE}; dkim=pass header.d=a.example"], OURS, "pass"),
        ([f"AR: {GOOGLE}; dkim=pass header.d=a.example", f"AR: {GOOGLE}; {FAIL}"], OURS, "fail"),
        (
            [
                f"AR: {GOOGLE}; arc=none",
                "X-Spam-Flag: NO",
                "Received-SPF: pass",
                "DKIM-Filter: OpenDKIM Filter v2.11.0",
                f"AR: {GOOGLE}; {PASS}",
            ],
            OURS,
            "pass",
        ),
        # Families
        (
            [
                "AR: bimi.icloud.com; bimi=none",
                "X-ARC-Info: policy=fail; arc=none",
                "AR: arc.icloud.com; arc=none",
                "AR: dmarc.icloud.com; " + PASS,
                "X-DMARC-Info: pass=pass",
                "AR: dkim-verifier.icloud.com; dkim=none",
            ],
            (APPLE,),
            "pass",
        ),
        ([f"AR: dmarc.icloud.com.evil.example; {PASS}"], (APPLE,), "none"),
        ([f"AR: evilicloud.com; {PASS}"], (APPLE,), "none"),
        ([f"AR: icloud.com; {PASS}"], (APPLE,), "none"),
        ([f"AR: dmarc.icloud.com; {FAIL}", f"AR: x.icloud.com; {PASS}"], (APPLE,), "fail"),
        # Exchange Online
        ([f"AR: spf=fail (sender IP is 192.0.2.1) smtp.mailfrom=e.example; {PASS}"], (EXCHANGE_ONLINE,), "pass"),
        ([f"AR: dkim=none (message not signed) header.d=none;{FAIL};compauth=fail"], (EXCHANGE_ONLINE,), "fail"),
        ([f"AR: spf=none; {PASS}"], OURS, "none"),
        ([f"AR: evil.example; {FAIL}", f"AR: spf=none; {PASS}"], (EXCHANGE_ONLINE,), "none"),
        (["AR: (", f"AR: spf=none; {PASS}"], (EXCHANGE_ONLINE,), "none"),
        (["AR: dkim=none; dmarc=none", f"AR: spf=none; {PASS}"], (EXCHANGE_ONLINE,), "none"),
        ([f"AR: {EXCHANGE_ONLINE}; {PASS}"], (EXCHANGE_ONLINE,), "none"),
        ([f'AR: "{EXCHANGE_ONLINE}"; {PASS}'], (EXCHANGE_ONLINE,), "none"),
        ([f"AR: exchange-online; {PASS}"], (EXCHANGE_ONLINE,), "none"),
        ([f"AR: a.example; dkim=none;{PASS}"], (EXCHANGE_ONLINE,), "none"),
        # Too long, too odd
        ([f"AR: {GOOGLE}; {PASS}; x=y ({'z' * 100_000})"], OURS, "none"),
        (
            [f"AR: {GOOGLE}; {PASS}; {FAIL}".replace("; dmarc=fail", ";" + " (z)" * 30_000 + "; dmarc=fail")],
            OURS,
            "none",
        ),
        ([f"AR: {GOOGLE};\r\n\t{FAIL}\r\n\t(\r\n ;{PASS})"], OURS, "fail"),
    ],
)
def test_only_the_topmost_header_of_a_trusted_server_counts(
    headers: list[str], trusted: tuple[str, ...], result: str
) -> None:
    assert judged(*headers, trusted=trusted) == result


@pytest.mark.parametrize(
    "sender", ["", "ann@a.example, bob@evil.example", "Ann", "a@evil.example <ann@a.example>", "G: ann@a.example;"]
)
def test_a_from_that_can_be_read_in_two_ways_is_nobodys(sender: str) -> None:
    assert judged(f"AR: {GOOGLE}; {PASS}", sender=sender) == "none"


def test_two_from_fields_are_nobodys() -> None:
    assert judged(f"AR: {GOOGLE}; {PASS}", "From: eve@evil.example") == "none"


def test_the_why_names_server_method_and_domains() -> None:
    assert judge_sender(mail(f"AR: {GOOGLE}; dmarc=none; dkim=pass header.d=mail.a.example"), OURS) == (
        verdict.SenderVerdict("pass", f"{GOOGLE}: dmarc=none, dkim=pass of mail.a.example for a.example", GOOGLE)
    )
    assert judge_sender(mail(f"AR: {GOOGLE}; {FAIL}"), ()).why == f"{GOOGLE}: dmarc=fail for a.example"
    assert judge_sender(mail(), OURS).why == "no Authentication-Results of a trusted server"
    assert judge_sender(mail(sender=""), OURS).why == "From does not name exactly one address"


def test_the_why_is_short_whatever_the_sender_wrote() -> None:
    for value in (f"{'e' * 9000}.example; {PASS}", f"mx; {'; '.join(f'dmarc=x{n}' for n in range(99))}"):
        assert len(judge_sender(mail(f"AR: {value}"), ()).why) <= verdict.WHY_CHARS


# What a sender can make of his envelope address: an encoded word is atext (RFC 5322 section 3.2.3), and a reader that
# decodes it here (RFC 2047 section 5 forbids it) reads results that no server wrote.
@pytest.mark.parametrize(
    "results",
    [
        'spf=none smtp.mailfrom="=?utf-8?q?x=22=3B_dmarc=3Dpass_=22?=@evil.example"',
        "spf=none (google.com: =?utf-8?q?=29=3B_dmarc=3Dpass_=28?=@evil.example) smtp.mailfrom=evil.example",
        "spf=none smtp.mailfrom==?utf-8?b?O2RtYXJjPXBhc3M7?=@evil.example",
    ],
)
def test_an_encoded_word_in_an_envelope_address_adds_no_result(results: str) -> None:
    assert judged(f"AR: {GOOGLE}; {results}") == "none"


# --- DKIM checked here --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("headers", "checks", "result"),
    [
        ([], [("a.example", "pass")], "pass"),
        ([], [("mail.a.example", "pass")], "pass"),
        ([], [("A.Example", "pass")], "pass"),
        ([], [("evil.example", "pass")], "none"),
        ([], [("evil.example", "pass"), ("a.example", "pass")], "pass"),
        ([], [("a.example", "fail")], "none"),
        ([], [("a.example", "none")], "none"),
        ([], [("", "pass")], "none"),
        ([f"AR: {GOOGLE}; {FAIL}"], [("a.example", "pass")], "fail"),
        ([f"AR: {GOOGLE}; {PASS}"], [("a.example", "fail")], "pass"),
        ([f"AR: {GOOGLE}; dmarc=temperror"], [("a.example", "pass")], "pass"),
        ([f"AR: evil.example; {FAIL}"], [("a.example", "pass")], "pass"),
    ],
)
def test_a_signature_checked_here_counts_where_the_provider_says_nothing(
    headers: list[str], checks: list[tuple[str, str]], result: str
) -> None:
    dkim = [DkimCheck(domain, "s", end, "") for domain, end in checks]  # type: ignore[arg-type]
    assert judge_sender(mail(*headers), OURS, dkim).result == result


# --- ARC ----------------------------------------------------------------------------------------------------------------


def sealed(*sets: tuple[str, str]) -> list[str]:
    """ARC sets, newest first, as they come with a mail: (sealer, what it found)."""
    headers = []
    for instance, (sealer, found) in zip(itertools.count(len(sets), -1), sets):
        headers += [
            f"AS: i={instance}; a=rsa-sha256; cv=pass; d={sealer}; s=x; b=YQ==",
            f"AMS: i={instance}; a=rsa-sha256; d={sealer}; s=x; h=from; bh=YQ==; b=YQ==",
            f"AAR: i={instance}; mx.{sealer}; {found}",
        ]
    return headers


WHOLE = f"AR: {GOOGLE}; arc=pass (i=1 dmarc=pass fromdomain=a.example); {FAIL}"
MICROSOFT = f"AR: spf=fail smtp.mailfrom=list.example; {FAIL};compauth=pass reason=130"


@pytest.mark.parametrize(
    ("top", "sets", "sealers", "result"),
    [
        (WHOLE, [("list.example", PASS)], ["list.example"], "pass"),
        (WHOLE, [("List.Example", PASS)], ["LIST.example"], "pass"),
        (WHOLE, [("list.example", PASS)], [], "fail"),
        (WHOLE, [("list.example", PASS)], ["other.example"], "fail"),
        (WHOLE, [("evil-list.example", PASS)], ["list.example"], "fail"),
        (WHOLE, [("x.list.example", PASS)], ["list.example"], "fail"),
        (WHOLE, [("list.example", FAIL)], ["list.example"], "fail"),
        (WHOLE, [("list.example", PASS + "; " + FAIL)], ["list.example"], "fail"),
        (WHOLE, [("list.example", "dmarc=pass")], ["list.example"], "fail"),
        (WHOLE, [("list.example", "dmarc=pass header.from=evil.example")], ["list.example"], "fail"),
        (WHOLE, [("list.example", "dkim=pass header.d=a.example")], ["list.example"], "fail"),
        (WHOLE, [], ["list.example"], "fail"),
        (f"AR: {GOOGLE}; {FAIL}", [("list.example", PASS)], ["list.example"], "fail"),
        (f"AR: {GOOGLE}; arc=fail; {FAIL}", [("list.example", PASS)], ["list.example"], "fail"),
        (f"AR: {GOOGLE}; arc=none (arc=pass); {FAIL}", [("list.example", PASS)], ["list.example"], "fail"),
        # Whoever sealed later could have changed everything.
        (WHOLE, [("evil.example", "arc=pass"), ("list.example", PASS)], ["list.example"], "fail"),
        (WHOLE, [("list.example", PASS), ("sender.example", PASS)], ["list.example"], "pass"),
        (WHOLE, [("two.example", FAIL), ("list.example", PASS)], ["list.example", "two.example"], "pass"),
        (WHOLE, [("list.example", FAIL), ("evil.example", PASS)], ["list.example"], "fail"),
        # The provider's own set, above its results, is no part of what came.
        (MICROSOFT, [("list.example", PASS)], ["list.example"], "pass"),
        (MICROSOFT, [("list.example", PASS)], [], "fail"),
        (MICROSOFT.replace("130", "100"), [("list.example", PASS)], ["list.example"], "fail"),
        (f"AR: {GOOGLE}; arc=pass; {PASS} policy.arc=pass", [("list.example", PASS)], ["list.example"], "pass"),
        (f"AR: {GOOGLE}; arc=pass; {PASS} policy.arc=pass", [("list.example", PASS)], [], "none"),
        (f"AR: {GOOGLE}; {PASS} arc_overridden_status=OVERRIDDEN", [], ["list.example"], "none"),
        (f"AR: {GOOGLE}; {PASS} arc_overridden_status=NOT_OVERRIDDEN", [], [], "pass"),
        (f'AR: {GOOGLE}; dmarc=pass reason="arc override" header.from=a.example', [], [], "none"),
    ],
)
def test_a_seal_is_believed_only_if_the_tenant_trusts_it(
    top: str, sets: list[tuple[str, str]], sealers: list[str], result: str
) -> None:
    own = ["AS: i=9; a=rsa-sha256; cv=pass; d=google.com; s=x; b=YQ==", f"AAR: i=9; {GOOGLE}; {FAIL}"]
    found = judge_sender(mail(*own, top, *sealed(*sets)), (GOOGLE, EXCHANGE_ONLINE), trusted_sealers=sealers)
    assert found.result == result


@pytest.mark.parametrize(
    "broken",
    [
        ["AS: i=1; d=list.example"],
        ["AS: i=1; d=evil.example"],
        ["AS: i=2; d=list.example"],
        ["AS: i=x; d=list.example"],
        ["AS: i=1"],
        ["AS: ;;;"],
        ["AS: i=99999999999; d=list.example"],
        [f"AAR: i=1; mx; {PASS}"],
        [f"AAR: i=2; mx; {PASS}"],
        ["AAR: junk"],
        [f"AAR: i=3; mx; {PASS}", "AS: i=3; d=list.example"],
    ],
)
def test_a_chain_that_is_not_complete_vouches_for_nobody(broken: list[str]) -> None:
    whole = sealed(("list.example", PASS))
    assert judge_sender(mail(WHOLE, *whole), OURS, trusted_sealers=["list.example"]).result == "pass"
    for headers in (broken + whole, whole + broken):
        assert judge_sender(mail(WHOLE, *headers), OURS, trusted_sealers=["list.example"]).result == "fail"


def test_without_a_configured_server_no_seal_is_believed() -> None:
    assert judge_sender(mail(WHOLE, *sealed(("l.example", PASS))), (), trusted_sealers=["l.example"]).result == "fail"


# --- the rest -----------------------------------------------------------------------------------------------------------


@given(
    st.lists(st.sampled_from(["AR: ", "AAR: i=1; ", "AS: ", "X-A: ", "Received: "]), max_size=6),
    st.lists(
        st.sampled_from(
            [GOOGLE, EXCHANGE_ONLINE, "; ", "(", ")", '"', PASS, FAIL, "arc=pass", "i=1", "d=a.example", "é"]
        ),
        max_size=12,
    ),
    st.sampled_from([(), OURS, (EXCHANGE_ONLINE,), (APPLE, ""), ("*.",)]),
)
def test_any_headers_are_judged_without_an_error(names: list[str], pieces: list[str], trusted: tuple[str, ...]) -> None:
    text = "".join(pieces)
    found = judge_sender(mail(*(name + text for name in names)), trusted, trusted_sealers=["a.example"])
    assert found.result in ("pass", "fail", "none")
    assert found.why
    assert found.result != "pass" or trusted


@given(st.text(alphabet="abé.@\u3002[]:1 -_", max_size=30))
def test_any_text_in_place_of_a_domain_is_harmless(text: str) -> None:
    clean = text.replace(" ", "")
    assert judged(f"AR: {GOOGLE}; dkim=pass header.d={clean}", sender="ann@bank.example") == "none"


def test_a_thousand_headers_cost_no_more_than_their_length() -> None:
    many = [f"AR: evil{number}.example; {PASS} ({'x' * 500})" for number in range(900)]
    assert judged(*many, f"AR: {GOOGLE}; {PASS}") == "pass"
