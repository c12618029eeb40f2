import time

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from shared.mail.sender import authres
from shared.mail.sender.authres import (
    AuthResults,
    Result,
    parse_arc_authentication_results,
    parse_authentication_results,
)


def short(found: AuthResults | None) -> str:
    """``server: method=result ...``, "!" and the defect behind it."""
    if found is None:
        return "unreadable"
    defect = f" !{found.defect}" if found.defect else ""
    return f"{found.authserv_id}: " + " ".join(f"{each.method}={each.result}" for each in found.results) + defect


# The forms of real servers; names and addresses are ours.
FORMS = [
    # Gmail
    (
        "mx.google.com;\r\n       dkim=pass header.i=@a.example header.s=20230601 header.b=hr4+4h/XYS;\r\n"
        "       spf=pass (google.com: domain of b@a.example designates 192.0.2.1 as permitted sender)"
        " smtp.mailfrom=b@a.example;\r\n       dmarc=pass (p=REJECT sp=REJECT dis=NONE) header.from=a.example",
        "mx.google.com: dkim=pass spf=pass dmarc=pass",
    ),
    (
        "mx.google.com; arc=pass (i=1 spf=pass spfdomain=a.example dkim=pass dkdomain=a.example dmarc=pass"
        " fromdomain=a.example); dmarc=fail (p=NONE sp=NONE dis=NONE arc=pass) header.from=a.example",
        "mx.google.com: arc=pass dmarc=fail",
    ),
    (
        'mx.google.com; spf=softfail (google.com: best guess) smtp.mailfrom="prvs=1=b@a.example"',
        "mx.google.com: spf=softfail",
    ),
    (
        "mx.google.com; dkim=neutral (body hash did not verify) header.i=@a.example; dkim=temperror (no key)"
        " header.i=@b.example",
        "mx.google.com: dkim=neutral dkim=temperror",
    ),
    # Exchange Online and Outlook.com
    (
        "spf=pass (sender IP is 192.0.2.1)\r\n smtp.mailfrom=a.example; dkim=pass (signature was verified)\r\n"
        " header.d=a.example;dmarc=pass action=none header.from=a.example;compauth=pass\r\n reason=100",
        ": spf=pass dkim=pass dmarc=pass compauth=pass",
    ),
    (
        "spf=none (sender IP is 192.0.2.1) smtp.mailfrom=a.example; list.example; dkim=none (message not signed)"
        " header.d=none;list.example; dmarc=permerror action=none header.from=a.example;",
        ": spf=none dkim=none dmarc=permerror",
    ),
    (
        "dkim=none (message not signed) header.d=none;dmarc=none action=none header.from=a.example;",
        ": dkim=none dmarc=none",
    ),
    ("spf=none (sender IP is ) smtp.mailfrom=b@a.example; ", ": spf=none"),
    (
        "spf=fail (sender IP is 192.0.2.1) smtp.mailfrom=a.example; dkim=fail (body hash did not verify)"
        " header.d=a.example;dmarc=fail action=oreject header.from=a.example;compauth=pass reason=130",
        ": spf=fail dkim=fail dmarc=fail compauth=pass",
    ),
    (
        "spf=pass (sender IP is 192.0.2.1) smtp.mailfrom=a.example; dkim=pass (signature was verified)"
        " header.d=a.example;dmarc=bestguesspass action=none header.from=a.example;compauth=pass reason=109",
        ": spf=pass dkim=pass dmarc=bestguesspass compauth=pass",
    ),
    (
        "b.example; dkim=none (message not signed)\r\n header.d=none;b.example; dmarc=none action=none"
        " header.from=a.example;",
        "b.example: dkim=none dmarc=none",
    ),
    # Yahoo and AOL
    (
        "atlas-production.v2-mail-prod1-gq1.omega.yahoo.com;\r\n dkim=pass header.i=@a.example header.s=s1"
        " arc_overridden_status=NOT_OVERRIDDEN;\r\n spf=pass smtp.mailfrom=a.example"
        " arc_overridden_status=NOT_OVERRIDDEN;\r\n dmarc=pass(p=REJECT) header.from=a.example"
        " arc_overridden_status=NOT_OVERRIDDEN;",
        "atlas-production.v2-mail-prod1-gq1.omega.yahoo.com: dkim=pass spf=pass dmarc=pass",
    ),
    (
        "atlas-production.v2-mail-prod1-bf1.omega.yahoo.com; dkim=unknown; spf=none smtp.mailfrom=a.example;"
        " dmarc=unknown header.from=a.example;",
        "atlas-production.v2-mail-prod1-bf1.omega.yahoo.com: dkim=unknown spf=none dmarc=unknown",
    ),
    (
        "mta1.mail.bf1.yahoo.com  from=a.example; domainkeys=neutral (no sig);  from=a.example; dkim=pass (ok)",
        "mta1.mail.bf1.yahoo.com: domainkeys=neutral from=a.example dkim=pass",
    ),
    # Fastmail
    (
        "mx6.messagingengine.com;\r\n    x-csa=none;\r\n    x-me-sender=none;\r\n    x-ptr=pass"
        " smtp.helo=mail.a.example\r\n      policy.ptr=mail.a.example",
        "mx6.messagingengine.com: x-csa=none x-me-sender=none x-ptr=pass",
    ),
    (
        "mx6.messagingengine.com; dkim=pass (2048-bit rsa key sha256) header.d=a.example header.i=@a.example"
        " header.b=hr44hXYS header.a=rsa-sha256 header.s=s x-bits=2048; dmarc=pass"
        " policy.published-domain-policy=none policy.applied-disposition=none (p=none,sp=none,d=none)"
        " policy.policy-from=p header.from=a.example; iprev=pass smtp.remote-ip=192.0.2.1 (mail.a.example);"
        " spf=pass smtp.mailfrom=b@a.example smtp.helo=mail.a.example",
        "mx6.messagingengine.com: dkim=pass dmarc=pass iprev=pass spf=pass",
    ),
    (
        "mx6.messagingengine.com; bimi=skipped (DMARC Policy is not at enforcement)",
        "mx6.messagingengine.com: bimi=skipped",
    ),
    ("phl-mx-07.messagingengine.com; arc=none (no signatures found)", "phl-mx-07.messagingengine.com: arc=none"),
    # iCloud
    ('bimi.icloud.com; bimi=skipped reason="insufficient dmarc"', "bimi.icloud.com: bimi=skipped"),
    ("dmarc.icloud.com; dmarc=pass header.from=a.example", "dmarc.icloud.com: dmarc=pass"),
    (
        "dkim-verifier.icloud.com;\r\n\tdkim=pass (2048-bit key) header.d=a.example header.i=@a.example",
        "dkim-verifier.icloud.com: dkim=pass",
    ),
    (
        "spf.icloud.com; spf=pass (spf.icloud.com: domain of b@a.example designates 192.0.2.1 as permitted sender)"
        ' smtp.mailfrom="SRS0=Z8=5h=a.example=b@c.example"',
        "spf.icloud.com: spf=pass",
    ),
    # GMX, Zoho, Proton, Posteo, mail.ru, Yandex, mail.de, Infomaniak, Amazon
    ("gmx.net; dkim=pass header.i=@a.example", "gmx.net: dkim=pass"),
    ("gmx.net; dkim=none", "gmx.net: dkim=none"),
    (
        "mx.zohomail.com;\r\n\tdkim=pass;\r\n\tspf=pass (zohomail.com: domain of a.example designates 192.0.2.1 as"
        " permitted sender)  smtp.mailfrom=b@a.example;\r\n\tdmarc=pass(p=reject dis=none)  header.from=a.example",
        "mx.zohomail.com: dkim=pass spf=pass dmarc=pass",
    ),
    (
        "mail.protonmail.ch; dmarc=pass (p=quarantine dis=none)\r\n header.from=a.example",
        "mail.protonmail.ch: dmarc=pass",
    ),
    ("mail.protonmail.ch; arc=none smtp.remote-ip=192.0.2.1", "mail.protonmail.ch: arc=none"),
    (
        "posteo.de; dkim=pass (2048-bit key) header.d=a.example; dkim-atps=neutral",
        "posteo.de: dkim=pass dkim-atps=neutral",
    ),
    (
        "mxs.mail.ru; spf=pass (mx273.i.mail.ru: domain of a.example designates 192.0.2.1 as permitted sender)"
        " smtp.mailfrom=b@a.example smtp.helo=m.a.example;\r\n\t dkim=pass header.d=a.example; dmarc=pass"
        " header.from=b@a.example",
        "mxs.mail.ru: spf=pass dkim=pass dmarc=pass",
    ),
    (
        "vla1-f55d97afef99.qloud-c.yandex.net; spf=pass (vla1-f55d97afef99.qloud-c.yandex.net: domain of a.example"
        " designates 2001:db8::443 as permitted sender, rule=[ip6:2001:db8::/36]) smtp.mail=b@a.example; dkim=pass"
        " header.i=@a.example",
        "vla1-f55d97afef99.qloud-c.yandex.net: spf=pass dkim=pass",
    ),
    (
        'mxpostfix02.mail.de;\r\n\tdkim=pass (2048-bit key; unprotected) header.d=a.example header.b="SQcyDRqs";'
        "\r\n\tdkim-atps=neutral",
        "mxpostfix02.mail.de: dkim=pass dkim-atps=neutral",
    ),
    ("mx.infomaniak.com; spf=pass smtp.mailfrom=a.example", "mx.infomaniak.com: spf=pass"),
    (
        "amazonses.com; spf=neutral (spfCheck: 192.0.2.1 is neither permitted nor denied by domain of a.example)"
        " client-ip=192.0.2.1; envelope-from=b@a.example; helo=m.a.example; dkim=pass header.i=@a.example;"
        " dmarc=pass header.from=a.example;",
        "amazonses.com: spf=neutral helo=m.a.example dkim=pass dmarc=pass",
    ),
    # Exim, rspamd, OpenDKIM, OpenDMARC, SpamAssassin's neighbours
    (
        "mx.b.example;\r\n\tiprev=pass (m.a.example) smtp.remote-ip=192.0.2.1;\r\n\tspf=pass smtp.mailfrom=a.example;"
        "\r\n\tdkim=pass header.d=a.example header.s=s header.a=rsa-sha256;\r\n\tdmarc=pass header.from=a.example;"
        "\r\n\tarc=none",
        "mx.b.example: iprev=pass spf=pass dkim=pass dmarc=pass arc=none",
    ),
    ("mx.b.example;\r\n\tauth=pass (login) smtp.auth=b@a.example", "mx.b.example: auth=pass"),
    (
        "mx.b.example;\r\n\tdkim=pass header.d=a.example header.s=s header.b=qzVSo5TY;\r\n\tspf=pass (mx.b.example:"
        " domain of b@a.example designates 192.0.2.1 as permitted sender) smtp.mailfrom=b@a.example;\r\n\tdmarc=pass"
        " (policy=reject) header.from=a.example",
        "mx.b.example: dkim=pass spf=pass dmarc=pass",
    ),
    (
        'mx.b.example; dmarc=fail reason="No valid SPF, No valid DKIM" header.from=a.example (policy=reject);'
        ' arc=pass ("a.example:s=arc:i=1")',
        "mx.b.example: dmarc=fail arc=pass",
    ),
    (
        'mx.b.example; dkim=fail ("headers rsa verify failed") header.d=a.example; arc=reject ("seal check failed")',
        "mx.b.example: dkim=fail arc=reject",
    ),
    (
        'OpenDKIM; dkim=pass (1024-bit key; secure) header.d=a.example header.i=@a.example header.b="x"',
        "OpenDKIM: dkim=pass",
    ),
    (
        "OpenDMARC; dmarc=fail (p=quarantine dis=none) header.from=a.example",
        "OpenDMARC: dmarc=fail",
    ),
    ("mx.b.example; sender-id=fail (NotPermitted) header.from=a.example", "mx.b.example: sender-id=fail"),
    ("mx.b.example (amavisd-new);\r\n\tdkim=pass (2048-bit key)\r\n\theader.d=a.example", "mx.b.example: dkim=pass"),
    # RFC 8601, appendix B and its grammar
    ("example.org 1; none", "example.org: "),
    ("example.com; spf=pass smtp.mailfrom=example.net", "example.com: spf=pass"),
    (
        "example.com; auth=pass (cram-md5) smtp.auth=sender@example.net; spf=pass smtp.mailfrom=example.net",
        "example.com: auth=pass spf=pass",
    ),
    (
        'example.com; dkim=pass reason="good signature" header.i=@mail-router.example.net; dkim=fail reason="bad'
        ' signature" header.i=@newyork.example.com',
        "example.com: dkim=pass dkim=fail",
    ),
    (
        "foo.example.net (foobar) 1 (baz);\r\n dkim (Because I like it) / 1 (One yay) = (wait for it) fail\r\n"
        "  policy (A dot can go here) . (like that) expired\r\n  (this surprised me) = (as I wasn't expecting it)"
        " 1362471462",
        "foo.example.net: dkim=fail",
    ),
    ('"a b; c" 1; dkim=pass', "a b; c: dkim=pass"),
    ("MX.B.EXAMPLE; DKIM=PASS Header.D=A.EXAMPLE", "MX.B.EXAMPLE: dkim=pass"),
    ("mx.b.example; dkim/1=pass; dkim/99 = fail", "mx.b.example: dkim=pass dkim=fail"),
    ("mx.b.example;;; ;dkim=pass;;", "mx.b.example: dkim=pass"),
    ("  mx.b.example  ", "mx.b.example: "),
    ("(who) mx.b.example; spf=pass", "mx.b.example: spf=pass"),
    # What breaks the grammar
    ("mx.b.example dkim=pass", "mx.b.example: "),
    ("mx.b.example; dkim: pass", "mx.b.example: "),
    ("mx.b.example; dkim==pass", "mx.b.example: "),
    ("mx.b.example; dkim=pass@evil", "mx.b.example: "),
    ("mx.b.example; =pass", "mx.b.example: "),
    ("mx.b.example; dkim=", "mx.b.example: "),
    ('mx.b.example; dkim="pass"', "mx.b.example: "),
    ("", "unreadable"),
    (" ", "unreadable"),
    (";", "unreadable"),
    ("; dkim=pass", "unreadable"),
    ('""; dkim=pass', "unreadable"),
    ("(only a comment)", "unreadable"),
    ('"', "unreadable"),
    ("(", "unreadable"),
]

# What a sender can put into a comment or a value by his envelope address, his greeting or his signature.
TRICKS = [
    ("mx; dmarc=fail (dmarc=pass) header.from=a.example", "mx: dmarc=fail"),
    ("mx; dmarc=fail (; dmarc=pass) header.from=a.example", "mx: dmarc=fail"),
    ("mx; dmarc=fail (p=none (; dmarc=pass (x))) header.from=a.example", "mx: dmarc=fail"),
    (r"mx; dmarc=fail (\); dmarc=pass \() header.from=a.example", "mx: dmarc=fail"),
    ("mx; dmarc=fail (a\r\n\t; dmarc=pass\r\n\t) header.from=a.example", "mx: dmarc=fail"),
    ('mx; dmarc=fail reason="; dmarc=pass"', "mx: dmarc=fail"),
    (r'mx; dmarc=fail reason="\"; dmarc=pass"', "mx: dmarc=fail"),
    ('mx; spf=none smtp.mailfrom="x; dmarc=pass y"@evil.example; dmarc=fail', "mx: spf=none dmarc=fail"),
    ('mx; spf=none (of "a); dmarc=pass ("@evil.example) smtp.mailfrom=x', "mx:  !ambiguous"),
    ('mx; dmarc=fail (of "a(" x) ; spf=pass', "mx:  !ambiguous"),
    ("mx; dmarc=fail (of a; spf=pass", "mx:  !ambiguous"),
    ("mx; dmarc=fail of a); spf=pass", "mx:  !ambiguous"),
    ('mx; dmarc=fail header.from="a; spf=pass', "mx:  !ambiguous"),
    ('mx; dmarc=fail header.from=a"; spf=pass', "mx:  !ambiguous"),
    ("mx; spf=pass smtp.helo=dmarc=pass", "mx: spf=pass"),
    ("mx; spf=pass smtp.helo=x dmarc=pass", "mx: spf=pass"),
    ("mx; xdmarc=pass; dmarc-x=pass; x-dmarc=pass", "mx: xdmarc=pass dmarc-x=pass x-dmarc=pass"),
    ("mx; dmarc=passed; dmarc=pass-not", "mx: dmarc=passed dmarc=pass-not"),
    ("mx; dmarc\u200b=pass; dmаrc=pass", "mx: "),  # the last has a Cyrillic letter
]


@pytest.mark.parametrize(("value", "said"), [*FORMS, *TRICKS])
def test_a_header_is_read_as_its_server_meant_it(value: str, said: str) -> None:
    assert short(parse_authentication_results(value)) == said


@pytest.mark.parametrize(("value", "said"), FORMS)
def test_folding_changes_nothing(value: str, said: str) -> None:
    folded = value.replace("\r\n", "").replace("; ", ";\r\n ")
    assert short(parse_authentication_results(folded)) == said


@pytest.mark.parametrize(
    ("text", "properties"),
    [
        ("header.d=a.example", {"header.d": "a.example"}),
        ("header.i=@a.example header.b=Y+Pei/Ak=", {"header.i": "@a.example", "header.b": "Y+Pei/Ak="}),
        ('smtp.mailfrom="prvs=1=b@a.example"', {"smtp.mailfrom": "prvs=1=b@a.example"}),
        ("smtp.mailfrom=prvs=1=b@a.example", {"smtp.mailfrom": "prvs=1=b@a.example"}),
        (r'smtp.mailfrom="a \"b\\ c"@a.example', {"smtp.mailfrom": r'a "b\ c@a.example'}),
        ("HEADER . From (x) = (y) A.example", {"header.from": "A.example"}),
        ("header.from=a.example header.from=a.example", {"header.from": "a.example"}),
        ("header.from=a.example header.from=evil.example", {"header.from": ""}),
        ("header.from=evil.example header.from=a.example header.from=evil.example", {"header.from": ""}),
        ("smtp.mailfrom= smtp.helo=h.example", {"smtp.mailfrom": "", "smtp.helo": "h.example"}),
        ("smtp.mailfrom=", {"smtp.mailfrom": ""}),
        ("smtp.mailfrom= b@a.example", {"smtp.mailfrom": "b@a.example"}),
        ("smtp.mailfrom=<b@a.example>", {"smtp.mailfrom": "<b@a.example>"}),
        ("smtp.remote-ip=2001:db8::1", {"smtp.remote-ip": "2001:db8::1"}),
        ("action=none header.from=a.example", {"action": "none", "header.from": "a.example"}),
        ("junk , header.d=a.example = =x", {"header.d": "a.example"}),
        ("header.from=a.example(policy=none)", {"header.from": "a.example"}),
    ],
)
def test_properties_are_read_with_their_quotes_undone(text: str, properties: dict[str, str]) -> None:
    assert parse_authentication_results(f"mx; dkim=pass {text}") == AuthResults(
        "mx", 1, (Result("dkim", "pass", "", properties),)
    )


def test_the_version_and_the_reason_are_read() -> None:
    found = parse_authentication_results('mx 7; dkim=fail reason="key too (short)" header.d=a.example')
    assert found == AuthResults("mx", 7, (Result("dkim", "fail", "key too (short)", {"header.d": "a.example"}),))


@pytest.mark.parametrize("size", [authres.RESULTS_CHARS - 1, authres.RESULTS_CHARS, authres.RESULTS_CHARS + 1, 100_000])
def test_a_header_that_may_have_been_cut_has_no_results(size: int) -> None:
    value = "mx; dmarc=pass header.from=a.example;".ljust(size)
    said = "mx: dmarc=pass" if size <= authres.RESULTS_CHARS else "mx:  !too-long"
    assert short(parse_authentication_results(value)) == said


def test_only_so_many_results_are_read() -> None:
    found = parse_authentication_results("mx" + "; a=b" * 1000)
    assert found
    assert len(found.results) == authres.MOST_RESULTS


@pytest.mark.parametrize(
    ("value", "instance", "said"),
    [
        ("i=1; mx.b.example; dmarc=pass header.from=a.example", 1, "mx.b.example: dmarc=pass"),
        (
            "i=2; mx.microsoft.com 1; spf=pass smtp.mailfrom=a.example; dmarc=pass action=none",
            2,
            "mx.microsoft.com: spf=pass dmarc=pass",
        ),
        (" i = 50 (x) ;mx.b.example; none", 50, "mx.b.example: "),
        ("I=1; mx.b.example; none", None, ""),
        ("i=0; mx.b.example; none", None, ""),
        ("i=51; mx.b.example; none", None, ""),
        ("i=1", None, ""),
        ("mx.b.example; i=1", None, ""),
        ("", None, ""),
    ],
)
def test_the_copy_in_arc_begins_with_its_instance(value: str, instance: int | None, said: str) -> None:
    found = parse_arc_authentication_results(value)
    assert (found and (found[0], short(found[1]))) == (instance and (instance, said))


_WORDS = st.sampled_from(
    [
        "mx",
        "dmarc",
        "pass",
        "fail",
        "header",
        "from",
        "i",
        "1",
        "=",
        ".",
        "/",
        ";",
        '"',
        "(",
        ")",
        "\\",
        " ",
        "\r\n\t",
        "é",
    ]
)


@given(st.one_of(st.text(max_size=200), st.lists(_WORDS, max_size=60).map("".join)))
@example("mx;a=b c.d=\\")
def test_any_text_is_read_without_an_error(value: str) -> None:
    for found in (parse_authentication_results(value), (parse_arc_authentication_results(value) or (0, None))[1]):
        assert found is None or all(each.method == each.method.lower() and each.method for each in found.results)
        assert found is None or not (found.defect and found.results)


@given(st.text(alphabet='abc ;=."()\\', max_size=60))
def test_no_comment_and_no_quoted_word_adds_a_result(inside: str) -> None:
    comment = inside.replace("\\", "").replace("(", "").replace(")", "").replace('"', "")
    word = inside.replace("\\", "").replace('"', "")
    found = parse_authentication_results(f'mx; spf=none ({comment}) smtp.mailfrom="{word}"@x; dmarc=fail')
    assert short(found) == "mx: spf=none dmarc=fail"


@pytest.mark.parametrize(
    "piece", ['"', "(", ")", "\\", ";", "=", " ", "a", "a.", "a =", "a . ", '""', "()", "a=b ", ";a=b", '"\\"']
)
def test_time_grows_no_faster_than_the_header(piece: str) -> None:
    def seconds(size: int) -> float:
        value = "mx; a=b " + (piece * size)[: size - 10]
        start = time.thread_time()
        for _ in range(5):
            parse_authentication_results(value)
        return time.thread_time() - start

    # Sixteen times the characters: linear is 16, quadratic is 256.
    ratios = []
    for _ in range(5):
        large = seconds(authres.RESULTS_CHARS)
        if large < 0.1:
            return
        ratios.append(large / seconds(authres.RESULTS_CHARS // 16))
        if ratios[-1] < 48:
            return
    raise AssertionError(ratios)
