"""Everything that is to be known about one mail before it is decided: read from storage, and read out of the mail."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property

from shared.mail import token
from shared.mail.machine.automatic import classify
from shared.mail.machine.report import Report, read_report
from shared.mail.message import Message, content_digest
from shared.mail.reply.forward import Forward, read_forward
from shared.mail.sender.verdict import SenderVerdict, judge_sender
from shared.mail.subject import incident_numbers
from shared.model import limits
from shared.model.facts import Facts, ThreadHit, Tokens
from shared.model.inbound import Content, Inbound, ThreadEntry
from shared.model.incident import Incident, NoteKind, Status
from shared.model.limits import Tally
from shared.model.mailbox import Mailbox
from shared.ports import App

MAX_NUMBERS = 3
"""Incident numbers looked up from one subject: nobody means more, and each is a read."""

MAX_MERGES = 10
"""Incidents followed from one that was merged into another: far more than people merge, and an end to a ring."""

MAX_TWINS = 10
"""Incidents of other groups that are linked with a new one: two rows each, and one transaction writes 100 at most. A
mail that names 42 others by its ids has 53 of its own, and our acknowledgement some more."""

RECIPIENT_FIELDS = (
    "to",
    "cc",
    "delivered-to",
    "x-delivered-to",
    "envelope-to",
    "x-envelope-to",
    "x-original-to",
    "x-forwarded-to",
    "apparently-to",
    "resent-to",
)
"""Where the address that a mail was sent to may stand; servers disagree."""


@dataclass
class Gathered:
    """One look at one mail. Everything it reads may change before the commit; then there is another look."""

    app: App
    tenant: str
    inbound: Inbound
    message: Message
    raw: bytes
    mailbox: Mailbox
    own_addresses: frozenset[str]
    """Of all the tenant's mailboxes (``model.mailbox.own_addresses``)."""

    @property
    def group(self) -> str:
        """Whose incidents it may join."""
        return self.mailbox.settings.group

    @cached_property
    def digest(self) -> str:
        """What makes two mails of a group one: the content, and where that says too little, more.

        Without a Message-ID, when it was received: monitoring systems send many mails that are alike but for that. Of
        a mail that was too long to read whole, its bytes.
        """
        message, inbound = self.message, self.inbound
        parts = [content_digest(message), message.subject]
        if message.message_id is None:
            parts.append(inbound.received.isoformat())
        if any(defect.startswith("truncated") for defect in message.defects):
            parts.append(inbound.sha256)
        return hashlib.sha256("\n".join(parts).encode("utf-8", "surrogatepass")).hexdigest()

    @cached_property
    def content(self) -> Content:
        """Who holds this content already."""
        return self.app.desk.content(self.tenant, self.digest)

    def facts(self) -> Facts:
        """All of it."""
        report = read_report(self.message)
        threads = self._hits(entry for entry in self.known.values() if entry)
        tokens = self._tokens(report)
        numbered = self._numbered()
        incidents = (*tokens.address, *tokens.ids, *tokens.text, *(hit.incident for hit in threads), *numbered)
        same = self.content.of(self.group)
        verdict = self._verdict()
        return Facts(
            message=self.message,
            settings=self.mailbox.settings,
            received=self.inbound.received,
            connected=self.mailbox.created,
            own_addresses=self.own_addresses,
            verdict=verdict,
            machine=classify(self.message, report),
            report=report,
            tokens=tokens,
            threads=threads,
            numbered=numbered,
            duplicate_of=same.incident if same and same.mail != self.inbound.id else None,
            twins=self._twins(),
            truncated=self.inbound.truncated,
            tallies=self._tallies(),
            reopenings=self._reopenings(incidents),
            forward=self._forward(verdict),
        )

    # ── who sent it ───────────────────────────────────────────────────────────────────────────────────────────────

    def _verdict(self) -> SenderVerdict:
        settings = self.mailbox.settings
        trusted = settings.judges_of_senders()
        verdict = judge_sender(self.message, trusted)
        if verdict.result != "none" or self.message.header("dkim-signature") is None:
            return verdict
        # Nobody whom the mailbox believes has checked it: what its sender signed can still be checked here.
        return judge_sender(self.message, trusted, self.app.check_dkim(self.raw))

    def _forward(self, verdict: SenderVerdict) -> Forward | None:
        """Only an agent who is proved to be one may name somebody else as the reporter."""
        sender = self.message.sender
        if sender is None or verdict.result != "pass" or not self.mailbox.settings.is_agent(sender.key):
            return None
        found = read_forward(self.message)
        # A mail that we sent has no reporter in it: answers would go to ourselves.
        return found if found and found.author.key not in self.own_addresses else None

    # ── where it belongs ──────────────────────────────────────────────────────────────────────────────────────────

    @cached_property
    def known(self) -> dict[str, ThreadEntry | None]:
        """The thread index at every id of this mail, strongest first: In-Reply-To, References newest first, its own;
        and at the id of the mail that it reports on or that was forwarded in it."""
        ids = [*self.message.in_reply_to, *reversed(self.message.references)]
        if self.message.message_id:
            ids.append(self.message.message_id)
        report = read_report(self.message)
        if report and report.original_id:
            ids.append(report.original_id)
        return {id: self.app.desk.thread(self.tenant, self.group, id) for id in dict.fromkeys(ids)}

    def _tokens(self, report: Report | None) -> Tokens:
        key, tenant, message = self.app.secrets.app_key("thread"), self.tenant, self.message
        recipients = " ".join(value for name in RECIPIENT_FIELDS for value in message.header_all(name))
        ids = (*message.in_reply_to, *reversed(message.references))
        own = token.read_message_id(key, tenant, message.message_id) if message.message_id else None
        about = self._reported(report, key) if report else ()
        answered = [found for id in ids if (found := token.read_message_id(key, tenant, id))]
        return Tokens(
            address=self._incidents(token.references_in(key, tenant, recipients)),
            ids=self._incidents(incident for incident, _ in answered),
            text=self._incidents(token.references_in(key, tenant, message.text)),
            about=next(iter(self._incidents(number for number, _ in about)), None),
            own=own[0] if own else None,
            about_note=about[0] if about and about[0][1] else None,
            private=bool(answered) and self._is_internal(*answered[0]),
        )

    def _reported(self, report: Report, key: bytes) -> tuple[tuple[int, int], ...]:
        """The mails of ours that a report may be about: the one it names, with its note; else, where a server gave
        that another id, the incident by the older ids that the original carried, or by the address we had given it."""
        tenant, message = self.tenant, self.message
        exact = token.read_message_id(key, tenant, report.original_id) if report.original_id else None
        if exact is not None:
            return (exact,)
        older = (*report.original_in_reply_to, *reversed(report.original_references))
        found = [(read[0], 0) for id in older if (read := token.read_message_id(key, tenant, id))]
        recipients = " ".join(value for name in RECIPIENT_FIELDS for value in message.header_all(name))
        return (*found, *((number, 0) for number in token.references_in(key, tenant, recipients)))

    def _is_internal(self, incident: int, seq: int) -> bool:
        notes = self.app.desk.notes(self.tenant, incident, seq - 1, 1)
        return bool(notes) and notes[0].kind is NoteKind.INTERNAL

    def _hits(self, entries: Iterable[ThreadEntry]) -> tuple[ThreadHit, ...]:
        hits = ((entry, self._incident(entry.incident)) for entry in entries)
        return tuple(ThreadHit(entry, incident) for entry, incident in hits if incident is not None)

    def _numbered(self) -> tuple[Incident, ...]:
        return self._incidents(incident_numbers(self.message.subject)[:MAX_NUMBERS])

    def _incidents(self, numbers: Iterable[int]) -> tuple[Incident, ...]:
        """Those that exist in this group, each as the one it was merged into."""
        found = (self._incident(number) for number in dict.fromkeys(numbers))
        return tuple(dict.fromkeys(one for one in found if one is not None and one.group == self.group))

    def _incident(self, number: int) -> Incident | None:
        for _ in range(MAX_MERGES):
            incident = self._read.get(number) or self.app.desk.incident(self.tenant, number)
            if incident is None:
                return None
            self._read[number] = incident
            if incident.merged_into is None:
                return incident
            number = incident.merged_into
        return None

    @cached_property
    def _read(self) -> dict[int, Incident]:
        return {}

    def _twins(self) -> tuple[Incident, ...]:
        """Incidents of other groups that hold the same mail: it was sent to two of this tenant's mailboxes."""
        others = [one.incident for one in self.content.holders if one.group != self.group]
        found = (self.app.desk.incident(self.tenant, number) for number in others[:MAX_TWINS])
        return tuple(incident for incident in found if incident is not None)

    # ── how often ─────────────────────────────────────────────────────────────────────────────────────────────────

    def _tallies(self) -> tuple[Tally, ...]:
        most = self.mailbox.settings.max_incidents_per_hour
        wanted = limits.of_new_incidents(self.message.sender, most, self.inbound.received)
        return self.app.desk.tallies(self.tenant, wanted)

    def _reopenings(self, incidents: Iterable[Incident]) -> dict[int, Tally]:
        at = self.inbound.received
        wanted = [one.number for one in dict.fromkeys(incidents) if one.status is not Status.OPEN]
        found = self.app.desk.tallies(self.tenant, [limits.of_reopening(number, at) for number in wanted])
        return dict(zip(wanted, found, strict=True))
