"""SMTP as a ``Courier``: mail goes to the server that the tenant names, by a log-in and with a deadline.

A mail is handed over once. Whether it may be tried again is for whoever holds it: what went wrong says so.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from typing import Self

from shared.errors import InboundError, LoginRefused, NotSent, SettingsError, SignInNotOffered
from shared.model.mailbox import OAUTH_HOSTS, Settings
from shared.ports import Refusal, Sent
from shared.servers import sasl, smtp_errors
from shared.servers.credential import Credential, Tokens
from shared.servers.dial import Dialer
from shared.servers.smtp_client import InDoubt, Refused, SmtpClient
from shared.servers.smtp_wire import stuffed, wire_form
from shared.servers.translate import control_character

DEFAULT_PORTS = {"ssl": 465, "starttls": 587, "none": 587}
"""RFC 8314 (465), RFC 6409 (587)."""

SESSION_SECONDS = 240
"""The end of a conversation, whatever the server does: 25 MB at 1 Mbit/s take 200 s, and a function has 300."""

TOKEN_HOSTS = frozenset(
    {*OAUTH_HOSTS, "smtp.office365.com", "smtp.office365.us", "smtp-mail.outlook.com", "smtp.partner.outlook.cn"}
)
"""SMTP of Exchange Online in each of Microsoft's clouds. A token opens more than this, so it goes nowhere else."""

_PATH = re.compile(r"[^\x00-\x20<>\x7f]{1,320}")
"""What may stand between < and > (RFC 5321, 4.1.2), without the blanks that a quoted local part might have: a
parameter would begin there."""

_CONTROL = re.compile(r"[\x00-\x1f\x7f]")


class SmtpCourier:
    """``ports.Courier`` by SMTP."""

    def __init__(
        self, settings: Settings, credential: Credential, dialer: Dialer, seconds: float = SESSION_SECONDS
    ) -> None:
        """``credential``: of the outgoing server, which may be that of the mailbox. ``seconds``: see above."""
        outgoing = settings.outgoing
        self._security = outgoing.security
        self._host = outgoing.host
        self._port = outgoing.port if outgoing.port is not None else DEFAULT_PORTS[outgoing.security]
        self._user = outgoing.username or settings.username or settings.email
        self._address = settings.email or (settings.username if "@" in settings.username else "")
        self._credential = credential
        self._secret = credential.password
        self._dialer = dialer
        self._watch = dialer.watch
        self._seconds = seconds
        self._begun = False
        self._client = SmtpClient(dialer, self._host, self._port, seconds)

    # ── the session ───────────────────────────────────────────────────────────────────────────────────────────────

    def __enter__(self) -> Self:
        """Connect and log in."""
        self._check()
        with self._translated():
            self._connect()
            try:
                self._log_in()
            except BaseException:
                self._client.close()
                raise
        return self

    def __exit__(self, *exception: object) -> None:
        """QUIT is good manners; what was taken is taken without it."""
        if self._client.is_open:
            with suppress(InboundError), self._translated():
                self._client.quit()
        self._client.close()

    def _check(self) -> None:
        """What needs no server to be known."""
        if not self._host:
            raise SettingsError(
                "No outgoing server is given.", "Give its name, such as smtp.example.com.", field="host"
            )
        if self._port == 25:
            raise smtp_errors.port_25()
        for text, field in ((self._user, "username"), (self._credential.password, "password")):
            if _CONTROL.search(text):
                raise control_character(field)
        if self._credential.tokens is not None:
            if self._host.rstrip(".") not in TOKEN_HOSTS:
                raise SettingsError(
                    "A sign-in at Microsoft sends mail by Microsoft's own servers only.",
                    "Use smtp.office365.com with port 587 and STARTTLS; or give a user name and password for this "
                    "server.",
                    field="host",
                )
            if self._security == "none":
                raise SettingsError("Tokens are sent over encryption only.", "Choose STARTTLS.", field="security")
        elif not (self._user and self._credential.password):
            raise LoginRefused(
                "Nobody can log in to the outgoing server without user name and password.",
                "Give them; where they are left out, those of the mailbox are used.",
                field="password" if self._user else "username",
            )

    def _connect(self) -> None:
        self._client = SmtpClient(self._dialer, self._host, self._port, self._seconds)
        try:
            self._client.connect(self._security)
        except Refused as refused:
            self._client.close()
            raise smtp_errors.not_welcome(refused.answer, self._where) from None

    @property
    def _where(self) -> str:
        return f"{self._host}:{self._port}"

    @contextmanager
    def _translated(self) -> Iterator[None]:
        with smtp_errors.errors_translated(self._host, self._port, self._security):
            try:
                yield
            except Refused as refused:
                raise smtp_errors.mail_refused(refused.answer, self._host, self._address) from None

    def _log_in(self) -> None:
        if self._credential.tokens is not None:
            self._sign_in(self._credential.tokens)
            return
        self._watch.step("login")
        self._watch.secret(self._credential.password)
        mechanism, respond, begins = self._by_password(self._credential.password)
        try:
            self._client.authenticate(mechanism, respond, begins)
        except Refused as refused:
            raise smtp_errors.login_refused(refused.answer, self._host, self._user) from None

    def _by_password(self, password: str) -> tuple[str, Callable[[bytes], bytes], bool]:
        """PLAIN carries any letter, and LOGIN is not forbidden to. In clear text, a challenge shows nothing to whoever
        listens; inside TLS it only makes the server keep the password readable."""
        offered, user = self._client.mechanisms, self._user
        if "CRAM-MD5" in offered and (self._security == "none" or not {"PLAIN", "LOGIN"} & offered):
            return "CRAM-MD5", sasl.cram_md5(user, password), False
        if "PLAIN" in offered:
            return "PLAIN", lambda _: sasl.plain(user, password), True
        if "LOGIN" in offered:
            return "LOGIN", sasl.login(user, password), False
        starttls = self._security == "none" and "STARTTLS" in self._client.extensions
        raise smtp_errors.no_log_in(self._where, starttls)

    def _sign_in(self, tokens: Tokens) -> None:
        """A token that the server refuses is replaced once, on a new connection: some hang up after a refusal."""
        for renew in (False, True):
            mechanism = sasl.bearer_mechanism(self._client.mechanisms)
            if mechanism is None:
                raise SignInNotOffered(
                    f"{self._host} does not offer signing in by OAuth 2.0.",
                    "If this is Microsoft 365, use smtp.office365.com with port 587 and STARTTLS.",
                    field="host",
                )
            self._watch.step("token")
            self._secret = tokens(renew)
            self._watch.secret(self._secret)
            self._watch.step("login")
            bearer = sasl.Bearer(mechanism, self._user, self._secret, self._host, self._port)
            try:
                self._client.authenticate(mechanism, bearer, True)
            except Refused as refused:
                if renew or not refused.answer.permanent:
                    raise smtp_errors.token_refused(refused.answer, bearer.reason, self._host, self._user) from None
            else:
                return
            self._client.close()
            self._connect()

    # ── asking ────────────────────────────────────────────────────────────────────────────────────────────────────

    def may_send(self) -> None:
        """See ``ports.Courier.may_send``: begins a mail from the mailbox to itself and takes it back before its
        content (RFC 5321, 4.1.1.5)."""
        if not self._address:
            raise SettingsError(
                "The mailbox has no address to send from.", "Give the mailbox's e-mail address.", field="email"
            )
        with self._translated():
            self._watch.step("sender")
            self._begin(self._address, b"", not self._address.isascii())
            self._watch.step("recipient")
            try:
                self._client.command(f"RCPT TO:<{_path(self._address)}>")
            finally:
                self._forget()

    def send(self, message: bytes, sender: str, recipients: Sequence[str]) -> Sent:
        """See ``ports.Courier.send``."""
        if not recipients:
            raise ValueError("a mail without recipients")
        wire = wire_form(message)
        with self._translated():
            try:
                return self._deliver_as(wire, sender, recipients)
            except InDoubt as doubt:
                raise smtp_errors.in_doubt(self._host) from doubt
            except Refused as refused:
                self._forget()
                error = smtp_errors.mail_refused(refused.answer, self._host, sender or self._address)
                raise smtp_errors.as_not_sent(error, refused.answer) from None

    def _deliver_as(self, wire: bytes, sender: str, recipients: Sequence[str]) -> Sent:
        """Some servers take no mail without a sender from people who logged in, and say so at MAIL, at a recipient or
        at the end: then it goes out with the mailbox's own, which RFC 3834 (3.3) allows too."""
        try:
            return self._deliver(wire, sender, recipients)
        except Refused as refused:
            wants_sender = refused.answer.permanent and not self._begun
            if sender or not (wants_sender or smtp_errors.is_about_account(refused.answer)):
                raise
            if not (self._address and self._client.is_open):
                raise
        self._forget()
        return self._deliver(wire, self._address, recipients)

    def _deliver(self, wire: bytes, sender: str, recipients: Sequence[str]) -> Sent:
        # A new sending begins with everybody who can be written to by this server at all.
        refused = {one: why for one in recipients if (why := self._unwritable(one))}
        asked = [one for one in dict.fromkeys(recipients) if one not in refused]
        if not asked:
            return Sent(refused, "")
        self._begin(sender, wire, self._needs_utf8(wire, (sender, *asked)))
        refusals: list[Refused] = []
        for one in asked:
            try:
                self._client.command(f"RCPT TO:<{_path(one)}>")
            except Refused as no:
                if not self._client.is_open:
                    raise
                refusals.append(no)
                refused[one] = smtp_errors.refusal(no.answer, self._secret)
        if len(refusals) == len(asked):
            # Many servers judge the sender only here (Postfix: smtpd_delay_reject), and with it every recipient.
            if all(smtp_errors.is_about_account(no.answer) for no in refusals):
                raise refusals[0]
            self._forget()
            return Sent(refused, "")
        answer = self._client.transmit(stuffed(wire))
        return Sent(refused, smtp_errors.text_of(answer, self._secret))

    def _begin(self, sender: str, wire: bytes, utf8: bool) -> None:
        """MAIL FROM with what the server wants to know beforehand: size (RFC 1870), 8 bits (RFC 6152), UTF-8 in
        addresses and headers (RFC 6531)."""
        offered = self._client.extensions
        parameters = []
        if "SIZE" in offered:
            _check_size(offered, len(wire), self._host)
            parameters += [f"SIZE={len(wire)}"] if wire else []
        if utf8 and "SMTPUTF8" not in offered:
            raise smtp_errors.no_such_letters(self._host, "addresses or headers")
        if utf8 or not wire.isascii():
            if "8BITMIME" not in offered:
                raise smtp_errors.no_eight_bits(self._host)
            parameters += ["BODY=8BITMIME"]
        parameters += ["SMTPUTF8"] if utf8 else []
        self._begun = False
        self._client.command(" ".join([f"MAIL FROM:<{_path(sender) if sender else ''}>", *parameters]))
        self._begun = True

    def _needs_utf8(self, wire: bytes, addresses: Sequence[str]) -> bool:
        head = wire.find(b"\r\n\r\n")
        return not wire[: head if head >= 0 else len(wire)].isascii() or not all(map(str.isascii, addresses))

    def _unwritable(self, recipient: str) -> Refusal | None:
        """Why the server need not be asked."""
        if not _PATH.fullmatch(recipient):
            return Refusal(553, "5.1.3", "This is no address that mail can be sent to.", True)
        if not recipient.isascii() and "SMTPUTF8" not in self._client.extensions:
            return Refusal(553, "5.6.7", "The outgoing server cannot carry every letter of this address.", True)
        return None

    def _forget(self) -> None:
        """RSET: the next mail begins anew. Whatever it says, the reason for it is what counts."""
        if self._client.is_open:
            with suppress(InboundError, Refused, OSError):
                self._client.command("RSET")


def _path(address: str) -> str:
    if not _PATH.fullmatch(address):
        raise NotSent("The sender's address is none that mail can be sent from.", "Correct it.", permanent=True,
                      status="5.1.7", field="email")  # fmt: skip
    return address


def _check_size(offered: Mapping[str, str], size: int, host: str) -> None:
    limit = offered["SIZE"].split(" ")[0]
    most = int(limit) if re.fullmatch(r"[0-9]{1,20}", limit) else 0  # 0 or nothing: it does not say (RFC 1870, 3)
    if most and size > most:
        raise smtp_errors.too_big(host, most=most)
