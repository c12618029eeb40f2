"""People's mail programs, as far as they quote: an answer to a mail in the format of Gmail, Outlook, Apple Mail, phones."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from email.message import EmailMessage
from email.policy import SMTP
from html import escape

from shared.mail.message import Message, parse
from shared.mail.subject import plain_subject

Quote = Callable[[Message, str], tuple[str, str]]
"""Text and HTML of an answer to a mail with these new words."""

_numbers = itertools.count(1)


def gmail(mail: Message, words: str) -> tuple[str, str]:
    """Gmail in the browser."""
    assert mail.sender is not None
    name, address = mail.sender.name, mail.sender.address
    head = f"On Mon, Nov 16, 2026 at 11:11 AM {name} <{address}>\nwrote:"
    quoted = _marked(mail.text)
    html = (
        f'<div dir="ltr">{_lines(words)}</div><br><div class="gmail_quote gmail_quote_container"><div dir="ltr" '
        f'class="gmail_attr">On Mon, Nov 16, 2026 at 11:11 AM {escape(name)} &lt;<a href="mailto:{address}">{address}'
        f'</a>&gt; wrote:<br></div><blockquote class="gmail_quote" style="margin:0px 0px 0px 0.8ex">'
        f"{_inside(mail)}</blockquote></div>"
    )
    return f"{words}\n\n{head}\n\n{quoted}\n", html


def outlook(mail: Message, words: str) -> tuple[str, str]:
    """Outlook for Windows: no marks in the text, and a line above the quote in the HTML."""
    assert mail.sender is not None
    fields = [
        ("From", f"{mail.sender.name} <{mail.sender.address}>"),
        ("Sent", "Monday, November 16, 2026 11:11 AM"),
        ("To", "; ".join(f"{one.name} <{one.address}>" for one in mail.to)),
        ("Subject", mail.subject),
    ]
    head = "\n".join(f"{name}: {value}" for name, value in fields)
    bold = "<br>\n".join(f"<b>{name}:</b> {escape(value)}" for name, value in fields)
    html = (
        f'<html><body><div class="WordSection1"><p class="MsoNormal">{_lines(words)}</p><p class="MsoNormal">&nbsp;</p>'
        f'<div><div style="border:none;border-top:solid #E1E1E1 1.0pt;padding:3.0pt 0cm 0cm 0cm"><p class="MsoNormal">'
        f"{bold}</p></div></div>{_inside(mail)}</div></body></html>"
    )
    return f"{words}\n\n{head}\n\n{mail.text}\n", html


def apple(mail: Message, words: str) -> tuple[str, str]:
    """Apple Mail on a Mac."""
    assert mail.sender is not None
    name, address = mail.sender.name, mail.sender.address
    head = f"On 16. Nov 2026, at 11:11, {name} <{address}> wrote:"
    html = (
        f'<html aria-label="message body"><head></head><body style="overflow-wrap: break-word; -webkit-nbsp-mode: space; '
        f'line-break: after-white-space;">{_lines(words)}<br id="lineBreakAtBeginningOfMessage"><div><br><blockquote '
        f'type="cite"><div>On 16. Nov 2026, at 11:11, {escape(name)} &lt;{address}&gt; wrote:</div><br '
        f'class="Apple-interchange-newline"><div><div>{_inside(mail)}</div></div></blockquote></div><br></body></html>'
    )
    return f"{words}\n\n{_marked(head)}\n> \n{_marked(mail.text)}\n", html


def iphone(mail: Message, words: str) -> tuple[str, str]:
    """Mail on an iPhone: a line about the phone below the words, and an invisible mark before the quote."""
    assert mail.sender is not None
    name, address = mail.sender.name, mail.sender.address
    head = f"On 16 Nov 2026, at 11:11, {name} <{address}> wrote:"
    html = (
        f'<html><head></head><body dir="auto">{_lines(words)}<br id="lineBreakAtBeginningOfSignature"><div dir="ltr">'
        f'Sent from my iPhone</div><div dir="ltr"><br><blockquote type="cite">On 16 Nov 2026, at 11:11, {escape(name)} '
        f'&lt;{address}&gt; wrote:<br><br></blockquote></div><blockquote type="cite"><div dir="ltr">\ufeff'
        f"{_inside(mail)}</div></blockquote></body></html>"
    )
    return f"{words}\n\nSent from my iPhone\n\n{_marked(head)}\n> \n> \ufeff{_marked(mail.text)[2:]}\n", html


def samsung(mail: Message, words: str) -> tuple[str, str]:
    """The mail program of Samsung's phones, which writes neither In-Reply-To nor References (``keeps_headers``)."""
    assert mail.sender is not None
    fields = [
        ("From", f"{mail.sender.name} <{mail.sender.address}>"),
        ("Date", "16/11/2026  11:11  (GMT+01:00)"),
        ("To", ", ".join(f"{one.name} <{one.address}>" for one in mail.to)),
        ("Subject", mail.subject),
    ]
    head = "\n".join(f"{name}: {value}" for name, value in fields)
    divs = "".join(f"<div>{name}: {escape(value)} </div>" for name, value in fields)
    html = (
        f'<html><head></head><body dir="auto"><div dir="auto">{_lines(words)}</div><div dir="auto"><br></div><div '
        f'id="composer_signature" dir="auto"><div style="font-size:12px;color:#575757" dir="auto">Sent from my Galaxy'
        f'</div></div><div dir="auto"><br></div><div><br></div><div align="left" dir="auto" style="font-size:100%;'
        f'color:#000000"><div>-------- Original message --------</div>{divs}<div><br></div></div>{_inside(mail)}'
        "</body></html>"
    )
    tail = f"-------- Original message --------\n{head}\n\n{mail.text}\n"
    return f"{words}\n\nSent from my Galaxy\n\n\n{tail}", html


def reply(
    raw: bytes,
    quote: Quote,
    sender: str,
    words: str,
    keeps_headers: bool = True,
    keeps_subject: bool = True,
    keeps_reference: bool = True,
    to: str = "",
    cc: str = "",
    **headers: str,
) -> bytes:
    """An answer to a mail. What a program or gateway on the way does not keep is gone: the ids, our tag in the subject,
    the quoted reference."""
    mail = parse(raw)
    assert mail.sender is not None
    assert mail.message_id is not None
    text, html = quote(mail, words)
    if not keeps_reference:
        text, html = (part.replace("inc-", "") for part in (text, html))
    made = EmailMessage()
    made["From"] = sender
    made["To"] = to or mail.sender.address
    if cc:
        made["Cc"] = cc
    made["Subject"] = mail.subject if keeps_subject else plain_subject(mail.subject)
    made["Date"] = "Mon, 16 Nov 2026 12:30:00 +0000"
    made["Message-ID"] = f"<reply.{next(_numbers)}@client.example>"
    if keeps_headers:
        made["In-Reply-To"] = mail.message_id
        made["References"] = " ".join((*mail.references, mail.message_id))
    for name, value in headers.items():
        made[name.replace("_", "-")] = value
    made.set_content(text)
    made.add_alternative(html, subtype="html")
    return made.as_bytes(policy=SMTP)


def _marked(text: str) -> str:
    return "\n".join(f">{line}" if line.startswith(">") or not line else f"> {line}" for line in text.split("\n"))


def _lines(words: str) -> str:
    return "<br>".join(map(escape, words.split("\n")))


def _inside(mail: Message) -> str:
    html = mail.html or f"<pre>{escape(mail.text)}</pre>"
    start, end = html.find("<body>"), html.rfind("</body>")
    return html[start + len("<body>") : end] if 0 <= start < end else html
