"""A Postfix of our own: temporary folder, free ports, log-ins judged by a Dovecot; the system's service is not touched.

It takes mail of people who log in, delivers what is for its own domains into the mail folders of the Dovecot (so what
arrives can be polled there), and passes on the rest to wherever a test says.
"""

from __future__ import annotations

import os
import pwd
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Self

from tests.support import dovecot
from tests.support.dovecot import Dovecot

START_SECONDS = 20
STOP_SECONDS = 20
DAEMONS = Path("/usr/lib/postfix/sbin")
DOMAINS = ("firm.example", "people.example")
SIZE_LIMIT = 300_000
"""Bytes of one mail: small, so that a test of it is quick. Answers with attachments of other tests are below it."""

PORTS = ("submission", "smtps", "login", "cram", "silent", "lonely", "old", "named")

MAIN = """
compatibility_level = 3.6
queue_directory = {home}/q
data_directory = {home}/d
command_directory = /usr/sbin
daemon_directory = {daemons}
maillog_file = {home}/log
maillog_file_prefixes = /tmp
myhostname = mx.firm.example
mydestination =
mynetworks =
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
alias_maps =
alias_database =
local_recipient_maps =
message_size_limit = {size_limit}
mailbox_size_limit = 0
delay_warning_time = 1s
queue_run_delay = 2s
minimal_backoff_time = 2s
maximal_backoff_time = 4s
smtputf8_enable = yes
smtp_tls_security_level = none
transport_maps = texthash:{home}/transport
header_checks = regexp:{home}/headers
virtual_mailbox_domains = {domains}
virtual_mailbox_base = {mail}
virtual_mailbox_maps = texthash:{home}/people
virtual_minimum_uid = 1
virtual_uid_maps = static:{uid}
virtual_gid_maps = static:{gid}
smtpd_tls_cert_file = {home}/cert.pem
smtpd_tls_key_file = {home}/key.pem
smtpd_sasl_type = dovecot
smtpd_sasl_path = {socket}
smtpd_sasl_auth_enable = yes
smtpd_sender_login_maps = texthash:{home}/senders
smtpd_sender_restrictions = reject_sender_login_mismatch
smtpd_relay_restrictions = permit_sasl_authenticated, reject
smtpd_recipient_restrictions = check_recipient_access texthash:{home}/recipients, reject_unlisted_recipient
smtpd_error_sleep_time = 0
smtpd_forbidden_commands =
"""

# Each connection gets a process that has just read the tables (max_use=1), so a test can change them at any time.
# submission, smtps: as they are meant. login, cram: offer this way to log in alone. silent: does not announce its limit.
# lonely: its Dovecot is gone. old: knows no addresses beyond ASCII. named: takes no mail without an envelope sender.
MASTER = """
{submission} inet n - n - - smtpd -o smtpd_tls_security_level=encrypt -o max_use=1
{smtps} inet n - n - - smtpd -o smtpd_tls_wrappermode=yes -o max_use=1
{login} inet n - n - - smtpd -o smtpd_tls_wrappermode=yes -o max_use=1 -o smtpd_sasl_mechanism_filter=login
{cram} inet n - n - - smtpd -o smtpd_tls_wrappermode=yes -o max_use=1 -o smtpd_sasl_mechanism_filter=cram-md5
{silent} inet n - n - - smtpd -o smtpd_tls_wrappermode=yes -o max_use=1 -o smtpd_discard_ehlo_keywords=size
{lonely} inet n - n - - smtpd -o smtpd_tls_wrappermode=yes -o max_use=1 -o smtpd_sasl_path={home}/nobody
{old} inet n - n - - smtpd -o smtpd_tls_wrappermode=yes -o max_use=1 -o smtpd_discard_ehlo_keywords=smtputf8
{named} inet n - n - - smtpd -o smtpd_tls_wrappermode=yes -o max_use=1 -o smtpd_delay_reject=no
    -o smtpd_sender_restrictions=check_sender_access,texthash:{home}/nobody_sends
pickup unix n - n 60 1 pickup
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
tlsmgr unix - - n 1000? 1 tlsmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
verify unix - - n - 1 verify
flush unix n - n 1000? 0 flush
proxymap unix - - n - - proxymap
smtp unix - - n - - smtp
relay unix - - n - - smtp
showq unix n - n - - showq
error unix - - n - - error
retry unix - - n - - error
discard unix - - n - - discard
local unix - n n - - local
virtual unix - n n - - virtual
lmtp unix - - n - - lmtp
anvil unix - - n - 1 anvil
scache unix - - n - 1 scache
postlog unix-dgram n - n - 1 postlogd
"""

AUTH_SOCKET = """
service auth {{
  unix_listener {path} {{
    mode = 0666
  }}
}}
service anvil {{
  unix_listener anvil-auth-penalty {{
    mode = 0
  }}
}}
auth_failure_delay = 0
auth_mechanisms = plain login cram-md5
"""


def installed() -> bool:
    """Whether this machine has Postfix, a Dovecot that judges log-ins for it, and the root who may start it."""
    return os.geteuid() == 0 and (DAEMONS / "master").exists() and dovecot.installed()


class Postfix:
    """A running Postfix with its Dovecot (``with Postfix() as postfix``). Anybody may log in with
    ``dovecot.PASSWORD``."""

    def __init__(self) -> None:
        # Short, because the paths of its sockets may not be longer than 108 bytes.
        self._home = Path(tempfile.mkdtemp(prefix="pf", dir="/tmp"))
        self._socket = self._home / "auth"
        self.dovecot = Dovecot(more=AUTH_SOCKET.format(path=self._socket))
        self.ports = dict(zip(PORTS, dovecot.free_ports(len(PORTS)), strict=True))
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        self.dovecot.__enter__()
        try:
            self._write_files()
            self._process = self._postfix("start-fg")
            self._wait()
        except BaseException:
            self.__exit__(None, None, None)
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._process:
            self._postfix("stop").wait(timeout=STOP_SECONDS)
            self._process.wait(timeout=STOP_SECONDS)
        self.dovecot.__exit__(kind, error, trace)
        shutil.rmtree(self._home, ignore_errors=True)

    # ── as a test wants it ────────────────────────────────────────────────────────────────────────────────────────

    def people(self, *addresses: str) -> None:
        """Who has a mailbox here, and may send as himself."""
        self._table("people", {one: f"{one}/" for one in addresses})
        self._table("senders", {one: one for one in addresses})

    def empty(self) -> None:
        """Whatever lies in the mailboxes or waits for another try is thrown away."""
        self.settled()
        subprocess.run(
            ["/usr/sbin/postsuper", "-c", str(self._home / "etc"), "-d", "ALL"], capture_output=True, check=True
        )
        for folder in ("new", "cur"):
            for one in self.dovecot.mail_folder.glob(f"*/{folder}/*"):
                one.unlink()

    def answers(self, recipients: Mapping[str, str]) -> None:
        """What it says to these recipients from now on (``{"ann@people.example": "450 4.2.0 later"}``)."""
        self._table("recipients", recipients)

    def passes_on(self, domain: str, port: int) -> None:
        """Mail to this domain goes on to a server on this machine."""
        self._table("transport", {domain: f"smtp:[127.0.0.1]:{port}"})
        self._postfix("reload").wait(timeout=STOP_SECONDS)

    def inbox(self, address: str) -> list[bytes]:
        """What arrived there, oldest first, as it lies on the disk."""
        folder = self.dovecot.mail_folder / address
        files = [one for name in ("new", "cur") for one in (folder / name).glob("*")]
        return [one.read_bytes() for one in sorted(files, key=lambda one: one.stat().st_mtime_ns)]

    def arrived(self, address: str, count: int = 1, within: float = 15.0) -> list[bytes]:
        """What arrived there, once it is so many mails."""
        until = time.monotonic() + within
        while len(found := self.inbox(address)) < count:
            assert time.monotonic() < until, f"{len(found)} of {count} mails at {address}:\n{self.log()[-3000:]}"
            time.sleep(0.05)
        return found

    def settled(self, within: float = 15.0) -> None:
        """Its queues are empty: whatever it had to say, it has said."""
        until = time.monotonic() + within
        while any(one.is_file() for name in ("incoming", "active", "maildrop") for one in self._queue(name)):
            assert time.monotonic() < until, self.log()[-3000:]
            time.sleep(0.05)

    def log(self) -> str:
        """What it wrote down."""
        log = self._home / "log"
        return log.read_text(errors="replace") if log.exists() else ""

    # ── files and processes ───────────────────────────────────────────────────────────────────────────────────────

    def _queue(self, name: str) -> list[Path]:
        return list((self._home / "q" / name).rglob("*"))

    def _table(self, name: str, rows: Mapping[str, str]) -> None:
        # Renamed into place: nobody reads half a table.
        fresh = self._home / f"{name}.new"
        fresh.write_text("".join(f"{key} {value}\n" for key, value in rows.items()))
        fresh.rename(self._home / name)

    def _write_files(self) -> None:
        leaf = self.dovecot.authority.issue_cert("localhost", "127.0.0.1")
        leaf.private_key_pem.write_to_path(self._home / "key.pem")
        for count, blob in enumerate(leaf.cert_chain_pems):
            blob.write_to_path(self._home / "cert.pem", append=count > 0)
        for folder in ("q", "d", "etc"):
            (self._home / folder).mkdir()
        os.chown(self._home / "d", pwd.getpwnam("postfix").pw_uid, -1)
        for name in ("people", "senders", "recipients", "transport"):
            self._table(name, {})
        self._table("nobody_sends", {"<>": "550 5.1.7 Nobody sends nothing here"})
        (self._home / "headers").write_text("/^Subject:.*forbidden/ REJECT 5.7.1 such mail is not wanted here\n")
        # As whoever the Dovecot reads mail.
        uid, gid = pwd.getpwnam("mail")[2:4]
        main = MAIN.format(
            home=self._home,
            daemons=DAEMONS,
            mail=self.dovecot.mail_folder,
            domains=", ".join(DOMAINS),
            socket=self._socket,
            size_limit=SIZE_LIMIT,
            uid=uid,
            gid=gid,
        )
        (self._home / "etc" / "main.cf").write_text(main)
        (self._home / "etc" / "master.cf").write_text(MASTER.format(home=self._home, **self.ports))
        self._home.chmod(0o755)

    def _postfix(self, command: str) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            ["/usr/sbin/postfix", "-c", str(self._home / "etc"), command],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )

    def _wait(self) -> None:
        assert self._process is not None
        until = time.monotonic() + START_SECONDS
        while time.monotonic() < until:
            if self._process.poll() is not None:
                raise RuntimeError(f"Postfix did not start: {self.log()}")
            try:
                with socket.create_connection(("127.0.0.1", self.ports["submission"]), timeout=5) as connection:
                    if connection.recv(4) == b"220 ":
                        return
            except OSError:
                time.sleep(0.05)
        raise RuntimeError(f"Postfix does not answer: {self.log()}")
