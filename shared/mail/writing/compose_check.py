"""The last look at a header before it leaves: it is read again by two parsers that know nothing of how it was written.

Whoever finds a way to write a line of his own into our header (a subject, a name, an id that holds a line end in some
disguise) is stopped here, and so is a bug of ours that would mail somebody who was not meant.
"""

from collections.abc import Iterable, Sequence
from email.parser import BytesHeaderParser
from email.policy import compat32

from shared.mail.address import Address
from shared.mail.message import Message, parse
from shared.mail.writing.outgoing import Outgoing


class Miswritten(Exception):
    """The header does not say what it was to say: a bug of ours. The message names what differs, not what it says."""


def check(head: bytes, names: Sequence[str], mail: Outgoing) -> None:
    """Raise ``Miswritten`` unless the header holds exactly the fields ``names`` and says what the ``cleaned`` mail
    says. compat32 is the standard library's reader whose time is linear in what it reads."""
    message = parse(head + b"\r\n")
    other = BytesHeaderParser(policy=compat32).parsebytes(head + b"\r\n")
    wanted = list(names)
    differing = [
        what
        for what, same in (
            ("fields", [name for name, _ in message.headers] == wanted),
            ("fields for the standard library", other.keys() == wanted and not other.defects),
            ("sender", message.sender == mail.sender),
            ("recipients", _recipients(message) == _meant(mail)),
            ("subject", message.subject == mail.subject),
            ("ids", _ids(message) == ((mail.message_id,), _listed(mail.in_reply_to), mail.references)),
        )
        if not same
    ]
    if differing:
        raise Miswritten(", ".join(differing))


def _recipients(message: Message) -> tuple[list[str], ...]:
    return _addresses(message.reply_to), _addresses(message.to), _addresses(message.cc)


def _meant(mail: Outgoing) -> tuple[list[str], ...]:
    return _addresses([mail.reply_to] if mail.reply_to else []), _addresses(mail.to), _addresses(mail.cc)


def _addresses(found: Iterable[Address]) -> list[str]:
    return [one.address for one in found]


def _ids(message: Message) -> tuple[tuple[str, ...], ...]:
    return _listed(message.message_id), message.in_reply_to, message.references


def _listed(id: str | None) -> tuple[str, ...]:
    return (id,) if id else ()
