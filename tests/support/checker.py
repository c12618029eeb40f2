"""What must be true of a tenant's storage when all work is done, read from storage alone."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Iterator

from shared.model.incident import NoteKind
from shared.model.outbound import SendKind, SendState
from shared.model.reason import BY_CODE, Outcome
from shared.store import keys
from shared.store.raw import Blobs
from shared.store.rows import read_content
from shared.store.tables import Row, Tables, Value

WITHOUT_RAW = ("unfetchable", "raw_lost")


class Stored:
    """A tenant's storage as it is now."""

    def __init__(self, tables: Tables, blobs: Blobs, tenant: str) -> None:
        self.tenant = tenant
        self.blobs = blobs
        self.kinds: dict[str, list[Row]] = {}
        for row in tables.query("desk", tenant):
            self.kinds.setdefault(row.key.partition(":")[0], []).append(row)

    def rows(self, kind: str) -> dict[str, Row]:
        """Rows of a kind by the rest of their key."""
        return {row.key.partition(":")[2]: row for row in self.kinds.get(kind, [])}

    def body(self, note: Row) -> dict[str, object]:
        """A note's body, wherever it lies; empty when its blob is missing."""
        if name := note.text("body_name"):
            content = self.blobs.read("bodies", f"{self.tenant}/{name}.json")
            return dict(json.loads(content)) if content is not None else {}
        return dict(json.loads(note.text("body")))

    def threads(self) -> list[tuple[str, ...]]:
        """Each incident as the sorted texts of its notes."""
        found: dict[str, list[str]] = {}
        for key, note in self.rows("N").items():
            found.setdefault(key.partition(":")[0], []).append(str(self.body(note).get("text", "?")).strip())
        return sorted(tuple(sorted(texts)) for texts in found.values())

    def outcomes(self) -> Counter[str]:
        """How many mails have each reason."""
        return Counter(row.text("reason") for row in self.rows("S").values())


def violations(tables: Tables, blobs: Blobs, tenant: str) -> list[str]:
    """Everything that is wrong; empty when all is well."""
    stored = Stored(tables, blobs, tenant)
    return [*_mails(stored), *_ledger(stored), *_incidents(stored), *_notes(stored), *_index(stored), *_outbox(stored)]


def _mails(stored: Stored) -> Iterator[str]:
    # What an agent wrote above a mail that he forwarded is a note of the same mail, right behind it.
    notes = {row.text("mail"): key for key, row in stored.rows("N").items() if not _is_preface(row)}
    incidents = stored.rows("I")
    for id, mail in stored.rows("S").items():
        outcome, reason = mail.text("outcome"), mail.text("reason")
        if outcome == Outcome.PENDING:
            yield f"mail {id} is still pending"
        if reason not in BY_CODE or BY_CODE[reason].outcome != outcome:
            yield f"mail {id}: {reason} is no reason of {outcome}"
        raw = stored.blobs.read("raw", f"{stored.tenant}/{id}.eml")
        if reason not in WITHOUT_RAW and (raw is None or hashlib.sha256(raw).hexdigest() != mail.text("sha256")):
            yield f"mail {id} has not the raw it names"
        named = f"{mail.number('incident'):010d}:{mail.number('note'):06d}"
        if (notes.get(id) == named) is not (outcome == Outcome.DELIVERED):
            yield f"mail {id} is {outcome} and its note is {notes.get(id)}, not {named}"
        if outcome == Outcome.DUPLICATE and f"{mail.number('incident'):010d}" not in incidents:
            yield f"mail {id} is a duplicate of nothing"


def _is_preface(note: Row) -> bool:
    return note.text("kind") == NoteKind.INTERNAL and note.text("marks") == "forwarded"


def _is_ours(note: Row) -> bool:
    """Whether it was written here: an answer, an acknowledgement, a word among agents."""
    return not note.text("mail") and note.text("kind") != NoteKind.INBOUND


def _ledger(stored: Stored) -> Iterator[str]:
    mails = stored.rows("S")
    entries = stored.rows("E")
    expected = {
        keys.entry(row.text("outcome"), keys.read_stamp(row.text("kept")), id).partition(":")[2]
        for id, row in mails.items()
    }
    if expected != set(entries):
        yield f"ledger index and mails differ: {sorted(expected ^ set(entries))}"
    for key, entry in entries.items():
        mail = mails.get(key.rpartition(":")[2])
        if mail and _without(entry, "rung", "rings") != _without(mail, "trace"):
            yield f"ledger entry {key} says something else than its mail"


def _incidents(stored: Stored) -> Iterator[str]:
    incidents = stored.rows("I")
    numbers = sorted(int(key) for key in incidents)
    if numbers != list(range(1, len(numbers) + 1)):
        yield f"numbers are {numbers}"
    counter = stored.rows("C").get("incident")
    if (counter.number("last") if counter else 0) != len(numbers):
        yield "the counter is not the last number"
    listed = {
        keys.listed(row.text("status"), keys.read_stamp(row.text("updated")), int(key)).partition(":")[2]: row.values
        for key, row in incidents.items()
    }
    if listed != {key: row.values for key, row in stored.rows("L").items()}:
        yield "the list and the incidents differ"
    for key, row in incidents.items():
        seqs = sorted(int(note.rpartition(":")[2]) for note in stored.rows("N") if note.startswith(f"{key}:"))
        if not seqs or seqs != list(range(1, row.number("notes") + 1)):
            yield f"incident {key} counts {row.number('notes')} notes and has {seqs}"


def _notes(stored: Stored) -> Iterator[str]:
    mails = stored.rows("S")
    for key, note in stored.rows("N").items():
        if note.text("mail") not in mails and not _is_ours(note):
            yield f"note {key} is of no mail"
        if key.partition(":")[0] not in stored.rows("I"):
            yield f"note {key} is of no incident"
        body = stored.body(note)
        if not body:
            yield f"the text of note {key} is gone"
            continue
        attachments = body["attachments"]
        assert isinstance(attachments, list)
        for ref in attachments:
            content = stored.blobs.read("attachments", f"{stored.tenant}/{ref[4]}")
            if content is None or hashlib.sha256(content).hexdigest() != ref[4]:
                yield f"an attachment of note {key} is gone"


def _outbox(stored: Stored) -> Iterator[str]:
    """Each mail that goes out sends one note; what is still going to happen stands in the outbox, and nothing else."""
    mails, notes = stored.rows("O"), stored.rows("N")
    open_ = {key for key, row in mails.items() if row.text("state") in (SendState.QUEUED, SendState.SENDING)}
    if open_ != set(stored.rows("OP")):
        yield f"the outbox and the mails that wait differ: {sorted(open_ ^ set(stored.rows('OP')))}"
    for key, row in mails.items():
        if key != f"{row.number('incident'):010d}:{row.number('note'):06d}":
            yield f"mail out {key} says that it sends another note"
        if key not in notes:
            yield f"mail out {key} sends a note that is not there"
        elif (row.text("kind") == SendKind.NOTIFICATION) is (notes[key].text("kind") == NoteKind.ANSWER):
            yield f"mail out {key} is a {row.text('kind')} of a note {notes[key].text('kind')}"
    written_here = {key for key, note in notes.items() if note.text("kind") == NoteKind.ANSWER and _is_ours(note)}
    if unsent := written_here - set(mails):
        yield f"answers {sorted(unsent)} are not sent by any mail"


def _index(stored: Stored) -> Iterator[str]:
    incidents = {int(key) for key in stored.rows("I")}
    holders = [holder for row in stored.rows("D").values() for holder in read_content(row).holders]
    named = {f"T:{key}": row.number("incident") for key, row in stored.rows("T").items()}
    named |= {f"D of {holder.mail}": holder.incident for holder in holders}
    for key, incident in named.items():
        if incident not in incidents:
            yield f"{key} names incident {incident}, which is not there"
    held_by = sorted(holder.mail for holder in holders)
    delivered = sorted(id for id, row in stored.rows("S").items() if row.text("outcome") == Outcome.DELIVERED)
    if held_by != delivered:
        yield f"content digests are of {held_by}, delivered are {delivered}"


def _without(row: Row, *names: str) -> dict[str, Value]:
    return {name: value for name, value in row.values.items() if name not in names}
