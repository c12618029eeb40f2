"""Turn one kept mail into what it is to be: gather → parse → decide → apply.

Delivered at least once by the queue, effective exactly once: the commit succeeds only while the mail is pending.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from shared import log
from shared.errors import RowChanged, StoreError
from shared.mail.address import Address
from shared.mail.message import Message, content_digest, parse
from shared.mail.subject import incident_numbers
from shared.model import reason
from shared.model.decide import Facts, ThreadHit, decide
from shared.model.inbound import Decision, Filing, Inbound, Step, ThreadEntry
from shared.model.incident import AttachmentRef, Body, Incident
from shared.model.mailbox import Mailbox
from shared.ports import App

TRIES = 8
"""Commits that may lose against others before the queue has to deliver again: the counter of new incidents is met by
at most batchSize + newBatchThreshold = 6 conversions of one instance at a time."""

FIRST_PAUSE = 0.01
LONGEST_PAUSE = 0.5
"""Seconds. Full jitter between tries (measured: 4 workers on one counter, 0.56 retries a commit)."""

MAX_NUMBERS = 3
"""Incident numbers looked up from one subject: nobody means more, and each is a read."""


def convert(app: App, tenant: str, id: str) -> None:
    """Decide about a pending mail; nothing if it is decided already. Raises ``StoreError``: the queue tries again."""
    parsed: Message | None = None
    for attempt in range(TRIES):
        inbound = app.desk.inbound(tenant, id)
        if inbound is None or inbound.outcome is not reason.Outcome.PENDING:
            return
        if parsed is None:
            raw = app.raw.get(tenant, id)
            if raw is None or hashlib.sha256(raw).hexdigest() != inbound.sha256:
                _raw_is_lost(app, tenant, inbound)
                return
            parsed = parse(raw)
        filing = _Conversion(app, tenant, inbound, parsed).filing()
        try:
            filed = app.desk.file(tenant, filing)
        except RowChanged:
            # Somebody was faster, or our own answer was lost: both show when the row is read again.
            _pause(app, attempt)
            continue
        log.event(
            "converted",
            tenant=tenant,
            mailbox=inbound.mailbox,
            inbound=id,
            outcome=filing.decision.outcome.value,
            reason=filing.decision.reason.code,
            incident=filed.incident,
            attempts=attempt + 1,
        )
        return
    raise RowChanged("Others were faster every time.")


def _digest(message: Message, inbound: Inbound) -> str:
    """What makes two mails of a group one: the content, and where that says too little, more.

    Without a Message-ID, when it was received: monitoring systems send many mails that are alike but for that. Of a
    mail that was too long to read whole, its bytes.
    """
    parts = [content_digest(message), message.subject]
    if message.message_id is None:
        parts.append(inbound.received.isoformat())
    if any(defect.startswith("truncated") for defect in message.defects):
        parts.append(inbound.sha256)
    return hashlib.sha256("\n".join(parts).encode("utf-8", "surrogatepass")).hexdigest()


def give_up(app: App, tenant: str, id: str) -> None:
    """The queue has tried as often as it does: the mail's row says so. Never raises what storage does: a message on a
    poison queue has nowhere to go, and the outbox still holds the mail."""
    try:
        gave_up = app.desk.give_up(tenant, id, app.now())
    except StoreError as error:
        log.event("give_up_failed", logging.ERROR, tenant=tenant, inbound=id, code=error.code)
        return
    if gave_up:
        log.event("conversion_failed", logging.ERROR, tenant=tenant, inbound=id)


def _pause(app: App, attempt: int) -> None:
    longest = min(LONGEST_PAUSE, FIRST_PAUSE * 2**attempt)
    app.sleep(longest * int.from_bytes(app.random(2), "big") / 0xFFFF)


def _raw_is_lost(app: App, tenant: str, inbound: Inbound) -> None:
    """Storage lost or damaged the raw mail (a restore, a person): say so, and have the mailbox read again from its
    beginning."""
    app.raw.discard(tenant, inbound.id)
    mailbox = app.mailboxes.get(tenant, inbound.mailbox)
    step = Step("raw_lost", True, "its raw mail is not in storage any more, or not as it was kept")
    app.desk.lose_raw(tenant, inbound, mailbox.generation if mailbox else "", step)
    log.event("raw_lost", logging.ERROR, tenant=tenant, mailbox=inbound.mailbox, inbound=inbound.id)
    if mailbox is not None:
        app.queues.ring_poll(tenant, inbound.mailbox)


@dataclass(frozen=True, slots=True)
class _Conversion:
    """One try at one mail. Everything it reads may have changed by the time it commits; then there is another try."""

    app: App
    tenant: str
    inbound: Inbound
    message: Message

    def filing(self) -> Filing:
        """Everything that the commit is to write."""
        mailboxes = self.app.mailboxes.all(self.tenant)
        mailbox = next((one for one in mailboxes if one.id == self.inbound.mailbox), None)
        if mailbox is None:
            step = Step("mailbox_removed", True, f"there is no mailbox {self.inbound.mailbox} any more")
            return self._filing("", Decision(reason.MAILBOX_REMOVED, (step,)))
        own = frozenset(one.settings.email.lower() for one in mailboxes if one.settings.email)
        group = mailbox.settings.group
        digest = _digest(self.message, self.inbound)
        known = self._known_ids(group)
        decision = decide(self._facts(mailbox, own, digest, known))
        if decision.outcome is not reason.Outcome.DELIVERED:
            return self._filing(group, decision)
        return self._filing(
            group,
            decision,
            body=self._body(),
            digest=digest,
            participants=tuple(person for person in (*self.message.to, *self.message.cc) if person.key not in own),
            claims=self._claims(known),
        )

    def _facts(self, mailbox: Mailbox, own: frozenset[str], digest: str, known: dict[str, ThreadEntry | None]) -> Facts:
        group = mailbox.settings.group
        return Facts(
            message=self.message,
            settings=mailbox.settings,
            own_addresses=own,
            threads=self._hits(entry for entry in known.values() if entry),
            numbered=self._numbered(group),
            duplicate_of=self.app.desk.delivered_as(self.tenant, group, digest),
            truncated=self.inbound.truncated,
        )

    def _known_ids(self, group: str) -> dict[str, ThreadEntry | None]:
        """The thread index at every id of this mail, strongest first: In-Reply-To, References newest first, its own."""
        ids = [*self.message.in_reply_to, *reversed(self.message.references)]
        if self.message.message_id:
            ids.append(self.message.message_id)
        return {id: self.app.desk.thread(self.tenant, group, id) for id in dict.fromkeys(ids)}

    def _hits(self, entries: Iterable[ThreadEntry]) -> tuple[ThreadHit, ...]:
        incidents: dict[int, Incident | None] = {}
        hits: list[ThreadHit] = []
        for entry in entries:
            if entry.incident not in incidents:
                incidents[entry.incident] = self.app.desk.incident(self.tenant, entry.incident)
            if (incident := incidents[entry.incident]) is not None:
                hits.append(ThreadHit(entry, incident))
        return tuple(hits)

    def _numbered(self, group: str) -> tuple[Incident, ...]:
        numbers = incident_numbers(self.message.subject)[:MAX_NUMBERS]
        found = [self.app.desk.incident(self.tenant, number) for number in numbers]
        return tuple(incident for incident in found if incident is not None and incident.group == group)

    def _claims(self, known: dict[str, ThreadEntry | None]) -> tuple[ThreadEntry, ...]:
        """What this mail adds to the thread index: its own id as seen, and the ids it refers to as claimed by its
        sender, so that the mails they belong to find this incident when they come later."""
        own_id = self.message.message_id
        sender = self.message.sender
        claims: list[ThreadEntry] = []
        for id, entry in known.items():
            if id == own_id and (entry is None or not entry.seen):
                claims.append(ThreadEntry(id, 0, seen=True, version=entry.version if entry else ""))
            elif entry is None and id != own_id and sender is not None:
                claims.append(ThreadEntry(id, 0, seen=False, claimed_by=sender.key))
        return tuple(claims)

    def _body(self) -> Body:
        """The note's body; its attachments are stored before any row names them."""
        refs: list[AttachmentRef] = []
        for count, attachment in enumerate(self.message.attachments):
            self.app.raw.keep_attachment(self.tenant, attachment.sha256, attachment.content)
            refs.append(
                AttachmentRef(
                    id=f"{self.inbound.id}-{count}",
                    name=attachment.name,
                    content_type=attachment.content_type,
                    size=attachment.size,
                    sha256=attachment.sha256,
                    content_id=attachment.content_id or "",
                    inline=attachment.inline,
                )
            )
        return Body(text=self.message.text, html=self.message.html or "", attachments=tuple(refs))

    def _filing(
        self,
        group: str,
        decision: Decision,
        body: Body | None = None,
        digest: str = "",
        participants: Sequence[Address] = (),
        claims: tuple[ThreadEntry, ...] = (),
    ) -> Filing:
        message = self.message
        if message.defects:
            step = Step(
                "reading", False, f"the mail is malformed or too long to show whole: {', '.join(message.defects)}"
            )
            decision = replace(decision, trace=(step, *decision.trace))
        author = message.sender or Address(name=message.from_text or "unknown sender", address="")
        return Filing(
            inbound=self.inbound,
            decision=decision,
            group=group,
            at=min(self.inbound.received, self.app.now()),
            sender=author.address or author.name,
            subject=message.subject,
            author=author,
            body=body or Body(""),
            participants=tuple(participants),
            digest=digest,
            claims=claims,
        )
