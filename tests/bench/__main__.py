"""``make bench``: how fast a mailbox becomes incidents, against raw imapclient reading the same mailbox.

A ratio, not a time: machines differ, the yardstick runs on the same one. Real Dovecot, real Azurite.
"""

from __future__ import annotations

import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

from azure.storage.queue import QueueServiceClient, TextBase64DecodePolicy
from imapclient import IMAPClient

from infra.local.azurite import Azurite
from shared import bootstrap
from shared.config import Config, Storage
from shared.flows import convert, mailboxes, poll, tenants
from shared.model.doorbell import InboundBell
from shared.model.mailbox import Settings
from shared.ports import App
from tests.bench import understand
from tests.support import dovecot
from tests.support.mails import mail
from tests.support.road import LOOPBACK

MAILS = 2000
CONSUMERS = 6
"""host.json's batchSize + newBatchThreshold."""


def main() -> int:
    understand.report()
    if not dovecot.installed():
        print("Dovecot is not installed: apt-get install dovecot-imapd dovecot-pop3d")
        return 1
    with tempfile.TemporaryDirectory() as folder, dovecot.Dovecot() as server, Azurite(Path(folder)) as azurite:
        _fill(server)
        raw = _yardstick(server)
        app = _app(server, azurite.connection_string, Path(folder))
        tenant = _mailbox(app, server)
        polled = _poll_all(app, tenant)
        converted = _convert_all(app, azurite.connection_string)
        counts = {outcome.value: count for outcome, count in app.desk.counts(tenant, "support").mails.items() if count}
        first, last = app.desk.incident(tenant, 1), app.desk.incident(tenant, MAILS)
    _report("raw imapclient (yardstick)", raw, raw)
    _report("poll: fetch, keep, ring", polled, raw)
    _report(f"convert, {CONSUMERS} at once", converted, raw)
    _report("mailbox to incidents", polled + converted, raw)
    print(f"ledger: {counts}; incidents 1 and {MAILS} exist: {first is not None and last is not None}")
    return 0 if counts == {"delivered": MAILS} and first and last else 1


def _fill(server: dovecot.Dovecot) -> None:
    client = server.client("bench")
    for number in range(MAILS):
        attachments = (("a.bin", bytes(range(256)) * 80),) if number % 10 == 0 else ()
        text = f"Mail {number}: Grüße, the printer is on fire again.\n" * 20
        raw = mail(
            f"p{number}@example.com", f"Mail {number}", text, message_id=f"<{number}@e>", attachments=attachments
        )
        client.append("INBOX", raw)
    client.logout()


def _yardstick(server: dovecot.Dovecot) -> float:
    """What imapclient alone needs to read everything, 25 at a time."""
    started = time.perf_counter()
    client = IMAPClient("127.0.0.1", port=server.ports.imap, ssl=False)
    client.login("bench", dovecot.PASSWORD)
    client.select_folder("INBOX", readonly=True)
    uids = client.search("ALL")
    for start in range(0, len(uids), 25):
        client.fetch(uids[start : start + 25], ["BODY.PEEK[]"])
    client.logout()
    return time.perf_counter() - started


def _app(server: dovecot.Dovecot, connection_string: str, folder: Path) -> App:
    storage = Storage(connection_string=connection_string)
    config = Config(storage=storage, key_file=str(folder / "key"), mail_ca_file=server.ca_file)
    return bootstrap.build(replace(config, allow_addresses=LOOPBACK))


def _mailbox(app: App, server: dovecot.Dovecot) -> str:
    tenant, _ = tenants.put(app, "bench", "Bench")
    fields: dict[str, Any] = {"group": "Support", "host": "127.0.0.1", "username": "bench", "security": "none"}
    settings = Settings.model_validate({**fields, "port": server.ports.imap})
    mailboxes.save(app, tenant.key, "support", settings, {"password": dovecot.PASSWORD})
    return tenant.key


def _poll_all(app: App, tenant: str) -> float:
    started = time.perf_counter()
    polled = poll.poll(app, tenant, "support")
    while polled is not None and polled.more:
        mailboxes.poll_now(app, tenant, "support")
        polled = poll.poll(app, tenant, "support")
    return time.perf_counter() - started


def _convert_all(app: App, connection_string: str) -> float:
    service = QueueServiceClient.from_connection_string(connection_string)
    queue = service.get_queue_client("inbound", message_decode_policy=TextBase64DecodePolicy())
    started = time.perf_counter()

    def answer(message: Any) -> None:
        bell = InboundBell.decode(message.content)
        convert.convert(app, bell.tenant, bell.id)
        queue.delete_message(message)

    with ThreadPoolExecutor(CONSUMERS) as pool:
        while messages := list(queue.receive_messages(messages_per_page=32, max_messages=32, visibility_timeout=600)):
            list(pool.map(answer, messages))
    return time.perf_counter() - started


def _report(what: str, seconds: float, yardstick: float) -> None:
    each = timedelta(seconds=seconds / MAILS) / timedelta(milliseconds=1)
    print(f"{what:30} {MAILS / seconds:8.1f} mails/s {each:8.2f} ms each  {seconds / yardstick:7.1f} x yardstick")


sys.exit(main())
