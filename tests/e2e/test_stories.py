"""Stories through `make run`: real Azurite, real mail server, the local host, as its user meets them."""

from __future__ import annotations

import os
import signal
import smtplib
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Self

import httpx
import pytest

from infra.local.azurite import Azurite
from tests.support.mails import mail
from tests.support.makerun import Run, eventually

pytestmark = [pytest.mark.azurite, pytest.mark.slow, pytest.mark.xdist_group("e2e")]


class Desk:
    """A run's page and mail door, as its demo tenant uses them."""

    def __init__(self, run: Run) -> None:
        self.run = run
        run.wait_until_it_says("Poll now")
        self.key = run.printed("API key").split()[0]
        self.http = httpx.Client(
            base_url=f"http://127.0.0.1:{run.ports['HTTP_PORT']}",
            headers={"Authorization": f"Bearer {self.key}"},
            timeout=30,
            # The host is killed in some stories: a connection that is kept would be left half open.
            limits=httpx.Limits(max_keepalive_connections=0),
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.http.close()
        self.run.interrupt()

    def send(self, *mails: bytes) -> None:
        with smtplib.SMTP("127.0.0.1", self.run.ports["SMTP_PORT"]) as door:
            for raw in mails:
                door.sendmail("x@example.com", ["support@demo.localhost"], raw, ["BODY=8BITMIME"])

    def poll(self, mailbox: str = "support") -> None:
        assert self.http.post(f"/api/mailboxes/{mailbox}/poll").status_code == 202

    def get(self, path: str) -> Any:
        answer = self.http.get(path)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def all(self, path: str) -> list[dict[str, Any]]:
        """Every item of a list, page by page."""
        items: list[dict[str, Any]] = []
        after = ""
        while True:
            page = self.get(f"{path}{'&' if '?' in path else '?'}limit=200{f'&after={after}' if after else ''}")
            items += page["items"]
            if page["next"] is None:
                return items
            after = page["next"]

    def delivered(self) -> int:
        return int(self.get("/api/mailboxes/support/status")["counts"]["delivered"])


@pytest.fixture
def state(tmp_path: Path) -> Path:
    return tmp_path / "state"


@pytest.fixture
def desk(state: Path) -> Iterator[Desk]:
    with Desk(Run(state)) as running:
        yield running


def test_a_mail_becomes_an_incident_its_answer_a_note_and_a_strangers_answer_another_incident(desk: Desk) -> None:
    desk.send(
        mail(
            "Jörg Müller <joerg@example.com>",
            "Drucker „kaputt“ – größer",
            "Grüße aus Köln\n",
            message_id="<q@example.com>",
            attachments=(("Übersicht.bin", b"\x00\xff" * 1000),),
        )
    )
    desk.poll()
    eventually(lambda: desk.delivered() == 1)
    desk.send(
        mail(
            "joerg@example.com",
            "Re: Drucker",
            "Noch da?\n",
            message_id="<a@example.com>",
            in_reply_to="<q@example.com>",
        )
    )
    desk.send(
        mail("eve@else.example", "Re: Drucker [INC-000001]", "Hi\n", message_id="<s@e>", in_reply_to="<q@example.com>")
    )
    desk.poll()
    eventually(lambda: desk.delivered() == 3)

    first = desk.get("/api/incidents/INC-000001")
    assert first["subject"] == "Drucker „kaputt“ – größer"
    assert first["reporter"] == {"name": "Jörg Müller", "address": "joerg@example.com"}
    assert [note["text"].strip() for note in first["notes"]] == ["Grüße aus Köln", "Noch da?"]
    (attachment,) = first["notes"][0]["attachments"]
    assert attachment["name"] == "Übersicht.bin"
    content = desk.http.get(f"/api/incidents/1/attachments/{attachment['id']}")
    assert content.content == b"\x00\xff" * 1000
    second = desk.get("/api/incidents/INC-000002")
    assert second["reporter"]["address"] == "eve@else.example"
    mails = {item["from"]: item["reason"] for item in desk.all("/api/mail")}
    assert mails["eve@else.example"] == "new_incident"


def test_two_mailboxes_are_polled_at_their_own_frequencies(desk: Desk) -> None:
    settings = desk.get("/api/mailboxes/support")
    keep = {name: settings[name] for name in ("host", "port", "security", "username", "folder")}
    second = {**keep, "group": "Sales", "polling_minutes": 7, "password": "wrong on purpose"}
    assert desk.http.put("/api/mailboxes/sales", json=second).status_code == 201

    def polled(mailbox: str) -> bool:
        status = desk.get(f"/api/mailboxes/{mailbox}/status")
        return status["last_poll"] is not None and not status["polling"]

    eventually(lambda: polled("support") and polled("sales"), within=150)
    status = desk.get("/api/mailboxes/sales/status")
    assert status["state"] == "failing"
    assert status["last_error"]["code"] == "login_refused"
    assert _minutes(status["last_poll"], status["next_poll"]) == pytest.approx(7, abs=0.7)
    assert desk.get("/api/mailboxes/support/status")["state"] == "ok"


def test_a_host_killed_in_the_middle_of_300_mails_loses_none_and_doubles_none(state: Path) -> None:
    with Desk(Run(state)) as desk:
        desk.send(*[mail(f"p{n}@example.com", f"mail {n}", f"text {n}\n", message_id=f"<{n}@e>") for n in range(300)])
        desk.poll()
        eventually(lambda: desk.delivered() > 40)
        killed = desk.delivered()
        (host,) = desk.run.pids("infra.local.host")
        os.kill(host, signal.SIGKILL)
        assert desk.run.process.wait(60) != 0
        eventually(lambda: not desk.run.processes())
        assert killed < 300, "the kill came too late to prove anything"

    # The same ports: another port would be another server, whose mails are new (and then found to be duplicates).
    again = Run(state, **{name: str(port) for name, port in desk.run.ports.items()})
    with Desk(again) as desk:
        eventually(lambda: desk.delivered() >= 300, within=240)
        _each_mail_once(desk, 300)


def test_azurite_stopped_and_started_again_in_the_middle(state: Path, tmp_path: Path) -> None:
    with Azurite(tmp_path / "azurite") as azurite:
        desk = Desk(Run(state, AzureWebJobsStorage=azurite.connection_string))
        try:
            desk.send(
                *[mail(f"p{n}@example.com", f"mail {n}", f"text {n}\n", message_id=f"<{n}@e>") for n in range(60)]
            )
            desk.poll()
            eventually(lambda: desk.delivered() > 5)
            azurite.stop()
            assert desk.http.get("/api/health").status_code == 503
            time.sleep(3)
            azurite.start()
            eventually(lambda: desk.http.get("/api/health").status_code == 200)
            eventually(lambda: desk.delivered() >= 60, within=240)
            _each_mail_once(desk, 60)
        finally:
            desk.run.interrupt()


def _each_mail_once(desk: Desk, count: int) -> None:
    incidents = desk.all("/api/incidents")
    assert sorted(item["subject"] for item in incidents) == sorted(f"mail {n}" for n in range(count))
    assert sorted(item["number"] for item in incidents) == [f"INC-{n:06d}" for n in range(1, count + 1)]
    assert {item["notes_count"] for item in incidents} == {1}
    ledger = desk.all("/api/mail")
    assert sorted(item["subject"] for item in ledger) == sorted(f"mail {n}" for n in range(count))
    assert {(item["outcome"], item["reason"]) for item in ledger} == {("delivered", "new_incident")}


def _minutes(first: str, second: str) -> float:
    from datetime import datetime

    return (datetime.fromisoformat(second) - datetime.fromisoformat(first)).total_seconds() / 60
