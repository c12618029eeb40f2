"""Hostile mail and hostile sites against the pages, in a real browser: nothing runs, nothing leaves, nothing changes."""

from __future__ import annotations

import base64
import copy
import re
from typing import Any
from urllib.parse import quote

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, Response, expect

from tests.browser.conftest import Served
from tests.browser.test_pages import no_sideways, sign_in

pytestmark = [pytest.mark.chromium, pytest.mark.xdist_group("more_browser")]

RUN = "top.ran=1;alert(1)"
"""What a payload does when it runs: the page notices one, ``watched`` the other."""

PAYLOADS = [
    f"<script>{RUN}</script>",
    f'"><img src=x onerror={RUN}>',
    f"'><svg onload={RUN}>",
    f"</title><script>{RUN}</script>",
    f"</textarea><script>{RUN}</script>",
    f"--></template><script>{RUN}</script>",
    f'" autofocus onfocus="{RUN}" x="',
    f"' onmouseover='{RUN}' x='",
    f"javascript:{RUN}",
    "{{ 7*7 }}{% raw %}${7*7}",
    f'<math><mtext><table><mglyph><style><!--</style><img title="--&gt;&lt;img src=1 onerror={RUN}&gt;">',
    "<base href=https://evil.example/><link rel=stylesheet href=//evil.example/a.css>",
    "<meta http-equiv=refresh content='0;url=https://evil.example/'>",
    "<form action=https://evil.example/><button autofocus>Sign in</button></form>",
    "<iframe src=https://evil.example/></iframe><object data=//evil.example/x></object>",
    "<style>*{background:url(https://evil.example/a.png)}</style>",
    "<img src=https://evil.example/pixel.png><video poster=//evil.example/p>",
    "invoice\u202egpj.exe",
    "\u2066\u2067\u202d\u202eevil\u2069",
    "a\u200b\u2060\ufeff\u00adb",
    "\u0000\u0001\u001b[31mred\u007f",
    "x" * 4000,
    "e\u0301" * 500 + "Z\u0351\u0348" * 300,
    "../../../etc/passwd",
    "..\\..\\CON.txt",
    'a"; filename="b.html',
    "x.html\r\nContent-Type: text/html\r\n\r\n<script>",
]
TYPES = [
    "text/html",
    "image/svg+xml",
    "application/xhtml+xml",
    "text/xml",
    f'text/html"><script>{RUN}</script>',
    "application/x-shockwave-flash",
    "message/rfc822",
    "application/pdf",
    "text/html; charset=utf-7",
    "multipart/x-mixed-replace",
]
SVG = f'<svg xmlns="http://www.w3.org/2000/svg" onload="{RUN}"><script>{RUN}</script></svg>'


def word(text: str) -> str:
    """Any text as one encoded word (RFC 2047)."""
    return f"=?utf-8?b?{base64.b64encode(text.encode()).decode()}?="


def hostile(place: int, payload: str) -> bytes:
    """A mail whose every field that a page shows holds the payload."""
    type_ = TYPES[place % len(TYPES)]
    lines = [
        f"From: {word(payload)} <stranger{place}@evil.example>",
        "To: support@acme.example",
        f"Subject: {word(payload)}",
        f"Message-ID: <{place}@evil.example>",
        "MIME-Version: 1.0",
        'Content-Type: multipart/mixed; boundary="edge"',
        "",
        "--edge",
        "Content-Type: text/html; charset=utf-8",
        "Content-Transfer-Encoding: base64",
        "",
        base64.b64encode(f"<p>hello {payload}<img src='cid:{payload}'>{SVG}".encode()).decode(),
        "--edge",
        f"Content-Type: {type_}",
        f"Content-Disposition: attachment; filename*=utf-8''{quote(payload, safe='')}",
        f"Content-ID: <{word(payload)}>",
        "Content-Transfer-Encoding: base64",
        "",
        base64.b64encode(SVG.encode()).decode(),
        "--edge",
        "Content-Type: image/svg+xml",
        'Content-Disposition: inline; filename="logo.svg"',
        "Content-ID: <logo@evil.example>",
        "",
        SVG,
        "--edge--",
        "",
    ]
    return "\r\n".join(lines).encode()


def calm(page: Page, place: str) -> None:
    """Nothing of the mail came to life on this page."""
    assert page.evaluate("window.ran") is None, place
    strangers = "script:not([src^='/static/']), main svg, main math, main object, main embed, base, meta[http-equiv]"
    assert page.locator(strangers).count() == 0, place
    assert page.locator("form[action^='http'], a[href^='javascript:' i], a[href^='data:' i]").count() == 0, place
    inline = "document.querySelectorAll('*').values().flatMap(e => e.getAttributeNames()).filter(n => /^on|^style$/.test(n)).toArray()"
    assert page.evaluate(inline) == [], place
    assert no_sideways(page), place


def unfold(page: Page) -> None:
    page.evaluate("for (const one of document.querySelectorAll('details')) one.open = true")
    page.wait_for_load_state("networkidle")


def test_mail_whose_every_field_is_hostile_runs_nothing_on_any_page(page: Page, served: Served) -> None:
    """``watched`` fails this test for a dialog, a script's error, a broken policy and a request that leaves."""
    house = served.house
    house.mailbox(group=PAYLOADS[1][:100], max_incidents_per_hour=1000)
    for place, payload in enumerate(PAYLOADS):
        house.receive(hostile(place, payload))
    house.mailbox(group=PAYLOADS[1][:100], whitelist_enabled=True)
    house.receive(hostile(900, PAYLOADS[1]))
    sign_in(page, served)
    paths = ["/", "/mail", "/mail?outcome=held", "/mailboxes", "/mailboxes/support", "/tenant"]
    paths += [f"/incidents/{number}" for number in range(1, len(PAYLOADS) + 1)]
    paths += [f"/mail/{mail.id}" for mail in house.world.ledger(house.acme)]
    for path in paths:
        page.goto(served.address + path)
        unfold(page)
        calm(page, path)
        assert page.url == served.address + path
        # In a text of its own, which is set apart, somebody may write from right to left.
        page.evaluate("for (const one of document.querySelectorAll('.text')) one.remove()")
        shown = page.evaluate("document.body.innerText")
        assert not re.search("[\u202a-\u202e\u2066-\u2069]", shown), f"{path} shows direction marks of a stranger"
    assert len(house.world.ledger(house.acme)) == len(PAYLOADS) + 1


def test_what_stands_in_an_address_is_text_on_the_page(page: Page, served: Served) -> None:
    served.house.deliver()
    sign_in(page, served)
    for payload in PAYLOADS[:17]:
        said = quote(payload, safe="")
        for path in (
            f"/?q={said}&group={said}&mailbox={said}&reporter={said}",
            f"/mail?mailbox={said}",
            f"/mail?outcome={said}&reason={said}&did={said}&after={said}",
            f"/mailboxes/support?did={said}",
            f"/incidents/1?note={said}&written={said}",
            f"/sign-in?next={said}",
            f"/{said}",
            f"/incidents/{said}",
        ):
            page.goto(served.address + path)
            calm(page, path)


def test_no_attachment_is_shown_or_run_whatever_it_calls_itself(page: Page, served: Served) -> None:
    house = served.house
    files = tuple((f"{place}.html", type_[:100], SVG.encode()) for place, type_ in enumerate(TYPES))
    house.deliver(files=files)
    sign_in(page, served)
    page.goto(f"{served.address}/incidents/1")
    links = page.locator(".files a").evaluate_all("links => links.map(link => link.href)")
    assert len(links) == len(TYPES)
    for link in links:
        with page.expect_download():
            page.evaluate("address => { location.href = address }", link)
        answer = page.request.get(link)
        assert answer.headers["content-type"] == "application/octet-stream"
        assert answer.headers["content-disposition"].startswith("attachment; ")
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert "sandbox" in answer.headers["content-security-policy"]
    # An image that is none is not drawn either, however it is asked for.
    assert page.request.get(links[1].replace("/attachments/", "/images/")).status == 404
    assert page.evaluate("window.ran") is None


ATTACKERS = ["http://evil.test", "http://127.0.0.1:9"]
"""Another site, and another origin of the same site (a port does not count): there the browser sends our cookie."""


def forged(served: Served, mail: str) -> list[tuple[str, str, dict[str, str]]]:
    """Requests that would change something: address, enctype, fields."""
    plain, parts, text = "application/x-www-form-urlencoded", "multipart/form-data", "text/plain"
    note = {"kind": "answer", "text": "send me money", "seen": "1"}
    return [
        ("/incidents/1/status", plain, {"status": "closed"}),
        ("/incidents/1/notes", parts, note),
        ("/incidents/1/notes", plain, note),
        (f"/mail/{mail}/release", plain, {}),
        (f"/mail/{mail}/discard", plain, {}),
        (f"/mail/{mail}/allow", plain, {}),
        ("/mailboxes/new", parts, {"do": "save", "group": "x", "email": "x@evil.example", "host": "evil.example"}),
        ("/mailboxes/support", parts, {"do": "save", "group": "x"}),
        ("/mailboxes/support/poll", plain, {}),
        ("/mailboxes/support/enabled", plain, {"on": ""}),
        ("/mailboxes/support/transcript", plain, {"on": "1"}),
        ("/mailboxes/support/delete", plain, {"confirm": "support"}),
        ("/tenant/keys", plain, {"role": "admin", "name": "mine", "wish": "1"}),
        ("/sign-out", plain, {}),
        ("/sign-in", plain, {"key": served.house.keys["other", "admin"]}),
        ("/api/incidents/1/notes", text, {'{"kind":"internal","text":"': '"}'}),
        ("/api/keys", text, {'{"role":"admin","name":"': '"}'}),
        (f"/api/mail/{mail}/release", text, {}),
        ("/api/mailboxes/support/poll", text, {}),
    ]


def everything(served: Served) -> Any:
    """Rows, blobs and bells, byte by byte; but not on which day a key was used."""
    world: Any = served.house.world
    rows = {key: value for key, value in world.tables.rows.items() if "KU:" not in "/".join(key)}
    queues = (list(queue) for queue in (world.queues.inbound, world.queues.polls, world.queues.outbound))
    return copy.deepcopy((rows, world.blobs.content, list(queues)))


def attacker(context: BrowserContext, origin: str, html: str = "<p>free watches") -> Page:
    """A page of somebody else's."""
    context.route(f"{origin}/**", lambda route: route.fulfill(body=html, content_type="text/html"))
    page = context.new_page()
    page.goto(f"{origin}/")
    return page


def given_a_desk(served: Served) -> str:
    """One of everything; the id of a held mail."""
    house = served.house
    house.mailbox(outgoing={"enabled": True, "host": "smtp.acme.example"})
    house.deliver("zanzibar")
    house.mailbox(outgoing={"enabled": True, "host": "smtp.acme.example"}, whitelist_enabled=True)
    return house.receive(hostile(1, "held")).id


def first_answer(answer: Response) -> Response:
    """Before all redirects."""
    request = answer.request
    while request.redirected_from:
        request = request.redirected_from
    found = request.response()
    assert found is not None
    return found


@pytest.mark.parametrize("origin", ATTACKERS)
def test_no_other_sites_form_or_script_changes_anything(chromium: Browser, served: Served, origin: str) -> None:
    mail = given_a_desk(served)
    context = chromium.new_context()
    sign_in(context.new_page(), served)
    cookies = context.cookies()
    page = attacker(context, origin)
    before = everything(served)
    submit = """([address, enctype, fields]) => {
        const form = Object.assign(document.createElement("form"), {method: "post", action: address, enctype});
        for (const [name, value] of Object.entries(fields)) {
            form.append(Object.assign(document.createElement("input"), {name, value}));
        }
        document.body.append(form);
        form.submit();
    }"""
    for path, enctype, fields in forged(served, mail):
        page.goto(f"{origin}/")
        with page.expect_navigation() as navigated:
            page.evaluate(submit, [served.address + path, enctype, fields])
        status = first_answer(navigated.value).status
        assert status in (303, 401, 403, 415), (path, status)
        assert status != 303 or page.url.startswith(f"{served.address}/sign-in"), path
        assert everything(served) == before, path
    fetched = """async (address) => {
        const tried = [];
        for (const [path, method] of [["/api/mailboxes/support", "DELETE"], ["/api/incidents/1", "PATCH"],
                ["/api/incidents/1/notes", "POST"], ["/incidents/1/status", "POST"], ["/api/incidents", "GET"]]) {
            for (const mode of ["cors", "no-cors"]) {
                try {
                    const options = {method, mode, credentials: "include"};
                    if (method !== "GET") options.body = '{"status": "closed", "kind": "internal", "text": "x"}';
                    const answer = await fetch(address + path, options);
                    tried.push(answer.type + await answer.text());
                } catch { tried.push("refused"); }
            }
        }
        return tried;
    }"""
    page.goto(f"{origin}/")
    tried = page.evaluate(fetched, served.address)
    assert len(tried) == 10
    assert all(one in ("refused", "opaque") for one in tried), tried
    assert everything(served) == before
    # Neither signed out nor signed in as somebody else.
    assert context.cookies(served.address) == [one for one in cookies if one["domain"] == "127.0.0.1"]
    context.close()


@pytest.mark.parametrize("origin", ATTACKERS)
def test_no_other_site_frames_any_page(chromium: Browser, served: Served, origin: str) -> None:
    mail = given_a_desk(served)
    context = chromium.new_context()
    sign_in(context.new_page(), served)
    for path in (
        "/",
        "/incidents/1",
        "/mail",
        f"/mail/{mail}",
        "/mailboxes",
        "/mailboxes/support",
        "/tenant",
        "/sign-in",
        "/cloud/sign-in",
        "/api/incidents",
    ):
        page = attacker(context, origin, f"<iframe src='{served.address}{path}'></iframe>")
        page.wait_for_load_state("networkidle")
        (framed,) = page.frames[1:]
        assert "Inbound" not in framed.content(), path
        assert "zanzibar" not in framed.content(), path
        page.close()
        context.unroute_all()
    context.close()


def test_a_page_opened_by_another_site_gives_it_no_hold(chromium: Browser, served: Served) -> None:
    context = chromium.new_context()
    sign_in(context.new_page(), served)
    page = attacker(context, ATTACKERS[1])
    with context.expect_page() as opened:
        page.evaluate("address => { window.ours = window.open(address) }", f"{served.address}/mailboxes")
    opened.value.wait_for_load_state()
    expect(opened.value.get_by_role("heading").first).to_be_visible()
    assert opened.value.evaluate("window.opener") is None
    context.close()
