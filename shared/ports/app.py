"""Everything that a flow may use."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from shared.mail.sender.verdict import DkimCheck
from shared.model.discovery import Discovery
from shared.model.mailbox import Settings
from shared.ports.desk import Answers, Desk, Forgetting, RawMail
from shared.ports.mailservers import CourierOpener, Opener, Recording
from shared.ports.people import Entra, Microsoft, People, SignIns, Tenants
from shared.ports.storage import Mailboxes, Queues, Schedule, Secrets, Transcripts
from shared.ports.webhooks import Post, Webhooks


@dataclass(frozen=True, slots=True)
class App:
    """Everything a flow may use.

    ``now`` is the clock; ``random`` gives that many unguessable bytes; ``sleep`` waits some seconds; ``open`` opens a
    mailbox on its server, ``courier`` the way out for its answers, ``post`` that to receivers of webhooks; ``record``
    makes a watch that writes down what it sees; ``discover`` finds the servers of an address; ``needs_no_secret`` says
    whether the app that a tenant names at Microsoft trusts our own identity; ``judge_host`` raises ``AddressForbidden``
    for a server that tenants may not reach; ``healthy`` says whether storage answers; ``entra`` signs people in to the
    pages, None where that is not set up; ``retention_days`` is how long the service keeps raw mail at most, 0 for ever.
    """

    tenants: Tenants
    people: People
    mailboxes: Mailboxes
    schedule: Schedule
    desk: Desk
    answers: Answers
    webhooks: Webhooks
    raw: RawMail
    secrets: Secrets
    forgetting: Forgetting
    queues: Queues
    now: Callable[[], datetime]
    random: Callable[[int], bytes]
    sleep: Callable[[float], None]
    open: Opener
    courier: CourierOpener
    post: Post
    record: Callable[[], Recording]
    transcripts: Transcripts
    sign_ins: SignIns
    microsoft: Microsoft
    discover: Callable[[str], Discovery]
    needs_no_secret: Callable[[str, Settings], bool]
    judge_host: Callable[[str, int], None]
    healthy: Callable[[], bool]
    check_dkim: Callable[[bytes], tuple[DkimCheck, ...]]
    entra: Entra | None = None
    retention_days: int = 0
