from __future__ import annotations

import azure.functions as func
import pytest

from functions import webhook
from shared.model.doorbell import WebhookBell


def test_a_message_of_ours_names_the_event() -> None:
    bell = WebhookBell("acme.1", "evt_1")
    assert webhook._bell(func.QueueMessage(body=bell.encode())) == bell


@pytest.mark.parametrize("body", ["", "{}", "not ours", '{"v": 1, "tenant": "acme.1"}', b"\xff\xfe"])
def test_a_message_that_is_not_ours_is_taken_and_does_nothing(body: str | bytes) -> None:
    message = func.QueueMessage(body=body)
    assert webhook._bell(message) is None
