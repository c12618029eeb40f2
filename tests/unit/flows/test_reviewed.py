"""What a reviewer broke once, and must not break again."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from pydantic import ValidationError

from shared.errors import AddressForbidden, Invalid, LoginRefused, Unreachable
from shared.flows import mailboxes, poll
from shared.model.mailbox import OAUTH_HOSTS, Settings
from tests.support.app import World
from tests.support.mails import mail

ALARM = "monitor@plant.example"


@pytest.fixture
def tenant(world: World) -> str:
    key, _ = world.tenant()
    world.mailbox(key)
    return key


def _reasons(world: World, tenant: str) -> list[str]:
    return sorted(row.reason for row in world.ledger(tenant))


def test_alarms_that_differ_in_their_subject_only_are_incidents_each(world: World, tenant: str) -> None:
    for subject in ("Disk full on server A", "Disk full on server B"):
        world.receive(tenant, mail(ALARM, subject, "see subject\n", message_id=None))
    assert _reasons(world, tenant) == ["new_incident", "new_incident"]


def test_the_same_alarm_an_hour_later_is_another_incident(world: World, tenant: str) -> None:
    raw = mail(ALARM, "Door open", "", message_id=None)
    world.folders["support"].deliver(raw)
    world.folders["support"].deliver(raw, world.clock.now)
    world.poll(tenant)
    world.convert_all()
    assert _reasons(world, tenant) == ["new_incident", "new_incident"]


def test_the_same_mail_without_an_id_read_again_after_a_renumbering_is_a_duplicate(world: World, tenant: str) -> None:
    world.receive(tenant, mail(ALARM, "Door open", "", message_id=None))
    world.folders["support"].renumber()
    world.poll(tenant)
    world.convert_all()
    assert _reasons(world, tenant) == ["new_incident", "same_mail"]


def test_what_is_wrong_with_a_mail_is_told_with_it(world: World, tenant: str) -> None:
    world.receive(
        tenant, mail().replace(b'charset="utf-8"', b'charset="x-unknown"').replace(b"It burns", b"Gr\xfc\xdfe")
    )
    (row,) = world.ledger(tenant)
    full = world.app.desk.inbound(tenant, row.id)
    assert full is not None
    assert full.trace[0].rule == "reading"


@pytest.mark.parametrize(
    "changes", [{"host": "imap.evil.example"}, {"host": f"{OAUTH_HOSTS[0]}.evil.example"}, {"security": "none"}]
)
def test_a_token_is_for_exchange_online_only(changes: dict[str, Any]) -> None:
    fields = {"group": "g", "username": "u", "auth": "oauth2", "client_id": "c", "tenant_id": "t"}
    assert Settings.model_validate({**fields, "host": OAUTH_HOSTS[0]}).uses_sign_in
    with pytest.raises(ValidationError):
        Settings.model_validate({**fields, "host": OAUTH_HOSTS[0], **changes})


def test_a_server_that_tenants_may_not_reach_is_refused_when_it_is_saved(world: World, tenant: str) -> None:
    def judge(host: str, port: int) -> None:
        raise AddressForbidden(f"{host} is not public.")

    guarded = replace(world.app, judge_host=judge)
    settings = Settings(group="g", host="169.254.169.254", username="u")
    with pytest.raises(Invalid, match="not public"):
        mailboxes.save(guarded, tenant, "other", settings, {"password": "p"})
    assert world.app.mailboxes.get(tenant, "other") is None


def test_a_deleted_mailbox_leaves_neither_sign_in_nor_transcript(world: World, tenant: str) -> None:
    world.app.sign_ins.put_cache(tenant, "support", "sealed", "")
    world.app.transcripts.add(tenant, "support", ["C: hello"], world.clock.now)
    mailboxes.remove(world.app, tenant, "support")
    assert world.app.sign_ins.cache(tenant, "support") == ("", "")
    assert world.app.transcripts.read(tenant, "support", world.clock.now) == []


def test_a_transcript_is_gone_after_a_day(world: World, tenant: str) -> None:
    world.app.transcripts.add(tenant, "support", ["C: hello"], world.clock.now)
    assert "C: hello" in world.app.transcripts.read(tenant, "support", world.clock.now)
    world.clock.advance(hours=24)
    assert world.app.transcripts.read(tenant, "support", world.clock.now) == []


def test_only_refused_log_ins_count_towards_a_pause(world: World, tenant: str) -> None:
    folder = world.folders["support"]
    for error in (Unreachable("gone"), Unreachable("gone"), LoginRefused("no"), LoginRefused("no")):
        folder.closed_with = error
        world.clock.advance(hours=2)
        poll.poll(world.app, tenant, "support")
    assert mailboxes.status(world.app, tenant, "support").state == "failing"
    folder.closed_with = LoginRefused("no")
    world.clock.advance(hours=2)
    poll.poll(world.app, tenant, "support")
    assert mailboxes.status(world.app, tenant, "support").state == "paused"
