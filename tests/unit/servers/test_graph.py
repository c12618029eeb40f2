"""The parts of the Graph door that need no server: cursor, links, headers, words."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from email.utils import format_datetime
from urllib.parse import parse_qsl

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.servers import https
from shared.servers.graph_folders import query, segment
from shared.servers.graph_head import head_block
from shared.servers.graph_http import GraphHttp
from shared.servers.graph_state import MAX_CURSOR, RECENT, Again, GraphState, digest, moment, written
from shared.servers.token import Cloud

GRAPH = GraphHttp(Cloud.of("global"), lambda force: "token", lambda: datetime.now(UTC))


# ── where the token may go ────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    "link",
    [
        "https://graph.microsoft.com/v1.0/users/a@b.example/mailFolders('AAMk=')/messages/delta?$deltatoken=x%2F..",
        "https://graph.microsoft.com/v1.0/me/messages?$skip=10",
        "https://GRAPH.microsoft.com/v1.0/users/x",
    ],
)
def test_graphs_own_links_are_followed(link: str) -> None:
    assert GRAPH.is_own(link)


@pytest.mark.parametrize(
    "link",
    [
        "",
        "/v1.0/users/x",
        "//graph.microsoft.com/v1.0/users/x",
        "http://graph.microsoft.com/v1.0/users/x",
        "https://graph.microsoft.com.evil.example/v1.0/users/x",
        "https://evil.example/v1.0/users/x",
        "https://evil.example/https://graph.microsoft.com/v1.0/users/x",
        "https://graph.microsoft.com@evil.example/v1.0/users/x",
        "https://user:pass@graph.microsoft.com/v1.0/users/x",
        "https://graph.microsoft.com:8443/v1.0/users/x",
        "https://graph.microsoft.com/beta/users/x",
        "https://graph.microsoft.com/v1.0evil/users/x",
        "https://graph.microsoft.com/v1.0/../beta/users/x",
        "https://graph.microsoft.com/v1.0/%2e%2e/beta/users/x",
        "https://graph.microsoft.com/v1.0/users/..%2f..%2fbeta",
        "https://graph.microsoft.com\\@evil.example/v1.0/users/x",
        "https://evil.example\\@graph.microsoft.com/v1.0/users/x",
        "https://graph.microsoft.us/v1.0/users/x",
        "javascript://graph.microsoft.com/v1.0/users/x",
    ],
)
def test_a_link_to_anywhere_else_is_not(link: str) -> None:
    assert not GRAPH.is_own(link)


@pytest.mark.parametrize("text", ["Müller & Söhne", "a/b?c#d", "100%", "O''Neil", "x=y,z", "+ plus", "$filter"])
def test_whatever_a_folder_is_called_stays_one_value(text: str) -> None:
    options = query(filter=f"displayName eq '{text}'", select="id")
    assert dict(parse_qsl(options)) == {"$filter": f"displayName eq '{text}'", "$select": "id"}
    assert "/" not in segment(text)
    assert "?" not in segment(text)
    assert "#" not in segment(text)


def test_an_address_stays_readable_in_a_path() -> None:
    assert segment("support@example.com") == "support@example.com"
    assert segment("a_b#EXT#@example.com") == "a_b%23EXT%23@example.com"


# ── the cursor ────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_cursor_reads_as_it_was_written() -> None:
    state = GraphState(
        floor="2026-01-01T00:00:00Z",
        link="https://graph.microsoft.com/x",
        backlog="2026-01-02T00:00:00Z",
        folder="AAMk=",
        over=True,
        last="2026-02-01T00:00:00Z",
        again={"AAk=": Again(2, "2026-01-03T00:00:00Z", 7)},
        todo=["AAl="],
    )
    state.note_settled("AAm=", "2026-03-01T00:00:00Z")
    read = GraphState.read(state.write())
    assert read == state
    assert read.is_settled("AAm=")
    assert not read.is_settled("AAM=")
    assert read.last == "2026-03-01T00:00:00Z"


def test_an_empty_cursor_is_a_first_connection() -> None:
    assert GraphState.read("") == GraphState()


def test_a_cursor_fits_its_row_whatever_it_holds() -> None:
    id = "A" * 160
    state = GraphState(link="x" * 3000, walk="y" * 3000)
    state.again = {f"{id}{number}": Again(4, "2026-01-01T00:00:00Z") for number in range(40)}
    state.todo = [f"{id}{number}" for number in range(75)]
    for number in range(5000):
        state.note_settled(f"{id}{number}", "2026-01-01T00:00:00Z")
    cursor = state.write()
    assert len(cursor) <= MAX_CURSOR
    read = GraphState.read(cursor)
    assert (read.again, read.todo) == (state.again, state.todo)
    # The newest digests stay; and that older ones are missing is known.
    assert read.is_settled(f"{id}4999")
    assert not read.is_settled(f"{id}0")
    assert read.lapped


def test_within_a_round_nothing_is_forgotten_and_after_it_only_the_oldest() -> None:
    state = GraphState(lapped=True, over=True)
    for number in range(RECENT + 100):
        state.note_settled(f"id {number}", "2026-01-01T00:00:00Z")
    assert state.is_settled("id 0")
    state.end_round()
    assert (state.lapped, state.over) == (False, False)
    assert not state.is_settled("id 99")
    assert state.is_settled("id 100")


@given(st.text(min_size=1), st.text(min_size=1))
def test_digests_tell_ids_apart(one: str, other: str) -> None:
    assert (digest(one) == digest(other)) == (one == other)
    assert len(digest(one)) == 12


def test_times_are_written_as_graph_reads_them() -> None:
    berlin = datetime(2026, 11, 16, 10, 0, 0, 999_999, tzinfo=timezone(timedelta(hours=1)))
    assert written(berlin) == "2026-11-16T09:00:00Z"
    assert moment("2026-11-16T09:00:00Z") == moment("2026-11-16T09:00:00.0000000Z") == berlin.replace(microsecond=0)
    assert moment("2026-11-16T09:00:00").tzinfo is UTC


# ── headers of what is too large ──────────────────────────────────────────────────────────────────────────────────


def test_headers_come_as_they_are_in_their_order() -> None:
    headers = [
        {"name": "Received", "value": "one"},
        {"name": "Received", "value": "two"},
        {"name": "Subject", "value": "Grüße"},
    ]
    assert (
        head_block({"internetMessageHeaders": headers})
        == "Received: one\r\nReceived: two\r\nSubject: Grüße\r\n\r\n".encode()
    )


@given(st.text(), st.text())
def test_no_header_can_make_another(name: str, value: str) -> None:
    block = head_block({"internetMessageHeaders": [{"name": name, "value": value}, {"name": "X-End", "value": "1"}]})
    assert block.endswith(b"\r\n\r\n")
    lines = block.decode("utf-8", "replace").removesuffix("\r\n\r\n").split("\r\n")
    assert lines[-1] == "X-End: 1"
    assert len(lines) <= 2
    assert b"\n" not in block.replace(b"\r\n", b"")


@pytest.mark.parametrize(
    "message", [{}, {"internetMessageHeaders": "x", "from": 3, "toRecipients": [None, {"emailAddress": 1}]}]
)
def test_fields_that_make_no_sense_make_an_empty_head(message: dict[str, object]) -> None:
    assert head_block(message) == b"\r\n"


# ── how long to wait ──────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("0", 0.0),
        ("30", 30.0),
        ("2.128", 2.128),
        ("-5", 0.0),
        ("inf", https.MAX_WAIT_SECONDS),
        ("1e9", https.MAX_WAIT_SECONDS),
        ("nan", None),
        ("", None),
        ("soon", None),
        ("Mon, 99 Nov 2026", None),
        ("Mon, 16 Nov 99999999999999999999 12:00:00 GMT", None),
        ("Mon, 16 Nov 2026 12:00:00 +99999999999999999999", None),
    ],
)
def test_a_wait_is_read_from_a_number(text: str, seconds: float | None) -> None:
    assert https.retry_after({"Retry-After": text}, datetime.now(UTC)) == seconds


def test_a_wait_is_read_from_a_date() -> None:
    now = datetime(2026, 11, 16, 9, 0, tzinfo=UTC)
    assert https.retry_after({"Retry-After": format_datetime(now + timedelta(seconds=90), usegmt=True)}, now) == 90
    assert https.retry_after({"Retry-After": format_datetime(now - timedelta(seconds=90), usegmt=True)}, now) == 0
