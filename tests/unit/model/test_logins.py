"""Refused log-ins of a mailbox's outgoing server: who may try when."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from shared.model import logins
from shared.model.logins import LOOK_AGAIN, PAUSE, is_doubted, settings_digest, waits_until
from shared.model.mailbox import Mailbox, Settings
from shared.model.schedule import MAX_REFUSALS, Slot

NOON = datetime(2026, 11, 16, 12, 0, tzinfo=UTC)
SLOT = Slot("acme.1", "support", 2, True, NOON, NOON)


def refused(times: int, digest: str = "a") -> Slot:
    slot = SLOT
    for _ in range(times):
        slot = logins.refused(slot, digest, NOON)
    return slot


def test_without_a_refusal_everybody_may_log_in() -> None:
    assert not is_doubted(SLOT)
    assert waits_until(SLOT, "a", NOON) is None


def test_after_a_refusal_the_pauses_grow_and_after_three_nobody_tries() -> None:
    assert waits_until(refused(1), "a", NOON) == NOON + PAUSE
    assert waits_until(refused(2), "a", NOON) == NOON + 2 * PAUSE
    assert waits_until(refused(2), "a", NOON + 2 * PAUSE) is None
    for times in range(MAX_REFUSALS, 20):
        later = NOON + timedelta(days=times)
        assert waits_until(refused(times), "a", later) == later + LOOK_AGAIN


def test_other_settings_begin_anew_one_at_a_time() -> None:
    slot = refused(5)
    assert waits_until(slot, "b", NOON) is None
    assert is_doubted(slot)
    assert logins.refused(slot, "b", NOON).out_refusals == 1


def test_saved_settings_begin_anew_although_they_are_the_same() -> None:
    slot = logins.mended(refused(5))
    assert waits_until(slot, "a", NOON) is None
    assert is_doubted(slot)
    assert logins.refused(slot, "a", NOON).out_refusals == 1


def test_who_was_let_in_ends_the_doubt() -> None:
    assert logins.let_in(refused(2)) == SLOT


def test_a_try_that_did_not_come_to_its_log_in_is_not_counted() -> None:
    before = refused(1)
    assert logins.undecided(logins.refused(before, "a", NOON), before) == before


BOX = Mailbox(
    "acme.1",
    "support",
    Settings.stored(
        {
            "group": "g",
            "host": "imap.x",
            "username": "u",
            "email": "u@x",
            "outgoing": {"enabled": True, "host": "smtp.x"},
        }
    ),
    "g1",
    NOON,
    (("password", "sealed"),),
)


@pytest.mark.parametrize("outgoing", [{"host": "other.x"}, {"port": 465}, {"security": "ssl"}, {"username": "other"}])
def test_another_server_or_user_is_another_log_in(outgoing: dict[str, Any]) -> None:
    other = BOX.settings.model_copy(update={"outgoing": BOX.settings.outgoing.model_copy(update=outgoing)})
    assert settings_digest(replace(BOX, settings=other)) != settings_digest(BOX)


def test_another_password_is_another_log_in() -> None:
    assert settings_digest(replace(BOX, secrets=(("password", "sealed anew"),))) != settings_digest(BOX)


def test_what_has_nothing_to_do_with_it_is_the_same_log_in() -> None:
    """An allowed sender that somebody adds must not cost three more log-ins."""
    other = BOX.settings.model_copy(update={"whitelist": "x.example", "polling_minutes": 9})
    assert settings_digest(replace(BOX, settings=other, version="2")) == settings_digest(BOX)
