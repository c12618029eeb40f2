import pytest

from shared.mail.message import Message, parse
from shared.mail.sender.authserv import KNOWN, Known, known_ids, learn_authserv_id
from shared.mail.sender.verdict import EXCHANGE_ONLINE, judge_sender


def mail(*values: str) -> Message:
    headers = "".join(f"Authentication-Results: {value}; dmarc=pass\r\n" for value in values)
    return parse(f"{headers}From: a@a.example\r\n\r\nHello\r\n".encode())


def mails(*tops: str) -> list[Message]:
    return [mail(top) if top else mail() for top in tops]


@pytest.mark.parametrize(
    ("messages", "name"),
    [
        (mails(*["mx.google.com"] * 3), "mx.google.com"),
        (mails("mx.google.com", "MX.Google.com.", "mx.google.com"), "mx.google.com"),
        (mails(*["mx.google.com"] * 2), ""),
        ([], ""),
        (mails(*[""] * 9), ""),
        (mails(*["mx.google.com"] * 9, ""), "mx.google.com"),
        (mails(*["mx.google.com"] * 8, "", ""), ""),
        (mails(*["mx.google.com"] * 9, "evil.example"), "mx.google.com"),
        (mails(*["mx.google.com"] * 2, "evil.example"), ""),
        (mails("mx1.firm.example", "mx2.firm.example", "mx3.firm.example"), "*.firm.example"),
        (mails("mx1.firm.example", "mx1.firm.example", "mx2.firm.example"), "*.firm.example"),
        (mails("mx.a.co.uk", "mx.b.co.uk", "mx.c.co.uk"), ""),
        (mails("a.example", "b.example", "c.example"), ""),
        (mails(*["OpenDMARC"] * 3), "opendmarc"),
        (mails(*["spf=pass"] * 3), EXCHANGE_ONLINE),
        ([mail("spf=pass", "mx.google.com")] * 3, EXCHANGE_ONLINE),
        ([mail("mx.google.com", "evil.example")] * 3, "mx.google.com"),
        ([mail("bimi.icloud.com", "dmarc.icloud.com", "spf.icloud.com")] * 3, "*.icloud.com"),
        ([mail("bimi.icloud.com", "dmarc.icloud.com"), *mails(*["spf.icloud.com"] * 2)], "*.icloud.com"),
    ],
)
def test_the_name_on_top_of_nearly_all_mails_is_learned(messages: list[Message], name: str) -> None:
    assert learn_authserv_id(messages) == name


@pytest.mark.parametrize(
    ("server", "ids"),
    [
        ("imap.gmail.com", ("mx.google.com",)),
        ("OUTLOOK.office365.com.", (EXCHANGE_ONLINE,)),
        ("imap.mail.yahoo.com", ("*.omega.yahoo.com",)),
        ("imap.aol.com", ("*.omega.yahoo.com",)),
        ("imap.mail.me.com", ("*.icloud.com",)),
        ("imap.fastmail.com", ("*.messagingengine.com",)),
        ("imap.gmx.net", ("gmx.net",)),
        ("imap.gmail.com.evil.example", ()),
        ("notposteo.de", ()),
        ("imap.mail.ru", ()),
        ("", ()),
    ],
)
def test_the_names_of_big_providers_are_known_by_their_mail_servers(server: str, ids: tuple[str, ...]) -> None:
    assert known_ids(server) == ids


# One header of each as it was seen.
SEEN = [
    "mx.google.com",
    "spf=pass (sender IP is 192.0.2.1) smtp.mailfrom=a.example",
    "atlas-production.v2-mail-prod1-gq1.omega.yahoo.com",
    "dmarc.icloud.com",
    "phl-mx-07.messagingengine.com",
    "gmx.net",
    "mx.zohomail.com",
    "posteo.de",
    "mx.infomaniak.com",
    "mail.protonmail.ch",
]


@pytest.mark.parametrize(("known", "top"), list(zip(KNOWN, SEEN, strict=True)), ids=lambda value: str(value)[:30])
def test_what_is_known_of_a_provider_fits_its_header(known: Known, top: str) -> None:
    assert judge_sender(mail(top), known.ids).result == "pass"
