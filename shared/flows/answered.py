"""Which mail a mail of ours answers: for its In-Reply-To, and for the quote below our words."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from shared.mail.message import parse
from shared.mail.reply.forward import read_forward
from shared.model.incident import Incident, Note, NoteKind
from shared.ports import App

LOOK_BACK = 50
"""Notes before the answer in which it is looked for."""

NOT_SHOWN = frozenset({"not_participant", "private"})
"""Marks of notes that stay among the agents."""

BY_MACHINES = frozenset({"auto_reply", "automatic", "bounce", "failed", "delayed", "delivered", "relayed", "expanded"})
"""Marks of notes that are answered only where nobody else wrote: "I am away until Monday" is no question."""


def answered(
    app: App, tenant: str, incident: Incident, before: int, recipients: Sequence[str], is_agent: Callable[[str], bool]
) -> Note | None:
    """The newest mail in front of note ``before`` that may be shown to these recipients; None if there is none.

    Only what was said among those who take part, or by a recipient himself: what a stranger or an agent wrote to the
    desk is for the desk. ``is_agent``: whether an address key is one of the group's agents.
    """
    first = max(0, before - 1 - LOOK_BACK)
    notes = app.desk.notes(tenant, incident.number, first, before - 1 - first) if before > 1 else ()
    written_to = {one.lower() for one in recipients}
    shown = [one for one in reversed(notes) if _may_be_shown(one, incident, written_to, is_agent)]
    return next((one for one in shown if not BY_MACHINES & set(one.marks)), shown[0] if shown else None)


def thread_of(app: App, tenant: str, note: Note | None) -> tuple[str, tuple[str, ...]]:
    """The Message-ID of a note's mail and those before it, oldest first; empty where its raw mail is gone."""
    raw = app.raw.get(tenant, note.mail) if note is not None and note.mail else None
    if note is None or raw is None:
        return "", ()
    message = parse(raw)
    if "forwarded" in note.marks:
        # The reporter knows his own mail, not the one in which an agent passed it on to us.
        forward = read_forward(message)
        return (forward.message_id or "" if forward else ""), ()
    if message.message_id is None:
        return "", ()
    before = message.references or message.in_reply_to
    return message.message_id, tuple(id for id in before if id != message.message_id)


def _may_be_shown(note: Note, incident: Incident, written_to: set[str], is_agent: Callable[[str], bool]) -> bool:
    if note.kind is not NoteKind.INBOUND or NOT_SHOWN & set(note.marks):
        return False
    author = note.author.key
    if author == incident.reporter.key or author in written_to:
        return True
    return not is_agent(author) and incident.takes_part(note.author)
