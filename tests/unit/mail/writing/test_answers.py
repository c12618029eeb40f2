"""Answers to a mail of ours, as mail programs write them (tests/corpus/answers): each finds its incident again, and what
is new in it is told from what we wrote.

``found_in`` names every key that came back: our Message-ID, the address with the reference, the subject's tag, the
reference in the text. One is enough, so some mails have just one.
"""

import json
from pathlib import Path

import pytest

from shared.mail.machine.automatic import classify
from shared.mail.message import Message, parse
from shared.mail.reply.quoting import split_reply
from shared.mail.subject import incident_numbers
from shared.mail.token import read_message_id, references_in
from shared.mail.writing.compose import compose
from tests.unit.mail.outgoing import INCIDENT, KEY, TENANT, sent

CORPUS = Path(__file__).parents[3] / "corpus" / "answers"
SENT = CORPUS / "00-sent.eml"
MAILS = sorted(set(CORPUS.glob("*.eml")) - {SENT})


def _found_in(message: Message, key: bytes = KEY) -> list[str]:
    """The keys that lead to the incident, as the rules of threading look for them."""
    ids = (*message.in_reply_to, *message.references)
    addresses = " ".join(one.address for one in (*message.to, *message.cc))
    found = {
        "ids": any(read_message_id(key, TENANT, id) == (INCIDENT, 2) for id in ids),
        "address": references_in(key, TENANT, addresses) == (INCIDENT,),
        "subject": incident_numbers(message.subject) == (INCIDENT,),
        "text": references_in(key, TENANT, message.text) == (INCIDENT,),
    }
    return [name for name, is_found in found.items() if is_found]


@pytest.mark.parametrize("path", MAILS, ids=[path.stem for path in MAILS])
def test_an_answer_finds_its_incident_and_its_new_words_are_told_from_ours(path: Path) -> None:
    expected = json.loads(path.with_suffix(".json").read_text("utf-8"))
    message = parse(path.read_bytes())
    assert message.defects == ()
    assert _found_in(message) == expected["found_in"]
    assert expected["found_in"]
    reply = split_reply(message.text, message.html, message.subject)
    assert reply.new == expected["new"]
    for words in expected["quoted_has"]:
        assert words in " ".join(reply.quoted.split())
    assert classify(message, None).kind == "human"


@pytest.mark.parametrize("path", MAILS, ids=[path.stem for path in MAILS])
def test_an_answer_finds_nothing_with_another_key_but_the_subjects_number(path: Path) -> None:
    assert set(_found_in(parse(path.read_bytes()), b"o" * 32)) <= {"subject"}


def test_the_answers_answer_what_we_write_today() -> None:
    """When this fails, we write otherwise than the programs quoted us: record the answers anew."""
    assert parse(SENT.read_bytes()) == parse(compose(sent()))


def test_each_answer_has_its_expectation_and_each_expectation_its_answer() -> None:
    assert {path.stem for path in MAILS} == {path.stem for path in CORPUS.glob("*.json")}
    assert len(MAILS) >= 12


def test_every_key_is_somewhere_the_only_one() -> None:
    found = [json.loads(path.read_text("utf-8"))["found_in"] for path in CORPUS.glob("*.json")]
    assert {keys[0] for keys in found if len(keys) == 1} == {"address", "subject", "text"}
