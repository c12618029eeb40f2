"""A person's traces in a tenant's partition, and the orders to erase them (table ``tenants``, partition ``erasures``,
a row ``<tenant>:<id>`` each).

Content goes before the row that names it: whatever is cut off in between is found again by its row, which still bears
the person's address.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime

from shared.errors import RowChanged
from shared.mail.address import Address
from shared.mail.message import parse
from shared.model import reason
from shared.model.erasing import WORD, DataSubject, Erasure, Stretch
from shared.model.inbound import Step
from shared.model.incident import Body, Incident, NoteKind
from shared.model.outbound import Outbound, SendKind
from shared.model.reason import Outcome
from shared.model.retention import may_be_settled
from shared.store import keys, rows
from shared.store.answers import outbound_values, read_outbound, undeliverable
from shared.store.bodies import read_body, write_body
from shared.store.raw import Blobs
from shared.store.sweeping import remove
from shared.store.tables import Delete, Insert, Operation, Replace, Row, Tables, Upsert, Value

TABLE = "desk"
ERASURES = "erasures"

PREFIXES = {"mails": "S:", "notes": "N:", "answers": "O:", "incidents": "I:", "threads": "T:", "events": "W"}
"""Rows that each phase goes through."""

Counts = dict[str, int]


class TableForgetting:
    """``flows.forget.Forgetting`` on tables and blobs."""

    def __init__(self, tables: Tables, blobs: Blobs) -> None:
        self._tables = tables
        self._blobs = blobs

    # ── orders ────────────────────────────────────────────────────────────────────────────────────────────────────

    def all(self, tenant: str | None = None) -> Iterator[Erasure]:
        """See ``Forgetting.all``."""
        start, end = (f"{tenant}:", f"{tenant}:{keys.AFTER}") if tenant else ("", "")
        return map(_erasure, list(self._tables.query("tenants", ERASURES, start, end)))

    def get(self, tenant: str, id: str) -> Erasure | None:
        """See ``Forgetting.get``."""
        row = self._tables.get("tenants", ERASURES, f"{tenant}:{id}")
        return _erasure(row) if row else None

    def save(self, erasure: Erasure) -> Erasure:
        """See ``Forgetting.save``."""
        key, values = f"{erasure.tenant}:{erasure.id}", _values(erasure)
        write = Replace(key, values, erasure.version) if erasure.version else Insert(key, values)
        (version,) = self._tables.commit("tenants", ERASURES, [write])
        return replace(erasure, version=version)

    # ── a person's rows ───────────────────────────────────────────────────────────────────────────────────────────

    def stretch(
        self, tenant: str, id: str, phase: str, person: DataSubject, place: str, most: int, dry: bool
    ) -> Stretch:
        """See ``Forgetting.stretch``."""
        if phase == "attachments":
            return self._attachments(tenant, id)
        prefix = PREFIXES[phase]
        work: Callable[[_Erased, Row], None] = getattr(_Erased, phase)
        erased = _Erased(self._tables, self._blobs, tenant, id, person, dry)
        if phase == "threads" and not place:
            erased.undeliverable()
        start = place + keys.AFTER if place else prefix
        found = list(itertools.islice(self._tables.query(TABLE, tenant, start, prefix + keys.AFTER, page=most), most))
        for row in found:
            work(erased, row)
        onward = found[-1].key if len(found) == most else ""
        return Stretch(onward, tuple(erased.counts.items()), erased.waiting)

    def _attachments(self, tenant: str, id: str) -> Stretch:
        """Those of the person's that nobody else sent too: content lies in storage once, whoever sent it."""
        prefix = keys.erased_attachment(id)
        named = list(self._tables.query(TABLE, tenant, prefix, prefix + keys.AFTER))
        left = {row.key.rpartition(":")[2] for row in named}
        if left:
            for row in self._tables.query(TABLE, tenant, "N:", "N:" + keys.AFTER):
                left -= {ref.sha256 for ref in read_body(self._blobs, tenant, row).attachments}
        for sha256 in left:
            self._blobs.delete("attachments", f"{tenant}/{sha256}")
        remove(self._tables, TABLE, tenant, named, len(named))
        return Stretch("", (("attachments", len(left)),))


@dataclass(frozen=True, slots=True)
class _Unread:
    """Who wrote a mail, and the SHA-256 of its files."""

    sender: str = ""
    files: frozenset[str] = frozenset()


class _Erased:
    """Rows of one tenant as they are when the person is out of them. ``dry``: only counted."""

    def __init__(self, tables: Tables, blobs: Blobs, tenant: str, id: str, person: DataSubject, dry: bool) -> None:
        self._tables = tables
        self._blobs = blobs
        self._tenant = tenant
        self._id = id
        self._person = person
        self._alias = Address(WORD, person.alias)
        self._dry = dry
        self._is_known: dict[int, bool] = {}
        self.counts: Counts = {}
        self.waiting = 0

    def mails(self, row: Row) -> None:
        """A mail of the person's; whose one is that is not decided yet shows when it is."""
        # Received before, and taken in since: its note and its incident bear the time when it was received.
        if min(keys.read_stamp(row.text(name)) for name in ("received", "kept")) > self._person.before:
            return
        if row.text("outcome") == Outcome.PENDING:
            self.waiting += 1
        elif self._person.wrote(row.text("sender") or self._unread(row).sender):
            self._mail(row)

    def _unread(self, row: Row) -> _Unread:
        """What stands in a mail that was never converted: its row does not tell."""
        id = row.key.rpartition(":")[2]
        raw = self._blobs.read("raw", f"{self._tenant}/{id}.eml") if row.text("outcome") == Outcome.FAILED else None
        if raw is None:
            return _Unread()
        message = parse(raw)
        files = frozenset(one.sha256 for one in message.attachments)
        return _Unread(message.sender.address if message.sender else "", files)

    def _mail(self, row: Row) -> None:
        self._count("mails")
        if self._dry:
            return
        mail = rows.read_inbound(row)
        if mail.note is None:
            # What a conversion stored that was cut off before any row named it.
            self._name_attachments(self._unread(row).files)
            self._blobs.delete("bodies", f"{self._tenant}/{mail.id}.json")
        self._blobs.delete("raw", f"{self._tenant}/{mail.id}.eml")
        step = Step("erased", True, "a person had everything erased that this sender wrote")
        after = replace(mail, sender=self._person.alias, subject=WORD, trace=(step,))
        if may_be_settled(mail):
            over = reason.RETENTION_OVER
            after = replace(after, outcome=over.outcome, reason=over.code)
        values = rows.inbound_values(after)
        old, new = (keys.entry(one.outcome, one.kept, one.id) for one in (mail, after))
        moved: list[Operation] = [Upsert(new, values)] if old == new else [Delete(old), Insert(new, values)]
        self._commit([Replace(row.key, {**values, "trace": rows.trace_value(after.trace)}, row.etag), *moved])

    def notes(self, row: Row) -> None:
        """A note that the person wrote, or that says that mail to the person came back; and the mail that it came by:
        an agent may have forwarded it."""
        author = Address(*json.loads(row.text("author")))
        is_theirs = self._person.is_(author.address) or self._is_report(row)
        # Somebody else's address needs no look at the mail, and most notes have one.
        if (author.address and not is_theirs) or keys.read_stamp(row.text("created")) > self._person.before:
            return
        mail = self._tables.get(TABLE, self._tenant, keys.source(row.text("mail"))) if row.text("mail") else None
        if not is_theirs and (mail is None or not self._sent(mail)):
            return
        self._note(row, self._alias)
        # Its own mails are counted, and erased, before the notes.
        if mail is not None and not self._sent(mail):
            self._mail(mail)

    def _is_report(self, row: Row) -> bool:
        """Whether it tells that mail to the person came back."""
        if row.text("kind") != NoteKind.SYSTEM:
            return False
        return self._person.wrote(read_body(self._blobs, self._tenant, row).text)

    def _sent(self, mail: Row) -> bool:
        """Whether a mail's row names the person, or stands for it already."""
        return mail.text("sender") == self._person.alias or self._person.wrote(mail.text("sender"))

    def _note(self, row: Row, author: Address | None) -> None:
        self._count("notes")
        if self._dry:
            return
        body = read_body(self._blobs, self._tenant, row)
        self._name_attachments(ref.sha256 for ref in body.attachments)
        if name := row.text("body_name"):
            self._blobs.delete("bodies", f"{self._tenant}/{name}.json")
        kept = {name: value for name, value in row.values.items() if name not in ("body", "body_name")}
        values = kept | write_body(self._blobs, self._tenant, row.key, Body(WORD))
        if author is not None:
            values["author"] = json.dumps([author.name, author.address])
        self._commit([Replace(row.key, values, row.etag)])

    def _name_attachments(self, digests: Iterable[str]) -> None:
        named = sorted(set(digests))
        for start in range(0, len(named), 100):
            some = named[start : start + 100]
            self._commit([Upsert(keys.erased_attachment(self._id, sha256), {"count": 1}) for sha256 in some])

    def answers(self, row: Row) -> None:
        """A mail of ours to the person: the agent's words stay, an acknowledgement quotes the person's."""
        mail = read_outbound(row)
        if not self._is_about(mail) or self._is_later(mail):
            return
        if mail.is_open:
            self.waiting += 1
            return
        self._count("answers")
        if self._dry:
            return
        if mail.kind is SendKind.ACKNOWLEDGEMENT:
            note = self._tables.get(TABLE, self._tenant, keys.note(mail.incident, mail.note))
            if note is not None:
                self._note(note, None)
        said = "" if self._person.key in mail.said.lower() else mail.said
        # A server's words name the recipient as a rule.
        refused = [(who, why) if not self._person.is_(who) else (self._person.alias, "") for who, why in mail.refused]
        after = replace(
            mail,
            to=tuple(map(self._other, mail.to)),
            cc=tuple(map(self._other, mail.cc)),
            refused=tuple(refused),
            got=tuple(map(self._other_text, mail.got)),
            said=said,
        )
        self._commit([Replace(row.key, outbound_values(after), row.etag)])

    def _is_later(self, mail: Outbound) -> bool:
        """Whether it belongs to what the same address began after the order. Answers to what it wrote before go,
        also those that were written, or sent again, while the erasure goes on."""
        if mail.since is None or mail.since <= self._person.before:
            return False
        row = self._tables.get(TABLE, self._tenant, keys.incident(mail.incident))
        return row is not None and keys.read_stamp(row.text("created")) > self._person.before

    def _is_about(self, mail: Outbound) -> bool:
        addresses = [one.address for one in (*mail.to, *mail.cc)] + [who for who, _ in mail.refused] + list(mail.got)
        return any(map(self._person.is_, addresses))

    def incidents(self, row: Row) -> None:
        """An incident that the person reported, or took part in."""
        for _ in range(3):
            incident = rows.read_incident(row)
            after = self._without(incident)
            if after == incident or incident.created > self._person.before:
                return
            listed = Upsert(keys.listed(after.status, after.updated, after.number), rows.incident_values(after))
            try:
                if not self._dry:
                    write = Replace(row.key, rows.incident_values(after), row.etag)
                    self._tables.commit(TABLE, self._tenant, [write, listed])
            except RowChanged:
                fresh = self._tables.get(TABLE, self._tenant, row.key)
                if fresh is None:
                    return
                row = fresh
                continue
            self._count("incidents")
            return
        self._count("incidents")  # somebody works on it: the next round finds it again

    def _without(self, incident: Incident) -> Incident:
        if self._reported(incident):
            theirs = (self._alias if one == incident.reporter else one for one in incident.participants)
            return replace(incident, reporter=self._alias, subject=WORD, participants=tuple(map(self._other, theirs)))
        others = tuple(one for one in incident.participants if not self._person.is_(one.address))
        return replace(incident, participants=others)

    def _reported(self, incident: Incident) -> bool:
        """Whether the person did. Where no single sender was named, the first note tells, which comes before this."""
        if incident.reporter.address:
            return self._person.is_(incident.reporter.address)
        first = self._tables.get(TABLE, self._tenant, keys.note(incident.number, 1))
        author = Address(*json.loads(first.text("author"))) if first is not None else Address("", "")
        return author == self._alias or self._person.wrote(incident.reporter.name)

    def threads(self, row: Row) -> None:
        """A Message-ID that the person referred to."""
        if self._person.is_(row.text("claimed_by")) and not self._dry:
            self._commit(
                [Replace(row.key, {**row.values, "claimed_by": self._person.alias, "message_id": ""}, row.etag)]
            )

    def undeliverable(self) -> None:
        """That mail to the person came back."""
        if not self._dry:
            remove(self._tables, TABLE, self._tenant, self._one(keys.undeliverable(self._person.key)), 1)
            # Nobody answers to the address that stands in its place.
            self._commit([undeliverable(self._person.alias, "this person was erased")])

    def events(self, row: Row) -> None:
        """What webhooks were told, or will be: subjects of the person's incidents, and the person's address."""
        if self._dry or not (text := row.text("body")) or row.key[:3] not in ("WE:", "WP:"):
            return
        body = json.loads(text)
        told, changed = body.get("data", {}), False
        if self._person.is_(told.get("note", {}).get("author") or ""):
            told["note"]["author"], changed = self._person.alias, True
        incident = told.get("incident", {})
        number = str(incident.get("number", "")).rpartition("-")[2]
        if number.isdigit() and incident.get("subject") != WORD and self._was_reporter(int(number)):
            incident["subject"], changed = WORD, True
        if changed:
            self._commit([Replace(row.key, {**row.values, "body": json.dumps(body, ensure_ascii=False)}, row.etag)])

    def _was_reporter(self, number: int) -> bool:
        if number not in self._is_known:
            row = self._tables.get(TABLE, self._tenant, keys.incident(number))
            self._is_known[number] = row is not None and rows.read_incident(row).reporter.address == self._person.alias
        return self._is_known[number]

    def _other(self, one: Address) -> Address:
        return self._alias if self._person.is_(one.address) else one

    def _other_text(self, address: str) -> str:
        return self._person.alias if self._person.is_(address) else address

    def _one(self, key: str) -> list[Row]:
        row = self._tables.get(TABLE, self._tenant, key)
        return [row] if row else []

    def _commit(self, operations: list[Operation]) -> None:
        """Whoever was faster leaves a row that still bears the person: the next round finds it."""
        try:
            self._tables.commit(TABLE, self._tenant, operations)
        except RowChanged:
            return

    def _count(self, what: str) -> None:
        self.counts[what] = self.counts.get(what, 0) + 1


def _values(erasure: Erasure) -> dict[str, Value]:
    return {
        "sealed": erasure.sealed,
        "by": erasure.by,
        "created": keys.stamp(erasure.created),
        "phase": erasure.phase,
        "place": erasure.place,
        "found": erasure.found,
        "waiting": erasure.waiting,
        "counts": json.dumps(dict(erasure.counts)),
        "done": keys.stamp(erasure.done) if erasure.done else "",
    }


def _erasure(row: Row) -> Erasure:
    tenant, _, id = row.key.rpartition(":")
    return Erasure(
        id=id,
        tenant=tenant,
        sealed=row.text("sealed"),
        by=row.text("by"),
        created=keys.read_stamp(row.text("created")),
        phase=row.text("phase"),
        place=row.text("place"),
        found=row.number("found"),
        waiting=row.number("waiting"),
        counts=tuple(json.loads(row.text("counts")).items()),
        done=_time(row.text("done")),
        version=row.etag,
    )


def _time(text: str) -> datetime | None:
    return keys.read_stamp(text) if text else None
