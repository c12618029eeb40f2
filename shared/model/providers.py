"""Our own table of mail providers: the first thing that discovery asks, because it needs no network.

Servers and ports are those of the providers' own help pages. What the page cannot show, a note says: most big providers
refuse the usual password and want one made for programs.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from shared.model.discovery import Kind, Offer, Protocol, Security

PERSONAL_ACCOUNTS = "9188040d-6c67-4c5b-b112-36a304b66dad"
"""Microsoft's tenant of all personal accounts (the ``tid`` claim in learn.microsoft.com, ID token claims)."""

_APP_ONLY = "{name} takes no usual password here: make an app password in the account's security settings."
_SWITCH_ON = "Before a program may read mail of {name}, IMAP has to be switched on in its web mail's settings."
_WITH_2FA = "With two-factor authentication, {name} wants an app password."
_MICROSOFT = "The mailbox is at Microsoft 365. Sign in there; the name to sign in with may differ from the address."
_PERSONAL = (
    "This is a personal Microsoft account: it takes no passwords from programs, and the app that you sign in with has "
    "to allow personal accounts."
)
_GOOGLE = "Google takes no usual password here: make an app password (it needs 2-Step Verification), or sign in."
_US = "The mailbox is in Microsoft's cloud for the US government: the app and this service must be set to that cloud."
_CHINA = "The mailbox is in Microsoft's cloud in China: the app and this service must be set to that cloud."
_BRIDGE = "{name} encrypts mailboxes: only its own program on the owner's computer can read them, no other server can."
_CLOSED = "{name} opens its mailboxes to its own programs only. Forward the mail to another mailbox and connect that."


@dataclass(frozen=True, slots=True)
class Place:
    """A server of a provider. ``local_name``: the user name is only what stands before the @."""

    server_type: Protocol
    host: str
    port: int
    security: Security = "ssl"
    local_name: bool = False


@dataclass(frozen=True, slots=True)
class Provider:
    """Who keeps the mail of some domains.

    ``domains``: whole domains of its customers' addresses. ``mx``: how the names of mail exchangers end, of domains
    that customers bring along; each begins with a dot or is the whole name. ``servers``: likewise, of its mail servers.
    """

    name: str
    kind: Kind
    places: tuple[Place, ...] = ()
    domains: tuple[str, ...] = ()
    mx: tuple[str, ...] = ()
    servers: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    tenant_id: str | None = None

    def offers(self, address: str) -> list[Offer]:
        """Its servers, for this address; nobody connected to them yet."""
        local = address.rpartition("@")[0]
        return [
            Offer(
                place.server_type,
                place.host,
                place.port,
                place.security,
                local if place.local_name else address,
                "table",
            )
            for place in self.places
        ]


def by_domain(domain: str) -> Provider | None:
    """The provider that this whole domain belongs to."""
    return _BY_DOMAIN.get(domain.lower())


def by_exchangers(hosts: Iterable[str]) -> Provider | None:
    """The provider behind a domain's mail exchangers; ``hosts`` in their order of preference."""
    for host in hosts:
        for provider in PROVIDERS:
            if any(_ends(host, suffix) for suffix in provider.mx):
                return provider
    return None


def by_server(hosts: Iterable[str]) -> Provider | None:
    """The provider that one of these servers belongs to, for the two whose mailboxes take more than a password."""
    for host in hosts:
        for provider in (MICROSOFT, GOOGLE):
            if any(_ends(host, suffix) for suffix in provider.servers):
                return provider
    return None


def filter_behind(hosts: Iterable[str]) -> str:
    """The filter service that a domain's mail passes through; its MX says nothing about the mailbox. "" for none."""
    for host in hosts:
        for suffix, name in _FILTERS:
            if _ends(host, suffix):
                return name
    return ""


def _ends(host: str, suffix: str) -> bool:
    return host == suffix.lstrip(".") or (suffix.startswith(".") and host.endswith(suffix))


def _imap(host: str, local_name: bool = False) -> Place:
    return Place("imap", host, 993, "ssl", local_name)


def _pop3(host: str) -> Place:
    return Place("pop3", host, 995)


def _smtps(host: str) -> Place:
    return Place("smtp", host, 465)


def _submission(host: str) -> Place:
    return Place("smtp", host, 587, "starttls")


def _exchange(host: str, submission: str) -> tuple[Place, ...]:
    return (_imap(host), _pop3(host), _submission(submission))


MICROSOFT = Provider(
    "Microsoft 365",
    "office365",
    _exchange("outlook.office365.com", "smtp.office365.com"),
    # The second is the form with DNSSEC: name.<random>.mx.microsoft.
    mx=(".mail.protection.outlook.com", ".mx.microsoft"),
    servers=(".office365.com", ".outlook.com"),
    notes=(_MICROSOFT,),
)

GOOGLE = Provider(
    "Google",
    "google",
    (
        _imap("imap.gmail.com"),
        _pop3("pop.gmail.com"),
        _smtps("smtp.gmail.com"),
        _submission("smtp.gmail.com"),
    ),
    ("gmail.com", "googlemail.com"),
    (".google.com", ".googlemail.com"),
    (".gmail.com", ".googlemail.com"),
    (_GOOGLE,),
)


def _usual(
    name: str,
    domains: str,
    servers: tuple[str, str, str],
    *texts: str,
    mx: tuple[str, ...] = (),
    submission: bool = False,
) -> Provider:
    """IMAP on 993, POP3 on 995 (where there is a server), and sending on 465, or on 587 where that is advised."""
    imap, pop3, smtp = servers
    places = [_imap(imap)]
    if pop3:
        places.append(_pop3(pop3))
    places.append(_submission(smtp) if submission else _smtps(smtp))
    notes = tuple(text.format(name=name) for text in texts)
    return Provider(name, "imap", tuple(places), tuple(domains.split()), mx, notes=notes)


def _closed(name: str, domains: str, text: str, *mx: str) -> Provider:
    return Provider(name, "unknown", (), tuple(domains.split()), mx, notes=(text.format(name=name),))


_PERSONAL_DOMAINS = (
    *(f"outlook.{end}" for end in ("com", "de", "fr", "es", "it", "jp", "at", "dk", "com.br")),
    *(f"hotmail.{end}" for end in ("com", "de", "fr", "es", "it", "ca", "co.uk", "co.jp")),
    *(f"live.{end}" for end in ("com", "de", "fr", "it", "nl", "be", "se", "dk", "at", "ca", "co.uk", "com.mx")),
    "msn.com",
    "windowslive.com",
)

PROVIDERS: tuple[Provider, ...] = (
    MICROSOFT,
    Provider(
        "Microsoft 365 (US government)",
        "office365",
        _exchange("outlook.office365.us", "smtp.office365.us"),
        mx=(".mail.protection.outlook.us",),
        notes=(_MICROSOFT, _US),
    ),
    Provider(
        "Microsoft 365 (China)",
        "office365",
        _exchange("partner.outlook.cn", "smtp.partner.outlook.cn"),
        mx=(".partner.outlook.cn",),
        notes=(_MICROSOFT, _CHINA),
    ),
    Provider(
        "Outlook.com",
        "office365",
        _exchange("outlook.office365.com", "smtp-mail.outlook.com"),
        _PERSONAL_DOMAINS,
        notes=(_PERSONAL,),
        tenant_id=PERSONAL_ACCOUNTS,
    ),
    GOOGLE,
    Provider(
        "iCloud",
        "imap",
        # Apple wants only the part before the @ for reading and the whole address for sending; it has no POP3.
        (_imap("imap.mail.me.com", local_name=True), _submission("smtp.mail.me.com")),
        ("icloud.com", "me.com", "mac.com"),
        notes=(_APP_ONLY.format(name="Apple"),),
    ),
    _usual(
        "Yahoo",
        "yahoo.com yahoo.de yahoo.fr yahoo.es yahoo.it yahoo.ca yahoo.in yahoo.co.uk yahoo.co.in yahoo.com.au "
        "yahoo.com.br yahoo.com.mx yahoo.com.ar ymail.com rocketmail.com myyahoo.com",
        ("imap.mail.yahoo.com", "pop.mail.yahoo.com", "smtp.mail.yahoo.com"),
        _APP_ONLY,
    ),
    _usual("AOL", "aol.com aol.de aim.com", ("imap.aol.com", "pop.aol.com", "smtp.aol.com"), _APP_ONLY),
    _usual(
        "GMX",
        "gmx.de gmx.net gmx.at gmx.ch gmx.eu gmx.info gmx.biz gmx.org",
        ("imap.gmx.net", "pop.gmx.net", "mail.gmx.net"),
        _SWITCH_ON,
        _WITH_2FA,
    ),
    _usual(
        "GMX",
        "gmx.com gmx.us gmx.co.uk gmx.fr gmx.es",
        ("imap.gmx.com", "pop.gmx.com", "mail.gmx.com"),
        _SWITCH_ON,
        _WITH_2FA,
    ),
    _usual("WEB.DE", "web.de", ("imap.web.de", "pop3.web.de", "smtp.web.de"), _SWITCH_ON, _WITH_2FA, submission=True),
    _usual(
        "Telekom",
        "t-online.de magenta.de",
        ("secureimap.t-online.de", "securepop.t-online.de", "securesmtp.t-online.de"),
        "{name} takes no usual password here: set a password for e-mail programs in its customer centre.",
    ),
    _usual("freenet", "freenet.de", ("mx.freenet.de", "mx.freenet.de", "mx.freenet.de"), submission=True),
    _usual("Posteo", "posteo.de posteo.net posteo.org", ("posteo.de", "posteo.de", "posteo.de")),
    _usual(
        "mailbox.org",
        "mailbox.org",
        ("imap.mailbox.org", "pop3.mailbox.org", "smtp.mailbox.org"),
        mx=(".mailbox.org",),
    ),
    _usual(
        "Fastmail",
        "fastmail.com fastmail.fm fastmail.net fastmail.org sent.com",
        ("imap.fastmail.com", "pop.fastmail.com", "smtp.fastmail.com"),
        _APP_ONLY,
        mx=(".messagingengine.com",),
    ),
    _usual(
        "Zoho",
        "zoho.com zohomail.com",
        ("imap.zoho.com", "pop.zoho.com", "smtp.zoho.com"),
        _SWITCH_ON,
        _WITH_2FA,
    ),
    _usual(
        "Zoho",
        "zoho.eu zohomail.eu",
        ("imap.zoho.eu", "pop.zoho.eu", "smtp.zoho.eu"),
        _SWITCH_ON,
        _WITH_2FA,
    ),
    # Domains of an organisation have servers of their own there, in the region of their MX.
    _usual(
        "Zoho",
        "",
        ("imappro.zoho.com", "poppro.zoho.com", "smtppro.zoho.com"),
        _SWITCH_ON,
        _WITH_2FA,
        mx=(".zoho.com",),
    ),
    _usual(
        "Zoho",
        "",
        ("imappro.zoho.eu", "poppro.zoho.eu", "smtppro.zoho.eu"),
        _SWITCH_ON,
        _WITH_2FA,
        mx=(".zoho.eu",),
    ),
    _usual(
        "Yandex",
        "yandex.ru yandex.com yandex.by yandex.kz ya.ru",
        ("imap.yandex.com", "pop.yandex.com", "smtp.yandex.com"),
        _SWITCH_ON,
        _APP_ONLY,
        mx=("mx.yandex.net", "mx.yandex.ru"),
    ),
    _usual(
        "Mail.ru",
        "mail.ru inbox.ru list.ru bk.ru internet.ru",
        ("imap.mail.ru", "pop.mail.ru", "smtp.mail.ru"),
        _APP_ONLY,
        mx=("emx.mail.ru",),
    ),
    _usual(
        "IONOS",
        "",
        ("imap.ionos.de", "pop.ionos.de", "smtp.ionos.de"),
        mx=(".ionos.de", ".kundenserver.de"),
    ),
    _usual("Strato", "", ("imap.strato.de", "pop3.strato.de", "smtp.strato.de"), mx=(".rzone.de",)),
    _closed("Proton Mail", "proton.me protonmail.com protonmail.ch pm.me", _BRIDGE, ".protonmail.ch"),
    _closed("Tuta", "tuta.com tuta.io tutanota.com tutanota.de tutamail.com keemail.me", _CLOSED, ".tutanota.de"),
)
"""The first whose pattern fits."""

_BY_DOMAIN = {domain: provider for provider in PROVIDERS for domain in provider.domains}

_FILTERS = (
    (".pphosted.com", "Proofpoint"),
    (".ppe-hosted.com", "Proofpoint"),
    (".mimecast.com", "Mimecast"),
    (".mimecast.co.za", "Mimecast"),
    (".barracudanetworks.com", "Barracuda"),
    (".iphmx.com", "Cisco"),
    (".messagelabs.com", "Symantec"),
    (".antispameurope.com", "Hornetsecurity"),
    (".hornetsecurity.com", "Hornetsecurity"),
    (".trendmicro.com", "Trend Micro"),
    (".trendmicro.eu", "Trend Micro"),
    (".sophos.com", "Sophos"),
    (".mailcontrol.com", "Forcepoint"),
    (".mx.cloudflare.net", "Cloudflare"),
)
