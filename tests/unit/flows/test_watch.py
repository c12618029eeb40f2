from __future__ import annotations

import json
import logging
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest
import trustme

from shared.errors import LoginRefused, TimedOut
from shared.flows import convert, held, logins, mailboxes, upkeep, watch
from shared.flows.poll import poll
from shared.model.mailbox import Mailbox, Settings
from shared.ports import NOBODY, Finding, Watch
from shared.servers.cloud import Cloud
from shared.servers.graph_app import credential_end
from shared.servers.token import AppLogin
from tests.support.app import NoMicrosoft, World
from tests.support.mails import mail

Told = list[dict[str, Any]]


class Hours:
    """A world that is watched every hour; what was told in the meantime."""

    def __init__(self, world: World, lines: pytest.LogCaptureFixture) -> None:
        self.world = world
        self.tenant, _ = world.tenant()
        self._lines = lines
        self._last: datetime | None = None

    def pass_(self, hours: int, each_minute: Callable[[], object] = lambda: None) -> Told:
        told: Told = []
        for _ in range(hours):
            for _ in range(60):
                self.world.clock.advance(minutes=1)
                each_minute()
            told += self.look()
        return told

    def look(self) -> Told:
        self._lines.clear()
        watch.watch(self.world.app, self._last)
        self._last = self.world.clock.now
        return [event for event in map(json.loads, self._lines.messages) if event["event"] != "watched"]

    def poll(self) -> None:
        poll(self.world.app, self.tenant, "support")


@pytest.fixture
def hours(world: World, caplog: pytest.LogCaptureFixture) -> Hours:
    caplog.set_level(logging.INFO, "inbound")
    return Hours(world, caplog)


def names(told: Told) -> list[str]:
    return [event["event"] for event in told]


def test_a_mailbox_that_is_polled_is_not_talked_about(hours: Hours) -> None:
    hours.world.mailbox(hours.tenant)
    assert hours.pass_(30, hours.poll) == []


def test_a_mailbox_that_nobody_polls_is_told_once_a_day(hours: Hours) -> None:
    hours.world.mailbox(hours.tenant)
    told = hours.pass_(24 * 3)
    assert names(told) == ["mailbox_silent"] * 3
    assert [(one["tenant"], one["mailbox"]) for one in told] == [(hours.tenant, "support")] * 3
    assert round(told[0]["seconds"]) == 3600


@pytest.mark.parametrize(("minutes", "hour"), [(1, 1), (9, 1), (10, 1), (60, 3), (1440, 72)])
def test_three_intervals_are_waited_for_and_half_an_hour_at_least(hours: Hours, minutes: int, hour: int) -> None:
    hours.world.mailbox(hours.tenant, polling_minutes=minutes)
    told = [len(hours.pass_(1)) for _ in range(hour)]
    assert told == [0] * (hour - 1) + [1]


def test_a_disabled_mailbox_is_silent_by_right(hours: Hours) -> None:
    hours.world.mailbox(hours.tenant, enabled=False)
    assert hours.pass_(30) == []


def test_a_mailbox_that_fails_is_told_once_a_day_with_what_to_mend_and_its_recovery_at_once(
    hours: Hours, caplog: pytest.LogCaptureFixture
) -> None:
    hours.world.mailbox(hours.tenant)
    folder = hours.world.folders["support"]
    hours.pass_(1, hours.poll)
    folder.closed_with = TimedOut("No answer.")
    failing = [one for one in hours.pass_(48, hours.poll) if one["event"] == "mailbox_failing"]
    assert [(one["code"], one["state"]) for one in failing] == [("timed_out", "failing")] * 2
    folder.closed_with = None
    caplog.clear()
    for _ in range(70):
        hours.world.clock.advance(minutes=1)
        hours.poll()
    (recovered,) = [one for one in map(json.loads, caplog.messages) if one["event"] == "mailbox_recovered"]
    assert recovered["seconds"] > 47 * 3600
    assert recovered["attempts"] >= failing[-1]["attempts"] > 1
    assert hours.pass_(24, hours.poll) == []


def test_a_mailbox_that_waits_for_its_tenant_says_so(hours: Hours) -> None:
    hours.world.mailbox(hours.tenant)
    hours.world.folders["support"].closed_with = LoginRefused("No.", "Give the password again.")
    failing = [one for one in hours.pass_(3, hours.poll) if one["event"] == "mailbox_failing"]
    assert [(one["code"], one["state"]) for one in failing] == [("login_refused", "paused")]


def test_a_mailbox_whose_outgoing_server_refuses_it_is_told_once_a_day_until_it_is_let_in(hours: Hours) -> None:
    mailbox = hours.world.mailbox(hours.tenant, outgoing={"enabled": True, "host": "smtp.example.org"})
    app = hours.world.app
    hours.pass_(1, hours.poll)
    logins.refused(app, mailbox, logins.Turn(), LoginRefused("No.", "Give the password again."))
    told = hours.pass_(48, hours.poll)
    assert names(told) == ["sending_waits"] * 2
    assert [(one["tenant"], one["mailbox"], one["code"]) for one in told] == [
        (hours.tenant, "support", "login_refused")
    ] * 2
    assert told[1]["seconds"] - told[0]["seconds"] == 24 * 3600
    turn = logins.take_turn(app, mailbox)
    assert isinstance(turn, logins.Turn)
    logins.let_in(app, mailbox, turn)
    assert hours.pass_(48, hours.poll) == []


def test_a_run_that_was_missed_is_made_good_by_the_next(hours: Hours) -> None:
    hours.world.mailbox(hours.tenant)
    hours.look()
    hours.world.clock.advance(hours=7)
    assert names(hours.look()) == ["mailbox_silent"]
    hours.world.clock.advance(hours=40)
    assert names(hours.look()) == ["mailbox_silent"]


def test_a_clock_that_went_back_is_no_news(hours: Hours) -> None:
    hours.world.mailbox(hours.tenant)
    hours.world.clock.advance(hours=30)
    hours.look()
    hours.world.clock.advance(minutes=-10)
    assert hours.look() == []


def keep(world: World, tenant: str) -> str:
    world.clock.advance(seconds=1)
    world.folders["support"].deliver(mail())
    world.poll(tenant)
    world.queues.inbound.clear()
    return world.ledger(tenant)[0].id


def test_a_queue_that_does_not_move_is_told_with_its_age(hours: Hours) -> None:
    hours.world.mailbox(hours.tenant)
    id = keep(hours.world, hours.tenant)

    def try_again() -> None:
        hours.poll()
        upkeep.rescue(hours.world.app)

    told = hours.pass_(50, try_again)
    assert names(told) == ["queue_old"] * 3
    assert [round(one["seconds"] / 3600) for one in told] == [1, 25, 49]
    assert told[0]["count"] == 1
    convert.convert(hours.world.app, hours.tenant, id)
    assert hours.pass_(30, try_again) == []


def test_old_mail_that_was_released_a_moment_ago_is_no_old_queue(hours: Hours) -> None:
    hours.world.mailbox(hours.tenant, whitelist_enabled=True)
    id = keep(hours.world, hours.tenant)
    convert.convert(hours.world.app, hours.tenant, id)
    hours.pass_(72, hours.poll)
    held.release(hours.world.app, hours.tenant, id, "Kim")
    assert "queue_old" not in names(hours.look())


def test_held_and_failed_mail_is_counted_once_a_day(hours: Hours) -> None:
    hours.world.mailbox(hours.tenant, whitelist_enabled=True)
    for number in range(3):
        hours.world.receive(hours.tenant, mail(message_id=f"<{number}@x>", text=str(number)))
    convert.give_up(hours.world.app, hours.tenant, keep(hours.world, hours.tenant))
    told = hours.pass_(72, hours.poll)
    assert [(one["event"], one["outcome"], one["count"], one["more"]) for one in told] == [
        ("mail_undecided", "held", 3, False),
        ("mail_undecided", "failed", 1, False),
    ] * 3


class Microsoft(NoMicrosoft):
    """Asked when credentials end."""

    def __init__(self, world: World, ends: datetime) -> None:
        self.world, self.ends, self.asked = world, ends, list[str]()

    def credential_end(self, mailbox: Mailbox, watch: Watch) -> Finding:
        self.asked.append(mailbox.id)
        key = trustme.CA().issue_cert("app.example", not_after=self.ends)
        pem = key.private_key_pem.bytes().decode() + key.cert_chain_pems[0].bytes().decode()
        login = AppLogin("tenant", "client", certificate=pem)
        return credential_end(login, Cloud.of("global"), None, lambda: self.world.clock.now, NOBODY)


def office(world: World, tenant: str, id: str) -> None:
    """A mailbox that an app of the tenant opens."""
    settings = Settings(
        group="Support",
        server_type="office365",
        email=f"{id}@example.org",
        tenant_id="11111111-2222-4333-8444-555555555555",
        client_id="66666666-7777-4888-8999-000000000000",
    )
    mailboxes.save(world.app, tenant, id, settings, {"client_secret": "secret"})


def test_a_credential_that_ends_is_told_once_a_day_from_thirty_days_before(hours: Hours) -> None:
    microsoft = Microsoft(hours.world, hours.world.clock.now + timedelta(days=33))
    hours.world.app = replace(hours.world.app, microsoft=microsoft)
    for id in ("support", "sales"):
        office(hours.world, hours.tenant, id)
    told = [one for one in hours.pass_(24 * 34) if one["event"] == "secret_expiring"]
    days = [one["days"] for one in told]
    assert days[0] == 30
    assert days == [*range(30, -1, -1)][: len(days)]
    assert days[-1] <= 1
    limits = {one["days"]: one["state"] for one in told}
    assert [limits[day] for day in (30, 15, 14, 4, 3, 1)] == ["30 days"] * 2 + ["14 days"] * 2 + ["3 days"] * 2
    assert len(microsoft.asked) == 34, "one app, however many mailboxes it opens, is asked about once a day"


def test_an_app_whose_credential_cannot_be_read_or_does_not_work_is_no_news(hours: Hours) -> None:
    class Refusing(NoMicrosoft):
        def credential_end(self, mailbox: Mailbox, watch: Watch) -> Finding:
            if mailbox.id == "sales":
                raise LoginRefused("No.")
            return Finding("The client secret's end date cannot be read by this app; note it: Entra.")

    hours.world.app = replace(hours.world.app, microsoft=Refusing())
    for id in ("support", "sales"):
        office(hours.world, hours.tenant, id)
    assert "secret_expiring" not in names(hours.pass_(48))


def test_a_watch_that_is_over_says_how_many_mailboxes_it_saw(hours: Hours, caplog: pytest.LogCaptureFixture) -> None:
    hours.world.mailbox(hours.tenant)
    other, _ = hours.world.tenant("other")
    hours.world.mailbox(other, "sales")
    watch.watch(hours.world.app, None)
    assert json.loads(caplog.messages[-1]) == {"event": "watched", "count": 2, "seconds": 0.0}


def test_the_first_poll_of_a_mailbox_that_was_silent_tells_that_it_is_back(
    hours: Hours, caplog: pytest.LogCaptureFixture
) -> None:
    hours.world.mailbox(hours.tenant)
    hours.poll()
    assert names(hours.pass_(5)) == ["mailbox_silent"]
    caplog.clear()
    for _ in range(3):
        hours.poll()
        hours.world.clock.advance(minutes=2)
    (back,) = [one for one in map(json.loads, caplog.messages) if one["event"] == "mailbox_recovered"]
    assert (back["state"], round(back["seconds"]), back["attempts"]) == ("silent", 5 * 3600, 0)


def test_a_mailbox_that_gets_no_mail_for_unusually_long_is_told_once_and_so_is_its_end(hours: Hours) -> None:
    hours.world.mailbox(hours.tenant)

    def mails(days: int) -> Told:
        told: Told = []
        for _ in range(days * 24):
            hours.world.clock.advance(hours=1)
            if hours.world.clock.now.hour == 9:
                hours.world.folders["support"].deliver(mail(message_id=None), hours.world.clock.now)
            hours.poll()
            hours.world.convert_all()
            told += hours.look()
        return told

    assert names(mails(20)) == []
    (told,) = hours.pass_(24 * 12, hours.poll)
    assert told["event"] == "mailbox_quiet"
    assert 3 * 86400 < told["seconds"] <= 4.1 * 86400
    (told,) = mails(3)
    assert told["event"] == "mailbox_heard"
    assert told["seconds"] > 11 * 86400
