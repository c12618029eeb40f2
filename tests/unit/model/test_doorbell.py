from __future__ import annotations

import contextlib
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.model.doorbell import InboundBell, NotADoorbell, PollBell

KEY = st.text(min_size=1, max_size=40)


@given(KEY, KEY, KEY)
def test_a_bell_says_what_was_put_into_it(tenant: str, mailbox: str, id: str) -> None:
    assert InboundBell.decode(InboundBell(tenant, mailbox, id).encode()) == InboundBell(tenant, mailbox, id)
    assert PollBell.decode(PollBell(tenant, mailbox).encode()) == PollBell(tenant, mailbox)


def test_a_bell_holds_keys_and_its_version_and_nothing_else() -> None:
    assert json.loads(InboundBell("acme.1", "support", "ab").encode()) == {
        "v": 1,
        "tenant": "acme.1",
        "mailbox": "support",
        "id": "ab",
    }
    assert json.loads(PollBell("acme.1", "support").encode()) == {"v": 1, "tenant": "acme.1", "mailbox": "support"}


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
