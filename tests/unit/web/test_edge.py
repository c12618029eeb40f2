"""What holds for every answer: headers, the size limit, and silence about our own faults."""

from __future__ import annotations

import asyncio
import json
import logging
from dataclasses import replace
from typing import Any

import azure.functions as func
import pytest
from starlette.testclient import TestClient

from shared.errors import RowChanged, StoreUnavailable, Throttled, TooLarge
from shared.web.app import build
from shared.web.edge import MAX_BODY_BYTES, MAX_NOTE_BYTES, PAGE_POLICY
from tests.unit.web.house import SETTINGS, House

PATHS = [
    "/",
    "/mail",
    "/incidents/1",
    "/sign-in",
    "/nope",
    "/api/incidents",
    "/api/nope",
    "/api/health",
    "/api/openapi.json",
]


@pytest.mark.parametrize("path", PATHS)
def test_every_answer_has_the_headers_that_keep_browsers_safe(house: House, path: str) -> None:
    house.deliver()
    headers = house.browser().get(path).headers
    is_page = headers["content-type"].startswith("text/html")
    assert headers["content-security-policy"] == (
        PAGE_POLICY if is_page else "default-src 'none'; frame-ancestors 'none'; sandbox"
    )
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "same-origin"
    assert headers["cross-origin-opener-policy"] == "same-origin"
    assert headers["cross-origin-resource-policy"] == "same-origin"
    assert headers["cache-control"] == "no-store"
    assert "strict-transport-security" not in headers
    assert is_page == (not path.startswith("/api/"))


def test_the_policy_of_pages_allows_nothing_inline_and_nothing_foreign() -> None:
    assert "unsafe" not in PAGE_POLICY
    assert "http" not in PAGE_POLICY
    for directive in ("default-src 'none'", "base-uri 'none'", "frame-ancestors 'none'", "form-action 'self'"):
        assert directive in PAGE_POLICY


def test_over_https_browsers_are_told_to_stay_there(house: House) -> None:
    for headers in ({"X-Forwarded-Proto": "https"}, {"X-Forwarded-Proto": "https, http"}):
        answer = house.client(None).get("/sign-in", headers=headers)
        assert answer.headers["strict-transport-security"] == "max-age=31536000"
    direct = TestClient(house.web, base_url="https://inbound.test").get("/sign-in")
    assert "strict-transport-security" in direct.headers


def test_a_body_of_a_megabyte_is_read_and_one_byte_more_is_not(house: House) -> None:
    client = house.client()
    headers = {"Content-Type": "application/json"}
    fits = client.put("/api/mailboxes/support", content=b" " * MAX_BODY_BYTES, headers=headers)
    assert fits.status_code == 400
    larger = client.put("/api/mailboxes/support", content=b" " * (MAX_BODY_BYTES + 1), headers=headers)
    assert larger.status_code == 413
    assert larger.headers["content-type"] == "application/problem+json"
    assert larger.headers["x-content-type-options"] == "nosniff"


def test_only_an_answer_may_bring_files(house: House) -> None:
    house.deliver()
    client, headers = house.client(), {"Content-Type": "application/json"}
    fits = b" " * MAX_NOTE_BYTES
    assert client.post("/api/incidents/1/notes", content=fits, headers=headers).status_code == 400
    larger = client.post("/api/incidents/1/notes", content=fits + b" ", headers=headers)
    assert larger.status_code == 413
    assert "31 MB" in larger.json()["detail"]
    for method, path in (("PUT", "/api/incidents/1/notes"), ("POST", "/api/incidents/1/notes/2/send-again")):
        assert client.request(method, path, content=b" " * (MAX_BODY_BYTES + 1)).status_code == 413


def test_a_body_that_does_not_say_how_long_it_is_is_limited_as_well(house: House) -> None:
    """Asked of the ASGI app itself: it must stop reading, not only refuse in the end."""
    read, sent = 0, []

    async def receive() -> Any:
        nonlocal read
        read += 1
        return {"type": "http.request", "body": b" " * 65536, "more_body": True}

    async def send(message: Any) -> None:
        sent.append(message)

    scope = {"type": "http", "method": "PUT", "path": "/api/mailboxes/a", "headers": [], "query_string": b""}
    asyncio.run(house.web(scope, receive, send))
    assert sent[0]["status"] == 413
    assert read == MAX_BODY_BYTES // 65536 + 1


class _Broken:
    """A desk whose every method fails."""

    def __init__(self, error: Exception) -> None:
        self._error = error

    def __getattr__(self, name: str) -> Any:
        def fail(*_: object) -> Any:
            raise self._error

        return fail


def _get(house: House, error: Exception, path: str = "/api/incidents") -> Any:
    broken: Any = _Broken(error)
    web = build(replace(house.app, desk=broken), "")
    key = house.keys["acme", "admin"]
    # Headers of both kinds: a page is asked for with a key as well.
    return TestClient(web, headers={"Authorization": f"Bearer {key}"}).get(path)


def test_a_fault_of_ours_tells_the_caller_nothing_and_the_log_where_it_was(
    house: House, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.DEBUG):
        answer = _get(house, KeyError("subject of a mail"))
    assert answer.status_code == 500
    assert answer.headers["content-type"] == "application/problem+json"
    assert "subject of a mail" not in answer.text + caplog.text
    assert "KeyError" not in answer.text
    (event,) = [json.loads(record.message) for record in caplog.records if record.name == "inbound"]
    assert event["event"] == "http_failed"
    assert event["error"] == "KeyError"
    assert event["code"].startswith("test_edge.py:")


def test_a_fault_of_ours_behind_a_page_answers_with_a_page(house: House) -> None:
    answer = _get(house, KeyError("x"), "/")
    assert answer.status_code == 500
    assert "Something went wrong on our side." in answer.text
    assert answer.headers["content-security-policy"] == PAGE_POLICY


@pytest.mark.parametrize(
    ("error", "status", "code"),
    [
        (StoreUnavailable("Table storage: HttpResponseError 503"), 503, "store_unavailable"),
        (RowChanged("A row is there already."), 409, "conflict"),
        (TooLarge("101 operations"), 500, "our_fault"),
        (Throttled("Slow down.", retry_after=7.4), 502, "throttled"),
    ],
)
def test_trouble_of_storage_and_servers_is_told_in_words_for_tenants(
    house: House, error: Exception, status: int, code: str
) -> None:
    answer = _get(house, error)
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert "HttpResponseError" not in answer.text
    assert answer.headers.get("retry-after") == {503: "5", 502: "7"}.get(status)


@pytest.mark.parametrize("name", ["style.css", "page.js", "keys.js", "icon.svg"])
def test_static_files_are_kept_for_ever_under_the_hash_of_their_content(house: House, name: str) -> None:
    from shared.web.pages import static

    assert static.address(name) in house.client(None).get("/sign-in").text
    answer = house.client(None).get(static.address(name))
    assert answer.status_code == 200
    assert answer.headers["cache-control"] == "public, max-age=31536000, immutable"
    assert answer.headers["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize("name", ["style.css", "..%2Fapp.py", "nope"])
def test_other_static_files_are_not_there(house: House, name: str) -> None:
    assert house.client(None).get(f"/static/{name}").status_code == 404


@pytest.mark.parametrize("path", [*PATHS, "/api/openapi.json", "/api/mailboxes/nope", "/static/nope"])
def test_head_answers_like_get_without_the_body(house: House, path: str) -> None:
    house.deliver()
    browser = house.browser()
    whole, head = browser.get(path), browser.head(path)
    assert whole.content
    assert head.content == b""
    assert (head.status_code, dict(head.headers)) == (whole.status_code, dict(whole.headers))


def test_head_needs_a_key_as_get_does_and_is_no_way_around_other_methods(house: House) -> None:
    assert house.client(None).head("/api/incidents").status_code == 401
    house.mailbox()
    assert house.client().head("/api/mailboxes/support/poll").status_code == 405
    assert house.client().head("/api/mail/x/release").status_code == 405


def test_azures_middleware_carries_everything_through(house: House) -> None:
    """What the HTTP functions do with it: no lifespan, one body, lower-cased headers."""
    key = house.keys["acme", "admin"]

    middleware = func.AsgiMiddleware(house.web)  # type: ignore[no-untyped-call]

    def call(method: str, path: str, headers: dict[str, str], body: bytes = b"") -> func.HttpResponse:
        request = func.HttpRequest(method=method, url=f"https://inbound.test{path}", headers=headers, body=body)
        answer: func.HttpResponse = asyncio.run(middleware.handle_async(request))
        return answer

    form = {"content-type": "application/x-www-form-urlencoded", "sec-fetch-site": "same-origin"}
    signed_in = call("POST", "/sign-in", form, f"key={key}".encode())
    assert signed_in.status_code == 303
    cookie = signed_in.headers["set-cookie"].partition(";")[0]
    assert cookie.startswith("__Host-session=")
    assert (
        call("GET", "/api/incidents?limit=1", {"cookie": cookie}).get_body()
        == b'{"items":[],"next":null,"searched":null}'
    )
    saved = call(
        "PUT",
        "/api/mailboxes/support",
        {"authorization": f"Bearer {key}", "content-type": "application/json"},
        json.dumps(SETTINGS | {"password": "secret-7"}).encode(),
    )
    assert saved.status_code == 201
    assert call("GET", "/api/nope", {}).headers["content-type"] == "application/problem+json"
    head = call("HEAD", "/api/incidents?limit=1", {"cookie": cookie})
    assert (head.status_code, head.get_body(), head.headers["content-length"]) == (200, b"", "40")
