"""How long it takes to understand a mail: read, split into new and quoted words, told from machine mail.

Over the whole corpus, and over mails with ten thousand of one thing. Beside each the time that CPython's own parser
takes to do less (structure and decoded parts only): that is the yardstick.
"""

from __future__ import annotations

import email
import statistics
import time
from collections.abc import Callable
from pathlib import Path

from shared.mail.machine.automatic import classify
from shared.mail.machine.report import read_report
from shared.mail.message import parse
from shared.mail.reply.quoting import split_reply

CORPUS = Path(__file__).parents[1] / "corpus"
MANY = 10_000


def report() -> None:
    """Print a line for the corpus and one for each hostile mail."""
    mails = {str(path.relative_to(CORPUS)): path.read_bytes() for path in sorted(CORPUS.rglob("*.eml"))}
    ours = {name: _seconds(understand, raw) for name, raw in mails.items()}
    theirs = [_seconds(yardstick, raw) for raw in mails.values()]
    worst = max(ours, key=lambda name: ours[name])
    median = statistics.median(ours.values())
    print(f"understand {len(mails)} mails: median {median * 1000:.2f} ms, worst {ours[worst] * 1000:.1f} ms ({worst})")
    print(f"CPython's parser alone:        median {statistics.median(theirs) * 1000:.2f} ms")
    for name, raw in _hostile().items():
        small = _seconds(understand, raw(MANY // 10))
        large = _seconds(understand, raw(MANY))
        print(f"{MANY} {name:24} {large * 1000:8.1f} ms  {large / small:5.1f} x the time of a tenth of it")


def understand(raw: bytes) -> None:
    """All that a conversion does with the mail itself."""
    message = parse(raw)
    split_reply(message.text, message.html, message.subject)
    classify(message, read_report(message))


def yardstick(raw: bytes) -> None:
    """What the standard library does with it."""
    for part in email.message_from_bytes(raw).walk():
        part.get_payload(decode=True)


def _hostile() -> dict[str, Callable[[int], bytes]]:
    head = b"From: a@example.com\r\nSubject: x\r\n"
    return {
        "References": lambda n: head + b"References: " + b"\r\n ".join(b"<%d@e>" % i for i in range(n)) + b"\r\n\r\nx",
        "recipients": lambda n: head + b"To: " + b",\r\n ".join(b"p%d@e.com" % i for i in range(n)) + b"\r\n\r\nx",
        "quoted lines": lambda n: head + b"\r\nyes\r\n\r\nOn Monday Ann wrote:\r\n" + b"> a quoted line\r\n" * n,
        "levels of HTML": lambda n: head + b"Content-Type: text/html\r\n\r\n" + b"<div>" * n + b"x" + b"</div>" * n,
        "levels of quoting": lambda n: head + b"\r\n" + b"".join(b">" * min(i, 60) + b" x\r\n" for i in range(n)),
        "body parts": lambda n: (
            head + b"Content-Type: multipart/mixed; boundary=b\r\n\r\n" + b"--b\r\n\r\nx\r\n" * n + b"--b--"
        ),
    }


def _seconds(work: Callable[[bytes], None], raw: bytes) -> float:
    """The best of three: what it costs when nothing else runs."""
    times = []
    for _ in range(3):
        started = time.perf_counter()
        work(raw)
        times.append(time.perf_counter() - started)
    return min(times)
