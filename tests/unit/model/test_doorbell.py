from __future__ import annotations

import contextlib
import json
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.model.doorbell import InboundBell, NotADoorbell, OutboundBell, PollBell, WebhookBell

KEY = st.text(min_size=1, max_size=40)


@given(KEY, KEY, KEY)
def test_a_bell_says_what_was_put_into_it(tenant: str, mailbox: str, id: str) -> None:
    assert InboundBell.decode(InboundBell(tenant, mailbox, id).encode()) == InboundBell(tenant, mailbox, id)
    assert PollBell.decode(PollBell(tenant, mailbox).encode()) == PollBell(tenant, mailbox)
    assert WebhookBell.decode(WebhookBell(tenant, id).encode()) == WebhookBell(tenant, id)


MAIL = "0123456789abcdef0123456789abcdef"


def test_a_bell_holds_keys_its_version_and_its_trace_and_nothing_else() -> None:
    bell = InboundBell("acme.1", "support", MAIL)
    assert json.loads(bell.encode()) == {
        "v": 1,
        "tenant": "acme.1",
        "mailbox": "support",
        "id": MAIL,
        "traceparent": bell.traceparent,
    }
    assert json.loads(PollBell("acme.1", "support").encode()) == {"v": 1, "tenant": "acme.1", "mailbox": "support"}
    assert set(json.loads(OutboundBell("acme.1", 7, 2).encode())) == {"v", "tenant", "incident", "note", "traceparent"}
    assert set(json.loads(WebhookBell("acme.1", "evt_1").encode())) == {"v", "tenant", "event", "traceparent"}


@given(KEY, KEY, KEY, st.integers(1, 9999))
def test_a_bells_trace_is_as_w3c_wants_it_and_the_same_whoever_rings(
    tenant: str, mail: str, other: str, n: int
) -> None:
    for bell in (InboundBell(tenant, other, mail), OutboundBell(tenant, n, n)):
        version, trace, span, flags = bell.traceparent.split("-")
        assert (version, flags) == ("00", "01")
        assert re.fullmatch(r"[0-9a-f]{32}", trace)
        assert re.fullmatch(r"[0-9a-f]{16}", span)
        assert set(trace) != {"0"}
        assert type(bell).decode(bell.encode()).traceparent == bell.traceparent
    assert InboundBell(tenant, other, mail).traceparent == InboundBell("t", "m", mail).traceparent


def test_a_mails_trace_is_the_mails_id() -> None:
    assert InboundBell("acme.1", "support", MAIL).traceparent.split("-")[1] == MAIL
    assert InboundBell("acme.1", "support", "0" * 32).traceparent.split("-")[1] != "0" * 32


def test_a_bell_of_an_older_version_has_no_trace_and_is_heard_all_the_same() -> None:
    old = InboundBell.decode(json.dumps({"v": 1, "tenant": "acme.1", "mailbox": "support", "id": MAIL}))
    assert old == InboundBell("acme.1", "support", MAIL)
    assert old.traceparent == InboundBell("acme.1", "support", MAIL).traceparent


@pytest.mark.parametrize("trace", [None, 7, "", "nonsense", ["x"], "00-" + "f" * 32 + "-" + "f" * 16 + "-01"])
def test_a_trace_that_somebody_else_wrote_changes_nothing(trace: object) -> None:
    written = {"v": 1, "tenant": "acme.1", "mailbox": "support", "id": MAIL, "traceparent": trace}
    assert InboundBell.decode(json.dumps(written)) == InboundBell("acme.1", "support", MAIL)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "hello",
        "null",
        "[]",
        "1",
        '"text"',
        "{}",
        '{"tenant": "t", "mailbox": "m", "id": "i"}',
        '{"v": 2, "tenant": "t", "mailbox": "m", "id": "i"}',
        '{"v": "1", "tenant": "t", "mailbox": "m", "id": "i"}',
        '{"v": 1, "mailbox": "m", "id": "i"}',
        '{"v": 1, "tenant": "", "mailbox": "m", "id": "i"}',
        '{"v": 1, "tenant": "t", "mailbox": 7, "id": "i"}',
        '{"v": 1, "tenant": "t", "mailbox": null, "id": "i"}',
        '{"v": 1, "tenant": ["t"], "mailbox": "m", "id": "i"}',
    ],
)
def test_what_is_no_bell_is_refused(text: str) -> None:
    with pytest.raises(NotADoorbell):
        InboundBell.decode(text)
    with pytest.raises(NotADoorbell):
        PollBell.decode(text)


def test_a_poll_bell_is_not_taken_for_the_bell_of_a_mail() -> None:
    with pytest.raises(NotADoorbell):
        InboundBell.decode(PollBell("acme.1", "support").encode())


@given(st.text() | st.builds(json.dumps, st.recursive(st.none() | st.integers() | st.text(), st.lists)))
def test_nothing_but_that_refusal_comes_of_any_text(text: str) -> None:
    with contextlib.suppress(NotADoorbell):
        assert InboundBell.decode(text).tenant
