"""A mail shown as its sender laid it out: what the document holds, and the policy it is sent with."""

from __future__ import annotations

import base64
import re
from typing import Any

import pytest

from shared.mail.address import Address
from shared.model.incident import AttachmentRef, Body, Note, NoteKind
from shared.web.note_html import MAX_IMAGE_BYTES, document, image_type
from tests.support.app import NOON
from tests.support.growth import growth
from tests.support.mails import mail
from tests.unit.mail.html.test_clean import _HREFS, _VECTORS
from tests.unit.web.house import House

PNG = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)
IMAGES = {
    "image/png": PNG,
    "image/gif": b"GIF89a\x01\x00",
    "image/jpeg": b"\xff\xd8\xff\xe0",
    "image/webp": b"RIFF\x00\x00\x00\x00WEBPVP8 ",
}
NO_IMAGES = [
    b"",
    b"<svg xmlns='http://www.w3.org/2000/svg' onload='alert(1)'/>",
    b"<html><script>alert(1)</script>",
    b"\x89PNG\r\n",
    b"RIFF\x00\x00\x00\x00WAVE",
    b"BM\x00\x00",
    b"%PDF-1.7",
    b" \x89PNG\r\n\x1a\n",
]


def page(house: House, number: int = 1, query: str = "") -> Any:
    answer = house.client("agent").get(f"/api/incidents/{number}/notes/1/html{query}")
    assert answer.status_code == 200, answer.text
    return answer


def body_of(answer: Any) -> str:
    match = re.search(r"<body dir=\"auto\">(.*)</body></html>$", answer.text, re.DOTALL)
    assert match is not None
    return match[1]


def note(html: str, *attachments: AttachmentRef) -> Note:
    return Note(1, NoteKind.INBOUND, Address("", ""), NOON, Body("", "", html, attachments))


def picture(place: int, size: int) -> AttachmentRef:
    return AttachmentRef(f"x-{place}", f"{place}.png", "image/png", size, "0" * 64, f"{place}@x", True)


def test_the_document_is_sent_with_a_policy_under_which_nothing_runs(house: House) -> None:
    house.deliver(html="<p>Hello <b>there</b><script>alert(1)</script>")
    answer = page(house)
    policy = dict(part.strip().partition(" ")[::2] for part in answer.headers["content-security-policy"].split(";"))
    assert policy.pop("style-src").startswith("'sha256-")
    assert policy == {
        "default-src": "'none'",
        "img-src": "data:",
        "form-action": "'none'",
        "base-uri": "'none'",
        "frame-ancestors": "'self'",
        "sandbox": "allow-popups allow-popups-to-escape-sandbox",
    }
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["cache-control"] == "no-store"
    assert body_of(answer) == "<p>Hello <b>there</b></p>"


def test_the_hash_is_that_of_our_style_and_no_other_style_is_there(house: House) -> None:
    import hashlib

    house.deliver(html="<style>body{background:url(https://x.example)}</style><p style='color:red'>a")
    answer = page(house)
    (style,) = re.findall(r"<style>(.*?)</style>", answer.text, re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    assert f"'sha256-{digest}'" in answer.headers["content-security-policy"]
    assert "url(" not in answer.text
    assert "style=" not in answer.text


@pytest.mark.parametrize("source", _VECTORS)
def test_nothing_that_can_run_is_in_the_document(source: str) -> None:
    shown = document(note(source), lambda one: None, "token", True).html
    assert shown.count("<style>") == shown.count("<body") == 1
    inner = shown[shown.index("<body") :]
    for tag in re.findall(r"<[^>]*>", inner):
        assert not re.search(
            r"<(?:script|iframe|object|embed|svg|math|form|style|link|meta|base)\b|\son\w+\s*=", tag, re.I
        )
        assert not re.search(r"javascript:|vbscript:", tag, re.I)


@pytest.mark.parametrize("href", _HREFS)
def test_no_link_of_the_document_leads_where_it_must_not(href: str) -> None:
    assert "href=" not in document(note(f'<a href="{href}">x</a>'), lambda one: None, "token", False).html


def test_a_note_without_html_has_no_such_document(house: House) -> None:
    house.deliver()
    for seq in ("1", "2", "0", "x", "9" * 30):
        assert house.client().get(f"/api/incidents/1/notes/{seq}/html").status_code == 404


# ── the mail's own images ─────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("type_", IMAGES)
def test_images_of_the_mail_stand_in_the_document(house: House, type_: str) -> None:
    house.deliver(html="<img src='cid:a@mail' alt=A>", files=(("a", "text/html", IMAGES[type_]),), inline=True)
    data = base64.b64encode(IMAGES[type_]).decode()
    assert body_of(page(house)) == f'<img src="data:{type_};base64,{data}" alt="A">'


@pytest.mark.parametrize("content", NO_IMAGES)
@pytest.mark.parametrize("type_", ["image/svg+xml", "image/png", "text/html"])
def test_what_is_no_drawn_image_is_not_shown_whatever_it_calls_itself(house: House, content: bytes, type_: str) -> None:
    house.deliver(html="<img src='cid:a@mail' alt=A>", files=(("a", type_, content),), inline=True)
    assert body_of(page(house)) == '<img alt="A">'
    id = house.client().get("/api/incidents/1").json()["notes"][0]["attachments"][0]["id"]
    assert house.client().get(f"/api/incidents/1/images/{id}").status_code == 404
    assert image_type(content) is None


def test_an_image_of_another_mail_is_not_shown(house: House) -> None:
    house.deliver(files=(("secret", "image/png", PNG),), inline=True)
    house.deliver(html="<img src='cid:secret@mail' alt=A><img src=/api/incidents/1/images/x-0 alt=B>")
    assert body_of(page(house, 2)) == '<img alt="A"><img alt="B">'


def test_an_image_that_is_shown_again_and_again_ends_somewhere() -> None:
    size = MAX_IMAGE_BYTES // 3
    asked = []

    def content(reference: AttachmentRef) -> bytes:
        asked.append(reference.id)
        return PNG

    shown = document(note("<img src=cid:0@x>" * 100, picture(0, size)), content, "token", False).html
    assert shown.count('<img src="data:') == 3
    assert shown.count("<img") == 100
    assert asked == ["x-0"]


def test_an_image_that_is_too_large_is_not_even_read() -> None:
    asked: list[str] = []

    def content(reference: AttachmentRef) -> bytes:
        asked.append(reference.id)
        return PNG

    large = picture(0, MAX_IMAGE_BYTES + 1)
    shown = document(note("<img src=cid:0@x alt=A><img src=cid:1@x>", large, picture(1, 5)), content, "t", False).html
    assert asked == ["x-1"]
    assert '<img alt="A">' in shown


def test_a_sender_cannot_write_the_place_of_an_image() -> None:
    source = '&lt;img src="/token/0"&gt;<img src="/token/0" alt=A><a href="https://x.example" title="/token/0">a</a>'
    shown = document(note(source, picture(0, 5)), lambda one: PNG, "token", False).html
    assert "data:" not in shown


def test_an_image_is_shown_by_itself_with_its_true_type(house: House) -> None:
    house.deliver(files=tuple((f"{n}.html", "text/html", IMAGES[type_]) for n, type_ in enumerate(IMAGES)))
    for file, type_ in zip(
        house.client().get("/api/incidents/1").json()["notes"][0]["attachments"], IMAGES, strict=True
    ):
        answer = house.client("agent").get(f"/api/incidents/1/images/{file['id']}")
        assert (answer.status_code, answer.headers["content-type"]) == (200, type_)
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert "sandbox" in answer.headers["content-security-policy"]
        assert answer.headers["cache-control"] == "private, max-age=43200"


# ── images from elsewhere ─────────────────────────────────────────────────────────────────────────────────────────────


def test_images_from_elsewhere_wait_to_be_asked_for(house: House) -> None:
    house.deliver(html='<img src="https://x.example/a.png"><img src="HTTP://x.example/b.png" width=5>')
    waiting = page(house)
    assert " src=" not in body_of(waiting)
    assert "https:" not in waiting.headers["content-security-policy"]
    shown = page(house, query="?images=1")
    assert body_of(shown) == '<img src="https://x.example/a.png"><img src="https://x.example/b.png" width="5">'
    assert "img-src data: https:;" in shown.headers["content-security-policy"]
    assert "script-src" not in shown.headers["content-security-policy"]


def test_text_that_looks_like_a_waiting_image_stays_text(house: House) -> None:
    house.deliver(html='&lt;img data-src="https://x.example/a.png"&gt;')
    assert "<img" not in body_of(page(house, query="?images=1"))


# ── where links lead ──────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("href", "text", "host"),
    [
        ("https://evil.example/login", "https://bank.example/login", "evil.example"),
        ("https://evil.example", "bank.example", "evil.example"),
        ("https://bank.example@evil.example/", "https://bank.example", "evil.example"),
        ("https://bank.example:pass@evil.example:443/", "bank.example", "evil.example"),
        ("https://evil.example/", "evil.example.bank.example", "evil.example"),
        ("https://evil.example/", "Click <b>here</b>", "evil.example"),
        ("https://evil.example/", "<img src=cid:0@x>", "evil.example"),
        ("https://EVIL.example/", "bank.example", "evil.example"),
        ("https://аррӏе.com/", "apple.com", "xn--80ak6aa92e.com"),
    ],
)
def test_a_link_says_where_it_leads(href: str, text: str, host: str) -> None:
    shown = document(note(f'<a href="{href}">{text}</a>'), lambda one: None, "token", False).html
    assert f"</a><small> [{host}]</small>" in shown


@pytest.mark.parametrize(
    ("href", "text"),
    [
        ("https://x.example/a", "https://x.example/a"),
        ("https://x.example/a?b", "x.example"),
        ("https://X.example", " HTTPS://x.example/#top "),
        ("mailto:a@x.example", "write to us"),
    ],
)
def test_a_link_whose_text_says_it_already_is_left_alone(href: str, text: str) -> None:
    assert "<small>" not in document(note(f'<a href="{href}">{text}</a>'), lambda one: None, "token", False).html


@pytest.mark.parametrize(
    "piece",
    [
        '<a href="https://x.example">',
        "<a href=https://x.example>x</a>",
        "<img src=cid:0@x>",
        "</a>",
        "<img data-src=https:",
    ],
)
def test_a_megabyte_of_links_and_images_is_one_pass(piece: str) -> None:
    """Twice as much takes no more than a few times as long."""
    count = 100_000 // len(piece)

    def show(times: int) -> object:
        return document(note(piece * times * count, picture(0, 5)), lambda one: PNG, "token", True)

    assert growth(lambda: show(1), lambda: show(16), at_least=0.02) < 64  # quadratic work would take 256 times


def test_a_mail_comes_all_the_way_to_its_document(house: House) -> None:
    house.mailbox()
    raw = mail(text="Hi", content_language="en").replace(b"Content-Type: text/plain", b"Content-Type: text/html")
    raw = raw.replace(b"Hi", b"<p>Hi <a href='https://x.example'>you</a>")
    house.receive(raw)
    assert "<p>Hi <a href=" in body_of(page(house))
