"""A mail as large as is kept whole takes as much memory as it is long, by IMAP and by POP3 alike."""

from __future__ import annotations

import gc
import secrets
import tracemalloc
from collections.abc import Iterator
from datetime import UTC, date, datetime

import pytest

from shared.model.inbound import MAX_RAW_BYTES
from shared.model.mailbox import Settings
from shared.ports import Source
from shared.servers.credential import Credential
from shared.servers.imap import ImapSource
from shared.servers.pop3 import Pop3Source
from shared.servers.pop3_state import State
from tests.support import dovecot, road
from tests.support.mails import mail

pytestmark = pytest.mark.dovecot

MOST_ABOVE = 0.2
"""Of the mail's own size: buffers, one part of a MiB as often as imaplib holds it, and the room by which BytesIO grows
(an eighth). A second copy would be 1.0."""

FLOOR = date(2020, 1, 1)

NOTHING_YET = {"imap": "", "pop3": State(whole=1).write()}
"""The cursor of a mailbox that was empty: the first pass of POP3 reads header blocks first, later ones whole mails."""


@pytest.fixture(scope="module")
def server() -> Iterator[dovecot.Dovecot]:
    if not dovecot.installed():
        pytest.skip("Dovecot is not installed (apt-get install dovecot-imapd dovecot-pop3d)")
    with dovecot.Dovecot() as running:
        yield running


def _large(subject: str) -> bytes:
    """A mail of nearly the limit, with lines of 20,000 bytes, as web shops send them."""
    line = b"x" * 19_998 + b"\r\n"
    begin = mail(subject=subject, message_id=f"<{secrets.token_hex(4)}@e>")
    return begin + line * ((MAX_RAW_BYTES - len(begin) - 100) // len(line))


def _source(server: dovecot.Dovecot, user: str, server_type: str) -> Source:
    port = server.ports.imaps if server_type == "imap" else server.ports.pop3s
    fields = {"group": "g", "server_type": server_type, "host": "localhost", "port": port, "username": user}
    made = ImapSource if server_type == "imap" else Pop3Source
    dialer = road.dialer(server.ca_file)
    return made(Settings.stored(fields), Credential(dovecot.PASSWORD), dialer, FLOOR, lambda: datetime.now(UTC))


@pytest.mark.parametrize("server_type", ["imap", "pop3"])
def test_the_largest_mail_is_in_memory_once(server: dovecot.Dovecot, server_type: str) -> None:
    user = f"u{secrets.token_hex(4)}"
    client = server.client(user)
    sizes = []
    for subject in ("first", "second"):
        raw = _large(subject)
        client.append("INBOX", raw)
        sizes.append(len(raw))
    client.shutdown()
    del raw
    gc.collect()
    tracemalloc.start()
    try:
        before, _ = tracemalloc.get_traced_memory()
        fetched = []
        with _source(server, user, server_type) as source:
            for arrival in source.new(NOTHING_YET[server_type]):
                fetched.append(len(source.fetch(arrival) or b""))
                source.settle(arrival)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert fetched == sizes
    assert (peak - before) / max(sizes) < 1 + MOST_ABOVE
