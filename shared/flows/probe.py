"""Test Settings: the production path step by step, on saved or on unsaved settings, changing nothing in the mailbox.

It opens, lists, fetches one mail and parses it exactly as a poll does; what it adds is a watch that says where it is.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime

from shared.errors import InboundError, ServerError, SettingsError
from shared.flows import preview
from shared.mail.message import parse
from shared.model.mailbox import Mailbox, Settings
from shared.ports import App, Finding, Recording, Scoped, Source

TITLES = {
    "dns": "Look up the server's name",
    "tcp": "Connect",
    "tls": "Encrypt, and check the certificate",
    "greeting": "Hear the server's greeting",
    "capabilities": "Ask what the server can do",
    "token": "Get an access token",
    "login": "Log in",
    "folder": "Open the folder",
    "list": "List the mails",
    "fetch": "Fetch one mail",
    "parse": "Read that mail",
    "waiting": "Count the mails that wait",
    "scope": "May this app read only this mailbox?",
    "permissions": "May mail be treated as wanted after import?",
    "outgoing": "Log in to the outgoing server",
}

_READING = ("list", "fetch", "parse", "waiting", "permissions", "outgoing")

PATHS = {
    "imap": ("dns", "tcp", "tls", "greeting", "login", "folder", *_READING),
    "pop3": ("dns", "tcp", "tls", "greeting", "capabilities", "login", *_READING),
    "office365": ("token", "folder", "list", "fetch", "parse", "waiting", "scope", "permissions", "outgoing"),
}
"""The steps of each kind of server, in the order in which they come with a password and encryption from the start."""

FIELDS = {
    "host_not_found": "host",
    "address_forbidden": "host",
    "tls_required": "security",
    "wrong_server": "server_type",
    "server_unfit": "server_type",
    "login_refused": "password",
    "secret_lost": "password",
    "sign_in_not_offered": "auth",
    "folder_not_found": "folder",
    "secret_expired": "client_secret",
    "mailbox_not_found": "email",
}
"""Which input a failure is about, by the error's code, where the error itself does not say."""

OUTGOING_FIELDS = frozenset({"host", "port", "security", "username", "password"})
"""Inputs that the outgoing server has as well as the mailbox's: where its step fails, they are meant."""


def path_of(settings: Settings) -> tuple[str, ...]:
    """The steps of these settings, in order: STARTTLS encrypts after the greeting, a sign-in begins with a token."""
    path = list(PATHS[settings.server_type])
    if settings.server_type == "office365":
        return tuple(path)
    if settings.security == "starttls":
        path.remove("tls")
        path.insert(path.index("greeting") + 1, "tls")
    if settings.uses_sign_in:
        path.insert(path.index("login"), "token")
    return tuple(path)


@dataclass(frozen=True, slots=True)
class ProbeStep:
    """One step. ``state``: ok, failed or skipped, and running while it goes on; ``ms``: how long it took; ``detail``:
    what was seen.

    A failed one has ``code``, ``cause``, ``fix``, and ``field`` where one input is to blame. One that is ok and has a
    ``code`` is a warning: mail works, and somebody should act all the same.
    """

    name: str
    title: str
    state: str
    ms: int = 0
    detail: str = ""
    code: str = ""
    cause: str = ""
    fix: str = ""
    field: str = ""


Tell = Callable[[ProbeStep], None]
"""Hears of a step."""


def _tell_nobody(step: ProbeStep) -> None:
    return None


@dataclass(frozen=True, slots=True)
class ProbeReport:
    """All steps of a path, and what was said. ``authserv_id``: the name under which the mailbox's provider says whether
    senders are real, as learned from some mails; empty where nothing could be learned."""

    ok: bool
    steps: tuple[ProbeStep, ...]
    transcript: tuple[str, ...]
    authserv_id: str = ""


class _Stages:
    """A watch that times steps; everything else goes to the recording behind it."""

    def __init__(self, recording: Recording, now: Callable[[], datetime], by_app: bool, tell: Tell) -> None:
        self._by_app = by_app
        self._tell = tell
        self._recording = recording
        self._now = now
        self._since = now()
        self.current = ""
        self.done: dict[str, ProbeStep] = {}
        self._details: list[str] = []

    def step(self, name: str) -> None:
        """The step before has worked; this one begins."""
        if name == self.current:
            return
        self.finish()
        self.current, self._since, self._details = name, self._now(), []
        self._recording.step(name)
        self._tell(ProbeStep(name, TITLES.get(name, name), "running"))

    def within(self, name: str) -> None:
        """A part of the current step begins: for the transcript alone."""
        self._recording.step(f"{self.current}: {name}")

    def finish(self, error: InboundError | None = None) -> None:
        """The current step is over."""
        if not self.current:
            return
        before = self.done.get(self.current)
        ms = round((self._now() - self._since).total_seconds() * 1000) + (before.ms if before else 0)
        made = ProbeStep(self.current, TITLES.get(self.current, self.current), "ok", ms, " ".join(self._details))
        made = made if error is None else _failed(made, error, self._by_app)
        self.done[self.current] = made
        self.current = ""
        self._tell(made)

    def found(self, name: str, finding: Finding) -> None:
        """More about a step that is over now. It goes into the report alone: addresses are none of a transcript's."""
        self.finish()
        step = self.done[name]
        self.done[name] = replace(
            step,
            state="ok" if finding.is_known else "skipped",
            detail=f"{step.detail} {finding.detail}".strip(),
            code=finding.code,
            cause=finding.cause,
            fix=finding.fix,
        )
        self._tell(self.done[name])

    def detail(self, text: str) -> None:
        """What was seen in this step, for the tenant."""
        self._details.append(text)
        self._recording.note(text)

    def sent(self, line: bytes) -> None:
        self._recording.sent(line)

    def received(self, line: bytes) -> None:
        self._recording.received(line)

    def note(self, text: str) -> None:
        self.detail(text)

    def secret(self, value: str) -> None:
        self._recording.secret(value)

    def private(self, on: bool) -> None:
        self._recording.private(on)


class _Within:
    """A watch on one step: what begins in it is no step of the path."""

    def __init__(self, stages: _Stages) -> None:
        self._stages = stages
        self.sent, self.received, self.note = stages.sent, stages.received, stages.note
        self.secret, self.private = stages.secret, stages.private

    def step(self, name: str) -> None:
        self._stages.within(name)


def probe(app: App, mailbox: Mailbox, other_address: str = "", tell: Tell = _tell_nobody) -> ProbeReport:
    """Run the path of this mailbox; it may be one that is not saved. Never raises what the settings do wrong.

    ``other_address``: a mailbox that the app should not be able to read; empty: those that are at hand are tried.
    ``tell`` hears of each step as it begins, as it ends, and again when more is known of it; the report has the last
    word.
    """
    recording = app.record()
    stages = _Stages(recording, app.now, mailbox.settings.uses_sign_in, tell)
    path = path_of(mailbox.settings)
    stages.step(path[0])
    learned = ""
    try:
        with app.open(mailbox, stages) as source:
            learned = _read_some(app, stages, source, mailbox.settings)
            _look_at_app(app, stages, source, mailbox, other_address)
            stages.step("permissions")
            source.may_act()
        if mailbox.settings.outgoing.enabled:
            _try_outgoing(app, stages, mailbox)
    except (SettingsError, ServerError) as error:
        stages.finish(error)
    else:
        stages.finish()
    steps = _in_order(path, stages.done, mailbox)
    return ProbeReport(all(step.state != "failed" for step in steps), steps, tuple(recording.lines), learned)


def _in_order(path: tuple[str, ...], done: dict[str, ProbeStep], mailbox: Mailbox) -> tuple[ProbeStep, ...]:
    """Every step of the path. What comes after the failed one is skipped, also where a first try had reached it."""
    failed = next((name for name, step in done.items() if step.state == "failed"), "")
    # A step that no path foresees must not hide that it failed.
    names = path if not failed or failed in path else (*path, failed)
    reached = names[: names.index(failed) + 1] if failed in path else names
    return tuple(done[name] if name in done and name in reached else _skipped(name, mailbox) for name in names)


def _read_some(app: App, stages: _Stages, source: Source, settings: Settings) -> str:
    """One mail as a poll reads it, and a look at the others: who judges senders here."""
    arrivals = source.new("")
    first = next(arrivals, None)
    if first is None:
        stages.detail("There is no mail to download now; the next one that comes is taken.")
        return ""
    with _closing(arrivals):
        stages.step("fetch")
        raw = source.fetch(first)
        stages.step("parse")
        if raw is None:
            stages.detail("The mail was deleted just now.")
            return ""
        message = parse(raw)
        count = len(message.attachments)
        stages.detail(f"{len(raw)} bytes, {count} attachment{'' if count == 1 else 's'}.")
        stages.step("waiting")
        found, complete = preview.waiting(arrivals, first, app.now)
        stages.detail(preview.in_words(found, complete, settings, app.now()))
        learned = preview.judge_of_senders(source, message, found)
        stages.detail(preview.judge_in_words(learned, settings))
        return learned


def _try_outgoing(app: App, stages: _Stages, mailbox: Mailbox) -> None:
    """Everything that sending takes but the mail."""
    stages.step("outgoing")
    with app.courier(mailbox, _Within(stages)) as courier:
        courier.may_send()


def _look_at_app(app: App, stages: _Stages, source: Source, mailbox: Mailbox, other_address: str) -> None:
    """When the app's credential ends, and what else the app can read."""
    if mailbox.settings.uses_sign_in:
        stages.step("token")
        stages.found("token", app.microsoft.credential_end(mailbox, stages))
    if isinstance(source, Scoped):
        stages.step("scope")
        stages.found("scope", source.scope(other_address, _meant(app, mailbox)))


def _meant(app: App, mailbox: Mailbox) -> frozenset[str]:
    """Addresses that the same app is meant to read: it serves other mailboxes of this tenant too."""
    settings = [one.settings for one in app.mailboxes.all(mailbox.tenant)]
    return frozenset(one.email.lower() for one in settings if _app(one) == _app(mailbox.settings))


def _app(settings: Settings) -> tuple[str, str, str]:
    return (settings.server_type, settings.tenant_id.lower(), settings.client_id.lower())


@contextmanager
def _closing(arrivals: Iterator[object]) -> Iterator[None]:
    """End a generator that is not read to its end before its connection goes."""
    try:
        yield
    finally:
        close = getattr(arrivals, "close", None)
        if close is not None:
            close()


def _failed(step: ProbeStep, error: InboundError, by_app: bool) -> ProbeStep:
    field = FIELDS.get(error.code, "")
    if by_app and field == "password":
        field = "client_secret"
    field = field if error.field is None else error.field
    if step.name == "outgoing" and field in OUTGOING_FIELDS:
        field = f"outgoing.{field}"
    return replace(step, state="failed", code=error.code, cause=error.message, fix=error.fix, field=field)


def _skipped(name: str, mailbox: Mailbox) -> ProbeStep:
    reasons = {
        "tls": "No encryption was chosen: passwords and mail travel in clear text."
        if mailbox.settings.security == "none"
        else "",
        "outgoing": "" if mailbox.settings.outgoing.enabled else "No outgoing server is set up.",
    }
    return ProbeStep(name, TITLES[name], "skipped", detail=reasons.get(name, ""))
