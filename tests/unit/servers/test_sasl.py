"""SASL answers, by the examples of their RFCs."""

from __future__ import annotations

import base64

import pytest

from shared.servers import sasl


def test_plain_carries_any_letter() -> None:
    assert sasl.plain("jörg", "Paßwort€") == b"\0j\xc3\xb6rg\0Pa\xc3\x9fwort\xe2\x82\xac"


def test_cram_md5_answers_as_in_rfc_2195() -> None:
    answer = sasl.cram_md5("tim", "tanstaaftanstaaf")
    assert answer(b"<1896.697170952@postoffice.reston.mci.net>") == b"tim b913a602c7eda7a495b4e6e7334d3890"


def test_login_gives_name_and_password_in_turn_whatever_they_are_asked_for_with() -> None:
    answer = sasl.login("jörg", "Paßwort€")
    assert [answer(b"User Name\0"), answer(b"VXNlcm5hbWU6"), answer(b"again?")] == [
        "jörg".encode(),
        "Paßwort€".encode(),
        b"",
    ]


def test_oauthbearer_answers_as_in_rfc_7628() -> None:
    token = "vF9dft4qmTc2Nvb3RlckBhbHRhdmlzdGEuY29tCg=="
    bearer = sasl.Bearer("OAUTHBEARER", "user@example.com", token, "server.example.com", 143)
    expected = (
        "bixhPXVzZXJAZXhhbXBsZS5jb20sAWhvc3Q9c2VydmVyLmV4YW1wbGUuY29tAXBvcnQ9MTQzAWF1dGg9QmVhcmVyIHZGOWRmdDRxbVRjMk52"
        "YjNSbGNrQmhiSFJoZG1semRHRXVZMjl0Q2c9PQEB"
    )
    assert base64.b64encode(bearer(b"")).decode() == expected
    assert bearer(b'{"status":"invalid_token"}') == b"\x01"
    assert bearer.reason == b'{"status":"invalid_token"}'


def test_a_name_cannot_end_its_field() -> None:
    """RFC 5801, 4: an address may hold an equals sign, and a comma would end the name."""
    assert sasl.Bearer("OAUTHBEARER", "a=b,c@e", "t", "h", 1)(b"").startswith(b"n,a=a=3Db=2Cc@e,\x01")
    assert sasl.Bearer("XOAUTH2", "a=b,c@e", "t", "h", 1)(b"") == b"user=a=b,c@e\x01auth=Bearer t\x01\x01"


def test_xoauth2_answers_the_reason_of_a_refusal_with_nothing() -> None:
    bearer = sasl.Bearer("XOAUTH2", "a", "t", "h", 1)
    bearer(b"")
    assert bearer.reason == b""
    assert bearer(b'{"status":"400"}') == b""
    assert bearer.reason == b'{"status":"400"}'


@pytest.mark.parametrize(
    ("offered", "chosen"),
    [
        (["PLAIN", "OAUTHBEARER", "XOAUTH2"], "XOAUTH2"),
        (["OAUTHBEARER"], "OAUTHBEARER"),
        (["PLAIN"], None),
        ([], None),
    ],
)
def test_the_way_of_a_token_is_one_that_is_offered(offered: list[str], chosen: str | None) -> None:
    assert sasl.bearer_mechanism(offered) == chosen


@pytest.mark.parametrize("challenge", [b"!", b"a", b"\xff"])
def test_a_challenge_that_is_no_base64_is_nothing(challenge: bytes) -> None:
    assert sasl.decoded(challenge) == b""
