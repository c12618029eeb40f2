"""Every promise the outside world makes us: mailservers, desk, storage, people, webhooks; ``App`` holds them all.

``tenant`` is always a tenant key ("slug.generation"): it comes from a credential or a queue message of ours, and it is
the partition that everything of the tenant lies in. Times are aware UTC. Errors are those of ``shared.errors``.
"""

from shared.ports.app import App
from shared.ports.desk import Answers, Desk, Forgetting, InboundKey, RawMail
from shared.ports.mailservers import (
    NOBODY,
    NOTHING_FOUND,
    Arrival,
    Courier,
    CourierOpener,
    Finding,
    Nobody,
    Opener,
    Recording,
    Refusal,
    Scoped,
    Sent,
    Source,
    Watch,
)
from shared.ports.paging import Item, Page
from shared.ports.people import ApiKey, Entra, Identity, Microsoft, People, Person, SignIns, Tenant, Tenants
from shared.ports.storage import Mailboxes, Queues, Schedule, Secrets, Transcripts
from shared.ports.webhooks import Answered, Post, Webhooks

__all__ = [
    "NOBODY",
    "NOTHING_FOUND",
    "Answered",
    "Answers",
    "ApiKey",
    "App",
    "Arrival",
    "Courier",
    "CourierOpener",
    "Desk",
    "Entra",
    "Finding",
    "Forgetting",
    "Identity",
    "InboundKey",
    "Item",
    "Mailboxes",
    "Microsoft",
    "Nobody",
    "Opener",
    "Page",
    "People",
    "Person",
    "Post",
    "Queues",
    "RawMail",
    "Recording",
    "Refusal",
    "Schedule",
    "Scoped",
    "Secrets",
    "Sent",
    "SignIns",
    "Source",
    "Tenant",
    "Tenants",
    "Transcripts",
    "Watch",
    "Webhooks",
]
