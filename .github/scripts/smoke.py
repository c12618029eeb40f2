"""smoke.py <address of the app>: does it work, seen from outside?

It answers at /api/health, and Test Settings of a saved mailbox (``SMOKE_MAILBOX``, with ``SMOKE_API_KEY`` of its
tenant, role admin) goes through; without these two that test is skipped by name. Ends after ``ROUNDS`` tries (20),
``PAUSE_SECONDS`` (15) apart: an app that was just deployed needs some minutes. Of the answers only names of steps,
states and codes are shown: the rest may name people.
"""
# ruff: noqa: T201 - what it prints is the log of a deployment

from __future__ import annotations

import json
import os
import sys
import time
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from typing import Any
from urllib.parse import quote, urlsplit

HEALTH_SECONDS = 30
TEST_SECONDS = 120
"""Test Settings talks to a mail server, which may take its time; Azure itself ends a request after 230 s."""


def main() -> int:
    base = sys.argv[1]
    rounds, pause = int(os.environ.get("ROUNDS", "20")), float(os.environ.get("PAUSE_SECONDS", "15"))
    if not is_healthy(base, rounds, pause):
        print(f"::error::{base}/api/health does not answer 200 with status ok")
        return 1
    mailbox, key = os.environ.get("SMOKE_MAILBOX", ""), os.environ.get("SMOKE_API_KEY", "")
    if not (mailbox and key):
        print("::notice title=Settings test skipped::Set the variable SMOKE_MAILBOX and the secret SMOKE_API_KEY.")
        return 0
    if not settings_work(base, mailbox, key):
        print(f"::error::Test Settings of mailbox {mailbox} failed: press it on the mailbox's page to read why")
        return 1
    return 0


def is_healthy(base: str, rounds: int, pause: float) -> bool:
    """Whether the app answers that it is well, in time."""
    for round in range(1, rounds + 1):
        status, answer = ask("GET", f"{base}/api/health", HEALTH_SECONDS)
        if status == 200 and answer.get("status") == "ok":
            print(f"health: ok (round {round})")
            return True
        print(f"health: round {round} of {rounds}: {status or 'no answer'}")
        if round < rounds:
            time.sleep(pause)
    return False


def settings_work(base: str, mailbox: str, key: str) -> bool:
    """Whether Test Settings on the saved settings goes through."""
    path = f"{base}/api/mailboxes/{quote(mailbox, safe='')}/test"
    status, answer = ask("POST", path, TEST_SECONDS, {"Authorization": f"Bearer {key}"})
    print(f"settings test: {status or 'no answer'}")
    for step in answer.get("steps", []):
        print(f"settings test: {step['name']}: {step['state']} {step['code']}".rstrip())
    return status == 200 and answer.get("ok") is True


def ask(method: str, address: str, seconds: float, headers: dict[str, str] | None = None) -> tuple[int, dict[str, Any]]:
    """Status and JSON of an answer; 0 and nothing when there was none."""
    parts = urlsplit(address)
    kind = HTTPSConnection if parts.scheme == "https" else HTTPConnection
    connection = kind(parts.netloc, timeout=seconds)
    try:
        connection.request(method, parts.path, headers=headers or {})
        response = connection.getresponse()
        status, body = response.status, response.read()
    except (OSError, HTTPException):
        return 0, {}
    finally:
        connection.close()
    try:
        answer = json.loads(body)
    except ValueError:
        answer = None
    return status, answer if isinstance(answer, dict) else {}


if __name__ == "__main__":
    sys.exit(main())
