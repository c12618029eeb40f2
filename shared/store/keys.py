"""Row keys of table ``desk``. PartitionKey is the tenant key, so a mistake here cannot reach another tenant.

K:<key id>                              an API key
KI:<key id>                             it was made with an Idempotency-Key: never again one of this id
KS:<key id>:<end>:<session id>          a session that was begun with it, or by a person
KU:<key id>                             the last day on which it, or a person, was here
KP:<person id>                          a person who signs in with Entra ID
KPN:<address>                           which listed person that address is
KPO:<account>                           which person that account is
MB:<mailbox>                            settings
MV:mailboxes                            written with each of them: whether any of them changed
MC:<mailbox>:<generation>               cursor
MT:<mailbox>                            token cache of somebody who signed in for it
S:<inbound id>                          a mail: outcome, reason, trace
E:<outcome>:<newest first>:<inbound id> the ledger's index; the range E:pending is the outbox
D:<content digest>                      which incidents hold a mail of this content, one in each group
T:<group>:<message id>                  the thread index
C:incident                              the last incident number
I:<number>                              an incident
L:<status>:<newest first>:<number>      the list of incidents, by last activity
N:<number>:<seq>                        a note
R:<end of the window>:<hash>            how far a limit is used
O:<number>:<seq>                        the mail that sends a note
OP:<number>:<seq>                       it is not sent yet: the outbox of what goes out
B:<address>                             an address that mail came back from
Y:<erasure>:<sha256>                    an attachment of a person who is being erased, until nobody else has it
X:<mailbox>:<newest first>              a transcript of one conversation with a mail server
W:hooks                                 the webhooks
WP:<event>                              an event that some webhook is still to hear of: the outbox of events
WE:<newest first>:<event>               an event that is done with
WL:<hook>:<newest first>-<event>-<try>  the log of a webhook
WS:<hook>                               how a webhook does
"""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime, timedelta

COUNTER = "C:incident"

MAILBOXES_CHANGED = "MV:mailboxes"
"""Key of the row that is written together with any mailbox's settings."""

HOOKS = "W:hooks"
"""Key of a tenant's webhooks: all in one row, since all of them are looked at whenever something happens."""

_BEGINNING = datetime(1, 1, 1, tzinfo=UTC)
_FAR = 10**15
"""Milliseconds beyond the year 9999: subtracting from it turns newest last into newest first."""

AFTER = "~"
"""Sorts behind everything that keys are made of."""


def hashed(text: str) -> str:
    """Foreign text as key material: 32 hex digits."""
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:32]


def stamp(time: datetime) -> str:
    """A time as stored: UTC, milliseconds, always 24 characters, so that text order is time order."""
    return time.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def read_stamp(text: str) -> datetime:
    """The time that ``stamp`` wrote."""
    return datetime.fromisoformat(text)


def newest_first(time: datetime) -> str:
    """A time as key material that sorts the newest first."""
    # Whole numbers throughout: a key is made again from the stored time, and must be the same to the millisecond.
    return f"{_FAR - (time - _BEGINNING) // timedelta(milliseconds=1):015d}"


def api_key(id: str) -> str:
    """Key of an API key."""
    return f"K:{id}"


def api_key_once(id: str) -> str:
    """Key of the note that an API key of this id was made."""
    return f"KI:{id}"


def api_key_used(id: str) -> str:
    """Key of when an API key was used last."""
    return f"KU:{id}"


def person(id: str) -> str:
    """Key of a person."""
    return f"KP:{id}"


def person_listed(address: str) -> str:
    """Key of the note which listed person an address is."""
    return f"KPN:{hashed(address)}"


def person_known(tid: str, oid: str) -> str:
    """Key of the note which person an account of Entra's is."""
    return f"KPO:{hashed(f'{tid}/{oid}')}"


def session(key: str, until: datetime | None = None, id: str = "") -> str:
    """Key of a session; with less than all, what those of a key, or those that end by then, begin with."""
    return f"KS:{key}:{stamp(until) if until else ''}{f':{id}' if id else ''}"


def mailbox(id: str) -> str:
    """Key of a mailbox's settings."""
    return f"MB:{id}"


def cursor(mailbox: str, generation: str) -> str:
    """Key of a mailbox's cursor."""
    return f"MC:{mailbox}:{generation}"


def token_cache(mailbox: str) -> str:
    """Key of a mailbox's token cache."""
    return f"MT:{mailbox}"


def source(inbound: str) -> str:
    """Key of a mail."""
    return f"S:{inbound}"


def entry(outcome: str, kept: datetime, inbound: str) -> str:
    """Key of a mail in the ledger's index."""
    return f"E:{outcome}:{newest_first(kept)}:{inbound}"


def digest(content: str) -> str:
    """Key of a content digest."""
    return f"D:{content}"


def thread(group: str, message_id: str) -> str:
    """Key of a Message-ID in the thread index."""
    return f"T:{hashed(group)}:{hashed(message_id)}"


def incident(number: int) -> str:
    """Key of an incident."""
    return f"I:{number:010d}"


def listed(status: str, updated: datetime, number: int) -> str:
    """Key of an incident in the list."""
    return f"L:{status}:{newest_first(updated)}:{number:010d}"


def transcript(mailbox: str, at: datetime | None = None) -> str:
    """Key of a transcript; without a time, what all of a mailbox begin with."""
    return f"X:{mailbox}:{newest_first(at) if at else ''}"


def tally(end: datetime, name: str, key: str) -> str:
    """Key of a limit's count; those of the past come first."""
    return f"R:{stamp(end)}:{hashed(name + key)}"


def note(number: int, seq: int) -> str:
    """Key of a note."""
    return f"N:{number:010d}:{seq:06d}"


def outbound(number: int, seq: int) -> str:
    """Key of the mail that sends a note."""
    return f"O:{number:010d}:{seq:06d}"


def waiting_outbound(number: int, seq: int) -> str:
    """Key of its place in the outbox."""
    return f"OP:{number:010d}:{seq:06d}"


def undeliverable(address: str) -> str:
    """Key of an address that mail came back from."""
    return f"B:{hashed(address.lower())}"


def open_event(id: str) -> str:
    """Key of an event that some webhook is still to hear of; without an id, what all of them begin with."""
    return f"WP:{id}"


def told_event(time: datetime | None = None, id: str = "") -> str:
    """Key of an event that every webhook heard of, or never will; with less, what such keys begin with."""
    return f"WE:{newest_first(time) if time else ''}{f':{id}' if id else ''}"


def attempt(hook: str, id: str = "") -> str:
    """Key of a try in a webhook's log; without an id, what all of that webhook begin with."""
    return f"WL:{hook}:{id}"


def attempt_id(at: datetime, event: str, number: int) -> str:
    """The place of a try within the log of its webhook."""
    return f"{newest_first(at)}-{event}-{number:02d}"


def standing(hook: str) -> str:
    """Key of how a webhook does."""
    return f"WS:{hook}"


def erased_attachment(erasure: str, sha256: str = "") -> str:
    """Key of an attachment of a person who is being erased; without a digest, what all of them begin with."""
    return f"Y:{erasure}:{sha256}"
