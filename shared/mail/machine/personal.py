"""Signs of a person, and signs of a mail system, in a mail's headers."""

import re

from shared.mail import limits
from shared.mail.machine.bouncewords import DAEMON_LOCALS, DAEMON_NAMES
from shared.mail.machine.notice import folded
from shared.mail.message import Message
from shared.mail.subject import plain_subject

# Programs people write mail with. Machines name libraries (PHPMailer, SwiftMailer, Nodemailer) or nothing.
_PROGRAMS = re.compile(
    r"\b(?:outlook|thunderbird|mozilla|apple mail|iphone mail|ipad mail|ipod mail|mac os x mail|mailmate|airmail"
    r"|mutt|neomutt|alpine|pine|gnus|evolution|kmail|kontact|trojita|claws|sylpheed|geary|balsa|roundcube"
    r"|squirrelmail|horde|imp|sogo|rainloop|snappymail|afterlogic|zimbra|open-xchange|em client|emclient|eudora"
    r"|the bat|foxmail|becky|mailbird|spark|postbox|k-9|fairemail|aqua mail|nine|yahoomail|yahoo|webmail|ymail"
    r"|lotus notes|hcl notes|ibm notes|groupwise|icewarp|kerio|windows mail|windows live mail|microsoft-macoutlook"
    r"|samsung|huawei|blackberry|bluemail|front|protonmail|proton|tutanota|fastmail|superhuman|mail\.ru mailer"
    r"|coremail|qqmail|naver|web\.de|gmx|t-online|freemail|seamonkey|opera mail|mailspring|nmail|himalaya|mu4e"
    r"|sup|wanderlust|vm|forte agent|pegasus|turnpike|xnews|shuriken|hidemaru|winbiff|edmax|almail)\b",
    re.IGNORECASE,
)
# Not people, although the name fits: Exchange's own transport, CDO scripts, IIS.
_SERVERS = re.compile(
    r"microsoft (?:cdo|smtp server|exchange)|internet mail service|v\d[.\d]* mimeole cdo", re.IGNORECASE
)
_WEB_IDS = ("@mail.gmail.com>", "@mail.yahoo.com>", ".protonmail.com>", "@phx.gbl>", "@proton.me>")
_NULL = re.compile(r"\s*(?:<\s*>|<?mailer-daemon(?:@[^\s<>]{0,255})?>?|<#@\[\]>)?\s*", re.IGNORECASE)


def mail_program(message: Message) -> str | None:
    """The program a person wrote with, as User-Agent or X-Mailer name it; None for servers, libraries, nothing."""
    for name in ("user-agent", "x-mailer", "x-newsreader"):
        for value in message.header_all(name):
            if _PROGRAMS.search(value[: limits.LINE_CHARS]) and not _SERVERS.search(value[: limits.LINE_CHARS]):
                return value[:80]
    if "apple mail" in (message.header("mime-version") or "")[:200].lower():
        return "Apple Mail"
    return None


def is_personal(message: Message) -> bool:
    """Whether the mail was written in a program or web mail made for people."""
    return mail_program(message) is not None or (message.message_id or "").endswith(_WEB_IDS)


def is_answer(message: Message) -> bool:
    """Whether it answers another mail."""
    return bool(message.in_reply_to or message.references)


def has_prefix(subject: str) -> bool:
    """Whether a subject begins with ``Re:``, ``Fwd:`` or one of their sisters."""
    start = " ".join(subject[: limits.LINE_CHARS].split())
    return plain_subject(start, "\0") != start


def is_daemon(message: Message) -> bool:
    """Whether a mail system sent it: MAILER-DAEMON, postmaster, "Mail Delivery System", or an empty From."""
    if message.sender and message.sender.key.partition("@")[0] in DAEMON_LOCALS:
        return True
    shown = folded(message.from_text[: limits.LINE_CHARS]).strip()
    if not message.sender and shown.strip("<> \"'").partition("@")[0] in DAEMON_LOCALS:
        return True
    if message.header("from") is not None and shown in ("", "<>"):
        return True
    name = folded(message.sender.name) if message.sender else shown
    return any(phrase in name for phrase in DAEMON_NAMES) or "mailer-daemon" in shown


def is_null_sender(message: Message) -> bool:
    """Whether the envelope sender was empty, as for everything that wants no answer (RFC 5321 section 4.5.5)."""
    return any(_NULL.fullmatch(value[: limits.LINE_CHARS]) for value in message.header_all("return-path"))
