"""Every mail in tests/corpus is understood as the file beside it says."""

import json
from pathlib import Path
from typing import Any

import pytest

from shared.mail.attachment import Attachment
from shared.mail.message import Message, parse

CORPUS = Path(__file__).parents[2] / "corpus"
MAILS = sorted(CORPUS.glob("*.eml"))


def _addresses(message: Message) -> dict[str, Any]:
    return {
        "from": message.sender.address if message.sender else None,
        "from_name": message.sender.name if message.sender else None,
        "from_text": message.from_text,
        "to": [address.address for address in message.to],
        "to_names": [address.name for address in message.to],
        "cc": [address.address for address in message.cc],
        "reply_to": [address.address for address in message.reply_to],
    }


def _facts(message: Message) -> dict[str, Any]:
    """The message in the words of the expectation files."""
    return _addresses(message) | {
        "subject": message.subject,
        "date": message.date.isoformat() if message.date else None,
        "message_id": message.message_id,
        "in_reply_to": list(message.in_reply_to),
        "references": list(message.references),
        "text": message.text,
        "html": message.html,
        "defects": sorted(message.defects),
    }


def _attachment_facts(attachment: Attachment) -> dict[str, Any]:
    return {
        "name": attachment.name,
        "type": attachment.content_type,
        "size": attachment.size,
        "sha256": attachment.sha256,
        "inline": attachment.inline,
        "content_id": attachment.content_id,
        "content_location": attachment.content_location,
        "text": attachment.content.decode("utf-8", "replace"),
    }


@pytest.mark.parametrize("path", MAILS, ids=[path.stem for path in MAILS])
def test_a_mail_of_the_corpus_is_understood_as_written_beside_it(path: Path) -> None:
    expected = json.loads(path.with_suffix(".json").read_text("utf-8"))
    message = parse(path.read_bytes())
    files = expected.pop("attachments", None)
    for word in expected.pop("text_has", []):
        assert word in message.text
    for word in expected.pop("html_has", []):
        assert word in (message.html or "")
    facts = _facts(message)
    assert {name: facts[name] for name in expected} == expected
    if files is not None:
        found = [_attachment_facts(attachment) for attachment in message.attachments]
        assert [{name: fact[name] for name in want} for fact, want in zip(found, files, strict=True)] == files


def test_each_mail_has_its_expectations_and_each_expectation_its_mail() -> None:
    assert {path.stem for path in MAILS} == {path.stem for path in CORPUS.glob("*.json")}
    assert len(MAILS) >= 40
