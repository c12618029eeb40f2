"""Every mail in tests/corpus/machine is told apart, and every report read, as the file beside it says."""

import json
from pathlib import Path
from typing import Any

import pytest

from shared.mail.machine.automatic import classify
from shared.mail.machine.report import Report, read_report
from shared.mail.message import parse

CORPUS = Path(__file__).parents[3] / "corpus"
MAILS = sorted((CORPUS / "machine").glob("*.eml"))


def _report_facts(report: Report | None) -> dict[str, Any] | None:
    if report is None:
        return None
    recipients = [{"address": one.address, "action": one.action, "status": one.status} for one in report.recipients]
    return {"kind": report.kind, "recipients": recipients, "original_id": report.original_id}


def _facts(path: Path) -> dict[str, Any]:
    message = parse(path.read_bytes())
    report = read_report(message)
    machine = classify(message, report)
    return {"kind": machine.kind, "no_answer": machine.no_answer, "report": _report_facts(report)}


def _expected(path: Path) -> dict[str, Any]:
    expected: dict[str, Any] = json.loads(path.with_suffix(".json").read_text("utf-8"))
    return expected


@pytest.mark.parametrize("path", MAILS, ids=[path.stem for path in MAILS])
def test_a_mail_is_told_apart_and_read_as_written_beside_it(path: Path) -> None:
    assert _facts(path) == _expected(path)


def test_each_mail_has_its_expectation_and_each_class_its_mails() -> None:
    assert {path.stem for path in MAILS} == {path.stem for path in (CORPUS / "machine").glob("*.json")}
    kinds = [_expected(path)["kind"] for path in MAILS]
    least = {"bounce": 50, "auto_reply": 30, "automatic": 20, "human": 30}
    assert {kind: kinds.count(kind) >= count for kind, count in least.items()} == dict.fromkeys(least, True)


def test_the_rates_are_those_we_promise() -> None:
    pairs = [(_expected(path), _facts(path)) for path in MAILS]
    bounces = [found for wanted, found in pairs if wanted["kind"] == "bounce"]
    others = [found for wanted, found in pairs if wanted["kind"] != "bounce"]
    machines = [found for wanted, found in pairs if wanted["kind"] != "human"]
    people = [found for wanted, found in pairs if wanted["kind"] == "human"]
    rates = {
        "bounces found": _share(bounces, lambda found: found["kind"] == "bounce"),
        "bounces, false alarms": _share(others, lambda found: found["kind"] == "bounce"),
        "automatic mail found": _share(machines, lambda found: found["kind"] != "human"),
        "automatic mail, false alarms": _share(people, lambda found: found["kind"] != "human"),
    }
    print(rates)
    assert rates["bounces found"] >= 0.99
    assert rates["bounces, false alarms"] <= 0.005
    assert rates["automatic mail found"] >= 0.95
    assert rates["automatic mail, false alarms"] <= 0.02


def _share(found: list[dict[str, Any]], holds: Any) -> float:
    return sum(1 for one in found if holds(one)) / len(found)


def test_no_other_mail_of_the_corpus_is_taken_for_a_bounce() -> None:
    reports = {path.stem for path in CORPUS.glob("*.eml") if read_report(parse(path.read_bytes()))}
    assert reports == {"66-delivery-report"}


@pytest.mark.parametrize("path", MAILS, ids=[path.stem for path in MAILS])
def test_a_mail_cut_anywhere_is_judged_without_error(path: Path) -> None:
    raw = path.read_bytes()
    for end in range(0, len(raw), max(1, len(raw) // 40)):
        message = parse(raw[:end])
        assert classify(message, read_report(message)).why
