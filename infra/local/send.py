"""Send an example mail to the demo mailbox; with `--reply`, an answer to the last one, or to the desk's answer to it.

Run it as `python -m infra.local.send`; SMTP_PORT and STATE_DIR as for `make run`.
"""

import argparse
import json
import os
import smtplib
import sys
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import formatdate, make_msgid
from pathlib import Path
from typing import Any

from infra.local.addresses import ADDRESS, HOST, SENT
from infra.local.letterbox import Letterbox, read

TEXT = """Guten Tag,

der Drucker im zweiten Stock meldet „Tür offen“, obwohl sie geschlossen
ist. Das Übliche (aus- und einschalten) hat nichts geändert. Ein Bild
der Meldung liegt bei.

Viele Grüße
Jörg Müller
"""
ANSWER = "Noch etwas: Seit heute früh blinkt auch das gelbe Lämpchen.\n\nViele Grüße\nJörg Müller\n"
# A picture of one grey pixel: small, and every browser shows it.
PICTURE = bytes.fromhex(
    "89504e470d0a1a0a0000000d49484452000000010000000108000000003a7e9b550000000a494441"
    "54789c636800000082008177cd72b60000000049454e44ae426082"
)


def write(args: argparse.Namespace, last: dict[str, Any]) -> EmailMessage:
    """The mail that the arguments ask for; `last` is the one sent before, to be answered."""
    mail = EmailMessage(policy=SMTP)
    mail["From"] = args.sender
    mail["To"] = args.to
    mail["Date"] = formatdate(localtime=True)
    mail["Message-ID"] = make_msgid(domain="demo.localhost")
    mail["Subject"] = args.subject or "Drucker: „Tür offen“ im 2. Stock"
    if args.reply:
        subject = str(last["subject"])
        mail.replace_header("Subject", args.subject or ("" if subject.startswith("Re: ") else "Re: ") + subject)
        mail["In-Reply-To"] = last["id"]
        mail["References"] = " ".join([*last["references"], last["id"]])
    mail.set_content(args.text or (ANSWER if args.reply else TEXT), cte="8bit")
    if not args.reply:
        mail.add_attachment(PICTURE, maintype="image", subtype="png", filename="Meldung „Tür“.png")
    return mail


def newest(memory: Path, letterbox: Letterbox) -> dict[str, Any]:
    """The mail to be answered: what was sent last, or what the desk wrote after it."""
    last: dict[str, Any] = json.loads(memory.read_text()) if memory.exists() else {}
    answer = letterbox.newest()
    if answer is None or (last and answer.stat().st_mtime < memory.stat().st_mtime):
        return last
    mail = read(answer)
    return {"id": mail["Message-ID"], "subject": mail["Subject"], "references": str(mail["References"] or "").split()}


def main() -> int:
    """Send one mail; the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--from", dest="sender", default="Jörg Müller <joerg@customer.example>")
    parser.add_argument("--to", default=ADDRESS)
    parser.add_argument("--subject")
    parser.add_argument("--text")
    parser.add_argument("--reply", action="store_true", help="answer the last mail that was sent so")
    args = parser.parse_args()
    state = Path(os.environ.get("STATE_DIR") or ".local")
    memory = state / "last-sent.json"
    if args.reply and not memory.exists():
        print("there is nothing to answer yet: send one without --reply first", file=sys.stderr)
        return 1
    last = newest(memory, Letterbox(state / SENT))
    mail = write(args, last)
    port = int(os.environ.get("SMTP_PORT") or 2525)
    try:
        with smtplib.SMTP(HOST, port, timeout=30) as smtp:
            smtp.send_message(mail)
    except OSError as error:
        print(f"no mail server at {HOST}:{port} ({error}): is `make run` running?", file=sys.stderr)
        return 1
    references = str(mail["References"] or "").split()
    sent = {"id": str(mail["Message-ID"]), "subject": str(mail["Subject"]), "references": references}
    memory.parent.mkdir(parents=True, exist_ok=True)
    memory.write_text(json.dumps(sent))
    print(f"sent: {mail['Subject']}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
