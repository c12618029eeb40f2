"""Turn one kept mail into what it is to be: gather → parse → decide → apply.

Delivered at least once by the queue, effective exactly once: the commit succeeds only while the mail is pending.
"""

from __future__ import annotations

import hashlib
import logging
from dataclasses import dataclass, replace

from shared import log
from shared.errors import RowChanged, StoreError
from shared.flows import webhooks
from shared.flows.gather import Gathered
from shared.flows.outgoing import with_outgoing
from shared.mail.address import Address, parse_addresses
from shared.mail.attachment import Attachment
from shared.mail.message import Message, parse
from shared.mail.reply.quoting import split_reply
from shared.mail.subject import plain_subject
from shared.model import reason
from shared.model.decide import decide
from shared.model.facts import Facts
from shared.model.inbound import Decision, Filed, Filing, Inbound, Step, ThreadEntry
from shared.model.incident import AttachmentRef, Body, NoteKind
from shared.model.rules_machine import report_text
from shared.ports import App

TRIES = 8
"""Commits that may lose against others before the queue has to deliver again: the counter of new incidents is met by
at most batchSize + newBatchThreshold = 6 conversions of one instance at a time."""

DELIVERED_TO = ("delivered-to", "x-delivered-to", "envelope-to", "x-envelope-to", "x-original-to")
"""Where mail servers write the address that they delivered a mail to: an alias, mostly."""

FIRST_PAUSE = 0.01
LONGEST_PAUSE = 0.5
"""Seconds. Full jitter between tries (measured: 4 workers on one counter, 0.56 retries a commit)."""


def convert(app: App, tenant: str, id: str) -> None:
    """Decide about a pending mail; nothing if it is decided already. Raises ``StoreError``: the queue tries again."""
    parsed: tuple[Message, bytes] | None = None
    for attempt in range(TRIES):
        inbound = app.desk.inbound(tenant, id)
        if inbound is None or inbound.outcome is not reason.Outcome.PENDING:
            return
        if parsed is None:
            raw = app.raw.get(tenant, id)
            if raw is None or hashlib.sha256(raw).hexdigest() != inbound.sha256:
                _raw_is_lost(app, tenant, inbound)
                return
            parsed = parse(raw), raw
        filing = _filing(app, tenant, inbound, *parsed)
        try:
            filed = app.desk.file(tenant, filing)
        except RowChanged:
            # Somebody was faster, or our own answer was lost: both show when the row is read again.
            _pause(app, attempt)
            continue
        webhooks.ring_all(app, tenant, filed.events)
        if filed.outbound is not None and filed.incident is not None:
            for note in _to_ring(filing, filed):
                app.queues.ring_outbound(tenant, filed.incident, note)
        log.event(
            "converted",
            tenant=tenant,
            mailbox=inbound.mailbox,
            inbound=id,
            outcome=filing.decision.outcome.value,
            reason=filing.decision.reason.code,
            incident=filed.incident,
            attempts=attempt + 1,
            # Of released mail the time that it waited for a person would be counted.
            delay=None if inbound.released else (app.now() - inbound.received).total_seconds(),
            waited=None if inbound.released else (app.now() - inbound.kept).total_seconds(),
        )
        return
    raise RowChanged("Others were faster every time.")


def _to_ring(filing: Filing, filed: Filed) -> tuple[int, ...]:
    """The notes whose mails wait to be sent. A bell that is lost here is rung by the rescue."""
    own = filed.note if filing.answer else None
    first = filed.outbound if filing.acknowledgement else None
    return tuple(note for note in (own, first) if note is not None)


def give_up(app: App, tenant: str, id: str) -> None:
    """The queue has tried as often as it does: the mail's row says so. Never raises what storage does: a message on a
    poison queue has nowhere to go, and the outbox still holds the mail."""
    try:
        gave_up = app.desk.give_up(tenant, id, app.now())
    except StoreError as error:
        log.event("give_up_failed", logging.ERROR, tenant=tenant, inbound=id, code=error.code)
        return
    if gave_up:
        failed = reason.CONVERSION_FAILED
        log.event(
            "conversion_failed",
            logging.ERROR,
            tenant=tenant,
            inbound=id,
            outcome=failed.outcome.value,
            reason=failed.code,
        )


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
    log.event(
        "raw_lost",
        logging.ERROR,
        tenant=tenant,
        mailbox=inbound.mailbox,
        inbound=inbound.id,
        outcome=reason.RAW_LOST.outcome.value,
        reason=reason.RAW_LOST.code,
    )
    if mailbox is not None:
        app.queues.ring_poll(tenant, inbound.mailbox)


def _filing(app: App, tenant: str, inbound: Inbound, message: Message, raw: bytes) -> Filing:
    """One try at one mail. Everything it reads may have changed by the time it commits; then there is another try."""
    # Read anew for each mail: its group, its whitelist and its agents are those of this moment. Of the others only
    # the addresses matter, and a tenant may have a thousand of them.
    mailbox = app.mailboxes.get(tenant, inbound.mailbox)
    if mailbox is None:
        step = Step("mailbox_removed", True, f"there is no mailbox {inbound.mailbox} any more")
        return _undelivered(app, inbound, message, "", Decision(reason.MAILBOX_REMOVED, (step,)))
    gathered = Gathered(app, tenant, inbound, message, raw, mailbox, app.mailboxes.own_addresses(tenant))
    facts = gathered.facts()
    decision = _with_release(decide(facts, release=bool(inbound.released)), inbound)
    if decision.outcome is not reason.Outcome.DELIVERED:
        return _undelivered(app, inbound, message, gathered.group, decision)
    return _Delivery(gathered, facts, decision).filing()


def _undelivered(app: App, inbound: Inbound, message: Message, group: str, decision: Decision) -> Filing:
    author = _author(message)
    return Filing(
        inbound=inbound,
        decision=_with_defects(decision, message),
        group=group,
        at=min(inbound.received, app.now()),
        sender=author.address or author.name,
        subject=message.subject,
        author=author,
        body=Body(""),
        now=app.now(),
    )


@dataclass(frozen=True, slots=True)
class _Delivery:
    """What a delivered mail writes."""

    gathered: Gathered
    facts: Facts
    decision: Decision

    def filing(self) -> Filing:
        """Incident, note, participants and thread index."""
        message, forward = self.gathered.message, self.decision.forward
        plain = _undelivered(
            self.gathered.app, self.gathered.inbound, message, self.gathered.group, self._decision_marked()
        )
        filing = replace(
            plain,
            author=forward.author if forward else plain.author,
            subject=self._subject(plain.subject),
            body=self._body(),
            participants=self._participants(),
            digest=self.gathered.digest,
            content=self.gathered.content,
            claims=self._claims(),
            preface=(plain.author, Body(forward.preface)) if forward and forward.preface else None,
            history=self.facts.received < self.facts.connected and self.facts.settings.old_mail == "closed",
        )
        return with_outgoing(filing, self.gathered, self.facts)

    def _subject(self, subject: str) -> str:
        """The forwarded mail's own, where there is one; and without the old number where a new incident goes on."""
        forward = self.decision.forward
        if forward and forward.subject:
            return forward.subject
        return plain_subject(subject) if self.decision.reason is reason.NEW_AFTER_CLOSED else subject

    def _decision_marked(self) -> Decision:
        """Also what a person should know about the text that he reads."""
        effect, marks = self.decision.effect, list(self.decision.effect.marks)
        if any(defect.startswith("encrypted:") for defect in self.gathered.message.defects):
            marks.append("encrypted")
        if self.decision.forward:
            marks.append("forwarded")
        return replace(self.decision, effect=replace(effect, marks=tuple(dict.fromkeys(marks))))

    def _participants(self) -> tuple[Address, ...]:
        """Who else was written to, without ourselves. Nobody gets in by being named in what a machine sent."""
        forward, message = self.decision.forward, self.gathered.message
        if forward is not None:
            return (_author(message),)
        if not self.facts.is_human:
            return ()
        # An address that the mail was delivered to is this mailbox by another name.
        here = {one.key for name in DELIVERED_TO for one in parse_addresses(message.header_all(name))}
        people = (*message.to, *message.cc)
        return tuple(one for one in people if one.key not in here and not self.facts.is_ours(one))

    def _claims(self) -> tuple[ThreadEntry, ...]:
        """What this mail adds to the thread index: its own id as seen, and the ids it refers to as claimed by its
        sender, so that the mails they belong to find this incident when they come later."""
        message, forward = self.gathered.message, self.decision.forward
        sender = message.sender
        claims: list[ThreadEntry] = []
        # Who is only let in by a key must not bring others, or himself, in by what he refers to.
        may_claim = sender is not None and (self.decision.join is None or self.decision.effect.adopt)
        private = self.decision.effect.kind is NoteKind.INTERNAL
        for id, entry in self.gathered.known.items():
            if id == message.message_id and (entry is None or not entry.seen):
                version = entry.version if entry else ""
                claims.append(ThreadEntry(id, 0, seen=True, version=version, private=private))
            elif entry is None and id != message.message_id and sender and may_claim and self.facts.report is None:
                claims.append(ThreadEntry(id, 0, seen=False, claimed_by=sender.key))
        if forward and forward.message_id and self._is_unknown(forward.message_id):
            # The customer goes on from his own mail, which we only know from inside the forward.
            claims.append(ThreadEntry(forward.message_id, 0, seen=False, claimed_by=forward.author.key))
        return tuple(claims)

    def _is_unknown(self, message_id: str) -> bool:
        """Whether the group knows nothing of this id, which no header of the mail named."""
        gathered = self.gathered
        return (
            message_id not in gathered.known
            and gathered.app.desk.thread(gathered.tenant, gathered.group, message_id) is None
        )

    def _body(self) -> Body:
        """The note's body; its attachments are stored before any row names them."""
        message, inbound, app = self.gathered.message, self.gathered.inbound, self.gathered.app
        refs: list[AttachmentRef] = []
        for count, attachment in enumerate(message.attachments):
            app.raw.keep_attachment(self.gathered.tenant, attachment.sha256, attachment.content)
            refs.append(_reference(f"{inbound.id}-{count}", attachment))
        if self.facts.report is not None and self.decision.reason is reason.REPORT_NOTED:
            return Body(report_text(self.facts.report), message.text, "", tuple(refs))
        if self.decision.forward is not None:
            return Body(self.decision.forward.text, "", "", tuple(refs))
        reply = split_reply(message.text, message.html, message.subject)
        return Body(reply.new, reply.quoted, message.html or "", tuple(refs))


def _reference(id: str, attachment: Attachment) -> AttachmentRef:
    return AttachmentRef(
        id=id,
        name=attachment.name,
        content_type=attachment.content_type,
        size=attachment.size,
        sha256=attachment.sha256,
        content_id=attachment.content_id or "",
        inline=attachment.inline,
    )


def _author(message: Message) -> Address:
    return message.sender or Address(name=message.from_text or "unknown sender", address="")


def _with_release(decision: Decision, inbound: Inbound) -> Decision:
    if not inbound.released:
        return decision
    step = Step("released", False, f"{inbound.released} released it: it is taken as if it were allowed")
    return replace(decision, trace=(step, *decision.trace))


def _with_defects(decision: Decision, message: Message) -> Decision:
    if not message.defects:
        return decision
    said = f"the mail is malformed or too long to show whole: {', '.join(message.defects)}"
    return replace(decision, trace=(Step("reading", False, said), *decision.trace))
